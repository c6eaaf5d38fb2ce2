"""Visits of queues, counted so that stretches of time can be added up: how they ended, waits, talks, service levels.

A call's visits are counted with the call: roll-ups keep them by the day on which it began, and by the day and hour of
each entering.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction, StageKind
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rows import milliseconds
from pbxmonitor.store.sums import Key

ANSWERED, ABANDONED, SHORT, LOST, OTHER = "answered", "abandoned", "short_abandoned", "lost", "other"
# How a visit ended: a column each, and together all that was received.
ENDS: Final = (ANSWERED, ABANDONED, SHORT, "timeout", "full", "empty", "key", "transferred", OTHER)
# What became of a call, and the end of each whose waits stand apart.
OUTCOMES: Final = (ANSWERED, LOST, SHORT)
_MS: Final = timedelta(milliseconds=1)
Hour = tuple[str, str, date, int]
# All of them, or those of a stretch of time.
Within = Callable[[datetime], bool]


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

    def join(self, count: int, sum_ms: int, max_ms: int) -> None:
        """Those of another stretch."""
        self.count, self.sum_ms, self.max_ms = self.count + count, self.sum_ms + sum_ms, max(self.max_ms, max_ms)

    def flat(self) -> tuple[int, int, int]:
        return self.count, self.sum_ms, self.max_ms

    @property
    def mean_s(self) -> float | None:
        return round(self.sum_ms / self.count / 1000, 3) if self.count else None

    @property
    def max_s(self) -> float | None:
        return self.max_ms / 1000 if self.count else None


@dataclass(slots=True)
class Tally:
    """What is counted of one queue, of one hour of it, or of all calls; `levels` are those of the policy.

    `ended` are the waits of the answered ones, and of those whom nobody answered.
    """

    ends: dict[str, int]
    levels: Sequence[timedelta]
    waits: Waits = field(default_factory=Waits)
    ended: tuple[Waits, Waits] = field(default_factory=lambda: (Waits(), Waits()))
    talks: Waits = field(default_factory=Waits)
    within: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.within = self.within or [0] * len(self.levels)

    def add(self, end: str, wait_ms: int | None) -> None:
        """One that ended so after that wait."""
        self.ends[end] += 1
        self.waits.add(wait_ms)
        if end in (ANSWERED, ABANDONED, LOST):
            self.ended[end != ANSWERED].add(wait_ms)
        if end == ANSWERED and wait_ms is not None:
            for place, level in enumerate(self.levels):
                self.within[place] += wait_ms <= level / _MS

    def packed(self) -> list[int]:
        """Its numbers in turn."""
        waits = (number for each in self._waits() for number in each.flat())
        return [*self.ends.values(), *waits, *self.within]

    def join(self, packed: Iterable[Sequence[int]]) -> None:
        """Add those that are packed so."""
        columns = list(zip(*packed, strict=True))
        if not columns:
            return
        totals, first = list(map(sum, columns)), len(self.ends)
        for place, end in enumerate(self.ends):
            self.ends[end] += totals[place]
        for place, waits in enumerate(self._waits()):
            at = first + 3 * place
            waits.join(totals[at], totals[at + 1], max(columns[at + 2]))
        for place, count in enumerate(totals[first + 12 :]):
            self.within[place] += count

    def _waits(self) -> tuple[Waits, Waits, Waits, Waits]:
        return self.waits, *self.ended, self.talks


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


@dataclass(frozen=True, slots=True)
class Visits:
    """Of inbound calls that are over: visits by hour of entering, the calls behind them by the day of the first one.

    `served` are the agents whose phones each queue rang, by node, queue and day.
    """

    hours: Mapping[Hour, Tally]
    calls: Mapping[date, Tally]
    served: Mapping[tuple[str, str, date], frozenset[str]]


def visits_of_rows(connection: sa.Connection, begun: Period, policy: Policy, within: Period | None = None) -> Visits:
    """Those of the calls that began in that stretch; only what happened `within` that one, if given."""
    counts = _within(within)
    visits = _visits(connection, begun)
    hours: dict[Hour, Tally] = {}
    _count_visits(visits, counts, policy, hours)
    for node, queue, entered_at, talk_ms in _talks(connection, begun):
        key = _hour(policy, node, queue, entered_at)
        if counts(entered_at) and key in hours:  # else the call has ended since the visits were read
            hours[key].talks.add(talk_ms)
    return Visits(hours, _calls(visits, counts, policy), _served(connection, begun, policy, within))


def _within(period: Period | None) -> Within:
    return (lambda _: True) if period is None else lambda at: period.begin <= at < period.end


def of_ended(begun: Period) -> tuple[sa.ColumnElement[bool], ...]:
    """The condition on inbound calls that began in the period and are over."""
    call = schema.call.c
    return begun.holds(schema.call, "started_at"), call.direction == Direction.INBOUND, call.ended_at.is_not(None)


def _hour(policy: Policy, node: str, queue: str, at: datetime) -> Hour:
    local = at.astimezone(policy.hours.zone)
    return node, queue, local.date(), local.hour


def _visits(connection: sa.Connection, begun: Period) -> list[_Visit]:
    stage, call = schema.stage.c, schema.call.c
    wanted = (
        sa.select(
            *(stage.node, stage.call, stage.name, stage.entered_at, stage.left_at, stage.result),
            *(call.cause, call.wait_s, call.talk_s),
        )
        .join(schema.call, sa.and_(stage.node == call.node, stage.call == call.key))
        .where(*of_ended(begun), stage.kind == StageKind.QUEUE)
    )
    return [_Visit(*row) for row in connection.execute(wanted)]


def _count_visits(visits: Iterable[_Visit], counts: Within, policy: Policy, into: dict[Hour, Tally]) -> None:
    shorts: dict[str, timedelta] = {}
    for visit in visits:
        if not counts(visit.entered_at):
            continue
        if visit.queue not in shorts:
            shorts[visit.queue] = policy.of_queue(visit.queue).short_abandon
        key = _hour(policy, visit.node, visit.queue, visit.entered_at)
        if key not in into:
            into[key] = Tally(dict.fromkeys(ENDS, 0), policy.service_levels)
        into[key].add(_end(visit, shorts[visit.queue]), visit.wait_ms)


def _end(visit: _Visit, short: timedelta) -> str:
    if visit.result == ABANDONED and visit.left_at is not None and visit.left_at - visit.entered_at < short:
        return SHORT
    return visit.result if visit.result is not None and visit.result in ENDS else OTHER


def _talks(connection: sa.Connection, begun: Period) -> Iterable[tuple[str, str, datetime, int]]:
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
        .where(*of_ended(begun), stage.kind == StageKind.QUEUE)
        .where(offer.queue == stage.name, talk.talk_s.is_not(None))
        .where(stage.entered_at <= talk.began_at, stage.left_at >= offer.began_at)
    )
    for node, queue, entered_at, talk_s in connection.execute(wanted):
        yield node, queue, entered_at, round(talk_s * 1000)


def _calls(visits: Iterable[_Visit], counts: Within, policy: Policy) -> dict[date, Tally]:
    """Each call once, at its first entering: answered is who was really talked to."""
    firsts: dict[Key, _Visit] = {}
    for visit in visits:
        known = firsts.setdefault((visit.node, visit.call), visit)
        if visit.entered_at < known.entered_at:
            firsts[visit.node, visit.call] = visit
    found: dict[date, Tally] = {}
    for visit in firsts.values():
        if counts(visit.entered_at):
            day = policy.hours.day_of(visit.entered_at)
            tally = found.setdefault(day, Tally(dict.fromkeys(OUTCOMES, 0), policy.service_levels))
            tally.add(_outcome(visit.cause), round(visit.wait_s * 1000))
            if visit.cause is None:
                tally.talks.add(round(visit.talk_s * 1000))
    return found


def _outcome(cause: str | None) -> str:
    if cause is None:
        return ANSWERED
    return SHORT if cause == Cause.SHORT_ABANDON else LOST


def _served(
    connection: sa.Connection, begun: Period, policy: Policy, within: Period | None
) -> dict[tuple[str, str, date], frozenset[str]]:
    """By day of the ring; the database puts the rings of a stretch together as long as none crosses midnight."""
    offer, call = schema.offer.c, schema.call.c
    whose = (offer.node, offer.queue, offer.agent)
    during = (within.holds(schema.offer, "began_at"),) if within is not None else ()
    wanted: sa.Select[Any] = (
        sa.select(*whose, sa.func.min(offer.began_at), sa.func.max(offer.began_at))
        .join(schema.call, sa.and_(offer.node == call.node, offer.call == call.key))
        .where(*of_ended(begun), offer.queue.is_not(None), *during)
    )
    day_of, rows = policy.hours.day_of, connection.execute(wanted.group_by(*whose)).all()
    if any(day_of(first) != day_of(last) for *_, first, last in rows):
        rows = connection.execute(wanted.group_by(*whose, offer.began_at)).all()
    found: dict[tuple[str, str, date], set[str]] = {}
    for node, queue, agent, began_at, _ in rows:
        found.setdefault((node, queue, day_of(began_at)), set()).add(agent)
    return {key: frozenset(agents) for key, agents in found.items()}
