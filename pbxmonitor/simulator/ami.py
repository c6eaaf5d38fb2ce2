"""An AMI server on the loopback: who may log in, what is answered, and events to all who listen."""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import md5
from typing import Final

import structlog

from pbxmonitor.clock import Clock
from pbxmonitor.simulator.board import Board
from pbxmonitor.simulator.wire import ACTION_LIMIT, Fields, message, next_action

log = structlog.get_logger()
LOOPBACK: Final = "127.0.0.1"
GREETING: Final = b"Asterisk Call Manager/11.0.0\r\n"
VERSION: Final = "22.0.0-simulated"
MOST_SESSIONS: Final = 16
# Asterisk cuts off a manager that does not read (`writetimeout`); seconds.
WRITE_TIMEOUT: Final = 10.0


@dataclass(eq=False)
class _Session:
    writer: asyncio.StreamWriter
    challenge: str = ""
    logged_in: bool = False
    events: bool = False
    over: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def say(self, fields: Fields) -> None:
        self.writer.write(message(fields))


@dataclass(eq=False)
class AmiServer:
    """Answers actions from the board; `arrived` is set by the first login. The secret is never shown."""

    board: Board
    clock: Clock
    username: str
    secret: str = field(repr=False)
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _sessions: set[_Session] = field(default_factory=set, init=False)
    _rules: dict[str, Callable[[_Session, Fields, Fields], None]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._rules = {
            "challenge": self._challenge,
            "login": self._login,
            "logoff": self._logoff,
            "ping": self._ping,
            "events": self._events,
            "coresettings": self._core_settings,
            "corestatus": self._core_status,
        }

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["AmiServer"]:
        """Listen on `port` of the loopback (0: a free one, then named by `port`); at the end every session ends."""
        server = await asyncio.start_server(self._session, LOOPBACK, self.port, limit=ACTION_LIMIT)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for session in self._sessions.copy():
                await _ended(session)
            await server.wait_closed()

    async def tell(self, raw: bytes) -> None:
        """Send an event (without its end) to all who listen, and wait until they have room for more."""
        listening = [session for session in self._sessions if session.events]
        for session in listening:
            session.writer.write(raw + b"\r\n\r\n")
        for session in listening:
            await self._drain(session)

    async def _drain(self, session: _Session) -> None:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await session.writer.drain()
        except (TimeoutError, ConnectionError):
            session.events = False
            session.writer.transport.abort()

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        self._sessions.add(session)
        try:
            if len(self._sessions) <= MOST_SESSIONS:
                writer.write(GREETING)
                await self._converse(session, reader)
        finally:
            writer.close()
            await _closed(writer)
            self._sessions.discard(session)
            session.ended.set()

    async def _converse(self, session: _Session, reader: asyncio.StreamReader) -> None:
        while not session.over and (fields := await next_action(reader)) is not None:
            self._answer(session, fields)
            await self._drain(session)

    def _answer(self, session: _Session, fields: Fields) -> None:
        action = fields.get("action", "")
        action_id = {"ActionID": fields["actionid"]} if "actionid" in fields else {}
        rule = self._rules.get(action.lower())
        if not session.logged_in and action.lower() not in _BEFORE_LOGIN:
            session.say({"Response": "Error", **action_id, "Message": "Permission denied"})
        elif rule is not None:
            rule(session, fields, action_id)
        elif (answer := self.board.answer(action, action_id)) is not None:
            session.writer.write(b"".join(answer))
        else:
            unknown = f"Invalid/unknown command: {action}. Use Action: ListCommands to show available commands."
            session.say({"Response": "Error", **action_id, "Message": unknown})

    def _challenge(self, session: _Session, fields: Fields, action_id: Fields) -> None:
        if fields.get("authtype", "").upper() != "MD5":
            session.say({"Response": "Error", **action_id, "Message": "Must specify AuthType"})
            return
        session.challenge = str(secrets.randbelow(900_000_000) + 100_000_000)
        session.say({"Response": "Success", **action_id, "Challenge": session.challenge})

    def _login(self, session: _Session, fields: Fields, action_id: Fields) -> None:
        if not self._knows(session, fields):
            log.info("simulator_login_refused", user=fields.get("username", ""))
            session.say({"Response": "Error", **action_id, "Message": "Authentication failed"})
            session.over = True
            return
        session.logged_in = True
        session.events = _wants_events(fields.get("events", "on"))
        session.say({"Response": "Success", **action_id, "Message": "Authentication accepted"})
        if session.events:
            booted = {"Uptime": "1", "LastReload": "1", "Status": "Fully Booted"}
            session.say({"Event": "FullyBooted", "Privilege": "system,all", **booted})
        self.arrived.set()

    def _knows(self, session: _Session, fields: Fields) -> bool:
        if fields.get("authtype", "").upper() == "MD5":
            key = md5((session.challenge + self.secret).encode(), usedforsecurity=False).hexdigest()
            proof = bool(session.challenge) and hmac.compare_digest(
                fields.get("key", "").lower().encode(), key.encode()
            )
        else:
            proof = hmac.compare_digest(fields.get("secret", "").encode(), self.secret.encode())
        return proof and fields.get("username") == self.username

    def _logoff(self, session: _Session, _: Fields, action_id: Fields) -> None:
        session.say({"Response": "Goodbye", **action_id, "Message": "Thanks for all the fish."})
        session.over = True

    def _ping(self, session: _Session, _: Fields, action_id: Fields) -> None:
        now = f"{self.clock.now().timestamp():.6f}"
        session.say({"Response": "Success", **action_id, "Ping": "Pong", "Timestamp": now})

    def _events(self, session: _Session, fields: Fields, action_id: Fields) -> None:
        session.events = _wants_events(fields.get("eventmask", "on"))
        session.say({"Response": "Success", **action_id, "Events": "On" if session.events else "Off"})

    def _core_settings(self, session: _Session, _: Fields, action_id: Fields) -> None:
        told = {"AMIversion": "11.0.0", "AsteriskVersion": VERSION, "SystemName": "", "CoreCDRenabled": "Yes"}
        session.say({"Response": "Success", **action_id, **told})

    def _core_status(self, session: _Session, _: Fields, action_id: Fields) -> None:
        calls = str(len(self.board.rows("CoreShowChannel")))
        session.say({"Response": "Success", **action_id, "CoreCurrentCalls": calls, "CoreProcessedCalls": "0"})


async def _ended(session: _Session) -> None:
    session.writer.close()
    try:
        async with asyncio.timeout(1.0):
            await session.ended.wait()
    except TimeoutError:
        session.writer.transport.abort()  # it does not read what we still have for it
        await session.ended.wait()


async def _closed(writer: asyncio.StreamWriter) -> None:
    try:
        await writer.wait_closed()
    except ConnectionError:
        return  # the other side was faster


def _wants_events(mask: str) -> bool:
    return mask.lower() not in ("off", "0", "false", "no")


_BEFORE_LOGIN: Final = frozenset({"challenge", "login", "logoff"})
