"""Time and waiting: the only module that may ask the machine for either."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol


class Clock(Protocol):
    """What the rest of the program knows of time."""

    def now(self) -> datetime:
        """The moment, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class ManualClock:
    """A clock that a test moves by hand; `sleep` advances it and yields to other tasks once."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._start = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return (self._at - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def advance(self, seconds: float) -> None:
        """Move time forward by that many seconds."""
        self._at += timedelta(seconds=seconds)


async def every(clock: Clock, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, wait that many seconds, and again, for ever (cancel the owning TaskGroup to stop)."""
    while True:
        await work()
        await clock.sleep(seconds)


async def first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Until one of them is over; the others are given up."""
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(each) for each in waits]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
