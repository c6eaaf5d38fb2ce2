"""Sweeps take each step at its time, give up after a week, sum up storms, and forget nobody."""

import json
from dataclasses import replace
from datetime import UTC, time, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.notices import unpacked
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.types import insert_new, writing
from pbxmonitor.work.callbacks import PORTION, OverdueCallbacks
from tests.work.shop import DUTIES, MINUTE, NOW, POLICY, Shop, callback, owed, rows


def sweeper(shop: Shop) -> tuple[OverdueCallbacks, ManualClock]:
    clock = ManualClock(shop.now)
    return OverdueCallbacks(database=shop.engine, duties=DUTIES, policy=POLICY, clock=clock), clock


async def test_the_chain_goes_on_step_by_step_and_each_is_told_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    work, clock = sweeper(shop)
    for _ in range(75):
        clock.advance(60)
        await work.sweep()
    assert await owed(engine) == [
        ("missed", "101", "telegram", "waiting"),
        ("overdue", "101", "telegram", "waiting"),
        ("overdue", "lena", "email", "waiting"),
        ("escalated", "102", "telegram", "waiting"),
        ("escalated", "chief", "email", "waiting"),
        ("crm_open", None, "bitrix24", "waiting"),
    ]
    debt = await callback(engine)
    assert (debt.step, debt.next_at) == (5, debt.opened_at + timedelta(days=7))


async def test_two_sweeps_at_once_tell_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    (one, clock), (other, late) = sweeper(shop), sweeper(shop)
    clock.advance(660)
    late.advance(661)
    await one.sweep()
    await other.sweep()
    assert [row[:2] for row in await owed(engine)].count(("overdue", "lena")) == 1


