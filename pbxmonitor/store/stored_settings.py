"""Settings that people change in the program: kept, counted up with every change, changed by one at a time."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.settings_overlay import Stored
from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.types import insert_new, upsert

_S: Final = schema.setting.c
_V: Final = schema.setting_version.c
_NAME: Final = "settings"
LONGEST_KEY: Final = schema.NAME


class ChangedMeanwhile(Exception):  # noqa: N818
    """Somebody else has changed it since it was read; `by` is who, if it is still there."""

    def __init__(self, by: str | None) -> None:
        super().__init__(by)
        self.by = by


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that is kept, and the version that this is."""

    version: int
    entries: Sequence[Stored] = ()

    def of(self, section: str, key: str) -> Stored | None:
        """That entry, if there is one."""
        return next((each for each in self.entries if (each.section, each.key) == (section, key)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One entry to be kept with that value, or removed; `revision` is the one that was read (0: there was none)."""

    section: str
    key: str
    value: Any = None
    remove: bool = False
    revision: int = 0


def version(connection: sa.Connection) -> int:
    """How often something was changed; whoever remembers the last one need not read the rest."""
    return connection.execute(sa.select(_V.version).where(_V.name == _NAME)).scalar() or 0


def kept(connection: sa.Connection) -> Kept:
    """All that is kept. A database that is older than the table keeps nothing."""
    if not sa.inspect(connection).has_table(schema.setting.name):
        return Kept(version=0)
    # The version first: what is changed in between is then read twice, never missed.
    now = version(connection)
    rows = connection.execute(sa.select(schema.setting).order_by(_S.section, _S.key)).all()
    return Kept(version=now, entries=[_stored(row) for row in rows])


def _stored(row: sa.Row[Any]) -> Stored:
    return Stored(
        section=row.section,
        key=row.key,
        value=json.loads(row.value),
        revision=row.revision,
        by=row.changed_by,
        at=row.changed_at,
    )


def change(
    connection: sa.Connection,
    wish: Wish,
    by: str,
    at: datetime,
    *,
    fits: Callable[[Sequence[Stored], Sequence[Stored]], None] = lambda _before, _after: None,
    address: str = "",
) -> int:
    """Do it, with a line in the audit; the version then. ChangedMeanwhile, or whatever `fits` raises, changes nothing.

    `fits` is given all entries as they are and as they would be, and nobody changes any meanwhile.
    """
    now = _next_version(connection)
    known = kept(connection)
    mine = known.of(wish.section, wish.key)
    if (mine.revision if mine else 0) != wish.revision or (wish.remove and mine is None):
        raise ChangedMeanwhile(mine.by if mine else None)
    others = [each for each in known.entries if each is not mine]
    new = Stored(section=wish.section, key=wish.key, value=wish.value, revision=now, by=by, at=at)
    fits(known.entries, others if wish.remove else [*others, new])
    if wish.remove:
        gone = sa.and_(_S.section == wish.section, _S.key == wish.key)
        connection.execute(sa.delete(schema.setting).where(gone))
    else:
        upsert(connection, schema.setting, [_row(new)])
    _note(connection, wish, mine, by, at, address)
    return now


def replace_all(connection: sa.Connection, known: Kept, after: Sequence[Stored], by: str, at: datetime) -> None:
    """Keep those instead of what was known, with a line in the audit for each that differs; ChangedMeanwhile."""
    now = _next_version(connection)
    if now != known.version + 1:
        raise ChangedMeanwhile(None)
    for each in known.entries:
        if not any((each.section, each.key) == (other.section, other.key) for other in after):
            gone = sa.and_(_S.section == each.section, _S.key == each.key)
            connection.execute(sa.delete(schema.setting).where(gone))
            _note(connection, Wish(section=each.section, key=each.key, remove=True), each, by, at, "")
    for each in after:
        before = known.of(each.section, each.key)
        if before is None or before.value != each.value:
            upsert(connection, schema.setting, [_row(replace(each, revision=now, by=by, at=at))])
            _note(connection, Wish(section=each.section, key=each.key, value=each.value), before, by, at, "")


def _next_version(connection: sa.Connection) -> int:
    """Counted up; its row is locked until the transaction ends, so that one changes after the other."""
    insert_new(connection, schema.setting_version, [{"name": _NAME, "version": 0}])
    mine = _V.name == _NAME
    connection.execute(sa.update(schema.setting_version).where(mine).values(version=_V.version + 1))
    return version(connection)


def _row(entry: Stored) -> dict[str, Any]:
    return {
        "section": entry.section,
        "key": entry.key,
        "value": json.dumps(entry.value, ensure_ascii=False),
        "revision": entry.revision,
        "changed_at": entry.at,
        "changed_by": entry.by,
    }


def _note(
    connection: sa.Connection,
    wish: Wish,
    before: Stored | None,
    by: str,
    at: datetime,
    address: str,
) -> None:
    details: dict[str, Any] = {"address": address, "section": wish.section, "key": wish.key}
    if before is not None:
        details["before"] = before.value
    if not wish.remove:
        details["after"] = wish.value
    audit(connection, at, by, "setting_removed" if wish.remove else "setting_put", None, details)
