"""Settings that people keep in the program, laid under those of the file: what the file says is fixed.

Of tables the file wins key by key; of a list of tables (steps, digests) it wins whole where it has any; alert rules of
the file and of the program are joined by name. What is kept and does not fit is left out and told, never an error.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import PydanticBaseSettingsSource

from pbxmonitor.settings import Settings
from pbxmonitor.settings_errors import Fault, first_fault
from pbxmonitor.settings_fixed import FIXED, SECTIONS, Path, Section, copied, is_fixed, under, usual_rules

_ELSEWHERE: Final = {"policy": ("hours", "queues"), "callbacks": ("steps",), "messages": ("templates",)}
_LAST: Final = 10**9
# Where a fault is that concerns several tables, as `teams.desk.supervisors: `.
_PLACE: Final = re.compile(r"([\w-]+(?:\.[\w-]+)+): ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One thing that is kept: its value as the file would have it; None is an alert rule that is switched off."""

    section: str
    key: str
    value: Any
    revision: int = 0
    by: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What is kept and does not count, wholly or (`leaf`) one key of it: where in it the fault is, and why."""

    section: str
    key: str
    leaf: str | None
    fault: Fault

    @property
    def name(self) -> Path:
        return (self.section, self.key, *(() if self.leaf is None else (self.leaf,)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """The settings that hold, and what is kept and could not be laid under the file."""

    settings: Settings
    left_out: tuple[LeftOut, ...] = ()


Check = Callable[[Settings], object]


class _Laid(Settings):
    """Made of values alone: the environment and the credentials are in them already."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[Any],  # noqa: ARG003 - the base class names it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


@dataclass(frozen=True, slots=True, eq=False)
class _Unit:
    """The smallest part that is left out by itself: an entry, or one key of a table."""

    section: str
    key: str
    leaf: str | None
    path: Path
    value: Any


def overlaid(settings: Settings, stored: Sequence[Stored], check: Check = lambda _: None) -> Effective:
    """The settings of the file with what is kept laid under them.

    `check` raises SettingsError for what the models here do not see. Nothing of this raises for what is kept.
    """
    file, units, left = settings.file, list[_Unit](), list[LeftOut]()
    for unit in _units(stored):
        fault = _shadow(file, unit)
        if fault is None:
            units.append(unit)
        else:
            left.append(_left(unit, fault))
    if not units:
        return Effective(settings=file, left_out=tuple(left))
    made = _laid(file, units, check)
    if isinstance(made, Settings):
        return Effective(settings=made, left_out=tuple(left))
    return _one_by_one(file, units, left, check)


def _one_by_one(file: Settings, units: Sequence[_Unit], left: list[LeftOut], check: Check) -> Effective:
    """Each unit beside those that fit already; again for the rest, as long as more of them fit."""
    made, fitting, waiting, faults = file, list[_Unit](), list(units), dict[_Unit, Fault]()
    while waiting:
        before = len(waiting)
        for unit in list(waiting):
            tried = _laid(file, [*fitting, unit], check)
            if isinstance(tried, Settings):
                made = tried
                fitting.append(unit)
                waiting.remove(unit)
            else:
                faults[unit] = tried
        if len(waiting) == before:
            break
    return Effective(settings=made, left_out=(*left, *(_left(unit, _within(unit, faults[unit])) for unit in waiting)))


def _left(unit: _Unit, fault: Fault) -> LeftOut:
    return LeftOut(section=unit.section, key=unit.key, leaf=unit.leaf, fault=fault)


def _within(unit: _Unit, fault: Fault) -> Fault:
    """The fault with its place told from the unit on, where it is in it: lists are counted, and so told by number."""
    path, at, text = unit.path, fault.at, fault.text
    if not at and (found := _PLACE.match(text)):
        at, text = tuple(found[1].split(".")), text[found.end() :]
    if len(path) > 1 and path[0] in ("alerts", "digests") and at[:1] == path[:1]:
        return replace(fault, at=at[2:], text=text)
    return replace(fault, at=at[len(path) :], text=text) if at[: len(path)] == path else fault


