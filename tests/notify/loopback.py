"""Servers on loopback that answer as they are told, and remember what they were asked."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from enum import StrEnum
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from pbxmonitor.notify import Button, Message

NOW = datetime(2026, 11, 23, 7, 42, tzinfo=UTC)
WAIT = 10
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
SUBJECT = "Перезвоните +7 812 111-22-33 до 10:52"
TEXT = (
    "Вы пропустили входящий от +7 812 111-22-33 (Санкт-Петербург) в 10:42, очередь «Продажи». "
    "Перезвоните клиенту до 10:52."
)


def message(to: str, **more: Any) -> Message:
    """A message to that address."""
    return Message(**{"id": "d-17", "to": to, "subject": SUBJECT, "text": TEXT, **more})


def buttons() -> tuple[Button, ...]:
    """Two buttons that come back and one that opens a page."""
    return (
        Button(text="Беру", action="take", value="17"),
        Button(text="Позвонить сейчас", action="call", value="17"),
        Button(text="Журнал", action="open", value="https://pbx.example/callbacks/17"),
    )


class Trouble(StrEnum):
    """How a server can fail below HTTP."""

    SILENT = "silent"
    CUT = "cut"
    SLAM = "slam"


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

    def json(self) -> Any:
        assert self.headers["content-type"].startswith("application/json")
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        assert self.headers["content-type"] == "application/x-www-form-urlencoded"
        return dict(parse_qsl(self.body.decode(), strict_parsing=True))

    def parts(self) -> dict[str, EmailMessage]:
        """The fields and files of multipart/form-data, by name."""
        head = f"Content-Type: {self.headers['content-type']}\r\n\r\n".encode()
        whole = message_from_bytes(head + self.body, policy=policy.HTTP)
        assert isinstance(whole, EmailMessage)
        assert whole.get_content_type() == "multipart/form-data"
        found: dict[str, EmailMessage] = {}
        for part in whole.iter_parts():
            assert isinstance(part, EmailMessage)
            found[str(part.get_param("name", header="content-disposition"))] = part
        return found


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, body: object, status: int = 200, **headers: str) -> "Said":
        return cls(status, json.dumps(body, ensure_ascii=False).encode(), tuple(headers.items()))


Answering = Callable[[Asked], "Said | Trouble"]


@dataclass
class Web:
    """An HTTP server; what its `answer` finds wrong with a request fails the test."""

    answer: Answering
    asked: list[Asked] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}" if self.tls is None else f"https://localhost:{self.port}"

    async def __aenter__(self) -> Self:
        self._wrong: list[AssertionError] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers.copy():
            writer.transport.abort()
        await self._server.wait_closed()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._wrong:
            raise self._wrong[0] from error

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
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
        asked = Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))
        self.asked.append(asked)
        said = self._judged(asked)
        if said is Trouble.SILENT:
            return bool(await reader.read(1))
        if not isinstance(said, Said):
            if said is Trouble.CUT:
                writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{"ok": true, "resu')
                await writer.drain()
            return False
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in said.headers)
        writer.write(f"HTTP/1.1 {said.status} Said\r\nContent-Length: {len(said.body)}\r\n{more}\r\n".encode())
        writer.write(said.body)
        await writer.drain()
        return True

    def _judged(self, asked: Asked) -> Said | Trouble:
        try:
            return self.answer(asked)
        except AssertionError as error:
            self._wrong.append(error)
            return Said(400, b"the request is not as documented")


@asynccontextmanager
async def serving(answer: Answering | Said | Trouble, tls: ssl.SSLContext | None = None) -> AsyncIterator[Web]:
    """A server that answers so, or always the same."""
    async with Web(answer if callable(answer) else lambda _asked: answer, tls=tls) as web:
        yield web
