"""(i) From an event on the wire to the tile on a page; (j) what many open dashboards cost: CPU and memory.

`python -m tests.bench.bench_live [SECONDS]`. The daemon runs as its own process with [web], on SQLite; every one of the
300 events a second is one that it follows (calls played as they happened, tests/bench/telling.py).
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from pbxmonitor.store.accounts import Account
from tests.bench.process import Daemon, daemon, logged_in
from tests.bench.telling import Telling

RATE = 300
SECONDS = 60.0
WARM_S = 20.0
WATCHERS = 200
MOST_P99_S = 0.150
MOST_CPU = 0.60
MOST_GROWTH_MB = 10.0
# Each has an account of his own. Most see everything, some of them in English; a few see their own numbers only.
EMPLOYEES = tuple(Account(name=f"e{n}", role="employee", person=f"1{n:02d}1", language="ru") for n in range(20))
MANAGERS = tuple(
    Account(name=f"m{n}", role="manager", language="en" if n % 10 == 0 else "ru") for n in range(WATCHERS - 20)
)


async def seen_at(port: int, cookie: str, seen: dict[str, float]) -> None:
    """Watch one page's stream, and note when each mark was in it first."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: pbxmonitor_session=%s\r\n\r\n" % cookie.encode())
    try:
        while line := await reader.readline():
            at = time.perf_counter()
            for part in line.split(b'"mark')[1:]:
                seen.setdefault(f"mark{part[:6].decode()}", at)
    finally:
        writer.close()


def quantile(sorted_times: Sequence[float], part: float) -> float:
    """Nearest rank."""
    return sorted_times[min(int(len(sorted_times) * part), len(sorted_times) - 1)]


@asynccontextmanager
async def telling(seconds: float) -> AsyncIterator[tuple[Telling, Daemon, list[str]]]:
    """The daemon at rest beside a PBX that waits for `begin`, and the cookies of those who may look."""
    with tempfile.TemporaryDirectory() as folder:
        url, told = f"sqlite:///{folder}/bench.sqlite3", Telling(RATE, seconds)
        cookies = await logged_in(url, *EMPLOYEES, *MANAGERS)
        async with daemon(told.serve, lambda line: b"agent_state" in line, web=True, url=url) as running:
            async with asyncio.timeout(30):
                await told.asked.wait()
            yield told, running, cookies


@asynccontextmanager
async def watched(running: Daemon, count: int, seconds: float, cookies: Sequence[str]) -> AsyncIterator[None]:
    """So many dashboards in a process of their own meanwhile; what they heard is printed in the end."""
    words = (str(running.web), str(count), str(seconds), *cookies)
    looking = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.dashboards", *words), stdout=asyncio.subprocess.PIPE
    )
    try:
        yield
        out, _ = await looking.communicate()
        heard = json.loads(out)
        print("    " + ", ".join(f"{value} {name}" for name, value in heard.items()))
        assert not heard.get("broken"), "streams broke off"
    finally:
        with suppress(ProcessLookupError):
            looking.kill()


async def latency(seconds: float, dashboards: int = 0) -> list[float]:
    """Seconds from the wire to the page, of each mark, beside so many dashboards."""
    async with telling(seconds + WARM_S) as (told, running, cookies):
        seen: dict[str, float] = {}
        watching = asyncio.ensure_future(seen_at(running.web, cookies[-1], seen))
        async with _beside(running, dashboards, seconds + WARM_S, cookies):
            told.begin.set()
            await asyncio.sleep(WARM_S)
            warm = set(told.sent)
            await asyncio.sleep(seconds)
            await asyncio.sleep(1)
        watching.cancel()
        lost = [mark for mark in told.sent if mark not in seen and mark not in warm]
        assert len(lost) <= 1, f"never shown: {lost[:5]} and others, {len(lost)} of {len(told.sent)}"
        print(f"    {told.told} events told, at most {1000 * told.late:.0f} ms late")
        return sorted(seen[mark] - at for mark, at in told.sent.items() if mark in seen and mark not in warm)


@asynccontextmanager
async def _beside(running: Daemon, count: int, seconds: float, cookies: Sequence[str]) -> AsyncIterator[None]:
    if not count:
        yield
        return
    async with watched(running, count, seconds, cookies):
        yield


async def load(seconds: float) -> tuple[float, list[float]]:
    """The daemon's share of one core under the dashboards and the events, and its memory meanwhile, every 5 s."""
    async with telling(seconds + WARM_S) as (told, running, cookies):
        async with watched(running, WATCHERS, seconds + WARM_S, cookies):
            told.begin.set()
            await asyncio.sleep(WARM_S)
            worked, began, memory = running.cpu(), time.perf_counter(), [running.rss()]
            while time.perf_counter() - began < seconds - 1:
                await asyncio.sleep(min(5.0, seconds))
                memory.append(running.rss())
            share = (running.cpu() - worked) / (time.perf_counter() - began)
        print(f"    {told.told} events told, at most {1000 * told.late:.0f} ms late")
        return share, memory


def main(seconds: float = SECONDS) -> bool:
    """Print both; whether the marks hold."""
    print(f"(i) from the wire to the page at {RATE} events/s, every one followed, for {seconds:.0f} s")
    times = asyncio.run(latency(seconds))
    p50, p99 = quantile(times, 0.5), quantile(times, 0.99)
    print(
        f"    {len(times)} changes: half within {1000 * p50:.0f} ms, 99 of 100 within {1000 * p99:.0f} ms (at most"
        f" {1000 * MOST_P99_S:.0f}), the slowest {1000 * times[-1]:.0f} ms; load average {os.getloadavg()[0]:.1f}"
    )
    print(f"(j) {WATCHERS} dashboards, a tenth of them coming and going, at {RATE} events/s for {seconds:.0f} s")
    share, memory = asyncio.run(load(seconds))
    third = max(len(memory) // 3, 1)
    growth = sum(memory[-third:]) / third - sum(memory[:third]) / third
    print(
        f"    {100 * share:.0f} % of one core (at most {100 * MOST_CPU:.0f}); memory {memory[0]:.0f} MB, then"
        f" {memory[-1]:.0f} MB, last third {growth:+.1f} MB (at most {MOST_GROWTH_MB:.0f}); load average"
        f" {os.getloadavg()[0]:.1f}"
    )
    return p99 <= MOST_P99_S and share <= MOST_CPU and growth <= MOST_GROWTH_MB


if __name__ == "__main__":
    sys.exit(0 if main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS) else 1)
