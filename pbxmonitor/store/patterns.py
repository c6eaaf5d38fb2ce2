"""When and from where calls come and are lost: weekdays and hours, lines, regions; and who was away meanwhile.

What each number means stands in docs/metrics.md. Days and hours are those of the site's clock.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.kpi import LOAD, Spent
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.domain.view import Json
from pbxmonitor.regions import PREFIX, country_name, region_of
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.reports import Period, last_told
from pbxmonitor.store.rollups import load_of_rows
from pbxmonitor.store.sums import AWAY, by_hour, sums_of_rows

_KEY: Final = ("node", "day", "hour", "line", "queue")
_ALL: Final[Mapping[str, str]] = {}
_AT_WORK: Final = ("ready_ms", "ringing_ms", "talking_ms", "hold_ms", "wrapup_ms")
_MS_OF_HOUR: Final = 3_600_000
Counts = Mapping[str, int]


class _Day(NamedTuple):
    """One day on which somebody was at work: what he spent away, as `kpi.Sums` has it."""

    node: str
    agent: str
    day: date
    spent: Spent


def heat(
    connection: sa.Connection, period: Period, policy: Policy, *, line: str | None = None, queue: str | None = None
) -> list[Json]:
    """168 objects, Monday 0:00 first: inbound calls of that hour of the week, of one line or first queue if given.

    `hours` is how many such hours there were in the period while the PBX was followed, `calls_mean` and `lost_mean` are
    for one of them.
    """
    found: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    wanted = {name: value for name, value in (("line", line), ("queue", queue)) if value is not None}
    for (_, day, hour), counts in _load(connection, period, policy, ("day", "hour"), wanted).items():
        _add(found[day.weekday(), hour], counts)
    lived = _hours_lived(_followed(connection, period, policy.hours), policy.hours)
    cells = ((weekday, hour) for weekday in range(7) for hour in range(24))
    return [
        {"weekday": weekday, "hour": hour}
        | _numbers(found[weekday, hour])
        | _means(found[weekday, hour], lived[weekday, hour])
        for weekday, hour in cells
    ]


def lines(connection: sa.Connection, period: Period, policy: Policy) -> list[Json]:
    """An object per node and line (the DID first called), the busiest first."""
    found = _load(connection, period, policy, ("line",))
    order = sorted(found.items(), key=lambda each: (-each[1]["calls"], each[0]))
    return [{"node": node, "line": line} | _numbers(counts) for (node, line), counts in order]


def regions(connection: sa.Connection, period: Period, language: str) -> list[Json]:
    """An object per region of the callers (see pbxmonitor.regions), named in that language, the busiest first.

    `region` is the same in every language; withheld, internal and other numbers have no name.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    known = {}
    for prefix, counts in _by_prefix(connection, period):
        region = region_of(prefix)
        known[region.key] = region
        _add(found[region.key], counts)
    order = sorted(found.items(), key=lambda each: (-each[1]["calls"], each[0]))
    return [
        {
            "region": key,
            "kind": known[key].kind,
            "name": known[key].name(language),
            "country": known[key].country,
            "country_name": country_name(known[key].country, language),
        }
        | _numbers(counts)
        for key, counts in order
    ]


def _by_prefix(connection: sa.Connection, period: Period) -> Iterator[tuple[str | None, Counts]]:
    """Calls begun in the period and ended, by the part of the caller's number that decides the region."""
    call = schema.call.c
    tests = (call.answered_at.is_not(None), call.lost.is_(True), call.cause == Cause.SHORT_ABANDON)
    wanted = (
        sa.select(
            sa.func.substr(call.caller, 1, PREFIX).label("prefix"),
            sa.func.count(),
            *(sa.func.sum(sa.case((test, 1), else_=0)) for test in tests),
        )
        .where(period.holds(schema.call, "started_at"), call.direction == Direction.INBOUND, call.ended_at.is_not(None))
        .group_by("prefix")
    )
    for prefix, *counts in connection.execute(wanted):
        yield prefix, dict(zip(("calls", "answered", "lost", "short_abandons"), map(int, counts), strict=True))


def away(
    connection: sa.Connection, period: Period, policy: Policy, *, at_least: timedelta = timedelta(minutes=20)
) -> Json:
    """Who was away while calls were lost.

    `hours`: agent, day and hour in which he was in DND, in one kind of pause or offline for `at_least` of the working
    time while calls were lost, the most lost first. `agents`: each one's mean working day by hour, beside the calls of
    those days.
    """
    loads: dict[tuple[str, date], dict[int, Counts]] = defaultdict(dict)
    for (node, day, hour), counts in _load(connection, period, policy, ("day", "hour")).items():
        loads[node, day][hour] = counts
    days = list(_days(connection, period, policy))
    least = at_least // timedelta(milliseconds=1)
    rows = [row for each in days for row in _costly(each, loads.get((each.node, each.day), {}), least)]
    rows.sort(key=lambda row: (-row["lost"], -row["away_s"], row["day"], row["hour"], row["node"], row["agent"]))
    return {"hours": rows, "agents": list(_profiles(days, loads))}


