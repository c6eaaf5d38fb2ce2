"""The AMI link: connect, log in, listen, ask; for ever. The only module that knows panoramisk.

panoramisk makes the connection, writes the actions and keeps their futures; the bytes that come in are ours
(`frames`), and so are reconnecting, the watchdog and the answers to lists, for the reasons told in docs/ami.md.
"""

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, Protocol

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from pbxmonitor.clock import Clock
from pbxmonitor.pbx.asterisk.frames import EVERYTHING, FOLLOWED, Cutter, Follows, Frame, FrameTooLong, parse

log = structlog.get_logger()

Tap = Callable[[bytes, float], None]
SILENT_THIRDS = 3
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Asterisk answered: the response, and the events of a list up to the one that completes it."""

    response: Frame
    events: tuple[Frame, ...] = ()


class Refused(Exception):  # noqa: N818 - Asterisk's word
    """Asterisk answered an action with an error; the text says which and, for a missing permission, what to set."""


class LinkDown(Exception):  # noqa: N818 - what happened
    """There is no link, or it was lost before the answer came."""


class _NotConnected(Exception):  # noqa: N818 - what happened
    """No link came about; `login` when Asterisk itself said no."""

    def __init__(self, reason: str, advice: str, *, login: bool = False) -> None:
        super().__init__(reason)
        self.advice = advice
        self.login = login


class Backoff:
    """Delays that double from `first` to `cap` seconds; each is cut by up to half at random, so that daemons spread."""

    def __init__(self, first: float, cap: float, jitter: Callable[[], float] = SystemRandom().random) -> None:
        self._first = first
        self._cap = cap
        self._jitter = jitter
        self._next = first

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        whole, self._next = self._next, min(self._cap, self._next * 2)
        return min(self._cap, whole) * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begin with `first` again."""
        self._next = self._first


