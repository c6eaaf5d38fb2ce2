"""Reports for the command line and whoever else asks: settings or a database url in, plain lists out."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings import Settings
from pbxmonitor.store import agent_report, reports
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import connect, reading

T = TypeVar("T")
Span = tuple[datetime, datetime]


async def agents(
    source: Settings | str, begin: datetime, end: datetime, node: str | None = None, before: Span | None = None
) -> list[Json]:
    """Each agent's numbers from `begin` up to `end` (store.agent_report), beside those of `before` if it is given."""
    people = source.people if isinstance(source, Settings) else {}
    question = agent_report.Question(
        period=Period(begin=begin, end=end, node=node),
        policy=_policy(source),
        before=Period(begin=before[0], end=before[1], node=node) if before else None,
        people=frozenset(people),
    )
    found = await _read(source, lambda connection: agent_report.agents(connection, question))
    named = {person: entry.name for person, entry in people.items() if entry.name}
    return [row | {"name": row["name"] or named.get(row["agent"])} for row in found]


async def journal(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The calls that began in the period, as replay prints them."""
    period = Period(begin=begin, end=end, node=node)
    return await _read(source, lambda connection: reports.journal(connection, period))


async def intervals(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The stretches of pause, DND and offline that touch the period, as replay prints them."""
    period = Period(begin=begin, end=end, node=node)
    return await _read(source, lambda connection: reports.intervals(connection, period))


async def callbacks(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The callbacks opened in the period, as replay prints them."""
    period = Period(begin=begin, end=end, node=node)
    return await _read(source, lambda connection: reports.callbacks(connection, period))


def _policy(source: Settings | str) -> Policy:
    return policy_of(source) if isinstance(source, Settings) else Policy()


async def _read(source: Settings | str, report: Callable[[Connection], T]) -> T:
    engine = connect(source.database.full_url if isinstance(source, Settings) else source)
    try:
        return await reading(engine, report)
    finally:
        await engine.dispose()
