"""Not faster than a CRM allows."""

import asyncio

from pbxmonitor.clock import Clock


class Pace:
    """At most `per_second` requests on average, `burst` of them at once."""

    def __init__(self, clock: Clock, per_second: float, burst: int = 1) -> None:
        self._clock = clock
        self._gap = 1 / per_second
        self._slack = (burst - 1) * self._gap
        self._next = float("-inf")
        self._one = asyncio.Lock()

    async def turn(self) -> None:
        """Wait for one's turn; turns are given in the order of asking."""
        async with self._one:
            now = self._clock.monotonic()
            due = max(self._next, now - self._slack)
            if due > now:
                await self._clock.sleep(due - now)
            self._next = due + self._gap
