"""What is counted of calls over any period: from roll-ups where they hold, from rows elsewhere; the same numbers.

A day's roll-up holds the calls that began on it, counted by rules (`rules_of`); what came later of them, a visit after
midnight, stands in it with its own day.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.call_days import ORIGINS, callers_of_rows, prefix_of, rules_of
from pbxmonitor.store.journeys import Journeys, journeys_of_rows
from pbxmonitor.store.reports import Period, on_node
from pbxmonitor.store.rolled import Cover, Days, by_day, cover, nodes, on_days
from pbxmonitor.store.sums import Key
from pbxmonitor.store.visits import ENDS, OUTCOMES, Hour, Tally, Visits, visits_of_rows

# Nobody is so long in a call before he enters a queue.
_LONGEST: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_HOURS: Final = schema.visit_hour


def journeys(connection: sa.Connection, period: Period, policy: Policy) -> Journeys:
    """Inbound calls begun in the period and ended."""
    found = Journeys()
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy, rules=rules_of(policy))
        for days in parts.days:
            packed = sa.select(schema.journey_day.c.journeys).where(on_days(schema.journey_day, node, days))
            for each in connection.execute(packed).scalars():
                found.join(node, json.loads(each))
        for piece in _pieces(connection, node, parts, policy.hours):
            journeys_of_rows(connection, piece, policy, found)
    return found


def callers(connection: sa.Connection, period: Period, policy: Policy) -> dict[str | None, list[int]]:
    """The same calls by the part of the caller's number that decides the region: ORIGINS."""
    found: dict[str | None, list[int]] = {}
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy, rules=rules_of(policy))
        rows = [row for days in parts.days for row in _rolled_callers(connection, node, days)]
        for piece in _pieces(connection, node, parts, policy.hours):
            rows += callers_of_rows(connection, piece)
        for prefix, counts in rows:
            known = found.setdefault(prefix, [0] * len(ORIGINS))
            known[:] = map(sum, zip(known, counts, strict=True))
    return found


def _rolled_callers(connection: sa.Connection, node: str, days: Days) -> Iterator[tuple[str | None, Sequence[int]]]:
    table = schema.caller_day
    totals = [sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in ORIGINS]
    wanted = sa.select(table.c.prefix, *totals).where(on_days(table, node, days)).group_by(table.c.prefix)
    for word, *counts in connection.execute(wanted):
        yield prefix_of(word), list(map(int, counts))


