"""Sweeps take each step at its time, give up after a week, sum up storms, and forget nobody."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.types import insert_new, writing
from pbxmonitor.work.callbacks import PORTION, OverdueCallbacks
from tests.work.shop import DUTIES, MINUTE, POLICY, Shop, callback, owed, rows


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


async def test_who_puts_it_off_is_told_again_and_the_chain_waits(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    work, clock = sweeper(shop)
    clock.advance(60)
    deed = Deed(hand=Hand.SNOOZE, who="102")
    await writing(engine, lambda c: act(c, DUTIES, POLICY, ("main", key), deed, clock.now()))
    clock.advance(14 * 60)
    assert await work.sweep() == 0
    clock.advance(60)
    await work.sweep()
    told = await owed(engine)
    # woken after the deadline, the step that fell due meanwhile is taken, to who took it over
    assert ("overdue", "102", "telegram", "waiting") in told
    assert ("overdue", "101", "telegram", "waiting") not in told


async def test_many_at_once_are_one_summary_for_each_person(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    for number in range(30):
        await shop.misses(f"+791612345{number:02}")
    work, clock = sweeper(shop)
    clock.advance(30 * 60)
    await work.sweep()
    told = [row for row in await owed(engine) if row[0] != "missed"]
    assert sorted(told) == [
        ("overdue_many", "101", "telegram", "waiting"),
        ("overdue_many", "102", "telegram", "waiting"),
        ("overdue_many", "chief", "email", "waiting"),
        ("overdue_many", "lena", "email", "waiting"),
    ]


async def test_none_of_a_thousand_due_at_once_is_forgotten(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    await copies(engine, 3 * PORTION + 7)
    work, clock = sweeper(shop)
    clock.advance(11 * 60)
    assert await work.sweep() == 3 * PORTION + 8
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
