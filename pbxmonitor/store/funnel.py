"""Where calls get stuck: the funnel from the menu to the talk, and every stop of the journey (docs/metrics.md).

A call over several queues is one call. After hours and short abandons stand apart: nobody was to answer them.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.call import Direction, OfferResult, StageKind, StageResult
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store import schema
from pbxmonitor.store.queue_report import Waits
from pbxmonitor.store.reports import Found, Period
from pbxmonitor.store.rows import milliseconds
from pbxmonitor.store.sums import Key

# The funnel: a call is lost at the last of these that it reached, if it was not answered for good.
STEPS: Final = ("ivr", "queue", "ring", "pickup", "first_seconds", "talk")
_IVR, _QUEUE, _RING, _PICKUP, _FIRST_SECONDS, _TALK = range(6)
PERSONS: Final = 3
_Parts = dict[Key, list[Found]]
_ONE_RING: Final = timedelta(seconds=1)
_APART: Final = (Cause.AFTER_HOURS, Cause.SHORT_ABANDON)
_STOPS: Final = (StageKind.QUEUE, StageKind.DIAL, StageKind.EXTERNAL)
_SILENT: Final = (OfferResult.BUSY, OfferResult.UNREACHABLE)
_NOT_RUNG: Final = (StageResult.BUSY, StageResult.UNREACHABLE)
_MISSES: Final = (OfferResult.RNA, OfferResult.CALLER_GAVE_UP)


@dataclass(slots=True)
class _Step:
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

    def told(self) -> Json:
        """The counts, the waits in seconds, the persons."""
        return {
            "entered": self.entered,
            "answered": self.answered,
            "dropped": self.dropped,
            "passed": self.passed,
            "lost": self.lost,
            "other": self.other,
            "lost_share": kpi.share(self.lost, self.entered),
            "wait_mean_s": self.waits.mean_s,
            "wait_max_s": self.waits.max_s,
            "rang_last": _most(self.rang_last),
            "missed_most": _most(self.missed),
        }


def stages(connection: sa.Connection, period: Period, policy: Policy) -> Json:
    """Inbound calls begun in the period and ended: `funnel`, the journey's `steps` in order, `causes` of the lost ones.

    Durations in seconds, shares of 0..1; None where there is nothing to say.
    """
    calls = _calls(connection, period)
    apart = {cause: sum(call.cause == cause for call in calls.values()) for cause in _APART}
    counted = {key: call for key, call in calls.items() if call.cause not in _APART}
    causes = Counter(str(call.cause) for call in calls.values() if call.lost)
    journeys = _journeys(connection, period)
    return {
        "calls": len(calls),
        "after_hours": apart[Cause.AFTER_HOURS],
        "short_abandoned": apart[Cause.SHORT_ABANDON],
        "answered": sum(call.cause is None for call in counted.values()),
        "lost": sum(call.lost for call in counted.values()),
        "funnel": _funnel(counted, journeys, _rang_at(connection, period)),
        "steps": _steps(counted, journeys, _rings(connection, period), policy),
        "causes": dict(sorted(causes.items(), key=lambda each: (-each[1], each[0]))),
    }


def _calls(connection: sa.Connection, period: Period) -> dict[Key, Found]:
    call = schema.call.c
    columns = call.node, call.key, call.started_at, call.answered_at, call.lost, call.cause
    wanted: sa.Select[Any] = sa.select(*columns)
    return {(row.node, row.key): row for row in connection.execute(wanted.where(*_of_ended(period)))}


def _of_ended(period: Period) -> tuple[sa.ColumnElement[bool], ...]:
    call = schema.call.c
    return period.holds(schema.call, "started_at"), call.direction == Direction.INBOUND, call.ended_at.is_not(None)


def _rang_at(connection: sa.Connection, period: Period) -> dict[Key, datetime]:
    """When each call first made a phone ring that could be heard."""
    offer, call = schema.offer.c, schema.call.c
    wanted = (
        sa.select(offer.node, offer.call, sa.func.min(offer.began_at))
        .join(schema.call, sa.and_(offer.node == call.node, offer.call == call.key))
        .where(*_of_ended(period), offer.counts.is_(True), offer.result.not_in(_SILENT))
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
        .where(*_of_ended(period))
        .order_by(table.c.node, table.c.call, table.c.position)
    ):
        found.setdefault((row.node, row.call), []).append(row)
    return found


def _funnel(
    calls: Mapping[Key, Found], journeys: Mapping[Key, Sequence[Found]], rings: Mapping[Key, datetime]
) -> list[Json]:
    """Of each step: who reached it, who was lost there, and how long after the beginning of the call they got there."""
    reached, lost, waits = [0] * len(STEPS), [0] * len(STEPS), [Waits() for _ in STEPS]
    for key, call in calls.items():
        waited = _waited(call, journeys.get(key, ()), rings.get(key))
        last = _TALK if call.cause is None else _lost_at(call, waited)
        lost[last] += call.cause is not None
        for step in range(last + 1):
            reached[step] += 1
            waits[step].add(waited[step])
    return [
        {
            "step": name,
            "reached": reached[step],
            "reached_share": kpi.share(reached[step], len(calls)),
            "lost": lost[step],
            "lost_share": kpi.share(lost[step], reached[step]),
            "wait_mean_s": waits[step].mean_s,
        }
        for step, name in enumerate(STEPS)
    ]


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


def _steps(
    calls: Mapping[Key, Found],
    journeys: Mapping[Key, Sequence[Found]],
    rings: Mapping[Key, Sequence[Found]],
    policy: Policy,
) -> list[Json]:
    """Every stop by its place in the journey: the first is step 1, a menu before it step 0."""
    found: dict[tuple[str, int, str, str], _Step] = defaultdict(_Step)
    min_ring = cache(lambda queue: policy.of_queue(queue).min_ring)
    for key, call in calls.items():
        journey = journeys.get(key, ())
        steps = [found[key[0], *place] for place in _places(journey)]
        for step, stage in zip(steps, journey, strict=True):
            step.add(stage, call, last=stage is journey[-1])
        _blame(steps, journey, [(ring, _missed(ring, min_ring)) for ring in rings.get(key, ())])
    order = sorted(found.items(), key=lambda each: (each[0][0], each[0][1], -each[1].entered, each[0][2:]))
    return [
        {"node": node, "step": place, "kind": kind, "name": name} | step.told()
        for (node, place, kind, name), step in order
    ]


def _places(journey: Sequence[Found]) -> Iterator[tuple[int, str, str]]:
    """Of each stop its place, kind and name; a menu has the place of the stop before it."""
    place = 0
    for stage in journey:
        place += stage.kind != StageKind.IVR
        yield place, stage.kind, stage.name


def _blame(steps: Sequence[_Step], journey: Sequence[Found], rings: Sequence[tuple[Found, bool]]) -> None:
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


def _last(rings: Sequence[Found]) -> Found:
    """The ring that began last; of those begun within a second of it the first, as for the owner of a callback."""
    latest = max(ring.began_at for ring in rings)
    return min((ring for ring in rings if latest - ring.began_at <= _ONE_RING), key=attrgetter("began_at"))


def _missed(ring: Found, min_ring: Callable[[str | None], timedelta]) -> bool:
    """Whether that ring was somebody's miss."""
    if ring.result not in _MISSES or ring.ended_at is None:
        return bool(ring.result == OfferResult.DECLINED)
    return bool(ring.ended_at - ring.began_at >= min_ring(ring.queue))


def _most(agents: Counter[str]) -> list[Json]:
    """The first few by how many calls."""
    order = sorted(agents.items(), key=lambda each: (-each[1], each[0]))
    return [{"agent": agent, "calls": calls} for agent, calls in order[:PERSONS]]
