"""What became of those who entered a queue: how each visit ended, waits, service levels, occupancy (docs/metrics.md).

A visit belongs to the moment of its entering, whenever it ended; only calls that are over are counted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.call import Direction, StageKind
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.kpi import Sums
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rows import milliseconds
from pbxmonitor.store.sums import Key

ANSWERED, ABANDONED, SHORT, LOST, OTHER = "answered", "abandoned", "short_abandoned", "lost", "other"
# How a visit ended: a column each, and together all that was received.
ENDS: Final = (ANSWERED, ABANDONED, SHORT, "timeout", "full", "empty", "key", "transferred", OTHER)
# Nobody is so long in a call before he enters a queue.
_LONGEST: Final = timedelta(days=1)
_MS: Final = timedelta(milliseconds=1)


class _Visit(NamedTuple):
    """One entering of one queue, and what became of the whole call."""

    node: str
    call: str
    queue: str
    entered_at: datetime
    left_at: datetime | None
    result: str | None
    cause: str | None
    wait_s: float
    talk_s: float

    @property
    def wait_ms(self) -> int | None:
        return None if self.left_at is None else milliseconds(self.entered_at, self.left_at)


@dataclass(slots=True)
class Waits:
    """Waits in whole milliseconds: how many, together, the longest."""

    count: int = 0
    sum_ms: int = 0
    max_ms: int = 0

    def add(self, ms: int | None) -> None:
        """One more; one that nobody knows is none, and not a wait of 0."""
        if ms is not None:
            self.count += 1
            self.sum_ms += ms
            self.max_ms = max(self.max_ms, ms)

    @property
    def mean_s(self) -> float | None:
        return round(self.sum_ms / self.count / 1000, 3) if self.count else None

    @property
    def max_s(self) -> float | None:
        return self.max_ms / 1000 if self.count else None


@dataclass(slots=True)
class _Tally:
    """What is counted of one queue, of one hour of it, or of all calls; `lost` is the end whose waits stand apart."""

    ends: dict[str, int]
    lost: str
    levels: Sequence[timedelta]
    waits: dict[str, Waits] = field(default_factory=lambda: defaultdict(Waits))
    talks: Waits = field(default_factory=Waits)
    within: dict[timedelta, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, end: str, wait_ms: int | None) -> None:
        """One that ended so after that wait."""
        self.ends[end] += 1
        self.waits["wait"].add(wait_ms)
        self.waits[f"{end}_wait"].add(wait_ms)
        for level in self.levels:
            self.within[level] += end == ANSWERED and wait_ms is not None and wait_ms <= level / _MS

    def numbers(self) -> Json:
        """The counts, shares of all but those who left at once, waits, service levels and the mean talk."""
        counted = sum(self.ends.values()) - self.ends[SHORT]
        waits = {name: self.waits[name] for name in ("wait", f"{ANSWERED}_wait", f"{self.lost}_wait")}
        return {
            **self.ends,
            "answered_share": kpi.share(self.ends[ANSWERED], counted),
            **{f"{name}_mean_s": each.mean_s for name, each in waits.items()},
            **{f"{name}_max_s": each.max_s for name, each in waits.items()},
            "service_levels": [self._level(level, counted) for level in self.levels],
            "talk_mean_s": self.talks.mean_s,
        }

    def _level(self, level: timedelta, counted: int) -> Json:
        """Answered in time: how many, which part of the answered ones, which part of all."""
        return {
            "within_s": level.total_seconds(),
            "answered": self.within[level],
            "of_answered": kpi.share(self.within[level], self.ends[ANSWERED]),
            "of_all": kpi.share(self.within[level], counted),
        }


def queues(connection: sa.Connection, period: Period, policy: Policy) -> Json:
    """`queues`: an object per node and queue, of the visits begun in the period; `total`: of the calls behind them.

    A call over several queues is a visit of each and one call. Seconds, shares of 0..1, None where there is no data.
    """
    visits = _visits(connection, period)
    tallies = _tallies(connection, visits, period, policy, lambda node, queue, _: (node, queue))
    sums, served = rolled.sums(connection, period, policy), _served(connection, period)
    rows = [
        {"node": node, "queue": queue, "received": sum(tally.ends.values())}
        | tally.numbers()
        | _work(served.get((node, queue), frozenset()), sums)
        for (node, queue), tally in sorted(tallies.items())
    ]
    everybody = frozenset(agent for agents in served.values() for agent in agents)
    return {"queues": rows, "total": _total(visits, period, policy) | _work(everybody, sums)}


def hours(connection: sa.Connection, period: Period, policy: Policy) -> list[Json]:
    """The same of each hour in which anybody entered a queue, by the site's clock; without the agents' work."""

    def hour_of(node: str, queue: str, at: datetime) -> tuple[Any, ...]:
        local = at.astimezone(policy.hours.zone)
        return node, queue, local.date(), local.hour

    tallies = _tallies(connection, _visits(connection, period), period, policy, hour_of)
    return [
        {"node": node, "queue": queue, "day": day.isoformat(), "hour": hour, "received": sum(tally.ends.values())}
        | tally.numbers()
        for (node, queue, day, hour), tally in sorted(tallies.items())
    ]


def _visits(connection: sa.Connection, period: Period) -> list[_Visit]:
    """All that those calls entered which may have entered a queue in the period."""
    stage, call = schema.stage.c, schema.call.c
    wanted = (
        sa.select(
            *(stage.node, stage.call, stage.name, stage.entered_at, stage.left_at, stage.result),
            *(call.cause, call.wait_s, call.talk_s),
        )
        .join(schema.call, sa.and_(stage.node == call.node, stage.call == call.key))
        .where(*_of_ended(period), stage.kind == StageKind.QUEUE)
    )
    return [_Visit(*row) for row in connection.execute(wanted)]


def _of_ended(period: Period) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on inbound calls that are over and may touch the period."""
    call, near = schema.call.c, Period(begin=period.begin - _LONGEST, end=period.end, node=period.node)
    return near.holds(schema.call, "started_at"), call.direction == Direction.INBOUND, call.ended_at.is_not(None)


