"""The journeys of inbound calls, counted so that stretches of time can be added up: the funnel and every stop.

A call over several queues is one call. After hours and short abandons stand apart: nobody was to answer them.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import OfferResult, StageKind, StageResult
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Found, Period
from pbxmonitor.store.rows import milliseconds
from pbxmonitor.store.sums import Key
from pbxmonitor.store.visits import Waits, of_ended

# The funnel: a call is lost at the last of these that it reached, if it was not answered for good.
STEPS: Final = ("ivr", "queue", "ring", "pickup", "first_seconds", "talk")
_IVR, _QUEUE, _RING, _PICKUP, _FIRST_SECONDS, _TALK = range(6)
_Parts = dict[Key, list[Found]]
Place = tuple[str, int, str, str]
_ONE_RING: Final = timedelta(seconds=1)
APART: Final = (Cause.AFTER_HOURS, Cause.SHORT_ABANDON)
_STOPS: Final = (StageKind.QUEUE, StageKind.DIAL, StageKind.EXTERNAL)
_SILENT: Final = (OfferResult.BUSY, OfferResult.UNREACHABLE)
_NOT_RUNG: Final = (StageResult.BUSY, StageResult.UNREACHABLE)
_MISSES: Final = (OfferResult.RNA, OfferResult.CALLER_GAVE_UP)
_COUNTS: Final = ("entered", "answered", "dropped", "passed", "lost", "other")


@dataclass(slots=True)
class Stop:
    """One stop of the journey: whose visits of it ended how, and who let the lost calls ring there."""

    entered: int = 0
    answered: int = 0
    dropped: int = 0
    passed: int = 0
    lost: int = 0
    other: int = 0
    waits: Waits = field(default_factory=Waits)
    rang_last: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    def add(self, stage: Found, call: Found, *, last: bool) -> None:
        """One visit; `last` if the call went nowhere from there."""
        self.entered += 1
        if stage.left_at is not None:
            self.waits.add(milliseconds(stage.entered_at, stage.left_at))
        if stage.result == StageResult.ANSWERED:
            self.answered += 1
            self.dropped += last and call.lost
        elif not last:
            self.passed += 1
        elif call.lost:
            self.lost += 1
        else:
            self.other += 1

    def counts(self) -> dict[str, int]:
        """How its visits ended, by name."""
        return {name: getattr(self, name) for name in _COUNTS}

    def packed(self) -> list[Any]:
        return [*self.counts().values(), *self.waits.flat(), self.rang_last, self.missed]

    def join(self, packed: Sequence[Any]) -> None:
        """Those of another stretch, packed so."""
        *counts, count, sum_ms, max_ms, rang_last, missed = packed
        for name, number in zip(_COUNTS, counts, strict=True):
            setattr(self, name, getattr(self, name) + number)
        self.waits.join(count, sum_ms, max_ms)
        for mine, more in ((self.rang_last, rang_last), (self.missed, missed)):
            for agent, calls in more.items():
                mine[agent] += calls


@dataclass(slots=True)
class Journeys:
    """Inbound calls begun in a stretch of time and ended; `reached`, `gone` and `waits` by step of the funnel."""

    calls: int = 0
    answered: int = 0
    lost: int = 0
    apart: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    reached: list[int] = field(default_factory=lambda: [0] * len(STEPS))
    gone: list[int] = field(default_factory=lambda: [0] * len(STEPS))
    waits: list[Waits] = field(default_factory=lambda: [Waits() for _ in STEPS])
    stops: defaultdict[Place, Stop] = field(default_factory=lambda: defaultdict(Stop))

    def packed(self) -> list[Any]:
        """What is kept of one node's day, JSON-able."""
        stops = [[*place[1:], *stop.packed()] for place, stop in sorted(self.stops.items())]
        totals = [self.calls, self.answered, self.lost, self.apart, self.causes]
        return [*totals, self.reached, self.gone, [each.flat() for each in self.waits], stops]

    def join(self, node: str, packed: Sequence[Any]) -> None:
        """Those of another stretch of that node, packed so."""
        calls, answered, lost, apart, causes, reached, gone, waits, stops = packed
        self.calls, self.answered, self.lost = self.calls + calls, self.answered + answered, self.lost + lost
        self.apart.update(apart)
        self.causes.update(causes)
        for step, flat in enumerate(waits):
            self.reached[step] += reached[step]
            self.gone[step] += gone[step]
            self.waits[step].join(*flat)
        for place, kind, name, *more in stops:
            self.stops[node, place, kind, name].join(more)


