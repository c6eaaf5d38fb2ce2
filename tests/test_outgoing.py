"""From a missed client to real servers: what the daemon's outgoing side sends, and how it stops."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import SystemClock
from pbxmonitor.outgoing import Outgoing, Relay, Watched
from pbxmonitor.settings import Settings
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.store import schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect
from tests.crm.fake_bitrix24 import BUSY, CODE, Portal
from tests.crm.server import Server
from tests.notify.fake_telegram import ANNA, TOKEN, FakeTelegram, refusal, shown, telegram
from tests.notify.post_office import PostOffice, office
from tests.work.shop import Shop, rows

SECONDS = 20


@dataclass
class Town:
    """The servers outside, the site's rows, and its daemon's outgoing side, running."""

    telegram: FakeTelegram
    post: PostOffice
    portal: Portal
    engine: AsyncEngine
    shop: Shop

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait until something has happened outside."""
        async with asyncio.timeout(SECONDS):
            while not true():  # noqa: ASYNC110 - several servers, none of which tells
                await asyncio.sleep(0.02)

    @property
    def messages(self) -> list[str]:
        """What the bot wrote, as people see it."""
        return [shown(asked) for asked in self.telegram.calls("sendMessage")]

    @property
    def letters(self) -> list[str]:
        return [body_of(letter) for letter in self.post.letters]


