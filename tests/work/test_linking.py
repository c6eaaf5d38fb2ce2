"""Linking: a code works once, for its person, for a day; who guesses is not listened to."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import links, schema
from pbxmonitor.store.types import reading, writing
from pbxmonitor.work.linking import CannotLink, Linking, deep_link
from tests.work.shop import rows

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
BOT = "telegram"
WRONG = "ZZZZ9999"


def linking(engine: AsyncEngine, clock: ManualClock | None = None, keep: timedelta = links.KEEP) -> Linking:
    return Linking(engine, {"anna", "boris"}, clock or ManualClock(NOW), keep)


async def linked(engine: AsyncEngine) -> dict[str, str]:
    found = await reading(engine, links.links)
    return {each.person: each.account for each in found}


async def test_a_code_links_its_person_once(engine: AsyncEngine) -> None:
    here = linking(engine)
    code = await here.new_code(BOT, "anna", by="chief")
    assert await here.redeem(BOT, code, "701", "7001") == "anna"
    assert await here.redeem(BOT, code, "802", "8002") is None
    assert await reading(engine, lambda c: links.address_of(c, BOT, "anna")) == "701"
    assert await reading(engine, lambda c: links.person_of(c, BOT, "7001")) == "anna"
    assert await reading(engine, lambda c: links.person_of(c, BOT, "8002")) is None


async def test_a_code_is_kept_as_its_digest_only(engine: AsyncEngine) -> None:
    codes = {await linking(engine).new_code(BOT, person, by="chief") for person in ("anna", "boris") * 10}
    assert len(codes) == 20
    assert {(len(code), set(code) <= set(links.ALPHABET)) for code in codes} == {(8, True)}
    assert not set("01ILO") & set(links.ALPHABET)
    kept = repr(await rows(engine, schema.link_code)) + repr(await rows(engine, schema.audit))
    assert not [code for code in codes if code in kept]


async def test_people_may_type_it_as_they_like(engine: AsyncEngine) -> None:
    here = linking(engine)
    code = await here.new_code(BOT, "anna", by="chief")
    assert await here.redeem(BOT, f" {code[:4].lower()}-{code[4:].lower()}", "701", "7001") == "anna"


async def test_a_code_is_of_its_channel_and_its_day(engine: AsyncEngine) -> None:
    clock = ManualClock(NOW)
    here = linking(engine, clock)
    code = await here.new_code(BOT, "anna", by="chief")
    assert await here.redeem("other", code, "701", "7001") is None
    clock.advance(24 * 3600)
    assert await here.redeem(BOT, code, "701", "7001") is None
    brief = linking(engine, clock, keep=timedelta(minutes=10))
    code = await brief.new_code(BOT, "anna", by="chief")
    clock.advance(599)
    assert await brief.redeem(BOT, code, "701", "7001") == "anna"


async def test_a_new_code_makes_the_earlier_one_void(engine: AsyncEngine) -> None:
    here = linking(engine)
    first = await here.new_code(BOT, "anna", by="chief")
    second = await here.new_code(BOT, "anna", by="chief")
    assert await here.redeem(BOT, first, "701", "7001") is None
    assert await here.redeem(BOT, second, "701", "7001") == "anna"


async def test_an_account_is_one_persons_and_a_person_has_one(engine: AsyncEngine) -> None:
    here = linking(engine)
    for person, account in (("anna", "1"), ("boris", "2"), ("anna", "2"), ("boris", "3"), ("boris", "4")):
        await here.redeem(BOT, await here.new_code(BOT, person, by="chief"), account, account)
    assert await linked(engine) == {"anna": "2", "boris": "4"}


async def test_there_is_no_code_for_who_is_not_in_the_settings(engine: AsyncEngine) -> None:
    with pytest.raises(CannotLink) as cannot:
        await linking(engine).new_code(BOT, "mallory", by="chief")
    assert "mallory" in cannot.value.text("ru")
    assert await rows(engine, schema.link_code) == []


async def test_after_five_wrong_codes_an_account_is_not_listened_to_for_ten_minutes(engine: AsyncEngine) -> None:
    clock = ManualClock(NOW)
    here = linking(engine, clock)
    code = await here.new_code(BOT, "anna", by="chief")
    for _ in range(5):
        assert await here.redeem(BOT, WRONG, "701", "7001") is None
    with pytest.raises(CannotLink) as cannot:
        await here.redeem(BOT, code, "701", "7001")
    assert cannot.value.key == "bot.too_many"
    assert await here.redeem(BOT, WRONG, "802", "8002") is None
    clock.advance(600)
    assert await here.redeem(BOT, code, "701", "7001") == "anna"


async def test_of_two_who_have_the_same_code_one_is_linked(engine: AsyncEngine) -> None:
    code = await linking(engine).new_code(BOT, "anna", by="chief")
    got = await asyncio.gather(*(linking(engine).redeem(BOT, code, name, name) for name in ("1", "2", "3")))
    assert sorted(got, key=str) == [None, None, "anna"]
    assert len(await linked(engine)) == 1


async def test_unlinking_forgets_the_chat_and_the_code_and_is_audited(engine: AsyncEngine) -> None:
    here = linking(engine)
    await here.redeem(BOT, await here.new_code(BOT, "anna", by="chief"), "701", "7001")
    code = await here.new_code(BOT, "anna", by="chief")
    assert await here.unlink(BOT, "anna", by="chief")
    assert not await here.unlink(BOT, "anna", by="chief")
    assert (await linked(engine), await here.redeem(BOT, code, "701", "7001")) == ({}, None)
    actions = sorted((line.who, line.action) for line in await rows(engine, schema.audit))
    assert actions == [("anna", "link"), ("chief", "link_code"), ("chief", "link_code"), ("chief", "unlink")]


async def test_an_update_is_new_once(engine: AsyncEngine) -> None:
    got = [await writing(engine, lambda c, n=n: links.first_time(c, BOT, n)) for n in (5, 6, 5, 6, 7, 1)]  # type: ignore[misc]
    assert got == [True, True, False, False, True, True]
    assert await writing(engine, lambda c: links.first_time(c, "other", 5))


def test_a_deep_link_carries_the_code() -> None:
    assert deep_link("clinic_pbx_bot", "ABCD2345") == "https://t.me/clinic_pbx_bot?start=ABCD2345"
