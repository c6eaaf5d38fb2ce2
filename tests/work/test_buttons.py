"""The bot: only who is linked is listened to, only about his own clients, and nothing is done twice."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.policy import WorkingHours
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.notify import Later
from pbxmonitor.notify.telegram import Telegram
from pbxmonitor.notify.telegram_updates import Pressed, Said
from pbxmonitor.notify.templates import Templates
from pbxmonitor.pbx.asterisk.dialer import PhoneAway
from pbxmonitor.settings_people import DialSettings, PersonSettings
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import upsert, writing
from pbxmonitor.texts import tr
from pbxmonitor.work.buttons import Buttons
from pbxmonitor.work.dialling import Dialling
from pbxmonitor.work.linking import Linking
from tests.domain.story import CLIENT
from tests.notify.fake_telegram import TOKEN, FakeTelegram, refusal, shown, telegram
from tests.work.shop import DUTIES, NODE, POLICY, Shop, callback, rows
from tests.work.test_dialling import FakeDialer

MOSCOW = ZoneInfo("Europe/Moscow")
PEOPLE = (
    Person(key="101", name="Анна <А>"),
    Person(key="102", name="Boris", language="en"),
    Person(key="103", name="Вера"),
    Person(key="lena", name="Лена", role=Role.SUPERVISOR),
    Person(key="far", name="Чужой", role=Role.SUPERVISOR, leads=frozenset({"sales"})),
)
ROSTER = Roster(people={each.key: each for each in PEOPLE}, reserve=("102",), hours=WorkingHours(zone=MOSCOW, week=()))
# Who is linked to which account.
ACCOUNTS = {"101": 7001, "102": 7002, "103": 7003, "lena": 7004, "far": 7005, "gone": 7006}
STRANGER = 6666


@dataclass
class Bot:
    """A client whom 101 missed, and the bot that people talk to about him."""

    fake: FakeTelegram
    buttons: Buttons
    dialer: FakeDialer
    shop: Shop
    clock: ManualClock
    missed: str
    update: int = 100

    async def press(self, action: str, who: str = "101", *, again: bool = False, value: str | None = None) -> str:
        """Press, and what the person is told for it."""
        self.update += not again
        await self.buttons(
            Pressed(
                update=self.update,
                chat=self.account(who),
                user=self.account(who),
                message=55,
                action=action,
                value=f"{NODE}/{self.missed}" if value is None else value,
                query=f"q{self.update}",
            )
        )
        return str(self.fake.calls("answerCallbackQuery")[-1]["text"])

    async def say(self, text: str, user: int = STRANGER, *, again: bool = False) -> str:
        """Write to the bot, and what it answers."""
        self.update += not again
        await self.buttons(Said(update=self.update, chat=user, user=user, text=text))
        sent = self.fake.calls("sendMessage")[-1]
        assert sent["chat_id"] == user
        return shown(sent)

    def account(self, who: str) -> int:
        return ACCOUNTS.get(who, STRANGER)

    @property
    def alerted(self) -> bool:
        return bool(self.fake.calls("answerCallbackQuery")[-1].get("show_alert", False))

    @property
    def seen(self) -> tuple[str, list[str]]:
        """The message that was pressed, as it is now: its text and its buttons' actions."""
        edited = self.fake.calls("editMessageText")[-1]
        assert edited["message_id"] == 55
        keys = [key for row in edited["reply_markup"]["inline_keyboard"] for key in row]
        return shown(edited), [key["callback_data"].partition(":")[0] for key in keys]

    async def audited(self) -> list[tuple[str, str]]:
        return [(line.who, line.action) for line in await rows(self.shop.engine, schema.audit)]


@asynccontextmanager
async def bot(engine: AsyncEngine, *, dials: bool = True) -> AsyncIterator[Bot]:
    duties = replace(DUTIES, roster=ROSTER, tasks=(), calls=(), snooze=timedelta(minutes=15))
    shop = Shop(engine, duties)
    missed = await shop.misses()
    clock, dialer = ManualClock(shop.now), FakeDialer()
    people = {person.key: PersonSettings() for person in PEOPLE}
    linked = [
        {"channel": "tg", "person": person, "address": str(n), "account": str(n), "linked_at": clock.now()}
        for person, n in ACCOUNTS.items()
    ]
    await writing(engine, lambda connection: upsert(connection, schema.link, linked))
    async with telegram() as fake:
        channel = Telegram(Telegram.Settings.model_validate({"token": TOKEN, "url": fake.url, "timeout": 5}), clock)
        buttons = Buttons(
            channel="tg",
            database=engine,
            telegram=channel,
            duties=duties,
            policy=POLICY,
            templates=Templates(MOSCOW),
            linking=Linking(engine, ROSTER.people, clock),
            clock=clock,
            dialling=Dialling(engine, {NODE: dialer}, {NODE: DialSettings()}, people, clock) if dials else None,
        )
        try:
            yield Bot(fake, buttons, dialer, shop, clock, missed)
        finally:
            await channel.aclose()


