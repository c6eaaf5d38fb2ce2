"""Digests: every summary whose moment has come is written once, together with its delivery, or found to be needless.

Which is the last one of a plan follows from the calendar alone, and whether it is written from a row: so nothing is
lost or told twice by restarts, by clocks that change, or by two daemons. After a long silence the last of each kind is
made up, and not every one that was missed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, TypeVar

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.charts import Chart
from pbxmonitor.clock import Clock
from pbxmonitor.domain.digest import DigestKind, DigestPlan, Edition, Money, latest, next_at
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.store import digests as store
from pbxmonitor.store.digests import Asked, Debts, Figures, Made
from pbxmonitor.store.notices import notice
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.reports import Period
from pbxmonitor.store.sums import Key
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import speak
from pbxmonitor.work import digest_words
from pbxmonitor.work.digest_words import Reader, Words

log = structlog.get_logger()
T = TypeVar("T")
# A digest that could not be sent waits for the next of its kind, but not longer than this.
KEEP: Final = timedelta(days=7)
Draw = Callable[[Chart], bytes | None]
Scope = frozenset[str] | None


def drawn(chart: Chart) -> bytes | None:
    """The chart as PNG; None where matplotlib, an extra, is not installed."""
    try:
        from pbxmonitor.charts import drawing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return None
    return drawing.png([chart])


@dataclass(frozen=True, slots=True)
class _Due:
    """A digest that is to be written now: for whom, about which days."""

    plan: DigestPlan
    edition: Edition
    person: Person

    @property
    def made(self) -> Made:
        return Made(self.plan.name, self.person.key, self.edition.first)


@dataclass
class Digests:
    """The digests of one site; `roster` and `policy` say who reads them and how calls are judged."""

    database: AsyncEngine
    digests: Sequence[DigestPlan]
    money: Money | None
    roster: Roster
    policy: Policy
    clock: Clock
    draw: Draw = drawn

    def next_at(self, now: datetime) -> datetime | None:
        """When the next digest is told; None when nobody asked for any."""
        return min((next_at(plan, self.policy.hours, now) for plan in self.digests), default=None)

    async def sweep(self) -> int:
        """Write every digest that is due and not written yet; how many messages came of it."""
        due: dict[Made, _Due] = {}
        for each in self._due(self.clock.now()):
            due.setdefault(each.made, each)
        known = await reading(self.database, lambda connection: store.made(connection, due))
        desk = _Desk(self)
        return sum([await self._write(desk, each) for made, each in due.items() if made not in known])

    def _due(self, now: datetime) -> Iterator[_Due]:
        """The last digest of each plan, for everybody who is to read it and has a channel for it."""
        for plan in self.digests:
            edition = latest(plan, self.policy.hours, now)
            for person in readers(self.roster, plan.to) if edition is not None else ():
                if edition is not None and set(person.channels) & set(plan.channels or person.channels):
                    yield _Due(plan, edition, person)

    async def _write(self, desk: "_Desk", due: _Due) -> int:
        words, now = await desk.words(due), self.clock.now()
        delivery = self._delivery(due, words, now) if words is not None else None
        try:
            await writing(self.database, lambda connection: store.make(connection, due.made, delivery, now))
        except IntegrityError:
            return 0  # another daemon has written it meanwhile
        event = "digest_written" if delivery is not None else "digest_had_nothing_to_say"
        log.info(event, digest=due.plan.name, person=due.person.key, begin=due.edition.first.isoformat())
        return int(delivery is not None)

    def _delivery(self, due: _Due, words: Words, now: datetime) -> Delivery | None:
        return notice(
            self.roster,
            due.person,
            "callback_report" if due.plan.kind is DigestKind.CALLBACKS else "digest",
            words,
            now,
            name=(due.plan.name, due.edition.first),
            expires_at=min(max(due.edition.until, now), now + KEEP),
            channels=due.plan.channels,
        )


class _Desk:
    """Where one sweep's digests are written: what several readers see is read and drawn once."""

    def __init__(self, of: Digests) -> None:
        self._of = of
        self._now = of.clock.now()
        self._done: dict[Any, Any] = {}

    async def words(self, due: _Due) -> Words | None:
        """What the digest says in its reader's language; None when nothing happened."""
        scope, days = scope_of(due.person, self._of.policy), (due.edition.first, due.edition.last)
        reader = await self._reader(due)
        if due.plan.kind is DigestKind.CALLBACKS:
            debts = await self._once(("debts", days, scope), lambda: self._debts(due.edition, scope))
            if not debts.by_owner:
                return None
            return _said(due.person, lambda: digest_words.callback_report(debts, due.edition, reader))
        found = await self._once(("figures", days, scope), lambda: self._figures(due.edition, scope))
        if found.now.empty:
            return None
        words = _said(due.person, lambda: digest_words.summary(found, due.edition, reader))
        if due.plan.charts:
            charts = _said(due.person, lambda: digest_words.charts(found, due.edition, reader))
            words["images"] = await self._once(
                ("images", days, scope, due.person.language), lambda: self._images(charts)
            )
        return words

    async def _once(self, key: Any, make: Callable[[], Awaitable[T]]) -> T:
        if key not in self._done:
            self._done[key] = await make()
        done: T = self._done[key]
        return done

    async def _reader(self, due: _Due) -> Reader:
        """An employee reads of himself: no lists, no money."""
        known = await self._once("names", lambda: reading(self._of.database, store.names))
        of, own = self._of, due.person.role is Role.EMPLOYEE
        return Reader(
            names=lambda key: _name(of.roster, known, key),
            policy=of.policy,
            top=0 if own else due.plan.top,
            money=None if own else of.money,
        )

    async def _figures(self, edition: Edition, scope: Scope) -> Figures:
        asked, before = self._asked(edition, scope), self._period(edition.before_first, edition.first)
        return await reading(self._of.database, lambda connection: store.figures(connection, asked, before))

    async def _debts(self, edition: Edition, scope: Scope) -> Debts:
        asked = self._asked(edition, scope)
        return await reading(self._of.database, lambda connection: store.debts(connection, asked, asked.period))

    async def _images(self, charts: Mapping[str, Chart]) -> list[Words]:
        """The charts that could be drawn, each in a thread: it takes a second."""
        pictures = {name: await asyncio.to_thread(self._of.draw, chart) for name, chart in charts.items()}
        return [{"name": f"{name}.png", "alt": charts[name].title, "png": png} for name, png in pictures.items() if png]

    def _asked(self, edition: Edition, scope: Scope) -> Asked:
        return Asked(
            period=self._period(edition.first, edition.last + timedelta(days=1)),
            policy=self._of.policy,
            now=self._now,
            people=frozenset(self._of.roster.people),
            agents=scope,
        )

    def _period(self, first: date, end: date) -> Period:
        """Whole days of the site, however long they are when clocks change."""
        hours = self._of.policy.hours
        return Period(begin=hours.day_span(first)[0], end=hours.day_span(end)[0])


def readers(roster: Roster, words: Sequence[str]) -> tuple[Person, ...]:
    """The people whom a digest is for; `supervisor` means all of them, since it is about no agent in particular."""
    told = {person.key: person for person in roster.told(words)}
    if "supervisor" in words:
        told |= {key: person for key, person in roster.people.items() if person.role is Role.SUPERVISOR}
    return tuple(told.values())


def scope_of(person: Person, policy: Policy) -> Scope:
    """Whose numbers he reads: everybody's (None), those of the teams that he leads, or his own."""
    if person.role is Role.EMPLOYEE:
        return frozenset({person.key})
    if person.role is not Role.SUPERVISOR or not person.leads:
        return None
    return frozenset(agent for team in policy.teams if team.key in person.leads for agent in team.members)


def _name(roster: Roster, known: Mapping[Key, str], key: Key) -> str:
    """As the settings call him, else as the PBX does, else his extension."""
    person = roster.people.get(key[1])
    return person.name if person is not None else known.get(key, key[1])


def _said(person: Person, write: Callable[[], T]) -> T:
    """What is written in that person's language."""

    def work() -> T:
        speak(person.language)
        return write()

    return copy_context().run(work)
