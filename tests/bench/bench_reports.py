"""Reports over a year of a large site: `python -m tests.bench.bench_reports [CALLS] [sqlite postgresql]`.

Beside each, the plainest SQL over the rows that gives the same counts. Then (k), the journal by HTTP (bench_pages).
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import absences, agent_report, funnel, journal, patterns, queue_report, schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, reading, writing
from tests.bench import bench_pages
from tests.bench.year import BEGAN, COLUMNS, DAYS, Rows, Year
from tests.store.conftest import Server

CALLS = 1_000_000
ZONE = ZoneInfo("Europe/Moscow")
POLICY = Policy(hours=WorkingHours(zone=ZONE))
MONTH = Period(begin=datetime(2026, 3, 1, tzinfo=ZONE), end=datetime(2026, 4, 1, tzinfo=ZONE), node="main")
BEFORE = Period(begin=datetime(2026, 2, 1, tzinfo=ZONE), end=datetime(2026, 3, 1, tzinfo=ZONE), node="main")
WHOLE = Period(begin=BEGAN, end=BEGAN + timedelta(days=DAYS), node="main")
LIMITS = {"sqlite": (0.3, 0.1, 1.5), "postgresql": (0.2, 0.1, 1.5)}
TIMES = 5
Work = Callable[[sa.Connection], Any]


async def filled(engine: AsyncEngine, kind: str, calls: int) -> None:
    """The year's rows, as fast as the database takes them."""
    for chunk in Year(calls).chunks():
        if kind == "sqlite":
            await writing(engine, lambda connection, chunk=chunk: _inserted(connection, chunk))  # type: ignore[misc]
        else:
            await _copied(engine, chunk)


def _inserted(connection: sa.Connection, chunk: Rows) -> None:
    for table in METADATA.sorted_tables:
        rows = [tuple(map(_plain, row)) for row in chunk.get(table.name, ())]
        if rows:
            names = COLUMNS[table.name]
            sql = f'INSERT INTO "{table.name}" ({",".join(names)}) VALUES ({",".join("?" * len(names))})'
            connection.exec_driver_sql(sql, rows)


def _plain(value: Any) -> Any:
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}" if isinstance(value, datetime) else value


async def _copied(engine: AsyncEngine, chunk: Rows) -> None:
    async with engine.begin() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        for table in METADATA.sorted_tables:
            if rows := chunk.get(table.name):
                await raw.copy_records_to_table(table.name, columns=COLUMNS[table.name], records=rows)