@dataclass(slots=True)
class Queues:
    """Visits in a period by node and queue, the calls behind them, and the agents whose phones each queue rang."""

    levels: Sequence[timedelta]
    visits: dict[Key, Tally] = field(default_factory=dict)
    calls: Tally = field(init=False)
    served: dict[Key, set[Key]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls = Tally(dict.fromkeys(OUTCOMES, 0), self.levels)

    def add(self, node: str, queue: str, packed: Iterable[Sequence[int]]) -> None:
        """More visits of that queue."""
        if (node, queue) not in self.visits:
            self.visits[node, queue] = Tally(dict.fromkeys(ENDS, 0), self.levels)
        self.visits[node, queue].join(packed)

    def serve(self, node: str, queue: str, agents: Iterable[str]) -> None:
        """More agents of that queue."""
        self.served.setdefault((node, queue), set()).update((node, agent) for agent in agents)


def queues(connection: sa.Connection, period: Period, policy: Policy) -> Queues:
    """All that entered a queue in the period, of inbound calls that are over."""
    found = Queues(policy.service_levels)
    for node, days, rest in _parts(connection, period, policy):
        for run in days:
            _add_rolled(connection, node, run, _days_of(period, policy.hours), found)
        for piece in rest:
            _add_rows(visits_of_rows(connection, piece, policy, period), found)
    return found


def _add_rolled(connection: sa.Connection, node: str, run: Days, within: Days, found: Queues) -> None:
    texts = sa.func.aggregate_strings(_HOURS.c.counts, ",")
    mine = sa.and_(on_days(_HOURS, node, run), _HOURS.c.entered >= within[0], _HOURS.c.entered < within[1])
    for queue, text in connection.execute(sa.select(_HOURS.c.queue, texts).where(mine).group_by(_HOURS.c.queue)):
        found.add(node, queue, json.loads(f"[{text}]"))
    table, inside = schema.journey_day, (within[0].isoformat(), within[1].isoformat())
    firsts: list[Sequence[int]] = []
    for calls, served in connection.execute(sa.select(table.c.calls, table.c.served).where(on_days(table, node, run))):
        firsts += (packed for day, packed in json.loads(calls).items() if inside[0] <= day < inside[1])
        for day, agents in json.loads(served).items():
            if inside[0] <= day < inside[1]:
                for queue, names in agents.items():
                    found.serve(node, queue, names)
    found.calls.join(firsts)


def _add_rows(visits: Visits, found: Queues) -> None:
    for (node, queue, _, _), tally in visits.hours.items():
        found.add(node, queue, [tally.packed()])
    for (node, queue, _), agents in visits.served.items():
        found.serve(node, queue, agents)
    found.calls.join([tally.packed() for tally in visits.calls.values()])


def visits_by_hour(connection: sa.Connection, period: Period, policy: Policy) -> dict[Hour, Tally]:
    """The visits of each hour in which anybody entered a queue: by node, queue, day and hour."""
    packed: dict[Hour, list[Sequence[int]]] = {}
    for node, days, rest in _parts(connection, period, policy):
        first, after = _days_of(period, policy.hours)
        for run in days:
            mine = sa.and_(on_days(_HOURS, node, run), _HOURS.c.entered >= first, _HOURS.c.entered < after)
            columns = _HOURS.c.queue, _HOURS.c.entered, _HOURS.c.hour, _HOURS.c.counts
            rows = connection.execute(sa.select(*columns).where(mine)).all()
            told = json.loads(f"[{','.join(row.counts for row in rows)}]")
            for (queue, entered, hour, _), counts in zip(rows, told, strict=True):
                packed.setdefault((node, queue, entered, hour), []).append(counts)
        for piece in rest:
            for key, tally in visits_of_rows(connection, piece, policy, period).hours.items():
                packed.setdefault(key, []).append(tally.packed())
    return {key: _tally(policy, counts) for key, counts in packed.items()}


def _tally(policy: Policy, packed: Iterable[Sequence[int]]) -> Tally:
    tally = Tally(dict.fromkeys(ENDS, 0), policy.service_levels)
    tally.join(packed)
    return tally


def _parts(
    connection: sa.Connection, period: Period, policy: Policy
) -> Iterator[tuple[str, Sequence[Days], Iterator[Period]]]:
    """By node, the runs of days and the stretches in which the calls began whose visits may be in the period."""
    near = Period(begin=period.begin - _LONGEST, end=period.end, node=period.node)
    for node in nodes(connection, near):
        without = _undecided(connection, node, period, policy.hours)
        parts = cover(connection, node, near, policy, rules=rules_of(policy), without=without)
        yield node, parts.days, _pieces(connection, node, parts, policy.hours)


def _days_of(period: Period, hours: WorkingHours) -> Days:
    """The first day of the period, and the first one after it, or that it reaches into only in part."""
    return hours.day_of(period.begin), hours.day_of(period.end)


def _undecided(connection: sa.Connection, node: str, period: Period, hours: WorkingHours) -> set[date]:
    """Days whose calls reach into a day that the period holds in part: by its day alone nobody can tell what counts."""
    table, found = schema.journey_day.c, set[date]()
    for at in (period.begin, period.end):
        cut = hours.day_of(at)
        if hours.day_span(cut)[0] != at:
            reaching = sa.select(table.day).where(table.node == node, table.day <= cut, table.until >= cut)
            found.update(connection.execute(reaching).scalars())
    return found


def _pieces(connection: sa.Connection, node: str, parts: Cover, hours: WorkingHours) -> Iterator[Period]:
    """What must be counted from rows, day by day: a year's calls at once fill the memory."""
    if not parts.rest:
        return
    moment = schema.call.c.started_at
    newest = sa.select(moment).where(on_node(schema.call.c.node, node)).order_by(moment.desc()).limit(1)
    last = connection.execute(newest).scalar()
    for begin, end in parts.rest:
        if last is not None and begin <= last:
            yield from by_day(Period(begin=begin, end=min(end, last + _INSTANT), node=node), hours)
