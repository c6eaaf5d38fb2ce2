"""Sums over any period: from roll-ups where they hold, from rows elsewhere; the same numbers either way."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.kpi import COUNTS, LOAD, PACKED, Sums
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


def sums(connection: sa.Connection, period: Period, policy: Policy) -> dict[Key, Sums]:
    """By node and agent, from roll-ups where they hold and from rows elsewhere: the same numbers either way."""
    found: dict[Key, Sums] = {}
    for node in nodes(connection, period):
        parts = cover(connection, node, period, policy)
        pieces = [_rolled(connection, node, first, last) for first, last in parts.days]
        for begin, end in parts.rest:
            pieces.append(sums_of_rows(connection, Period(begin=begin, end=end, node=node), policy))
        for piece in pieces:
            for key, part in piece.items():
                found[key] = found[key] + part if key in found else part
    return dict(sorted(found.items()))


def daily(
    connection: sa.Connection, period: Period, policy: Policy, look_back: timedelta
) -> dict[tuple[str, str, date], Sums]:
    """By node, agent and day of the look-back before the period's end (or the last call), what goals are measured by.

    Before the period only what is rolled up.
    """
    found: dict[tuple[str, str, date], Sums] = {}
    last = connection.execute(sa.select(sa.func.max(schema.call.c.started_at))).scalar()
    end = min(period.end, last + _DAY) if last is not None else period.begin
    begin = policy.hours.day_span(policy.hours.day_of(end - look_back))[0]
    for node in nodes(connection, period) if begin < end else ():
        parts = cover(connection, node, Period(begin=begin, end=end, node=node), policy)
        for first, until in parts.days:
            found |= _rolled_daily(connection, node, first, until)
        for start, stop in parts.rest:
            if stop > period.begin:
                rest = Period(begin=max(start, period.begin), end=stop, node=node)
                found |= _daily_of_rows(connection, rest, policy)
    return found


def _rolled_daily(connection: sa.Connection, node: str, first: date, last: date) -> dict[tuple[str, str, date], Sums]:
    table = schema.agent_day.c
    mine = sa.and_(table.node == node, table.day >= first, table.day <= last)
    wanted = sa.select(table.agent, table.day, table.delays, *(table[name] for name in _DAILY)).where(mine)
    rows = connection.execute(wanted.order_by(table.day)).all()
    delays = json.loads(f"[{','.join(row.delays for row in rows)}]")
    found: dict[tuple[str, str, date], Sums] = {}
    for (agent, day, _, answered, missed, owned, in_norm), flat in zip(rows, delays, strict=True):
        found[node, agent, day] = Sums(
            answered=answered, missed=missed, owned=owned, in_norm=in_norm, delays=_unflattened(flat)
        )
    return found


def _unflattened(flat: Sequence[int]) -> dict[int, int]:
    histogram: dict[int, int] = {}
    _unflatten(flat, histogram)
    return histogram


def _daily_of_rows(connection: sa.Connection, period: Period, policy: Policy) -> dict[tuple[str, str, date], Sums]:
    """The same from rows, day by day of the stretch."""
    found: dict[tuple[str, str, date], Sums] = {}
    day_of, at = policy.hours.day_of, period.begin
    while at < period.end:
        day = day_of(at)
        end = min(policy.hours.day_span(day)[1], period.end)
        piece = sums_of_rows(connection, Period(begin=at, end=end, node=period.node), policy, goals_only=True)
        found |= {(node, agent, day): part for (node, agent), part in piece.items()}
        at = end
    return found


def nodes(connection: sa.Connection, period: Period) -> list[str]:
    """The period's node, or every one there is."""
    if period.node is not None:
        return [period.node]
    return sorted(connection.execute(sa.select(schema.node.c.name)).scalars())


def _rolled(connection: sa.Connection, node: str, first: date, last: date) -> dict[Key, Sums]:
    table = schema.agent_day
    mine = sa.and_(table.c.node == node, table.c.day >= first, table.c.day <= last)
    totals = [sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in COUNTS]
    counted = connection.execute(sa.select(table.c.agent, *totals).where(mine).group_by(table.c.agent)).all()
    unpacked = _unpacked(connection, mine)
    found: dict[Key, Sums] = {}
    for agent, *counts in counted:
        values: dict[str, Any] = dict(zip(COUNTS, map(int, counts), strict=True)) | unpacked[agent]
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