def _costly(each: _Day, load: Mapping[int, Counts], least: int) -> Iterator[Json]:
    for key, hours in each.spent.items():
        state, _, reason = key.partition(":")
        for hour, ms in hours.items():
            if ms >= least and hour in load and load[hour]["lost"]:
                yield {
                    "node": each.node,
                    "agent": each.agent,
                    "day": each.day.isoformat(),
                    "hour": hour,
                    "state": state,
                    "reason": reason or None,
                    "away_s": ms / 1000,
                    "calls": load[hour]["calls"],
                    "lost": load[hour]["lost"],
                }


def _profiles(days: Sequence[_Day], loads: Mapping[tuple[str, date], Mapping[int, Counts]]) -> Iterator[Json]:
    mine: dict[tuple[str, str], list[_Day]] = defaultdict(list)
    for each in days:
        mine[each.node, each.agent].append(each)
    for (node, agent), worked in sorted(mine.items()):
        if any(each.spent for each in worked):
            theirs = [loads.get((node, each.day), {}) for each in worked]
            yield {"node": node, "agent": agent, "days": len(worked), "hours": _profile(worked, theirs)}


def _profile(worked: Sequence[_Day], loads: Sequence[Mapping[int, Counts]]) -> list[Json]:
    """The mean of those days by hour, of hours in which anything was."""
    away: dict[int, dict[str, int]] = defaultdict(lambda: dict.fromkeys(AWAY, 0))
    for each in worked:
        for key, hours in each.spent.items():
            for hour, ms in hours.items():
                away[hour][key.partition(":")[0]] += ms
    calls, lost = [0] * 24, [0] * 24
    for load in loads:
        for hour, counts in load.items():
            calls[hour] += counts["calls"]
            lost[hour] += counts["lost"]
    return [
        {"hour": hour}
        | {f"{state}_s": round(ms / len(worked) / 1000, 3) for state, ms in away[hour].items()}
        | {"calls": round(calls[hour] / len(worked), 2), "lost": round(lost[hour] / len(worked), 2)}
        for hour in range(24)
        if hour in away or calls[hour]
    ]


def _days(connection: sa.Connection, period: Period, policy: Policy) -> Iterator[_Day]:
    """The days of the site on which each agent was at work, with what he spent away of the working time."""
    opens: dict[date, Mapping[int, int]] = {}
    for each, present in _spent(connection, period, policy):
        if each.day not in opens:
            opens[each.day] = _open_ms(each.day, policy.hours)
        if present and opens[each.day]:
            yield each._replace(spent=dict(_within(each.spent, opens[each.day])))


def _open_ms(day: date, hours: WorkingHours) -> Mapping[int, int]:
    found: Counter[int] = Counter()
    for begin, end in hours.spans(day):
        for hour, ms in by_hour(begin, end, hours.zone):
            found[hour] += ms
    return found


def _within(spent: Spent, opens: Mapping[int, int]) -> Iterator[tuple[str, dict[int, int]]]:
    """Away at most as long as the hour is open; a pause in some of his queues only is not away."""
    for key, by_hours in spent.items():
        if key.partition(":")[0] in AWAY:
            mine = {hour: min(ms, opens[hour]) for hour, ms in by_hours.items() if opens.get(hour)}
            if mine:
                yield key, mine


def _spent(connection: sa.Connection, period: Period, policy: Policy) -> Iterator[tuple[_Day, bool]]:
    """Each agent's days, and whether he was at work on them."""
    for node in rolled.nodes(connection, period):
        parts = rolled.cover(connection, node, period, policy)
        for first, last in parts.days:
            yield from _rolled_spent(connection, node, first, last)
        for begin, end in parts.rest:
            for piece in _by_day(Period(begin=begin, end=end, node=node), policy.hours):
                day = policy.hours.day_of(piece.begin)
                for (_, agent), sums in sums_of_rows(connection, piece, policy).items():
                    present = any(getattr(sums, name) for name in _AT_WORK)
                    yield _Day(node, agent, day, sums.spent), present or _reachable(sums.spent)


def _by_day(period: Period, hours: WorkingHours) -> Iterator[Period]:
    at = period.begin
    while at < period.end:
        end = min(hours.day_span(hours.day_of(at))[1], period.end)
        yield Period(begin=at.astimezone(UTC), end=end, node=period.node)
        at = end


