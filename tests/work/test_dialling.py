"""Click to call: only clients who wait, one at a time, so many an hour; whatever happens, the rows say what."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.pbx.asterisk.dialer import CannotDial, NotCallable, PhoneAway
from pbxmonitor.settings_people import DialSettings, PersonSettings
from pbxmonitor.store import dialled, numbers, schema
from pbxmonitor.store.dialled import Bounds, Wish
from pbxmonitor.store.numbers import Kind
from pbxmonitor.store.types import writing
from pbxmonitor.work.dialling import CannotCall, Dialling
from tests.domain.story import CLIENT
from tests.work.shop import NODE, Shop, rows

OTHER = "+79161234777"
PEOPLE = {
    "101": PersonSettings(name="Анна"),
    "anna": PersonSettings(devices=("Local/9@x", "PJSIP/111", "PJSIP/112"), language="en"),
    "chief": PersonSettings(may_call_any=True),
}


@dataclass
class FakeDialer:
    """Remembers what it was asked to dial; fails as it is told to."""

    troubles: list[CannotDial] = field(default_factory=list)
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    async def dial(self, endpoint: str, number_e164: str, *, call_id: str, caller_name: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.asked.append((endpoint, number_e164, call_id, caller_name))


@dataclass
class Desk:
    """A client who waits, and who calls him."""

    shop: Shop
    dialer: FakeDialer
    clock: ManualClock
    dialling: Dialling
    missed: str

    @property
    def callback(self) -> tuple[str, str]:
        return NODE, self.missed

    async def rows(self) -> list[Any]:
        return sorted(await rows(self.shop.engine, schema.dialled), key=lambda row: row.at)

    async def refused(self, *call: Any, **more: Any) -> str:
        """Why nobody is called; nothing was dialled for it."""
        before = list(self.dialer.asked)
        with pytest.raises(CannotCall) as cannot:
            await self.dialling.call(*call, **more)
        assert self.dialer.asked == before
        assert cannot.value.text("ru") != cannot.value.text("en")
        return cannot.value.key


async def desk(engine: AsyncEngine, dial: DialSettings | None = None, **more: Any) -> Desk:
    shop, dialer = Shop(engine), FakeDialer()
    missed = await shop.misses()
    clock = ManualClock(shop.now)
    dialling = Dialling(engine, {NODE: dialer}, {NODE: dial or DialSettings()}, PEOPLE, clock, **more)
    return Desk(shop, dialer, clock, dialling, missed)


async def test_the_client_of_an_open_callback_is_called_and_the_attempt_tied_to_it(engine: AsyncEngine) -> None:
    here = await desk(engine)
    call = await here.dialling.call("101", here.callback)
    assert here.dialer.asked == [("PJSIP/101", CLIENT, call, "Перезвон")]
    (row,) = await here.rows()
    assert (row.id, row.person, row.node, row.number, row.callback) == (call, "101", NODE, CLIENT, here.missed)
    assert (row.at, row.ended_at, row.error) == (here.clock.now(), None, None)
    (line,) = await rows(engine, schema.audit, action="call")
    assert (line.who, line.node, line.subject) == ("101", NODE, here.missed)
    assert json.loads(line.details) == {"call": call, "number": CLIENT, "node": NODE}


async def test_a_number_alone_finds_its_open_callback(engine: AsyncEngine) -> None:
    here = await desk(engine)
    await here.dialling.call("101", number=CLIENT)
    assert [row.callback for row in await here.rows()] == [here.missed]


async def test_nobody_else_is_called_without_a_permission(engine: AsyncEngine) -> None:
    here = await desk(engine)
    assert await here.refused("101", number=OTHER) == "dial.cannot.not_open"
    assert await here.refused("101", here.callback, OTHER) == "dial.cannot.not_open"
    assert await here.refused("101") == "dial.cannot.not_open"
    assert await here.refused("mallory", here.callback) == "dial.cannot.person"
    assert (await here.rows(), await rows(engine, schema.audit)) == ([], [])
    await here.dialling.call("chief", number=OTHER)
    assert [(row.number, row.callback) for row in await here.rows()] == [(OTHER, None)]


async def test_a_callback_that_is_over_is_not_called_any_more(engine: AsyncEngine) -> None:
    here = await desk(engine)
    await here.shop.calls_back("102")
    assert await here.refused("101", here.callback) == "dial.cannot.closed"
    assert await here.refused("101", (NODE, "no.such")) == "dial.cannot.closed"
    assert await here.refused("101", number=CLIENT) == "dial.cannot.not_open"


async def test_one_call_at_a_time(engine: AsyncEngine) -> None:
    here = await desk(engine)
    await here.dialling.call("101", here.callback)
    here.clock.advance(119)
    assert await here.refused("101", here.callback) == "dial.cannot.busy"
    await here.dialling.call("anna", here.callback)
    here.clock.advance(1)
    await here.dialling.call("101", here.callback)
    assert [(row.person, row.error) for row in await here.rows()] == [
        ("101", "nobody saw its end"),
        ("anna", None),
        ("101", None),
    ]


async def test_of_two_at_the_same_moment_exactly_one_goes_through(engine: AsyncEngine) -> None:
    here = await desk(engine)
    again = Dialling(engine, {NODE: here.dialer}, {}, PEOPLE, here.clock)
    for each in (here.dialling, again):
        with pytest.raises(CannotCall):
            await each.call("102", (NODE, "no.such"))
    calls = [each.call("101", here.callback) for each in (here.dialling, again) for _ in range(3)]
    got = await asyncio.gather(*calls, return_exceptions=True)
    done = [each for each in got if isinstance(each, str)]
    assert len(done) == 1
    assert (
        sorted(str(each) for each in got if isinstance(each, CannotCall)) == [CannotCall("dial.cannot.busy").text()] * 5
    )
    assert [call for _, _, call, _ in here.dialer.asked] == done


async def test_who_asks_while_another_is_being_checked_waits_for_him(engine: AsyncEngine) -> None:
    here = await desk(engine)
    bounds, now = Bounds(per_hour={NODE: 9}, site_per_hour=9), here.clock.now()
    await writing(engine, dialled.prepare)

    def reserve(connection: sa.Connection, name: str) -> None:
        dialled.reserve(connection, Wish(id=name, person="101", callback=here.callback), bounds, now)

    async with engine.connect() as first:
        async with first.begin():
            await first.run_sync(reserve, "first")
            second = asyncio.create_task(writing(engine, lambda connection: reserve(connection, "second")))
            assert await asyncio.wait([second], timeout=0.3) == (set(), {second})
        with pytest.raises(CannotCall, match=CannotCall("dial.cannot.busy").text()):
            await second
    assert [row.id for row in await here.rows()] == ["first"]


async def test_a_call_that_goes_on_keeps_its_person_busy_until_it_is_over(engine: AsyncEngine) -> None:
    here = await desk(engine)
    story = here.shop.story.is_clicked_for("101")
    bounds = Bounds(per_hour={NODE: 9}, site_per_hour=9)
    await here.shop.recorded()
    wish = Wish(id=story.key, person="101", callback=here.callback)
    await writing(engine, dialled.prepare)
    await writing(engine, lambda c: dialled.reserve(c, wish, bounds, here.clock.now()))
    here.clock.advance(600)
    assert await here.refused("101", here.callback) == "dial.cannot.busy"
    story.is_put_through_to(CLIENT).rings_outside(CLIENT).after(15).caller_leaves()
    await here.shop.recorded()
    (tried,) = await rows(engine, schema.callback_attempt)
    assert (tried.call, tried.agent, tried.result) == (story.key, "101", "no_answer")
    await here.dialling.call("101", here.callback)
    assert [(row.id == story.key, row.ended_at is None) for row in await here.rows()] == [(True, False), (False, True)]


async def test_so_many_calls_an_hour_for_a_person_and_for_all(engine: AsyncEngine) -> None:
    here = await desk(engine, DialSettings(per_hour=2), site_per_hour=3)
    for _ in range(2):
        await here.dialling.call("101", here.callback)
        here.clock.advance(130)
    assert await here.refused("101", here.callback) == "dial.cannot.too_many"
    await here.dialling.call("anna", here.callback)
    assert await here.refused("chief", here.callback) == "dial.cannot.site"
    here.clock.advance(3600 - 260)
    await here.dialling.call("101", here.callback)


async def test_a_blocked_number_is_called_by_nobody(engine: AsyncEngine) -> None:
    here = await desk(engine, blocked=frozenset({OTHER}))
    await writing(engine, lambda c: numbers.put(c, CLIENT, Kind.BLOCKED, None, "chief", here.clock.now()))
    assert await here.refused("101", here.callback) == "dial.cannot.blocked"
    assert await here.refused("chief", number=OTHER) == "dial.cannot.blocked"
    await writing(engine, lambda c: numbers.put(c, CLIENT, Kind.BRANCH, None, "chief", here.clock.now()))
    await here.dialling.call("101", here.callback)


async def test_a_pbx_without_ari_calls_nobody(engine: AsyncEngine) -> None:
    here = await desk(engine)
    here.dialling = Dialling(engine, {}, {NODE: DialSettings()}, PEOPLE, here.clock)
    assert await here.refused("101", here.callback) == "dial.cannot.node"
    assert await here.refused("chief", number=OTHER) == "dial.cannot.node"


@pytest.mark.parametrize(
    ("trouble", "key"),
    [
        (PhoneAway("Asterisk cannot ring PJSIP/101"), "dial.cannot.phone"),
        (NotCallable("numbers that cost extra are not called"), "dial.cannot.number"),
        (CannotDial("ARI refused user 'pbxmonitor'"), "dial.cannot.failed"),
    ],
)
async def test_a_call_that_did_not_begin_says_why_and_keeps_nobody_busy(
    engine: AsyncEngine, trouble: CannotDial, key: str
) -> None:
    here = await desk(engine)
    here.dialer.troubles = [trouble]
    assert await here.refused("101", here.callback) == key
    (row,) = await here.rows()
    assert (row.error, row.ended_at) == (trouble.reason, here.clock.now())
    await here.dialling.call("101", here.callback)


async def test_a_call_that_may_have_begun_keeps_its_person_busy_for_a_while(engine: AsyncEngine) -> None:
    here = await desk(engine)
    here.dialer.troubles = [CannotDial("ARI does not answer", perhaps=True)]
    assert await here.refused("101", here.callback) == "dial.cannot.failed"
    assert await here.refused("101", here.callback) == "dial.cannot.busy"
    here.clock.advance(120)
    await here.dialling.call("101", here.callback)


async def test_what_is_asked_once_is_dialled_once(engine: AsyncEngine) -> None:
    here = await desk(engine)
    first = await here.dialling.call("101", here.callback, once="telegram/17")
    assert await here.dialling.call("101", here.callback, once="telegram/17") == first
    assert len(here.dialer.asked) == len(await here.rows()) == 1
    here.clock.advance(timedelta(minutes=3).total_seconds())
    assert await here.dialling.call("101", here.callback, once="telegram/18") != first


async def test_the_phone_that_rings_is_the_chosen_one_else_the_first_of_the_persons(engine: AsyncEngine) -> None:
    here = await desk(engine, DialSettings(phones={"101": "SIP/555"}))
    phones = [here.dialling.phone_of(person, NODE) for person in ("101", "anna", "chief", "204")]
    assert phones == ["SIP/555", "PJSIP/111", "PJSIP/chief", "PJSIP/204"]
    await here.dialling.call("anna", here.callback)
    assert [(asked[0], asked[3]) for asked in here.dialer.asked] == [("PJSIP/111", "Callback")]