class _Question(Action):  # type: ignore[misc]
    """An action of ours; its list is recognised by EventList, not by the words of the message as panoramisk does."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(fields)
        self.frames: list[Frame] = []

    def hear(self, frame: Frame) -> bool:
        """Take one message with our ActionID; True when the answer is complete."""
        self.frames.append(frame)
        begun = self.frames[0]["EventList"].lower() == "start"
        if (begun and not _completes(frame)) or not self._first_is_response():
            return False
        if not self.future.done():
            response, *events = self.frames
            self.future.set_result(Answer(response=response, events=tuple(events)))
        return True

    def _first_is_response(self) -> bool:
        return not self.frames[0].event


def _completes(frame: Frame) -> bool:
    return frame.event != "" and (
        frame["EventList"].lower() in ("complete", "cancelled") or frame.event.endswith("Complete")
    )


class _OneConnection(Manager):  # type: ignore[misc]
    """panoramisk's manager for one connection: it neither reconnects, nor pings, nor sends anything twice."""

    def connection_made(self, f: "asyncio.Future[Any]") -> None:
        if not f.cancelled() and f.exception() is None:
            super().connection_made(f)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing: the link reconnects, with a new manager."""

    def ping(self) -> None:
        """Nothing: the watchdog pings, and looks at what comes back."""


class _Link(AMIProtocol):  # type: ignore[misc]
    """One connection's bytes in, frames and answers out, in the order of the wire."""

    def __init__(self, login: AmiLogin, clock: Clock, follows: Follows, tap: Tap | None) -> None:
        self.heard_at = clock.now()
        self.counts = Counts()
        self.lost: str | None = None
        self.broken: OSError | None = None
        self.cutter = Cutter()
        self._login = login
        self._clock = clock
        self._follows = follows
        self._tap = tap
        self._frames: list[Frame] = []
        self._size = 0
        self._ready = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        if self.lost is not None:
            return
        self.heard_at = self._clock.now()
        received_at = self.heard_at.timestamp()
        try:
            if self._tap is not None:
                self._tap(data, received_at)
            self._receive(self.cutter.feed(data), len(data), received_at)
        except FrameTooLong as refused:
            self._receive(refused.messages, len(data), received_at)
            self.lose(str(refused))
        except OSError as error:
            self.broken = error
            self.lose(f"cannot write the tape: {error.strerror}")

    def _receive(self, messages: list[bytes], received: int, received_at: float) -> None:
        before = len(self._frames)
        for raw in messages:
            frame = parse(raw, received_at, self._follows)
            if frame is not None:
                self._frames.append(frame)
                self._size += len(raw)
            if self.responses and b"\nActionID: " in raw:
                self._answer(frame or parse(raw, received_at, EVERYTHING))
        self._count(received, len(messages), len(self._frames) - before)
        if len(self._frames) > before:
            self._ready.set()
        if self._size > self._login.queue_limit:
            self.lose(f"overflow: {self._size} bytes of events were waiting to be taken")

    def _count(self, received: int, messages: int, followed: int) -> None:
        was = self.counts
        self.counts = Counts(
            received=was.received + received, messages=was.messages + messages, followed=was.followed + followed
        )

    def _answer(self, frame: Frame | None) -> None:
        question = self.responses.get(frame["ActionID"]) if frame is not None else None
        if question is not None and question.hear(frame):
            del self.responses[question.id]

    async def take(self) -> list[Frame]:
        """All frames that came since the last time, waiting for one; empty once the link is lost and all is taken."""
        silent = 0
        while not self._frames and self.lost is None:
            self._ready.clear()
            received = self.counts.received
            with suppress(TimeoutError):
                async with asyncio.timeout(self._login.watchdog / SILENT_THIRDS):
                    await self._ready.wait()
            silent = silent + 1 if received == self.counts.received else 0
            self._watch(silent)
        frames, self._frames, self._size = self._frames, [], 0
        return frames

    def _watch(self, silent: int) -> None:
        if silent >= SILENT_THIRDS:
            self.lose(f"nothing was heard for {self._login.watchdog:g} s")
        elif silent and self.lost is None:
            self.forget(self.write({"Action": "Ping", "ActionID": "ping"}))

    def write(self, fields: Mapping[str, str]) -> _Question:
        """Send an action, whose answer may be awaited as `future`."""
        if self.lost is not None:
            raise LinkDown(self.lost)
        question = _Question(fields)
        self.send(question, as_list=False)
        return question

    def forget(self, question: _Question) -> None:
        """Wait for no answer to it any longer."""
        self.responses.pop(question.id, None)

    async def ask(self, fields: Mapping[str, str], timeout: float) -> Answer:
        """Send an action and gather its whole answer; Refused, LinkDown or TimeoutError."""
        question = self.write(fields)
        try:
            async with asyncio.timeout(timeout):
                answer: Answer = await question.future
        except TimeoutError:
            raise TimeoutError(f"{fields['Action']}: no answer from Asterisk within {timeout:g} s") from None
        finally:
            self.forget(question)
        if answer.response["Response"] == "Error" and fields["Action"] != "Command":
            raise Refused(_refusal(fields["Action"], answer.response["Message"]))
        return answer

    def connection_lost(self, exc: BaseException | None) -> None:
        self.lose(f"the connection broke: {exc}" if exc else "Asterisk closed the connection")

    def lose(self, reason: str) -> None:
        """Give the link up: what came before may still be taken, who waits for an answer hears LinkDown."""
        if self.lost is not None:
            return
        self.lost = reason
        self.closed = True
        self._ready.set()
        for question in self.responses.values():
            if not question.future.done():
                question.future.set_exception(LinkDown(reason))
        self.responses.clear()
        self.transport.abort()


