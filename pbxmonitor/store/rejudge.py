"""Calls judged again from their rows: what the policy makes of them now, beside what the rows say."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
_VERDICT: Final = schema.verdict.c
_NO_VERDICTS: Final = sa.delete(schema.verdict).where(
    _VERDICT.node == sa.bindparam("of_node"), _VERDICT.call == sa.bindparam("of_key")
)
Change = tuple[Any, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejudged:
    """One ended call: its row and its verdicts' rows as they are, and what judging says now."""

    row: Found
    call: Call
    judged: Judgement
    client: str | None
    verdicts: Sequence[Found]
    policy: Policy

    @property
    def key(self) -> Key:
        return self.call.node, self.call.key

    @property
    def owed(self) -> bool:
        """Whether a callback follows, or followed, from the call: then its row is written together with it."""
        return self.client is not None and bool(self.judged.lost or self.row.lost)

    def changes(self, debt: Callback | None) -> dict[str, Change]:
        """By column what the row says, and what it should, where they differ; `debt` is what the miss belongs to."""
        wanted = call_row(self.call, self.judged, colour_of(self.call, self.judged, debt), debt)
        told = ((name, getattr(self.row, name), wanted[name]) for name in DERIVED)
        return {name: (was, value) for name, was, value in told if was != value}

    def verdict_changes(self) -> list[tuple[str, Row | None, Row | None]]:
        """Agents whose row differs: as it is and as it should be, None where there is none."""
        was = {row.agent: row._asdict() for row in self.verdicts}
        now = {row["agent"]: row for row in verdict_rows(self.call, self.judged, self.policy)}
        return [(a, was.get(a), now.get(a)) for a in sorted(was.keys() | now.keys()) if was.get(a) != now.get(a)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What changes in the rows of a call: by column, and by agent."""

    of: Rejudged
    changes: dict[str, Change]
    verdicts: Sequence[tuple[str, Row | None, Row | None]]

    @property
    def differs(self) -> bool:
        return bool(self.changes or self.verdicts)


def revision(of: Rejudged, debt: Callback | None = None) -> Revision:
    """What changes when the call's miss belongs to that callback."""
    return Revision(of=of, changes=of.changes(debt), verdicts=of.verdict_changes())


def rejudged(connection: sa.Connection, rows: Iterable[Found], policy: Policy) -> list[Rejudged]:
    """Those calls, of any nodes, as far as they have ended."""
    by_node: dict[str, list[Found]] = {}
    for row in rows:
        if row.ended_at is not None:
            by_node.setdefault(row.node, []).append(row)
    return [each for mine in by_node.values() for each in _rejudged(connection, mine, policy)]


def _rejudged(connection: sa.Connection, rows: Sequence[Found], policy: Policy) -> Iterator[Rejudged]:
    these = sa.and_(_VERDICT.node == rows[0].node, among(connection, _VERDICT.call, [row.key for row in rows]))
    verdicts: dict[str, list[Found]] = {}
    for verdict in connection.execute(sa.select(schema.verdict).where(these)).all():
        verdicts.setdefault(verdict.call, []).append(verdict)
    for row, call in zip(rows, restored(connection, rows), strict=True):
        yield Rejudged(
            row=row,
            call=call,
            judged=judge(call, policy, row.ended_at),
            client=client_of(call),
            verdicts=verdicts.get(call.key, ()),
            policy=policy,
        )


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


def rewrite(connection: sa.Connection, revisions: Sequence[Revision]) -> None:
    """Make the rows say what they should."""
    moved = [each for each in revisions if each.changes]
    stale = [each for each in revisions if each.verdicts]
    if moved:
        connection.execute(_UPDATE, [_named(each) | dict(_values(each)) for each in moved])
    if stale:
        connection.execute(_NO_VERDICTS, [_named(each) for each in stale])
        rows = [row for each in stale for row in verdict_rows(each.of.call, each.of.judged, each.of.policy)]
        write(connection, schema.verdict, rows, Write.INSERT)


def _values(revision: Revision) -> Iterator[tuple[str, Any]]:
    for name in DERIVED:
        change = revision.changes.get(name)
        yield f"to_{name}", getattr(revision.of.row, name) if change is None else change[1]


def _named(revision: Revision) -> dict[str, Any]:
    return {"of_node": revision.of.call.node, "of_key": revision.of.call.key}


def lock_writers(connection: sa.Connection) -> None:
    """Keep every daemon from writing until this transaction ends: each of theirs begins with its lease's row."""
    lease = schema.lease.c
    connection.execute(sa.select(lease.node).order_by(lease.node).with_for_update()).all()
