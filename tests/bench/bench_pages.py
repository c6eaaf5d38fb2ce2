"""(k) The journal by HTTP over many calls; (l) the first load of Now: bytes and time.

(k) is run by bench_reports on its databases; `python -m tests.bench.bench_pages [URL]` runs (l), or (k) on a database
that bench_reports has filled. The daemon runs as its own process with [web].
"""

import asyncio
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode, urljoin

import httpx

from pbxmonitor.store.accounts import Account
from pbxmonitor.web.auth import COOKIE
from tests.bench.bench_daemon import Asterisk
from tests.bench.process import Daemon, daemon, logged_in

MOST_S, MOST_BYTES, MOST_LOAD_S = 0.2, 60_000, 0.3
TIMES = 5
DEEP = 40
CHROMIUM = os.environ.get("PBXMONITOR_TEST_CHROMIUM", "/usr/bin/chromium")
YEAR = {"from": "2025-11-01", "to": "2026-10-31"}
MONTH = {"from": "2026-03-01", "to": "2026-03-31"}
# A few pages as people ask for them; each also after many others.
ASKED: Mapping[str, Mapping[str, object]] = {
    "all of the year": YEAR,
    "missed control": {**YEAR, "missed_control": 1},
    "one agent": {**YEAR, "agent": "150"},
    "one agent, missed control": {**YEAR, "agent": "150", "missed_control": 1},
    "one agent, green": {**YEAR, "agent": "150", "colour": "green"},
    "one queue": {**YEAR, "queue": "q07"},
    "one queue, red, a month": {**MONTH, "queue": "q07", "colour": "red"},
    "a whole number": {**YEAR, "number": "8 916 000-79-19"},
    "a part of a number, a month": {**MONTH, "number": "1234"},
    "green": {**YEAR, "colour": "green"},
    "ignored": {**YEAR, "cause": "ignored"},
    "talks over 5 min": {**YEAR, "min_talk": 300},
}
HEAVY: Mapping[str, float] = {"stuck": 3.0, "patterns": 3.0}


async def journal(kind: str, url: str) -> bool:
    """Print how long the journal's pages and answers take over that database; whether each is quick enough."""
    viewer = Account(name=f"bench{time.time_ns()}", role="manager", language="ru")
    (cookie,) = await logged_in(url, viewer)
    # With nothing to follow it serves pages alone; what it rolls up has been rolled up.
    async with (
        daemon(Asterisk(0, 0).serve, lambda line: b"web_listens" in line, web=True, url=url) as running,
        _browser(running, cookie) as browser,
    ):
        await browser.get("/journal")
        slow = [await _asked(kind, browser, name, query) for name, query in ASKED.items()]
        for path, limit in HEAVY.items():
            for name, query in (("a month", MONTH), ("the year", YEAR)):
                took, _ = await _timed(browser, f"/{path}?{urlencode(query)}", times=3)
                slow.append(took > limit)
                print(f"    {kind:<11}/{path}, {name:<38}{took:6.3f} s (at most {limit:.0f})")
    return not any(slow)


def _browser(running: Daemon, cookie: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.web}", cookies={COOKIE: cookie}, timeout=120)


async def _asked(kind: str, browser: httpx.AsyncClient, name: str, query: Mapping[str, object]) -> bool:
    """The first page of both, and one after many others; True when any is too slow."""
    words = urlencode(query)
    first, found = await _timed(browser, f"/api/v1/calls?{words}")
    page, _ = await _timed(browser, f"/journal?{words}")
    cursor, deep = found.json()["next"], None
    for _ in range(DEEP):
        if cursor is None:
            break
        cursor = (await browser.get(f"/api/v1/calls?{words}&limit=500&cursor={cursor}")).json()["next"]
    if cursor is not None:
        deep, _ = await _timed(browser, f"/journal?{words}&after={cursor}")
    after = f"{deep:6.3f} s" if deep is not None else "       -"
    slow = max(first, page, deep or 0) > MOST_S
    print(f"    {kind:<11}journal: {name:<32} page {page:6.3f} s, API {first:6.3f} s, deep {after} (at most {MOST_S})")
    return slow


