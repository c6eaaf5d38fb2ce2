"""Telegram: messages with buttons and charts by a bot (https://core.telegram.org/bots/api).

What people press and write to the bot: `pbxmonitor.notify.telegram_updates`.
"""

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Button, Image, Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.sending import logged
from pbxmonitor.notify.telegram_api import BotApi, BotSettings, Files, Moved
from pbxmonitor.notify.telegram_text import caption, html_pieces, text_pieces

PLACE: Final = re.compile(r"(-?\d{1,19}|@[A-Za-z]\w{3,31})(?:/(\d{1,19}))?", re.ASCII)
ACTION: Final = re.compile(r"[a-z_]{1,32}")
LONGEST_DATA: Final = 64
LONGEST_TOAST: Final = 200
IN_A_ROW: Final = 2
IN_AN_ALBUM: Final = 10
REMEMBERED: Final = 200


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    asked: Mapping[str, Any]
    files: Files = field(default_factory=dict)


class Telegram:
    """Sends to the chat in `Message.to`: its id or @name, and after a slash the topic where it has topics.

    A long text goes out in pieces, the buttons under the last; pictures follow. What of a message has gone out already
    does not go out again when the rest is tried later (by this process).
    """

    kind: ClassVar[str] = "telegram"
    limits: ClassVar[Limits] = Limits(per_second=25, per_address_per_minute=20)

    class Settings(BotSettings):
        """The bot's token and how Telegram is reached."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.api = BotApi(settings, clock)
        self._begun: OrderedDict[str, list[str]] = OrderedDict()

    async def aclose(self) -> None:
        """Close the connections."""
        await self.api.aclose()

    @logged
    async def send(self, message: Message) -> Receipt:
        """Send what is left of it; the reference names the piece with the buttons."""
        place = _place(message.to)
        texts, pictures = _texts(message), _albums(message.images)
        sent = self._begun.setdefault(message.id, [])
        try:
            for call in [*texts, *pictures][len(sent) :]:
                result = await self._ask(place, call, disable_notification=message.silent or None)
                sent.append(_name_of(result))
        except Refused:
            self._begun.pop(message.id, None)
            raise
        finally:
            while len(self._begun) > REMEMBERED:
                self._begun.popitem(last=False)
        self._begun.pop(message.id, None)
        return Receipt(reference=sent[len(texts) - 1])

    async def edit(self, to: str, reference: str, message: Message) -> None:
        """Put that text and those buttons (or none) in place of what was sent; Refused when it is gone."""
        last = _texts(message)[-1].asked
        asked = {"message_id": _number(reference), "reply_markup": _keyboard(message.buttons), **last}
        await self._change(to, _Call("editMessageText", asked))

    async def drop_buttons(self, to: str, reference: str) -> None:
        """Leave the text and take the buttons away; Refused when it is gone."""
        asked = {"message_id": _number(reference), "reply_markup": _keyboard(())}
        await self._change(to, _Call("editMessageReplyMarkup", asked))

    async def answer(self, query: str, text: str = "", *, alert: bool = False) -> bool:
        """Tell who pressed a button; False when it was too late for that or did not work, which is no harm."""
        said = text[:LONGEST_TOAST] or None
        try:
            await self.api.call("answerCallbackQuery", callback_query_id=query, text=said, show_alert=alert or None)
        except (Refused, Later):
            return False
        return True

    async def name(self) -> str:
        """The bot's user name, for links such as https://t.me/NAME?start=CODE."""
        told = await self.api.call("getMe")
        name = told.get("username") if isinstance(told, dict) else None
        if not isinstance(name, str):
            raise Later("Telegram did not say what the bot is called")
        return name

    async def _ask(self, place: Mapping[str, Any], call: _Call, **more: Any) -> Any:
        """The result; in the supergroup's own chat when the group has become one."""
        try:
            return await self.api.call(call.method, files=call.files, **place, **call.asked, **more)
        except Moved as moved:
            asked = {**place, **call.asked, "chat_id": moved.chat}
            return await self.api.call(call.method, files=call.files, **asked, **more)

    async def _change(self, to: str, call: _Call) -> None:
        place = {"chat_id": _place(to)["chat_id"]}
        try:
            await self._ask(place, call)
        except Refused as error:
            if "message is not modified" not in error.reason:
                raise


def _place(to: str) -> dict[str, Any]:
    found = PLACE.fullmatch(to)
    if found is None:
        raise Refused("the chat must be a number or a @name, with /TOPIC where the group has topics")
    chat = found[1] if found[1].startswith("@") else int(found[1])
    return {"chat_id": chat, "message_thread_id": int(found[2]) if found[2] else None}


def _texts(message: Message) -> list[_Call]:
    """The calls that send the text, the last with the buttons."""
    html = html_pieces(message.html) if message.html else ()
    pieces = html or text_pieces(message.text) or text_pieces(message.subject)
    if not pieces:
        raise Refused("Telegram takes no message without a text")
    form: dict[str, Any] = {"link_preview_options": {"is_disabled": True}}
    if html:
        form["parse_mode"] = "HTML"
    calls = [_Call("sendMessage", {"text": piece, **form}) for piece in pieces]
    if message.buttons:
        calls[-1] = _Call("sendMessage", {**calls[-1].asked, "reply_markup": _keyboard(message.buttons)})
    return calls


def _albums(images: tuple[Image, ...]) -> list[_Call]:
    """The calls that send the pictures: one alone, or up to ten together."""
    groups = [images[first : first + IN_AN_ALBUM] for first in range(0, len(images), IN_AN_ALBUM)]
    return [_photo(group[0]) if len(group) == 1 else _album(group) for group in groups]


def _photo(image: Image) -> _Call:
    return _Call("sendPhoto", {"caption": caption(image.alt)}, {"photo": (image.name, image.png, "image/png")})


def _album(images: tuple[Image, ...]) -> _Call:
    media = [
        {"type": "photo", "media": f"attach://picture{number}", "caption": caption(image.alt)}
        for number, image in enumerate(images)
    ]
    files = {f"picture{number}": (image.name, image.png, "image/png") for number, image in enumerate(images)}
    return _Call("sendMediaGroup", {"media": media}, files)


def _keyboard(buttons: tuple[Button, ...]) -> dict[str, Any]:
    keys = [
        {"text": each.text, "url": each.value} if each.link else {"text": each.text, "callback_data": _data(each)}
        for each in buttons
    ]
    return {"inline_keyboard": [keys[first : first + IN_A_ROW] for first in range(0, len(keys), IN_A_ROW)]}


def _data(button: Button) -> str:
    data = f"{button.action}:{button.value}"
    if ACTION.fullmatch(button.action) is None or len(data.encode()) > LONGEST_DATA:
        raise Refused(f"the button {button.action!r} cannot be one of Telegram's: action and value are too long or odd")
    return data


def _number(reference: str) -> int:
    if not reference.isdecimal():
        raise Refused("the reference is not that of a message in Telegram")
    return int(reference)


def _name_of(result: Any) -> str:
    """The id of the message that was sent, of an album the first."""
    first = result[0] if isinstance(result, list) and result else result
    name = first.get("message_id") if isinstance(first, dict) else None
    if not isinstance(name, int):
        raise Later("Telegram did not say what became of the message")
    return str(name)
