"""The heart: facts are played on the floor, the changes are recorded in one transaction, then the floor is current."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.renaming import NamesChanged
from pbxmonitor.feed import Feed
from pbxmonitor.pbx import Batch, Silence

log = structlog.get_logger()


class Ledger(Protocol):
    """Where changes are written; all of one call of `record` or none of it."""

    async def floor(self) -> Floor: ...

    async def unseen(self, facts: Sequence[Fact]) -> list[Fact]: ...

    async def record(self, changes: Sequence[Change], floor: Floor, told: Sequence[Fact] = ()) -> None: ...

    async def gap(self, lost_at: datetime, restored_at: datetime, reason: str) -> None: ...


class Engine:
    """One node's fold over its ledger."""

    def __init__(self, ledger: Ledger, feed: Feed) -> None:
        self._ledger = ledger
        self.feed = feed
        self.floor = feed.floor
        self.poisoned = 0

    async def run(self, batches: AsyncIterator[Batch]) -> None:
        """Follow the stream until it ends; a failed transaction raises and leaves no trace."""
        async for batch in batches:
            if isinstance(batch, Silence):
                await self.note_gap(batch)
            else:
                await self.take(batch)

    async def note_gap(self, silence: Silence) -> None:
        """A stretch when nobody listened becomes a row, seen next to the numbers it affects."""
        await self._ledger.gap(silence.lost_at, silence.restored_at, silence.reason)

    async def take(self, batch: Sequence[Fact]) -> tuple[Change, ...]:
        """One batch, whole: play, record, and only after the commit become current.

        Where people were merged or renamed meanwhile nothing was written: the floor is read again, and all is played.
        """
        while True:
            try:
                return await self._taken(batch)
            except NamesChanged:
                self.floor = await self._ledger.floor()
                log.info("names_learnt", node=self.floor.node)

    async def _taken(self, batch: Sequence[Fact]) -> tuple[Change, ...]:
        told = await self._ledger.unseen(batch)
        floor, changes = self._play(told)
        await self._ledger.record(changes, floor, told)
        self.floor = floor
        await self.feed.publish(floor, changes)
        return changes

    def _play(self, facts: Sequence[Fact]) -> tuple[Floor, tuple[Change, ...]]:
        try:
            return play(self.floor, facts)
        except Exception:  # noqa: BLE001 - the poison-fact guard
            log.warning("batch_poisoned", node=self.floor.node, facts=len(facts))
            return self._play_guarded(facts)

    def _play_guarded(self, facts: Sequence[Fact]) -> tuple[Floor, tuple[Change, ...]]:
        """One by one, so that only the fact that breaks us is put aside."""
        floor = self.floor
        changes: list[Change] = []
        for fact in facts:
            try:
                floor, more = play(floor, (fact,))
                changes.extend(more)
            except Exception:
                self.poisoned += 1
                log.exception("fact_put_aside", node=floor.node, kind=type(fact).__name__, key=fact.key)
        return floor, tuple(changes)
