"""The two tokens of an OAuth application: kept before they are used, renewed by one at a time."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pbxmonitor.crm import Memory

KEY = "tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An access token and the refresh token that is good for the next pair, once."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)


class Tokens:
    """The current pair; `renew` asks the CRM for the next one by a refresh token, or by what the settings gave (None).

    Another secret in the settings than the one that the kept pair came from is a new beginning.
    """

    def __init__(
        self,
        memory: Memory,
        given: str,
        renew: Callable[[str | None], Awaitable[Pair]],
        hide: Callable[[str, str], None],
    ) -> None:
        self._memory = memory
        self._given = hashlib.sha256(given.encode()).hexdigest()[:16]
        self._renew = renew
        self._hide = hide
        self._unkept: Pair | None = None
        self._one = asyncio.Lock()

    async def access(self) -> str:
        """A token that was good when last used; Refused when the application must be authorised anew."""
        pair = await self._known()
        return pair.access if pair else await self.renewed("")

    async def renewed(self, stale: str) -> str:
        """A token instead of the stale one: somebody may have renewed it meanwhile."""
        async with self._one:
            pair = await self._known()
            if pair is None or pair.access == stale:
                # The old refresh token is worth nothing from here on: what comes must not be lost to a failed put.
                self._unkept = await self._renew(pair.refresh if pair else None)
                pair = await self._keep(self._unkept)
            return pair.access

    async def _known(self) -> Pair | None:
        if self._unkept is not None:
            return await self._keep(self._unkept)
        kept = json.loads(await self._memory.get(KEY) or "{}")
        if kept.get("given") != self._given:
            return None
        pair = Pair(access=kept["access"], refresh=kept["refresh"])
        self._hide(pair.access, pair.refresh)
        return pair

    async def _keep(self, pair: Pair) -> Pair:
        self._hide(pair.access, pair.refresh)
        kept = {"access": pair.access, "refresh": pair.refresh, "given": self._given}
        await self._memory.put(KEY, json.dumps(kept))
        self._unkept = None
        return pair
