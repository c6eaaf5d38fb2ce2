"""Each agent's sums over a stretch of time, read from the rows themselves; roll-ups keep the same for whole days."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import AttemptResult, State
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.kpi import Sums, spent_key
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period, last_told
from pbxmonitor.store.rows import ACTIVITY, AVAILABILITY

Key = tuple[str, str]
AWAY: Final = (AgentState.DND, AgentState.PAUSED, AgentState.OFFLINE)
_WORKING: Final = {
    AgentState.READY: "ready_ms",
    AgentState.RINGING: "ringing_ms",
    AgentState.TALKING: "talking_ms",
    AgentState.HOLD: "hold_ms",
    AgentState.WRAPUP: "wrapup_ms",
}
_HOUR: Final = timedelta(hours=1)
_MS: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Adding:
    """Sums being made, one set of counters for each agent."""

    def __init__(self) -> None:
        self._counts: dict[Key, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._packed: dict[Key, dict[str, dict[int, int]]] = defaultdict(lambda: {"pickups": {}, "delays": {}})
        self._spent: dict[Key, dict[str, dict[int, int]]] = defaultdict(dict)

    def add(self, key: Key, name: str, count: int) -> None:
        self._counts[key][name] += count

    def pack(self, key: Key, name: str, value: int, count: int = 1) -> None:
        histogram = self._packed[key][name]
        histogram[value] = histogram.get(value, 0) + count

    def spend(self, key: Key, state: str, hour: int, ms: int) -> None:
        by_hour = self._spent[key].setdefault(state, {})
        by_hour[hour] = by_hour.get(hour, 0) + ms

    def sums(self) -> dict[Key, Sums]:
        """What has come together."""
        keys = self._counts.keys() | self._packed.keys() | self._spent.keys()
        return {key: self._of(key) for key in sorted(keys)}

    def _of(self, key: Key) -> Sums:
        values: dict[str, Any] = {**self._counts.get(key, {}), **self._packed.get(key, {})}
        return Sums(**values, spent=self._spent.get(key, {}))


def sums_of_rows(
    connection: sa.Connection, period: Period, policy: Policy, *, goals_only: bool = False
) -> dict[Key, Sums]:
    """By node and agent: calls begun in the period and ended, callbacks opened, tried and closed in it, time within.

    `goals_only` leaves out what no goal is measured by.
    """
    adding = Adding()
    _verdicts(connection, period, adding)
    _owned(connection, period, adding, policy)
    if goals_only:
        return adding.sums()
    _misses(connection, period, adding)
    _outbound(connection, period, adding)
    _called(connection, period, adding)
    _spent(connection, period, adding, policy.hours.zone)
    return adding.sums()


def _verdicts(connection: sa.Connection, period: Period, adding: Adding) -> None:
    part, call = schema.verdict.c, schema.call.c
    wanted = (
        sa.select(
            *(part.node, part.agent, part.verdict, part.short_hangups),
            *(part.caller_hangups, part.pickup_ms, part.talk_ms),
        )
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.ended_at.is_not(None))
    )
    for node, agent, verdict, short, by_caller, pickup_ms, talk_ms in connection.execute(wanted):
        key = node, agent
        adding.add(key, verdict, 1)
        adding.add(key, "short_hangups", short)
        adding.add(key, "caller_hangups", by_caller)
        adding.add(key, "talk_ms", talk_ms)
        if pickup_ms is not None:
            adding.add(key, "picked", 1)
            adding.add(key, "pickup_ms", pickup_ms)
            adding.pack(key, "pickups", (pickup_ms + 50) // 100)


def _misses(connection: sa.Connection, period: Period, adding: Adding) -> None:
    """What became of the clients whom the agent missed and nobody talked to."""
    part, call, debt = schema.verdict.c, schema.call.c, schema.callback.c
    wanted = (
        sa.select(part.node, part.agent, call.callback, debt.state, debt.tried_at)
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .outerjoin(schema.callback, sa.and_(debt.node == call.node, debt.call == call.callback))
        .where(period.holds(schema.call, "started_at"), part.verdict == Verdict.MISSED, call.lost.is_(True))
    )
    for node, agent, callback, state, tried_at in connection.execute(wanted):
        key = node, agent
        adding.add(key, "lost", 1)
        adding.add(key, _fate(callback, state, tried_at), 1)


def _fate(callback: str | None, state: str | None, tried_at: datetime | None) -> str:
    if callback is None:
        return "uncallable"
    if tried_at is not None:
        return "called_back"
    return {State.CLIENT_RETURNED: "returned", State.DISMISSED: "dismissed"}.get(State(state or "open"), "forgotten")


def _outbound(connection: sa.Connection, period: Period, adding: Adding) -> None:
    call = schema.call.c
    wanted = sa.select(call.node, call.caller, call.answered_at, call.talk_s).where(
        period.holds(schema.call, "started_at"),
        call.direction == Direction.OUTBOUND,
        call.ended_at.is_not(None),
        call.caller.is_not(None),
    )
    for node, agent, answered_at, talk_s in connection.execute(wanted):
        adding.add((node, agent), "outbound", 1)
        adding.add((node, agent), "outbound_answered", answered_at is not None)
        adding.add((node, agent), "outbound_ms", round(talk_s * 1000))


def _owned(connection: sa.Connection, period: Period, adding: Adding, policy: Policy) -> None:
    """Callbacks that were his to see to, and how long it took until anybody tried."""
    debt = schema.callback.c
    wanted = sa.select(debt.node, debt.owner, debt.opened_at, debt.due_at, debt.tried_at)
    for node, owner, opened_at, due_at, tried_at in connection.execute(
        wanted.where(period.holds(schema.callback, "opened_at"), debt.owner.is_not(None))
    ):
        adding.add((node, owner), "owned", 1)
        if tried_at is not None:
            adding.add((node, owner), "in_norm", tried_at <= due_at)
            adding.pack((node, owner), "delays", round(policy.hours.between(opened_at, tried_at).total_seconds()))


def _called(connection: sa.Connection, period: Period, adding: Adding) -> None:
    """Callbacks that he tried himself (dated by his first try), those he closed, and the tries that were none."""
    attempt, debt, other = schema.callback_attempt.c, schema.callback.c, schema.callback_attempt.alias()
    earlier = sa.exists().where(
        *(other.c.node == attempt.node, other.c.callback == attempt.callback, other.c.agent == attempt.agent),
        *(other.c.result != AttemptResult.TOO_SHORT, other.c.position < attempt.position),
    )
    mine = period.holds(schema.callback_attempt, "at")
    tries = sa.select(attempt.node, attempt.agent, sa.func.count()).group_by(attempt.node, attempt.agent)
    closed = (
        sa.select(debt.node, debt.rescuer, sa.func.count())
        .where(period.holds(schema.callback, "closed_at"), debt.state == State.REACHED, debt.rescuer.is_not(None))
        .group_by(debt.node, debt.rescuer)
    )
    for name, wanted in (
        ("called", tries.where(mine, attempt.result != AttemptResult.TOO_SHORT, ~earlier)),
        ("fakes", tries.where(mine, attempt.result == AttemptResult.TOO_SHORT)),
        ("reached", closed),
    ):
        for node, agent, count in connection.execute(wanted):
            adding.add((node, agent), name, count)


def _spent(connection: sa.Connection, period: Period, adding: Adding, zone: tzinfo) -> None:
    """Time in each state within the period; what is open lasts until the PBX's last word."""
    told = last_told(connection)
    for node, agent, state, reason, partial, began_at, ended_at in _lived(connection, period):
        begin = max(began_at, period.begin)
        end = min(ended_at or told.get(node, began_at), period.end)
        if state in _WORKING:
            adding.add((node, agent), _WORKING[state], max(elapsed_ms(begin, end), 0))
            continue
        kind = spent_key(state, reason, partial=partial)
        if ended_at is None:
            adding.spend((node, agent), kind, begin.astimezone(zone).hour, 0)  # he is away, if only just now
        for hour, ms in by_hour(begin, end, zone):
            adding.spend((node, agent), kind, hour, ms)


