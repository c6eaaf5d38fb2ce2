"""The channels and CRMs that the settings name, made from their parts; what is wrong with a table is one line."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from pbxmonitor.clock import Clock
from pbxmonitor.crm import Crm, CrmSettings, Memory
from pbxmonitor.notify import Notifier
from pbxmonitor.plugins import load
from pbxmonitor.settings import ENV_PREFIX, Settings
from pbxmonitor.settings_errors import SettingsError, did_you_mean, one_line

Tables = Mapping[str, Mapping[str, Any]]


def channels_of(settings: Settings, clock: Clock) -> dict[str, Notifier]:
    """The channels by name, not yet connected; SettingsError names the table, the key and what is allowed."""
    return {name: part(table, clock) for name, (part, table) in _parts("notify", settings.notify).items()}


def crms_of(settings: Settings, clock: Clock, memories: Mapping[str, Memory]) -> dict[str, tuple[Crm, CrmSettings]]:
    """The CRMs by name, each with its settings and a memory of its own; SettingsError as for channels."""
    found = _parts("crm", settings.crm)
    return {name: (part(table, clock, memories[name]), table) for name, (part, table) in found.items()}


def checked(settings: Settings) -> dict[str, tuple[type, Any]]:
    """Every table of both kinds, validated; SettingsError for the first that is wrong."""
    return _parts("notify", settings.notify) | _parts("crm", settings.crm)


def _parts(group: str, tables: Tables) -> dict[str, tuple[type[Any], Any]]:
    if not tables:
        return {}
    kinds = load(f"pbxmonitor.{group}")
    return {name: _part(group, name, table, kinds) for name, table in tables.items()}


def _part(group: str, name: str, table: Mapping[str, Any], kinds: Mapping[str, type[Any]]) -> tuple[type[Any], Any]:
    """The class of that kind and its own settings; the table's name is its kind unless it says another."""
    values = dict(table)
    kind = values.pop("kind", name)
    if kind not in kinds:
        raise SettingsError(f"{group}.{name}.kind: there is no {kind!r}; {did_you_mean(str(kind), sorted(kinds))}")
    part = kinds[kind]
    try:
        return part, part.Settings(**values)
    except ValidationError as error:
        prefix = f"{ENV_PREFIX}{group.upper()}__{name.upper()}__"
        raise SettingsError(one_line(error, part.Settings, f"settings: {group}.{name}", prefix)) from None
