"""An ARI on a loopback port, in the shapes of Asterisk 22.10 and 16.28, and somebody who listens to it."""

import asyncio
import json
import logging
import ssl
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from structlog.testing import capture_logs
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from pbxmonitor.clock import Clock, ManualClock
from pbxmonitor.pbx.asterisk.ari import AriEvent, AriLogin, AriLost, AriUp
from pbxmonitor.pbx.asterisk.ari_events import AriEvents

PASSWORD = "s3cret-пароль"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
WAIT = 10
# Asterisk's side of the handshake is not ours to log.
quiet = logging.getLogger("tests.fake_ari")
quiet.disabled = True

AT = "2026-11-23T11:44:11.009+0000"
CHANNEL: dict[str, Any] = {
    "id": "h2-7",
    "name": "Local/1007@from-trunk-00000003;1",
    "state": "Down",
    "protocol_id": "",
    "caller": {"name": "Проба", "number": "100"},
    "connected": {"name": "Проба", "number": "100"},
    "accountcode": "",
    "dialplan": {
        "context": "from-trunk",
        "exten": "1007",
        "priority": 1,
        "app_name": "AppDial2",
        "app_data": "(Outgoing Line)",
    },
    "creationtime": AT,
    "language": "en",
}
BRIDGE: dict[str, Any] = {
    "id": "75c97b4b-9a7f-4804-8a62-1afda4f4bb4e",
    "technology": "simple_bridge",
    "bridge_type": "mixing",
    "bridge_class": "stasis",
    "creator": "Stasis",
    "name": "callback",
    "channels": ["h2-7"],
    "creationtime": AT,
    "video_mode": "talker",
}
ENDPOINT: dict[str, Any] = {"technology": "PJSIP", "resource": "101", "state": "online", "channel_ids": []}
ENDPOINTS = [ENDPOINT, {"technology": "PJSIP", "resource": "102", "state": "offline", "channel_ids": []}]
APPLICATION: dict[str, Any] = {
    "name": "pbxmonitor",
    "channel_ids": ["__AST_CHANNEL_ALL_TOPIC"],
    "bridge_ids": ["__AST_BRIDGE_ALL_TOPIC"],
    "endpoint_ids": ["__AST_ENDPOINT_ALL_TOPIC"],
    "device_names": ["__AST_DEVICE_STATE_ALL_TOPIC"],
    "events_allowed": [{"type": "StasisStart"}],
    "events_disallowed": [],
}
INFO: dict[str, Any] = {
    "build": {"os": "Linux", "kernel": "unknown", "machine": "unknown", "options": "OPTIONAL_API", "user": "nobody"},
    "system": {"version": "22.10.1+dfsg+~cs6.17.60671434-1", "entity_id": "02:fc:00:00:00:01"},
    "config": {"name": "", "default_language": "en", "setid": {"user": "", "group": ""}},
    "status": {"startup_time": AT, "last_reload_time": AT},
}
PONG = {"ping": "pong", "timestamp": AT, "asterisk_id": "02:fc:00:00:00:01"}
LIVE = {"name": "first", "format": "wav", "state": "queued", "target_uri": "channel:h2-7"}
STORED = {"name": "first", "format": "wav"}
# What Asterisk's HTTP server says where no ARI is served.
NO_ARI = (
    b'<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\r\n'
    b"<html><head>\r\n<title>404 Not Found</title>\r\n</head><body>\r\n"
    b"<h1>Not Found</h1>\r\n<p>The requested URL was not found on this server.</p>\r\n</body></html>\r\n"
)


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> str:
        return urlsplit(self.target).query


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b""
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, body: object, status: int = 200) -> "Said":
        return cls(status, json.dumps(body, ensure_ascii=False).encode())


@dataclass
class Stream:
    """One open event stream, from Asterisk's side; a `deaf` one answers no pings and reads nothing."""

    asked: Asked
    protocol: ServerProtocol
    writer: asyncio.StreamWriter
    deaf: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, event: dict[str, Any]) -> None:
        self.send_text(json.dumps(event, ensure_ascii=False).encode())

    def send_text(self, text: bytes) -> None:
        self.protocol.send_text(text)
        self.flush()

    def close(self) -> None:
        """As Asterisk does when it stops: a close frame."""
        self.protocol.send_close(CloseCode.NORMAL_CLOSURE)
        self.flush()

    def drop(self) -> None:
        """As a cut cable that says so: no close frame."""
        self.writer.transport.abort()

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.writer.write(data)
            else:
                self.writer.close()