async def test_after_a_week_the_debt_is_given_up_and_stays_red(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(7 * 86400)
    assert await work.sweep() == 1
    debt = await callback(engine)
    assert (debt.state, debt.closed_at, debt.next_at) == ("expired", clock.now(), None)
    assert [row.colour for row in await rows(engine, schema.call)] == ["red"]
    assert ("missed", "101", "telegram", "cancelled") in await owed(engine)
    assert await work.sweep() == 0


async def test_who_puts_it_off_is_reminded_and_everybody_else_hears_in_time(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(60)
    deed = Deed(hand=Hand.SNOOZE, who="102")
    await writing(engine, lambda c: act(c, DUTIES, POLICY, ("main", key), deed, clock.now()))
    clock.advance(10 * 60)
    await work.sweep()
    told = await owed(engine)
    assert ("overdue", "lena", "email", "waiting") in told
    assert not [row for row in told if row[0] == "overdue" and row[1] in ("101", "102")]
    clock.advance(5 * 60)
    await work.sweep()
    assert ("overdue", "102", "telegram", "waiting") in await owed(engine)
    assert (await callback(engine)).snoozed_until is None


async def test_many_at_once_are_one_summary_for_each_person(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    for number in range(30):
        await shop.misses(f"+791612345{number:02}")
    work, clock = sweeper(shop)
    clock.advance(30 * 60)
    await work.sweep()
    told = [row for row in await owed(engine) if row[0] != "missed" and row[3] == "waiting"]
    assert sorted(told) == [
        ("overdue_many", "101", "telegram", "waiting"),
        ("overdue_many", "102", "telegram", "waiting"),
        ("overdue_many", "chief", "email", "waiting"),
        ("overdue_many", "lena", "email", "waiting"),
    ]
    (summary,) = await rows(engine, schema.delivery, template="overdue_many", recipient="101")
    words = unpacked(json.loads(summary.details))
    assert (words["callbacks"], len(words["lines"]), words["more"]) == (30, 10, 20)
    assert words["channels"] == ("telegram", "sms")


async def test_who_read_it_in_a_summary_hears_that_it_is_over(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    for number in range(8):
        await shop.misses(f"+791612345{number:02}")
    work, clock = sweeper(shop)
    clock.advance(12 * 60)
    await work.sweep()
    shop.story.after(13 * 60)
    await shop.calls_back("102", "+79161234503")
    assert ("reached", "lena", "email", "waiting") in await owed(engine)


async def test_several_steps_at_once_tell_each_person_the_last_of_his(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(45 * 60)
    await work.sweep()
    told = [row[:2] for row in await owed(engine)]
    assert told.count(("overdue", "101")) == 1
    assert ("escalated", "102") in told
    assert ("escalated", "chief") in told


async def test_what_is_recorded_late_is_left_to_the_sweep_and_nobody_is_asked_for_the_impossible(
    engine: AsyncEngine,
) -> None:
    shop = Shop(engine, clock=lambda: NOW + 68 * MINUTE)
    for number in range(9):
        await shop.misses(f"+791612345{number:02}")
    assert await owed(engine) == []
    work, clock = sweeper(shop)
    clock.advance(68 * 60)
    await work.sweep()
    told = [row for row in await owed(engine) if row[3] == "waiting"]
    assert "missed" not in {row[0] for row in told}
    assert ("overdue_many", "101", "telegram", "waiting") in told


async def test_a_miss_a_day_before_is_no_task_any_more(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(2 * 86400)
    await work.sweep()
    assert "crm_open" not in {row[0] for row in await owed(engine)}


async def test_a_debt_is_kept_for_a_week_after_its_last_miss(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    shop.story.after(6 * 86400)
    await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(2 * 86400)
    await work.sweep()
    assert (await callback(engine)).state == "open"
    clock.advance(6 * 86400)
    await work.sweep()
    assert (await callback(engine)).state == "expired"


async def test_who_was_told_hears_also_of_what_judging_again_has_closed(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    shop.story.after(60)
    await shop.calls_back("102", talks=4)
    work, clock = sweeper(shop)
    clock.advance(11 * 60)
    await work.sweep()
    assert (await callback(engine)).state == "attempted"
    (claimed, *_) = await writing(engine, lambda c: outbox.claim(c, clock.now(), MINUTE, ["email"], 9))
    await writing(engine, lambda connection: outbox.sent(connection, claimed, clock.now(), None))
    await recompute(engine, replace(POLICY, min_reached_talk=timedelta(seconds=3)), begin=NOW)
    assert (await callback(engine)).state == "reached"
    await work.sweep()
    assert ("reached", "lena", "email", "waiting") in await owed(engine)
    assert (await callback(engine)).next_at is None


async def test_at_night_nobody_is_told_and_in_the_morning_once(engine: AsyncEngine) -> None:
    day = ((time(12), time(20)),)
    policy = Policy(hours=WorkingHours(zone=UTC, week=(day,) * 7))
    shop = Shop(engine, policy=policy)
    await shop.misses()
    shop.story.after(60)
    await shop.misses()
    assert await owed(engine) == []
    clock = ManualClock(shop.now)
    work = OverdueCallbacks(database=engine, duties=DUTIES, policy=policy, clock=clock)
    clock.advance((NOW.replace(hour=12) - clock.now()).total_seconds() + 1)
    await work.sweep()
    (told,) = await owed(engine)
    assert told == ("missed", "101", "telegram", "waiting")


async def test_none_of_a_thousand_due_at_once_is_forgotten(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    await copies(engine, PORTION + 7)
    work, clock = sweeper(shop)
    clock.advance(11 * 60)
    assert await work.sweep() == PORTION + 8
    steps = await rows(engine, schema.callback)
    assert {row.step for row in steps} == {2}
    assert min(row.next_at for row in steps) > clock.now() + 5 * MINUTE
    assert await work.sweep() == 0


async def copies(engine: AsyncEngine, count: int) -> None:
    """The one callback there is, of so many other clients."""

    def work(connection: sa.Connection) -> None:
        (row,) = connection.execute(sa.select(schema.callback)).mappings().all()
        more = [
            {**row, "call": f"copy.{n}", "number": f"+7495{n:07}", "missed_calls": f'["copy.{n}"]'}
            for n in range(count)
        ]
        insert_new(connection, schema.callback, more)

    await writing(engine, work)


def another(number: int) -> dict[str, str]:
    return {"call": f"copy.{number}", "number": f"+7495{number:07}", "missed_calls": f'["copy.{number}"]'}
