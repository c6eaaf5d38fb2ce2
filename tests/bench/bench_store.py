"""Facts to committed rows: queue calls a second, beside a bare bulk insert of the same rows.

`python -m tests.bench.bench_store [SECONDS] [sqlite postgresql mariadb]`; servers as in tests/store/conftest.py.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, reading, writing
from tests.store.conftest import Server

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "22"
# One queue call each, of about forty facts or more: answered at once, after rings without answer, abandoned.
TAPES = ("caller_hangs_up_first", "ringall_abandon", "linear_rna_decline_answer", "fpbx_answered")
BATCH = 200
Rows = dict[str, list[dict[str, Any]]]
LEG_NAMES = frozenset({"leg", "linked", "dest", "other", "second", "target", "bridge"})


def copies(calls: int) -> list[f.Fact]:
    """The facts of that many queue calls, five at once, every one with identities and numbers of its own."""
    tapes = [list(facts_of(frames_of(SCENARIOS / f"{name}.ami"), Site(node="bench"))) for name in TAPES]
    legs = [[fact for fact in tape if isinstance(fact, f.LegFact)] for tape in tapes]
    began = min(tape[0].at for tape in legs)
    lines = []
    for number in range(calls):
        tape = legs[number % len(legs)]
        late = began - tape[0].at + timedelta(seconds=number * 0.2)
        lines.append([copied(fact, number, late) for fact in tape])
    return [fact for start in range(0, calls, 5) for fact in interleaved(lines[start : start + 5])]


def interleaved(lines: list[list[f.Fact]]) -> list[f.Fact]:
    return sorted((fact for line in lines for fact in line), key=lambda fact: fact.at)


def copied(fact: f.LegFact, number: int, late: timedelta) -> f.Fact:
    changes: dict[str, Any] = {"key": f"{number}/{fact.key}", "at": fact.at + late}
    for each in fields(fact):
        value = getattr(fact, each.name)
        if each.name in LEG_NAMES and value:
            changes[each.name] = f"{number}-{value}"
    if isinstance(fact, f.LegStarted) and fact.trunk:
        changes["number"] = f"+7916{number:07d}"
    return replace(fact, **changes)


def batches(facts: Sequence[f.Fact]) -> Iterator[Sequence[f.Fact]]:
    return (facts[start : start + BATCH] for start in range(0, len(facts), BATCH))


async def played(engine: AsyncEngine, facts: Sequence[f.Fact]) -> float:
    """Seconds from facts to committed rows, the fold included."""
    ledger = Ledger(engine, "bench", Policy())
    floor = await ledger.floor()
    began = time.perf_counter()
    for batch in batches(facts):
        told = await ledger.unseen(batch)
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)
    return time.perf_counter() - began


def all_rows(connection: sa.Connection) -> Rows:
    return {t.name: [dict(row._mapping) for row in connection.execute(sa.select(t))] for t in METADATA.sorted_tables}


def emptied(connection: sa.Connection) -> None:
    for table in reversed(METADATA.sorted_tables):
        connection.execute(sa.delete(table))


def inserted(connection: sa.Connection, rows: Rows, turn: int, turns: int) -> None:
    """One transaction's share; calls and callbacks come first, because the others refer to them."""
    for table in METADATA.sorted_tables:
        whole = rows[table.name] if turn == 0 else []
        mine = whole if table.name in ("call", "callback") else rows[table.name][turn::turns]
        if mine:
            connection.execute(sa.insert(table), mine)


async def bare(engine: AsyncEngine) -> tuple[float, int]:
    """Seconds to insert the same final rows again, table by table, in as many transactions as there were batches."""
    rows = await reading(engine, all_rows)
    await writing(engine, emptied)
    turns = max(len(rows["fact"]) // BATCH, 1)
    began = time.perf_counter()
    for turn in range(turns):
        await writing(engine, partial(inserted, rows=rows, turn=turn, turns=turns))
    return time.perf_counter() - began, sum(map(len, rows.values()))


def fold(facts: Sequence[f.Fact]) -> float:
    """Processor seconds of the domain alone."""
    floor = Floor(node="bench")
    began = time.process_time()
    for batch in batches(facts):
        floor, _ = play(floor, batch)
    return time.process_time() - began


async def measure(kind: str, url: str, facts: Sequence[f.Fact], calls: int) -> None:
    await upgrade(url)
    engine = connect(url)
    try:
        began = time.process_time()
        whole = await played(engine, facts)
        worked = time.process_time() - began
        alone, rows = await bare(engine)
    finally:
        await engine.dispose()
    speed = (
        f"{calls / whole:5.0f} calls/s, {len(facts) / whole:6.0f} facts/s, {1000 * worked / calls:4.2f} ms CPU a call"
    )
    ratio = f"{alone:4.2f} s against {whole:4.2f} s, ratio {whole / alone:4.2f}"
    print(f"{kind:<11}{speed}; bare insert of the {rows} rows {ratio}")


def main(words: list[str]) -> None:
    calls = next((int(word) for word in words if word.isdigit()), 1500)
    kinds = [word for word in words if not word.isdigit()] or ["sqlite", "postgresql", "mariadb"]
    facts = copies(calls)
    alone = fold(facts)
    print(f"{calls} queue calls, {len(facts) / calls:.0f} facts each; the fold alone: {calls / alone:.0f} calls/s")
    for kind in kinds:
        if kind == "sqlite":
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(measure(kind, f"sqlite:///{folder}/bench.sqlite3", facts, calls))
            continue
        server = Server(kind)
        url = server.create(f"bench_{os.getpid()}")
        try:
            asyncio.run(measure(kind, url, facts, calls))
        finally:
            server.drop_all()


if __name__ == "__main__":
    main(sys.argv[1:])
