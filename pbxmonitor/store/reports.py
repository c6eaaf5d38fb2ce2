"""What the rows say: the journal of calls, intervals, callbacks, and each agent's numbers. Reads only."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.call import StageKind
from pbxmonitor.domain.callback import State
from pbxmonitor.domain.view import Json, callback_view, interval_view, seconds, stamp
from pbxmonitor.store import schema
from pbxmonitor.store.debts import with_attempts
from pbxmonitor.store.rows import AVAILABILITY

Found = sa.Row[Any]
Parts = Mapping[tuple[str, str], Sequence[Found]]

# The stretches that reports are about; presence alone (ready) and the calls themselves stand elsewhere.
SHOWN: Final = (AgentState.PAUSED, AgentState.DND, AgentState.OFFLINE)
# What stands below a call, and the order of each.
PARTS: Final = (
    (schema.stage, "position"),
    (schema.offer, "position"),
    (schema.talk, "position"),
    (schema.transfer, "position"),
    (schema.verdict, "agent"),
)
_NOT_WAITING: Final = (StageKind.IVR, StageKind.VOICEMAIL)


def on_node(column: sa.Column[str], node: str) -> sa.ColumnElement[bool]:
    """The condition that a row is of that node, which is no reason to read the primary key from end to end.

    Compared with the bare column it is one to SQLite, which has no statistics.
    """
    return column + "" == node


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From `begin` up to, not including, `end`; of one node, or of all of them."""

    begin: datetime
    end: datetime
    node: str | None = None

    def __post_init__(self) -> None:
        # In UTC: moments of a zone are added to by its wall clock, wrongly where clocks change.
        object.__setattr__(self, "begin", self.begin.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))

    def holds(self, table: sa.Table, moment: str) -> sa.ColumnElement[bool]:
        """The condition on a table's moment."""
        column = table.c[moment]
        return sa.and_(column >= self.begin, column < self.end, *self.of_node(table))

    def of_node(self, table: sa.Table) -> list[sa.ColumnElement[bool]]:
        return [on_node(table.c.node, self.node)] if self.node is not None else []


def last_told(connection: sa.Connection) -> dict[str, datetime]:
    """By node, the PBX's own time of the last fact: what is still open lasts until then."""
    return last_told_by(connection, connection.execute(sa.select(schema.node.c.name)).scalars().all())


def last_told_by(connection: sa.Connection, nodes: Iterable[str]) -> dict[str, datetime]:
    """The same of those nodes; one question each, because only then nobody reads the whole journal of facts."""
    table = schema.fact.c
    newest = sa.select(table.at).order_by(table.at.desc()).limit(1)
    found = {node: connection.execute(newest.where(table.node == node)).scalar() for node in nodes}
    return {node: at for node, at in found.items() if at is not None}


def journal(connection: sa.Connection, period: Period) -> list[Json]:
    """The calls that began in the period, oldest first, in the stable JSON form of replay."""
    table = schema.call.c
    mine = period.holds(schema.call, "started_at")
    calls = connection.execute(sa.select(schema.call).where(mine).order_by(table.started_at, table.key)).all()

    def below(part: sa.Table) -> sa.Select[Any]:
        of_call = sa.and_(part.c.node == table.node, part.c.call == table.key)
        return sa.select(part).join(schema.call, of_call).where(mine)

    return call_forms(connection, calls, below)


def call_forms(
    connection: sa.Connection, calls: Sequence[Found], below: Callable[[sa.Table], sa.Select[Any]]
) -> list[Json]:
    """Those calls in the stable JSON form of replay; `below` asks a table for the rows that belong to them."""
    told = last_told_by(connection, {call.node for call in calls if call.ended_at is None})
    parts = {part.name: _grouped(connection, below(part).order_by(part.c[order])) for part, order in PARTS}
    return [_call(call, parts, told.get(call.node, call.started_at)) for call in calls]


def _grouped(connection: sa.Connection, wanted: sa.Select[Any]) -> Parts:
    found: dict[tuple[str, str], list[Found]] = defaultdict(list)
    for row in connection.execute(wanted).all():
        found[row.node, row.call].append(row)
    return found


def _call(row: Found, parts: Mapping[str, Parts], now: datetime) -> Json:
    stages, offers, talks, transfers, verdicts = (
        parts[name].get((row.node, row.key), ()) for name in ("stage", "offer", "talk", "transfer", "verdict")
    )
    return {
        "call": row.key,
        "direction": row.direction,
        "caller": row.caller,
        "called": row.called,
        "started_at": stamp(row.started_at),
        "answered_at": stamp(row.answered_at),
        "ended_at": stamp(row.ended_at),
        "disposition": row.disposition,
        "lost": row.lost,
        "cause": row.cause,
        "colour": row.colour,
        "wait_s": _wait(row, stages, now),
        "talk_s": round(row.talk_s + (seconds(row.connected_at, now) if row.connected_at else 0.0), 3),
        "answered_by": row.answered_by,
        "ended_by": row.ended_by,
        "short_hangup": row.short_hangup,
        "stages": [_stage(each) for each in stages],
        "offers": [_offer(each, row, now) for each in offers],
        "talks": [_talk(each, row, now) for each in talks],
        "verdicts": {each.agent: each.verdict for each in verdicts},
        "transfers": [
            {"kind": each.kind, "from": each.from_agent, "to": each.to_agent, "at": stamp(each.at)}
            for each in transfers
        ],
    }


