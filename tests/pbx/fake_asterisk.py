"""An AMI server that says what a test tells it to: real sockets, real logins, no Asterisk."""

import asyncio
import hashlib
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

Fields = dict[str, str]
Script = Callable[[Fields], str]

GREETING = "Asterisk Call Manager/11.0.0"


def message(*headers: str) -> str:
    """One AMI message of these lines."""
    return "\r\n".join(headers) + "\r\n\r\n"


def success(*headers: str) -> Script:
    """A script that answers Success, with the ActionID it was asked with."""
    return lambda fields: message("Response: Success", f"ActionID: {fields['ActionID']}", *headers)


def error(text: str) -> Script:
    """A script that answers with that error."""
    return lambda fields: message("Response: Error", f"ActionID: {fields['ActionID']}", f"Message: {text}")


class FakeAsterisk:
    """`async with FakeAsterisk() as pbx`: a manager interface on a loopback port of its own.

    `scripts` maps an action to what it answers ('' is silence); `heard` holds all that was asked, in order.
    """

    def __init__(self, username: str = "pbxmonitor", secret: str = "s3cret", tls: ssl.SSLContext | None = None) -> None:
        self.username = username
        self.secret = secret
        self.challenge = "155185327"
        self.port = 0
        self.heard: list[Fields] = []
        self.connections = 0
        self.raw = b""
        self.scripts: dict[str, Script] = {
            "Challenge": lambda fields: success(f"Challenge: {self.challenge}")(fields),
            "Login": self._log_in,
            "Events": success("Events: On"),
            "ListCommands": success("Ping: Keepalive command.  (Priv: <none>)", "QueueStatus: Show.  (Priv: <none>)"),
            "CoreSettings": success("AMIversion: 11.0.0", "AsteriskVersion: 22.10.1"),
            "Ping": success("Ping: Pong", "Timestamp: 1795432181.300904"),
        }
        self.all_gone = asyncio.Event()
        self.all_gone.set()
        self._open = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self._news = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        await self.all_gone.wait()

    def say(self, text: str | bytes) -> None:
        """Send these bytes on every open connection."""
        for writer in self._writers:
            writer.write(text.encode() if isinstance(text, str) else text)

    def hang_up(self) -> None:
        """Close every open connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    def close_politely(self) -> None:
        """End every open connection as Asterisk does: with an end of file."""
        for writer in self._writers:
            writer.close()

    async def asked(self, action: str, times: int = 1) -> Fields:
        """Wait until that action has been asked so many times; its fields."""
        async with self._news:
            await self._news.wait_for(lambda: len(self._of(action)) >= times)
        return self._of(action)[times - 1]

    def _of(self, action: str) -> list[Fields]:
        return [fields for fields in self.heard if fields["Action"] == action]

    def _log_in(self, fields: Fields) -> str:
        key = hashlib.md5((self.challenge + self.secret).encode()).hexdigest()
        if (fields["Username"], fields.get("Key")) != (self.username, key):
            return error("Authentication failed")(fields)
        return success("Message: Authentication accepted")(fields) + message(
            "Event: FullyBooted", "Status: Fully Booted"
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open += 1
        self.all_gone.clear()
        self._writers.append(writer)
        writer.write(f"{GREETING}\r\n".encode())
        try:
            while True:
                raw = await reader.readuntil(b"\r\n\r\n")
                self.raw += raw
                await self._answer(raw, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            if writer in self._writers:
                self._writers.remove(writer)
            self._open -= 1
            if not self._open:
                self.all_gone.set()

    async def _answer(self, raw: bytes, writer: asyncio.StreamWriter) -> None:
        fields = dict(line.split(": ", 1) for line in raw.decode().strip().split("\r\n"))
        script = self.scripts.get(fields["Action"], error(f"Invalid/unknown command: {fields['Action']}."))
        writer.write(script(fields).encode())
        async with self._news:
            self.heard.append(fields)
            self._news.notify_all()
