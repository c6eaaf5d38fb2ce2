"""A small AMI writer of the rig's own: actions out, answers back. It shares no code with the program it tests."""

import asyncio
import contextlib
from itertools import count

Message = dict[str, list[str]]


class Refused(Exception):  # noqa: N818 - Asterisk's word
    """Asterisk answered Error; its message."""


def fields(block: bytes) -> Message:
    """Headers of one AMI message; a repeated header keeps all its values."""
    told: Message = {}
    for line in block.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            told.setdefault(name, []).append(value.strip())
    return told


class Wire:
    """One AMI connection without events: open() it, then leave it to `async with`."""

    def __init__(self, port: int, secret: str, username: str = "rig") -> None:
        self._port, self._username, self._secret = port, username, secret
        self._numbers = count(1)
        self._waiting: dict[str, asyncio.Future[Message]] = {}

    async def open(self) -> None:
        """Connect and log in. Raises OSError, Refused."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 22)
        await self._reader.readline()
        self._pump = asyncio.get_running_loop().create_task(self._read())
        try:
            await self.ask("Login", Username=self._username, Secret=self._secret, Events="off")
        except BaseException:
            await self.close()
            raise

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Hang up; nothing is waited for any longer."""
        self._pump.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._pump
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, action: str, **values: str | list[str]) -> Message:
        """Send an action and return its response. Raises Refused, TimeoutError (15 s) or ConnectionError."""
        number = str(next(self._numbers))
        lines = [f"Action: {action}", f"ActionID: {number}"]
        for name, value in values.items():
            lines += [f"{name}: {each}" for each in ([value] if isinstance(value, str) else value)]
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write("\r\n".join([*lines, "", ""]).encode())
        try:
            told: Message = await asyncio.wait_for(answer, 15)
        finally:
            del self._waiting[number]
        if told["Response"][0] == "Error" and "Output" not in told:
            raise Refused(f"{action}: {' '.join(told.get('Message', []))}")
        return told

    async def command(self, line: str) -> str:
        """What the Asterisk console answers to a line, be it a complaint."""
        return "\n".join((await self.ask("Command", Command=line)).get("Output", []))

    async def _read(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self._take(fields(await self._reader.readuntil(b"\r\n\r\n")))
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("Asterisk closed the connection"))

    def _take(self, message: Message) -> None:
        answer = self._waiting.get(message.get("ActionID", [""])[0])
        if answer is not None and "Response" in message and not answer.done():
            answer.set_result(message)
