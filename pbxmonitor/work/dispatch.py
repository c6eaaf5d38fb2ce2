"""What is owed goes out: due deliveries are claimed, handed to their channels, and what came of it is recorded.

A crash between sending and recording is the one way in which something goes out twice: the claim ends, and the next
one sends it again under the same id. Nothing else is lost or doubled.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Final, Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, first_of
from pbxmonitor.store import outbox
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import AWAY, first_line, reading, writing
from pbxmonitor.undelivered import Later, Refused

__all__ = ["Dispatch", "Later", "Needless", "NotNow", "Refused", "Sender", "back_off"]
log = structlog.get_logger()
# Longer than any channel's time-out: only a dead dispatcher's claim is taken over.
HOLD: Final = timedelta(minutes=2)
# Nothing due and nobody ringing: look again at the latest after so long.
LOOK_AGAIN_S: Final = 5.0
AT_ONCE: Final = 8
# So many tries (about a minute and a half), and another channel takes over.
PATIENCE: Final = 5
FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(minutes=15)


class Needless(Exception):  # noqa: N818
    """What it urges to has been done."""


class NotNow(Exception):  # noqa: N818
    """It was not tried at all: its receiver rests until then."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class Sender(Protocol):
    """One channel as the outbox sees it: Refused, Later, NotNow, or the channel's own name for what went out."""

    per_second: float | None
    per_address_per_minute: float | None

    async def send(self, delivery: Delivery) -> str | None: ...


def back_off(attempts: int, rng: Random) -> timedelta:
    """How long to wait after that many tries: doubled each time up to 15 min, give or take a half."""
    longest = min(FIRST_RETRY * (1 << min(attempts - 1, 20)), LAST_RETRY)
    return longest * (0.5 + rng.random())


@dataclass
class Pace:
    """When the next one may go out on a channel, and to an address."""

    sender: Sender
    _next: datetime | None = None
    _addresses: dict[str, datetime] = field(default_factory=dict)

    def free_at(self, address: str | None, now: datetime) -> datetime:
        """The moment from which this one may go out; now, if it may."""
        waits = [self._next, self._addresses.get(address or "")]
        return max((at for at in waits if at is not None and at > now), default=now)

    def note(self, address: str | None, now: datetime) -> None:
        """One goes out now."""
        if self.sender.per_second:
            self._next = now + timedelta(seconds=1 / self.sender.per_second)
        if self.sender.per_address_per_minute and address:
            self._addresses[address] = now + timedelta(minutes=1 / self.sender.per_address_per_minute)
            self._addresses = {who: at for who, at in self._addresses.items() if at > now}


