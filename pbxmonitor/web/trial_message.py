"""The test message: one channel of the settings is opened for it, asked to send, and closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Message, Notifier, Refused
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.telegram import Telegram
from pbxmonitor.notify.templates import Templates
from pbxmonitor.settings import Settings
from pbxmonitor.store.links import address_of
from pbxmonitor.store.types import reading
from pbxmonitor.web.site import Site
from pbxmonitor.work.linking import deep_link
from pbxmonitor.work.office import channels_of

# Whoever pressed the button waits no longer.
PATIENCE_S: Final = 25.0
# The bot's name is only a convenience.
NAME_S: Final = 5.0


class Fate(StrEnum):
    """What became of it."""

    SENT = "sent"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The fate of the message, and why, where it did not go out."""

    fate: Fate
    reason: str = ""


async def address_for(site: Site, channel: str, to: str) -> str | None:
    """Where that person is on the channel (None: nowhere yet); what names nobody is an address."""
    if to not in site.settings.people:
        return to or None
    known = site.settings.people[to].addresses.get(channel)
    return known or await reading(site.database, lambda connection: address_of(connection, channel, to))


async def send_test(site: Site, channel: str, to: str, language: str) -> Tried:
    """Send the test message to that address at once; SettingsError when the channels cannot be made."""
    now = site.clock.now()
    folder = site.settings.messages.templates
    templates = Templates(site.settings.zone, Path(folder) if folder else None)
    text = templates.render(Name.TEST, language, {"channel": channel, "at": now})
    name = f"test-{now:%Y%m%d%H%M%S%f}"
    message = Message(id=name, to=to, subject=text.subject, text=text.text, html=text.html)
    async with opened(site.settings, site.clock, channel) as notifier:
        try:
            async with asyncio.timeout(PATIENCE_S):
                await notifier.send(message)
        except Refused as refused:
            return Tried(fate=Fate.REFUSED, reason=refused.reason)
        except Later as later:
            return Tried(fate=Fate.LATER, reason=later.reason)
        except TimeoutError:
            return Tried(fate=Fate.LATER, reason=f"no answer within {PATIENCE_S:g} s")
    return Tried(fate=Fate.SENT)


async def bot_link(site: Site, channel: str, code: str) -> str | None:
    """What says the code to the bot in one touch; None where the bot cannot be asked for its name."""
    async with opened(site.settings, site.clock, channel) as notifier:
        if not isinstance(notifier, Telegram):
            return None
        try:
            async with asyncio.timeout(NAME_S):
                return deep_link(await notifier.name(), code)
        except (Refused, Later, TimeoutError):
            return None


@asynccontextmanager
async def opened(settings: Settings, clock: Clock, channel: str) -> AsyncIterator[Notifier]:
    """That channel alone, closed afterwards; SettingsError when its table is wrong."""
    alone = settings.model_copy(update={"notify": {channel: settings.notify[channel]}})
    notifier = channels_of(alone, clock)[channel]
    try:
        yield notifier
    finally:
        await notifier.aclose()
