"""Values of the settings as texts: as the file has them, a secret as stars, of an address only the host."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import BaseModel, SecretStr

from pbxmonitor.texts import catalogue, tr

NOTHING: Final = "—"
_SHARES: Final = ("share", "conversion", "above")
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One key of the settings; `said` where it is no default, `fixed` where the file (or the environment) says it."""

    key: str
    text: str
    said: bool
    fixed: bool


def span(value: timedelta) -> str:
    """As the file has it: `90 s`, `10 min`, `7 d`; always exact."""
    seconds = value.total_seconds()
    for unit, word in _UNITS:
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:.0f} {word}"
    return f"{seconds:g} s"


def written(value: Any, key: str = "") -> str:
    """A value as the file has it, a secret as stars, of an address only the host."""
    match value:
        case None | "" | () | []:
            return NOTHING
        case SecretStr():
            return "***"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case str():
            return _host(value)
        case timedelta() | time() | date() | float():
            return _measured(value, key)
    return _many(value, key)


def _measured(value: timedelta | time | date | float, key: str) -> str:
    match value:
        case timedelta():
            return span(value)
        case time():
            return "24:00" if value == time.max else f"{value:%H:%M}"
        case date():
            return value.isoformat()
    return f"{value * 100:g} %" if any(word in key for word in _SHARES) else f"{value:g}"


def _many(value: Any, key: str) -> str:
    match value:
        case (time(), time()):
            return "-".join(map(written, value))
        case tuple() | list():
            return ", ".join(written(each, key) for each in value)
        case frozenset() | set():
            return ", ".join(sorted(written(each, key) for each in value)) or NOTHING
        case Mapping():
            return ", ".join(f"{name} = {written(each, key)}" for name, each in value.items()) or NOTHING
        case BaseModel():
            return ", ".join(f"{each.key} = {each.text}" for each in values(value) if each.said) or NOTHING
    return str(value)


def _host(text: str) -> str:
    """Paths and queries of addresses have keys in them."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def values(
    table: BaseModel, prefix: str = "", without: Sequence[str] = (), fixed: Callable[[str], bool] = lambda _name: True
) -> list[Value]:
    """Every key of that table; `fixed` says which of them are the file's."""
    names = [name for name in type(table).model_fields if name not in without]
    said = table.model_fields_set
    return [
        Value(
            key=f"{prefix}{name}",
            text=written(getattr(table, name), name),
            said=name in said,
            fixed=name in said and fixed(name),
        )
        for name in names
    ]


def told(value: Any, name: str = "") -> Any:
    """A value of the settings as JSON, in the form that the file has: tables of what is set, durations as texts."""
    match value:
        case BaseModel():
            keys = (key for key in type(value).model_fields if getattr(value, key) is not None)
            return {key: told(getattr(value, key), key) for key in keys}
        case Mapping():
            return {str(key): told(each, str(key)) for key, each in value.items()}
        case Enum():
            return value.value
        case bool() | int() | float() | str() | None:
            return value
        case timedelta() | time() | date() | (time(), time()):
            return written(value, name)
        case frozenset() | set():
            return sorted(told(each, name) for each in value)
        case list() | tuple():
            return [told(each, name) for each in value]
    return str(value)


def about(key: str, language: str) -> str:
    """What that key is, in words; nothing where there are none."""
    name = f"web.settings.about.{key}"
    return tr(name, language=language) if name in catalogue(language) else ""
