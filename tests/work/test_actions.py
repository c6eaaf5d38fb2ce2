"""What people do by hand: taken, put off, dismissed, confirmed, corrected; audited, and never two open at once."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.escalation import Step
from pbxmonitor.store import schema
from pbxmonitor.store.actions import CannotAct, Deed, Hand, act
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.types import writing
from pbxmonitor.work.callbacks import OverdueCallbacks
from tests.work.shop import CLIENT, DUTIES, NOW, POLICY, Shop, callback, owed, rows


async def do(shop: Shop, key: str, hand: Hand, who: str = "101", **more: str) -> Callback:
    deed = Deed(hand=hand, who=who, **more)
    return await writing(shop.engine, lambda c: act(c, DUTIES, POLICY, ("main", key), deed, shop.now))


async def colours(engine: AsyncEngine) -> Mapping[str, str | None]:
    return {row.key: row.colour for row in await rows(engine, schema.call, direction="inbound")}


async def test_who_takes_it_is_who_is_told_from_then_on(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    await do(shop, key, Hand.TAKE, "102")
    row = await callback(engine)
    assert (row.owner, row.taken_by, row.taken_at, row.state) == ("101", "102", shop.now, "open")
    shop.story.after(30)
    await shop.misses()
    assert ("repeated", "102", "telegram", "waiting") in await owed(engine)


async def test_two_do_not_call_the_same_client(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    await do(shop, key, Hand.TAKE, "101")
    with pytest.raises(CannotAct, match="taken"):
        await do(shop, key, Hand.TAKE, "102")
    with pytest.raises(CannotAct, match="taken"):
        await do(shop, key, Hand.SNOOZE, "102")
    await do(shop, key, Hand.TAKE, "lena")
    assert (await callback(engine)).taken_by == "lena"


async def test_who_is_given_it_hears_of_it_at_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    await do(shop, key, Hand.ASSIGN, "lena", owner="102")
    assert ("missed", "102", "telegram", "waiting") in await owed(engine)
    assert (await callback(engine)).taken_by == "102"


async def test_what_is_opened_anew_is_told_anew_and_its_task_returns(engine: AsyncEngine) -> None:
    steps = (
        Step(after=timedelta(), to=("owner",), message="missed"),
        Step(after=timedelta(minutes=1), to=("lena", "crm"), message="escalated"),
    )
    duties = replace(DUTIES, steps=steps)
    shop = Shop(engine, duties=duties)
    key = await shop.misses()
    clock = ManualClock(shop.now)
    work = OverdueCallbacks(database=engine, duties=duties, policy=POLICY, clock=clock)
    clock.advance(61)
    await work.sweep()
    shop.story.after(90)
    call = await shop.calls_back("101")
    deed = Deed(hand=Hand.VOICEMAIL, who="101", call=call)
    await writing(engine, lambda c: act(c, duties, POLICY, ("main", key), deed, shop.now))
    clock.advance((shop.now - clock.now()).total_seconds() + 1)
    await work.sweep()
    told = await owed(engine)
    assert [row[0] for row in told].count("crm_open") == 2
    assert [row[3] for row in told if row[:2] == ("missed", "101")] == ["cancelled", "waiting"]
    assert [row[3] for row in told if row[:2] == ("escalated", "lena")] == ["cancelled", "waiting"]


async def test_a_dismissal_needs_a_reason_and_takes_the_colour_away(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    with pytest.raises(CannotAct, match="reason"):
        await do(shop, key, Hand.DISMISS, reason=" ")
    await do(shop, key, Hand.DISMISS, "lena", reason="wrong number")
    row = await callback(engine)
    assert (row.state, row.dismissed_by, row.reason) == ("dismissed", "lena", "wrong number")
    assert await colours(engine) == {key: None}
    assert ("missed", "101", "telegram", "cancelled") in await owed(engine)
    with pytest.raises(CannotAct, match="closed"):
        await do(shop, key, Hand.TAKE)


async def test_a_call_from_ones_own_mobile_closes_all_that_the_client_is_owed(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    keys = [await shop.misses(line="1001"), await shop.misses(line="1002")]
    await do(shop, keys[0], Hand.MOBILE, "102")
    found = await rows(engine, schema.callback)
    assert {(row.state, row.rescuer, row.closed_by_call, row.tried_at) for row in found} == {
        ("reached", "102", None, shop.now)
    }
    assert set((await colours(engine)).values()) == {"green"}


async def test_a_voicemail_takes_the_conversation_back(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    call = await shop.calls_back("102")
    assert await colours(engine) == {key: "green"}
    await do(shop, key, Hand.VOICEMAIL, "lena", call=call)
    row = await callback(engine)
    assert (row.state, row.closed_at, row.rescuer) == ("attempted", None, None)
    assert row.next_at is not None
    assert await colours(engine) == {key: "yellow"}
    (attempt,) = await rows(engine, schema.callback_attempt)
    assert (attempt.result, attempt.voicemail) == ("answered", True)
    with pytest.raises(CannotAct, match="no_attempt"):
        await do(shop, key, Hand.VOICEMAIL, "lena", call=call)


async def test_a_miss_after_what_was_no_conversation_joins_the_old_debt(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    first = await shop.misses()
    call = await shop.calls_back("102")
    second = await shop.misses()
    assert len(await rows(engine, schema.callback)) == 2
    await do(shop, first, Hand.VOICEMAIL, "lena", call=call)
    row = await callback(engine)
    assert (json.loads(row.missed_calls), row.state) == ([first, second], "attempted")
    assert await colours(engine) == {first: "yellow", second: "yellow"}


async def test_a_later_conversation_still_counts(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    call = await shop.calls_back("102")
    shop.story.after(60)
    later = await shop.answers("101")
    await do(shop, key, Hand.VOICEMAIL, "lena", call=call)
    row = await callback(engine)
    assert (row.state, row.closed_by_call) == ("client_returned", later)
    assert (await colours(engine))[key] == "green"


async def test_what_a_person_said_stands_when_all_is_judged_again(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    dismissed = await shop.misses("+79161234502")
    mobile = await shop.misses("+79161234503")
    voicemail = await shop.misses(CLIENT)
    call = await shop.calls_back("102", CLIENT)
    await do(shop, dismissed, Hand.DISMISS, reason="spam")
    await do(shop, mobile, Hand.MOBILE)
    await do(shop, voicemail, Hand.VOICEMAIL, call=call)
    before = await colours(engine)
    await recompute(engine, POLICY, begin=NOW)
    assert await colours(engine) == before == {dismissed: None, mobile: "green", voicemail: "yellow"}
    reasons = {row.call: row.reason for row in await rows(engine, schema.callback)}
    assert reasons[dismissed] == "spam"


async def test_each_deed_is_in_the_audit_and_a_refused_one_is_not(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    await do(shop, key, Hand.TAKE, "102")
    await do(shop, key, Hand.ASSIGN, "lena", owner="101")
    await do(shop, key, Hand.DISMISS, "lena", reason="a fax")
    with pytest.raises(CannotAct):
        await do(shop, key, Hand.TAKE, "101")
    with pytest.raises(CannotAct, match="unknown"):
        await do(shop, "9.9", Hand.TAKE, "101")
    lines = await rows(engine, schema.audit)
    told = {(line.who, line.action, line.subject, line.details) for line in lines}
    assert told == {
        ("102", "take", key, "{}"),
        ("lena", "assign", key, '{"owner":"101"}'),
        ("lena", "dismiss", key, '{"reason":"a fax"}'),
    }
