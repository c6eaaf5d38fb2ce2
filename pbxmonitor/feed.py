"""The latest floor, and a wake-up for who watches it; watchers that are slow skip floors, never block the engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from pbxmonitor.domain.floor import Change, Floor


class Feed:
    """One node's floor as last committed."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self._version = 0
        self._moved = asyncio.Condition()

    async def publish(self, floor: Floor, changes: Sequence[Change]) -> None:
        """Make that floor the current one and wake the watchers."""
        async with self._moved:
            self.floor = floor
            self._version += len(changes)
            self._moved.notify_all()

    async def floors(self) -> AsyncIterator[Floor]:
        """The current floor, and then each later one that the watcher is quick enough to see."""
        seen = -1
        while True:
            async with self._moved:
                while self._version == seen:
                    await self._moved.wait()
                seen, floor = self._version, self.floor
            yield floor
