"""Whatever happens between two commits, the rows are those of one undisturbed listening."""

import asyncio
import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, reading, writing

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TAPES = sorted(SCENARIOS.glob("*/*.ami"))
Rows = dict[str, list[tuple[Any, ...]]]
SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def facts_on(tape: Path) -> list[Fact]:
    return list(facts_of(frames_of(tape), Site(node="main")))


async def listened(engine: AsyncEngine, facts: Sequence[Fact], size: int, floor: Floor | None = None) -> Floor:
    """One daemon's life; a floor that came back from the rows is the one it left."""
    ledger = Ledger(engine, "main", Policy())
    restored = await ledger.floor()
    assert floor is None or restored == floor
    floor = restored
    for start in range(0, len(facts), size):
        told = await ledger.unseen(facts[start : start + size])
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)
    return floor


def rows_after(life: Callable[[AsyncEngine], Any]) -> Rows:
    """All rows but the checkpoint, whose place depends on the batches."""

    async def lived() -> Rows:
        with tempfile.TemporaryDirectory() as folder:
            engine = connect(f"sqlite:///{folder}/rows.sqlite3")
            try:
                await writing(engine, METADATA.create_all)
                await life(engine)
                return await reading(engine, all_rows)
            finally:
                await engine.dispose()

    return asyncio.run(lived())


# The order of facts that changed nothing within their batch, and so their number; how far the chain of a callback came
# that was opened and closed in one batch: nobody was told, and nobody needed to be.
MEANINGLESS = {("fact", "seq"), ("callback", "step"), ("callback", "next_at")}


def all_rows(connection: sa.Connection) -> Rows:
    rows = {}
    for table in METADATA.sorted_tables:
        columns = [column for column in table.columns if (table.name, column.name) not in MEANINGLESS]
        found = connection.execute(sa.select(*columns)).all() if table.name != "checkpoint" else []
        rows[table.name] = sorted((tuple(row) for row in found), key=repr)
    return rows


def undisturbed(facts: Sequence[Fact]) -> Rows:
    return rows_after(lambda engine: listened(engine, facts, 40))


@given(tape=st.sampled_from(TAPES), data=st.data())
@SETTINGS
def test_a_crash_after_any_fact_and_the_last_ones_told_again_leave_the_same_rows(
    tape: Path, data: st.DataObject
) -> None:
    facts = facts_on(tape)
    crash = data.draw(st.integers(0, len(facts)))
    again = data.draw(st.integers(0, 30))
    size = data.draw(st.sampled_from([1, 7, 40]))

    async def life(engine: AsyncEngine) -> None:
        floor = await listened(engine, facts[:crash], size)
        await engine.dispose()
        await listened(engine, facts[max(crash - again, 0) :], size, floor)

    assert rows_after(life) == undisturbed(facts)


@given(tape=st.sampled_from(TAPES), size=st.sampled_from([1, 3, 17, 200, 5000]))
@SETTINGS
def test_the_size_of_the_batches_does_not_matter(tape: Path, size: int) -> None:
    facts = facts_on(tape)
    assert rows_after(lambda engine: listened(engine, facts, size)) == undisturbed(facts)


@given(tape=st.sampled_from(TAPES), seed=st.integers(0, 2**32), size=st.sampled_from([1, 7, 40]))
@SETTINGS
def test_facts_told_twice_leave_the_same_rows(tape: Path, seed: int, size: int) -> None:
    facts, chance = facts_on(tape), random.Random(seed)
    echoed = list(facts)
    for _ in range(min(len(facts), 20)):
        first = chance.randrange(len(facts))
        later = chance.randrange(echoed.index(facts[first]) + 1, len(echoed) + 1)
        echoed.insert(later, facts[first])
    assert rows_after(lambda engine: listened(engine, echoed, size)) == undisturbed(facts)


@given(tape=st.sampled_from(TAPES), life=st.integers(1, 60))
@settings(SETTINGS, max_examples=10)
def test_daemons_that_live_a_few_facts_each_leave_the_same_rows(tape: Path, life: int) -> None:
    facts = facts_on(tape)

    async def lives(engine: AsyncEngine) -> None:
        floor = None
        for start in range(0, len(facts), life):
            floor = await listened(engine, facts[start : start + life], 5, floor)

    assert rows_after(lives) == undisturbed(facts)


def test_a_long_journal_is_restored_from_its_checkpoint() -> None:
    """Copies of one recording, one after another: more facts than a checkpoint waits for."""
    facts = [fact for number in range(40) for fact in copied(facts_on(SCENARIOS / "22" / "flood.ami"), number)]

    async def life(engine: AsyncEngine) -> None:
        floor = await listened(engine, facts, 100)
        kept = await reading(engine, lambda c: c.execute(sa.select(METADATA.tables["checkpoint"].c.seq)).scalar_one())
        assert kept >= 1_000
        assert await Ledger(engine, "main", Policy()).floor() == floor

    rows_after(life)


def copied(facts: Sequence[Fact], number: int) -> list[Fact]:
    """The same facts in another hour, about other channels."""
    names = {"leg", "linked", "dest", "other", "second", "target", "bridge"}
    made = []
    for fact in facts:
        own = {f.name: f"{number}-{getattr(fact, f.name)}" for f in fields(fact) if f.name in names}
        own = {name: value for name, value in own.items() if getattr(fact, name)}
        late = timedelta(hours=number)
        made.append(replace(fact, key=f"{number}/{fact.key}", at=fact.at + late, **own))
    return made