@dataclass
class Dispatch:
    """The dispatcher of one daemon; `instead` gives the delivery that takes over from one that failed, if any."""

    database: AsyncEngine
    senders: Mapping[str, Sender]
    clock: Clock
    rng: Random = field(default_factory=Random)
    instead: Callable[[Delivery], Delivery | None] = lambda _delivery: None
    hold: timedelta = HOLD
    _bells: dict[str, asyncio.Event] = field(init=False)
    _paces: dict[str, Pace] = field(init=False)

    def __post_init__(self) -> None:
        self._bells = {channel: asyncio.Event() for channel in self.senders}
        self._paces = {channel: Pace(sender) for channel, sender in self.senders.items()}

    def ring(self) -> None:
        """Something new may be due."""
        for bell in self._bells.values():
            bell.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop, each channel by itself; what is being sent then is finished."""
        async with asyncio.TaskGroup() as tasks:
            for channel in self.senders:
                tasks.create_task(self._serve(channel, stop), name=f"dispatch-{channel}")

    async def _serve(self, channel: str, stop: asyncio.Event) -> None:
        """One channel's loop; over a database that is away it rests and goes on."""
        away = ""
        while not stop.is_set():
            try:
                if not await self._round(channel):
                    await self._rest(channel, stop)
                away = ""
            except AWAY as error:
                if away != (away := first_line(error)):
                    log.error("dispatch_waits", channel=channel, reason=away)
                await first_of(stop.wait(), self.clock.sleep(LOOK_AGAIN_S))

    async def _rest(self, channel: str, stop: asyncio.Event) -> None:
        """Until something is due, somebody rings, or it is over."""
        bell = self._bells[channel]
        due_at = await reading(self.database, lambda connection: outbox.next_due(connection, [channel]))
        seconds = LOOK_AGAIN_S if due_at is None else (due_at - self.clock.now()).total_seconds()
        await first_of(stop.wait(), self.clock.sleep(min(max(seconds, 0.01), LOOK_AGAIN_S)), bell.wait())
        bell.clear()

    async def once(self) -> int:
        """Claim what is due on every channel and see each to its end; how many there were."""
        # One claim after another: MariaDB locks for a moment what it only looks at, and the other would skip it.
        claimed = {channel: await self._claim(channel) for channel in self.senders}
        async with asyncio.TaskGroup() as tasks:
            for channel, mine in claimed.items():
                tasks.create_task(self._channel(channel, mine))
        return sum(map(len, claimed.values()))

    async def _round(self, channel: str) -> int:
        """Claim what is due on that channel and see each to its end; how many there were."""
        claimed = await self._claim(channel)
        await self._channel(channel, claimed)
        return len(claimed)

    async def _claim(self, channel: str) -> list[Delivery]:
        """No more than is sent at once: nothing waits behind a slow one longer than its claim holds."""
        now = self.clock.now()
        return await writing(
            self.database, lambda connection: outbox.claim(connection, now, self.hold, [channel], AT_ONCE)
        )

    async def _channel(self, channel: str, mine: Sequence[Delivery]) -> None:
        """All of them at once, but each at the channel's pace."""
        async with asyncio.TaskGroup() as tasks:
            for each in mine:
                tasks.create_task(self._one(channel, each))

    async def _one(self, channel: str, each: Delivery) -> None:
        pace, now = self._paces[channel], self.clock.now()
        free_at = pace.free_at(each.recipient, now)
        if free_at > now:
            await writing(self.database, partial(outbox.put_back, each=each, due_at=free_at))
            return
        pace.note(each.recipient, now)
        bound = log.bind(channel=channel, delivery=each.id, attempt=each.attempts)
        try:
            reference = await self.senders[channel].send(each)
        except Refused as refused:
            await self._failed(each, str(refused))
            bound.error("delivery_refused", reason=str(refused))
        except NotNow as rests:
            await writing(self.database, partial(outbox.put_back, each=each, due_at=rests.until))
        except Needless:
            now = self.clock.now()
            await writing(self.database, partial(outbox.needless, each=each, now=now))
            bound.info("delivery_needless")
        except Later as later:
            await self._later(each, later)
            bound.warning("delivery_later", reason=str(later))
        except Exception as error:  # noqa: BLE001 - the delivery loop
            await self._later(each, Later(f"{type(error).__name__}: {error}"))
            bound.exception("delivery_broke")
        else:
            now = self.clock.now()
            mine = await writing(self.database, partial(outbox.sent, each=each, now=now, reference=reference))
            bound.info("delivered", late_s=round((now - each.due_at).total_seconds(), 3), twice=not mine)

    async def _later(self, each: Delivery, later: Later) -> None:
        """Again after a while; a channel that seems dead gives way to the next one, if there is one."""
        if each.attempts >= PATIENCE and self.instead(each) is not None:
            await self._failed(each, str(later))
            return
        wait = back_off(each.attempts, self.rng)
        if later.after_s is not None:
            wait = max(wait, timedelta(seconds=later.after_s))
        due_at = self.clock.now() + wait
        await writing(self.database, partial(outbox.later, each=each, due_at=due_at, error=str(later)))

    async def _failed(self, each: Delivery, reason: str) -> None:
        """It stops and is shown; what takes over from it is owed in the same transaction."""
        now, instead = self.clock.now(), self.instead(each)

        def work(connection: Connection) -> None:
            if outbox.failed(connection, each, now, reason) and instead is not None:
                outbox.put(connection, [instead])

        await writing(self.database, work)
