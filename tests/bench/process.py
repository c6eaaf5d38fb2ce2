"""The daemon as a process of its own beside a manager interface of ours, as operators run it; all on loopback."""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import sqlalchemy as sa

from pbxmonitor.settings_web import WebSettings
from pbxmonitor.store.accounts import Account, add
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.sessions import open_session
from pbxmonitor.store.types import connect, writing

SETTINGS = """
timezone = "Europe/Moscow"
[database]
url = "{url}"
spool = "{folder}/spool"
[log]
format = "json"
[[pbx]]
node = "bench"
resync_every = 3600
[pbx.ami]
port = {port}
secret = "bench"
"""
WEB = """
[web]
port = {web}
"""
PATIENCE_S = 60
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Heard = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Daemon:
    """A daemon that runs; `first`: seconds from its start to the first line waited for, `web`: its pages' port."""

    process: asyncio.subprocess.Process
    first: float
    web: int

    def rss(self) -> float:
        """Resident memory in MB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6

    def cpu(self) -> float:
        """Processor seconds so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)


@asynccontextmanager
async def daemon(
    serve: Serve, awaited: Heard, wanted: int = 1, *, web: bool = False, url: str | None = None
) -> AsyncIterator[Daemon]:
    """The daemon, once so many lines of its log were awaited ones; its database is that one, or a new SQLite file."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ami, pages = server.sockets[0].getsockname()[1], free_port()
    with tempfile.TemporaryDirectory() as folder:
        config, base = Path(folder) / "bench.toml", url or f"sqlite:///{folder}/bench.sqlite3"
        text = SETTINGS.format(folder=folder, url=base, port=ami) + (WEB.format(web=pages) if web else "")
        config.write_text(text)
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbxmonitor", "--config", str(config), "run"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        first = await _heard(process, awaited, wanted, began)
        reading = asyncio.ensure_future(_read_on(process))
        try:
            yield Daemon(process, first, pages)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            await reading
            server.close()
            await server.wait_closed()


async def _heard(process: asyncio.subprocess.Process, awaited: Heard, wanted: int, began: float) -> float:
    assert process.stdout is not None
    seen, first = 0, 0.0
    async with asyncio.timeout(PATIENCE_S):
        while seen < wanted:
            line = await process.stdout.readline()
            assert line, "the daemon ended by itself"
            if awaited(line):
                first, seen = first or time.perf_counter() - began, seen + 1
    return first


async def _read_on(process: asyncio.subprocess.Process) -> None:
    """Who does not read its log makes it wait."""
    assert process.stdout is not None
    while await process.stdout.read(1 << 16):
        pass


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def logged_in(url: str, *accounts: Account) -> list[str]:
    """Make the tables, those accounts and a session of each; what their browsers hold."""
    await upgrade(url)
    engine, now = connect(url), datetime.now(UTC)

    def entered(connection: sa.Connection) -> list[str]:
        for each in accounts:
            add(connection, each, "bench", now)
        longest = WebSettings().session_longest
        return [open_session(connection, each.name, now, longest) for each in accounts]

    try:
        return await writing(engine, entered)
    finally:
        await engine.dispose()
