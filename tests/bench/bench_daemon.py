"""(d) Memory of the daemon, idle and with 500 agents and 200 calls; (e) from its start to the first tracked event."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

MOST_MB = 120
MOST_S = 2.0
GREETING = b"Asterisk Call Manager/11.0.0\r\n"
SETTINGS = """
[database]
url = "sqlite:///{folder}/bench.sqlite3"
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


class Asterisk:
    """Just enough of a manager interface to be logged in to, and then to tell of many calls."""

    def __init__(self, agents: int, calls: int) -> None:
        self._agents, self._calls = agents, calls
        self.server: asyncio.Server | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(line.split(": ", 1) for line in lines if ": " in line)
                writer.write("".join(self._answers(fields)).encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answers(self, fields: dict[str, str]) -> list[str]:
        action, asked = fields["Action"], f"ActionID: {fields['ActionID']}\r\n"
        if action == "Challenge":
            return [f"Response: Success\r\n{asked}Challenge: 1\r\n\r\n"]
        if action == "QueueStatus":
            members = (_member(number, asked) for number in range(self._agents))
            start = f"Response: Success\r\n{asked}EventList: start\r\n\r\n"
            return [start, *members, f"Event: QueueStatusComplete\r\n{asked}EventList: Complete\r\n\r\n"]
        if action == "CoreShowChannels":
            end = f"Event: CoreShowChannelsComplete\r\n{asked}EventList: Complete\r\n\r\n"
            start = f"Response: Success\r\n{asked}EventList: start\r\n\r\n"
            return [start, end, *(_call(number) for number in range(self._calls))]
        return [f"Response: Success\r\n{asked}Message: ok\r\n\r\n"]


def _member(number: int, asked: str) -> str:
    return (
        f"Event: QueueMember\r\nQueue: q{number % 20}\r\nName: Agent {number}\r\nLocation: PJSIP/{1000 + number}\r\n"
        f"Paused: 0\r\nWrapuptime: 0\r\n{asked}\r\n"
    )


def _call(number: int) -> str:
    caller, phone = f"17954{number:05}.1", f"17954{number:05}.2"
    told = f"Timestamp: {time.time():.6f}\r\n"
    return (
        f"Event: Newchannel\r\n{told}Channel: PJSIP/trunk-{number:08x}\r\nChannelState: 4\r\nContext: from-trunk\r\n"
        f"CallerIDNum: +7916{number:07}\r\nExten: 1001\r\nUniqueid: {caller}\r\nLinkedid: {caller}\r\n\r\n"
        f"Event: QueueCallerJoin\r\n{told}Uniqueid: {caller}\r\nLinkedid: {caller}\r\nQueue: q{number % 20}\r\n\r\n"
        f"Event: Newchannel\r\n{told}Channel: PJSIP/{1000 + number}-{number:08x}\r\nChannelState: 0\r\n"
        f"Context: from-internal\r\nCallerIDNum: {1000 + number}\r\nUniqueid: {phone}\r\nLinkedid: {caller}\r\n\r\n"
        f"Event: AgentCalled\r\n{told}Uniqueid: {caller}\r\nDestUniqueid: {phone}\r\nQueue: q{number % 20}\r\n"
        f"Interface: PJSIP/{1000 + number}\r\n\r\n"
    )


@asynccontextmanager
async def daemon(agents: int, calls: int) -> AsyncIterator[tuple[asyncio.subprocess.Process, float]]:
    """The daemon as its own process; with it the seconds from its start to its first tracked event."""
    server = await asyncio.start_server(Asterisk(agents, calls).serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.toml"
        config.write_text(SETTINGS.format(folder=folder, port=port))
        began = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pbxmonitor", "--config", str(config), "run"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert process.stdout is not None
        wanted, seen, first = agents + calls, 0, 0.0
        async with asyncio.timeout(60):
            while seen < wanted:
                line = await process.stdout.readline()
                assert line, "the daemon ended by itself"
                if b"agent_state" in line or b"call_began" in line:
                    first, seen = first or time.perf_counter() - began, seen + 1
        try:
            yield process, first
        finally:
            process.terminate()
            await process.communicate()
            server.close()
            await server.wait_closed()


async def measure() -> bool:
    async with daemon(1, 0) as (process, first):
        await asyncio.sleep(2)
        idle = psutil.Process(process.pid).memory_info().rss / 1e6
    async with daemon(500, 200) as (process, _):
        await asyncio.sleep(2)
        busy = psutil.Process(process.pid).memory_info().rss / 1e6
    print(f"(d) memory: {idle:.0f} MB idle, {busy:.0f} MB with 500 agents and 200 open calls (at most {MOST_MB})")
    print(f"(e) start to the first tracked event: {first:.2f} s (at most {MOST_S:.0f})")
    return max(idle, busy) <= MOST_MB and first <= MOST_S


def main() -> bool:
    """Print both; whether they hold."""
    return asyncio.run(measure())


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
