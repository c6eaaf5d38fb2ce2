"""(a) Bytes to facts, against panoramisk's own parser and dispatch, on the same recorded mix in 1,448-byte pieces."""

import asyncio
import time
from collections import deque
from pathlib import Path

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from pbxmonitor.pbx.asterisk.frames import Cutter, parse
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.translate import Translator

PIECE = 1448
ROUNDS = 5
NAME = "Анна Иванова"
SCENARIOS = Path(__file__).parent.parent / "scenarios"


def mix() -> list[bytes]:
    """All recordings as they would come off the wire, without what only the drive of the recording asked for."""
    data = b"".join(path.read_bytes() for path in sorted(SCENARIOS.glob("22/*.ami")))
    return [data[at : at + PIECE] for at in range(0, len(data), PIECE)]


def ours(pieces: list[bytes]) -> tuple[int, int]:
    """Facts, and how often the name arrived whole."""
    cutter, translate = Cutter(), Translator(Site(node="bench"))
    facts = names = 0
    for piece in pieces:
        for raw in cutter.feed(piece):
            frame = parse(raw, 0.0)
            if frame is not None:
                facts += translate(frame) is not None
                names += frame["MemberName"] == NAME
    return facts, names


def theirs(pieces: list[bytes]) -> tuple[int, int]:
    """Events dispatched to one callback, and how often the name arrived whole."""
    heard = {"events": 0, "names": 0}

    def callback(_: Manager, event: object) -> None:
        heard["events"] += 1
        heard["names"] += getattr(event, "MemberName", None) == NAME

    manager = Manager()
    manager.callbacks["FullyBooted"].clear()  # it would answer by sending what it still waits for
    manager.register_event("*", callback)
    protocol = AMIProtocol()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding, protocol.queue = manager, "utf8", deque()
    for piece in pieces:
        protocol.data_received(piece)
    return heard["events"], heard["names"]


def best(work: object, pieces: list[bytes]) -> float:
    """Seconds, the best of several rounds."""
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work(pieces)  # type: ignore[operator]
        took.append(time.perf_counter() - began)
    return min(took)


def main() -> bool:
    """Print both; whether ours is at least 2.5 times as fast with every name intact."""
    asyncio.set_event_loop(asyncio.new_event_loop())
    pieces = mix()
    whole = b"".join(pieces)
    events = whole.count(b"\r\nEvent: ") + whole.count(b"\nEvent: ", 0, 8)
    _, names = ours([whole])
    facts, mine = ours(pieces)
    _, other = theirs(pieces)
    fast, slow = best(ours, pieces), best(theirs, pieces)
    ratio = slow / fast
    print(f"(a) {events} events, {len(whole) / 1e6:.1f} MB, cut in pieces of {PIECE} bytes")
    print(f"    bytes to {facts} facts: {events / fast:,.0f} events/s, {mine} of {names} names whole")
    print(f"    panoramisk: {events / slow:,.0f} events/s, {other} names; ratio {ratio:.2f} (at least 2.5)")
    return ratio >= 2.5 and mine == names > 0


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
