"""Who was away while calls were lost (docs/metrics.md). Days and hours are those of the site's clock."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from heapq import nsmallest
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import load_of_rows
from pbxmonitor.store.sums import AWAY, Key, by_hour, sums_of_rows

_AT_WORK: Final = ("ready_ms", "ringing_ms", "talking_ms", "hold_ms", "wrapup_ms")
_HOURS: Final = 24
LEAST: Final = timedelta(minutes=20)


class _Load(NamedTuple):
    """Inbound calls of one day by hour, and those lost."""

    calls: list[int]
    lost: list[int]


class _Day(NamedTuple):
    """One day on which somebody was at work: milliseconds away of the working time, by `kpi.spent_key` and hour."""

    day: date
    away: Sequence[tuple[str, Sequence[tuple[int, int]]]]


_Spent = Iterable[tuple[str, Iterable[tuple[int, int]]]]
_Loads = Mapping[tuple[str, date], _Load]
_IDLE: Final = _Load([0] * _HOURS, [0] * _HOURS)


def away(connection: sa.Connection, period: Period, policy: Policy, *, at_least: timedelta = LEAST) -> Json:
    """Who was away while calls were lost.

    `hours`: agent, day and hour in which he was in DND, in one kind of pause or offline for `at_least` of the working
    time while calls were lost, the most lost first. `agents`: each one's mean working day by hour, beside the calls of
    those days.
    """
    loads, days = _loads(connection, period, policy), dict(_worked(connection, period, policy))
    return {
        "hours": [_told(each) for each in sorted(_costly(days.items(), loads, at_least))],
        "agents": [
            {"node": node, "agent": agent, "days": len(worked), "hours": _profile(node, worked, loads)}
            for (node, agent), worked in sorted(days.items())
            if any(each.away for each in worked)
        ],
    }


def costliest(
    connection: sa.Connection, period: Period, policy: Policy, most: int, *, at_least: timedelta = LEAST
) -> tuple[list[Json], int]:
    """The first of these hours, and how many there are: of a year, hundreds of thousands."""
    found = list(_costly(_worked(connection, period, policy), _loads(connection, period, policy), at_least))
    return [_told(each) for each in nsmallest(most, found)], len(found)


def profile(connection: sa.Connection, period: Period, policy: Policy, agent: str) -> list[Json]:
    """That agent's mean working day by hour, as `away` has it; of the first PBX that he was ever away at."""
    days = sorted(_worked(connection, period, policy, agent))
    mine = next(((key[0], worked) for key, worked in days if any(each.away for each in worked)), None)
    return _profile(*mine, _loads(connection, period, policy)) if mine is not None else []


_Costly = tuple[int, int, date, int, str, str, int, str, int]


def _costly(days: Iterable[tuple[Key, Sequence[_Day]]], loads: _Loads, at_least: timedelta) -> Iterator[_Costly]:
    """Such that they sort as they are told."""
    least = at_least // timedelta(milliseconds=1)
    for (node, agent), worked in days:
        for day, spent in worked:
            load = loads.get((node, day), _IDLE)
            for place, (key, hours) in enumerate(spent):
                for hour, ms in hours:
                    if ms >= least and load.lost[hour]:
                        yield -load.lost[hour], -ms, day, hour, node, agent, place, key, load.calls[hour]


def _told(each: _Costly) -> Json:
    lost, ms, day, hour, node, agent, _, key, calls = each
    state, _, reason = key.partition(":")
    return {
        "node": node,
        "agent": agent,
        "day": day.isoformat(),
        "hour": hour,
        "state": state,
        "reason": reason or None,
        "away_s": -ms / 1000,
        "calls": calls,
        "lost": -lost,
    }


def _profile(node: str, worked: Sequence[_Day], loads: _Loads) -> list[Json]:
    """The mean of those days by hour, of hours in which anything was."""
    spent: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(AWAY, 0))
    for each in worked:
        for key, hours in each.away:
            state = key.partition(":")[0]
            for hour, ms in hours:
                spent[hour][state] += ms
    theirs = [loads.get((node, each.day), _IDLE) for each in worked]
    calls, lost = ([*map(sum, zip(*each, strict=True))] for each in zip(*theirs, strict=True))
    return [
        {"hour": hour}
        | {f"{state}_s": round(ms / len(worked) / 1000, 3) for state, ms in spent[hour].items()}
        | {"calls": round(calls[hour] / len(worked), 2), "lost": round(lost[hour] / len(worked), 2)}
        for hour in range(_HOURS)
        if hour in spent or calls[hour]
    ]


