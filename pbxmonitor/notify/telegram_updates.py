"""What people press and write to the bot, by long polling: https://core.telegram.org/bots/api#getupdates"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Any, Final

import structlog

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Refused
from pbxmonitor.notify.telegram_api import BotApi, Conflict
from pbxmonitor.texts import tr

log = structlog.get_logger()

POLL_S: Final = 50
GRACE_S: Final = 15.0
PARTING_S: Final = 3.0
LONGEST_REST_S: Final = 60.0
MOST_DOUBLED: Final = 6
TRIES: Final = 3
KINDS: Final = ("message", "callback_query")
at_random = SystemRandom().random


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """A button was pressed in a private chat: answer `query` within seconds; `message` is the reference of the text."""

    update: int
    chat: int
    user: int
    message: int
    action: str
    value: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Somebody wrote to the bot in a private chat; a link of https://t.me/NAME?start=CODE makes it `/start CODE`."""

    update: int
    chat: int
    user: int
    text: str


Update = Pressed | Said


class Listener:
    """Hands every update to `handle`, one after another; Telegram is told of it only after `handle` returned.

    Telegram repeats what it was not told of, also to the next process: nothing is lost, and after a crash between
    `handle` and the next poll one update comes again, with the same `update` number. Where `handle` raises Later, the
    update waits and is handed over again; one that it breaks on three times is put aside with an error in the log.
    """

    def __init__(self, api: BotApi, clock: Clock, handle: Callable[[Update], Awaitable[None]]) -> None:
        self._api = api
        self._clock = clock
        self._handle = handle
        self._offset: int | None = None
        self._trying = (0, 0)
        self._trouble = ""
        self._failures = 0

    async def run(self) -> None:
        """Listen until cancelled; what `handle` raises escapes, and after another `run` that update comes again."""
        try:
            while True:
                for raw in await self._wait():
                    await self._take(raw)
        finally:
            await self._part()

    async def _wait(self) -> list[dict[str, Any]]:
        """The next updates; over troubles it rests."""
        while True:
            try:
                updates = await self._poll(POLL_S)
            except Conflict as error:
                hint = "another daemon, or a webhook, reads this bot's updates: give each daemon a bot of its own"
                await self._rest(error, "telegram_conflict", hint=hint)
            except (Refused, Later) as error:
                await self._rest(error, "telegram_away")
            else:
                self._well()
                return updates

    async def _poll(self, seconds: int) -> list[dict[str, Any]]:
        found = await self._api.call(
            "getUpdates", offset=self._offset, timeout=seconds, allowed_updates=KINDS, within=seconds + GRACE_S
        )
        if not isinstance(found, list) or not all(isinstance(_number(raw), int) for raw in found):
            raise Later("Telegram answered getUpdates with something else")
        if not found:
            # All is confirmed now, and after a quiet week Telegram may begin anew with lower numbers.
            self._offset = None
        return found

    def _well(self) -> None:
        if self._trouble:
            log.info("telegram_back")
        self._trouble, self._failures = "", 0

    async def _rest(self, error: Refused | Later, event: str, **more: str) -> None:
        """Say once what is wrong, and wait: longer each time, or as long as Telegram said."""
        if error.reason != self._trouble:
            self._trouble = error.reason
            log.error(event, reason=error.reason, **more)
        whole = min(2.0**self._failures, LONGEST_REST_S)
        self._failures = min(self._failures + 1, MOST_DOUBLED)
        said = error.after_s if isinstance(error, Later) else None
        await self._clock.sleep(said or whole * (1 - at_random() / 2))

    async def _take(self, raw: dict[str, Any]) -> None:
        number = raw["update_id"]
        if self._offset is not None and number < self._offset:
            return
        tries = self._trying[1] if self._trying[0] == number else 0
        if tries == TRIES:
            log.error("telegram_update_put_aside", update=number, tries=tries)
        else:
            self._trying = (number, tries + 1)
            await self._told(raw)
        self._offset, self._trying = number + 1, (0, 0)

    async def _told(self, raw: dict[str, Any]) -> None:
        update = read(raw)
        if update is None:
            await self._decline(raw)
            return
        while True:
            try:
                await self._handle(update)
            except Later as error:
                await self._rest(error, "telegram_update_waits")
            else:
                self._well()
                return

    async def _decline(self, raw: dict[str, Any]) -> None:
        """Who presses in a group is told where buttons work."""
        match raw:
            case {"callback_query": {"id": str(query)}}:
                text = tr("message.private_only")
                try:
                    await self._api.call("answerCallbackQuery", callback_query_id=query, text=text)
                except (Refused, Later) as error:
                    log.debug("telegram_answer_lost", reason=error.reason)

    async def _part(self) -> None:
        """Tell Telegram what was done since the last poll, so that the next process does not hear it again."""
        if self._offset is None:
            return
        try:
            async with asyncio.timeout(PARTING_S):
                await self._api.call("getUpdates", offset=self._offset, timeout=0, limit=1, allowed_updates=KINDS)
        except (Refused, Later, TimeoutError) as error:
            log.warning("telegram_not_told", update=self._offset - 1, reason=str(error))


def read(raw: dict[str, Any]) -> Update | None:
    """An update of a private chat as a value; None for what is none of ours (a group, a bot, a photo)."""
    match raw:
        case {
            "update_id": int(update),
            "callback_query": {
                "id": str(query),
                "from": {"id": int(user)},
                "message": {"message_id": int(message), "chat": {"id": int(chat), "type": "private"}},
                "data": str(data),
            },
        }:
            action, _, value = data.partition(":")
            return Pressed(
                update=update, chat=chat, user=user, message=message, action=action, value=value, query=query
            )
        case {
            "update_id": int(update),
            "message": {
                "chat": {"id": int(chat), "type": "private"},
                "from": {"id": int(user), "is_bot": False},
                "text": str(text),
            },
        }:
            return Said(update=update, chat=chat, user=user, text=text)
    return None


def _number(raw: Any) -> Any:
    return raw.get("update_id") if isinstance(raw, dict) else None
