"""What every channel is given, what it must do and how it says no; one file of this package is one channel.

A channel that fails raises `Refused` or `Later` and nothing else. Delivery is at least once: whoever sends again after
`Later` does so with the same `Message.id`, and a channel whose receivers can tell repeats by it passes it on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pbxmonitor import undelivered
from pbxmonitor.clock import Clock
from pbxmonitor.masking import masked_text
from pbxmonitor.settings_values import Table

LONGEST_REASON = 300
_ID = re.compile(r"[A-Za-z0-9._-]{1,36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """Something to press: `action` and `value` come back when it is; a `value` that is an http(s) address is a link."""

    text: str
    action: str
    value: str

    @property
    def link(self) -> bool:
        """Whether it opens a page instead of coming back."""
        return self.value.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that goes with the text; `name` is a file name, `alt` says what is on it."""

    name: str
    png: bytes = field(repr=False)
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one address of the channel (chat, e-mail, E.164 phone, topic, url, name).

    `id` is the same at every try: up to 36 letters, digits, dots, dashes, underscores. `html` says what `text` says, as
    a fragment or a page. `payload` is for machines.
    """

    id: str
    to: str = field(repr=False)
    subject: str
    text: str
    html: str | None = None
    buttons: tuple[Button, ...] = ()
    images: tuple[Image, ...] = ()
    payload: Mapping[str, Any] = field(default_factory=dict)
    silent: bool = False

    def __post_init__(self) -> None:
        if _ID.fullmatch(self.id) is None:
            raise ValueError(f"a message's id must be up to 36 letters, digits, . - and _, not {self.id!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The channel took the message; `reference` is its own name for it, where it has one."""

    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How fast the channel may be given messages; None is as fast as they come."""

    per_second: float | None = None
    per_address_per_minute: float | None = None


class Undelivered(Exception):  # noqa: N818
    """The message was not delivered; `reason` is one line without line ends and whole phone numbers."""

    def __init__(self, reason: str) -> None:
        self.reason = masked_text(" ".join(reason.split()))[:LONGEST_REASON]
        super().__init__(self.reason)


class Refused(Undelivered, undelivered.Refused):
    """For good: trying again cannot help (blocked, no such address, a login that is refused)."""


class Later(Undelivered, undelivered.Later):
    """For now: try again, not before `after_s` seconds when the channel said how long."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


class Notifier(Protocol):
    """A channel: `limits` is its pace; close it with `aclose`."""

    kind: ClassVar[str]
    limits: ClassVar[Limits]

    @property
    def Settings(self) -> type[Table]:  # noqa: N802 - a nested class
        """Its table of the settings."""

    def __init__(self, settings: Any, clock: Clock) -> None:
        """The channel with its own `Settings`; nothing is asked of the network yet."""

    async def send(self, message: Message, /) -> Receipt:
        """Hand the message to the channel; Refused or Later when that did not work."""

    async def aclose(self) -> None:
        """Close its connections."""
