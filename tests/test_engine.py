"""The engine: only what is committed is current; what breaks us is put aside; what cannot be written waits."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.pbx import Batch, Silence
from pbxmonitor.recording import RETRY, Recorder
from pbxmonitor.spool import Spool

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)


class MemoryLedger:
    """A ledger that keeps what it is given, or refuses all of it."""

    def __init__(self) -> None:
        self.kept: list[Change] = []
        self.gaps: list[str] = []
        self.away = False

    async def floor(self) -> Floor:
        return Floor(node="main")

    async def unseen(self, facts: Sequence[f.Fact]) -> list[f.Fact]:
        if self.away:
            raise OSError("the database is away")
        known = {change.fact.key for change in self.kept}
        return [fact for fact in facts if fact.key not in known]

    async def record(self, changes: Sequence[Change], floor: Floor, told: Sequence[f.Fact] = ()) -> None:
        if self.away:
            raise OSError("the database is away")
        self.kept.extend(changes)

    async def gap(self, lost_at: datetime, restored_at: datetime, reason: str) -> None:
        self.gaps.append(reason)


def paused(agent: str, second: int = 0) -> f.MemberPaused:
    at = AT + timedelta(seconds=second)
    return f.MemberPaused(node="main", at=at, key=f"{second}/{agent}", agent=agent, queue="sales", paused=True)


class Poison(f.LegStarted):
    """A fact that no rule can stand."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Poison()"

    @property
    def linked(self) -> str:
        raise RuntimeError("no rule can stand this")


def poison() -> Poison:
    made = Poison.__new__(Poison)
    for name, value in (("node", "main"), ("at", AT), ("key", "poison"), ("leg", "9.9")):
        object.__setattr__(made, name, value)
    return made


def engine(ledger: MemoryLedger) -> Engine:
    return Engine(ledger, Feed(Floor(node="main")))


async def test_the_floor_moves_only_after_the_commit() -> None:
    ledger = MemoryLedger()
    heart = engine(ledger)
    before = heart.floor
    ledger.away = True
    with pytest.raises(OSError, match="away"):
        await heart.take((paused("101"),))
    assert heart.floor is before
    assert heart.feed.floor is before
    ledger.away = False
    await heart.take((paused("101"),))
    assert heart.floor.agents["101"].paused_in == ("sales",)
    assert heart.feed.floor is heart.floor


async def test_what_was_told_before_is_not_played_again() -> None:
    ledger = MemoryLedger()
    heart = engine(ledger)
    await heart.take((paused("101"),))
    assert await heart.take((paused("101"),)) == ()
    assert len(ledger.kept) == 1


async def test_a_fact_that_breaks_us_is_put_aside_and_the_next_is_played() -> None:
    ledger = MemoryLedger()
    heart = engine(ledger)
    await heart.take((paused("101"), poison(), paused("102", 1)))
    assert heart.poisoned == 1
    assert [change.fact.key for change in ledger.kept] == ["0/101", "1/102"]


async def test_a_silence_is_written_as_a_gap() -> None:
    ledger = MemoryLedger()
    silence = Silence(lost_at=AT, restored_at=AT + timedelta(seconds=9), reason="link lost")
    await engine(ledger).run(stream([silence]))
    assert ledger.gaps == ["link lost"]


async def stream(batches: list[Batch]) -> AsyncIterator[Batch]:
    for batch in batches:
        yield batch


async def test_facts_wait_on_disk_in_order_while_the_database_is_away(tmp_path: Path) -> None:
    ledger, clock, spool = MemoryLedger(), ManualClock(AT), Spool(tmp_path, "main")
    recorder = Recorder(engine(ledger), spool, clock)
    ledger.away = True
    silence = Silence(lost_at=AT, restored_at=AT, reason="lost")
    await recorder.run(stream([(paused("101"),), silence, (paused("102", 1),)]))
    assert not recorder.ready
    assert ledger.kept == []
    assert len(list(spool.batches())) == 3
    ledger.away = False
    clock.advance(RETRY.total_seconds())
    await recorder.run(stream([(paused("103", 2),)]))
    assert [change.fact.key for change in ledger.kept] == ["0/101", "1/102", "2/103"]
    assert ledger.gaps == ["lost"]
    assert recorder.ready


async def test_a_spool_outlives_the_daemon(tmp_path: Path) -> None:
    Spool(tmp_path, "main").put((paused("101"),))
    assert list(Spool(tmp_path, "main").batches()) == [(paused("101"),)]
    assert Spool(tmp_path, "other").waiting is False


async def test_a_line_torn_by_a_crash_ends_the_spool_and_costs_nothing_before_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "main")
    spool.put((paused("101"),))
    with (tmp_path / "main.spool").open("a") as file:
        file.write(json.dumps({"facts": []})[:5])
    assert list(spool.batches()) == [(paused("101"),)]


async def test_what_was_recorded_put_aside_and_lost_is_counted(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    recorder = Recorder(engine(ledger), Spool(tmp_path, "main"), ManualClock(AT))
    silence = Silence(lost_at=AT, restored_at=AT, reason="lost")
    await recorder.run(stream([(paused("101"), poison()), silence]))
    told = {name: recorder.metrics.registry.get_sample_value(name, {"node": "main"}) for name in COUNTED}
    assert told == {"pbxmonitor_facts_total": 1, "pbxmonitor_facts_put_aside_total": 1, "pbxmonitor_gaps_total": 1}


COUNTED = ("pbxmonitor_facts_total", "pbxmonitor_facts_put_aside_total", "pbxmonitor_gaps_total")
