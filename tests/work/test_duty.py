"""What a missed client leads to, in the transaction that records it: who is told what, and what CRMs are owed."""

import json
from datetime import time, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.escalation import Duties, Step
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.domain.roster import Roster
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.notices import unpacked
from pbxmonitor.store.types import writing
from tests.work.shop import CLIENT, DUTIES, MINUTE, NOW, ROSTER, Shop, callback, owed, rows


async def test_a_miss_is_told_to_its_owner_at_once_until_the_deadline(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    (row,) = await rows(engine, schema.delivery, template="missed")
    words = unpacked(json.loads(row.details))
    assert (row.recipient, row.channel, row.due_at, row.callback) == ("101", "telegram", shop.now, key)
    assert row.expires_at == shop.now + 10 * MINUTE
    assert (words["client"], words["queue"], words["at"], words["due"]) == (
        CLIENT,
        "sales",
        NOW,
        shop.now + 10 * MINUTE,
    )
    assert (words["callback"], words["channels"]) == (f"main/{key}", ("telegram", "sms"))
    debt = await callback(engine)
    assert (debt.step, debt.next_at) == (1, shop.now + 10 * MINUTE)


async def test_the_client_calls_again_and_the_owner_hears_it_each_time(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    for _ in range(3):
        await shop.misses()
        shop.story.after(60)
    told = await owed(engine)
    assert told == [("missed", "101", "telegram", "waiting")] + [("repeated", "101", "telegram", "waiting")] * 2
    debt = await callback(engine)
    assert (debt.priority, debt.step) == (3, 1)


@pytest.mark.parametrize("rescuer", ["101", "102"])
async def test_a_conversation_makes_what_waits_needless(engine: AsyncEngine, rescuer: str) -> None:
    shop = Shop(engine)
    await shop.misses()
    shop.story.after(60)
    await shop.calls_back(rescuer)
    told = await owed(engine)
    assert ("missed", "101", "telegram", "cancelled") in told
    assert ("reached", "101", "telegram", "waiting") in told
    # who made the call gets it in silence, to be able to say that it was a machine
    (row,) = await rows(engine, schema.delivery, template="reached", recipient=rescuer)
    words = unpacked(json.loads(row.details))
    assert (words["silent"], words["by_phone"]) == (True, True)
    # no task was made, so there is none to close
    assert "crm_close" not in {each[0] for each in told}
    debt = await callback(engine)
    assert (debt.state, debt.rescuer, debt.next_at) == ("reached", rescuer, None)


async def test_who_was_told_that_it_is_late_hears_that_it_is_over(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    key = await shop.misses()
    late = outbox.Delivery(
        id="x",
        channel="email",
        template="overdue",
        recipient="lena",
        due_at=NOW,
        created_at=NOW,
        about=("main", key),
    )
    await writing(engine, lambda connection: outbox.put(connection, [late]))
    (claimed, *_) = await writing(engine, lambda c: outbox.claim(c, shop.now, MINUTE, ["email"], 9))
    await writing(engine, lambda connection: outbox.sent(connection, claimed, shop.now, None))
    shop.story.after(900)
    await shop.answers("102")
    assert ("reached", "lena", "email", "waiting") in await owed(engine)


async def test_an_attempt_that_reaches_nobody_tells_nobody_and_a_fake_changes_nothing(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    before = await owed(engine)
    await shop.calls_back("101", talks=0, rings=2)
    assert (await callback(engine)).state == "open"
    await shop.calls_back("101", talks=0, rings=20)
    debt = await callback(engine)
    assert (debt.state, debt.next_at is not None) == ("attempted", True)
    assert await owed(engine) == before


async def test_every_call_is_told_to_the_crm_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    missed = await shop.misses()
    back = await shop.calls_back("102")
    answered = await shop.answers("101", "+78121112233")
    told = {
        row.id: unpacked(json.loads(row.details)) for row in await rows(engine, schema.delivery, template="crm_call")
    }
    by_call = {words["id"]: (words["direction"], words["outcome"], words["agent"]) for words in told.values()}
    assert by_call == {
        f"main/{missed}": ("inbound", "missed", "101"),
        f"main/{back}": ("outbound", "answered", "102"),
        f"main/{answered}": ("inbound", "answered", "101"),
    }


async def test_the_owner_is_found_by_the_rules_in_their_order(engine: AsyncEngine) -> None:
    policy = Policy(owner_rules=("responsible", "missed"), responsible={"sales": ("101", "102")})
    shop = Shop(engine, policy=policy)
    for number in range(4):
        await shop.misses(f"+7916123450{number}", agent="103")
    owners = sorted(row.owner for row in await rows(engine, schema.callback))
    assert owners == ["101", "101", "102", "102"]


async def test_without_a_ring_the_one_with_the_fewest_open_gets_it(engine: AsyncEngine) -> None:
    policy = Policy(owner_rules=("missed", "fewest_open"), employees=("101", "102"))
    shop = Shop(engine, policy=policy)
    await shop.misses("+79161234501", agent="101")
    shop.story.calls_in("+79161234502").waits_in("sales").after(30).caller_leaves()
    await shop.recorded()
    assert {row.number: row.owner for row in await rows(engine, schema.callback)} == {
        "+79161234501": "101",
        "+79161234502": "102",
    }


async def test_a_number_that_people_named_opens_no_callback(engine: AsyncEngine) -> None:
    rule = {"number": CLIENT, "kind": "door", "note": None, "by": "lena", "at": NOW}
    await writing(engine, lambda connection: connection.execute(schema.number_rule.insert().values(**rule)))
    shop = Shop(engine)
    await shop.misses()
    assert (await rows(engine, schema.callback), await owed(engine)) == ([], [])


async def test_a_queue_has_a_norm_and_hours_of_its_own(engine: AsyncEngine) -> None:
    own = {"callback_norm": 3 * MINUTE, "hours": WorkingHours(week=(((time(12), time(20)),),) * 7)}
    shop = Shop(engine, policy=Policy(queues={"sales": own}))
    await shop.misses()
    assert (await callback(engine)).due_at == NOW.replace(hour=12, minute=3)
    assert await owed(engine) == []


async def test_a_pbx_whose_clock_is_ahead_delays_nobody(engine: AsyncEngine) -> None:
    shop = Shop(engine, clock=lambda: NOW - 10 * MINUTE)
    await shop.misses()
    (row,) = await rows(engine, schema.delivery, template="missed")
    assert row.due_at == NOW - 10 * MINUTE


async def test_who_reads_no_channel_is_told_nothing_and_nothing_breaks(engine: AsyncEngine) -> None:
    shop = Shop(engine, duties=Duties(roster=Roster()))
    await shop.misses()
    assert await owed(engine) == []
    assert (await callback(engine)).step == 1


async def test_a_step_of_its_own_channel_is_sent_there(engine: AsyncEngine) -> None:
    steps = (Step(after=timedelta(), to=("owner",), message="missed", channels=("sms",)),)
    shop = Shop(engine, duties=Duties(roster=ROSTER, steps=steps))
    await shop.misses()
    assert await owed(engine) == [("missed", "101", "sms", "waiting")]


async def test_what_is_recorded_twice_is_owed_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    before = await owed(engine)
    other = Shop(engine)
    other.story.facts.extend(shop.story.facts)
    await other.recorded()
    assert await owed(engine) == before
    assert DUTIES.tasks == ("bitrix24",)
