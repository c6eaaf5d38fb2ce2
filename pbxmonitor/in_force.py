"""The settings in force: those of the file with what people keep in the program laid under them, as they change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.settings import Settings
from pbxmonitor.settings_errors import Fault, SettingsError
from pbxmonitor.settings_overlay import Check, Effective, LeftOut, Stored, overlaid
from pbxmonitor.store import stored_settings as store
from pbxmonitor.store.stored_settings import Kept
from pbxmonitor.store.types import AWAY, first_line, reading
from pbxmonitor.work.office import checked

log = structlog.get_logger()
# An address on these channels is no key to them; a web hook's or a topic's is a secret, which stays in the file.
OPEN_KINDS: Final = frozenset({"email", "sms_ru", "smsc", "telegram"})
_CLOSED: Final = "such an address is a secret: keep it in the settings file"


class DoesNotFit(Exception):  # noqa: N818
    """What is to be kept does not fit the rest; `left` are the faults, the first of them to be shown."""

    def __init__(self, left: Sequence[LeftOut]) -> None:
        super().__init__(str(left[0].fault))
        self.left = left


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """What holds (`effective`), what is kept, and what of it does not count."""

    kept: Kept
    effective: Effective

    @property
    def settings(self) -> Settings:
        return self.effective.settings


def arranged(settings: Settings, connection: Connection) -> Arranged:
    """The settings of the file (of `settings`, whatever is laid under it) with what that database keeps."""
    kept = store.kept(connection)
    if not kept.entries:
        return Arranged(kept=kept, effective=Effective(settings=settings.file))
    return Arranged(kept=kept, effective=overlaid(settings, kept.entries, parts_fit(settings)))


async def arranged_of(settings: Settings, database: AsyncEngine) -> Arranged:
    """The same, in a transaction of its own."""
    return await reading(database, lambda connection: arranged(settings, connection))


def parts_fit(settings: Settings) -> Check:
    """A check that channels and CRMs take what is laid under their tables, unless the file's own are wrong."""
    try:
        checked(settings.file)
    except SettingsError:
        return lambda _laid: None
    return checked


def fits(settings: Settings) -> Callable[[Sequence[Stored], Sequence[Stored]], None]:
    """For `store.change`: DoesNotFit when something would be left out that was not before."""
    check = parts_fit(settings)

    def look(before: Sequence[Stored], after: Sequence[Stored]) -> None:
        known = {each.name for each in overlaid(settings, before, check).left_out}
        changed = {(each.section, each.key) for each in after if each not in before}
        found = overlaid(settings, after, check).left_out
        new = [each for each in found if each.name not in known or (each.section, each.key) in changed]
        new += [each for entry in after if entry not in before for each in _secret_addresses(settings, entry)]
        if new:
            raise DoesNotFit(sorted(new, key=lambda each: (each.section, each.key) not in changed))

    return look


def kind_of(settings: Settings, channel: str) -> str:
    """What kind of channel that is: it says so, or is named so."""
    return str(settings.notify[channel].get("kind", channel))


def _secret_addresses(settings: Settings, entry: Stored) -> list[LeftOut]:
    addresses: Any = entry.value.get("addresses") if entry.section == "people" and isinstance(entry.value, dict) else {}
    names = [name for name in addresses or {} if name in settings.notify]
    fault = {name: Fault(at=("addresses", name), text=_CLOSED) for name in names}
    closed = (name for name in names if kind_of(settings, name) not in OPEN_KINDS)
    return [LeftOut(section=entry.section, key=entry.key, leaf=None, fault=fault[name]) for name in closed]


def tell(found: Effective) -> None:
    """One warning for each thing that is kept and does not count."""
    for each in found.left_out:
        name, reason = ".".join(each.name), str(each.fault)
        log.warning("setting_left_out", setting=name, reason=reason, fix="change or remove it on the settings page")


class InForce:
    """The settings that a daemon follows: `now` is replaced whole when they change, and `follow` hears of it."""

    def __init__(self, settings: Settings, database: AsyncEngine) -> None:
        self._file = settings
        self._database = database
        self._version = -1
        self.now = settings

    async def look(self) -> bool:
        """Whether the settings have changed since the last look; they are `now` then. AWAY's errors go through."""
        found = await reading(self._database, store.version)
        if found == self._version:
            return False
        fresh = await arranged_of(self._file, self._database)
        first, self._version, self.now = self._version < 0, fresh.kept.version, fresh.settings
        tell(fresh.effective)
        if not first:
            log.info("settings_changed", version=self._version)
        return True

    async def looked(self) -> bool:
        """The same over a database that may be away: then nothing has changed."""
        try:
            return await self.look()
        except AWAY as error:
            log.warning("settings_not_read", reason=first_line(error))
            return False