def _units(stored: Sequence[Stored]) -> Iterator[_Unit]:
    order = list(SECTIONS)
    known = (each for each in stored if each.section in SECTIONS)
    for each in sorted(known, key=lambda each: (order.index(each.section), _rank(each.key), each.key)):
        section, value = SECTIONS[each.section], each.value
        if section.form == "leaves" and isinstance(value, Mapping):
            for leaf in value:
                yield _Unit(each.section, each.key, str(leaf), (*section.path, str(leaf)), value[leaf])
        elif section.form == "users" and isinstance(value, Mapping):
            for leaf in value:
                yield _Unit(each.section, each.key, str(leaf), ("crm", each.key, "users", str(leaf)), value[leaf])
        else:
            yield _Unit(each.section, each.key, None, _path(section, each.key), value)


def _rank(key: str) -> int:
    return int(key) if key.isdecimal() and len(key) < len(str(_LAST)) else _LAST


def _path(section: Section, key: str) -> Path:
    return section.path if section.form == "list" else (*section.path, key)


def _shadow(file: Settings, unit: _Unit) -> Fault | None:
    """Why that unit cannot count, whatever is in it; None where it can."""
    if unit.leaf is not None and unit.leaf in _ELSEWHERE.get(unit.section, ()):
        return Fault(at=(unit.leaf,), text="unknown key")
    if unit.section == "crm_users" and unit.key not in file.crm:
        return Fault(at=(), text=f"there is no CRM {unit.key} in the settings file")
    whole = unit.leaf is not None or SECTIONS[unit.section].form in ("list", "entries", "alerts")
    if whole and is_fixed(file, *unit.path):
        return Fault(at=(), text=FIXED)
    return None


def _laid(file: Settings, units: Sequence[_Unit], check: Check) -> Settings | Fault:
    """The settings with those units under them, or the first thing that is wrong."""
    try:
        raw = _raw(file, units)
        kept = {name: getattr(file, name) for name in file.model_fields_set | {"timezone"} if name not in raw}
        made = _Laid(**kept, **raw).laid_under(file)
        check(made)
    except ValidationError as error:
        return first_fault(error, Settings)
    except ValueError as error:
        return Fault(at=(), text=str(error))
    return made


def _raw(file: Settings, units: Sequence[_Unit]) -> dict[str, Any]:
    """The tables that the units are of, as the file would have them."""
    raw: dict[str, Any] = {}
    for unit in units:
        group = unit.path[0]
        match SECTIONS[unit.section].form:
            case "alerts":
                raw.setdefault(group, usual_rules(file))
                _put_rule(raw[group], unit)
            case "entries":
                raw.setdefault(group, []).append(unit.value)
            case _:
                raw.setdefault(group, _table(file, group))
                _put(raw[group], unit.path[1:], unit.value)
    if "alerts" in raw:
        raw["alerts"] = list(raw["alerts"].values())
    return raw


def _table(file: Settings, group: str) -> dict[str, Any]:
    if group == "crm":
        return {name: {**table, "users": dict(table.get("users") or {})} for name, table in file.crm.items()}
    table: dict[str, Any] = copied(file.given.get(group, {}), (group,))
    return table


def _put(table: dict[str, Any], path: Path, value: Any) -> None:
    """Put the value there; what stands there already wins, key by key."""
    *before, last = path
    for key in before:
        table = table.setdefault(key, {})
    table[last] = under(table[last], value, last) if last in table else value


def _put_rule(rules: dict[str, Any], unit: _Unit) -> None:
    if unit.value is None:
        rules.pop(unit.key, None)
        return
    named = unit.value if not isinstance(unit.value, Mapping) or unit.value.get("kind") == unit.key else None
    rules[unit.key] = named if named is not None else {**unit.value, "name": unit.key}