async def timed(engine: AsyncEngine, work: Work) -> float:
    """The median of some readings, in seconds; the first one warms up."""
    took: list[float] = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        await reading(engine, work)
        took.append(time.perf_counter() - began)
    return sorted(took[1:])[TIMES // 2]


def plain_agents(connection: sa.Connection) -> Sequence[Any]:
    part = schema.verdict.c
    counts = sa.select(part.agent, part.verdict, sa.func.count(), sa.func.avg(part.pickup_ms))
    mine = MONTH.holds(schema.verdict, "started_at")
    return connection.execute(counts.where(mine).group_by(part.agent, part.verdict)).all()


def plain_page(connection: sa.Connection) -> Sequence[Any]:
    call = schema.call.c
    wanted = sa.select(schema.call).where(MONTH.holds(schema.call, "started_at"), call.colour == "red")
    return connection.execute(wanted.order_by(call.started_at.desc()).limit(50)).all()


def plain_heat(connection: sa.Connection) -> dict[tuple[int, int], int]:
    """A loop over the moments of all calls."""
    cells: dict[tuple[int, int], int] = {}
    for at in connection.execute(sa.select(schema.call.c.started_at)).scalars():
        local = at.astimezone(ZONE)
        cell = local.weekday(), local.hour
        cells[cell] = cells.get(cell, 0) + 1
    return cells


def question() -> agent_report.Question:
    return agent_report.Question(period=MONTH, policy=POLICY, before=BEFORE)


def red(agent: str | None = None) -> journal.Filter:
    return journal.Filter(begin=MONTH.begin, end=MONTH.end, colour=Colour.RED, agent=agent)


PAGES = {
    "red": red(),
    "red of an agent": red("150"),
    "a part of a number": journal.Filter(begin=MONTH.begin, end=MONTH.end, number="1234"),
    "a queue, talks over 5 min": journal.Filter(begin=MONTH.begin, end=MONTH.end, queue="q07", min_talk_s=300),
}


COUNTED: Mapping[str, Callable[[sa.Connection, Period], Any]] = {
    "stages": lambda connection, period: funnel.stages(connection, period, POLICY),
    "queues": lambda connection, period: queue_report.queues(connection, period, POLICY),
    "hours": lambda connection, period: queue_report.hours(connection, period, POLICY),
    "regions": lambda connection, period: patterns.regions(connection, period, POLICY, "ru"),
    "away": lambda connection, period: absences.away(connection, period, POLICY),
}
MOST_MONTH_S, MOST_YEAR_S = 1.0, 4.0


async def measure(kind: str, engine: AsyncEngine) -> bool:
    """Print what it takes; whether every limit holds."""
    agents_limit, page_limit, heat_limit = LIMITS[kind]
    agents = await timed(engine, lambda connection: agent_report.agents(connection, question()))
    held = _said(kind, "report agents, a month", agents, agents_limit, await timed(engine, plain_agents))
    plain = await timed(engine, plain_page)
    for name, wanted in PAGES.items():
        page = await timed(engine, lambda connection, wanted=wanted: journal.page(connection, wanted, limit=50))  # type: ignore[misc]
        held &= _said(kind, f"journal page: {name}", page, page_limit, plain)
    heat = await timed(engine, lambda connection: patterns.heat(connection, WHOLE, POLICY))
    began = time.perf_counter()
    await reading(engine, plain_heat)
    held &= _said(kind, "a year's heat map", heat, heat_limit, time.perf_counter() - began)
    for name, report in COUNTED.items():
        for span, period, limit in (("a month", MONTH, MOST_MONTH_S), ("the year", WHOLE, MOST_YEAR_S)):
            took = await timed(engine, lambda connection, report=report, period=period: report(connection, period))  # type: ignore[misc]
            held &= took <= limit
            print(f"    {kind:<11}{f'report {name}, {span}':<40}{took:6.3f} s (at most {limit})")
    return held


def _said(kind: str, what: str, took: float, limit: float, plain: float) -> bool:
    print(
        f"    {kind:<11}{what:<40}{took:6.3f} s (at most {limit}); the plainest way {plain:6.3f} s, {took / plain:.2f}×"
    )
    return took <= limit


async def run(kind: str, url: str, calls: int) -> bool:
    await upgrade(url)
    engine = connect(url)
    try:
        began = time.perf_counter()
        await filled(engine, kind, calls)
        rows_took, began = time.perf_counter() - began, time.perf_counter()
        days = await roll_up(engine, POLICY, WHOLE.end + timedelta(hours=9))
        # What autovacuum does by itself elsewhere, and this server may not.
        await writing(engine, lambda connection: connection.exec_driver_sql("ANALYZE"))
        print(f"    {kind:<11}rows in {rows_took:.0f} s; {days} days rolled up in {time.perf_counter() - began:.0f} s")
        held = await measure(kind, engine)
        print(f"(k) the journal by HTTP over the same calls; load average {os.getloadavg()[0]:.1f}")
        return held & await bench_pages.journal(kind, url)
    finally:
        await engine.dispose()


def main(calls: int = CALLS, kinds: Sequence[str] = ("sqlite", "postgresql")) -> bool:
    """Print what reports over that many calls take on each database; whether the limits hold."""
    print(f"(f) reports over {calls} calls of a year, {len(COLUMNS)} tables, 200 agents")
    held = True
    for kind in kinds:
        if kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                held &= asyncio.run(run(kind, f"sqlite:///{folder}/year.sqlite3", calls))
            continue
        server = Server(kind)
        try:
            held &= asyncio.run(run(kind, server.create(f"year_{os.getpid()}"), calls))
        finally:
            server.drop_all()
    return held


if __name__ == "__main__":
    words = sys.argv[1:]
    number = next((int(word) for word in words if word.isdigit()), CALLS)
    sys.exit(0 if main(number, [word for word in words if not word.isdigit()] or ["sqlite", "postgresql"]) else 1)
