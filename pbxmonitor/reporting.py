"""Reports for the command line and whoever else asks: settings or a database url in, plain lists out."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from pbxmonitor.domain.view import Json
from pbxmonitor.settings import Settings
from pbxmonitor.store import agent_report, reports
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import connect, reading

Report = Callable[[Connection, Period], list[Json]]


async def agents(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """Each agent's numbers from `begin` up to `end` (store.agent_report); names from the settings where they are."""
    found = await _read(source, agent_report.agents, Period(begin=begin, end=end, node=node))
    people = source.people if isinstance(source, Settings) else {}
    named = {person: entry.name for person, entry in people.items() if entry.name}
    return [row | {"name": row["name"] or named.get(row["agent"])} for row in found]


async def journal(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The calls that began in the period, as replay prints them."""
    return await _read(source, reports.journal, Period(begin=begin, end=end, node=node))


async def intervals(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The stretches of pause, DND and offline that touch the period, as replay prints them."""
    return await _read(source, reports.intervals, Period(begin=begin, end=end, node=node))


async def callbacks(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The callbacks opened in the period, as replay prints them."""
    return await _read(source, reports.callbacks, Period(begin=begin, end=end, node=node))


async def _read(source: Settings | str, report: Report, period: Period) -> list[Json]:
    engine = connect(source.database.full_url if isinstance(source, Settings) else source)
    try:
        return await reading(engine, lambda connection: report(connection, period))
    finally:
        await engine.dispose()
