"""Calls told by a log as rows: new ones, and those that are known worse, whole; what is known better stays."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import client_of, colour_of
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.overlap import parts_of_others
from pbxmonitor.store.rejudge import rows_of
from pbxmonitor.store.restore import Found
from pbxmonitor.store.rows import LIVE, call_row, part_rows
from pbxmonitor.store.types import Row, Write, among, planned_anew, upsert, write

# Each tells more than those before it; what the daemon itself saw to the end is better than all.
SOURCES: Final = ("cdr", "queue_log", "cel")
# Those that know every leg of a call: a call that is part of theirs is none of its own.
_WHOLE: Final = frozenset({"cel", LIVE})
_PARTS: Final = (schema.stage, schema.offer, schema.talk, schema.transfer, schema.verdict)
_VANISHED: Final = '"vanished":true'
Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A call and all its rows, made before anything is locked."""

    call: Call
    row: dict[str, Any]
    parts: dict[str, list[Row]]

    @property
    def key(self) -> str:
        return self.call.key

    @property
    def agents(self) -> set[str]:
        """The people it names."""
        rows = (*self.parts["offer"], *(row for row in self.parts["talk"] if not row["external"]))
        return {row["agent"] for row in rows if row["agent"]}


@dataclass(slots=True, kw_only=True)
class Sorted:
    """What becomes of some told calls; `left` are known better, `lost` the clients whom a callback is owed, or was.

    `began` is when the calls taken began, by the log and by what was known of them; `moved` those that are written.
    """

    new: list[Prepared] = field(default_factory=list)
    changed: list[Prepared] = field(default_factory=list)
    same: list[Prepared] = field(default_factory=list)
    left: int = 0
    lost: set[str] = field(default_factory=set)
    began: set[datetime] = field(default_factory=set)
    moved: set[datetime] = field(default_factory=set)

    @property
    def written(self) -> list[Prepared]:
        return [*self.new, *self.changed]

    @property
    def taken(self) -> list[Prepared]:
        """All that the log knows best."""
        return [*self.written, *self.same]


def prepared(call: Call, policy: Policy, source: str, now: datetime) -> Prepared:
    """The rows of a call that a log told; of one that is open still, as it was at `now`."""
    judged = judge(call, policy, call.ended_at or now)
    parts: dict[str, list[Row]] = {table.name: [] for table in _PARTS}
    for table, row in part_rows(call, judged, policy):
        parts[table.name].append(row)
    row = call_row(call, judged, colour_of(call, judged, None), source=source)
    return Prepared(call=call, row={**row}, parts=parts)


def regenerate(connection: sa.Connection, told: Sequence[Prepared]) -> Sorted:
    """Write those calls (of one node and source, each once) that are not known better."""
    with planned_anew(connection):
        found = _sorted(connection, told)
    keys = [each.key for each in found.changed]
    for table in _PARTS if keys else ():
        mine = sa.and_(table.c.node == found.changed[0].call.node, among(connection, table.c.call, keys))
        connection.execute(sa.delete(table).where(mine))
    write(connection, schema.call, [each.row for each in found.new], Write.INSERT)
    upsert(connection, schema.call, [each.row for each in found.changed])
    for table in _PARTS:
        write(connection, table, [row for each in found.written for row in each.parts[table.name]], Write.INSERT)
    return found


def _sorted(connection: sa.Connection, told: Sequence[Prepared]) -> Sorted:
    node, source = told[0].call.node, told[0].row["source"]
    there = {row.key: row for row in rows_of(connection, [(node, each.key) for each in told])}
    unknown = [each.call for each in told if each.key not in there]
    inner = parts_of_others(connection, unknown, _WHOLE - {source}) if unknown else set()
    known = [each for each in told if each.key in there and not _is_better(there[each.key], each)]
    found = Sorted(new=[each for each in told if each.key not in there and each.key not in inner])
    parts = {table.name: _parts(connection, table, node, [each.key for each in known]) for table in _PARTS}
    for each in known:
        row = there[each.key]
        if row.lost and each.row["lost"]:
            each.row.update(colour=row.colour, callback=row.callback)
        (found.same if _is_same(each, row, parts) else found.changed).append(each)
    found.left = len(told) - len(found.taken)
    found.lost = {client for each in found.taken if each.row["lost"] and (client := client_of(each.call)) is not None}
    # What was known may have been wrong, number and time included: then it is to be undone there.
    found.lost |= {row.caller for each in known if (row := there[each.key]).lost and row.caller is not None}
    found.began = {each.call.started_at for each in found.taken} | {there[each.key].started_at for each in known}
    found.moved = {each.call.started_at for each in found.written} | {there[e.key].started_at for e in found.changed}
    return found


def _is_better(row: Found, told: Prepared) -> bool:
    """Whether the row stands: the daemon saw the call's end, or sees it still, or a better source told of it."""
    if row.source == LIVE:
        seen = row.ended_at is None or _VANISHED not in (row.evidence or "")
        return seen or told.call.ended_at is None
    return SOURCES.index(row.source) > SOURCES.index(told.row["source"])


def _parts(connection: sa.Connection, table: sa.Table, node: str, keys: Sequence[str]) -> dict[str, set[Values]]:
    found: dict[str, set[Values]] = {}
    if keys:
        mine = sa.and_(table.c.node == node, among(connection, table.c.call, keys))
        for row in connection.execute(sa.select(table).where(mine)).mappings():
            found.setdefault(row["call"], set()).add(_values(table, dict(row)))
    return found


def _values(table: sa.Table, row: Row) -> Values:
    return tuple(row[column.name] for column in table.columns)


def _is_same(told: Prepared, row: Found, parts: dict[str, dict[str, set[Values]]]) -> bool:
    if any(getattr(row, name) != value for name, value in told.row.items()):
        return False
    return all(
        {_values(table, part) for part in told.parts[table.name]} == parts[table.name].get(told.key, set())
        for table in _PARTS
    )
