"""A delivery to a person as a message of his channel: his address, his language, the buttons that go with it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.notify import Button, Image, Message, Notifier
from pbxmonitor.notify.buttons import callback_buttons, reached_buttons
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.templates import Templates
from pbxmonitor.regions import region_of
from pbxmonitor.store.actions import closed_state
from pbxmonitor.store.duty import URGING
from pbxmonitor.store.links import address_of
from pbxmonitor.store.notices import name_of, unpacked
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import reading
from pbxmonitor.work.dispatch import Needless, Refused

# Telegram takes 64 bytes with the action before it.
LONGEST_NAME: Final = 50
# Words that say how to send, not what.
_OWN: Final = ("channels", "images", "step", "callback", "silent", "by_phone", "own_text")


class Post:
    """One channel for the outbox: Refused, Later, Needless, or the channel's own name for what went out."""

    def __init__(
        self,
        channel: str,
        notifier: Notifier,
        database: AsyncEngine,
        roster: Roster,
        templates: Templates,
        *,
        dials: bool = False,
    ) -> None:
        self.channel = channel
        self.per_second = notifier.limits.per_second
        self.per_address_per_minute = notifier.limits.per_address_per_minute
        self._notifier = notifier
        self._database = database
        self._roster = roster
        self._templates = templates
        self._dials = dials

    async def send(self, delivery: Delivery) -> str | None:
        """Write the message and hand it over."""
        person = self._roster.people.get(delivery.recipient or "")
        if person is None:
            raise Refused(f"there is no person {delivery.recipient!r} in the settings any more")
        address = await self._address(delivery, person)
        receipt = await self._notifier.send(self._message(delivery, person, address))
        return receipt.reference

    async def _address(self, delivery: Delivery, person: Person) -> str:
        """Where it goes; Needless when the client has been talked to meanwhile, Refused when he has no address here."""
        known = person.addresses.get(self.channel)

        def look(connection: Connection) -> tuple[bool, str | None]:
            urging = delivery.about is not None and delivery.template in URGING
            over = urging and closed_state(connection, delivery.about or ("", "")) is not None
            return over, known or address_of(connection, self.channel, person.key)

        over, address = await reading(self._database, look)
        if over:
            raise Needless
        if address is None:
            raise Refused(f"{person.key} has no address for {self.channel}: set one, or link it by a code")
        return address

    def _message(self, delivery: Delivery, person: Person, address: str) -> Message:
        values = unpacked(dict(delivery.values))
        words = {name: value for name, value in values.items() if name not in _OWN}
        if "client" in words:
            words["region"] = region_of(words["client"]).name(person.language)
        written = self._templates.render(Name(delivery.template), person.language, words, values.get("own_text"))
        return Message(
            id=delivery.id,
            to=address,
            subject=written.subject,
            text=written.text,
            html=written.html,
            buttons=self._buttons(delivery, values, person),
            images=tuple(Image(**each) for each in values.get("images", ())),
            payload={"template": delivery.template, "person": person.key, **_plain(words)},
            silent=bool(values.get("silent", False)),
        )

    def _buttons(self, delivery: Delivery, values: Mapping[str, Any], person: Person) -> tuple[Button, ...]:
        callback = str(values.get("callback", ""))
        if not callback or len(callback.encode()) > LONGEST_NAME:
            return ()
        if delivery.template in URGING:
            return callback_buttons(callback, person.language, call=self._dials)
        told = delivery.template == Name.REACHED and values.get("by_phone", False)
        return reached_buttons(callback, person.language) if told else ()


def _plain(words: Mapping[str, Any]) -> dict[str, Any]:
    """The words as JSON for machines."""
    return {name: value if isinstance(value, str | int | float | None) else str(value) for name, value in words.items()}


class Fallbacks:
    """What takes over from a delivery whose channel failed: the same on the person's next channel."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, each: Delivery) -> Delivery | None:
        """None when there is no further channel, or it is too late for one."""
        channels = list(each.values.get("channels", ()))
        following = channels[channels.index(each.channel) + 1 :] if each.channel in channels else []
        now = self._clock.now()
        if not following or (each.expires_at is not None and each.expires_at <= now):
            return None
        name = name_of(each.id, following[0])
        return replace(each, id=name, channel=following[0], due_at=now, created_at=now, attempts=0, claim="")