def _lived(connection: sa.Connection, period: Period) -> Iterator[Sequence[Any]]:
    """The stretches that began in the period, and of each agent and track the one that was going on as it began."""
    part = schema.agent_interval.c
    columns = (part.node, part.agent, part.state, part.reason, part.partial, part.began_at, part.ended_at)
    states = part.state.in_([*AWAY, *_WORKING])
    yield from connection.execute(sa.select(*columns).where(states, period.holds(schema.agent_interval, "began_at")))
    last = {moment for track in (AVAILABILITY, ACTIVITY) for moment in _last_before(connection, period, track)}
    still = sa.or_(part.ended_at.is_(None), part.ended_at > period.begin)
    going_on = sa.select(*columns).where(part.began_at.in_(last), still, states, *period.of_node(schema.agent_interval))
    yield from connection.execute(going_on) if last else ()


def _last_before(connection: sa.Connection, period: Period, track: str) -> Iterable[datetime]:
    """When each agent's last stretch before the period began: only that one can reach into it."""
    agent, before = schema.agent.c, schema.agent_interval.c
    of_agent = (before.node == agent.node, before.agent == agent.agent, before.track == track)
    newest = sa.select(sa.func.max(before.began_at)).where(*of_agent, before.began_at < period.begin)
    last = newest.correlate(schema.agent).scalar_subquery()
    wanted = sa.select(last).select_from(schema.agent).where(*period.of_node(schema.agent))
    found = connection.execute(wanted).scalars()
    return [moment for moment in found if moment is not None]


def by_hour(begin: datetime, end: datetime, zone: tzinfo) -> Iterator[tuple[int, int]]:
    """The stretch cut at the hours of the site's day: (hour, milliseconds)."""
    begin = begin.astimezone(UTC)
    while begin < end:
        local = begin.astimezone(zone)
        into = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        until = min(begin + (_HOUR - into), end)
        yield local.hour, elapsed_ms(begin, until)
        begin = until


def elapsed_ms(begin: datetime, end: datetime) -> int:
    """Milliseconds between, such that those of two adjoining stretches add up to those of the whole."""
    return (end - _EPOCH) // _MS - (begin - _EPOCH) // _MS
