"""A SOCKS5 proxy with a login on loopback (RFC 1928, RFC 1929)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Socks:
    """Carries connections of who knows the word."""

    username: str
    password: str
    port: int = 0
    carried: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.add(writer)
        try:
            await self._carry(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _version, count = await reader.readexactly(2)
        assert 2 in await reader.readexactly(count)
        writer.write(b"\x05\x02")
        _version, size = await reader.readexactly(2)
        username = await reader.readexactly(size)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        good = (username.decode(), password.decode()) == (self.username, self.password)
        writer.write(b"\x01\x00" if good else b"\x01\x01")
        host, port = await self._wanted(reader)
        there = await asyncio.open_connection(host, port)
        self.writers.add(there[1])
        self.carried += 1
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await asyncio.gather(_pour(reader, there[1]), _pour(there[0], writer))

    async def _wanted(self, reader: asyncio.StreamReader) -> tuple[str, int]:
        _version, command, _zero, kind = await reader.readexactly(4)
        assert command == 1
        if kind == 1:
            host = ".".join(map(str, await reader.readexactly(4)))
        else:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        return host, int.from_bytes(await reader.readexactly(2))


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


@asynccontextmanager
async def socks_proxy(username: str, password: str) -> AsyncIterator[Socks]:
    """The proxy, open."""
    proxy = Socks(username, password)
    server = await asyncio.start_server(proxy.meet, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for writer in proxy.writers:
            writer.transport.abort()
