"""Sums over any period: from roll-ups where they hold, from rows elsewhere; the same numbers either way."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain.kpi import COUNTS, LOAD, PACKED, Histogram, Sums
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import Load, fresh_days, load_of_rows
from pbxmonitor.store.sums import Key, sums_of_rows

_DAY: Final = timedelta(days=1)
_DAILY: Final = ("answered", "missed", "owned", "in_norm")


@dataclass(frozen=True, slots=True)
class Cover:
    """A period of one node cut into runs of days (first, last) whose sums hold, and the rest."""

    days: Sequence[tuple[date, date]]
    rest: Sequence[tuple[datetime, datetime]]


def cover(connection: sa.Connection, node: str, period: Period, policy: Policy) -> Cover:
    """Runs of whole fresh days (first, last) within the period, and the stretches that must be read from rows."""
    fresh, hours = fresh_days(connection, node, str(policy.hours.zone)), policy.hours
    runs: list[tuple[date, date]] = []
    rest: list[tuple[datetime, datetime]] = []
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
    return Cover(runs, rest)


def sums(connection: sa.Connection, period: Period, policy: Policy, *, counts_only: bool = False) -> dict[Key, Sums]:
    """By node and agent, from roll-ups where they hold and from rows elsewhere: the same numbers either way.

    `counts_only` may leave the histograms out.
    """
    found: dict[Key, Sums] = {}
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        pieces = [_rolled(connection, node, first, last, counts_only=counts_only) for first, last in parts.days]
        for begin, end in parts.rest:
            pieces.append(sums_of_rows(connection, Period(begin=begin, end=end, node=node), policy))
        for piece in pieces:
            for key, part in piece.items():
                found[key] = found[key] + part if key in found else part
    return dict(sorted(found.items()))


class Day(NamedTuple):
    """What one agent's goals of one day are measured by; `delays` only where a team has a norm of its own."""

    day: date
    answered: int
    missed: int
    owned: int
    in_norm: int
    delays: Histogram


def daily(connection: sa.Connection, period: Period, policy: Policy, look_back: timedelta) -> dict[Key, list[Day]]:
    """By node and agent, the days of the look-back before the period's end (or the last call), oldest first.

    Before the period only those that are rolled up.
    """
    found: dict[Key, list[Day]] = {}
    last = connection.execute(sa.select(sa.func.max(schema.call.c.started_at))).scalar()
    end = min(period.end, last + _DAY) if last is not None else period.begin
    begin = policy.hours.day_span(policy.hours.day_of(end - look_back))[0]
    for node in nodes(connection, period) if begin < end else ():
        parts = cover(connection, node, Period(begin=begin, end=end, node=node), policy)
        for first, until in parts.days:
            _rolled_daily(connection, node, first, until, policy, found)
        for start, stop in parts.rest:
            if stop > period.begin:
                rest = Period(begin=max(start, period.begin), end=stop, node=node)
                _daily_of_rows(connection, rest, policy, found)
    return {key: sorted(days) for key, days in found.items()}


def _rolled_daily(
    connection: sa.Connection, node: str, first: date, last: date, policy: Policy, found: dict[Key, list[Day]]
) -> None:
    table = schema.agent_day.c
    norms = any(team.callback_norm is not None for team in policy.teams)
    columns = (table.agent, table.day, *(table[name] for name in _DAILY), *((table.delays,) if norms else ()))
    mine = sa.and_(table.node == node, table.day >= first, table.day <= last)
    for agent, day, answered, missed, owned, in_norm, *delays in connection.execute(
        sa.select(*columns).where(mine)
    ).all():
        told = _unflattened(json.loads(delays[0])) if delays else {}
        found.setdefault((node, agent), []).append(Day(day, answered, missed, owned, in_norm, told))


def _unflattened(flat: Sequence[int]) -> dict[int, int]:
    histogram: dict[int, int] = {}
    _unflatten(flat, histogram)
    return histogram


