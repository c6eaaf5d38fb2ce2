"""Every text that a person reads, in Russian and in English: `tr("report.agents.title", n=3)`."""

import tomllib
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from importlib.resources import files

LANGUAGES = ("ru", "en")
Text = str | dict[str, str]

_language: ContextVar[str] = ContextVar("language", default="ru")


def speak(language: str) -> None:
    """Use that language from here on in this task and the tasks it starts; ValueError when there is no catalogue."""
    if language not in LANGUAGES:
        raise ValueError(f"language must be one of {', '.join(LANGUAGES)}, not {language!r}")
    _language.set(language)


def spoken() -> str:
    """The language in use."""
    return _language.get()


def tr(key: str, /, *, language: str | None = None, **values: object) -> str:
    """The text of that key with its values in place; `n` picks the plural form. KeyError when there is none."""
    chosen = language or _language.get()
    text = catalogue(chosen)[key]
    if not isinstance(text, str):
        text = text[plural(chosen, values["n"])]
    return text.format(**values)


@cache
def catalogue(language: str) -> Mapping[str, Text]:
    """All texts of a language, as its file has them."""
    return tomllib.loads((files("pbxmonitor") / "locale" / f"{language}.toml").read_text("utf-8"))


def plural(language: str, number: object) -> str:
    """The form that goes with that number: one and other in English, one, few and many in Russian."""
    return _RULES[language](number)


def _english(number: object) -> str:
    return "one" if number == 1 else "other"


def _russian(number: object) -> str:
    if not isinstance(number, int):
        return "few"  # 1,5 звонка
    tens, ones = abs(number) % 100, abs(number) % 10
    if ones == 1 and tens != 11:
        return "one"
    return "few" if ones in (2, 3, 4) and tens not in (12, 13, 14) else "many"


_RULES: dict[str, Callable[[object], str]] = {"ru": _russian, "en": _english}


class Cannot(Exception):  # noqa: N818 - a word of the field
    """Something may not be done: `key` and `values` are of a text that says why to who asked."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key = key
        self.values = values

    def text(self, language: str | None = None) -> str:
        """Why, in that language or the one in use."""
        return tr(self.key, language=language, **self.values)

    def __str__(self) -> str:
        return self.text()
