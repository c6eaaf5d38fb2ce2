"""Sparklines of the employees' table: the missed share over the period in 14 points at most, drawn on the server."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.kpi import share
from pbxmonitor.domain.view import Json
from pbxmonitor.store import schema
from pbxmonitor.store.agent_report import ALL_NODES
from pbxmonitor.store.daily import daily
from pbxmonitor.store.sums import Key
from pbxmonitor.web.people import Wanted

POINTS: Final = 14
# From so many days on a point is days, before that hours.
_DAYS: Final = 7
_V: Final = schema.verdict.c
_OFFERED: Final = (Verdict.ANSWERED.value, Verdict.MISSED.value)
# The drawing's own units; a line as high as the top is that share, or more.
WIDE, HIGH, TOP_SHARE = 100.0, 24.0, 0.5
_EDGE: Final = 2.0
Counts = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """By agent, missed and offered of each slot of the time; `labels` name the slots."""

    counts: Mapping[Key, Sequence[Counts]]
    labels: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """One sparkline: a line through the slots with calls, its last point, where the goal lies; `text` says the same."""

    line: str
    end: tuple[float, float]
    goal: float
    text: str


def slots(connection: sa.Connection, wanted: Wanted) -> Slots:
    """The period in slots: days of the site, several together where there are many; of few days, hours with calls."""
    hours = wanted.policy.hours
    first, last = hours.day_of(wanted.stretch.begin), hours.day_of(wanted.stretch.end - timedelta(microseconds=1))
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    if len(days) >= _DAYS:
        return slots_of(_by_day(connection, wanted), days, "%d.%m")
    told = list(_by_hour(connection, wanted))
    return slots_of(told, sorted({at for _, at, _, _ in told}), "%H:%M" if len(days) == 1 else "%d.%m %H:%M")


def slots_of(told: Iterable[tuple[Key, date, int, int]], units: Sequence[date], form: str) -> Slots:
    """Missed and offered by agent and slot, of (agent, unit of time, missed, offered)."""
    count = min(POINTS, len(units))
    place = {unit: number * count // len(units) for number, unit in enumerate(units)}
    found: dict[Key, list[Counts]] = defaultdict(lambda: [(0, 0)] * count)
    for key, unit, missed, offered in told:
        if unit in place:
            before = found[key][place[unit]]
            found[key][place[unit]] = before[0] + missed, before[1] + offered
    begins = {number: unit for unit, number in reversed(place.items())}
    return Slots(counts=found, labels=[begins[number].strftime(form) for number in range(count)])


def _by_day(connection: sa.Connection, wanted: Wanted) -> Iterator[tuple[Key, date, int, int]]:
    length = wanted.stretch.end - wanted.stretch.begin
    for key, told in daily(connection, wanted.period, wanted.policy, length).items():
        for day, missed, offered in told.shares(told.missed, told.offered):
            yield key, day, missed, offered


def _by_hour(connection: sa.Connection, wanted: Wanted) -> Iterator[tuple[Key, datetime, int, int]]:
    mine = sa.and_(wanted.period.holds(schema.verdict, "started_at"), _V.verdict.in_(_OFFERED))
    zone = wanted.policy.hours.zone
    for row in connection.execute(sa.select(_V.node, _V.agent, _V.verdict, _V.started_at).where(mine)):
        hour = row.started_at.astimezone(zone).replace(minute=0, second=0, microsecond=0)
        yield (row.node, row.agent), hour, row.verdict == Verdict.MISSED, 1


def sparks(
    found: Slots, rows: Iterable[Json], limit: float, percent: Callable[[float], str], says: Callable[..., str]
) -> dict[Key, Spark]:
    """The sparkline of each row of the agent report that has calls in more than one slot."""
    drawn = {}
    for row in rows:
        key = row["node"], row["agent"]
        shares = [share(*slot) for slot in _counts_of(found, key)]
        if sum(each is not None for each in shares) > 1:
            drawn[key] = _spark(shares, found.labels, limit, percent, says)
    return drawn


def _counts_of(found: Slots, key: Key) -> Sequence[Counts]:
    """His on that PBX; of a person who is one on every PBX, all together."""
    if key[0] != ALL_NODES:
        return found.counts.get(key, ())
    parts = [counts for (_, agent), counts in found.counts.items() if agent == key[1]]
    return [(sum(each[0] for each in slot), sum(each[1] for each in slot)) for slot in zip(*parts, strict=True)]


def _spark(
    shares: Sequence[float | None],
    labels: Sequence[str],
    limit: float,
    percent: Callable[[float], str],
    says: Callable[..., str],
) -> Spark:
    known = [(number, value) for number, value in enumerate(shares) if value is not None]
    wide = (WIDE - 2 * _EDGE) / max(len(shares) - 1, 1)
    points = [(round(_EDGE + number * wide, 2), _y(value)) for number, value in known]
    told = ", ".join(f"{labels[number]} — {percent(value)}" for number, value in known)
    return Spark(
        line=" ".join(f"{x},{y}" for x, y in points),
        end=points[-1],
        goal=_y(limit),
        text=says("web.employees.spark", points=told),
    )


def _y(value: float) -> float:
    return round(HIGH - _EDGE - min(value / TOP_SHARE, 1.0) * (HIGH - 2 * _EDGE), 2)
