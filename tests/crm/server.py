"""A real HTTP server on a loopback port that can fail in every way of a CRM, before or after it has done the work."""

import asyncio
import json
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit


class Fault(StrEnum):
    """What happens to a request instead of what should."""

    UNDONE_CLOSED = "closed before anything was done"
    DONE_CLOSED = "done, and closed without an answer"
    DONE_HALF = "done, and closed in the middle of the answer"
    DONE_GARBAGE = "done, and answered with something that is no JSON"
    UNDONE_GARBAGE = "nothing done, and a web page with status 200"
    UNDONE_500 = "nothing done, status 500"
    DONE_500 = "done, and status 500"
    UNDONE_BUSY = "asked too often"
    DONE_HANGS = "done, and never answered"
    DONE_DRIPS = "done, and answered a byte at a time"


SLOW = (Fault.DONE_HANGS, Fault.DONE_DRIPS)
QUICK = tuple(fault for fault in Fault if fault not in SLOW)


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    target: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        if self.body is None:
            content = b""
        else:
            content = self.body if isinstance(self.body, bytes) else json.dumps(self.body, ensure_ascii=False).encode()
        lines = {"Content-Length": str(len(content)), "Content-Type": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        return f"HTTP/1.1 {self.status} Said\r\n{head}\r\n".encode() + content


PAGE = b"<html><body>502 Bad Gateway</body></html>"


class Server:
    """Answers with what `handle` says; the next requests meet the `faults`, None meaning none."""

    def __init__(self, handle: Callable[[Request], Reply], busy: Reply) -> None:
        self.handle = handle
        self._busy = busy
        self.faults: deque[Fault | None] = deque()
        self.seen: list[Request] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._empty = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _: object, __: TracebackType | None) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Nobody is there any more."""
        self._over.set()
        self._empty.clear()
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        if self._writers:
            await self._empty.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._answer(await _read(reader), writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            if not self._writers:
                self._empty.set()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        self.seen.append(request)
        fault = self.faults.popleft() if self.faults else None
        reply = self.handle(request) if fault is None or fault.name.startswith("DONE") else Reply(body=PAGE)
        match fault:
            case Fault.UNDONE_CLOSED | Fault.DONE_CLOSED:
                return False
            case Fault.DONE_HANGS:
                await self._over.wait()
                return False
            case Fault.DONE_DRIPS:
                await self._drip(writer)
                return False
            case Fault.DONE_HALF:
                whole = reply.encoded()
                writer.write(whole[: len(whole) - 3])
                await writer.drain()
                return False
            case Fault.DONE_GARBAGE:
                reply = Reply(body=b'{"result": {"task": ')
            case Fault.UNDONE_500 | Fault.DONE_500:
                reply = Reply(status=500, body=PAGE)
            case Fault.UNDONE_BUSY:
                reply = self._busy
        writer.write(reply.encoded())
        await writer.drain()
        return True

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 Said\r\nContent-Length: 9999\r\n\r\n")
        while not self._over.is_set():
            writer.write(b" ")
            await writer.drain()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), 0.05)


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ")
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method=method, target=target, path=unquote(parts.path), query=query, headers=headers, body=body)
