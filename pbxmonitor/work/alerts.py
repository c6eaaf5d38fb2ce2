"""The sweep that watches for trouble: what the rules see is compared with what is known, and people are owed word.

Alerts are rows, so a restart changes nothing; an alert's new state and the messages about it are one transaction, so
a crash repeats nothing.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.alert_floor import signs_of_floor, signs_of_links
from pbxmonitor.domain.alerting import Alert, Said, What, advance, dropped
from pbxmonitor.domain.alerts import Kind, Rule, Sign
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.store import webhook_events
from pbxmonitor.store.agent_report import peak_hours
from pbxmonitor.store.alert_pile import PARTS, owe
from pbxmonitor.store.alert_signs import signs_of_rows
from pbxmonitor.store.alerts import alert_id, load, save
from pbxmonitor.store.notices import notice
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import reading, writing
from pbxmonitor.work.alert_words import summary_title, words_of

log = structlog.get_logger()
# The rows are asked at most so often; the floors are looked at in every sweep.
ASK_EVERY: Final = timedelta(seconds=15)
# A link that is back first tells all that has changed: until then the floor is as it was.
SETTLES: Final = timedelta(seconds=10)
# News of an alert is old after that.
WORTH: Final = timedelta(hours=1)
# The load of so many days tells the peak hours, until settings do.
LOAD_DAYS: Final = timedelta(days=28)
Key = tuple[str, str, str]


class Alerts:
    """The rules of one daemon over all the PBXs that it follows."""

    def __init__(
        self,
        database: AsyncEngine,
        rules: Iterable[Rule],
        roster: Roster,
        policy: Policy,
        clock: Clock,
        floors: Callable[[], Sequence[Floor]],
        lost_links: Callable[[], Mapping[str, datetime]],
    ) -> None:
        """`floors` are as last committed; `lost_links` says since when each PBX that is not listened to has not been.

        Of a PBX whose link is lost nothing else is judged: what was seen last is not what is so.
        """
        self._database = database
        self._rules = {rule.name: rule for rule in rules}
        self._roster = roster
        self._policy = policy
        self._clock = clock
        self._floors = floors
        self._lost_links = lost_links
        self._asked_at: datetime | None = None
        self._counted: tuple[Sign, ...] = ()
        self._peak: tuple[date, frozenset[int]] | None = None
        self._were_lost: set[str] = set()
        self._trusted_at: dict[str, datetime] = {}

    async def sweep(self) -> int:
        """Look, and owe what is to be said; how many messages are owed now. DBAPIError when the database is away."""
        now, floors, lost = self._clock.now(), self._floors(), self._lost_links()
        known = await reading(self._database, load)
        self._trusted_at |= dict.fromkeys(self._were_lost - lost.keys(), now + SETTLES)
        self._were_lost = set(lost)
        policy = await self._with_peak(now)
        await self._ask(now)
        up = {floor.node for floor in floors} - lost.keys()
        seen = [
            *signs_of_links(lost, self._rules.values(), now),
            *(sign for floor in floors for sign in signs_of_floor(floor, self._rules.values(), policy, now)),
            *self._counted,
        ]
        signs = {(sign.rule, sign.node, sign.subject): sign for sign in seen}
        keys = [key for key in sorted({*known, *signs}) if self._judged(key, up, lost, now)]
        return await self._settle(known, {key: signs.get(key) for key in keys}, now)

    def _judged(self, key: Key, up: set[str], lost: Mapping[str, datetime], now: datetime) -> bool:
        """Whether what is seen of that rule, node and subject can be believed."""
        rule, node = self._rules.get(key[0]), key[1]
        if rule is None:
            return True
        if rule.kind is Kind.LINK_LOST:
            return node in up or node in lost
        return node in up and self._trusted_at.get(node, now) <= now

    async def _settle(self, known: Mapping[Key, Alert], signs: Mapping[Key, Sign | None], now: datetime) -> int:
        changed: list[Alert] = []
        gone: list[Alert] = []
        told: list[Said] = []
        for key, sign in signs.items():
            before, rule = known.get(key), self._rules.get(key[0])
            after, said = self._advanced(rule, before, sign, now)
            if after is None and before is not None:
                gone.append(before)
            elif after is not None and after != before:
                changed.append(after)
            told += [said] if said is not None else []
        if not changed and not gone:
            return 0
        moves = [(known.get(alert.key), alert) for alert in changed]
        work = partial(self._write, moves=moves, gone=gone, told=told, now=now)
        owed = await writing(self._database, work)
        for said in told:
            _tell(said)
        return owed

    def _advanced(
        self, rule: Rule | None, before: Alert | None, sign: Sign | None, now: datetime
    ) -> tuple[Alert | None, Said | None]:
        if rule is None:
            return (None if before is None else dropped(before, now)), None
        return advance(rule, before, sign, now)

    def _write(
        self,
        connection: Connection,
        moves: Sequence[tuple[Alert | None, Alert]],
        gone: Sequence[Alert],
        told: Sequence[Said],
        now: datetime,
    ) -> int:
        """The rows, and to each person and program what he is told; how many messages there are."""
        save(connection, [alert for _, alert in moves], gone)
        hooked = webhook_events.owe(connection, lambda: webhook_events.of_alerts(moves, now), now)
        owed: dict[str, list[Delivery]] = {}
        for said in told:
            rule = self._rules[said.alert.rule]
            for person in self._roster.told(rule.to, said.alert.agent):
                message = self._message(said, rule, person, now)
                if message is not None:
                    owed.setdefault(person.key, []).append(message)
        return hooked + sum(self._owe(connection, person, messages, now) for person, messages in owed.items())

    def _owe(self, connection: Connection, person: str, messages: Sequence[Delivery], now: datetime) -> int:
        language = self._roster.people[person].language
        return owe(connection, person, messages, partial(summary_title, language=language), now)

    def _message(self, said: Said, rule: Rule, person: Person, now: datetime) -> Delivery | None:
        words, alert = words_of(said, rule, person, self._roster, now), alert_id(said.alert)
        return notice(
            self._roster,
            person,
            "alert_resolved" if said.what is What.RESOLVED else "alert",
            {**words, PARTS: [[alert, words["line"]]]},
            now,
            name=(alert, said.name),
            expires_at=now + WORTH,
            channels=rule.channels,
            urgent=rule.urgent,
        )

    async def _ask(self, now: datetime) -> None:
        """Ask the rows, if it is time."""
        if self._asked_at is not None and timedelta() <= now - self._asked_at < ASK_EVERY:
            return
        asked = partial(signs_of_rows, rules=self._rules.values(), policy=self._policy, now=now)
        self._counted = await reading(self._database, asked)
        self._asked_at = now

    async def _with_peak(self, now: datetime) -> Policy:
        """The policy with its peak hours; where settings have none, those that the load of the last weeks shows."""
        if self._policy.peak_hours is not None or not any(rule.in_peak for rule in self._rules.values()):
            return self._policy
        hours, today = self._policy.hours, self._policy.hours.day_of(now)
        if self._peak is None or self._peak[0] != today:
            period = Period(begin=hours.day_span(today - LOAD_DAYS)[0], end=hours.day_span(today)[0])
            asked = partial(peak_hours, period=period, policy=self._policy)
            self._peak = today, await reading(self._database, asked)
        return replace(self._policy, peak_hours=self._peak[1])


def _tell(said: Said) -> None:
    alert = said.alert
    log.info(
        f"alert_{said.what}",
        node=alert.node,
        rule=alert.rule,
        subject=alert.subject,
        value=round(alert.value, 4),
        threshold=alert.threshold,
    )
