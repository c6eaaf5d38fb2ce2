"""The engine with a spool before it: facts wait on disk while the database is away."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from pbxmonitor.clock import Clock
from pbxmonitor.engine import Engine
from pbxmonitor.pbx import Batch, Silence
from pbxmonitor.spool import Spool
from pbxmonitor.tracking import tell

log = structlog.get_logger()
RETRY = timedelta(seconds=5)


@dataclass
class Recorder:
    """Records one node's stream; raises LeaseLost when another daemon has taken the node."""

    engine: Engine
    spool: Spool
    clock: Clock
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

    async def _recorded(self, batch: Batch) -> bool:
        try:
            if isinstance(batch, Silence):
                await self.engine.note_gap(batch)
                return True
            changes = await self.engine.take(batch)
        except (DBAPIError, OSError) as error:
            self._retry_at = self.clock.now() + RETRY
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            log.error("database_away", node=self.engine.floor.node, reason=reason)
            return False
        tell(changes)
        return True

    async def _caught_up(self) -> bool:
        if self._retry_at is not None and self.clock.now() < self._retry_at:
            return False
        for batch in self.spool.batches():
            if not await self._recorded(batch):
                return False
        self.spool.clear()
        log.info("database_back", node=self.engine.floor.node)
        return True
