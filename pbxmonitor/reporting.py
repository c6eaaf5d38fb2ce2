"""Reports for the command line and whoever else asks: settings or a database url in, plain lists out."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings import Settings
from pbxmonitor.store import absences, agent_report, callback_report, digests, funnel, patterns, queue_report, reports
from pbxmonitor.store import journal as journal_store
from pbxmonitor.store.journal import Case, Cursor, Filter
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import connect, reading

T = TypeVar("T")
_PAGE: Final = 2_000
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


def journal_filter(
    settings: Settings, begin: datetime, end: datetime, node: str | None, choice: Mapping[str, Any]
) -> Filter:
    """Which calls are wanted (store.journal.Filter), words checked; ValueError says in one line what is allowed."""
    words: dict[str, type[StrEnum]] = {"colour": Colour, "cause": Cause, "direction": Direction}
    checked: dict[str, Any] = {
        name: _word(words[name], name, value) if name in words else value for name, value in choice.items()
    }
    return Filter(begin=begin, end=end, node=node, region=settings.region, **checked)


def _word(kind: type[StrEnum], name: str, value: str) -> StrEnum:
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"--{name} {value}: give one of {', '.join(kind)}") from None


async def journal_page(
    source: Settings | str, wanted: Filter, limit: int | None, after: Cursor | None = None
) -> journal_store.Page:
    """The newest calls that the filter wants, after that one; without a limit, all of them oldest first."""
    if limit is not None:
        return await _read(source, lambda connection: journal_store.page(connection, wanted, limit=limit, after=after))
    return await _read(source, lambda connection: _every(connection, wanted))


def _every(connection: Connection, wanted: Filter) -> journal_store.Page:
    calls: list[Json] = []
    after: Cursor | None = None
    while True:
        page = journal_store.page(connection, wanted, limit=_PAGE, after=after, newest_first=False)
        calls += page.calls
        after = page.next
        if after is None:
            return journal_store.Page(calls=calls, next=None)


async def cases(settings: Settings, key: str, node: str | None) -> tuple[list[Case], Policy, Callable[[str], str]]:
    """All that is known of the calls of that key, the policy they are judged by, and what people are called."""
    found = await _read(settings, lambda connection: journal_store.cases(connection, key, node))
    return found, _policy(settings), names_of(settings)


async def intervals(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The stretches of pause, DND and offline that touch the period, as replay prints them."""
    period = Period(begin=begin, end=end, node=node)
    return await _read(source, lambda connection: reports.intervals(connection, period))


async def callbacks(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The callbacks opened in the period, as replay prints them, with what people did and the steps it took."""
    period = Period(begin=begin, end=end, node=node)
    return await _read(source, lambda connection: reports.callbacks(connection, period))


async def callback_figures(settings: Settings, begin: datetime, end: datetime, node: str | None, now: datetime) -> Json:
    """How soon they were tried and reached, by person and by team, and what has become of them by now."""
    asked = digests.Asked(
        period=Period(begin=begin, end=end, node=node),
        policy=_policy(settings),
        now=now,
        people=frozenset(settings.people),
    )
    return await _read(settings, lambda connection: callback_report.callbacks(connection, asked))


async def open_callbacks(source: Settings | str, node: str | None = None) -> list[Json]:
    """The callbacks that are open now, the one due first at the head."""
    return await _read(source, lambda connection: reports.open_callbacks(connection, node))


async def queues(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> Json:
    """What came to each queue and what became of it (store.queue_report)."""
    return await _of(source, queue_report.queues, begin, end, node)


async def stages(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> Json:
    """Where calls got stuck (store.funnel)."""
    return await _of(source, funnel.stages, begin, end, node)


async def hours(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The load and the losses of each hour of the week (store.patterns)."""
    return await _of(source, patterns.heat, begin, end, node)


async def lines(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> list[Json]:
    """The load and the losses of each line."""
    return await _of(source, patterns.lines, begin, end, node)


async def away(source: Settings | str, begin: datetime, end: datetime, node: str | None = None) -> Json:
    """Who was away while calls were lost."""
    return await _of(source, absences.away, begin, end, node)


async def regions(
    source: Settings | str, begin: datetime, end: datetime, node: str | None = None, language: str = "ru"
) -> list[Json]:
    """The load and the losses by the caller's region."""
    period = Period(begin=begin, end=end, node=node)
    policy = _policy(source)
    return await _read(source, lambda connection: patterns.regions(connection, period, policy, language))


def names_of(source: Settings | str) -> Callable[[str], str]:
    """What people are called, where the settings say."""
    people = source.people if isinstance(source, Settings) else {}
    named = {person: entry.name for person, entry in people.items() if entry.name}
    return lambda agent: named.get(agent, agent)


async def _of(
    source: Settings | str,
    report: Callable[[Connection, Period, Policy], T],
    begin: datetime,
    end: datetime,
    node: str | None,
) -> T:
    period, policy = Period(begin=begin, end=end, node=node), _policy(source)
    return await _read(source, lambda connection: report(connection, period, policy))


def _policy(source: Settings | str) -> Policy:
    return policy_of(source) if isinstance(source, Settings) else Policy()


async def _read(source: Settings | str, report: Callable[[Connection], T]) -> T:
    engine = connect(source.database.full_url if isinstance(source, Settings) else source)
    try:
        return await reading(engine, report)
    finally:
        await engine.dispose()
