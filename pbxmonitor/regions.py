"""Where a caller is from, by his number alone and offline: the region, the mobile operator or the country.

Fixed lines in Russia are told apart here, by the area codes of its numbering plan: for them phonenumbers has the city
in one language and the region in another (495 is "Moscow" and «Московская обл.»). All else is what phonenumbers knows
of a prefix: the operator that it was given to (who may have lost the number to another since), else the place, else the
country. For one, it knows no operator of 916.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, NamedTuple

import phonenumbers

# So many first characters of a number in E.164 decide its region.
PREFIX: Final = 8
_LONGEST_CODE: Final = 3
_COUNTRY_DIGITS: Final = 4
_NOWHERE: Final = "001"
_RUSSIA: Final = "7"
_RUSSIA_MOBILE: Final = "79"
# ISO 3166-2 without its "RU-": area codes, name in Russian, name in English.
_SUBJECTS: Final = {
    "AD": ("877", "Адыгея", "Adygea"),
    "AL": ("388", "Республика Алтай", "Altai Republic"),
    "ALT": ("385", "Алтайский край", "Altai Krai"),
    "AMU": ("416", "Амурская область", "Amur Oblast"),
    "ARK": ("818", "Архангельская область", "Arkhangelsk Oblast"),
    "AST": ("851", "Астраханская область", "Astrakhan Oblast"),
    "BA": ("347", "Башкортостан", "Bashkortostan"),
    "BEL": ("472", "Белгородская область", "Belgorod Oblast"),
    "BRY": ("483", "Брянская область", "Bryansk Oblast"),
    "BU": ("301", "Бурятия", "Buryatia"),
    "CE": ("871", "Чечня", "Chechnya"),
    "CHE": ("351", "Челябинская область", "Chelyabinsk Oblast"),
    "CHU": ("427", "Чукотский автономный округ", "Chukotka"),
    "CU": ("835", "Чувашия", "Chuvashia"),
    "DA": ("872", "Дагестан", "Dagestan"),
    "IN": ("873", "Ингушетия", "Ingushetia"),
    "IRK": ("395", "Иркутская область", "Irkutsk Oblast"),
    "IVA": ("493", "Ивановская область", "Ivanovo Oblast"),
    "KAM": ("415", "Камчатский край", "Kamchatka Krai"),
    "KB": ("866", "Кабардино-Балкария", "Kabardino-Balkaria"),
    "KC": ("878", "Карачаево-Черкесия", "Karachay-Cherkessia"),
    "KDA": ("861 862", "Краснодарский край", "Krasnodar Krai"),
    "KEM": ("384", "Кемеровская область", "Kemerovo Oblast"),
    "KGD": ("401", "Калининградская область", "Kaliningrad Oblast"),
    "KGN": ("352", "Курганская область", "Kurgan Oblast"),
    "KHA": ("421", "Хабаровский край", "Khabarovsk Krai"),
    "KHM": ("346", "Ханты-Мансийский автономный округ", "Khanty-Mansi Okrug"),
    "KIR": ("833", "Кировская область", "Kirov Oblast"),
    "KK": ("390", "Хакасия", "Khakassia"),
    "KL": ("847", "Калмыкия", "Kalmykia"),
    "KLU": ("484", "Калужская область", "Kaluga Oblast"),
    "KO": ("821", "Республика Коми", "Komi"),
    "KOS": ("494", "Костромская область", "Kostroma Oblast"),
    "KR": ("814", "Карелия", "Karelia"),
    "KRS": ("471", "Курская область", "Kursk Oblast"),
    "KYA": ("391", "Красноярский край", "Krasnoyarsk Krai"),
    "LEN": ("813", "Ленинградская область", "Leningrad Oblast"),
    "LIP": ("474", "Липецкая область", "Lipetsk Oblast"),
    "MAG": ("413", "Магаданская область", "Magadan Oblast"),
    "ME": ("836", "Марий Эл", "Mari El"),
    "MO": ("834", "Мордовия", "Mordovia"),
    "MOS": ("496 498", "Московская область", "Moscow Oblast"),
    "MOW": ("495 499", "Москва", "Moscow"),
    "MUR": ("815", "Мурманская область", "Murmansk Oblast"),
    "NEN": ("81853", "Ненецкий автономный округ", "Nenets Okrug"),
    "NGR": ("816", "Новгородская область", "Novgorod Oblast"),
    "NIZ": ("831", "Нижегородская область", "Nizhny Novgorod Oblast"),
    "NVS": ("383", "Новосибирская область", "Novosibirsk Oblast"),
    "OMS": ("381", "Омская область", "Omsk Oblast"),
    "ORE": ("353", "Оренбургская область", "Orenburg Oblast"),
    "ORL": ("486", "Орловская область", "Oryol Oblast"),
    "PER": ("342", "Пермский край", "Perm Krai"),
    "PNZ": ("841", "Пензенская область", "Penza Oblast"),
    "PRI": ("423", "Приморский край", "Primorsky Krai"),
    "PSK": ("811", "Псковская область", "Pskov Oblast"),
    "ROS": ("863", "Ростовская область", "Rostov Oblast"),
    "RYA": ("491", "Рязанская область", "Ryazan Oblast"),
    "SA": ("411", "Якутия", "Yakutia"),
    "SAK": ("424", "Сахалинская область", "Sakhalin Oblast"),
    "SAM": ("846 848", "Самарская область", "Samara Oblast"),
    "SAR": ("845", "Саратовская область", "Saratov Oblast"),
    "SE": ("867", "Северная Осетия", "North Ossetia"),
    "SMO": ("481", "Смоленская область", "Smolensk Oblast"),
    "SPE": ("812", "Санкт-Петербург", "Saint Petersburg"),
    "STA": ("865 879", "Ставропольский край", "Stavropol Krai"),
    "SVE": ("343", "Свердловская область", "Sverdlovsk Oblast"),
    "TA": ("843 855", "Татарстан", "Tatarstan"),
    "TAM": ("475", "Тамбовская область", "Tambov Oblast"),
    "TOM": ("382", "Томская область", "Tomsk Oblast"),
    "TUL": ("487", "Тульская область", "Tula Oblast"),
    "TVE": ("482", "Тверская область", "Tver Oblast"),
    "TY": ("394", "Тыва", "Tuva"),
    "TYU": ("345", "Тюменская область", "Tyumen Oblast"),
    "UD": ("341", "Удмуртия", "Udmurtia"),
    "ULY": ("842", "Ульяновская область", "Ulyanovsk Oblast"),
    "VGG": ("844", "Волгоградская область", "Volgograd Oblast"),
    "VLA": ("492", "Владимирская область", "Vladimir Oblast"),
    "VLG": ("817 820", "Вологодская область", "Vologda Oblast"),
    "VOR": ("473", "Воронежская область", "Voronezh Oblast"),
    "YAN": ("349", "Ямало-Ненецкий автономный округ", "Yamalo-Nenets Okrug"),
    "YAR": ("485", "Ярославская область", "Yaroslavl Oblast"),
    "YEV": ("426", "Еврейская автономная область", "Jewish Autonomous Oblast"),
    "ZAB": ("302", "Забайкальский край", "Zabaykalsky Krai"),
}
_BY_CODE: Final = {code: subject for subject, (codes, *_) in _SUBJECTS.items() for code in codes.split()}
_AREA_CODES: Final = (5, 3)


class Kind(StrEnum):
    """What is known of a caller's whereabouts."""

    PLACE = "place"
    OPERATOR = "operator"
    COUNTRY = "country"
    INTERNAL = "internal"
    WITHHELD = "withheld"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A region: `key` is the same in every language; the last three kinds have no name, theirs is in the catalogue.

    `RU-MOW` (ISO 3166-2) is a place in Russia, `DE/Berlin` one elsewhere, `RU/T2` an operator, `RU` a country.
    """

    key: str
    kind: Kind
    country: str | None = None
    russian: str | None = None
    english: str | None = None

    def name(self, language: str) -> str | None:
        """Its name in that language (ru or en)."""
        return self.russian if language == "ru" else self.english


_WITHHELD: Final = Region(key="withheld", kind=Kind.WITHHELD)
_INTERNAL: Final = Region(key="internal", kind=Kind.INTERNAL)
_OTHER: Final = Region(key="other", kind=Kind.OTHER)


def region_of(number: str | None) -> Region:
    """Where that canonical number is from; what is not E.164 is an internal, short or unreadable one."""
    if number is None:
        return _WITHHELD
    return _region(number[:PREFIX]) if number.startswith("+") and number[1:].isdecimal() else _INTERNAL


def country_name(country: str | None, language: str) -> str | None:
    """The name of a country by its ISO code; where there is none (Kosovo's XK) the code itself."""
    names = _country_names().get(country or "", {})
    name = names.get(language, names.get("en", ""))
    return (names.get(name[1:]) if name.startswith("*") else name) or country


@cache
def _country_names() -> Mapping[str, Mapping[str, str]]:
    """By country and language; from their file alone, for its package brings all places of the world along, 100 MB."""
    package = find_spec("phonenumbers.geodata")
    folders = package.submodule_search_locations if package is not None else None
    spec = spec_from_file_location("phonenumbers.geodata.names", Path(folders[0], "locale.py")) if folders else None
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    names: Mapping[str, Mapping[str, str]] = module.LOCALE_DATA
    return names


@lru_cache(maxsize=65536)
def _region(prefix: str) -> Region:
    digits = prefix[1:]
    subject = _subject(digits)
    if subject is not None:
        _, russian, english = _SUBJECTS[subject]
        return Region(key=f"RU-{subject}", kind=Kind.PLACE, country="RU", russian=russian, english=english)
    code = next((digits[:n] for n in range(1, _LONGEST_CODE + 1) if _countries(digits[:n])), None)
    country = _country(code, digits[len(code) :][:_COUNTRY_DIGITS]) if code is not None else _NOWHERE
    if code is None or country == _NOWHERE:
        return _OTHER
    return _known(digits, code, country) or Region(
        key=country,
        kind=Kind.COUNTRY,
        country=country,
        russian=country_name(country, "ru"),
        english=country_name(country, "en"),
    )


def _subject(digits: str) -> str | None:
    """The part of Russia whose area code that is."""
    if not digits.startswith(_RUSSIA):
        return None
    codes = (digits[1 : 1 + length] for length in _AREA_CODES)
    return next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)


