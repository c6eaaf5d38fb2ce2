"""Programs are told of what happens in the transaction that records it, in order, signed, until they take it."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from pbxmonitor.clock import ManualClock, SystemClock
from pbxmonitor.domain.alerts import Kind, rule_of
from pbxmonitor.notify.signature import Forged, signed, verify
from pbxmonitor.store import outbox, schema, webhook_keeping, webhook_queue
from pbxmonitor.store.accounts import Account, add
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.types import reading, writing
from pbxmonitor.store.webhook_events import KEEP
from pbxmonitor.store.webhook_keeping import FAILED_OFTEN, FAILING_FOR
from pbxmonitor.store.webhooks import CHANNEL, EVENTS, CannotHook, Event, Stopped, Webhook, webhook
from pbxmonitor.work.callbacks import OverdueCallbacks
from pbxmonitor.work.dispatch import Dispatch
from pbxmonitor.work.webhook_posting import LONGEST_REST, WebhookPost
from tests.notify.loopback import Asked, Said, Trouble, serving
from tests.work.shop import CLIENT, DUTIES, MINUTE, NOW, POLICY, ROSTER, Shop, rows
from tests.work.test_alerts import AT_ONCE, Desk

NOWHERE = "https://crm.example/pbx"


async def hooked(
    engine: AsyncEngine, *events: Event, url: str = NOWHERE, queues: Sequence[str] = (), name: str = "CRM"
) -> Webhook:
    """A webhook that wants those events, all of them unless given."""
    return await writing(engine, lambda c: webhook_keeping.add(c, name, url, events or EVENTS, queues, "admin", NOW))


async def told(engine: AsyncEngine, *events: Event) -> list[dict[str, Any]]:
    """What is owed to webhooks, in the order in which it goes out: `type` with what it says."""
    found = sorted(await rows(engine, schema.delivery, channel=CHANNEL), key=lambda row: (row.due_at, row.id))
    forms = [{"type": row.template, **json.loads(row.details)} for row in found]
    return [each for each in forms if not events or each["type"] in events]


async def names(engine: AsyncEngine, *events: Event) -> list[str]:
    return [each["type"] for each in await told(engine, *events)]


CALLS = (Event.CALL_ENDED, Event.CALL_MISSED)
CALLBACKS = (Event.CALLBACK_OPENED, Event.CALLBACK_CHANGED, Event.CALLBACK_CLOSED)


# what is told


async def test_a_miss_is_told_with_the_call_and_the_callback(engine: AsyncEngine) -> None:
    await hooked(engine, *CALLS, *CALLBACKS)
    key = await Shop(engine).misses()
    assert await names(engine) == ["call.ended", "call.missed", "callback.opened"]
    ended, missed, opened = await told(engine)
    assert ended["data"] == missed["data"]
    call = missed["data"]
    assert (call["call"], call["caller"], call["queue"], call["lost"], call["callback"]) == (
        key,
        CLIENT,
        "sales",
        True,
        f"main/{key}",
    )
    assert (missed["node"], missed["at"], call["verdicts"]) == ("main", call["ended_at"], {"101": "missed"})
    assert (opened["data"]["number"], opened["data"]["owner"], opened["data"]["changes"]) == (CLIENT, "101", ["opened"])


async def test_a_call_that_was_answered_is_over_and_nothing_else(engine: AsyncEngine) -> None:
    await hooked(engine, *CALLS, *CALLBACKS)
    await Shop(engine).answers("101")
    assert await names(engine) == ["call.ended"]


async def test_what_people_do_about_a_callback_is_told_in_its_order(engine: AsyncEngine) -> None:
    await hooked(engine, *CALLBACKS)
    shop = Shop(engine)
    key = ("main", await shop.misses())
    for hand, who in ((Hand.TAKE, "101"), (Hand.SNOOZE, "101")):
        shop.story.after(1)
        deed = Deed(hand=hand, who=who)
        await writing(engine, lambda c, deed=deed: act(c, DUTIES, POLICY, key, deed, shop.now))  # type: ignore[misc]
    shop.story.after(60)
    await shop.calls_back("102", talks=0)
    await shop.calls_back("102")
    found = await told(engine)
    assert [each["type"] for each in found] == ["callback.opened", *["callback.changed"] * 3, "callback.closed"]
    assert [each["data"]["changes"] for each in found] == [["opened"], [], [], ["tried"], ["settled"]]
    assert [each["data"]["taken_by"] for each in found] == [None, "101", "101", "101", "101"]
    assert (found[-1]["data"]["state"], found[-1]["data"]["rescuer"]) == ("reached", "102")


async def test_giving_up_closes_too(engine: AsyncEngine) -> None:
    await hooked(engine, Event.CALLBACK_CLOSED)
    shop = Shop(engine)
    await shop.misses()
    late = ManualClock(shop.now + POLICY.callback_keep + MINUTE)
    await OverdueCallbacks(database=engine, duties=DUTIES, policy=POLICY, clock=late).sweep()
    (closed,) = await told(engine)
    assert (closed["data"]["state"], closed["data"]["changes"]) == ("expired", ["given_up"])


async def test_an_agents_states_are_told_each_once(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    shop.story.works_in("101", "sales")
    await shop.recorded()
    await hooked(engine, Event.AGENT_STATE)
    shop.story.pauses("101", "sales", reason="lunch").after(60).unpauses("101", "sales")
    shop.story.calls_in().waits_in("sales").rings("101").after(2).answers("101").after(30).caller_leaves()
    await shop.recorded()
    found = [each["data"] for each in await told(engine)]
    assert [each["state"] for each in found] == ["paused", "ready", "ringing", "talking", "ready"]
    assert [each["before"] for each in found] == ["ready", "paused", "ready", "ringing", "talking"]
    assert (found[0]["reason"], found[0]["name"], found[3]["availability"]) == ("lunch", "Анна", "ready")
    await shop.recorded()
    assert len(await told(engine)) == len(found)


async def test_an_alert_is_told_when_it_fires_and_when_it_is_over(engine: AsyncEngine) -> None:
    await hooked(engine, Event.ALERT_RAISED, Event.ALERT_RESOLVED)
    desk = Desk(engine, rule_of(Kind.LINK_LOST, to=(), **AT_ONCE))
    desk.lost["main"] = NOW
    for _ in range(3):
        await desk.looks(minutes=5)
    desk.lost.clear()
    for _ in range(3):
        await desk.looks(minutes=5)
    raised, resolved = await told(engine)
    assert (raised["type"], resolved["type"]) == ("alert.raised", "alert.resolved")
    assert (raised["node"], raised["data"]["kind"], raised["data"]["ended_at"]) == ("main", "link_lost", None)
    assert resolved["data"]["id"] == raised["data"]["id"]
    assert resolved["data"]["ended_at"] == resolved["at"]


async def test_of_some_queues_only_their_calls_and_callbacks_are_told(engine: AsyncEngine) -> None:
    await hooked(engine, queues=["support"], name="support")
    shop = Shop(engine)
    await shop.misses()
    assert {each["type"] for each in await told(engine)} <= {"agent.state"}
    shop.story.calls_in("+79161234777").waits_in("support").rings("102").after(12).caller_leaves()
    await shop.recorded()
    assert await names(engine, *CALLS, *CALLBACKS) == ["call.ended", "call.missed", "callback.opened"]


async def test_nobody_is_told_what_he_does_not_want_or_while_he_is_off(engine: AsyncEngine) -> None:
    off = await hooked(engine, name="off")
    await writing(engine, lambda c: webhook_keeping.change(c, off.id, "admin", NOW, enabled=False))
    await hooked(engine, Event.CALL_MISSED, name="misses")
    await Shop(engine).misses()
    assert await names(engine) == ["call.missed"]


async def test_what_was_not_recorded_is_not_told(engine: AsyncEngine) -> None:
    await hooked(engine)

    def broken(connection: Any) -> None:
        webhook_queue.ping(connection, "nobody", "admin", NOW)

    with pytest.raises(CannotHook):
        await writing(engine, broken)
    assert await told(engine) == []


# how it goes out


@pytest.fixture
async def post(engine: AsyncEngine) -> AsyncIterator[WebhookPost]:
    made = WebhookPost(engine, ROSTER, ManualClock(NOW + timedelta(hours=1)), private=True)
    yield made
    await made.aclose()


def dispatch(engine: AsyncEngine, post: WebhookPost) -> tuple[Dispatch, ManualClock]:
    clock = post._clock
    assert isinstance(clock, ManualClock)
    return Dispatch(engine, {CHANNEL: post}, clock, rng=Random(1)), clock


async def all_out(work: Dispatch) -> None:
    """Until nothing is due."""
    while await work.once():
        pass


async def known(engine: AsyncEngine, key: str) -> Webhook:
    found = await reading(engine, lambda c: webhook(c, key))
    assert found is not None
    return found


async def states(engine: AsyncEngine) -> list[str]:
    return [row.state for row in await rows(engine, schema.delivery, channel=CHANNEL)]


def missed(asked: list[Asked]) -> list[dict[str, Any]]:
    return [each.json() for each in asked]


async def test_it_is_posted_signed_in_order_and_once(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(204)) as web:
        hook = await hooked(engine, *CALLS, *CALLBACKS, url=f"{web.url}/pbx?key=ours")
        key = await Shop(engine).misses()
        work, clock = dispatch(engine, post)
        await all_out(work)
        assert [each["type"] for each in missed(web.asked)] == ["call.ended", "call.missed", "callback.opened"]
        body = web.asked[1].json()
        assert (body["version"], body["node"], body["data"]["call"]) == (1, "main", key)
        assert web.asked[0].target == "/pbx?key=ours"
        ids = {verify(hook.secret, each.headers, each.body, clock.now()) for each in web.asked}
        assert len(ids) == 3
        with pytest.raises(Forged):
            verify("another secret of ours", web.asked[0].headers, web.asked[0].body, clock.now())
    assert await states(engine) == ["sent"] * 3
    after = await known(engine, hook.id)
    assert (after.delivered_at, after.failures, after.error) == (clock.now(), 0, None)


async def test_what_is_not_taken_is_tried_again_under_the_same_id(engine: AsyncEngine, post: WebhookPost) -> None:
    said: Iterator[Said | Trouble] = iter([Said(500), Trouble.SLAM, Said(404), Said(200)])
    async with serving(lambda _asked: next(said)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        work, clock = dispatch(engine, post)
        for failures in (1, 2, 3):
            await all_out(work)
            assert (await known(engine, hook.id)).failures == failures
            clock.advance(60)
        await all_out(work)
        assert len({each["id"] for each in missed(web.asked)}) == 1
        assert len(web.asked) == 4
    assert await states(engine) == ["sent"]
    assert (await known(engine, hook.id)).failing_since is None


async def test_one_that_fails_rests_and_what_waits_goes_out_in_order_after(
    engine: AsyncEngine, post: WebhookPost
) -> None:
    broken = True

    def answer(_asked: Asked) -> Said:
        return Said(503) if broken else Said(200)

    async with serving(answer) as web:
        await hooked(engine, Event.CALL_MISSED, url=web.url)
        shop = Shop(engine)
        keys = [await shop.misses(f"+7916123450{place}") for place in range(5)]
        work, clock = dispatch(engine, post)
        await all_out(work)
        assert len(web.asked) == 1  # the others were not tried in vain
        waiting = await rows(engine, schema.delivery, channel=CHANNEL)
        assert sorted(row.attempts for row in waiting) == [0, 0, 0, 0, 1]
        broken = False
        clock.advance(LONGEST_REST.total_seconds())
        await all_out(work)
        assert [each["data"]["call"] for each in missed(web.asked)[1:]] == keys


async def test_one_that_fails_keeps_no_other_waiting(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(500)) as dead, serving(Said(200)) as well:
        await hooked(engine, Event.CALL_MISSED, url=dead.url, name="dead")
        await hooked(engine, Event.CALL_MISSED, url=well.url, name="well")
        shop = Shop(engine)
        for place in range(3):
            await shop.misses(f"+7916123450{place}")
        await all_out(dispatch(engine, post)[0])
        assert (len(dead.asked), len(well.asked)) == (1, 3)


async def test_who_says_when_is_left_alone_until_then(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(429, headers=(("Retry-After", "900"),))) as web:
        await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        work, clock = dispatch(engine, post)
        await all_out(work)
        clock.advance(800)
        await all_out(work)
        assert len(web.asked) == 1
        clock.advance(200)
        await all_out(work)
        assert len(web.asked) == 2


async def test_a_redirect_is_not_followed(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(200)) as other, serving(Said(302, headers=(("Location", other.url),))) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        await all_out(dispatch(engine, post)[0])
        assert (len(web.asked), other.asked) == (1, [])
    assert "redirects are not followed" in ((await known(engine, hook.id)).error or "")


async def maker(engine: AsyncEngine) -> None:
    """The account that makes the webhooks is Lena's."""
    new = Account(name="admin", role="admin", person="lena")
    await writing(engine, lambda c: add(c, new, "test", NOW))


