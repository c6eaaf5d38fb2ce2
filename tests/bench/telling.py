"""A manager interface that tells queue calls as they happen, so many events a second, all of them followed by us.

The calls are the recordings of bench_store, each with a caller, channels, a queue and phones of its own. Among them are
marks: a member's pause with a reason that was never told before, by which a change on the wire is known on the page.
"""

import asyncio
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import merge
from typing import Final

from tests.bench.bench_rows import GREETING, events_of
from tests.bench.bench_store import SCENARIOS, TAPES

GROUPS: Final = 60
# 101 to 105 of the recordings, in each group; 1 is put before and the group between.
PHONES: Final = 5
MARKED: Final = tuple(str(9000 + number) for number in range(40))
MARKS_A_SECOND: Final = 20
_STAMP: Final = re.compile(rb"Timestamp: ([\d.]+)")
_PHONE: Final = re.compile(rb"(?<![\d.])10([1-5])(?!\d)")
_QUEUE: Final = re.compile(rb"\b(?:sales|reception|fpbx|auto)(?=\b|_)")
_IDENTITY: Final = re.compile(rb"(?<=: )179\d{7}(?=\.\d)")


@dataclass(frozen=True, slots=True)
class Event:
    """Bytes on the wire after so many seconds; its Timestamp is written as it is sent."""

    at: float
    before: bytes
    after: bytes
    mark: str | None = None

    def __lt__(self, other: "Event") -> bool:
        return self.at < other.at

    def now(self, moment: float) -> bytes:
        return b"%sTimestamp: %.6f%s" % (self.before, moment, self.after)


def calls(rate: float, seconds: float) -> Iterator[Event]:
    """Events of calls that begin evenly, in the order of time: so many a second once the first calls have ended."""
    tapes = [[*_tape(events_of((SCENARIOS / f"{name}.ami").read_bytes(), filtered=True))] for name in TAPES]
    apart = sum(map(len, tapes)) / len(tapes) / rate
    streams = (_moved(tapes[n % len(tapes)], n, n * apart) for n in range(int(seconds / apart)))
    return merge(*streams)


def _tape(data: bytes) -> Iterator[tuple[float, bytes]]:
    raws = [raw + b"\r\n\r\n" for raw in data.split(b"\r\n\r\n") if raw]
    moments = [float(_STAMP.search(raw)[1]) for raw in raws]  # type: ignore[index]
    yield from ((at - moments[0], raw) for at, raw in zip(moments, raws, strict=True))


def _moved(tape: list[tuple[float, bytes]], number: int, later: float) -> Iterator[Event]:
    """The same call later, by another caller, at the phones and in the queue of a group."""
    group, begun = b"%02d" % (number % GROUPS), int(time.time())
    for at, raw in tape:
        text = _IDENTITY.sub(lambda found: b"%d" % (begun + number), raw)
        text = _PHONE.sub(lambda found: b"1%s%s" % (group, found[1]), text)
        text = re.sub(rb"\+7916\d{7}", b"+7916%07d" % (number % 10**7), _QUEUE.sub(b"q%s" % group, text))
        text = re.sub(rb"(?<=BridgeUniqueid: )[0-9a-f]{8}", b"%08x" % number, text)
        before, _, after = text.partition(b"Timestamp: ")
        yield Event(at + later, before, after[after.index(b"\r\n") :])


def marks(rate: float, seconds: float) -> Iterator[Event]:
    """Pauses of the marked members, one after another, each with its own reason."""
    for number in range(int(seconds * rate)):
        agent, reason = MARKED[number % len(MARKED)], f"mark{number:06d}"
        before = "Event: QueueMemberPause\r\nPrivilege: agent,all\r\n"
        after = (
            f"\r\nQueue: marked\r\nMemberName: {agent}\r\nInterface: PJSIP/{agent}\r\nStateInterface: PJSIP/{agent}\r\n"
            f"Membership: static\r\nPaused: 1\r\nPausedReason: {reason}\r\n\r\n"
        )
        yield Event(number / rate, before.encode(), after.encode(), reason)


@dataclass
class Telling:
    """The server; `sent` is when each mark was written, `told` how many events have been, `late` the worst delay."""

    rate: float
    seconds: float
    sent: dict[str, float] = field(default_factory=dict)
    told: int = 0
    late: float = 0.0
    begin: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        async with asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell(writer))
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                    writer.write(_answer(dict(line.split(": ", 1) for line in lines if ": " in line)))
                    if "Action: QueueStatus" in lines:
                        self.asked.set()
            telling.cancel()
            writer.close()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        await self.begin.wait()
        told = merge(calls(self.rate - MARKS_A_SECOND, self.seconds), marks(MARKS_A_SECOND, self.seconds))
        began = time.perf_counter()
        for event in told:
            wait = began + event.at - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            self.late = max(self.late, -wait)
            writer.write(event.now(time.time()))
            self.told += 1
            if event.mark is not None:
                self.sent[event.mark] = time.perf_counter()
            await writer.drain()


def _answer(fields: dict[str, str]) -> bytes:
    action, asked = fields["Action"], f"ActionID: {fields['ActionID']}\r\n"
    if action == "Challenge":
        return f"Response: Success\r\n{asked}Challenge: 1\r\n\r\n".encode()
    if action != "QueueStatus":
        return f"Response: Success\r\n{asked}Message: ok\r\n\r\n".encode()
    start = f"Response: Success\r\n{asked}EventList: start\r\n\r\n"
    members = "".join(
        f"Event: QueueMember\r\nQueue: {queue}\r\nName: {name}\r\nLocation: {interface}\r\nPaused: 0\r\n{asked}\r\n"
        for queue, name, interface in members_of()
    )
    return f"{start}{members}Event: QueueStatusComplete\r\n{asked}EventList: Complete\r\n\r\n".encode()


def members_of() -> Iterator[tuple[str, str, str]]:
    """Queue, name and interface of everybody who is rung or marked."""
    for group in range(GROUPS):
        for phone in range(1, PHONES + 1):
            agent = f"1{group:02d}{phone}"
            local = f"Local/{agent}@from-queue/n" if phone > 3 else f"PJSIP/{agent}"
            yield f"q{group:02d}", f"Agent {agent}", local
    for agent in MARKED:
        yield "marked", f"Agent {agent}", f"PJSIP/{agent}"
