"""What people do with callbacks on the page and by the API: one way for both, as Telegram's buttons have theirs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from pbxmonitor.store.actions import CannotAct, Deed, Hand
from pbxmonitor.store.debts import Key
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import tr
from pbxmonitor.web import board
from pbxmonitor.web.board import Card
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site
from pbxmonitor.work.dialling import CannotCall

log = structlog.get_logger()
_LONGEST: Final = 2_000


class Action(StrEnum):
    """What may be done with a callback by hand; `call` rings one's own phone and then the client."""

    TAKE = "take"
    SNOOZE = "snooze"
    MOBILE = "mobile"
    DISMISS = "dismiss"
    VOICEMAIL = "voicemail"
    CALL = "call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked for, with the reason (dismiss), the attempt's call (voicemail), and a word that makes it once."""

    action: Action
    reason: str | None = None
    call: str | None = None
    once: str | None = None


async def do(site: Site, sight: Sight, key: Key, asked: Asked) -> Card:
    """Do it; the callback as it is then. CannotAct or CannotCall; what is none of his is not there."""
    now = site.clock.now()
    if asked.action is Action.CALL:
        return await _ring(site, sight, key, asked)
    who = sight.viewer.person or sight.viewer.account
    deed = Deed(hand=Hand(asked.action.value), who=who, reason=_text(asked.reason), call=_text(asked.call))
    card = await writing(site.database, lambda c: board.done(c, sight, site.duties, site.policy, key, deed, now))
    log.info("callback_acted", action=asked.action.value, account=sight.viewer.account, node=key[0], call=key[1])
    site.ring()
    return card


async def _ring(site: Site, sight: Sight, key: Key, asked: Asked) -> Card:
    now, viewer = site.clock.now(), sight.viewer
    card = await reading(site.database, lambda c: board.card(c, sight, key, now))
    if card is None:
        raise CannotAct("callback.cannot.unknown")
    if viewer.person is None:
        raise CannotCall("dial.cannot.person")
    if site.dialling is None:
        raise CannotCall("dial.cannot.node")
    once = f"web/{viewer.account}/{key[0]}/{key[1]}/{asked.once}" if asked.once else None
    await site.dialling.call(viewer.person, key, once=once)
    return card


def why_not(error: CannotAct | CannotCall, language: str) -> str:
    """Why it cannot be done, for who asked."""
    return error.text(language) if isinstance(error, CannotCall) else tr(error.key, language=language)


def _text(text: str | None) -> str | None:
    """What any database takes."""
    return text and text[:_LONGEST].encode("utf-8", "ignore").decode().replace("\0", "")