def _loads(connection: sa.Connection, period: Period, policy: Policy) -> dict[tuple[str, date], _Load]:
    found: dict[tuple[str, date], _Load] = defaultdict(lambda: _Load([0] * _HOURS, [0] * _HOURS))
    for node in rolled.nodes(connection, period):
        parts = rolled.cover(connection, node, period, policy)
        for days in parts.days:
            for day, hour, calls, lost in _rolled_load(connection, node, days):
                found[node, day].calls[hour] += calls
                found[node, day].lost[hour] += lost
        for begin, end in parts.rest:
            rest = Period(begin=begin, end=end, node=node)
            for (_, day, hour, _, _), counts in load_of_rows(connection, rest, policy).items():
                found[node, day].calls[hour] += counts["calls"]
                found[node, day].lost[hour] += counts["lost"]
    return dict(found)


def _rolled_load(connection: sa.Connection, node: str, days: rolled.Days) -> Sequence[sa.Row[date, int, int, int]]:
    table = schema.call_hour
    by = table.c.day, table.c.hour
    totals = (sa.cast(sa.func.sum(table.c[name]), sa.BigInteger) for name in ("calls", "lost"))
    return connection.execute(sa.select(*by, *totals).where(rolled.on_days(table, node, days)).group_by(*by)).all()


def _worked(
    connection: sa.Connection, period: Period, policy: Policy, agent: str | None = None
) -> Iterator[tuple[Key, list[_Day]]]:
    """By agent the days of the site on which he was at work, with what he spent away of the working time."""
    opens: dict[date, Mapping[int, int]] = {}
    for node in rolled.nodes(connection, period):
        found: dict[str, list[_Day]] = defaultdict(list)
        for who, day, spent, present in _lived(connection, period, node, policy, agent):
            if day not in opens:
                opens[day] = _open_ms(day, policy.hours)
            if present and opens[day]:
                found[who].append(_Day(day, _within(spent, opens[day])))
        yield from (((node, who), days) for who, days in found.items())


def _open_ms(day: date, hours: WorkingHours) -> Mapping[int, int]:
    found: Counter[int] = Counter()
    for begin, end in hours.spans(day):
        for hour, ms in by_hour(begin, end, hours.zone):
            found[hour] += ms
    return found


def _within(spent: _Spent, opens: Mapping[int, int]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Away at most as long as the hour is open; a pause in some of his queues only is not away."""
    found = []
    for key, by_hours in spent:
        if key.partition(":")[0] in AWAY:
            mine = [(hour, min(ms, opens[hour])) for hour, ms in by_hours if opens.get(hour)]
            if mine:
                found.append((key, mine))
    return found


def _lived(
    connection: sa.Connection, period: Period, node: str, policy: Policy, agent: str | None
) -> Iterator[tuple[str, date, _Spent, bool]]:
    """Each agent's days, what he spent in which state, and whether he was at work."""
    parts = rolled.cover(connection, node, period, policy)
    for days in parts.days:
        yield from _rolled_lives(connection, node, days, agent)
    for begin, end in parts.rest:
        for piece in rolled.by_day(Period(begin=begin, end=end, node=node), policy.hours):
            day = policy.hours.day_of(piece.begin)
            for (_, who), sums in sums_of_rows(connection, piece, policy).items():
                if agent in (None, who):
                    present = any(getattr(sums, name) for name in _AT_WORK)
                    spent = [(key, hours.items()) for key, hours in sums.spent.items()]
                    yield who, day, spent, present or _reachable(sums.spent)


def _reachable(states: Iterable[str]) -> bool:
    """In DND or a pause he is there; offline tells nothing."""
    return any(key.partition(":")[0] != AgentState.OFFLINE for key in states)


def _rolled_lives(
    connection: sa.Connection, node: str, days: rolled.Days, agent: str | None
) -> Iterator[tuple[str, date, _Spent, bool]]:
    table = schema.agent_day
    worked: sa.ColumnElement[int] = sum((table.c[name] for name in _AT_WORK), start=sa.literal(0))
    told = (sa.cast(table.c.day, sa.String), sa.cast(worked, sa.String), table.c.spent)
    mine = sa.and_(rolled.on_days(table, node, days), *((table.c.agent == agent,) if agent is not None else ()))
    # The database puts each agent's days together, in the same order: a row of each day costs twice as much to read.
    columns = (sa.func.aggregate_strings(each, ",") for each in told)
    rows: Any = connection.execute(sa.select(table.c.agent, *columns).where(mine).group_by(table.c.agent))
    for who, dates, at_work, texts in rows:
        lives = zip(dates.split(","), at_work.split(","), json.loads(f"[{texts}]"), strict=True)
        for day, ms, packed in lives:
            spent = [(key, zip(flat[::2], flat[1::2], strict=True)) for key, flat in packed.items()]
            yield who, date.fromisoformat(day), spent, ms != "0" or _reachable(packed)
