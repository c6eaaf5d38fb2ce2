"""The engine with a spool before it: facts wait on disk while the database is away."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from pbxmonitor.clock import Clock
from pbxmonitor.domain.floor import Change
from pbxmonitor.engine import Engine
from pbxmonitor.metrics import Metrics
from pbxmonitor.pbx import Batch, Silence
from pbxmonitor.spool import Spool
from pbxmonitor.store.types import AWAY, first_line
from pbxmonitor.tracking import tell

log = structlog.get_logger()
RETRY = timedelta(seconds=5)


@dataclass
class Recorder:
    """Records one node's stream; raises LeaseLost when another daemon has taken the node."""

    engine: Engine
    spool: Spool
    clock: Clock
    metrics: Metrics = field(default_factory=Metrics)
    _retry_at: datetime | None = None

    @property
    def ready(self) -> bool:
        """Whether what was told is also recorded."""
        return not self.spool.waiting

    async def run(self, batches: AsyncIterator[Batch]) -> None:
        """Record the stream until it ends."""
        async for batch in batches:
            if (self.spool.waiting and not await self._caught_up()) or not await self._recorded(batch):
                self.spool.put(batch)
            self.metrics.spooled.labels(self._node).set(self.spool.waiting)

    @property
    def _node(self) -> str:
        return self.engine.floor.node

    async def _recorded(self, batch: Batch) -> bool:
        try:
            if isinstance(batch, Silence):
                await self.engine.note_gap(batch)
                self.metrics.gaps.labels(self._node).inc()
                return True
            poisoned = self.engine.poisoned
            changes = await self.engine.take(batch)
        except AWAY as error:
            self._retry_at = self.clock.now() + RETRY
            log.error("database_away", node=self._node, reason=first_line(error))
            return False
        self.metrics.facts_put_aside.labels(self._node).inc(self.engine.poisoned - poisoned)
        self._count(changes)
        tell(changes)
        return True

    def _count(self, changes: Sequence[Change]) -> None:
        pairs = [pair for change in changes for pair in change.calls]
        opened = sum(1 for before, _ in pairs if before is None)
        ended = sum(1 for before, now in pairs if now.ended_at and (before is None or before.ended_at is None))
        self.metrics.facts.labels(self._node).inc(len(changes))
        self.metrics.open_calls.labels(self._node).inc(opened - ended)

    async def _caught_up(self) -> bool:
        if self._retry_at is not None and self.clock.now() < self._retry_at:
            return False
        for batch in self.spool.batches():
            if not await self._recorded(batch):
                return False
        self.spool.clear()
        log.info("database_back", node=self._node)
        return True
