"""Bytes to frames: events a second, beside panoramisk's own parser and dispatch on the same bytes.

`python -m tests.bench.bench_frames [ROUNDS]`: the recordings one after the other, cut into chunks of 1,448 bytes as
they come from a network card, best of ROUNDS (5), the two taking turns.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message

from pbxmonitor.pbx.asterisk.frames import Cutter, parse
from tests.bench.machine import machine

SCENARIOS = Path(__file__).parents[1] / "scenarios"
CHUNK = 1448


def recorded() -> list[bytes]:
    """All recordings as one stream, in chunks."""
    stream = b"".join(path.read_bytes() for path in sorted(SCENARIOS.glob("*/*.ami")))
    return [stream[at : at + CHUNK] for at in range(0, len(stream), CHUNK)]


def ours(chunks: list[bytes]) -> int:
    """Cut and parse; the frames made."""
    cutter, frames = Cutter(), 0
    for chunk in chunks:
        for raw in cutter.feed(chunk):
            frames += parse(raw, 0.0) is not None
    return frames


class Nowhere:
    """What panoramisk's protocol writes to."""

    def write(self, data: bytes) -> None:
        """Nothing is written."""

    def close(self) -> None:
        """Nothing is open."""


def panoramisk(chunks: list[bytes]) -> int:
    """panoramisk's protocol and dispatch with one synchronous callback; the events it was called with."""
    events = 0

    def told(_: Manager, __: Message) -> None:
        nonlocal events
        events += 1

    manager = Manager(loop=asyncio.get_running_loop())
    manager.callbacks["FullyBooted"].clear()  # it would start a coroutine for each recording
    manager.register_event("*", told)
    protocol = AMIProtocol()
    protocol.connection_made(Nowhere())
    protocol.factory, protocol.encoding = manager, "utf8"
    for chunk in chunks:
        protocol.data_received(chunk)
    return events


def seconds(work: Callable[[list[bytes]], int], chunks: list[bytes]) -> float:
    """How long one run takes."""
    gc.collect()
    begun = time.perf_counter()
    work(chunks)
    return time.perf_counter() - begun


async def main(rounds: int) -> None:
    """Measure both in turns and print."""
    chunks = recorded()
    events = sum(chunk.count(b"\nEvent: ") for chunk in [b"".join(chunks)])
    times = [(seconds(ours, chunks), seconds(panoramisk, chunks)) for _ in range(rounds)]
    mine, theirs = (min(column) for column in zip(*times, strict=True))
    print(machine())
    print(f"{events} events, {sum(map(len, chunks))} bytes in chunks of {CHUNK}, best of {rounds}")
    print(f"panoramisk, parse and dispatch  {events / theirs:>9,.0f} events/s")
    print(f"ours, bytes to frames           {events / mine:>9,.0f} events/s   ratio {theirs / mine:.1f}")
    print(
        f"of them followed and decoded    {ours(chunks) / events:>9.0%}   panoramisk called back {panoramisk(chunks)}"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 5))
