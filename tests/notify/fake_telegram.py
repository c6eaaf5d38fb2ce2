"""Telegram's Bot API as documented (https://core.telegram.org/bots/api): it checks and keeps what it is asked."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any

from tests.notify.loopback import Asked, Said, Web

TOKEN = "123456:AAF-secret_token_of_the_bot"
ANNA = 7001002003
TAGS = {"b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote"}
METHODS = {
    "sendMessage",
    "sendPhoto",
    "sendMediaGroup",
    "editMessageText",
    "editMessageReplyMarkup",
    "answerCallbackQuery",
    "getUpdates",
    "getMe",
}


class _Html(HTMLParser):
    """Refuses what Telegram refuses: unknown tags, and tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.open = "", list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, f"Bad Request: can't parse entities: Unsupported start tag {tag!r}"
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "Bad Request: can't parse entities: unexpected end tag"

    def handle_data(self, data: str) -> None:
        self.text += data


def shown(asked: dict[str, Any]) -> str:
    """The text as the user sees it."""
    if asked.get("parse_mode") is None:
        return str(asked["text"])
    assert asked["parse_mode"] == "HTML"
    page = _Html()
    page.feed(asked["text"])
    page.close()
    assert not page.open, "Bad Request: can't parse entities: Can't find end tag"
    return page.text


def _check_text(asked: dict[str, Any]) -> None:
    text = shown(asked)
    assert text.strip(), "Bad Request: message text is empty"
    assert len(text.encode("utf-16-le")) // 2 <= 4096, "Bad Request: message is too long"
    assert asked["link_preview_options"] == {"is_disabled": True}


def _check_keyboard(asked: dict[str, Any]) -> None:
    for row in asked.get("reply_markup", {"inline_keyboard": []})["inline_keyboard"]:
        assert 1 <= len(row) <= 8
        for button in row:
            assert set(button) in ({"text", "callback_data"}, {"text", "url"})
            assert 1 <= len(button.get("callback_data", "x").encode()) <= 64


@dataclass
class FakeTelegram:
    """Answers; `say` puts other answers in place for the next calls of a method; `got` remembers every call."""

    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    photos: list[bytes] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    confirmed: int = 0
    troubles: list[tuple[str, Said]] = field(default_factory=list)
    polls: int = 0
    last: int = 100
    url: str = ""
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until that is so; looked at after every request, and whenever `moved` is set."""
        async with asyncio.timeout(10):
            while not true():
                self.moved.clear()
                await self.moved.wait()

    def say(self, method: str, *answers: Said) -> None:
        self.troubles += [(method, answer) for answer in answers]

    def calls(self, method: str) -> list[dict[str, Any]]:
        return [asked for name, asked in self.got if name == method]

    def answer(self, asked: Asked) -> Said:
        found = re.fullmatch(rf"/bot{TOKEN}/(\w+)", asked.path)
        assert asked.method == "POST"
        assert found, asked.path
        method = found[1]
        assert method in METHODS
        given = self._given(asked)
        self.got.append((method, given))
        self.moved.set()
        for trouble in self.troubles:
            if trouble[0] == method:
                self.troubles.remove(trouble)
                return trouble[1]
        result = getattr(self, f"_{method}")(given)
        return Said.json({"ok": True, "result": result})

    def _given(self, asked: Asked) -> dict[str, Any]:
        if asked.headers["content-type"].startswith("application/json"):
            given: dict[str, Any] = asked.json()
            return given
        parts = asked.parts()
        self._files = {name: part.get_content() for name, part in parts.items() if part.get_filename()}
        texts = {name: _text(part) for name, part in parts.items() if not part.get_filename()}
        return {name: _decoded(name, text) for name, text in texts.items()}

    def _sent(self, given: dict[str, Any]) -> dict[str, Any]:
        assert isinstance(given["chat_id"], int | str)
        assert given.get("disable_notification") in (None, True)
        self.last += 1
        return {"message_id": self.last, "date": 1795420000, "chat": {"id": given["chat_id"], "type": "private"}}

    def _sendMessage(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        _check_text(given)
        _check_keyboard(given)
        return self._sent(given)

    def _sendPhoto(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert len(given["caption"]) <= 1024
        self.photos.append(self._files["photo"])
        return self._sent(given)

    def _sendMediaGroup(self, given: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802
        assert 2 <= len(given["media"]) <= 10
        for item in given["media"]:
            assert item["type"] == "photo"
            scheme, name = item["media"].split("://")
            assert scheme == "attach"
            self.photos.append(self._files[name])
        return [self._sent(given) for _ in given["media"]]

    def _editMessageText(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        _check_text(given)
        return self._editMessageReplyMarkup(given)

    def _editMessageReplyMarkup(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert isinstance(given["message_id"], int)
        _check_keyboard(given)
        return {"message_id": given["message_id"], "date": 1, "chat": {"id": given["chat_id"]}}

    def _answerCallbackQuery(self, given: dict[str, Any]) -> bool:  # noqa: N802
        assert given["callback_query_id"]
        assert len(given.get("text", "")) <= 200
        return True

    def _getMe(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"id": 123456, "is_bot": True, "first_name": "АТС", "username": "clinic_pbx_bot"}

    def _getUpdates(self, given: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802
        assert given["allowed_updates"] == ["message", "callback_query"]
        assert 0 <= given["timeout"] <= 50
        self.polls += 1
        offset = given.get("offset")
        if offset is not None:
            self.confirmed = max(self.confirmed, offset)
            self.updates = [update for update in self.updates if update["update_id"] >= offset]
        return self.updates[: given.get("limit", 100)]


def _text(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def _decoded(name: str, text: str) -> Any:
    return text if name == "caption" else json.loads(text) if text[:1] in "[{-0123456789t" else text


def refusal(code: int, description: str, **parameters: int) -> Said:
    """An answer without `ok`, as Telegram writes it."""
    body: dict[str, Any] = {"ok": False, "error_code": code, "description": description}
    return Said.json({**body, "parameters": parameters} if parameters else body, code)


def press(update: int, data: str = "take:17", kind: str = "private") -> dict[str, Any]:
    """A press of a button under message 101."""
    chat = {"id": ANNA, "type": kind}
    return {
        "update_id": update,
        "callback_query": {
            "id": f"q{update}",
            "from": {"id": ANNA, "is_bot": False, "first_name": "Анна"},
            "message": {"message_id": 101, "date": 1795420000, "chat": chat, "text": "…"},
            "chat_instance": "1",
            "data": data,
        },
    }


def words(update: int, text: str, kind: str = "private") -> dict[str, Any]:
    """Something written to the bot."""
    sender = {"id": ANNA, "is_bot": False, "first_name": "Анна"}
    chat = {"id": ANNA, "type": kind}
    return {"update_id": update, "message": {"message_id": 5, "date": 1, "from": sender, "chat": chat, "text": text}}


@asynccontextmanager
async def telegram() -> AsyncIterator[FakeTelegram]:
    """The fake, serving; long polls are answered at once, and wait on nothing."""
    fake = FakeTelegram()
    async with Web(fake.answer) as web:
        fake.url = web.url
        yield fake
