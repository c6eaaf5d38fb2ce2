"""What is kept of the calls that began on one day of a node: journeys, visits of queues, where callers are from."""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.regions import PREFIX
from pbxmonitor.store import schema
from pbxmonitor.store.form import to_text
from pbxmonitor.store.journeys import Journeys, journeys_of_rows
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import Row
from pbxmonitor.store.visits import Visits, of_ended, visits_of_rows

TABLES: Final = (schema.journey_day, schema.visit_hour, schema.caller_day)
ORIGINS: Final = ("calls", "answered", "lost", "short_abandons")
# What the rows below are like: another number has every day rolled up again.
_SHAPE: Final = 1


def rules_of(policy: Policy) -> str:
    """The rules that calls are counted by when a report is made, as one word: other rules, other sums."""
    limits = [
        (queue, own.min_ring.total_seconds(), own.short_abandon.total_seconds())
        for queue in ("", *sorted(policy.queues))
        for own in (policy.of_queue(queue),)
    ]
    levels = [level.total_seconds() for level in policy.service_levels]
    return sha256(json.dumps([_SHAPE, levels, limits]).encode()).hexdigest()[:24]


def call_day_rows(connection: sa.Connection, begun: Period, day: date, policy: Policy) -> dict[sa.Table, Sequence[Row]]:
    """The rows of that day of that node, by table."""
    journeys = Journeys()
    journeys_of_rows(connection, begun, policy, journeys)
    visits = visits_of_rows(connection, begun, policy)
    mine: dict[str, Any] = {"node": begun.node, "day": day}
    hours = [
        mine | {"entered": entered, "hour": hour, "queue": queue, "counts": to_text(tally.packed())}
        for (_, queue, entered, hour), tally in visits.hours.items()
    ]
    callers = [
        mine | {"prefix": word_of(prefix)} | dict(zip(ORIGINS, counts, strict=True))
        for prefix, counts in callers_of_rows(connection, begun)
    ]
    days = [{**mine, **_day(journeys, visits, day)}] if journeys.calls or visits.hours or visits.served else []
    return {schema.journey_day: days, schema.visit_hour: hours, schema.caller_day: callers}


def _day(journeys: Journeys, visits: Visits, day: date) -> Row:
    served: dict[str, dict[str, list[str]]] = {}
    for (_, queue, rang), agents in sorted(visits.served.items()):
        served.setdefault(rang.isoformat(), {})[queue] = sorted(agents)
    calls = {entered.isoformat(): tally.packed() for entered, tally in sorted(visits.calls.items())}
    others = (*(entered for _, _, entered, _ in visits.hours), *(rang for _, _, rang in visits.served))
    return {
        "until": max(day, *others) if others else day,
        "journeys": to_text(journeys.packed()),
        "calls": to_text(calls),
        "served": to_text(served),
    }


def callers_of_rows(connection: sa.Connection, period: Period) -> Iterator[tuple[str | None, tuple[int, ...]]]:
    """Calls begun in the period and ended, by the part of the caller's number that decides the region: ORIGINS."""
    call = schema.call.c
    tests = (call.answered_at.is_not(None), call.lost.is_(True), call.cause == Cause.SHORT_ABANDON)
    wanted = (
        sa.select(
            sa.func.substr(call.caller, 1, PREFIX).label("prefix"),
            sa.func.count(),
            *(sa.func.sum(sa.case((test, 1), else_=0)) for test in tests),
        )
        .where(*of_ended(period))
        .group_by("prefix")
    )
    for prefix, *counts in connection.execute(wanted):
        yield prefix, tuple(map(int, counts))


def word_of(prefix: str | None) -> str:
    """The prefix as a key, which no number at all has too."""
    return "" if prefix is None else f"={prefix}"


def prefix_of(word: str) -> str | None:
    """What `word_of` was given."""
    return word[1:] if word else None
