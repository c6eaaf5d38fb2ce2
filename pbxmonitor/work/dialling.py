"""Click to call, for every door: Telegram's button, the API, the command line."""

import re
from collections.abc import Mapping
from functools import partial
from hashlib import sha256
from secrets import token_hex
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.pbx.asterisk.dialer import CannotDial, Dialer, NotCallable, PhoneAway
from pbxmonitor.settings_people import DialSettings, PersonSettings
from pbxmonitor.store import dialled
from pbxmonitor.store.debts import Key
from pbxmonitor.store.dialled import Bounds, CannotCall, Reserved, Wish
from pbxmonitor.store.types import writing
from pbxmonitor.texts import tr

__all__ = ["CannotCall", "Dialling"]

log = structlog.get_logger()
SITE_PER_HOUR: Final = 300
_EXTENSION: Final = re.compile(r"\d{2,8}", re.ASCII)


class Dialling:
    """Who may call whom, and how fast; `dialers` and `dial` are by node, `blocked` are canonical numbers."""

    def __init__(
        self,
        database: AsyncEngine,
        dialers: Mapping[str, Dialer],
        dial: Mapping[str, DialSettings],
        people: Mapping[str, PersonSettings],
        clock: Clock,
        *,
        blocked: frozenset[str] = frozenset(),
        site_per_hour: int = SITE_PER_HOUR,
    ) -> None:
        self._database = database
        self._dialers = dialers
        self._dial = {node: dial.get(node, DialSettings()) for node in dialers}
        self._people = people
        self._clock = clock
        per_hour = {node: each.per_hour for node, each in self._dial.items()}
        self._bounds = Bounds(per_hour=per_hour, site_per_hour=site_per_hour, blocked=blocked)
        self._prepared = False

    async def call(
        self,
        person: str,
        callback: Key | None = None,
        number: str | None = None,
        *,
        node: str | None = None,
        once: str | None = None,
    ) -> str:
        """Ring that person's phone and then the client; the call's key. CannotCall says why not.

        `number` is canonical; without an open callback it needs `may_call_any`, and goes through `node` (the first
        PBX unless given). What is asked `once` is done once, however often it is asked.
        """
        known = self._people.get(person)
        if known is None and _EXTENSION.fullmatch(person) is None:
            raise CannotCall("dial.cannot.person")
        wish = Wish(
            id=f"pbxmonitor-{token_hex(16) if once is None else sha256(once.encode()).hexdigest()[:32]}",
            person=person,
            callback=callback,
            number=number,
            any_number=known is not None and known.may_call_any,
            node=node,
        )
        reserved = await self._reserve(wish)
        if not reserved.again:
            await self._ring(person, reserved)
        return reserved.id

    def phone_of(self, person: str, node: str) -> str:
        """The endpoint that rings for that person there."""
        chosen = self._dial[node].phones.get(person)
        devices = self._people[person].devices if person in self._people else ()
        phones = (device for device in devices if device.startswith(("PJSIP/", "SIP/")))
        return chosen or next(phones, f"PJSIP/{person}")

    async def _reserve(self, wish: Wish) -> Reserved:
        if not self._prepared:
            await writing(self._database, dialled.prepare)
            self._prepared = True
        now = self._clock.now()
        try:
            return await writing(self._database, lambda c: dialled.reserve(c, wish, self._bounds, now))
        except CannotCall as refused:
            log.warning("call_refused", person=wish.person, why=refused.key)
            raise

    async def _ring(self, person: str, reserved: Reserved) -> None:
        phone = self.phone_of(person, reserved.node)
        known = self._people.get(person)
        shown = tr("dial.shown", language=known.language if known is not None else None)
        try:
            await self._dialers[reserved.node].dial(phone, reserved.number, call_id=reserved.id, caller_name=shown)
        except CannotDial as error:
            log.warning("call_not_begun", node=reserved.node, call=reserved.id, person=person, reason=error.reason)
            await self._failed(reserved, error)
            raise _told(error, phone) from None
        log.info("call_begun", node=reserved.node, call=reserved.id, person=person, callback=reserved.callback)

    async def _failed(self, reserved: Reserved, error: CannotDial) -> None:
        if error.perhaps:
            over = partial(dialled.doubtful, call=reserved.id, error=error.reason)
        else:
            over = partial(dialled.ended, call=reserved.id, at=self._clock.now(), error=error.reason)
        await writing(self._database, over)


def _told(error: CannotDial, phone: str) -> CannotCall:
    match error:
        case NotCallable():
            return CannotCall("dial.cannot.number")
        case PhoneAway():
            return CannotCall("dial.cannot.phone", phone=phone)
    return CannotCall("dial.cannot.failed", reason=error.reason)
