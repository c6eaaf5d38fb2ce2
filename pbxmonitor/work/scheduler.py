"""Bells: APScheduler rings them, and that is all it does. What is due stands in rows; whoever is rung looks there.

Measured on APScheduler 3.11: a bell more than 1 s late is not rung at all unless its grace is None; shutdown cancels
what runs; a clock set back silences an interval for as long, and one set ahead makes it count every ring in between
(2.6 million of them kept the loop for 4.6 s). So its jobs only set an event, each moment is reckoned from now, the work
runs in tasks of ours that nobody cuts short, and a look at both clocks winds the bells anew when one has jumped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

import structlog
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

from pbxmonitor.clock import Clock, first_of
from pbxmonitor.store.types import AWAY, first_line

log = structlog.get_logger()
# Work that failed is done again after so long, if nobody rings before.
RETRY_S: Final = 30.0
# How often the two clocks are compared, and from which difference on one has jumped.
LOOK_S: Final = 20.0
JUMP_S: Final = 2.0

Work = Callable[[], Awaitable[object]]
# Every so long, or whenever this says that it is next.
When = timedelta | Callable[[datetime], datetime | None]
_RULES: Final = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}


class _Moments(BaseTrigger):  # type: ignore[misc]
    """Rings whenever its bell says that it is next."""

    def __init__(self, when: When) -> None:
        self._when = when

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime | None:
        return now + self._when if isinstance(self._when, timedelta) else self._when(now)


@dataclass
class _Bell:
    name: str
    when: When
    work: Work
    event: asyncio.Event = field(default_factory=asyncio.Event)
    failed: str | None = None

    def wind(self, scheduler: Any) -> None:
        """Have the scheduler ring it from now on; anew, if it did before."""
        scheduler.add_job(self.event.set, _Moments(self.when), id=self.name, replace_existing=True)


class Bells:
    """The bells of one daemon: each rings at the start, so that what was missed is found, and then when it should."""

    def __init__(self, clock: Clock, zone: tzinfo, *, retry_s: float = RETRY_S, look_s: float = LOOK_S) -> None:
        self._clock = clock
        self._zone = zone
        self._retry_s = retry_s
        self._look_s = look_s
        self._bells: list[_Bell] = []

    def add(self, name: str, when: When, work: Work) -> None:
        """Do the work every so long, or at each moment that `when` gives for the time being."""
        self._bells.append(_Bell(name, when, work))

    async def run(self, stop: asyncio.Event) -> None:
        """Ring until told to stop; work that has begun is finished then.

        A database that is away is logged and asked again; anything else that goes wrong ends this, as it should.
        """
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        # This executor calls in the loop itself, where an event may be set: no thread, no task that could be cut short.
        executors = {"default": DebugExecutor()}
        scheduler = AsyncIOScheduler(timezone=self._zone, executors=executors, job_defaults=_RULES)
        for bell in self._bells:
            bell.wind(scheduler)
        scheduler.start()
        try:
            async with asyncio.TaskGroup() as tasks:
                watching = tasks.create_task(self._watch(scheduler), name="bells-watch")
                for bell in self._bells:
                    tasks.create_task(self._answer(bell, stop), name=f"bell-{bell.name}")
                await stop.wait()
                watching.cancel()
        finally:
            scheduler.shutdown(wait=False)

    async def _answer(self, bell: _Bell, stop: asyncio.Event) -> None:
        """Work whenever it rings, never twice at a time; what rings during the work is answered after it."""
        while not stop.is_set():
            bell.event.clear()
            await self._work(bell)
            waits: list[Coroutine[Any, Any, object]] = [bell.event.wait(), stop.wait()]
            if bell.failed is not None:
                waits.append(self._clock.sleep(self._retry_s))
            await first_of(*waits)

    async def _work(self, bell: _Bell) -> None:
        try:
            await bell.work()
        except* AWAY as errors:
            reason = _reason(errors)
            if bell.failed != reason:
                log.error("bell_failed", bell=bell.name, reason=reason, again_s=self._retry_s)
            bell.failed = reason
        else:
            if bell.failed is not None:
                log.info("bell_recovered", bell=bell.name)
            bell.failed = None

    async def _watch(self, scheduler: Any) -> None:
        """Wind and ring every bell when the time of day has gone another way than time."""
        ahead = self._ahead()
        while True:
            await self._clock.sleep(self._look_s)
            before, ahead = ahead, self._ahead()
            if abs(ahead - before) > JUMP_S:
                log.warning("clock_jumped", seconds=round(ahead - before, 1))
                for bell in self._bells:
                    bell.wind(scheduler)
                    bell.event.set()

    def _ahead(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()


def _reason(error: BaseException) -> str:
    """The first of what went wrong, in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return first_line(error)
