"""The town around a PBX: post, bot, SMS gateways, a webhook and CRMs on loopback, each keeping to its documents."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

from pbxmonitor.clock import SystemClock
from pbxmonitor.notify.signature import Forged, verify
from tests.crm import fake_amocrm, fake_bitrix24, fake_rest
from tests.crm.server import Server
from tests.notify.fake_telegram import TOKEN, FakeTelegram, press, shown, words
from tests.notify.loopback import Asked, Said, Trouble, Web, serving
from tests.notify.post_office import PASSWORD, USERNAME, PostOffice, office

API_ID = "A1B2-secret-api-id"
APIKEY = "k-e-y-of-the-account"
SECRET = "sixteen-and-more-of-the-webhook"
EMPTY = Said.json({"ok": True, "result": []})
HELD_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it came in: through which channel, to whom, in which words."""

    channel: str
    to: str
    text: str


@dataclass
class LongPolling(Web):
    """Telegram's server: a poll that found nothing is held for a while before the next is read."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    held: set[object] = field(default_factory=set)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        going = await super()._one(reader, writer)
        if asyncio.current_task() in self.held:
            self.held.discard(asyncio.current_task())
            with suppress(TimeoutError):
                async with asyncio.timeout(HELD_S):
                    await self.news.wait()
        return going

    def _judged(self, asked: Asked) -> Said | Trouble:
        said = super()._judged(asked)
        if asked.path.endswith("/getUpdates") and said == EMPTY:
            self.held.add(asyncio.current_task())  # one connection is one task
        return said

    def wake(self) -> None:
        """Whoever is held goes on."""
        self.news.set()
        self.news.clear()


@dataclass
class Gateways:
    """SMS.ru (https://sms.ru/api/send), SMSC.RU (https://smsc.ru/api/http/send/sms) and a receiver of our webhook."""

    messages: list[Received] = field(default_factory=list)
    payloads: list[dict[str, Any]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)

    @property
    def answers(self) -> tuple[Callable[[Asked], Said], ...]:
        """What each of the three servers says."""
        return self.sms_ru, self.smsc, self.hook

    def sms_ru(self, asked: Asked) -> Said:
        assert (asked.method, asked.path) == ("POST", "/sms/send")
        form = asked.form()
        assert set(form) == {"api_id", "to", "msg", "json"}
        assert (form["api_id"], form["json"]) == (API_ID, "1")
        self._sms("sms_ru", form["to"], form["msg"])
        accepted = {"status": "OK", "status_code": 100, "sms_id": f"000000-{len(self.messages)}"}
        return Said.json({"status": "OK", "status_code": 100, "sms": {form["to"]: accepted}, "balance": 4122.56})

    def smsc(self, asked: Asked) -> Said:
        assert (asked.method, asked.path) == ("POST", "/sys/send.php")
        form = asked.form()
        assert set(form) == {"apikey", "phones", "mes", "fmt", "charset", "id"}
        assert (form["apikey"], form["fmt"], form["charset"]) == (APIKEY, "3", "utf-8")
        self._once(form["id"])
        self._sms("smsc", form["phones"], form["mes"])
        return Said.json({"id": form["id"], "cnt": 2})

    def hook(self, asked: Asked) -> Said:
        assert (asked.method, asked.path) == ("POST", "/hook")
        try:
            self._once(verify(SECRET, asked.headers, asked.body, datetime.now(UTC)))
        except Forged as forged:
            raise AssertionError(str(forged)) from None
        told = asked.json()
        assert set(told) == {"id", "subject", "text", "payload", "buttons"}
        self.payloads.append(told["payload"])
        self.messages.append(Received(channel="webhook", to=told["payload"]["person"], text=told["text"]))
        return Said(204)

    def _sms(self, channel: str, to: str, text: str) -> None:
        assert re.fullmatch(r"7\d{10}", to), to
        assert len(text.encode("utf-16-le")) // 2 <= 2 * 67, text
        self.messages.append(Received(channel=channel, to=f"+{to}", text=text))

    def _once(self, name: str) -> None:
        assert name not in self.ids, f"{name} came twice"
        self.ids.add(name)


@dataclass
class Town:
    """Everything outside that the daemon tells something; `settings` are the TOML tables that point it there."""

    bot: FakeTelegram
    polling: LongPolling
    post: PostOffice
    gateways: Gateways
    portal: fake_bitrix24.Portal
    account: fake_amocrm.Account
    system: fake_rest.System
    settings: str
    hook: str
    _updates: "count[int]" = field(default_factory=lambda: count(1))

    def write(self, text: str) -> None:
        """Anna writes to the bot."""
        self._update(words(next(self._updates), text))

    def press(self, message: int, data: str) -> None:
        """Anna presses a button under that message of the bot."""
        update = press(next(self._updates), data)
        update["callback_query"]["message"]["message_id"] = message
        self._update(update)

    def _update(self, update: dict[str, Any]) -> None:
        self.bot.updates.append(update)
        self.polling.wake()

    def bots_messages(self) -> dict[int, dict[str, Any]]:
        """What the bot was asked to send, by the ids that the messages got."""
        return dict(enumerate(self.bot.calls("sendMessage"), 101))

    def received(self) -> list[Received]:
        """Every message that came in anywhere."""
        chats = [
            Received(channel="telegram", to=str(sent["chat_id"]), text=shown(sent))
            for sent in self.bot.calls("sendMessage")
        ]
        letters = [
            Received(channel="email", to=envelope.rcpt_tos[0], text=_body_of(letter))
            for letter, envelope in zip(self.post.letters, self.post.envelopes, strict=True)
        ]
        return [*chats, *letters, *self.gateways.messages]

    def violations(self) -> list[str]:
        """What the CRMs found wrong with what they were asked."""
        return self.portal.violations + self.account.violations + self.system.violations


def _body_of(letter: Any) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@asynccontextmanager
async def town(users: Collection[str]) -> AsyncIterator[Town]:
    """The town, open; the CRMs know those users. What a gateway finds wrong is raised at the end."""
    clock, gateways, bot, post = SystemClock(), Gateways(), FakeTelegram(), PostOffice(login=True)
    portal, account, system = fake_bitrix24.Portal(clock), fake_amocrm.Account(clock), fake_rest.System(clock)
    portal.users |= set(map(int, users))
    account.users |= set(map(int, users))
    crms = ((portal, fake_bitrix24.BUSY), (account, fake_amocrm.BUSY), (system, fake_rest.BUSY))
    async with AsyncExitStack() as stack:
        webs = [await stack.enter_async_context(serving(answer)) for answer in gateways.answers]
        servers = [await stack.enter_async_context(Server(crm.handle, busy)) for crm, busy in crms]
        polling = await stack.enter_async_context(LongPolling(bot.answer))
        await stack.enter_async_context(office(post))
        urls = [polling.url, *(web.url for web in webs), *(server.url for server in servers)]
        settings = _settings(*urls, port=post.port, users=", ".join(f'{user} = "{user}"' for user in users))
        yield Town(bot, polling, post, gateways, portal, account, system, settings, hook=f"{webs[-1].url}/hook")


def _settings(
    bot: str, sms_ru: str, smsc: str, _hook: str, bitrix: str, amo: str, rest: str, *, port: int, users: str
) -> str:
    return f"""
[notify.telegram]
token = "{TOKEN}"
url = "{bot}"
[notify.email]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "АТС <pbx@clinic.example>"
username = "{USERNAME}"
password = "{PASSWORD}"
[notify.sms_ru]
token = "{API_ID}"
url = "{sms_ru}"
[notify.smsc]
token = "{APIKEY}"
url = "{smsc}"
[notify.webhook]
secret = "{SECRET}"
[crm.bitrix24]
webhook = "{bitrix}/rest/1/{fake_bitrix24.CODE}/"
default_user = 1
users = {{ {users} }}
[crm.amocrm]
url = "{amo}"
token = "{fake_amocrm.LONG_LIVED}"
default_user = 1
users = {{ {users} }}
[crm.rest]
report_url = "{rest}/calls"
open_url = "{rest}/tasks"
close_url = "{rest}/tasks/{{reference}}/close"
headers = {{ X-Api-Key = "{fake_rest.API_KEY}" }}
secret = "{fake_rest.SECRET}"
default_user = "1"
users = {{ {users} }}
"""
