"""Which groups of the settings people may set in the program, and what of them the file fixes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel

from pbxmonitor.settings import Settings
from pbxmonitor.settings_alerts import DEFAULT_ALERTS
from pbxmonitor.settings_values import spread_days

Path = tuple[str, ...]
# The key of what there is one of.
SITE: Final = "site"
FIXED: Final = "the settings file sets it now"
USUAL_RULES: Final = frozenset(rule.key for rule in DEFAULT_ALERTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A group of what is kept: `named` entries, `leaves` of one table, a `list`, `alerts` by name, a CRM's `users`."""

    path: Path
    form: Literal["named", "leaves", "list", "entries", "alerts", "users"]


# In the order in which they are laid: what is named must be there first.
SECTIONS: Final[Mapping[str, Section]] = {
    "people": Section(path=("people",), form="named"),
    "teams": Section(path=("teams",), form="named"),
    "policy": Section(path=("policy",), form="leaves"),
    "hours": Section(path=("policy", "hours"), form="leaves"),
    "queues": Section(path=("policy", "queues"), form="named"),
    "messages": Section(path=("messages",), form="leaves"),
    "callbacks": Section(path=("callbacks",), form="leaves"),
    "steps": Section(path=("callbacks", "steps"), form="list"),
    "alerts": Section(path=("alerts",), form="alerts"),
    "digests": Section(path=("digests",), form="entries"),
    "crm_users": Section(path=("crm",), form="users"),
}


def place_of(section: str, key: str, *leaf: str) -> Path:
    """Where in the settings that entry is, or one key of it: what `is_fixed` is asked with."""
    at = SECTIONS[section]
    if at.form == "users":
        return ("crm", key, "users", *leaf)
    if at.form == "leaves":
        return (*at.path, *leaf)
    return at.path if at.form in ("list", "entries") else (*at.path, key, *(() if at.form == "alerts" else leaf))


def whole_entry(settings: Settings, section: str, key: str, value: Any) -> Any:
    """What holds of an entry of which that value is kept (None: nothing): the file's keys over it."""
    form, path = SECTIONS[section].form, place_of(section, key)
    if form in ("list", "entries", "alerts"):
        return value if value is not None or form != "alerts" else usual_rules(settings.file).get(key)
    fixed: Any = settings.given
    for depth, part in enumerate(path):
        fixed = table_at(fixed, path[:depth]).get(part, {})
    return under(copied(fixed, path), value or {}, path[-1])


def is_fixed(settings: Settings, *path: str) -> bool:
    """Whether the file (or the environment) says something there; for a digest, whether it has any."""
    given = settings.given
    if path[0] == "digests":
        return bool(given.get("digests"))
    if path[0] == "alerts":
        return "alerts" in given and (len(path) == 1 or path[1] in map(rule_name, given["alerts"]))
    found: Any = given
    for depth, part in enumerate(path):
        table = table_at(found, path[:depth])
        if part not in table:
            return False
        found = table[part]
    return path[:2] != ("callbacks", "steps") or bool(found)


def table_at(value: Any, path: Path) -> Mapping[str, Any]:
    """What the file has there as a table, days spread; empty where it is none."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in value.model_fields_set}
    if not isinstance(value, Mapping):
        return {}
    spread: Mapping[str, Any] = spread_days(dict(value)) if path[-1:] == ("hours",) else value
    return spread


def copied(value: Any, path: Path) -> Any:
    """A copy whose tables may be filled up; lists stay as they are."""
    if not isinstance(value, Mapping | BaseModel):
        return value
    table = table_at(value, path)
    if path == ("callbacks",):
        table = {key: each for key, each in table.items() if key != "steps" or each}
    return {key: copied(each, (*path, key)) for key, each in table.items()}


def under(fixed: Any, kept: Any, name: str) -> Any:
    """What is kept of that name with what is fixed over it."""
    if not (isinstance(fixed, dict) and isinstance(kept, Mapping)):
        return fixed
    kept = table_at(kept, (name,))
    both = {key: value for key, value in kept.items() if key not in fixed}
    return both | {key: under(each, kept[key], key) if key in kept else each for key, each in fixed.items()}


def usual_rules(file: Settings) -> dict[str, Any]:
    """The rules that hold without what is kept, by name."""
    tables = file.given.get("alerts", DEFAULT_ALERTS)
    return {rule_name(each): each for each in tables}


def usual_rule(settings: Settings, key: str) -> bool:
    """Whether that alert rule is one of those that hold until somebody says otherwise."""
    return key in USUAL_RULES and not is_fixed(settings, "alerts")


def rule_name(table: Any) -> str:
    """How an alert rule is called: its kind, until it has a name of its own."""
    if isinstance(table, BaseModel):
        return str(getattr(table, "key", ""))
    return str(table.get("name") or table.get("kind")) if isinstance(table, Mapping) else ""
