"""An unruly day: random customers, phones, transfers, pickups and pauses in every department, the same for a seed."""

import asyncio
from random import Random

from tests.rig.desk import Desk
from tests.rig.plan import DEPARTMENTS
from tests.rig.rig import Rig

# Queues above all; 3: members as FreePBX makes them, 7 and 33: menus, 5 and 6: no queue, 34: left by a key.
LINES = (1, 2, 2, 3, 3, 4, 5, 6, 7, 8, 13, 13, 33, 34)
KEYS = {
    7: ("", "ww1", "wwww2", "ww9"),
    33: ("", "ww1", "ww9wwwww1", "ww9wwwww9"),
    34: ("", "", "wwwwww0", "wwwwwwwwww9"),
}
STAFF = (1, 2, 3, 4, 5, 6)
PAUSABLE = (1, 2, 3)
BUSYBODY = 6


async def unruly_day(rig: Rig, seed: int, calls: int) -> None:
    """Stage so many random calls, several at once in each department, and wait until all are over."""
    per_department, rest = divmod(calls, len(DEPARTMENTS))
    async with asyncio.TaskGroup() as departments:
        for index, department in enumerate(DEPARTMENTS):
            desk = rig.desk(department)
            departments.create_task(_one(desk, Random(f"{seed}/{department}"), per_department + (index < rest)))


async def _one(desk: Desk, rng: Random, calls: int) -> None:
    meddling = asyncio.ensure_future(_meddle(desk, Random(rng.random())))
    for _ in range(calls):
        await _moods(desk, rng)
        line = rng.choice(LINES)
        stay = rng.choice((1, 3, 6, 9, 14, 20, 30, 45))
        await desk.call(line, desk.customer(), stay=stay, press=rng.choice(KEYS.get(line, ("",))))
        await asyncio.sleep(rng.uniform(0.3, 7))
    meddling.cancel()
    await asyncio.gather(meddling, return_exceptions=True)
    await desk.ended()
    for phone in PAUSABLE:
        await desk.rig.pause(desk(phone), False)
    await desk.clear()


async def _meddle(desk: Desk, rng: Random) -> None:
    """Whatever rings or not: somebody picks up for a colleague, somebody is paused in mid-ring or comes back."""
    while True:
        await asyncio.sleep(rng.uniform(1, 6))
        if rng.random() < 0.3:
            await desk.dial(BUSYBODY, "*8", stay=rng.choice((1, 4, 8)), patience=5)
        else:
            await desk.rig.pause(desk(rng.choice(PAUSABLE)), rng.random() < 0.4, "break")


async def _moods(desk: Desk, rng: Random) -> None:
    for phone in STAFF:
        if rng.random() < 0.6:
            await desk.behave(phone, _mood(desk, rng))
    await desk.behave(desk.mobile, rng.choice(("ring", "busy", "answer:1:4")))


def _mood(desk: Desk, rng: Random) -> str:
    kind = rng.choices(("answer", "ring", "decline", "busy", "transfer"), (5, 3, 1, 1, 2))[0]
    if kind == "answer":
        return f"answer:{rng.choice((0.2, 1, 2, 3, 5))}:{rng.choice((0.5, 1, 2, 4, 7, 12))}"
    if kind == "transfer":
        return _transfer(rng, desk(rng.choice(STAFF)))
    return f"decline:{rng.choice((1, 2, 3))}" if kind == "decline" else kind


def _transfer(rng: Random, to: str) -> str:
    """By the phone's button (REFER), by the PBX's codes blindly (#1) or after asking (*2)."""
    ring, talk = rng.choice((0.2, 1, 2)), rng.choice((3, 6, 9))
    how = rng.choice(("refer", "#1", "*2"))
    return f"refer:{ring}:{talk}:{to}" if how == "refer" else f"answer:{ring}:{talk}:ww{how}ww{to}"
