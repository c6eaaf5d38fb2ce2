"""One thing for one id, however often it is told: remembered, and looked for when it may have been forgotten."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from weakref import WeakValueDictionary

from pbxmonitor.clock import Clock
from pbxmonitor.crm import Memory

BEGUN = "begun "
# The CRM's clock may be behind ours.
MARGIN = timedelta(minutes=10)
Look = Callable[[datetime], Awaitable[str | None]]
Make = Callable[[], Awaitable[str]]


class Once:
    """What was begun and never remembered as made is looked for in the CRM before it is made again."""

    def __init__(self, clock: Clock, memory: Memory) -> None:
        self._clock = clock
        self._memory = memory
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def alone(self, number: str) -> asyncio.Lock:
        """A lock for all that concerns that number: two strangers must not be made of one client."""
        return self._locks.setdefault(number, asyncio.Lock())

    async def made(self, key: str) -> str | None:
        """What is remembered as made."""
        known = await self._memory.get(key)
        return None if known is None or known.startswith(BEGUN) else known

    async def make(self, key: str, look: Look, make: Make) -> str:
        """The CRM's id of the thing: remembered, found by `look` (made since that moment), or made now."""
        known = await self._memory.get(key)
        if known is not None and not known.startswith(BEGUN):
            return known
        if known is None:
            await self._memory.put(key, f"{BEGUN}{self._clock.now().isoformat()}")
            found = None
        else:
            found = await look(datetime.fromisoformat(known.removeprefix(BEGUN)) - MARGIN)
        made = found or await make()
        await self._memory.put(key, made)
        return made