def _reachable(spent: Spent) -> bool:
    """In DND or a pause he is there; offline tells nothing."""
    return any(key.partition(":")[0] != AgentState.OFFLINE for key in spent)


def _rolled_spent(connection: sa.Connection, node: str, first: date, last: date) -> Iterator[tuple[_Day, bool]]:
    table = schema.agent_day.c
    mine = sa.and_(table.node == node, table.day >= first, table.day <= last)
    wanted = sa.select(table.agent, table.day, table.spent, *(table[name] for name in _AT_WORK)).where(mine)
    for agent, day, packed, *at_work in connection.execute(wanted):
        told: dict[str, list[int]] = json.loads(packed)
        spent = {key: dict(zip(flat[::2], flat[1::2], strict=True)) for key, flat in told.items()}
        yield _Day(node, agent, day, spent), any(at_work) or _reachable(spent)


def _load(
    connection: sa.Connection,
    period: Period,
    policy: Policy,
    by: tuple[str, ...],
    wanted: Mapping[str, str] = _ALL,
) -> dict[tuple[Any, ...], dict[str, int]]:
    """Inbound calls by node and those columns, from roll-ups where they hold and from rows elsewhere."""
    found: dict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for node in rolled.nodes(connection, period):
        parts = rolled.cover(connection, node, period, policy)
        for first, last in parts.days:
            for key, counts in _rolled_load(connection, node, (first, last), by, wanted):
                _add(found[node, *key], counts)
        for begin, end in parts.rest:
            for of_rows, some in load_of_rows(connection, Period(begin=begin, end=end, node=node), policy).items():
                named = dict(zip(_KEY, of_rows, strict=True))
                if wanted.items() <= named.items():
                    _add(found[node, *(named[name] for name in by)], some)
    return found


def _rolled_load(
    connection: sa.Connection, node: str, days: tuple[date, date], by: tuple[str, ...], wanted: Mapping[str, str]
) -> Iterator[tuple[tuple[Any, ...], Counts]]:
    """Added up by the database: hours by line and queue are many, hours of a year 8,784 at most."""
    table = schema.call_hour.c
    columns = [table[name] for name in by]
    totals = [sa.cast(sa.func.sum(table[name]), sa.BigInteger) for name in LOAD]
    mine = (table.node == node, table.day >= days[0], table.day <= days[1])
    theirs = (table[name] == value for name, value in wanted.items())
    for row in connection.execute(sa.select(*columns, *totals).where(*mine, *theirs).group_by(*columns)):
        yield tuple(row[: len(by)]), dict(zip(LOAD, map(int, row[len(by) :]), strict=True))


def _followed(connection: sa.Connection, period: Period, hours: WorkingHours) -> tuple[datetime, datetime]:
    """The part of the period that anything can be known of: from the day of the first call to the last word."""
    begins, call = period.of_node(schema.call), schema.call.c.started_at
    first = connection.execute(sa.select(sa.func.min(call)).where(*begins)).scalar()
    last = connection.execute(sa.select(sa.func.max(call)).where(*begins)).scalar()
    if first is None or last is None:
        return period.begin, period.begin
    told = [at for node, at in last_told(connection).items() if period.node in (None, node)]
    return max(period.begin, hours.day_span(hours.day_of(first))[0]), min(period.end, max([last, *told]))


def _hours_lived(span: tuple[datetime, datetime], hours: WorkingHours) -> Mapping[tuple[int, int], float]:
    """How many times each hour of the week was lived: an hour that clocks leave out was not, one told twice was two."""
    found: Counter[tuple[int, int]] = Counter()
    for piece in _by_day(Period(begin=span[0], end=span[1]), hours):
        weekday = hours.day_of(piece.begin).weekday()
        for hour, ms in by_hour(piece.begin, piece.end, hours.zone):
            found[weekday, hour] += ms
    return defaultdict(float, {cell: ms / _MS_OF_HOUR for cell, ms in found.items()})


def _add(into: dict[str, int], counts: Counts) -> None:
    for name, count in counts.items():
        into[name] = into.get(name, 0) + count


def _numbers(counts: Counts) -> Json:
    """The counts, and the share lost of all but those who left at once."""
    calls, short, lost = (counts.get(name, 0) for name in ("calls", "short_abandons", "lost"))
    return {
        "calls": calls,
        "answered": counts.get("answered", 0),
        "lost": lost,
        "short_abandoned": short,
        "lost_share": kpi.share(lost, calls - short),
    }


def _means(counts: Counts, hours: float) -> Json:
    means = {f"{name}_mean": round(counts.get(name, 0) / hours, 2) if hours else None for name in ("calls", "lost")}
    return {"hours": round(hours, 2)} | means
