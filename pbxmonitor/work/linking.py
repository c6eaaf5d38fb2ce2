"""People present themselves to a channel by a one-time code; whoever guesses codes is soon not listened to."""

from collections import OrderedDict
from collections.abc import Container
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.store import links
from pbxmonitor.store.types import writing
from pbxmonitor.texts import Cannot

log = structlog.get_logger()
TRIES: Final = 5
WINDOW_S: Final = 600.0
# Of so many accounts wrong codes are remembered.
REMEMBERED: Final = 10_000


class CannotLink(Cannot):
    """No code is given or taken; `key` and `values` are of a text for who asked."""


class Linking:
    """Gives and takes codes for the people of the settings; a code works for `keep`."""

    def __init__(
        self, database: AsyncEngine, people: Container[str], clock: Clock, keep: timedelta = links.KEEP
    ) -> None:
        self._database = database
        self._people = people
        self._clock = clock
        self._keep = keep
        self._wrong: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    async def new_code(self, channel: str, person: str, by: str) -> str:
        """A code that links that person once; CannotLink when there is no such person."""
        if person not in self._people:
            raise CannotLink("link.cannot.person", person=person)
        now = self._clock.now()
        return await writing(self._database, lambda c: links.new_code(c, channel, person, by, now, self._keep))

    async def redeem(self, channel: str, code: str, address: str, account: str) -> str | None:
        """The person who is linked now; None for a wrong code, CannotLink after too many of them."""
        wrong = self._lately((channel, account))
        if len(wrong) >= TRIES:
            raise CannotLink("bot.too_many")
        now = self._clock.now()
        person = await writing(self._database, lambda c: links.redeem(c, channel, code, address, account, now))
        if person is None:
            wrong.append(self._clock.monotonic())
            log.warning("link_code_wrong", channel=channel, account=account, tries=len(wrong))
        else:
            self._wrong.pop((channel, account), None)
            log.info("linked", channel=channel, person=person)
        return person

    async def unlink(self, channel: str, person: str, by: str) -> bool:
        """Forget where that person is on the channel; whether he was linked."""
        now = self._clock.now()
        return await writing(self._database, lambda c: links.unlink(c, channel, person, by, now))

    def _lately(self, account: tuple[str, str]) -> list[float]:
        """When that account was wrong of late; the list that is kept."""
        since = self._clock.monotonic() - WINDOW_S
        self._wrong[account] = [at for at in self._wrong.pop(account, []) if at > since]
        if len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)
        return self._wrong[account]


def deep_link(bot: str, code: str) -> str:
    """What opens the bot with the code in one touch."""
    return f"https://t.me/{bot}?start={code}"
