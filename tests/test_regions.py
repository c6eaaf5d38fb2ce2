"""Where a number is from, in two languages and under one key."""

import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import carrier, geocoder

from pbxmonitor.regions import PREFIX, Kind, country_name, region_of


@pytest.mark.parametrize(
    ("number", "key", "kind", "russian", "english"),
    [
        ("+74951234567", "RU-MOW", Kind.PLACE, "Москва", "Moscow"),
        ("+74991234567", "RU-MOW", Kind.PLACE, "Москва", "Moscow"),
        ("+74982345678", "RU-MOS", Kind.PLACE, "Московская область", "Moscow Oblast"),
        ("+78121234567", "RU-SPE", Kind.PLACE, "Санкт-Петербург", "Saint Petersburg"),
        ("+78432345678", "RU-TA", Kind.PLACE, "Татарстан", "Tatarstan"),
        ("+78552345678", "RU-TA", Kind.PLACE, "Татарстан", "Tatarstan"),
        ("+78182345678", "RU-ARK", Kind.PLACE, "Архангельская область", "Arkhangelsk Oblast"),
        ("+78185345678", "RU-NEN", Kind.PLACE, "Ненецкий автономный округ", "Nenets Okrug"),
        ("+79211234567", "RU/MegaFon", Kind.OPERATOR, "МегаФон", "MegaFon"),
        ("+79031234567", "RU/Beeline", Kind.OPERATOR, "Билайн", "Beeline"),
        ("+79161234567", "RU", Kind.COUNTRY, "Россия", "Russia"),
        ("+375291234567", "BY/Velcom", Kind.OPERATOR, "Velcom", "Velcom"),
        ("+375292123456", "BY/MTS", Kind.OPERATOR, "МТС", "MTS"),
        ("+375172123456", "BY/Minsk", Kind.PLACE, "Минск", "Minsk"),
        ("+380501234567", "UA/Vodafone", Kind.OPERATOR, "Vodafone", "Vodafone"),
        ("+77011234567", "KZ/Kcell/Activ", Kind.OPERATOR, "Kcell/Activ", "Kcell/Activ"),
        ("+493012345678", "DE/Berlin", Kind.PLACE, "Berlin", "Berlin"),
        ("+12042345678", "CA/Manitoba", Kind.PLACE, "Manitoba", "Manitoba"),
        ("+441481234567", "GG/Guernsey", Kind.PLACE, "Guernsey", "Guernsey"),
        ("+4912", "DE", Kind.COUNTRY, "Германия", "Germany"),
    ],
)
def test_a_number_has_a_region(number: str, key: str, kind: Kind, russian: str, english: str) -> None:
    region = region_of(number)
    assert (region.key, region.kind, region.name("ru"), region.name("en")) == (key, kind, russian, english)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (None, Kind.WITHHELD),
        ("101", Kind.INTERNAL),
        ("112", Kind.INTERNAL),
        ("88002000600", Kind.INTERNAL),
        ("door", Kind.INTERNAL),
        ("+", Kind.INTERNAL),
        ("", Kind.INTERNAL),
        ("+88216123456", Kind.OTHER),
        ("+999123", Kind.OTHER),
        ("+0", Kind.OTHER),
    ],
)
def test_what_is_from_nowhere_has_a_row_of_its_own_and_no_name(number: str | None, kind: Kind) -> None:
    region = region_of(number)
    assert (region.key, region.kind, region.country) == (kind, kind, None)
    assert region.name("ru") is region.name("en") is None


E164 = phonenumbers.PhoneNumberFormat.E164
EXAMPLES = [
    (number, {carrier.name_for_number(number, "en"), geocoder.description_for_number(number, "en")})
    for region in sorted(phonenumbers.SUPPORTED_REGIONS - {"RU"})
    for line in (phonenumbers.PhoneNumberType.FIXED_LINE, phonenumbers.PhoneNumberType.MOBILE)
    if (number := phonenumbers.example_number_for_type(region, line)) is not None
]


def test_outside_russia_the_name_is_what_phonenumbers_says() -> None:
    assert len(EXAMPLES) > 400
    regions = [region_of(phonenumbers.format_number(number, E164)) for number, _ in EXAMPLES]
    assert [
        (region.key, told)
        for region, (_, told) in zip(regions, EXAMPLES, strict=True)
        if region.kind is not Kind.COUNTRY and region.english not in told
    ] == []
    assert len({region.country for region in regions}) > 200


def test_prefixes_of_one_operator_that_only_one_language_names_are_one_region() -> None:
    """phonenumbers calls 7900405 «Tele2» in Russian only, 7904 "T2" in English too."""
    assert region_of("+79004051234").key == region_of("+79041234567").key == "RU/T2"


@pytest.mark.parametrize(
    ("country", "russian", "english"), [("RU", "Россия", "Russia"), ("GG", "Guernsey", "Guernsey")]
)
def test_a_country_has_a_name_in_both_languages(country: str, russian: str, english: str) -> None:
    assert (country_name(country, "ru"), country_name(country, "en")) == (russian, english)


def test_no_country_has_no_name_and_a_nameless_one_its_code() -> None:
    assert country_name(None, "en") is None
    assert region_of("+38344123456").country == country_name("XK", "ru") == "XK"


DIGITS = st.text("0123456789", min_size=1, max_size=14)


@given(DIGITS)
def test_any_number_has_one_region_that_its_first_characters_decide(digits: str) -> None:
    region = region_of(f"+{digits}")
    assert region == region_of(f"+{digits}"[:PREFIX])
    assert (region.name("ru") is None) == (region.name("en") is None) == (region.kind is Kind.OTHER)


@given(DIGITS, DIGITS)
def test_one_key_has_one_name(one: str, other: str) -> None:
    first, second = region_of(f"+7{one}"), region_of(f"+7{other}")
    assert first.key != second.key or first == second


def test_naming_a_country_does_not_load_the_places_of_the_world() -> None:
    """They are 100 MB, and a daemon has no use for them."""
    code = "; ".join(
        (
            "import sys",
            "from pbxmonitor.regions import country_name, region_of",
            "assert region_of('+79161234567').name('en') == 'Russia'",
            "assert country_name('DE', 'ru') == 'Германия'",
            "sys.exit('phonenumbers.geodata' in sys.modules)",
        )
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
