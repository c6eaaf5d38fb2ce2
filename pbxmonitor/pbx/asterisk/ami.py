"""The AMI link: connect, log in, listen, ask; for ever. The only module that knows panoramisk.

panoramisk makes the connection, writes the actions and keeps their futures; the bytes that come in are ours
(`frames`), and so are reconnecting, the watchdog and the answers to lists, for the reasons told in docs/ami.md.
"""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import astuple
from typing import Any

import structlog
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from pbxmonitor.clock import Clock
from pbxmonitor.pbx.asterisk.backoff import Backoff
from pbxmonitor.pbx.asterisk.frames import EVERYTHING, FOLLOWED, Cutter, Follows, Frame, FrameTooLong, parse
from pbxmonitor.pbx.asterisk.link import (
    AmiLogin,
    Answer,
    Counts,
    LinkDown,
    LinkLost,
    LinkUp,
    NotConnected,
    Refused,
    checked,
    not_connected,
    refusal,
    unreadable,
)

__all__ = ["Ami", "AmiLogin", "Answer", "Backoff", "Counts", "LinkDown", "LinkLost", "LinkUp", "Refused", "Tap"]

log = structlog.get_logger()

Tap = Callable[[bytes, float], None]
SILENT_THIRDS = 3


class _Question(Action):  # type: ignore[misc]
    """An action of ours; its list is known by EventList, not by the words of the message as panoramisk guesses it."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(fields)
        self.response: Frame | None = None
        self.events: list[Frame] = []

    def hear(self, frame: Frame) -> bool:
        """Take one message with our ActionID; True when the answer is complete."""
        if frame.event:
            self.events.append(frame)
        else:
            self.response = frame
        if self.response is None or (self.response["EventList"].lower() == "start" and not _completes(frame)):
            return False
        if not self.future.done():
            self.future.set_result(Answer(response=self.response, events=tuple(self.events)))
        return True


def _completes(frame: Frame) -> bool:
    ended = frame["EventList"].lower() in ("complete", "cancelled") or frame.event.endswith("Complete")
    return ended and frame.event != ""


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
        self.responses: dict[str, _Question] = {}
        self.transport: asyncio.Transport | None = None
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
        self.counts = self.counts.plus(received, len(messages), len(self._frames) - before)
        if len(self._frames) > before:
            self._ready.set()
        if self._size > self._login.queue_limit:
            self.lose(f"overflow: {self._size} bytes of events were waiting to be taken")

    def _answer(self, frame: Frame | None) -> None:
        question = self.responses.get(frame["ActionID"]) if frame else None
        if frame and question and question.hear(frame):
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

    async def ask(self, fields: Mapping[str, str], within: float) -> Answer:
        """Send an action and gather its whole answer; Refused, LinkDown or TimeoutError."""
        question = self.write(fields)
        try:
            async with asyncio.timeout(within):
                answer: Answer = await question.future
        except TimeoutError:
            raise TimeoutError(f"{fields['Action']}: no answer from Asterisk within {within:g} s") from None
        finally:
            self.forget(question)
        if answer.response["Response"] == "Error" and not answer.response.values("Output"):
            raise Refused(refusal(fields["Action"], answer.response["Message"]))
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
        if self.transport is not None:
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
        self._denied: set[str] = set()
        self._past = Counts()
        self._log = log.bind(node=login.node) if login.node else log
        self.trouble = "not connected yet"

    @property
    def counts(self) -> Counts:
        """What has come in, over all connections."""
        now = self._link.counts if self._link else Counts()
        return self._past.plus(*astuple(now))

    async def listen(self) -> AsyncIterator[LinkUp | LinkLost | list[Frame]]:
        """For ever: LinkUp, then lists of frames in the order of the wire, then LinkLost, then again.

        A list holds all that came since the last one was taken, so lists grow when the taker is slow; past
        `queue_limit` bytes the link is given up, never an event dropped. Raises OSError when the tap cannot write.
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
            except NotConnected as error:
                delay = self._login.refused_retry if error.login else backoff.delay()
                self._tell(error, delay)
            finally:
                self._link, self._past = None, self._past.plus(*astuple(link.counts))
                link.lose("closed by us")
            await self._clock.sleep(delay)

    def send(self, action: str, action_id: str, **fields: str) -> None:
        """Send an action; its answer comes in `listen`, told by the ActionID. LinkDown; ValueError as `ask`."""
        fields = checked(action, action_id, fields)
        link = self._linked()
        link.forget(link.write(fields))

    async def ask(self, action: str, timeout: float = 10, **fields: str) -> Answer:  # noqa: ASYNC109 - a plain limit
        """Send an action and gather its answer, a list up to its end, within `timeout` seconds.

        The followed frames of the answer come in `listen` too. Refused, LinkDown or TimeoutError; ValueError, and
        nothing sent, for a CR, LF or NUL in a name or a value. A Command's failure is an Answer, not Refused.
        """
        self._asked += 1
        fields = checked(action, f"pbxmonitor-{self._asked}", fields)
        try:
            return await self._linked().ask(fields, timeout)
        except Refused as refused:
            if "permission denied" in str(refused).lower() and action not in self._denied:
                self._denied.add(action)
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

    def _tell(self, error: NotConnected, delay: float) -> None:
        """One error line for each reason, not for each attempt."""
        self.trouble = str(error)
        if self.trouble != self._told:
            self._told = self.trouble
            where = {"host": self._login.host, "port": self._login.port}
            self._log.error(
                "ami_not_connected", **where, reason=self.trouble, advice=error.advice, retry_s=round(delay, 1)
            )

    async def _connect(self, link: _Link) -> LinkUp:
        """Open the connection and log in; NotConnected tells in words why not."""
        try:
            async with asyncio.timeout(self._login.connect_timeout):
                await self._open(link)
                return await self._log_in(link)
        except (OSError, UnicodeError, Refused, LinkDown) as error:
            raise not_connected(error, self._login) from error

    async def _open(self, link: _Link) -> None:
        login = self._login
        manager = _OneConnection(
            host=login.host,
            port=login.port,
            ssl=_tls(login) if login.tls else False,
            protocol_factory=lambda: link,
            loop=asyncio.get_running_loop(),
            ping_delay=0,
        )
        await manager.connect()

    async def _log_in(self, link: _Link) -> LinkUp:
        """MD5 challenge and response: the secret itself never goes over the wire."""
        challenge = await self._ask(link, "Challenge", AuthType="MD5")
        text = challenge.response["Challenge"] + self._login.secret.get_secret_value()
        key = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        await self._ask(link, "Login", AuthType="MD5", Username=self._login.username, Key=key, Events="on")
        await self._ask(link, "Events", EventMask="on")
        actions = await self._told_by(link, "ListCommands")
        settings = await self._told_by(link, "CoreSettings")
        return LinkUp(
            at=self._clock.now(),
            version=settings.get("AsteriskVersion", ""),
            protocol=link.cutter.greeting,
            actions=frozenset(actions) - {"Response", "ActionID"},
        )

    async def _told_by(self, link: _Link, action: str) -> dict[str, str]:
        """An answer the link can do without."""
        try:
            return (await self._ask(link, action)).response.headers
        except Refused:
            return {}

    async def _ask(self, link: _Link, action: str, **fields: str) -> Answer:
        return await link.ask(checked(action, f"pbxmonitor-{action}", fields), self._login.connect_timeout)


def _tls(login: AmiLogin) -> ssl.SSLContext:
    """TLS with the CA of the settings, the system's when none is given; no checks at all only when told so."""
    try:
        context = ssl.create_default_context(cafile=str(login.ca_file) if login.ca_file else None)
    except ssl.SSLError:
        raise unreadable(login.ca_file, "no certificate in it") from None
    except OSError as error:
        raise unreadable(login.ca_file, error.strerror) from None
    if login.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
