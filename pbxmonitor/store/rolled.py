"""Sums over any period: from roll-ups where they hold, from rows elsewhere; the same numbers either way."""

import json
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.kpi import COUNTS, LOAD, PACKED, Sums
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period, on_node
from pbxmonitor.store.rollups import Load, fresh_days, load_of_rows
from pbxmonitor.store.sums import Key, sums_of_rows

Days = tuple[date, date]
Span = tuple[datetime, datetime]
_DAY: Final = timedelta(days=1)
_WORTH_A_LOOK: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Cover:
    """A period of one node cut into runs of days (first, last) whose sums hold, and the rest."""

    days: Sequence[Days]
    rest: Sequence[Span]


def cover(
    connection: sa.Connection,
    node: str,
    period: Period,
    policy: Policy,
    *,
    rules: str | None = None,
    without: Container[date] = (),
) -> Cover:
    """Runs of whole fresh days (first, last) within the period, and the stretches that must be read from rows.

    Fresh by those `rules`, if given; days `without` use are read from rows, too.
    """
    hours = policy.hours
    first, last = hours.day_of(period.begin), hours.day_of(period.end)
    known = fresh_days(connection, node, str(hours.zone), rules)
    fresh = [day for day in known if first <= day <= last and day not in without]
    runs: list[tuple[date, date]] = []
    rest: list[Span] = []
    at = period.begin
    for day in sorted(fresh):
        begin, end = hours.day_span(day)
        if begin < period.begin or end > period.end:
            continue
        if begin > at:
            rest.append((at, begin))
        at = end
        runs[-1:] = [(runs[-1][0], day)] if runs and runs[-1][1] == day - _DAY else [*runs[-1:], (day, day)]
    if at < period.end:
        rest.append((at, period.end))
    return Cover(runs, list(_known(connection, node, rest)))


def _known(connection: sa.Connection, node: str, rest: Sequence[Span]) -> Iterator[Span]:
    """Those stretches without what lies before anything is known of the node.

    Rows are found by their moments: a PBX that was added last week would make reports read the year of the others.
    """
    if sum((end - begin for begin, end in rest), timedelta()) < _WORTH_A_LOOK:
        yield from rest
        return
    first = _first_moment(connection, node)
    for begin, end in rest:
        if first is not None and first < end:
            yield max(begin, first), end


def _first_moment(connection: sa.Connection, node: str) -> datetime | None:
    """When the first of it began that sums are made of."""
    found = []
    for table, moment in (
        (schema.call, "started_at"),
        (schema.agent_interval, "began_at"),
        (schema.callback, "opened_at"),
    ):
        if connection.execute(sa.select(table.c.node).where(table.c.node == node).limit(1)).first() is not None:
            at = table.c[moment]
            first = sa.select(at).where(on_node(table.c.node, node)).order_by(at).limit(1)
            found.append(connection.execute(first).scalar_one())
    return min(found, default=None)


def sums(
    connection: sa.Connection,
    period: Period,
    policy: Policy,
    *,
    counts: Sequence[str] = COUNTS,
    counts_only: bool = False,
) -> dict[Key, Sums]:
    """By node and agent, from roll-ups where they hold and from rows elsewhere: the same numbers either way.

    What is not among `counts`, and with `counts_only` the histograms, may be left at nothing.
    """
    found: dict[Key, Sums] = {}
    packed = () if counts_only else PACKED
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        pieces = [_rolled(connection, node, days, counts, packed) for days in parts.days]
        for begin, end in parts.rest:
            pieces.append(sums_of_rows(connection, Period(begin=begin, end=end, node=node), policy))
        for piece in pieces:
            for key, part in piece.items():
                found[key] = found[key] + part if key in found else part
    return dict(sorted(found.items()))


def nodes(connection: sa.Connection, period: Period) -> list[str]:
    """The period's node, or every one there is."""
    if period.node is not None:
        return [period.node]
    return sorted(connection.execute(sa.select(schema.node.c.name)).scalars())


