"""When and from where calls come and are lost: weekdays and hours, lines, regions.

What each number means stands in docs/metrics.md. Days and hours are those of the site's clock.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.kpi import LOAD
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.domain.view import Json
from pbxmonitor.regions import country_name, region_of
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.call_days import ORIGINS
from pbxmonitor.store.reports import Period, last_told
from pbxmonitor.store.rolled import by_day
from pbxmonitor.store.rolled_calls import callers
from pbxmonitor.store.rollups import load_of_rows
from pbxmonitor.store.sums import by_hour

_KEY: Final = ("node", "day", "hour", "line", "queue")
_ALL: Final[Mapping[str, str]] = {}
_MS_OF_HOUR: Final = 3_600_000
Counts = Mapping[str, int]


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


def regions(connection: sa.Connection, period: Period, policy: Policy, language: str) -> list[Json]:
    """An object per region of the callers (see pbxmonitor.regions), named in that language, the busiest first.

    `region` is the same in every language; withheld, internal and other numbers have no name.
    """
    found: dict[str, dict[str, int]] = defaultdict(dict)
    known = {}
    for prefix, counts in callers(connection, period, policy).items():
        region = region_of(prefix)
        known[region.key] = region
        _add(found[region.key], dict(zip(ORIGINS, counts, strict=True)))
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
    for piece in by_day(Period(begin=span[0], end=span[1]), hours):
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