async def test_one_that_takes_nothing_for_days_is_stopped_and_its_maker_hears_of_it(
    engine: AsyncEngine, post: WebhookPost
) -> None:
    await maker(engine)
    async with serving(Said(500)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        shop = Shop(engine)
        await shop.misses()
        work, clock = dispatch(engine, post)
        for _ in range(FAILED_OFTEN + 1):
            await all_out(work)
            assert (await known(engine, hook.id)).enabled
            clock.advance((FAILING_FOR / (FAILED_OFTEN + 2)).total_seconds())
        shop.story.after(FAILING_FOR.total_seconds())
        await shop.misses("+79161234502")
        clock.advance((FAILING_FOR / 2).total_seconds())
        await all_out(work)
        after = await known(engine, hook.id)
        assert (after.enabled, after.stopped) == (False, Stopped.FAILING)
        asked = len(web.asked)
        clock.advance(LONGEST_REST.total_seconds() * 4)
        await all_out(work)
        assert len(web.asked) == asked
    assert set(await states(engine)) == {"cancelled"}
    (notice,) = await rows(engine, schema.delivery, template="alert", recipient="lena")
    assert "CRM" in notice.details
    (line,) = await rows(engine, schema.audit, action="webhook_stopped")
    assert line.who == "pbxmonitor"
    on = await writing(engine, lambda c: webhook_keeping.change(c, hook.id, "admin", NOW, enabled=True))
    assert (on.stopped, on.failures, on.failing_since, on.error) == (None, 0, None, None)


async def test_one_that_is_gone_is_stopped_at_once(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(410)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        await all_out(dispatch(engine, post)[0])
    assert (await known(engine, hook.id)).stopped is Stopped.GONE
    assert await states(engine) == ["failed"]


async def test_what_is_too_old_is_not_sent(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(200)) as web:
        await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        work, clock = dispatch(engine, post)
        clock.advance((KEEP + MINUTE).total_seconds())
        await all_out(work)
        await writing(engine, lambda c: outbox.expire(c, clock.now()))
        assert (web.asked, await states(engine)) == ([], ["expired"])


async def test_a_webhook_that_was_removed_gets_nothing(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(200)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        await writing(engine, lambda c: webhook_keeping.remove(c, hook.id, "admin", NOW))
        await all_out(dispatch(engine, post)[0])
        assert (web.asked, await states(engine)) == ([], ["cancelled"])


async def test_a_ping_goes_out_though_it_is_off_and_again_under_its_id(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(200)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await writing(engine, lambda c: webhook_keeping.change(c, hook.id, "admin", NOW, enabled=False))
        work, clock = dispatch(engine, post)
        owed = await writing(engine, lambda c: webhook_queue.ping(c, hook.id, "admin", clock.now()))
        with pytest.raises(CannotHook):
            await writing(engine, lambda c: webhook_queue.again(c, hook.id, owed.id, "admin", clock.now()))
        await all_out(work)
        await writing(engine, lambda c: webhook_queue.again(c, hook.id, owed.id, "admin", clock.now()))
        await all_out(work)
        assert [(each["id"], each["type"]) for each in missed(web.asked)] == [(owed.id, "ping")] * 2


async def test_a_new_secret_signs_from_then_on(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(200)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=web.url)
        await Shop(engine).misses()
        other = await writing(engine, lambda c: webhook_keeping.new_secret(c, hook.id, "admin", NOW))
        work, clock = dispatch(engine, post)
        await all_out(work)
        [asked] = web.asked
        assert other.secret != hook.secret
        assert verify(other.secret, asked.headers, asked.body, clock.now())


async def test_without_leave_nothing_inside_our_network_is_asked(engine: AsyncEngine) -> None:
    async def lies(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    post = WebhookPost(engine, ROSTER, ManualClock(NOW + timedelta(hours=1)), resolve=lies)
    async with serving(Said(200)) as web:
        await hooked(engine, Event.CALL_MISSED, url=f"http://crm.example:{web.port}/")
        await Shop(engine).misses()
        await all_out(dispatch(engine, post)[0])
        assert web.asked == []
    await post.aclose()
    (row,) = await rows(engine, schema.delivery, channel=CHANNEL)
    assert (row.state, "webhooks_to_private" in row.error) == ("failed", True)


async def test_neither_secret_nor_address_is_logged(engine: AsyncEngine, post: WebhookPost) -> None:
    async with serving(Said(500)) as web:
        hook = await hooked(engine, Event.CALL_MISSED, url=f"{web.url}/secret-path?key=hush")
        await Shop(engine).misses()
        with capture_logs() as lines:
            await all_out(dispatch(engine, post)[0])
    seen = repr(lines)
    assert "delivery_later" in seen
    for hidden in (hook.secret, "hush", "secret-path", CLIENT):
        assert hidden not in seen
    assert hook.secret not in repr(hook)
    audited = "".join(row.details for row in await rows(engine, schema.audit))
    assert not any(hidden in audited for hidden in (hook.secret, "hush", "secret-path"))


# how they are kept


async def test_what_changed_is_in_the_audit_and_nothing_else(engine: AsyncEngine) -> None:
    hook = await hooked(engine, Event.CALL_ENDED)
    same = await writing(engine, lambda c: webhook_keeping.change(c, hook.id, "admin", NOW, name="CRM"))
    assert same == hook
    changes = {"name": "1C", "events": [Event.CALL_MISSED, Event.CALL_ENDED], "queues": ["sales"]}
    after = await writing(engine, lambda c: webhook_keeping.change(c, hook.id, "admin", NOW, **changes))
    assert after == replace(hook, name="1C", events=(Event.CALL_ENDED, Event.CALL_MISSED), queues=("sales",))
    (line,) = await rows(engine, schema.audit, action="webhook_changed")
    assert json.loads(line.details)["queues"] == ["sales"]


async def test_one_that_is_not_there_cannot_be_kept(engine: AsyncEngine) -> None:
    for work in (
        lambda c: webhook_keeping.change(c, "0", "admin", NOW, name="x"),
        lambda c: webhook_keeping.remove(c, "0", "admin", NOW),
        lambda c: webhook_keeping.new_secret(c, "0", "admin", NOW),
        lambda c: webhook_queue.ping(c, "0", "admin", NOW),
        lambda c: webhook_queue.again(c, "0", "0", "admin", NOW),
    ):
        with pytest.raises(CannotHook):
            await writing(engine, work)


async def test_deliveries_are_listed_by_pages_the_newest_first(engine: AsyncEngine) -> None:
    hook = await hooked(engine, Event.CALL_MISSED)
    shop = Shop(engine)
    keys = []
    for place in range(5):
        keys.append(await shop.misses(f"+7916123450{place}"))
        shop.story.after(60)
    found: list[str] = []
    after = None
    while True:
        page = await reading(engine, lambda c, after=after: webhook_queue.page(c, hook.id, limit=2, after=after))  # type: ignore[misc]
        found += [each.values["data"]["call"] for each in page.deliveries]
        after = page.next
        if after is None:
            break
    assert found == keys[::-1]


def test_what_the_documentation_shows_checks_a_message() -> None:
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    shown: dict[str, Any] = {}
    exec(text.split("```python\n")[1].split("```")[0], shown)
    secret, content = "s" * 43, b'{"id": "d-17", "type": "ping"}'
    headers = {name.lower(): value for name, value in signed(secret, "d-17", content, SystemClock().now()).items()}
    assert shown["checked"](secret, headers, content) == {"id": "d-17", "type": "ping"}
    for broken in (
        {**headers, "x-pbxmonitor-signature": "0" * 64},
        {**headers, "x-pbxmonitor-timestamp": "1"},
        {name.lower(): value for name, value in signed(secret, "d-17", content, NOW - KEEP).items()},
        {**headers, "x-pbxmonitor-id": "d-18"},
    ):
        with pytest.raises(ValueError):
            shown["checked"](secret, broken, content)
