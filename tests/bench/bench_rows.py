"""(b) Bytes on a loopback socket to committed rows, through the daemon's own link, node, engine and ledger."""

import asyncio
import os
import re
import tempfile
import time
from collections.abc import AsyncIterator

from pydantic import SecretStr

from pbxmonitor.app import spare_the_collector
from pbxmonitor.clock import SystemClock
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.pbx import Batch
from pbxmonitor.pbx.asterisk.ami import Ami, AmiLogin
from pbxmonitor.pbx.asterisk.frames import Cutter, parse
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.node import AsteriskNode
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect
from tests.bench.bench_store import SCENARIOS, TAPES, bare
from tests.store.conftest import Server

CALLS = 600
LEAST = 300
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
LATE_S = 60


def stream(calls: int, *, filtered: bool) -> bytes:
    """What an Asterisk sends of that many queue calls, one a minute of its own time; `filtered` by asterisk_conf."""
    tapes = [events_of((SCENARIOS / f"{name}.ami").read_bytes(), filtered) for name in TAPES]
    return b"".join(_later(tapes[number % len(tapes)], number) for number in range(calls))


def events_of(data: bytes, filtered: bool) -> bytes:
    """Without the list answers that the recording began with."""
    raws = [raw for raw in Cutter().feed(data) if b"\nTimestamp: " in raw]
    if filtered:
        raws = [raw for raw in raws if parse(raw, 0.0) is not None]
    return b"".join(raw + b"\r\n\r\n" for raw in raws)


def _later(data: bytes, number: int) -> bytes:
    """The same call at another time, by another caller, on other channels and bridges."""
    first = int(re.search(rb"Timestamp: (\d{10})", data)[1])  # type: ignore[index]
    shift = 1_800_000_000 + number * LATE_S - first
    moved = re.sub(rb"(?<=: )(179\d{7})(?=\.\d)", lambda found: b"%d" % (int(found[1]) + shift), data)
    moved = re.sub(rb"\+7916\d{7}", b"+7916%07d" % number, moved)
    return re.sub(rb"(?<=BridgeUniqueid: )[0-9a-f]{8}", b"%08x" % number, moved)


class Asterisk:
    """Lets anybody log in, and tells its story once the daemon has asked for its first lists."""

    def __init__(self, story: bytes) -> None:
        self._story = story

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(line.split(": ", 1) for line in asked.split("\r\n") if ": " in line)
                challenge = "Challenge: 1\r\n" if fields["Action"] == "Challenge" else ""
                writer.write(f"Response: Success\r\nActionID: {fields['ActionID']}\r\n{challenge}\r\n".encode())
                if fields["Action"] == "CoreShowChannels":
                    writer.write(self._story)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Run:
    """The daemon's parts between a socket and a database, until that many calls have ended and are committed."""

    def __init__(self, url: str, story: bytes, calls: int) -> None:
        self._story, self._calls = story, calls
        self.database = connect(url)
        self._engine = Engine(Ledger(self.database, "bench", Policy()), Feed(Floor(node="bench")))
        self._queue: asyncio.Queue[Batch] = asyncio.Queue(8)
        self.batches: list[int] = []

    async def seconds(self) -> float:
        server = await asyncio.start_server(Asterisk(self._story).serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        login = AmiLogin(host="127.0.0.1", port=port, username="bench", secret=SecretStr("bench"))
        ami = Ami(login, SystemClock())
        node = AsteriskNode(site=Site(node="bench"), ami=ami, clock=SystemClock(), resync_every=3600)
        async with asyncio.timeout(120), asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(node.follow(self._queue.put))
            began = time.perf_counter()
            await self._record()
            took = time.perf_counter() - began
            listening.cancel()
        server.close()
        await server.wait_closed()
        return took

    async def _record(self) -> None:
        ended = 0
        async for batch in self._told():
            assert isinstance(batch, tuple)
            self.batches.append(len(batch))
            for change in await self._engine.take(batch):
                ended += sum(1 for was, now in change.calls if now.ended_at and was and not was.ended_at)
            if ended >= self._calls:
                return

    async def _told(self) -> AsyncIterator[Batch]:
        while True:
            yield await self._queue.get()


async def measure(kind: str, url: str, story: bytes, calls: int) -> bool:
    await upgrade(url)
    run = Run(url, story, calls)
    try:
        took = await run.seconds()
        alone, rows = await bare(run.database)
    finally:
        await run.database.dispose()
    batch = sum(run.batches) / len(run.batches)
    print(f"    {kind:<11}{calls / took:5.0f} queue calls/s (at least {LEAST}), in batches of {batch:.0f} facts;")
    print(
        f"    {'':<11}bare bulk insert of the {rows} rows {alone:.2f} s against {took:.2f} s, ratio {took / alone:.1f}"
    )
    return calls / took >= LEAST


def main() -> bool:
    """Print what SQLite and PostgreSQL do with and without event filters; whether both hold with them."""
    spare_the_collector()
    fine = True
    for filtered in (True, False):
        story = stream(CALLS, filtered=filtered)
        events = story.count(b"Event: ") / CALLS
        print(f"(b) bytes to committed rows, event filters {'on' if filtered else 'off'}: {events:.0f} events a call")
        held = _on_sqlite(story) & _on_postgresql(story)
        fine = held if filtered else fine
    return fine


def _on_sqlite(story: bytes) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure("sqlite", f"sqlite:///{folder}/bench.sqlite3", story, CALLS))


def _on_postgresql(story: bytes) -> bool:
    server = Server("postgresql")
    url = server.create(f"rows_{os.getpid()}_{len(story)}")
    try:
        return asyncio.run(measure("postgresql", url, story, CALLS))
    finally:
        server.drop_all()


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
