"""One department of the rig: six phones and fourteen numbers that meet nobody else's, for one story at a time."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING

from tests.rig.plan import FREEPBX_PHONES, PHONES_IN_DEPARTMENT

if TYPE_CHECKING:
    from tests.rig.rig import Rig

LINES = 59
SIPP_PHONE = 7


async def until(what: Callable[[], Awaitable[object]], seconds: float, why: str) -> None:
    """Ask again and again until it is so. Raises TimeoutError saying what was waited for."""
    try:
        async with asyncio.timeout(seconds):
            while True:
                if await what():
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise TimeoutError(f"waited {seconds:g} s in vain: {why}") from None


class Desk:
    """desk(3) is the department's third phone, desk.line(5) its fifth number."""

    def __init__(self, rig: "Rig", department: str) -> None:
        self.rig, self.department = rig, department
        self._customers: list[str] = []

    def __call__(self, phone: int) -> str:
        return f"{self.department}{phone:02d}"

    def line(self, number: int) -> str:
        """What a customer dials for that line of the department."""
        return f"{self.department}0{number:02d}"

    def service(self, number: int) -> str:
        """What a phone sends a call to: 21 to 25 queue, ring group, menu, conference, Local members; 70 parks."""
        return f"{self.department}{number}"

    def queue(self, kind: str) -> str:
        """The department's own queue: sales -> sales1."""
        return f"{kind}{self.department}"

    @property
    def mobile(self) -> str:
        """The manager's mobile of the department."""
        return f"+7999000000{self.department}"

    def customer(self) -> str:
        """The number of a customer nobody has heard of yet."""
        number = self.rig.new_number(self.department)
        self._customers.append(number)
        return number

    async def behave(self, who: int | str, what: str) -> None:
        """As Rig.behave; a phone by its place."""
        await self.rig.behave(self(who) if isinstance(who, int) else who, what)

    async def call(
        self, line: int, number: str, stay: float = 60, name: str = "", press: str = "", patience: float | None = None
    ) -> None:
        """A customer calls a line of this department."""
        await self.rig.call(self.line(line), number, stay, name, press, patience)

    async def dial(self, phone: int, number: str, stay: float = 30, patience: float = 40, press: str = "") -> None:
        """A phone of this department dials, waits for an answer and hangs up so many seconds after it."""
        await self.rig.dial(self(phone), number, stay, patience, press)

    async def robot(self, number: str, patience: float = 15) -> None:
        """The PBX calls a customer by itself (predictive dialling) and leads who answers to the queue `reception`."""
        await self.rig.originate(f"PJSIP/{number}@trunk", number, self.line(37), "door-robot", patience)

    def stranger(self, name: str, **keys: str) -> AbstractAsyncContextManager[None]:
        """SIPp as the department's seventh phone, for one call: see tests/rig/sipp."""
        return self.rig.sipp(self.department, name, keys)

    def second_provider(
        self, name: str, line: int, number: str, stay: float = 30, shown: str = ""
    ) -> AbstractAsyncContextManager[None]:
        """SIPp as the provider's second trunk, through which a customer (`shown` by a name) calls a line."""
        caller = f'"{shown}" <sip:{number}@127.0.0.1>' if shown else f"<sip:{number}@127.0.0.1>"
        return self.rig.sipp(self.department, name, {"caller": caller}, self.line(line), stay)

    async def rings(self, phone: int) -> bool:
        """Whether the phone rings now."""
        return await self.rig.ringing(self(phone))

    async def busy(self, phone: int) -> bool:
        """Whether the phone has a call."""
        return bool(await self.rig.open_channels((f"PJSIP/{self(phone)}-",)))

    async def had_its_call(self, phone: int) -> None:
        """Wait until the phone has a call, and then until it has none."""
        await self.wait_for(lambda: self.busy(phone))
        await until(lambda: self._free(phone), 60, f"phone {self(phone)} to be free")

    async def _free(self, phone: int) -> bool:
        return not await self.busy(phone)

    async def wait_for(self, what: Callable[[], Awaitable[object]], seconds: float = 30) -> None:
        """Wait until something is so in the department."""
        await until(what, seconds, f"in department {self.department}")

    async def over(self) -> None:
        """Wait until what was begun is seen to begin (at most 2 s: a refusal is over at once) and has ended (120 s)."""
        with suppress(TimeoutError):
            await until(self.open_channels, 2, f"a call in department {self.department}")
        await self.ended()

    async def ended(self) -> None:
        """Wait until no call of the department is open (120 s)."""
        await until(self._silent, 120, f"the end of the calls of department {self.department}")

    async def clear(self) -> None:
        """Back to the beginning: no call, every phone is plugged in and rings when called."""
        phones = (*range(1, PHONES_IN_DEPARTMENT + 1), *FREEPBX_PHONES)
        for phone in phones:
            await self.behave(phone, "ring")
        await self.ended()
        for phone in phones:
            if not await self.rig.registered(self(phone)):
                await self.rig.plug(self(phone))

    async def open_channels(self) -> list[str]:
        """The department's open channels."""
        words = [f"PJSIP/{self(n)}-" for n in (*range(1, PHONES_IN_DEPARTMENT + 1), SIPP_PHONE, *FREEPBX_PHONES)]
        words += [f"!{self.line(n)}!" for n in range(1, LINES + 1)] + [f"!{number}!" for number in self._customers]
        return await self.rig.open_channels((*words, f"!{self.mobile}!"))

    async def _silent(self) -> bool:
        return not await self.open_channels()
