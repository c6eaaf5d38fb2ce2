"""Entries of the settings as forms: their values as texts, and what was filled in as the file would have it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel

from pbxmonitor.web.setting_fields import Field
from pbxmonitor.web.setting_texts import span, written

LONGEST: Final = 4000
# By field name; of a list of choices, all that were chosen.
Said = Mapping[str, Sequence[str]]
_WHOLE: Final = ("least", "count", "more_than", "clear", "min_offered_for_rating", "days", "top", "on")


def said_of(form: Iterable[tuple[str, Any]]) -> dict[str, list[str]]:
    """What a form was filled in with; what is no text is left out, what is too long is cut."""
    found: dict[str, list[str]] = {}
    for name, value in form:
        if isinstance(value, str):
            found.setdefault(name, []).append(value[:LONGEST].replace("\r\n", "\n"))
    return found


def texts(fields: Iterable[Field], entry: Any) -> dict[str, list[str]]:
    """What the fields show of an entry."""
    return {field.name: _texts(field, _at(entry, field.path)) for field in fields}


def _at(entry: Any, path: Sequence[str]) -> Any:
    for part in path:
        if isinstance(entry, BaseModel):
            entry = getattr(entry, part, None) if part in entry.model_fields_set else None
        elif isinstance(entry, Mapping):
            entry = entry.get(part)
        elif isinstance(entry, list | tuple) and part.isdecimal():
            entry = entry[int(part)] if int(part) < len(entry) else None
        else:
            return None
    return entry


def _texts(field: Field, value: Any) -> list[str]:
    if value is None:
        return [""]
    name = field.path[-1]
    if field.form == "many":
        return [plain(each, name) for each in _listed(value)]
    if field.form == "lines":
        return ["\n".join(plain(each, name) for each in _listed(value))]
    if field.form == "pairs":
        return ["\n".join(f"{key} = {plain(each, name)}" for key, each in _pairs(value))]
    return [plain(value, name)]


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, frozenset | set):
        return sorted(value)
    return value if isinstance(value, list | tuple) else [value]


def _pairs(value: Any) -> Iterable[tuple[str, Any]]:
    return value.items() if isinstance(value, Mapping) else ()


def plain(value: Any, name: str = "") -> str:
    """A value as the file would have it, as one text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case str():
            return value
        case timedelta():
            return span(value)
        case time() | date() | float():
            return written(value, name)
        case (time(), time()):
            return written(value)
        case list() | tuple() | set() | frozenset():
            return ", ".join(plain(each, name) for each in _listed(value))
    return str(value)


def value_of(fields: Iterable[Field], said: Said) -> dict[str, Any]:
    """The entry that was filled in; what was left empty is not in it."""
    entry: dict[str, Any] = {}
    for field in fields:
        value = _value(field, said.get(field.name, ()))
        if value is not None:
            table = entry
            for part in field.path[:-1]:
                table = table.setdefault(part, {})
            table[field.path[-1]] = value
    return entry


def _value(field: Field, given: Sequence[str]) -> Any:
    texts = [text.strip() for text in given if text.strip()]
    if not texts:
        return None
    match field.form:
        case "many":
            return list(dict.fromkeys(texts))
        case "lines":
            return _split(texts, "\n")
        case "words":
            return _split(texts, ",")
        case "flag":
            return texts[0] == "true"
        case "pairs":
            return _table(texts[0])
    return _number(texts[0]) if field.path[-1] in _WHOLE else texts[0]


def _split(texts: Sequence[str], mark: str) -> list[str]:
    return [part.strip() for text in texts for part in text.split(mark) if part.strip()]


def _number(text: str) -> int | str:
    """Whole numbers as such; what is none is left for the checks to complain about."""
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 10 else text


def _table(text: str) -> dict[str, list[str]]:
    """Lines such as `sales = anna, boris`."""
    lines = (line.partition("=") for line in text.splitlines() if line.strip())
    return {name.strip(): _split([values], ",") for name, _, values in lines}


def steps_said(steps: Sequence[Sequence[Field]], said: Said) -> list[dict[str, Any]]:
    """The steps that were filled in: one without a time is none."""
    filled = value_of([field for step in steps for field in step], said)
    return [step for step in filled.values() if "after" in step]
