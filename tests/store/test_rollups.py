"""Days are rolled up when they are over, and again when something touches them; nothing is ever told wrong."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.app import roll_up_once
from pbxmonitor.clock import ManualClock
from pbxmonitor.domain import facts as f
from pbxmonitor.domain.kpi import Sums
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy, Team, WorkingHours
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.daily import Daily, daily
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import fresh_days, mark_stale, roll_up, roll_up_day, stale_days
from pbxmonitor.store.sums import Key, sums_of_rows
from pbxmonitor.store.types import reading, writing

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "22"
POLICY = Policy(hours=WorkingHours(zone=ZoneInfo("Europe/Moscow")))
# A miss, its callback, a repeated miss, DND, a pause and an answered call: whatever sums are made of.
TAPES = ("direct_missed_callback_ok", "two_misses_join", "dnd_on_off", "pause_reason", "ringall_answered")
FIRST = datetime(2026, 11, 2, 9, tzinfo=UTC)
EVER = Period(begin=FIRST - timedelta(days=30), end=FIRST + timedelta(days=60))


def days_of_facts() -> list[list[f.Fact]]:
    """A tape a day, each at noon in Moscow, with names of its own for channels."""
    return [told_on(name, FIRST + timedelta(days=number), number) for number, name in enumerate(TAPES)]


def told_on(name: str, at: datetime, number: int) -> list[f.Fact]:
    facts = list(facts_of(frames_of(SCENARIOS / f"{name}.ami"), Site(node="main")))
    late = at - facts[0].at
    return [moved(fact, late, number) for fact in facts]


def moved(fact: f.Fact, late: timedelta, number: int) -> f.Fact:
    changes: dict[str, Any] = {"at": fact.at + late, "key": f"{number}/{fact.key}"}
    names = ("leg", "linked", "dest", "other", "second", "target", "bridge")
    changes |= {name: f"{number}-{getattr(fact, name)}" for name in names if getattr(fact, name, "")}
    if isinstance(fact, f.Snapshot):
        changes |= {part: tuple(moved(each, late, number) for each in getattr(fact, part)) for part in ("devices",)}
        changes["legs"] = changes["presences"] = ()
        changes["flags"] = None
    return replace(fact, **changes)


async def live(ledger: Ledger, facts: Sequence[f.Fact]) -> None:
    floor = await ledger.floor()
    for start in range(0, len(facts), 25):
        told = await ledger.unseen(facts[start : start + 25])
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)


async def both(engine: AsyncEngine) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
    def read(connection: sa.Connection) -> tuple[dict[Key, Sums], dict[Key, Sums]]:
        return rolled.sums(connection, EVER, POLICY), sums_of_rows(connection, EVER, POLICY)

    return await reading(engine, read)


async def by_day_and_hour(engine: AsyncEngine) -> tuple[dict[Key, list[Any]], dict[int, int]]:
    """Each agent's days as his goals see them under a norm of his own, and the calls of each hour."""
    team = Team(key="own", name="Own", members=frozenset(), callback_norm=timedelta(minutes=3))
    policy = replace(POLICY, teams=(team,))

    def read(connection: sa.Connection) -> tuple[dict[Key, list[Any]], dict[int, int]]:
        found = daily(connection, EVER, policy, timedelta(days=92))
        days = {key: told_of(days) for key, days in found.items()}
        return {key: told for key, told in days.items() if told}, rolled.calls_by_hour(connection, EVER, policy)

    return await reading(engine, read)


def told_of(days: Daily) -> list[Any]:
    rows = zip(days.day, days.missed, days.offered, days.late, days.owned, map(dict, days.delays), strict=True)
    return sorted((row for row in rows if row[2] or row[4]), key=lambda row: row[0])


async def fresh(engine: AsyncEngine) -> set[date]:
    return await reading(engine, lambda connection: fresh_days(connection, "main", "Europe/Moscow"))


async def test_yesterday_is_rolled_up_and_today_is_not(engine: AsyncEngine) -> None:
    ledger, story = Ledger(engine, "main", POLICY), days_of_facts()
    for number, facts in enumerate(story):
        await live(ledger, facts)
        await roll_up(engine, POLICY, facts[-1].at)
        assert await fresh(engine) == {date(2026, 11, 2 + day) for day in range(number)}
        one, other = await both(engine)
        assert one == other


