"""An unruly day: random customers, phones and pauses in every department at once, the same for the same seed."""

import asyncio
from random import Random

from tests.rig.desk import Desk
from tests.rig.plan import DEPARTMENTS
from tests.rig.rig import Rig

LINES = (1, 2, 2, 3, 4, 13, 13)
STAFF = (1, 2, 3, 4, 5)
PAUSABLE = (1, 2, 3)


async def unruly_day(rig: Rig, seed: int, calls: int) -> None:
    """Stage so many random calls, several at once in each department, and wait until all are over."""
    per_department, rest = divmod(calls, len(DEPARTMENTS))
    async with asyncio.TaskGroup() as departments:
        for index, department in enumerate(DEPARTMENTS):
            rng = Random(f"{seed}/{department}")
            departments.create_task(_one(rig.desk(department), rng, per_department + (index < rest)))


async def _one(desk: Desk, rng: Random, calls: int) -> None:
    for _ in range(calls):
        await _moods(desk, rng)
        await desk.call(rng.choice(LINES), desk.customer(), stay=rng.choice((1, 3, 6, 9, 14, 20, 30, 45)))
        await asyncio.sleep(rng.uniform(0.3, 7))
    await desk.ended()
    for phone in PAUSABLE:
        await desk.rig.pause(desk(phone), False)
    await desk.clear()


async def _moods(desk: Desk, rng: Random) -> None:
    for phone in STAFF:
        if rng.random() < 0.6:
            await desk.behave(phone, _mood(rng))
    if rng.random() < 0.3:
        await desk.rig.pause(desk(rng.choice(PAUSABLE)), rng.random() < 0.5, "break")


def _mood(rng: Random) -> str:
    kind = rng.choices(("answer", "ring", "decline", "busy"), (5, 3, 1, 1))[0]
    if kind == "answer":
        return f"answer:{rng.choice((0.2, 1, 2, 3, 5))}:{rng.choice((0.5, 1, 2, 4, 7, 12))}"
    return f"decline:{rng.choice((1, 2, 3))}" if kind == "decline" else kind
