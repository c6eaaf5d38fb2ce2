"""The calls of a time when nobody listened, taken in from what the PBX keeps itself, once its diaries are written.

The sweep looks for gaps that were not looked into yet, so a restart forgets none; taking in twice changes nothing. What
was seen live stays. Clients who turn out to have been missed get callbacks, whose chain tells people as ever.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.alerts import Kind, Rule
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.store import outbox
from pbxmonitor.store.gaps import Gap, missed_in, repair, unrepaired
from pbxmonitor.store.notices import notice
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.rows import LIVE
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import tr

log = structlog.get_logger()
# What went on at the end of the gap is in the diaries by then: CDR are written after a call, CEL in batches.
SETTLES: Final = timedelta(minutes=2)
# The clocks of the PBX and of this machine may differ so much.
SLACK: Final = timedelta(seconds=30)
# Of an older gap nobody needs to be told, and the diaries may have been rotated: `pbxmonitor import` takes it in.
LONGEST: Final = timedelta(days=7)
WORTH: Final = timedelta(hours=1)
Span = tuple[datetime, datetime]
Sources = Mapping[str, Sequence[tuple[str, str]]]


class Unreadable(Exception):  # noqa: N818 - what happened
    """A diary cannot be read; one line that says which, why, and what to do."""


class TakeIn(Protocol):
    """Takes in what one diary (format, place) of a PBX tells of a span; how many calls were new or changed.

    It runs in a thread. Raises Unreadable.
    """

    def __call__(self, node: str, fmt: str, place: str, span: Span, /) -> int: ...


@dataclass(kw_only=True)
class Backfill:
    """`sources` are the diaries of each followed PBX, the best one last; `rules` say who hears of lost links."""

    database: AsyncEngine
    sources: Sources
    take_in: TakeIn
    rules: Sequence[Rule]
    roster: Roster
    clock: Clock
    ring: Callable[[], None] = lambda: None
    _said: dict[Gap, str] = field(default_factory=dict)

    async def sweep(self) -> int:
        """Look into each gap that has settled; how many were repaired."""
        now = self.clock.now()
        nodes = sorted(node for node, listed in self.sources.items() if listed)
        asked = partial(unrepaired, nodes=nodes, since=now - LONGEST, until=now - SETTLES)
        gaps = await reading(self.database, asked) if nodes else []
        done = 0
        for gap in gaps:
            done += await self._repaired(gap)
        return done

    async def _repaired(self, gap: Gap) -> bool:
        span = gap.lost_at - SLACK, gap.restored_at + SLACK
        calls = 0
        for fmt, place in self.sources[gap.node]:
            try:
                calls += await asyncio.to_thread(self.take_in, gap.node, fmt, place, span)
            except Unreadable as error:
                self._tell(gap, str(error))
                return False
        told = await writing(self.database, partial(self._note, gap=gap, calls=calls, now=self.clock.now()))
        log.info("gap_repaired", node=gap.node, lost_at=gap.lost_at, restored_at=gap.restored_at, calls=calls)
        if told or calls:
            self.ring()
        return True

    def _tell(self, gap: Gap, reason: str) -> None:
        """The same reason is said once."""
        if self._said.get(gap) != reason:
            self._said[gap] = reason
            log.error("gap_not_repaired", node=gap.node, lost_at=gap.lost_at, reason=reason)

    def _note(self, connection: Connection, gap: Gap, calls: int, now: datetime) -> int:
        repair(connection, gap, calls, now)
        missed = missed_in(connection, gap, LIVE)
        owed = [each for person in self._people(gap) if (each := self._notice(person, gap, calls, missed, now))]
        outbox.put(connection, owed if calls else [])
        return len(owed) if calls else 0

    def _people(self, gap: Gap) -> Sequence[Person]:
        """Who hears of that PBX's lost link."""
        mine = [
            rule for rule in self.rules if rule.kind is Kind.LINK_LOST and (not rule.nodes or gap.node in rule.nodes)
        ]
        found = {person.key: person for rule in mine for person in self.roster.told(rule.to)}
        return list(found.values())

    def _notice(self, person: Person, gap: Gap, calls: int, missed: int, now: datetime) -> Delivery | None:
        language = person.language
        words: dict[str, Any] = {
            "title": tr("alert.gap_repaired.title", language=language),
            "who": tr("alert.who.node", language=language, name=gap.node),
            "detail": _detail(calls, missed, language),
            "at": now,
            "lasted": gap.restored_at - gap.lost_at,
        }
        name = ("gap", gap.node, gap.lost_at.isoformat())
        return notice(self.roster, person, "alert_resolved", words, now, name=name, expires_at=now + WORTH)


def _detail(calls: int, missed: int, language: str) -> str:
    of_them = tr("alert.gap_repaired.missed" if missed else "alert.gap_repaired.none", language=language, n=missed)
    return tr("alert.gap_repaired.detail", language=language, n=calls) + of_them