def _wait(row: Found, stages: Iterable[Found], now: datetime) -> float:
    """A caller who still waits has waited until now."""
    if row.answered_at is not None or row.ended_at is not None:
        return float(row.wait_s)
    reached = (stage.entered_at for stage in stages if stage.kind not in _NOT_WAITING)
    return seconds(next(reached, row.started_at), now)


def _stage(row: Found) -> Json:
    return {
        "kind": row.kind,
        "name": row.name,
        "entered_at": stamp(row.entered_at),
        "left_at": stamp(row.left_at),
        "result": row.result,
    }


def _lasted(row: Found, call: Found, now: datetime) -> float | None:
    """Seconds until its end, or until now; None of what ended nobody knows when (imported rings and talks)."""
    if row.ended_at is None and call.ended_at is not None:
        return None
    return seconds(row.began_at, row.ended_at or now)


def _offer(row: Found, call: Found, now: datetime) -> Json:
    return {
        "agent": row.agent,
        "queue": row.queue,
        "began_at": stamp(row.began_at),
        "ended_at": stamp(row.ended_at),
        "ring_s": _lasted(row, call, now),
        "result": row.result,
    }


def _talk(row: Found, call: Found, now: datetime) -> Json:
    return {
        "agent": row.agent,
        "began_at": stamp(row.began_at),
        "ended_at": stamp(row.ended_at),
        "talk_s": _lasted(row, call, now),
        "ended_by": row.ended_by,
    }


def intervals(connection: sa.Connection, period: Period) -> list[Json]:
    """The stretches of pause, DND and offline that touch the period, in the order they began."""
    return [interval_view(interval) for _, interval in shown_intervals(connection, period)]


def shown_intervals(connection: sa.Connection, period: Period) -> list[tuple[str, Interval]]:
    """Those stretches, each with its node."""
    table = schema.agent_interval
    wanted = sa.select(table).where(
        table.c.track == AVAILABILITY,
        table.c.state.in_(SHOWN),
        table.c.began_at < period.end,
        sa.or_(table.c.ended_at.is_(None), table.c.ended_at > period.begin),
        sa.or_(table.c.ended_at.is_(None), table.c.ended_at != table.c.began_at),
        *period.of_node(table),
    )
    rows = (connection.execute(wanted.order_by(table.c.began_at, table.c.agent))).all()
    return [(row.node, _interval(row)) for row in rows]


def _interval(row: Found) -> Interval:
    return Interval(
        agent=row.agent,
        state=AgentState(row.state),
        began_at=row.began_at,
        ended_at=row.ended_at,
        reason=row.reason,
        note=row.note,
        queues=tuple(json.loads(row.queues)),
    )


def callbacks(connection: sa.Connection, period: Period) -> list[Json]:
    """The callbacks opened in the period, in the order they were opened, with their attempts."""
    table = schema.callback
    wanted = sa.select(table).where(period.holds(table, "opened_at")).order_by(table.c.opened_at, table.c.call)
    return _callbacks(connection, wanted)


def open_callbacks(connection: sa.Connection, node: str | None = None) -> list[Json]:
    """The callbacks that are open, the one due first at the head."""
    table = schema.callback
    wanted = sa.select(table).where(table.c.state.in_([State.OPEN.value, State.ATTEMPTED.value]))
    if node is not None:
        wanted = wanted.where(table.c.node == node)
    return _callbacks(connection, wanted.order_by(table.c.due_at, table.c.node, table.c.call))


def _callbacks(connection: sa.Connection, wanted: sa.Select[Any]) -> list[Json]:
    rows = connection.execute(wanted).all()
    debts = with_attempts(connection, rows)
    return [callback_view(debt) | _by_people(row) for row, debt in zip(rows, debts, strict=True)]


def _by_people(row: Found) -> Json:
    """What people did with it, and how many steps of the chain it took until it was closed."""
    return {
        "id": f"{row.node}/{row.call}",
        "line": row.line,
        "closed_at": stamp(row.closed_at),
        "rescuer": row.rescuer,
        "step": row.step,
        "taken_by": row.taken_by,
        "dismissed_by": row.dismissed_by,
        "reason": row.reason,
    }
