"""From a hangup to the message in the channel's hands; and the sweep over 10,000 open callbacks, 1,000 of them due.

`python -m tests.bench.bench_callbacks [sqlite postgresql]`
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock, SystemClock
from pbxmonitor.logs import set_up
from pbxmonitor.store import schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import connect, insert_new, reading, writing
from pbxmonitor.work.callbacks import OverdueCallbacks
from pbxmonitor.work.dispatch import Dispatch
from tests.store.conftest import Server
from tests.work.shop import DUTIES, POLICY, Shop

MISSES, WARM = 300, 20
OPEN, DUE = 10_000, 1_000
LIMIT_S = 1.0

RANG = timedelta(seconds=12)


class Hand:
    """A channel that takes what it is given and notes when."""

    per_second: float | None = None
    per_address_per_minute: float | None = None

    def __init__(self) -> None:
        self.got: dict[str, float] = {}
        self.full = asyncio.Event()

    async def send(self, delivery: Delivery) -> str | None:
        self.got.setdefault((delivery.about or ("", ""))[1], time.perf_counter())
        if len(self.got) == MISSES + WARM:
            self.full.set()
        return None


async def latencies(engine: AsyncEngine) -> list[float]:
    """Seconds from the hangup's fact to the message in the channel's hands, of so many misses one after another."""
    hand, stop, asked = Hand(), asyncio.Event(), {}
    work = Dispatch(engine, {"telegram": hand}, SystemClock())
    shop = Shop(engine, ring=work.ring, clock=SystemClock().now)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(work.run(stop))
        for number in range(MISSES + WARM):
            shop.story.now = SystemClock().now() - RANG  # he gives up now: nothing of it is overdue
            story = shop.story.calls_in(f"+7916{number:07}").waits_in("sales").rings("101").after(RANG.total_seconds())
            await shop.recorded()
            key = story.caller_leaves().key
            asked[key] = time.perf_counter()
            await shop.recorded()
            await asyncio.sleep(0.02)
        async with asyncio.timeout(30):
            await hand.full.wait()
        stop.set()
        work.ring()
        await running
    return sorted(hand.got[key] - at for key, at in list(asked.items())[WARM:])


async def sweeps(engine: AsyncEngine) -> tuple[float, float, int, int]:
    """The whole sweep and its longest transaction in seconds, how many were looked at, and how many due are left."""
    shop = Shop(engine)
    await shop.misses()
    clock = ManualClock(shop.now)
    await writing(engine, lambda connection: _copies(connection, clock.now()))
    clock.advance(11 * 60)
    longest, began = 0.0, time.perf_counter()
    work = OverdueCallbacks(database=engine, duties=DUTIES, policy=POLICY, clock=clock)
    done = 0
    while True:
        started = time.perf_counter()
        found = await work.portion()
        longest = max(longest, time.perf_counter() - started)
        if not found:
            break
        done += found
    whole = time.perf_counter() - began
    left = sa.select(sa.func.count()).where(schema.callback.c.next_at <= clock.now())
    return whole, longest, done, await reading(engine, lambda connection: connection.execute(left).scalar_one())


def _copies(connection: sa.Connection, now: datetime) -> None:
    """The one callback there is, of so many other clients; the later ones are not due yet."""
    (row,) = connection.execute(sa.select(schema.callback)).mappings().all()
    later = {
        "opened_at": now + timedelta(hours=1),
        "due_at": now + timedelta(hours=2),
        "next_at": now + timedelta(hours=2),
    }
    rows: list[dict[str, Any]] = []
    for number in range(1, OPEN):
        own = {"call": f"copy.{number}", "number": f"+7495{number:07}", "missed_calls": f'["copy.{number}"]'}
        rows.append({**row, **own, **(later if number >= DUE else {})})
    insert_new(connection, schema.callback, rows)


async def run(kind: str, urls: Sequence[str]) -> bool:
    """Print both; whether both marks hold."""
    for url in urls:
        await upgrade(url)
    first, second = connect(urls[0]), connect(urls[1])
    try:
        took = await latencies(first)
        p99 = took[int(len(took) * 0.99)]
        print(
            f"    {kind:<11}hangup to channel: median {took[len(took) // 2] * 1000:.0f} ms, "
            f"p99 {p99 * 1000:.0f} ms (at most 1000), {len(took)} misses"
        )
        whole, longest, done, left = await sweeps(second)
        print(
            f"    {kind:<11}{done} due of {OPEN:,} open: swept in {whole:.2f} s (at most 1), "
            f"longest transaction {longest * 1000:.0f} ms, {left} forgotten"
        )
        return p99 <= LIMIT_S and whole <= LIMIT_S and left == 0 and done == DUE
    finally:
        await first.dispose()
        await second.dispose()


def main(kinds: Sequence[str] = ("sqlite", "postgresql")) -> bool:
    """Print how quickly missed clients are told of; whether the marks hold."""
    set_up("warning", "console")
    print("(h) callbacks")
    held = True
    for kind in kinds:
        if kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                urls = [f"sqlite:///{folder}/{name}.sqlite3" for name in ("a", "b")]
                held &= asyncio.run(run(kind, urls))
            continue
        server = Server(kind)
        try:
            held &= asyncio.run(run(kind, [server.create(f"callbacks_{name}_{os.getpid()}") for name in ("a", "b")]))
        finally:
            server.drop_all()
    return held


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:] or ["sqlite", "postgresql"]) else 1)