def body_of(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def settings(bot: FakeTelegram, post: PostOffice, portal: Server, folder: Path, **more: Any) -> Settings:
    """The clinic's settings, its channels and CRM on loopback."""
    chats = {"telegram": str(ANNA), "email": "anna@clinic.example"}
    values: dict[str, Any] = dict(
        timezone="Europe/Moscow",
        database={"url": f"sqlite:///{folder / 'rows.sqlite3'}"},
        people={
            "101": {"name": "Анна", "channels": ["telegram", "email"], "addresses": chats},
            "102": {"name": "Борис", "channels": ["email"], "addresses": {"email": "boris@clinic.example"}},
            "lena": {"name": "Лена", "role": "supervisor", "channels": ["email"]},
        },
        notify={
            "telegram": {"token": TOKEN, "url": bot.url},
            "email": {"host": "127.0.0.1", "port": post.port, "security": "none", "sender": "pbx@clinic.example"},
        },
        crm={
            "bitrix24": {
                "webhook": f"{portal.url}/rest/1/{CODE}/",
                "default_user": 1,
                "users": {"101": 15, "102": 16},
            }
        },
        alerts=[],
        **more,
    )
    return Settings(**values)


@asynccontextmanager
async def town(folder: Path, **more: Any) -> AsyncIterator[Town]:
    """A town in which the daemon's outgoing side runs."""
    portal = Portal(SystemClock())
    async with telegram() as bot, office(PostOffice()) as post, Server(portal.handle, BUSY) as server:
        wanted = settings(bot, post, server, folder, **more)
        await upgrade(wanted.database.full_url)
        engine = connect(wanted.database.full_url)
        outgoing, stop = Outgoing(wanted, engine, SystemClock(), Watched()), asyncio.Event()
        shop = Shop(engine, duties=outgoing.duties, ring=outgoing.ring, clock=SystemClock().now)
        shop.story.at(SystemClock().now() - timedelta(minutes=5))
        try:
            async with asyncio.timeout(2 * SECONDS), asyncio.TaskGroup() as tasks:
                tasks.create_task(outgoing.run(stop))
                try:
                    yield Town(bot, post, portal, engine, shop)
                finally:
                    stop.set()
        finally:
            await engine.dispose()


async def test_a_miss_is_told_to_its_owner_in_the_words_that_people_know(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.shop.misses()
        await here.until(lambda: here.messages)
        (asked,) = here.telegram.calls("sendMessage")
        assert asked["chat_id"] == ANNA
        (told,) = here.messages
        assert told.startswith("Вы пропустили входящий от +7 916 123-45-01 (")
        assert "очередь «sales». Перезвоните клиенту до " in told
        actions = [
            key["callback_data"].partition(":")[0] for row in asked["reply_markup"]["inline_keyboard"] for key in row
        ]
        assert actions == ["take", "mobile", "snooze", "wrong_number"]


async def test_a_colleagues_call_closes_it_and_the_owner_hears_who_it_was(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.shop.misses()
        await here.until(lambda: here.messages)
        await here.shop.calls_back("102")
        await here.until(lambda: len(here.messages) == 2)
        assert "Перезвонил сотрудник: Борис" in here.messages[1]


async def test_the_crm_gets_each_call_once_on_the_right_people(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.shop.misses()
        await here.shop.calls_back("102")
        await here.until(lambda: len(here.portal.statistics) == 2)
        told = sorted((call["TYPE"], call["USER_ID"], call["STATUS_CODE"]) for call in here.portal.statistics)
        assert told == [(1, 16, "200"), (2, 15, "304")]
        assert here.portal.violations == []


async def test_a_blocked_bot_gives_way_to_the_next_channel(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        here.telegram.say("sendMessage", refusal(403, "Forbidden: bot was blocked by the user"))
        await here.shop.misses("+78121112233")
        await here.until(lambda: here.letters)
        assert "+7 812 111-22-33 (Санкт-Петербург)" in here.letters[0]
        states = {row.channel: row.state for row in await rows(here.engine, schema.delivery, template="missed")}
        assert states["telegram"] == "failed"


async def test_a_task_is_opened_and_closed_in_the_crm(tmp_path: Path) -> None:
    steps = [{"after": 0, "to": ["crm"], "message": "task"}]
    async with town(tmp_path, callbacks={"steps": steps}) as here:
        await here.shop.misses()
        await here.until(lambda: here.portal.tasks)
        (task,) = here.portal.tasks.values()
        assert task["RESPONSIBLE_ID"] == 15
        await here.shop.calls_back("102")
        await here.until(lambda: task["STATUS"] == 5 and here.portal.comments)
        assert here.portal.comments[0][1] == "С клиентом поговорили: Борис"


async def test_a_step_of_the_chain_is_taken_by_the_sweep(tmp_path: Path) -> None:
    steps = [{"after": "1 s", "to": ["102"], "message": "escalated"}]
    async with town(tmp_path, callbacks={"steps": steps}, policy={"callback_norm": 0}) as here:
        await here.shop.misses()
        await here.until(lambda: here.letters)
        assert "+7 916 123-45-01" in here.letters[0]
        assert "Анна" in here.letters[0]


async def test_a_step_with_words_of_its_own_says_them(tmp_path: Path) -> None:
    text = "{{ client | phone }} ждёт. Наберите сейчас же!"
    steps = [{"after": "1 s", "to": ["102"], "message": "escalated", "text": text}]
    async with town(tmp_path, callbacks={"steps": steps}, policy={"callback_norm": 0}) as here:
        await here.shop.misses()
        await here.until(lambda: here.letters)
        assert here.letters[0].strip().startswith("+7 916 123-45-01 ждёт. Наберите сейчас же!")


async def test_what_a_channel_needs_and_lacks_is_one_line(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'rows.sqlite3'}")
    wrong = Settings(notify={"telegram": {"token": "x-secret"}})
    with pytest.raises(
        SettingsError, match=r"notify\.telegram.*token: must be a token such as @BotFather gives"
    ) as told:
        Outgoing(wrong, engine, SystemClock(), Watched())
    assert "x-secret" not in str(told.value)
    unknown = Settings(notify={"pigeon": {}})
    with pytest.raises(SettingsError, match=r"notify\.pigeon\.kind: there is no 'pigeon'; .*telegram"):
        Outgoing(unknown, engine, SystemClock(), Watched())
    await engine.dispose()


async def test_other_settings_take_over_and_nothing_is_lost_or_told_twice(tmp_path: Path) -> None:
    boris = 4242
    portal = Portal(SystemClock())
    async with telegram() as bot, office(PostOffice()) as post, Server(portal.handle, BUSY) as server:
        wanted = settings(bot, post, server, tmp_path)
        people: Any = {"101": {"name": "Аня", "channels": ["telegram"], "addresses": {"telegram": str(boris)}}}
        other = wanted.model_copy(update={"people": Settings(people=people, notify=wanted.notify).people})
        await upgrade(wanted.database.full_url)
        engine = connect(wanted.database.full_url)
        relay = Relay(lambda made: Outgoing(made, engine, SystemClock(), Watched()), wanted)
        stop, shop = asyncio.Event(), Shop(engine, duties=to_duties(wanted), ring=relay.ring, clock=SystemClock().now)
        shop.story.at(SystemClock().now() - timedelta(minutes=5))
        here = Town(bot, post, portal, engine, shop)
        async with asyncio.timeout(2 * SECONDS), asyncio.TaskGroup() as tasks:
            tasks.create_task(relay.run(stop))
            await shop.misses()
            await here.until(lambda: here.messages)
            first = relay.now
            # Two changes at once: the one in between never runs.
            await relay.follow(other.model_copy(update={"language": "en"}))
            await relay.follow(other)
            await here.until(lambda: relay.now is not first)
            await shop.misses("+79161234502")
            await here.until(lambda: len(here.messages) == 2)
            assert [asked["chat_id"] for asked in bot.calls("sendMessage")] == [ANNA, boris]
            stop.set()
        assert relay.newest.duties.roster.people["101"].name == "Аня"
        await engine.dispose()


async def test_settings_that_are_wrong_change_nothing(tmp_path: Path) -> None:
    portal = Portal(SystemClock())
    async with telegram() as bot, office(PostOffice()) as post, Server(portal.handle, BUSY) as server:
        wanted = settings(bot, post, server, tmp_path)
        engine = connect(wanted.database.full_url)
        relay = Relay(lambda made: Outgoing(made, engine, SystemClock(), Watched()), wanted)
        with pytest.raises(SettingsError, match="hook"):
            await relay.follow(wanted.model_copy(update={"notify": {"hook": {"kind": "pigeon"}}}))
        assert relay.newest is relay.now
        await relay.now.aclose()
        await engine.dispose()