class FakeAri:
    """Answers by method and path (without /ari); `say` puts another answer in place; `asked` and `opened` remember."""

    def __init__(self, password: str = PASSWORD, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.password, self.port = password, port
        self.asked: list[Asked] = []
        self.opened: list[Stream] = []
        self.on_open: str = "stay"
        self.silent = False
        self.heard = asyncio.Event()
        self._tls = tls
        self._new: asyncio.Queue[Stream] = asyncio.Queue()
        self._said: dict[tuple[str, str], Said] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self.say("GET", "/endpoints", Said.json(ENDPOINTS))
        self.say("PUT", "/applications/pbxmonitor/eventFilter", Said.json(APPLICATION))
        self.say("GET", "/asterisk/ping", Said.json(PONG))

    def say(self, method: str, path: str, said: Said) -> None:
        self._said[(method, f"/ari{path}")] = said

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def stream(self) -> Stream:
        """The next stream that is opened."""
        return await self._new.get()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers.copy():
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        asked = Asked(method, target, headers, body)
        self.asked.append(asked)
        self.heard.set()
        if self.silent:
            return bool(await reader.read(1))
        said = self._answer(asked)
        if said is None:
            await self._stream(asked, head, reader, writer)
            return False
        _write(writer, said)
        await writer.drain()
        return True

    def _answer(self, asked: Asked) -> Said | None:
        """None for a stream to open."""
        token = b64encode(f"pbxmonitor:{self.password}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {token}":
            return Said.json({"message": "Authentication required"}, 401)
        if (asked.method, asked.path) == ("GET", "/ari/events") and ("GET", "/ari/events") not in self._said:
            return None
        return self._said.get((asked.method, asked.path), Said.json({"message": "Resource not found"}, 404))

    async def _stream(
        self, asked: Asked, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        protocol = ServerProtocol(logger=quiet)
        protocol.receive_data(head)
        (request,) = protocol.events_received()
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
        stream = Stream(asked, protocol, writer)
        stream.flush()
        self.opened.append(stream)
        self._new.put_nowait(stream)
        if self.on_open != "stay":
            stream.close() if self.on_open == "close" else stream.drop()
        try:
            await _read(stream, reader)
        finally:
            stream.closed.set()


async def _read(stream: Stream, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(65536):
        if not stream.deaf:
            stream.protocol.receive_data(data)
            stream.flush()


def _write(writer: asyncio.StreamWriter, said: Said) -> None:
    kind = f"Content-type: {said.kind}\r\n" if said.body else ""
    more = "".join(f"{name}: {value}\r\n" for name, value in said.headers)
    more += f"Content-Length: {len(said.body)}\r\n"
    head = f"HTTP/1.1 {said.status} Said\r\nServer: Asterisk/22.10.1\r\n{kind}{more}\r\n"
    writer.write(head.encode() + said.body)


def login_to(pbx: FakeAri) -> AriLogin:
    return AriLogin(base_url=pbx.url, username="pbxmonitor", password=PASSWORD, timeout=5)


class WatchedClock(ManualClock):
    """A clock that a test can wait for."""

    def __init__(self, at: datetime = NOW) -> None:
        super().__init__(at)
        self._moved = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self._moved.set()

    async def until_slept(self, times: int) -> None:
        async with asyncio.timeout(WAIT):
            while len(self.slept) < times:
                self._moved.clear()
                await self._moved.wait()


def listening(login: AriLogin, clock: Clock | None = None) -> AriEvents:
    return AriEvents(login, clock or ManualClock(NOW))


class Told(asyncio.Queue[AriUp | AriLost | AriEvent]):
    """What the stream said, one by one."""

    async def next(self) -> AriUp | AriLost | AriEvent:
        async with asyncio.timeout(WAIT):
            return await self.get()

    async def up(self) -> AriUp:
        heard = await self.next()
        assert isinstance(heard, AriUp)
        return heard

    async def lost(self) -> AriLost:
        heard = await self.next()
        assert isinstance(heard, AriLost)
        return heard

    async def event(self) -> AriEvent:
        heard = await self.next()
        assert isinstance(heard, AriEvent)
        return heard


class Hearing:
    """A listener in a task of its own."""

    def __init__(self, ari: AriEvents) -> None:
        self.ari, self.told = ari, Told()

    async def __aenter__(self) -> Told:
        self._task = asyncio.create_task(self._listen())
        return self.told

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.ari.aclose()

    async def _listen(self) -> None:
        async for heard in self.ari.events():
            self.told.put_nowait(heard)


def contact(number: int) -> dict[str, Any]:
    return {
        "type": "ContactStatusChange",
        "timestamp": "2026-11-23T07:34:00.022+0000",
        "endpoint": {"technology": "PJSIP", "resource": str(number), "state": "online", "channel_ids": []},
        "contact_info": {"uri": "sip:x", "contact_status": "Reachable", "aor": str(number), "roundtrip_usec": "9"},
        "application": "pbxmonitor",
    }


async def first_trouble(login: AriLogin) -> str:
    """The reason in the first log line of who listens there."""
    clock = WatchedClock()
    with capture_logs() as lines:
        async with Hearing(listening(login, clock)):
            await clock.until_slept(1)
    return str(lines[0]["reason"])
