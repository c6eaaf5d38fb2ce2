"""The JSON form of frozen domain values, both ways, from their type hints: facts in the journal, the floor."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from pbxmonitor.domain import facts
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Ended, Floor
from pbxmonitor.domain.table import Table

Json = Any
Way = Callable[[Any], Any]
Ways = tuple[Way | None, Way | None]

KINDS: Final[dict[str, type[Fact]]] = {
    kind.__name__: kind for kind in vars(facts).values() if isinstance(kind, type) and issubclass(kind, Fact)
}
_PLAIN: Final = frozenset({str, int, float, bool, NoneType, object, Any})
_COMMON: Final = frozenset({"node", "at", "key"})
_OBJECTS: Final[dict[type[Any], tuple[Way, Callable[..., Any]]]] = {}
_BODIES: Final[dict[type[Any], tuple[Way, Callable[..., Any]]]] = {}
_text: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def to_json(value: Any) -> Json:
    """The JSON form of a frozen domain dataclass: plain dicts, lists, strings and numbers."""
    return _object_ways(type(value))[0](value)


def from_json(kind: type[Any], form: Json) -> Any:
    """The dataclass of that kind again; KeyError, TypeError or ValueError when the form is not one of it."""
    return _object_ways(kind)[1](form)


def fact_to_json(fact: Fact) -> Json:
    """A fact with its kind."""
    return {"kind": type(fact).__name__, **to_json(fact)}


def fact_from_json(form: Mapping[str, Json]) -> Fact:
    """The fact again; KeyError for a kind that this version does not know."""
    fact: Fact = from_json(KINDS[form["kind"]], form)
    return fact


def body_of(fact: Fact) -> str:
    """What a fact tells beside node, time and key, as JSON text for the journal."""
    return _text(_body_ways(type(fact))[0](fact))


def fact_of(kind: str, node: str, at: datetime, key: str, body: str) -> Fact:
    """The journalled fact again."""
    fact: Fact = _body_ways(KINDS[kind])[1](json.loads(body), node=node, at=at, key=key)
    return fact


def floor_to_text(floor: Floor) -> str:
    """The whole floor as JSON text."""
    return _text(to_json(floor))


def floor_from_text(text: str) -> Floor:
    """The floor again."""
    floor: Floor = from_json(Floor, json.loads(text))
    return floor


def to_text(value: Json) -> str:
    """Compact JSON text of plain values."""
    return _text(value)


def _object_ways(kind: type[Any]) -> tuple[Way, Callable[..., Any]]:
    known = _OBJECTS.get(kind)
    if known is None:
        known = _OBJECTS[kind] = _ways_of_fields(kind, frozenset())
    return known


def _body_ways(kind: type[Any]) -> tuple[Way, Callable[..., Any]]:
    known = _BODIES.get(kind)
    if known is None:
        known = _BODIES[kind] = _ways_of_fields(kind, _COMMON)
    return known


def _ways_of_fields(kind: type[Any], without: frozenset[str]) -> tuple[Way, Callable[..., Any]]:
    hints = get_type_hints(kind)
    names = [each.name for each in fields(kind) if each.init and each.name not in without]
    ways = {name: _ways(hints[name]) for name in names}
    out = [(name, way[0]) for name, way in ways.items() if way[0] is not None]
    back = [(name, way[1]) for name, way in ways.items() if way[1] is not None]
    needed = {e.name for e in fields(kind) if e.default is MISSING and e.default_factory is MISSING} & set(names)
    values = _getter(names)

    def dump(value: Any) -> dict[str, Any]:
        form = dict(zip(names, values(value), strict=True))
        for name, way in out:
            form[name] = way(form[name])
        return form

    def load(form: Mapping[str, Any], **rest: Any) -> Any:
        known = {name: form[name] for name in names if name in form or name in needed}
        for name, way in back:
            if name in known:
                known[name] = way(known[name])
        return kind(**known, **rest)

    return dump, load


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    if not names:
        return lambda _value: ()
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


def _ways(hint: Any) -> Ways:
    """How a value of that type becomes JSON and back; None where it is the same."""
    if hint in _PLAIN:
        return None, None
    if get_origin(hint) in (UnionType, Union):
        return _optional(hint)
    if get_origin(hint) is not None:
        return _collection(get_origin(hint), get_args(hint))
    return _single(hint)


def _single(hint: Any) -> Ways:
    if hint is Ended:
        return _unstacked, _stacked
    if hint in (datetime, date, time):
        return hint.isoformat, hint.fromisoformat
    if hint is timedelta:
        return timedelta.total_seconds, lambda seconds: timedelta(seconds=seconds)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return (lambda value: value.value), hint
    if isinstance(hint, type) and is_dataclass(hint):
        # Looked up when first used: a dataclass may contain its own kind.
        return to_json, lambda form: from_json(hint, form)
    raise TypeError(f"no JSON form for {hint!r}")


def _optional(hint: Any) -> Ways:
    kinds = [each for each in get_args(hint) if each is not NoneType]
    if len(kinds) != 1:
        raise TypeError(f"no JSON form for {hint!r}")
    dump, load = _ways(kinds[0])
    return _unless_none(dump), _unless_none(load)


def _unless_none(way: Way | None) -> Way | None:
    return None if way is None else lambda value: None if value is None else way(value)


def _same(value: Any) -> Any:
    return value


def _collection(origin: Any, kinds: tuple[Any, ...]) -> Ways:
    if origin is Table:
        dump, load = _ways(kinds[0])
        dumped, loaded = _mapped(dump), _mapped(load)
        return dumped, lambda form: Table().put(loaded(form))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        dump, load = _ways(kinds[1])
        return _mapped(dump), _mapped(load)
    if origin is tuple and kinds[-1] is not Ellipsis:
        return _fixed([_ways(kind) for kind in kinds])
    if origin in (tuple, frozenset):
        dump, load = (way or _same for way in _ways(kinds[0]))
        order = sorted if origin is frozenset else list
        return (lambda values: order(map(dump, values))), lambda form: origin(map(load, form))
    raise TypeError(f"no JSON form for {origin!r}")


def _mapped(way: Way | None) -> Way:
    if way is None:
        return dict
    return lambda values: {key: way(value) for key, value in values.items()}


def _fixed(ways: list[Ways]) -> Ways:
    dumps, loads = [dump or _same for dump, _ in ways], [load or _same for _, load in ways]
    return (
        lambda values: [way(value) for way, value in zip(dumps, values, strict=True)],
        lambda form: tuple(way(value) for way, value in zip(loads, form, strict=True)),
    )


def _unstacked(stack: Ended | None) -> list[str]:
    """Newest first; a loop, because a busy minute is deeper than the interpreter's stack."""
    calls: list[str] = []
    while stack is not None:
        calls.append(stack.call)
        stack = stack.before
    return calls


def _stacked(calls: list[str]) -> Ended | None:
    stack: Ended | None = None
    for call in reversed(calls):
        stack = Ended(call, stack)
    return stack