class Ami:
    """The link to one Asterisk's manager interface, kept up for as long as somebody listens.

    `tap` hears every byte that comes in, before anything else does (a TapeWriter). No task is started: all that is not
    done in `listen` is done by the event loop's callbacks, so cancelling the listener, or closing it
    (`contextlib.aclosing`), closes the link.
    """

    def __init__(self, login: AmiLogin, clock: Clock, tap: Tap | None = None, follows: Follows = FOLLOWED) -> None:
        self._login = login
        self._clock = clock
        self._tap = tap
        self._follows = follows
        self._link: _Link | None = None
        self._asked = 0
        self._told = ""
        self._past = Counts()
        self._log = log.bind(node=login.node) if login.node else log
        self.trouble = "not connected yet"

    @property
    def counts(self) -> Counts:
        """What has come in, over all connections."""
        now = self._link.counts if self._link else Counts()
        return _sum(self._past, now)

    async def listen(self) -> AsyncIterator[LinkUp | LinkLost | list[Frame]]:
        """For ever: LinkUp, then lists of frames in the order of the wire, then LinkLost, then again.

        A list holds all that came since the last one was taken, so lists grow when the taker is slow; past
        `queue_limit` bytes the link is given up, never an event dropped. Raises only what the tap cannot write (OSError).
        """
        backoff = Backoff(self._login.backoff_first, self._login.backoff_cap)
        while True:
            link = _Link(self._login, self._clock, self._follows, self._tap)
            try:
                up = await self._connect(link)
                since = self._clock.monotonic()
                self._is_up(link, up)
                yield up
                while frames := await link.take():
                    yield frames
                if link.broken:
                    raise link.broken
                if self._clock.monotonic() - since >= self._login.backoff_cap:
                    backoff.reset()
                yield self._is_down(link)
                delay = backoff.delay()
            except _NotConnected as error:
                delay = self._login.refused_retry if error.login else backoff.delay()
                self._tell(error, delay)
            finally:
                self._link = None
                self._past = _sum(self._past, link.counts)
                _hang_up(link)
            await self._clock.sleep(delay)

    def send(self, action: str, action_id: str, **fields: str) -> None:
        """Send an action; what it answers comes in `listen`, told by its ActionID. LinkDown; ValueError for a CR, LF or NUL."""
        checked = _fields(action, action_id, fields)
        link = self._linked()
        link.forget(link.write(checked))

    async def ask(self, action: str, timeout: float = 10, **fields: str) -> Answer:
        """Send an action and gather its answer, a list up to its end, within `timeout` seconds.

        The followed frames of the answer come in `listen` too. Refused, LinkDown or TimeoutError; ValueError, and
        nothing sent, for a CR, LF or NUL in a name or a value. A Command's failure is an Answer, not Refused.
        """
        self._asked += 1
        checked = _fields(action, f"pbxmonitor-{self._asked}", fields)
        try:
            return await self._linked().ask(checked, timeout)
        except Refused as refused:
            if "ermission" in str(refused):
                self._log.error("ami_permission_denied", action=action, reason=str(refused))
            raise

    def _linked(self) -> _Link:
        if self._link is None:
            raise LinkDown(self.trouble)
        return self._link

    def _is_up(self, link: _Link, up: LinkUp) -> None:
        self._link = link
        self.trouble = self._told = ""
        self._log.info("ami_link_up", host=self._login.host, version=up.version, protocol=up.protocol)

    def _is_down(self, link: _Link) -> LinkLost:
        self._link = None
        self.trouble = link.lost or ""
        self._log.warning("ami_link_lost", host=self._login.host, reason=self.trouble)
        return LinkLost(at=self._clock.now(), heard_at=link.heard_at, reason=self.trouble)

    def _tell(self, error: _NotConnected, delay: float) -> None:
        """One error line for each reason, not for each attempt."""
        self.trouble = str(error)
        if self.trouble != self._told:
            self._told = self.trouble
            where = {"host": self._login.host, "port": self._login.port}
            self._log.error(
                "ami_not_connected", **where, reason=self.trouble, advice=error.advice, retry_s=round(delay, 1)
            )