async def test_who_takes_the_client_is_shown_in_the_message(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        assert await here.press("take") == tr("bot.done.take", language="ru")
        assert not here.alerted
        text, actions = here.seen
        at = here.clock.now().astimezone(MOSCOW).strftime("%H:%M")
        assert text.splitlines()[-1] == tr("bot.status.take", language="ru", name="Анна <А>", at=at)
        assert "+7 916 123-45-01" in text
        assert actions == ["take", "call", "mobile", "snooze", "wrong_number"]
        row = await callback(engine)
        assert (row.taken_by, row.taken_at, await here.audited()) == ("101", here.clock.now(), [("101", "take")])


async def test_call_now_rings_the_persons_phone_and_then_the_client(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        assert await here.press("call", "102") == tr("bot.done.call", language="en")
        ((endpoint, number, call, _),) = here.dialer.asked
        assert (endpoint, number) == ("PJSIP/102", CLIENT)
        (row,) = await rows(engine, schema.dialled)
        assert (row.id, row.person, row.callback) == (call, "102", here.missed)
        assert here.seen[0].splitlines()[-1].startswith("Boris is calling")
        assert await here.press("call", "102") == tr("dial.cannot.busy", language="en")
        assert here.alerted
        assert len(here.dialer.asked) == 1


async def test_a_call_that_cannot_be_made_says_why(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        here.dialer.troubles = [PhoneAway("Asterisk cannot ring PJSIP/101")]
        assert await here.press("call") == tr("dial.cannot.phone", language="ru", phone="PJSIP/101")
        assert here.alerted
        assert here.fake.calls("editMessageText") == []


async def test_without_ari_there_is_no_call_and_no_button_for_it(engine: AsyncEngine) -> None:
    async with bot(engine, dials=False) as here:
        assert await here.press("call") == tr("dial.cannot.node", language="ru")
        await here.press("take")
        assert "call" not in here.seen[1]


async def test_called_from_a_mobile_closes_it_and_takes_the_buttons_away(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        assert await here.press("mobile") == tr("bot.done.mobile", language="ru")
        row = await callback(engine)
        assert (row.state, row.rescuer) == ("reached", "101")
        assert here.seen[1] == []
        assert await here.press("take", "102") == tr("callback.cannot.closed", language="en")
        assert here.alerted
        assert [call["message_id"] for call in here.fake.calls("editMessageReplyMarkup")] == [55]


async def test_snooze_says_until_when_in_the_sites_time(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        until = here.clock.now() + timedelta(minutes=15)
        at = until.astimezone(MOSCOW).strftime("%H:%M")
        assert await here.press("snooze") == tr("bot.done.snooze", language="ru", at=at)
        assert (await callback(engine)).snoozed_until == until
        assert at in here.seen[0].splitlines()[-1]


async def test_a_wrong_number_is_dismissed_with_its_reason(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        await here.press("wrong_number")
        row = await callback(engine)
        assert (row.state, row.dismissed_by, row.reason) == ("dismissed", "101", "неверный номер")


async def test_a_machine_that_answered_opens_the_callback_again(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        await here.shop.calls_back("101")
        assert (await callback(engine)).state == "reached"
        assert await here.press("voicemail") == tr("bot.done.voicemail", language="ru")
        assert (await callback(engine)).state == "attempted"
        assert here.seen[1] == ["take", "call", "mobile", "snooze", "wrong_number"]


@pytest.mark.parametrize("action", ["take", "call", "mobile", "snooze", "wrong_number"])
async def test_the_same_update_again_does_nothing_twice(engine: AsyncEngine, action: str) -> None:
    async with bot(engine) as here:
        said = await here.press(action)
        before = await callback(engine), await here.audited(), len(here.dialer.asked)
        first = here.seen
        here.clock.advance(30)
        if action != "snooze":
            assert await here.press(action, again=True) == said
        else:
            await here.press(action, again=True)
        assert (await callback(engine), await here.audited(), len(here.dialer.asked)) == before
        assert here.seen[1] == first[1]


@pytest.mark.parametrize(("who", "may"), [("101", True), ("102", True), ("lena", True), ("103", False), ("far", False)])
async def test_a_client_is_his_owners_his_leaders_and_the_reserves(engine: AsyncEngine, who: str, may: bool) -> None:
    async with bot(engine) as here:
        for action in ("take", "call", "wrong_number"):
            said = await here.press(action, who)
            assert (said == tr("bot.not_yours", language="ru"), here.alerted) == (not may, not may)
        assert bool(here.dialer.asked) == may
        assert ((await callback(engine)).state == "dismissed") == may


async def test_who_was_told_of_a_client_may_take_him(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        at = here.clock.now()
        told = Delivery(
            id="x",
            channel="tg",
            template="missed",
            due_at=at,
            created_at=at,
            recipient="103",
            about=(NODE, here.missed),
        )
        await writing(engine, lambda connection: outbox.put(connection, [told]))
        await here.press("take", "103")
        assert (await callback(engine)).taken_by == "103"


@pytest.mark.parametrize("who", ["gone", "nobody"])
async def test_who_is_not_linked_or_has_left_presses_in_vain(engine: AsyncEngine, who: str) -> None:
    async with bot(engine) as here:
        for action in ("take", "call", "mobile"):
            assert await here.press(action, who) == tr("bot.not_linked")
            assert here.alerted
        assert (here.dialer.asked, await here.audited()) == ([], [])
        assert here.fake.calls("editMessageText") == []


@pytest.mark.parametrize(("action", "value"), [("fly", "main/1.0"), ("take", "17"), ("take", ""), ("call", "/")])
async def test_a_button_that_is_none_of_ours_does_nothing(engine: AsyncEngine, action: str, value: str) -> None:
    async with bot(engine) as here:
        assert await here.press(action, value=value) == tr("bot.unknown", language="ru")
        assert (await callback(engine)).taken_by is None


async def test_a_callback_that_is_not_there_is_said_so(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        assert await here.press("take", value="main/no.such") == tr("callback.cannot.unknown", language="ru")


async def test_a_message_that_cannot_be_edited_is_no_harm(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        gone = refusal(400, "Bad Request: message to edit not found")
        here.fake.say("editMessageText", gone, refusal(500, "Internal Server Error"))
        for _ in range(2):
            await here.press("take")
        assert (await callback(engine)).taken_by == "101"


async def test_a_link_connects_the_chat_once(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        code = await here.buttons.linking.new_code("tg", "103", by="lena")
        assert (await here.say(f"/start {code}")).startswith("Готово, Вера")
        assert await here.say(f"/start {code}", again=True) == tr("bot.help", language="ru", name="Вера")
        assert await here.say(f"/start {code}", user=6667) == tr("bot.stranger")
        linked = {row.account: row.person for row in await rows(engine, schema.link)}
        assert (linked.get(str(STRANGER)), linked.get("7003"), linked.get("6667")) == ("103", None, None)


async def test_strangers_learn_nothing(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        texts = ["/start", "привет", "/help", "/start ABCD2345", "ABCD-2345", "/start ' OR 1=1", "101"]
        assert {await here.say(text) for text in texts} == {tr("bot.stranger")}
        assert "Лена" not in tr("bot.stranger")


async def test_who_guesses_codes_is_soon_not_listened_to(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        code = await here.buttons.linking.new_code("tg", "103", by="lena")
        said = [await here.say("/start ABCD2345") for _ in range(6)]
        assert said == [tr("bot.stranger")] * 5 + [tr("bot.too_many")]
        assert await here.say(f"/start {code}") == tr("bot.too_many")
        here.clock.advance(600)
        assert (await here.say(f"/start {code}")).startswith("Готово")


async def test_who_is_linked_is_helped_in_his_language(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        assert await here.say("what is this?", ACCOUNTS["102"]) == tr("bot.help", language="en", name="Boris")


async def test_an_answer_that_telegram_does_not_take_now_is_given_when_the_update_comes_again(
    engine: AsyncEngine,
) -> None:
    async with bot(engine) as here:
        code = await here.buttons.linking.new_code("tg", "103", by="lena")
        here.fake.say("sendMessage", refusal(500, "Internal Server Error"))
        with pytest.raises(Later):
            await here.say(f"/start {code}")
        assert await here.say(f"/start {code}", again=True) == tr("bot.help", language="ru", name="Вера")


async def test_a_blocked_bot_is_no_harm(engine: AsyncEngine) -> None:
    async with bot(engine) as here:
        here.fake.say("sendMessage", refusal(403, "Forbidden: bot was blocked by the user"))
        said: Any = Said(update=1, chat=STRANGER, user=STRANGER, text="/start")
        await here.buttons(said)
        assert len(here.fake.calls("sendMessage")) == 1
