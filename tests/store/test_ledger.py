"""What the ledger writes is what replay prints."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import reporting
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of, replay
from pbxmonitor.store.ledger import Ledger

TAPES = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.ami"))
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


async def record(engine: AsyncEngine, tape: Path, batch: int = 50) -> Floor:
    ledger = Ledger(engine, "main", Policy())
    floor = await ledger.floor()
    facts = list(facts_of(frames_of(tape), Site(node="main")))
    for start in range(0, len(facts), batch):
        told = await ledger.unseen(facts[start : start + batch])
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)
    assert await Ledger(engine, "main", Policy()).floor() == floor
    return floor


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
async def test_the_rows_of_a_recording_read_back_are_its_replay(engine: AsyncEngine, url: str, tape: Path) -> None:
    await record(engine, tape)
    told = {
        "calls": await reporting.journal(url, *ALWAYS),
        "intervals": await reporting.intervals(url, *ALWAYS),
        "callbacks": await reporting.callbacks(url, *ALWAYS),
    }
    assert json.loads(json.dumps(told)) == json.loads(json.dumps(replay([tape], Site(node="main"), Policy())))
