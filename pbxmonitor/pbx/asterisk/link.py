"""What the AMI link says of itself: who we are, up, lost, answers, refusals, and why no link came about."""

import errno
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from pbxmonitor.pbx.asterisk.frames import Frame

# what write = must hold for the actions the program asks (manager.conf; none for QueueStatus, BridgeList, Ping)
WRITE_CLASSES = {
    "Command": "command",
    "CoreSettings": "system or reporting",
    "CoreShowChannels": "system or reporting",
    "CoreStatus": "system or reporting",
    "DeviceStateList": "call or reporting",
    "ExtensionStateList": "call or reporting",
    "Filter": "system",
    "Getvar": "call or reporting",
    "Originate": "originate",
    "PJSIPShowContacts": "system",
    "PJSIPShowEndpoints": "system",
    "PresenceStateList": "call or reporting",
    "QueuePause": "agent",
    "SIPpeers": "system or reporting",
    "UserEvent": "user",
}


class Secret(Protocol):
    """A text that does not show itself (pydantic's SecretStr)."""

    def get_secret_value(self) -> str:
        """The text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AmiLogin:
    """Where the manager interface is and who we are there; all times in seconds, `queue_limit` in bytes."""

    host: str = "127.0.0.1"
    port: int = 5038
    username: str
    secret: Secret = field(repr=False)
    tls: bool = False
    ca_file: Path | None = None
    tls_insecure: bool = False
    node: str = ""
    watchdog: float = 30
    connect_timeout: float = 10
    backoff_first: float = 1
    backoff_cap: float = 60
    refused_retry: float = 60
    queue_limit: int = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUp:
    """Logged in: from here on every followed event is told.

    `version` is Asterisk's ("22.10.1"), empty when we may not ask (CoreSettings); `protocol` is AMI's; `actions` are
    those this user may send (ListCommands).
    """

    at: datetime
    version: str
    protocol: str
    actions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    """The link is gone; nothing is known of what happened after `heard_at`, when its last bytes came."""

    at: datetime
    heard_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What has come in since the program started: bytes, messages, and those of them that are followed."""

    received: int = 0
    messages: int = 0
    followed: int = 0

    def plus(self, received: int, messages: int, followed: int) -> "Counts":
        """The sums."""
        return Counts(
            received=self.received + received, messages=self.messages + messages, followed=self.followed + followed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Asterisk answered: the response, and the events of a list up to the one that completes it."""

    response: Frame
    events: tuple[Frame, ...] = ()


class Refused(Exception):  # noqa: N818 - Asterisk's word
    """Asterisk answered an action with an error; the text says which and, for a missing permission, what to set."""


class LinkDown(Exception):  # noqa: N818 - what happened
    """There is no link, or it was lost before the answer came."""


class NotConnected(Exception):  # noqa: N818 - what happened
    """No link came about: the reason, what to do, and `login` when Asterisk itself said no."""

    def __init__(self, reason: str, advice: str, *, login: bool = False) -> None:
        super().__init__(reason)
        self.advice = advice
        self.login = login


def checked(action: str, action_id: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The action's fields; ValueError naming the first with a CR, LF or NUL, which would smuggle in another action."""
    whole = {"Action": action, "ActionID": action_id, **fields}
    for name, value in whole.items():
        if any(forbidden in name + value for forbidden in "\r\n\0"):
            raise ValueError(
                f"{action!r}: the field {name!r} holds a CR, LF or NUL, which AMI cannot carry; take it out"
            )
        if not name or ":" in name:
            raise ValueError(f"{action!r}: {name!r} cannot be the name of a field")
    return whole


def refusal(action: str, message: str) -> str:
    """Asterisk's error in one line, with the line to put where when a permission is missing."""
    if "permission denied" not in message.lower():
        return f"{action}: {message or 'refused without a reason'}"
    classes = WRITE_CLASSES.get(action)
    put = f"add {classes} to write = of this user" if classes else "this user's write = lacks a class"
    return f"{action}: {message}; {put} in manager.conf"


def unreadable(ca_file: Path | None, why: str | None) -> NotConnected:
    """The CA file cannot be used."""
    return NotConnected(f"cannot read ca_file {ca_file}: {why}", "give the PEM file of the CA that signed Asterisk's")


def not_connected(error: Exception, login: AmiLogin) -> NotConnected:
    """Why no link came about, in words, from whatever went wrong on the way."""
    match error:
        case Refused():
            advice = f"check username and secret, and permit = of [{login.username}] in manager.conf"
            return NotConnected(str(error), advice, login=True)
        case LinkDown():
            closed = "Asterisk closed the connection before the login"
            return NotConnected(closed, "is this the right port (AMI, TLS or plain), and is the address permitted?")
        case TimeoutError():
            nothing = f"no answer within {login.connect_timeout:g} s"
            return NotConnected(nothing, "is this the AMI port, and does the firewall let us in?")
        case socket.gaierror() | UnicodeError():
            return NotConnected(f"unknown host {login.host}", "check host in the settings, and DNS")
        case ssl.SSLCertVerificationError():
            return NotConnected(f"TLS: {error.verify_message}", "give the CA in ca_file, or set tls_insecure = true")
        case ssl.SSLError():
            return NotConnected(f"TLS failed: {error.reason or error}", "is this the TLS port (tlsbindaddr)?")
        case _ if f"[Errno {errno.ECONNREFUSED}]" in str(error):
            return NotConnected("connection refused", "is Asterisk running, with enabled = yes and this port?")
    return NotConnected(getattr(error, "strerror", None) or str(error), "check host, port and the network")
