"""Dispatchers killed again and again: everything is delivered, twice only where the kill fell after the sending."""

import asyncio
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import sqlalchemy as sa

from pbxmonitor.clock import SystemClock
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import connect, reading, writing
from pbxmonitor.work.dispatch import Dispatch, Later

KILLS, OWED = 200, 400
HOLD = timedelta(milliseconds=300)


class Flaky:
    """Writes down what it sends, and fails in every way: later, garbage, a connection that closes in mid-answer."""

    per_second: float | None = None
    per_address_per_minute: float | None = None

    def __init__(self, log: Path, rng: Random) -> None:
        self._log, self._rng = log, rng

    async def send(self, delivery: Delivery) -> str | None:
        chance = self._rng.random()
        if chance < 0.2:
            raise Later("429", after_s=0.01)
        if chance < 0.3:
            raise ConnectionResetError("closed in mid-answer")
        with self._log.open("a") as file:
            file.write(f"{delivery.id}\n")
        await asyncio.sleep(self._rng.random() * 0.01)
        return None


def dispatcher(url: str, log: Path, seed: int) -> None:
    """What the child process does until it is killed."""

    async def work() -> None:
        rng = Random(seed)
        await Dispatch(connect(url), {"flaky": Flaky(log, rng)}, SystemClock(), rng=rng, hold=HOLD).run(asyncio.Event())

    asyncio.run(work())


def test_two_hundred_kills_lose_nothing_and_double_only_what_they_cut_in_two(tmp_path: Path) -> None:
    url, log, rng = f"sqlite:///{tmp_path / 'outbox.sqlite3'}", tmp_path / "sent", Random(7)
    log.touch()
    asyncio.run(prepared(url))
    children = multiprocessing.get_context("fork")
    cut_in_two: dict[str, int] = {}
    for seed in range(KILLS):
        child = children.Process(target=dispatcher, args=(url, log, seed))
        child.start()
        time.sleep(0.03 + rng.random() * 0.08)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        sent = log.read_text().split()
        for name in asyncio.run(waiting(url)):
            # Gone out more often than was noted so far, and waiting still: it will go out once more.
            if sent.count(name) > cut_in_two.get(name, 0):
                cut_in_two[name] = cut_in_two.get(name, 0) + 1
    asyncio.run(finished(url, log))
    sent = log.read_text().split()
    assert set(sent) == {f"owed-{number}" for number in range(OWED)}
    doubled = {name: sent.count(name) - 1 for name in set(sent) if sent.count(name) > 1}
    assert doubled == cut_in_two


async def prepared(url: str) -> None:
    await upgrade(url)
    engine, now = connect(url), datetime.now(UTC)
    owed = [
        Delivery(id=f"owed-{n}", channel="flaky", template="missed", due_at=now, created_at=now) for n in range(OWED)
    ]
    await writing(engine, lambda connection: outbox.put(connection, owed))
    await engine.dispose()


async def waiting(url: str) -> list[str]:
    engine = connect(url)
    wanted = sa.select(schema.delivery.c.id).where(schema.delivery.c.state == "waiting")
    found = await reading(engine, lambda connection: list(connection.execute(wanted).scalars()))
    await engine.dispose()
    return found


async def finished(url: str, log: Path) -> None:
    engine, clock = connect(url), SystemClock()
    work = Dispatch(engine, {"flaky": Flaky(log, Random(1))}, clock, rng=Random(1), hold=HOLD)
    wanted = sa.select(sa.func.count()).where(schema.delivery.c.state == "waiting")
    hurry = sa.update(schema.delivery).where(schema.delivery.c.state == "waiting").values(due_at=datetime.now(UTC))
    async with asyncio.timeout(60):
        while await reading(engine, lambda connection: connection.execute(wanted).scalar_one()):
            await writing(engine, lambda connection: connection.execute(hurry))
            await work.once()
            await clock.sleep(0.05)
    await engine.dispose()
