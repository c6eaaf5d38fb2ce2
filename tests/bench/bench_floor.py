"""(c) What one fact costs with few and with many open calls, in batches of 1 and of 100."""

import gc
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play

BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
ROUNDS = 7
FACTS = 4000


def opened(number: int) -> Iterator[f.Fact]:
    """A caller who waits in a queue while one phone rings."""
    caller, phone = f"{number}.1", f"{number}.2"
    base: dict[str, Any] = {"node": "bench", "at": BEGAN + timedelta(milliseconds=number)}
    yield f.LegStarted(
        **base, key=caller, leg=caller, linked=caller, endpoint="PJSIP/trunk", agent=None,
        number=f"+7916{number:07}", exten="1001", trunk=True, local=False, incoming=True,
    )  # fmt: skip
    yield f.StepReached(**base, key=f"{caller}q", leg=caller, step=f.Step.QUEUE, name="sales")
    yield f.CallQueued(**base, key=f"{caller}j", leg=caller, queue="sales")
    yield f.LegStarted(
        **base, key=phone, leg=phone, linked=caller, endpoint="PJSIP/101", agent=f"{number % 500}",
        number=None, exten="s", trunk=False, local=False, incoming=False,
    )  # fmt: skip
    yield f.AgentOffered(**base, key=f"{phone}o", leg=caller, dest=phone, queue="sales", agent=f"{number % 500}")


def closed(number: int, at: datetime) -> Iterator[f.Fact]:
    """That caller gives up."""
    for leg in (f"{number}.2", f"{number}.1"):
        yield f.LegEnded(node="bench", at=at, key=f"{leg}e", leg=leg, cause=16)


def floor_with(calls: int) -> Floor:
    floor, _ = play(Floor(node="bench"), (fact for number in range(calls) for fact in opened(number)))
    return floor


def stream(first: int) -> list[f.Fact]:
    """Calls that come and go, so that the number of open ones stays."""
    found: list[f.Fact] = []
    for number in range(first, first + FACTS // 7):
        found += [*opened(number), *closed(number, BEGAN + timedelta(seconds=5))]
    return found


def cost(floor: Floor, facts: list[f.Fact], batch: int) -> float:
    """Seconds per fact, the best of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        now, began = floor, time.perf_counter()
        for at in range(0, len(facts), batch):
            now, _changes = play(now, facts[at : at + batch])
        best = min(best, (time.perf_counter() - began) / len(facts))
    return best


def main() -> bool:
    """Print the costs; whether none grows by more than 1.3."""
    facts, fine = stream(1_000_000), True
    few, many = floor_with(10), floor_with(5_000)
    for batch in (1, 100):
        small, large = cost(few, facts, batch), cost(many, facts, batch)
        ratio = large / small
        fine = fine and ratio <= 1.3
        print(
            f"(c) batches of {batch:3}: {small * 1e6:5.1f} us a fact with 10 open calls, "
            f"{large * 1e6:5.1f} us with 5,000; ratio {ratio:.2f} (at most 1.3)"
        )
    return fine


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