def by_day(period: Period, hours: WorkingHours) -> Iterator[Period]:
    """The period cut at the midnights of the site."""
    at = period.begin
    while at < period.end:
        end = min(hours.day_span(hours.day_of(at))[1], period.end)
        yield Period(begin=at, end=end, node=period.node)
        at = end


def on_days(table: sa.Table, node: str, days: Days) -> sa.ColumnElement[bool]:
    """The condition that a row is of one of those days of that node."""
    return sa.and_(table.c.node == node, table.c.day >= days[0], table.c.day <= days[1])


def _rolled(
    connection: sa.Connection, node: str, days: Days, counts: Sequence[str], packed: Sequence[str]
) -> dict[Key, Sums]:
    table = schema.agent_day
    totals = [sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in counts]
    # The database puts the texts together: a row of each agent, not of each of his days.
    texts = [sa.func.aggregate_strings(table.c[name], ",") for name in packed]
    wanted = sa.select(table.c.agent, *totals, *texts).where(on_days(table, node, days)).group_by(table.c.agent)
    found: dict[Key, Sums] = {}
    for agent, *row in connection.execute(wanted).all():
        values: dict[str, Any] = dict(zip(counts, map(int, row[: len(counts)]), strict=True))
        values |= {name: _unpacked(text) for name, text in zip(packed, row[len(counts) :], strict=True)}
        found[node, agent] = Sums(**values)
    return found


def _unpacked(text: str) -> dict[int, int] | dict[str, dict[int, int]]:
    """The histogram, or histograms by state, of many days whose texts stand one after the other, added up."""
    days = json.loads(f"[{text}]")
    if not isinstance(days[0], dict):
        return histogram(days)
    by_state: dict[str, list[Sequence[int]]] = defaultdict(list)
    for state, flat in chain.from_iterable(day.items() for day in days):
        by_state[state].append(flat)
    return {state: histogram(flats) for state, flats in by_state.items()}


def histogram(flats: Iterable[Sequence[int]]) -> dict[int, int]:
    """Values and counts in turn, added up."""
    found: dict[int, int] = {}
    numbers = chain.from_iterable(flats)
    for value, count in zip(numbers, numbers, strict=True):
        found[value] = found.get(value, 0) + count
    return found


def calls_by_hour(connection: sa.Connection, period: Period, policy: Policy) -> dict[int, int]:
    """Inbound calls by the hour of the site's day: what `load` says, without reading all of it."""
    found: dict[int, int] = defaultdict(int)
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        for days in parts.days:
            for _, hour, calls in _rolled_hours(connection, node, days):
                found[hour] += calls
        for begin, end in parts.rest:
            for key, counts in load_of_rows(connection, Period(begin=begin, end=end, node=node), policy).items():
                found[key[2]] += counts["calls"]
    return dict(found)


def _rolled_hours(connection: sa.Connection, node: str, days: Days) -> Sequence[sa.Row[date, int, int]]:
    table = schema.call_hour
    calls = sa.cast(sa.func.sum(table.c.calls), sa.BigInteger)
    # By day as well: in this order the rows lie, and nobody needs to sort them.
    by = table.c.day, table.c.hour
    return connection.execute(sa.select(*by, calls).where(on_days(table, node, days)).group_by(*by)).all()


def load(connection: sa.Connection, period: Period, policy: Policy) -> Load:
    """Inbound calls by node, day, hour, line and queue, from roll-ups where they hold and from rows elsewhere."""
    found: Load = {}
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        for days in parts.days:
            found |= _rolled_load(connection, node, days)
        for begin, end in parts.rest:
            for key, counts in load_of_rows(connection, Period(begin=begin, end=end, node=node), policy).items():
                known = found.get(key, {})
                found[key] = {name: counts[name] + known.get(name, 0) for name in LOAD}
    return found


def _rolled_load(connection: sa.Connection, node: str, days: Days) -> Load:
    table = schema.call_hour.c
    wanted = sa.select(table.day, table.hour, table.line, table.queue, *(table[name] for name in LOAD))
    return {
        (node, day, hour, line, queue): dict(zip(LOAD, counts, strict=True))
        for day, hour, line, queue, *counts in connection.execute(wanted.where(on_days(schema.call_hour, node, days)))
    }
