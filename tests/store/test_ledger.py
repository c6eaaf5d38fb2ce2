"""What the ledger writes is what replay prints."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import reporting
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Attempt, AttemptResult, State, colour_of, colour_of_debt, settle
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of, replay
from pbxmonitor.store import schema
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import reading

TAPES = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.ami"))
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


async def record(engine: AsyncEngine, tape: Path) -> Floor:
    return await record_facts(engine, list(facts_of(frames_of(tape), Site(node="main"))))


async def record_facts(engine: AsyncEngine, facts: Sequence[Fact], batch: int = 50) -> Floor:
    """What a daemon does with them; its floor can be had back from the rows."""
    node = facts[0].node
    ledger = Ledger(engine, node, Policy())
    floor = await ledger.floor()
    for start in range(0, len(facts), batch):
        told = await ledger.unseen(facts[start : start + batch])
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)
    assert await Ledger(engine, node, Policy()).floor() == floor
    return floor


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
async def test_the_rows_of_a_recording_read_back_are_its_replay(engine: AsyncEngine, url: str, tape: Path) -> None:
    await record(engine, tape)
    replayed = replay([tape], Site(node="main"), Policy())
    told = {
        "calls": await reporting.journal(url, *ALWAYS),
        "intervals": await reporting.intervals(url, *ALWAYS),
        "callbacks": [without_deeds(each) for each in await reporting.callbacks(url, *ALWAYS)],
    }
    assert json.loads(json.dumps(told)) == json.loads(json.dumps(replayed))


def without_deeds(callback: dict[str, Any]) -> dict[str, Any]:
    """A recording knows nothing of what people did by hand, nor of the chain."""
    deeds = {"id", "line", "closed_at", "rescuer", "step", "taken_by", "dismissed_by", "reason"}
    assert deeds <= callback.keys()
    return {name: value for name, value in callback.items() if name not in deeds}


async def test_a_gap_told_twice_is_one_row_with_its_last_words(engine: AsyncEngine) -> None:
    ledger, lost_at = Ledger(engine, "main", Policy()), datetime(2026, 1, 1, tzinfo=UTC)
    await ledger.gap(lost_at, None, "link lost")
    await ledger.gap(lost_at, lost_at + timedelta(seconds=9), "link lost")
    rows = await reading(engine, lambda connection: connection.execute(sa.select(schema.gap)).all())
    told = [(row.node, row.lost_at, row.restored_at, row.reason) for row in rows]
    assert told == [("main", lost_at, lost_at + timedelta(seconds=9), "link lost")]


async def test_a_record_that_fails_leaves_the_ledger_as_it_was(engine: AsyncEngine) -> None:
    """The same facts recorded by another meanwhile: the whole transaction goes, and its numbers with it."""
    facts = list(facts_of(frames_of(TAPES[0]), Site(node="main")))
    ledger = Ledger(engine, "main", Policy())
    floor, changes = play(await ledger.floor(), facts)
    await Ledger(engine, "main", Policy()).record(changes, floor, facts)
    before = await reading(engine, lambda connection: connection.execute(sa.select(schema.fact)).all())
    with pytest.raises(IntegrityError):
        await ledger.record(changes, floor, facts)
    assert await reading(engine, lambda connection: connection.execute(sa.select(schema.fact)).all()) == before
    assert await Ledger(engine, "main", Policy()).floor() == floor


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("result", [None, *AttemptResult])
def test_a_callbacks_colour_is_the_one_of_the_calls_it_is_for(state: State, result: AttemptResult | None) -> None:
    tape = next(tape for tape in TAPES if tape.stem == "ringall_nobody")
    floor, _ = play(Floor(node="main"), facts_of(frames_of(tape), Site(node="main")))
    call = next(call for call in floor.calls.values() if call.direction is Direction.INBOUND)
    judged = judge(call, Policy(), call.ended_at or call.started_at)
    (debt,) = settle((), call, judged, Policy())
    attempt = result and Attempt(agent="101", call="9", at=call.started_at, rang_s=1.0, talk_s=0.0, result=result)
    debt = replace(debt, state=state, attempts=(attempt,) if attempt else ())
    assert colour_of_debt(debt) == colour_of(call, judged, debt)