async def _timed(browser: httpx.AsyncClient, address: str, times: int = TIMES) -> tuple[float, httpx.Response]:
    """The median of some answers, the first of which warms up."""
    took: list[float] = []
    for _ in range(times + 1):
        began = time.perf_counter()
        found = await browser.get(address)
        took.append(time.perf_counter() - began)
        found.raise_for_status()
    return sorted(took[1:])[times // 2], found


async def first_load() -> bool:
    """Print what a first visit of Now costs beside 30 employees and 10 open calls; whether the marks hold."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.sqlite3"
        (cookie,) = await logged_in(url, Account(name="chief", role="manager", language="ru"))
        async with daemon(Asterisk(30, 10).serve, _told, 40, web=True, url=url) as running:
            async with _browser(running, cookie) as browser:
                await browser.get("/now")
                loads = [await _load(browser) for _ in range(TIMES)]
            print("(l) first load of Now: " + ", ".join(f"{name} {size}" for name, size in loads[-1][1].items()))
            took, size = sorted(took for took, _ in loads)[TIMES // 2], sum(loads[-1][1].values())
            print(f"    {size} bytes in all (at most {MOST_BYTES}), by httpx in {took:.3f} s (at most {MOST_LOAD_S})")
            seen = await _in_chromium(f"http://127.0.0.1:{running.web}", cookie)
    return size <= MOST_BYTES and max(took, seen) <= MOST_LOAD_S


def _told(line: bytes) -> bool:
    return b"agent_state" in line or b"call_began" in line


async def _load(browser: httpx.AsyncClient) -> tuple[float, dict[str, int]]:
    """Seconds for the document and then, together, all that it names; bytes of each as they came, headers too."""
    began = time.perf_counter()
    document, size = await _got(browser, "/now")
    text, sizes = document.decode(), {"/now": size}
    named = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="([^"#?]+)', text) + re.findall(
        r'<use href="([^"#]+)', text
    )
    wanted = sorted({urljoin("/now", name) for name in named} - {"/now"})
    wanted = [name for name in wanted if "." in name]  # pages that the menu leads to are not loaded
    parts = await asyncio.gather(*(_got(browser, name) for name in wanted))
    took = time.perf_counter() - began
    return took, sizes | {name: size for name, (_, size) in zip(wanted, parts, strict=True)}


async def _got(browser: httpx.AsyncClient, address: str) -> tuple[bytes, int]:
    async with browser.stream("GET", address) as answer:
        answer.raise_for_status()
        body = await answer.aread()
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
        return body, answer.num_bytes_downloaded + head


async def _in_chromium(address: str, cookie: str) -> float:
    """Seconds until a browser with nothing kept has loaded the page, by its own account; 0 where there is none."""
    if shutil.which(CHROMIUM) is None:
        print("    no Chromium here: not measured in a browser")
        return 0.0
    from playwright.async_api import async_playwright

    took: list[tuple[float, float, int]] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for _ in range(TIMES + 1):
            context = await browser.new_context(locale="ru-RU")
            await context.add_cookies([{"name": COOKIE, "value": cookie, "url": address}])
            page = await context.new_page()
            await page.goto(f"{address}/now", wait_until="load")
            took.append(tuple(await page.evaluate(_PERFORMANCE)))
            await context.close()
        await browser.close()
    took = took[1:]
    load, painted = (sorted(each[place] for each in took)[TIMES // 2] / 1000 for place in (0, 1))
    print(
        f"    in Chromium: loaded in {load:.3f} s, painted in {painted:.3f} s (at most {MOST_LOAD_S}), "
        f"{took[-1][2]} bytes; load average {os.getloadavg()[0]:.1f}"
    )
    return load


_PERFORMANCE = """() => {
  const all = performance.getEntriesByType("resource").filter((each) => !each.name.includes("stream"));
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const bytes = all.reduce((sum, each) => sum + each.transferSize, page.transferSize);
  return [page.loadEventStart, paint ? paint.startTime : page.loadEventStart, bytes];
}"""


def main(words: Sequence[str] = ()) -> bool:
    """Run (l), or (k) on that database; whether the marks hold."""
    print(f"    at {datetime.now(UTC):%H:%M} UTC, load average {os.getloadavg()[0]:.1f}")
    return asyncio.run(journal(words[0].partition(":")[0], words[0]) if words else first_load())


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