def journeys_of_rows(connection: sa.Connection, period: Period, policy: Policy, into: Journeys) -> None:
    """Count those of the calls that began in the period, too."""
    calls = _calls(connection, period)
    counted = {key: call for key, call in calls.items() if call.cause not in APART}
    into.calls += len(calls)
    into.apart.update(str(call.cause) for call in calls.values() if call.cause in APART)
    into.causes.update(str(call.cause) for call in calls.values() if call.lost)
    into.answered += sum(call.cause is None for call in counted.values())
    into.lost += sum(call.lost for call in counted.values())
    journeys = _journeys(connection, period)
    _funnel(counted, journeys, _rang_at(connection, period), into)
    _stops(counted, journeys, _rings(connection, period), policy, into.stops)


def _calls(connection: sa.Connection, period: Period) -> dict[Key, Found]:
    call = schema.call.c
    columns = call.node, call.key, call.started_at, call.answered_at, call.lost, call.cause
    wanted: sa.Select[Any] = sa.select(*columns)
    return {(row.node, row.key): row for row in connection.execute(wanted.where(*of_ended(period)))}


def _rang_at(connection: sa.Connection, period: Period) -> dict[Key, datetime]:
    """When each call first made a phone ring that could be heard."""
    offer, call = schema.offer.c, schema.call.c
    wanted = (
        sa.select(offer.node, offer.call, sa.func.min(offer.began_at))
        .join(schema.call, sa.and_(offer.node == call.node, offer.call == call.key))
        .where(*of_ended(period), offer.counts.is_(True), offer.result.not_in(_SILENT))
        .group_by(offer.node, offer.call)
    )
    return {(node, key): at for node, key, at in connection.execute(wanted)}


def _journeys(connection: sa.Connection, period: Period) -> _Parts:
    """The stops of each call, in order."""
    stage = schema.stage.c
    wanted = sa.select(*(stage.node, stage.call, stage.kind, stage.name, stage.entered_at, stage.left_at, stage.result))
    return _by_call(connection, period, schema.stage, wanted)


def _rings(connection: sa.Connection, period: Period) -> _Parts:
    """The rings of each lost call, in order."""
    offer = schema.offer.c
    wanted = sa.select(
        *(offer.node, offer.call, offer.agent, offer.queue),
        *(offer.began_at, offer.ended_at, offer.result),
    ).where(schema.call.c.lost.is_(True), offer.counts.is_(True), offer.result.is_not(None))
    return _by_call(connection, period, schema.offer, wanted)


def _by_call(connection: sa.Connection, period: Period, table: sa.Table, wanted: sa.Select[Any]) -> _Parts:
    of_call = sa.and_(table.c.node == schema.call.c.node, table.c.call == schema.call.c.key)
    found: _Parts = {}
    for row in connection.execute(
        wanted.join(schema.call, of_call)
        .where(*of_ended(period))
        .order_by(table.c.node, table.c.call, table.c.position)
    ):
        found.setdefault((row.node, row.call), []).append(row)
    return found


def _funnel(
    calls: Mapping[Key, Found],
    journeys: Mapping[Key, Sequence[Found]],
    rings: Mapping[Key, datetime],
    into: Journeys,
) -> None:
    """Of each step: who reached it, who was lost there, and how long after the beginning of the call they got there."""
    for key, call in calls.items():
        waited = _waited(call, journeys.get(key, ()), rings.get(key))
        last = _TALK if call.cause is None else _lost_at(call, waited)
        into.gone[last] += call.cause is not None
        for step in range(last + 1):
            into.reached[step] += 1
            into.waits[step].add(waited[step])


