"""What is wrong with the settings, in one line that names the key, the value and what is allowed."""

import difflib
import os
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

SECRET_KEYS = frozenset({"secret", "password", "token", "authorization", "proxy", "action_secret", "webhook"})
# Secret too, but too near to other words to be guessed at when misspelt.
SECRET_TO_THE_LETTER = frozenset({"urls", "code"})
PASSWORD_IN_URL = re.compile(r"(://[^/@\s:]*:)[^@\s]*@")

PLAIN_WORDS = {
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "frozen_set_type": "a list",
    "string_type": "text in quotes",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "path_type": "a path in quotes",
}


class SettingsError(ValueError):
    """The settings cannot be used; the text is one line for the person who wrote them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong: the keys that lead to it, and what it is, in words."""

    at: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{'.'.join(self.at)}: {self.text}" if self.at else self.text


def first_fault(error: ValidationError, model: type[BaseModel]) -> Fault:
    """The first thing that is wrong."""
    detail = error.errors(include_url=False)[0]
    return Fault(at=tuple(str(part) for part in detail["loc"]), text=_what(detail, model))


def one_line(error: ValidationError, model: type[BaseModel], source: str, env_prefix: str) -> str:
    """The first thing that is wrong, and how many more there are."""
    details = error.errors(include_url=False)
    first, more = details[0], len(details) - 1
    where = _where(first["loc"], source, env_prefix)
    return f"{where}: {_what(first, model)}" + (f" (and {more} more)" if more else "")


def _where(loc: Sequence[int | str], source: str, env_prefix: str) -> str:
    """The variable when the environment gives the value, else the file; and the key."""
    names = [str(part) for part in loc]
    for depth in range(len(names), 0, -1):
        variable = env_prefix + "__".join(names[:depth]).upper()
        if variable in {name.upper() for name in os.environ}:
            return f"${variable}"
    return f"{source}: {'.'.join(names)}" if names else source


def _what(detail: ErrorDetails, model: type[BaseModel]) -> str:
    loc, given = detail["loc"], shown(detail["loc"], detail["input"])
    if detail["type"] == "extra_forbidden":
        return f"unknown key (value {given}); {did_you_mean(str(loc[-1]), _allowed(model, loc[:-1]))}"
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] == "value_error" and isinstance(detail["input"], dict):
        return _sentence(detail)
    return f"{_sentence(detail)}, not {given}"


def _sentence(detail: ErrorDetails) -> str:
    """Our own words as they are; pydantic's, turned into what the value must be."""
    if detail["type"] == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    if detail["type"] in PLAIN_WORDS:
        return f"must be {PLAIN_WORDS[detail['type']]}"
    return f"must be {detail['msg'].removeprefix('Input should be ')}"


def shown(loc: Sequence[int | str], value: object) -> str:
    """The value as the message may show it: secrets hidden (misspelt ones too), long ones cut."""
    if isinstance(value, Mapping) or any(_secretive(str(part).lower()) for part in loc):
        return "***"
    text = PASSWORD_IN_URL.sub(r"\1***@", repr(value))
    return text if len(text) <= 60 else text[:57] + "..."


def _secretive(key: str) -> bool:
    if key in SECRET_TO_THE_LETTER:
        return True
    return not key.endswith("_file") and bool(difflib.get_close_matches(key, SECRET_KEYS, n=1, cutoff=0.6))


def did_you_mean(key: str, allowed: Sequence[str]) -> str:
    """The nearest allowed key, and all of them."""
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}? " if near else ""
    if not allowed:
        return "there is none yet"
    return f"{hint}allowed: {', '.join(allowed)}"


def _allowed(model: type[BaseModel], loc: Sequence[int | str]) -> list[str]:
    """The keys of the table that the location names."""
    kind: Any = model
    for part in loc:
        kind = _inside(kind, part)
    found = _model_in(kind)
    return list(found.model_fields) if found else []


def _inside(kind: Any, part: int | str) -> Any:
    found = _model_in(kind)
    if found is not None:
        field = found.model_fields.get(str(part))
        return field.annotation if field else None
    return _inner(kind, part)


def _inner(kind: Any, part: int | str) -> Any:
    """What a table of tables, or a list of them, holds."""
    if get_origin(kind) is Annotated:
        return _inner(get_args(kind)[0], part)
    arguments = get_args(kind)
    if get_origin(kind) is tuple and arguments and isinstance(part, int):
        return arguments[0]
    return arguments[-1] if get_origin(kind) is dict and arguments else None


def _model_in(kind: Any) -> type[BaseModel] | None:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    if get_origin(kind) in (Union, types.UnionType, Annotated):
        return next((found for inner in get_args(kind) if (found := _model_in(inner))), None)
    return None