def _daily_of_rows(connection: sa.Connection, period: Period, policy: Policy, found: dict[Key, list[Day]]) -> None:
    """The same from rows, day by day of the stretch."""
    at = period.begin
    while at < period.end:
        day = policy.hours.day_of(at)
        end = min(policy.hours.day_span(day)[1], period.end)
        piece = sums_of_rows(connection, Period(begin=at, end=end, node=period.node), policy, goals_only=True)
        for key, part in piece.items():
            told = Day(day, part.answered, part.missed, part.owned, part.in_norm, part.delays)
            found.setdefault(key, []).append(told)
        at = end


def nodes(connection: sa.Connection, period: Period) -> list[str]:
    """The period's node, or every one there is."""
    if period.node is not None:
        return [period.node]
    return sorted(connection.execute(sa.select(schema.node.c.name)).scalars())


def _rolled(connection: sa.Connection, node: str, first: date, last: date, *, counts_only: bool) -> dict[Key, Sums]:
    table = schema.agent_day
    mine = sa.and_(table.c.node == node, table.c.day >= first, table.c.day <= last)
    totals = [sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in COUNTS]
    counted = connection.execute(sa.select(table.c.agent, *totals).where(mine).group_by(table.c.agent)).all()
    unpacked = {} if counts_only else _unpacked(connection, mine)
    found: dict[Key, Sums] = {}
    for agent, *counts in counted:
        values: dict[str, Any] = dict(zip(COUNTS, map(int, counts), strict=True)) | unpacked.get(agent, {})
        found[node, agent] = Sums(**values)
    return found


def _unpacked(connection: sa.Connection, mine: sa.ColumnElement[bool]) -> dict[str, dict[str, Any]]:
    """The histograms of each agent over those rows, added up."""
    table = schema.agent_day.c
    rows = connection.execute(sa.select(table.agent, *(table[name] for name in PACKED)).where(mine)).all()
    # One reading of one text: a call for each of thousands of cells costs more than what is in them.
    parts = [json.loads(f"[{','.join(row[place] for row in rows)}]") for place in range(1, 1 + len(PACKED))]
    found: dict[str, dict[str, Any]] = {}
    for row, pickups, delays, spent in zip(rows, *parts, strict=True):
        mine_so_far = found.setdefault(row[0], {name: {} for name in PACKED})
        _unflatten(pickups, mine_so_far["pickups"])
        _unflatten(delays, mine_so_far["delays"])
        for state, flat in spent.items():
            _unflatten(flat, mine_so_far["spent"].setdefault(state, {}))
    return found


def _unflatten(flat: Sequence[int], into: dict[int, int]) -> None:
    pairs = iter(flat)
    for value, count in zip(pairs, pairs, strict=True):
        into[value] = into.get(value, 0) + count


def load(connection: sa.Connection, period: Period, policy: Policy) -> Load:
    """Inbound calls by node, day, hour, line and queue, from roll-ups where they hold and from rows elsewhere."""
    found: Load = {}
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        for first, last in parts.days:
            found |= _rolled_load(connection, node, first, last)
        for begin, end in parts.rest:
            for key, counts in load_of_rows(connection, Period(begin=begin, end=end, node=node), policy).items():
                known = found.get(key, {})
                found[key] = {name: counts[name] + known.get(name, 0) for name in LOAD}
    return found


def _rolled_load(connection: sa.Connection, node: str, first: date, last: date) -> Load:
    table = schema.call_hour.c
    mine = sa.and_(table.node == node, table.day >= first, table.day <= last)
    wanted = sa.select(table.day, table.hour, table.line, table.queue, *(table[name] for name in LOAD)).where(mine)
    return {
        (node, day, hour, line, queue): dict(zip(LOAD, counts, strict=True))
        for day, hour, line, queue, *counts in connection.execute(wanted)
    }