async def test_days_and_hours_are_the_same_from_roll_ups_as_from_rows(engine: AsyncEngine) -> None:
    ledger, story = Ledger(engine, "main", POLICY), days_of_facts()
    for facts in story:
        await live(ledger, facts)
    days, hours = await by_day_and_hour(engine)
    assert await roll_up(engine, POLICY, story[-1][-1].at)
    assert await by_day_and_hour(engine) == (days, hours)
    assert max(len(told) for told in days.values()) > 1
    assert any(delays for told in days.values() for *_, delays in told)
    assert sum(hours.values()) >= len(story) - 1


async def test_a_day_of_which_the_pbx_has_not_told_the_end_is_not_over(engine: AsyncEngine) -> None:
    await live(Ledger(engine, "main", POLICY), days_of_facts()[0])
    assert await roll_up(engine, POLICY, FIRST + timedelta(days=9)) == 0


async def test_a_late_fact_makes_its_day_stale(engine: AsyncEngine) -> None:
    ledger, story = Ledger(engine, "main", POLICY), days_of_facts()
    for facts in (story[0], story[4]):
        await live(ledger, facts)
    await roll_up(engine, POLICY, story[4][-1].at)
    before = await fresh(engine)
    assert date(2026, 11, 3) in before
    late = told_on("ringall_nobody", FIRST + timedelta(days=1), 77)
    await live(Ledger(engine, "main", POLICY), late)
    assert date(2026, 11, 3) not in await fresh(engine) < before
    one, other = await both(engine)
    assert one == other
    assert await roll_up(engine, POLICY, story[4][-1].at)
    assert await fresh(engine) == before
    one, other = await both(engine)
    assert one == other


async def test_a_callback_made_today_makes_the_day_of_the_miss_stale(engine: AsyncEngine) -> None:
    ledger = Ledger(engine, "main", POLICY)
    facts = told_on("direct_missed_callback_ok", FIRST, 1)
    firsts = [n for n, fact in enumerate(facts) if isinstance(fact, f.LegStarted) and fact.leg == fact.linked]
    outbound = firsts[1]
    miss, callback = facts[:outbound], [moved(fact, timedelta(days=1), 0) for fact in facts[outbound:]]
    names = ("leg", "linked", "dest", "other", "second", "target", "bridge")
    callback = [replace(fact, **{n: getattr(fact, n)[2:] for n in names if getattr(fact, n, "")}) for fact in callback]
    await live(ledger, miss)
    await live(ledger, told_on("ringall_answered", FIRST + timedelta(days=1), 2))
    await roll_up(engine, POLICY, FIRST + timedelta(days=1))
    assert date(2026, 11, 2) in await fresh(engine)
    before, _ = await both(engine)
    await live(ledger, callback)
    assert date(2026, 11, 2) not in await fresh(engine)
    one, other = await both(engine)
    assert one == other != before


async def test_a_day_touched_while_it_is_rolled_up_stays_stale(engine: AsyncEngine) -> None:
    await live(Ledger(engine, "main", POLICY), days_of_facts()[0])
    day = date(2026, 11, 2)

    def touched_meanwhile(connection: sa.Connection) -> None:
        original = schema.rollup.c.token
        roll_up_day(connection, "main", day, POLICY)
        token = connection.execute(sa.select(original)).scalar_one()
        mark_stale(connection, "main", [day])
        this = sa.and_(schema.rollup.c.day == day, original == token)
        assert connection.execute(sa.update(schema.rollup).where(this).values(fresh=True)).rowcount == 0

    await writing(engine, touched_meanwhile)
    assert await fresh(engine) == set()


async def test_another_zone_makes_all_days_stale(engine: AsyncEngine) -> None:
    ledger, story = Ledger(engine, "main", POLICY), days_of_facts()
    for facts in (story[0], story[1], story[4]):
        await live(ledger, facts)
    await roll_up(engine, POLICY, story[4][-1].at)
    assert await reading(engine, lambda connection: stale_days(connection, POLICY, story[4][-1].at)) == []
    moved_site = Policy(hours=WorkingHours(zone=ZoneInfo("Asia/Vladivostok")))
    stale = await reading(engine, lambda connection: stale_days(connection, moved_site, story[4][-1].at))
    assert ("main", date(2026, 11, 2)) in stale


async def test_the_daemon_rolls_up_by_itself(engine: AsyncEngine) -> None:
    ledger, story = Ledger(engine, "main", POLICY), days_of_facts()
    for facts in story[:2]:
        await live(ledger, facts)
    await roll_up_once(engine, POLICY, ManualClock(story[1][-1].at))
    assert date(2026, 11, 2) in await fresh(engine)