def _tallies(
    connection: sa.Connection,
    visits: Iterable[_Visit],
    period: Period,
    policy: Policy,
    key: Callable[[str, str, datetime], tuple[Any, ...]],
) -> dict[tuple[Any, ...], _Tally]:
    shorts: dict[str, timedelta] = {}
    found: dict[tuple[Any, ...], _Tally] = {}
    for visit in visits:
        if not period.begin <= visit.entered_at < period.end:
            continue
        if visit.queue not in shorts:
            shorts[visit.queue] = policy.of_queue(visit.queue).short_abandon
        mine = key(visit.node, visit.queue, visit.entered_at)
        if mine not in found:
            found[mine] = _Tally(dict.fromkeys(ENDS, 0), ABANDONED, policy.service_levels)
        found[mine].add(_end(visit, shorts[visit.queue]), visit.wait_ms)
    for node, queue, entered_at, talk_ms in _talks(connection, period):
        mine = key(node, queue, entered_at)
        if mine in found:  # else the call has ended since the visits were read
            found[mine].talks.add(talk_ms)
    return found


def _end(visit: _Visit, short: timedelta) -> str:
    if visit.result == ABANDONED and visit.left_at is not None and visit.left_at - visit.entered_at < short:
        return SHORT
    return visit.result if visit.result is not None and visit.result in ENDS else OTHER


def _talks(connection: sa.Connection, period: Period) -> Iterable[tuple[str, str, datetime, int]]:
    """The talks that came of a queue's rings, each with the entering of that queue."""
    stage, call, talk, offer = schema.stage.c, schema.call.c, schema.talk.c, schema.offer.c
    wanted = (
        sa.select(stage.node, stage.name, stage.entered_at, talk.talk_s)
        .join(schema.call, sa.and_(stage.node == call.node, stage.call == call.key))
        .join(schema.talk, sa.and_(talk.node == stage.node, talk.call == stage.call))
        .join(
            schema.offer,
            sa.and_(offer.node == talk.node, offer.call == talk.call, offer.position == talk.offer),
        )
        .where(*_of_ended(period), period.holds(schema.stage, "entered_at"), stage.kind == StageKind.QUEUE)
        .where(offer.queue == stage.name, talk.talk_s.is_not(None))
        .where(stage.entered_at <= talk.began_at, stage.left_at >= offer.began_at)
    )
    for node, queue, entered_at, talk_s in connection.execute(wanted):
        yield node, queue, entered_at, round(talk_s * 1000)


def _served(connection: sa.Connection, period: Period) -> dict[Key, frozenset[Key]]:
    """By node and queue, the agents whose phones it rang in the period."""
    offer, call = schema.offer.c, schema.call.c
    wanted = (
        sa.select(offer.node, offer.queue, offer.agent)
        .join(schema.call, sa.and_(offer.node == call.node, offer.call == call.key))
        .where(*_of_ended(period), period.holds(schema.offer, "began_at"), offer.queue.is_not(None))
        .distinct()
    )
    found: dict[Key, frozenset[Key]] = {}
    for node, queue, agent in connection.execute(wanted):
        found[node, queue] = found.get((node, queue), frozenset()) | {(node, agent)}
    return found


def _work(agents: frozenset[Key], sums: Mapping[Key, Sums]) -> Json:
    """How many agents, and which part of their available time they were at work, for whichever queue."""
    mine = [sums[agent] for agent in agents if agent in sums]
    busy = sum(min(each.talking_ms + each.hold_ms + each.wrapup_ms, each.ready_ms) for each in mine)
    return {"agents": len(agents), "occupancy": kpi.share(busy, sum(each.ready_ms for each in mine))}


def _total(visits: Sequence[_Visit], period: Period, policy: Policy) -> Json:
    """Each call once, at its first entering: answered is who was really talked to."""
    firsts: dict[Key, _Visit] = {}
    for visit in visits:
        known = firsts.setdefault((visit.node, visit.call), visit)
        if visit.entered_at < known.entered_at:
            firsts[visit.node, visit.call] = visit
    tally = _Tally({ANSWERED: 0, LOST: 0, SHORT: 0}, LOST, policy.service_levels)
    for visit in firsts.values():
        if period.begin <= visit.entered_at < period.end:
            tally.add(_outcome(visit.cause), round(visit.wait_s * 1000))
            if visit.cause is None:
                tally.talks.add(round(visit.talk_s * 1000))
    inside = sum(period.begin <= visit.entered_at < period.end for visit in visits)
    return {"calls": sum(tally.ends.values()), "visits": inside} | tally.numbers()


def _outcome(cause: str | None) -> str:
    if cause is None:
        return ANSWERED
    return SHORT if cause == Cause.SHORT_ABANDON else LOST