def _waited(call: Found, journey: Sequence[Found], rang_at: datetime | None) -> tuple[int | None, ...]:
    """How many milliseconds after its beginning the call reached each step of the funnel, as far as that is known."""
    stop = next((stage.entered_at for stage in journey if stage.kind in _STOPS), None)
    outside = (
        stage.entered_at for stage in journey if stage.kind == StageKind.EXTERNAL and stage.result not in _NOT_RUNG
    )
    ring = min((at for at in (rang_at, next(outside, None)) if at is not None), default=None)
    entered, rung, picked = (
        None if at is None else milliseconds(call.started_at, at) for at in (stop, ring, call.answered_at)
    )
    return 0, entered, rung, picked, picked, picked


def _lost_at(call: Found, waited: Sequence[int | None]) -> int:
    """The last step that a call reached which nobody really answered."""
    if call.cause == Cause.TRANSFER_FAILED:
        return _TALK
    if call.answered_at is not None:
        return _FIRST_SECONDS
    if call.cause == Cause.DROPPED:
        return _PICKUP
    return next((step for step in (_RING, _QUEUE) if waited[step] is not None), _IVR)


def _stops(
    calls: Mapping[Key, Found],
    journeys: Mapping[Key, Sequence[Found]],
    rings: Mapping[Key, Sequence[Found]],
    policy: Policy,
    into: defaultdict[Place, Stop],
) -> None:
    """Every stop by its place in the journey: the first is step 1, a menu before it step 0."""
    min_ring = cache(lambda queue: policy.of_queue(queue).min_ring)
    for key, call in calls.items():
        journey = journeys.get(key, ())
        steps = [into[key[0], *place] for place in _places(journey)]
        for step, stage in zip(steps, journey, strict=True):
            step.add(stage, call, last=stage is journey[-1])
        _blame(steps, journey, [(ring, _missed(ring, min_ring)) for ring in rings.get(key, ())])


def _places(journey: Sequence[Found]) -> Iterator[tuple[int, str, str]]:
    """Of each stop its place, kind and name; a menu has the place of the stop before it."""
    place = 0
    for stage in journey:
        place += stage.kind != StageKind.IVR
        yield place, stage.kind, stage.name


def _blame(steps: Sequence[Stop], journey: Sequence[Found], rings: Sequence[tuple[Found, bool]]) -> None:
    """Note who missed a lost call at each stop, and whom it rang last."""
    if not journey or not rings:
        return
    missed = [ring for ring, is_miss in rings if is_miss]
    entered = [stage.entered_at for stage in journey]
    for place, agent in {(_place(entered, ring), ring.agent) for ring in missed}:
        steps[place].missed[agent] += 1
    last = _last(missed or [ring for ring, _ in rings])
    steps[_place(entered, last)].rang_last[last.agent] += 1


def _place(entered: Sequence[datetime], ring: Found) -> int:
    """At which stop it rang: the last one entered before."""
    return max(bisect_right(entered, ring.began_at) - 1, 0)


def _last(rings: Iterable[Found]) -> Found:
    """The ring that began last; of those begun within a second of it the first, as for the owner of a callback."""
    rings = list(rings)
    latest = max(ring.began_at for ring in rings)
    return min((ring for ring in rings if latest - ring.began_at <= _ONE_RING), key=attrgetter("began_at"))


def _missed(ring: Found, min_ring: Callable[[str | None], timedelta]) -> bool:
    """Whether that ring was somebody's miss."""
    if ring.result not in _MISSES or ring.ended_at is None:
        return bool(ring.result == OfferResult.DECLINED)
    return bool(ring.ended_at - ring.began_at >= min_ring(ring.queue))
