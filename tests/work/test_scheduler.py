"""Bells ring at the start, in time and after failures; the work never overlaps and is never cut short."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from pbxmonitor.clock import SystemClock
from pbxmonitor.work.scheduler import Bells

SOON, NEVER = timedelta(milliseconds=30), timedelta(hours=5)


class Work:
    """Counts how often it was begun and finished, and how many ran at once; does what it is told at each turn."""

    def __init__(self, *turns: Callable[[], Awaitable[None]]) -> None:
        self.begun = self.finished = self.running = self.most = 0
        self._turns = list(turns)
        self.moved = asyncio.Event()

    async def __call__(self) -> int:
        self.begun, self.running = self.begun + 1, self.running + 1
        self.most = max(self.most, self.running)
        self._move()
        try:
            if self._turns:
                await self._turns.pop(0)()
            self.finished += 1
        finally:
            self.running -= 1
            self._move()
        return self.finished

    def _move(self) -> None:
        self.moved.set()
        self.moved = asyncio.Event()

    async def until_begun(self, number: int) -> None:
        while self.begun < number:
            await self.moved.wait()

    async def until_finished(self, number: int) -> None:
        while self.finished < number:
            await self.moved.wait()


async def fails() -> None:
    raise OSError("the database is away\nsecond line")


async def breaks() -> None:
    raise ValueError("a bug")


async def ringing(bells: Bells, then: Callable[[], Awaitable[None]]) -> None:
    """Run the bells until that is over; nothing takes longer than some seconds."""
    stop = asyncio.Event()
    async with asyncio.timeout(15), asyncio.TaskGroup() as tasks:
        tasks.create_task(bells.run(stop))
        await then()
        stop.set()


async def test_every_bell_rings_once_at_the_start_so_that_what_was_missed_is_found() -> None:
    bells, one, two = Bells(SystemClock(), UTC), Work(), Work()
    bells.add("one", NEVER, one)
    bells.add("two", lambda now: now + NEVER, two)

    async def both() -> None:
        await one.until_finished(1)
        await two.until_finished(1)

    await ringing(bells, both)
    assert (one.begun, two.begun) == (1, 1)


async def test_a_bell_rings_again_and_again() -> None:
    bells, work = Bells(SystemClock(), UTC), Work()
    bells.add("often", SOON, work)
    await ringing(bells, lambda: work.until_finished(4))
    assert work.most == 1


async def test_a_bell_rings_at_the_moments_that_it_is_told_and_no_other() -> None:
    bells, work = Bells(SystemClock(), UTC), Work()
    moments = [datetime.now(UTC) + timedelta(milliseconds=80 * number) for number in (1, 2)]
    bells.add("at", lambda now: next((each for each in moments if each > now), now + NEVER), work)
    await ringing(bells, lambda: work.until_finished(3))
    assert datetime.now(UTC) >= moments[-1]
    assert work.begun == 3


async def test_work_that_takes_longer_than_its_bell_is_never_done_twice_at_a_time() -> None:
    gate = asyncio.Event()

    async def waits() -> None:
        await gate.wait()

    bells, slow, quick = Bells(SystemClock(), UTC), Work(waits), Work()
    bells.add("slow", SOON, slow)
    bells.add("quick", SOON, quick)

    async def quick_goes_on() -> None:
        await quick.until_finished(4)
        assert slow.begun == 1
        gate.set()
        await slow.until_finished(2)

    await ringing(bells, quick_goes_on)
    assert (slow.most, quick.most) == (1, 1)


async def test_work_that_has_begun_is_finished_when_it_is_over() -> None:
    gate, stop = asyncio.Event(), asyncio.Event()

    async def waits() -> None:
        await gate.wait()

    bells, work = Bells(SystemClock(), UTC), Work(waits)
    bells.add("slow", SOON, work)
    async with asyncio.timeout(15), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(bells.run(stop))
        await work.until_begun(1)
        stop.set()
        done, _ = await asyncio.wait([running], timeout=0.1)
        assert not done
        gate.set()
        await running
    assert (work.begun, work.finished) == (1, 1)


async def test_a_database_that_is_away_is_logged_once_and_stops_no_other_bell() -> None:
    bells = Bells(SystemClock(), UTC, retry_s=0.02)
    broken, sound = Work(fails, fails, fails), Work()
    bells.add("broken", NEVER, broken)
    bells.add("sound", SOON, sound)

    async def both() -> None:
        await broken.until_finished(1)
        await sound.until_finished(2)

    with capture_logs() as logged:
        await ringing(bells, both)
    told = [(each["event"], each["bell"], each.get("reason")) for each in logged]
    assert told == [("bell_failed", "broken", "the database is away"), ("bell_recovered", "broken", None)]
    assert broken.begun == 4


async def test_anything_else_that_goes_wrong_is_not_hidden() -> None:
    bells, work = Bells(SystemClock(), UTC), Work(breaks)
    bells.add("buggy", SOON, work)
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(15):
            await bells.run(asyncio.Event())
    assert caught.group_contains(ValueError, match="a bug")


class Set(SystemClock):
    """A clock that somebody sets."""

    def __init__(self) -> None:
        self.by = timedelta()

    def now(self) -> datetime:
        return super().now() + self.by


@pytest.mark.parametrize("by", [timedelta(hours=9), timedelta(hours=-9), timedelta(days=20000)])
async def test_when_the_clock_is_set_every_bell_rings_so_that_nothing_waits_for_the_old_time(by: timedelta) -> None:
    clock, work = Set(), Work()
    bells = Bells(clock, UTC, look_s=0.02)
    bells.add("rare", NEVER, work)

    async def is_set() -> None:
        await work.until_finished(1)
        clock.by = by
        await work.until_finished(2)

    with capture_logs() as logged:
        await ringing(bells, is_set)
    assert [each["event"] for each in logged] == ["clock_jumped"]
    assert work.begun == 2


async def test_nothing_is_left_behind() -> None:
    bells, work = Bells(SystemClock(), UTC), Work()
    bells.add("often", SOON, work)
    before = asyncio.all_tasks()
    await ringing(bells, lambda: work.until_finished(2))
    await asyncio.sleep(0)
    gc.collect()
    assert asyncio.all_tasks() == before