def _countries(code: str) -> tuple[str, ...]:
    return phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ())


@lru_cache(maxsize=8192)
def _country(code: str, national: str) -> str:
    """Of the countries that share a calling code, the one with numbers that begin so, else the first."""
    countries = _countries(code)
    if len(countries) == 1:
        return countries[0]
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(countries[0], None)
    lengths = metadata.general_desc.possible_length if metadata and metadata.general_desc else ()
    number = int(national.ljust(max(lengths, default=1), "2"))
    parsed = phonenumbers.PhoneNumber(country_code=int(code), national_number=number)
    return phonenumbers.region_code_for_number(parsed) or countries[0]


def _known(digits: str, code: str, country: str) -> Region | None:
    """The operator or the place that phonenumbers has for the longest prefix."""
    # Reading the places takes a second and 100 MB, and has none for the mobile numbers of Russia.
    kinds = (Kind.OPERATOR,) if digits.startswith(_RUSSIA_MOBILE) else (Kind.OPERATOR, Kind.PLACE)
    for kind in kinds:
        english = _english(digits, code, kind)
        if english is not None:
            russian = _titles(kind, code).russian.get(english, english)
            return Region(key=f"{country}/{english}", kind=kind, country=country, russian=russian, english=english)
    return None


def _english(digits: str, code: str, kind: Kind) -> str | None:
    """What the longest prefix is called in English; where only the Russian name is told, by what others say of it."""
    book = _book(kind)
    for length in range(len(digits), len(code), -1):
        told = book.get(digits[:length])
        if told is None:
            continue
        if "en" in told:
            return told["en"]
        if "ru" in told:
            return _titles(kind, code).english.get(told["ru"], told["ru"])
    return None


@cache
def _book(kind: Kind) -> Mapping[str, Mapping[str, str]]:
    """By prefix, the names of its operator or place by language; read when the first number needs it."""
    if kind is Kind.OPERATOR:
        from phonenumbers.carrierdata import CARRIER_DATA

        return CARRIER_DATA
    from phonenumbers.geodata import GEOCODE_DATA

    return GEOCODE_DATA


class _Titles(NamedTuple):
    """One Russian name for each English one and the other way round: prefixes of one operator differ in them."""

    russian: Mapping[str, str]
    english: Mapping[str, str]


@cache
def _titles(kind: Kind, code: str) -> _Titles:
    russian: dict[str, Counter[str]] = {}
    english: dict[str, Counter[str]] = {}
    for prefix, told in _book(kind).items():
        if prefix.startswith(code) and "ru" in told and "en" in told:
            russian.setdefault(told["en"], Counter())[told["ru"]] += 1
            english.setdefault(told["ru"], Counter())[told["en"]] += 1
    return _Titles(_usual(russian), _usual(english))


def _usual(names: Mapping[str, Counter[str]]) -> dict[str, str]:
    return {name: min(others, key=lambda other: (-others[other], other)) for name, others in names.items()}
