"""Calls judged again from their rows: what the policy makes of them now, beside what the rows say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, client_of, colour_of
from pbxmonitor.domain.judge import Judgement, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key
from pbxmonitor.store.restore import Found, restored
from pbxmonitor.store.rows import call_row, verdict_rows
from pbxmonitor.store.types import Row, Write, among, write

# What of a call's row follows from judging and owing; the rest is what happened.
DERIVED: Final = (
    *("disposition", "lost", "cause", "colour", "wait_s", "talk_s", "answered_at", "answered_by", "ended_by"),
    *("short_hangup", "queue", "callback"),
)
# No call is still going on after so long.
LONGEST: Final = timedelta(days=1)
_CALL: Final = schema.call.c
_OF_CALL: Final = sa.and_(_CALL.node == sa.bindparam("of_node"), _CALL.key == sa.bindparam("of_key"))
_UPDATE: Final = sa.update(schema.call).where(_OF_CALL).values({name: sa.bindparam(f"to_{name}") for name in DERIVED})
_NO_VERDICTS: Final = sa.delete(schema.verdict).where(
    schema.verdict.c.node == sa.bindparam("of_node"), schema.verdict.c.call == sa.bindparam("of_key")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """One ended call: its row and verdict rows as they are, and what judging says now."""

    row: Found
    call: Call
    judged: Judgement
    verdicts: Sequence[Row]
    now: Sequence[Row]

    @property
    def key(self) -> Key:
        return self.call.node, self.call.key

    @property
    def client(self) -> str | None:
        """The customer's number, where it can be called."""
        return client_of(self.call)

    @property
    def owed(self) -> bool:
        """Whether a callback follows, or followed, from the call: then its row is written together with it."""
        return (self.judged.lost or self.row.lost) and self.client is not None

    def values(self, debt: Callback | None) -> dict[str, Any]:
        """The derived columns; `debt` is the callback that the call's miss belongs to."""
        row = call_row(self.call, self.judged, colour_of(self.call, self.judged, debt), debt)
        return {name: row[name] for name in DERIVED}

    def changes(self, debt: Callback | None) -> dict[str, tuple[Any, Any]]:
        """By column what the row says, and what it should, where they differ."""
        row = self.row._mapping
        return {name: (row[name], value) for name, value in self.values(debt).items() if row[name] != value}

    def verdict_changes(self) -> Iterator[tuple[str, Row | None, Row | None]]:
        """Agents whose row differs: as it is, as it should be; None where there is none."""
        was, now = ({row["agent"]: row for row in rows} for rows in (self.verdicts, self.now))
        for agent in sorted(was.keys() | now.keys()):
            if was.get(agent) != now.get(agent):
                yield agent, was.get(agent), now.get(agent)


def covered(begin: datetime, node: str | None = None) -> sa.ColumnElement[bool]:
    """The calls that began since, or were going on at that moment; open ones are among them."""
    since = sa.and_(_CALL.started_at >= begin - LONGEST, sa.or_(_CALL.ended_at.is_(None), _CALL.ended_at >= begin))
    return since if node is None else sa.and_(since, _CALL.node == node)


def rejudged(connection: sa.Connection, rows: Iterable[Found], policy: Policy) -> list[Rejudged]:
    """Those calls, of any nodes, as far as they have ended."""
    by_node: dict[str, list[Found]] = {}
    for row in rows:
        if row.ended_at is not None:
            by_node.setdefault(row.node, []).append(row)
    return [each for mine in by_node.values() for each in _rejudged(connection, mine, policy)]


def _rejudged(connection: sa.Connection, rows: Sequence[Found], policy: Policy) -> Iterator[Rejudged]:
    verdicts = _verdicts(connection, rows)
    for row, call in zip(rows, restored(connection, rows), strict=True):
        judged = judge(call, policy, row.ended_at)
        now = [*verdict_rows(call, judged, policy)]
        yield Rejudged(row=row, call=call, judged=judged, verdicts=verdicts.get(call.key, ()), now=now)


def _verdicts(connection: sa.Connection, rows: Sequence[Found]) -> dict[str, list[Row]]:
    table = schema.verdict.c
    mine = sa.and_(table.node == rows[0].node, among(connection, table.call, [row.key for row in rows]))
    found: dict[str, list[Row]] = {}
    for row in connection.execute(sa.select(schema.verdict).where(mine)).mappings():
        found.setdefault(row["call"], []).append(dict(row))
    return found


def rows_of(connection: sa.Connection, keys: Iterable[Key]) -> list[Found]:
    """The rows of those calls, as far as they are there."""
    by_node: dict[str, list[str]] = {}
    for node, call in keys:
        by_node.setdefault(node, []).append(call)
    found: list[Found] = []
    for node, calls in by_node.items():
        mine = sa.and_(_CALL.node == node, among(connection, _CALL.key, calls))
        found += connection.execute(sa.select(schema.call).where(mine)).all()
    return found


def rewrite(connection: sa.Connection, calls: Iterable[tuple[Rejudged, Callback | None]]) -> None:
    """Make the rows say what follows from judging; each call comes with the callback that its miss belongs to."""
    told = [(each, each.values(debt)) for each, debt in calls]
    stale = [each for each, _ in told if any(each.verdict_changes())]
    if told:
        connection.execute(_UPDATE, [_named(each) | _prefixed(values) for each, values in told])
    if stale:
        connection.execute(_NO_VERDICTS, [_named(each) for each in stale])
        write(connection, schema.verdict, [row for each in stale for row in each.now], Write.INSERT)


def _named(each: Rejudged) -> dict[str, Any]:
    return {"of_node": each.call.node, "of_key": each.call.key}


def _prefixed(values: dict[str, Any]) -> dict[str, Any]:
    return {f"to_{name}": value for name, value in values.items()}


def lock_writers(connection: sa.Connection) -> None:
    """Keep every daemon from writing until this transaction ends: each of theirs begins with its lease's row."""
    lease = schema.lease.c
    connection.execute(sa.select(lease.node).order_by(lease.node).with_for_update()).all()

