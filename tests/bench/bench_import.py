"""From queue_log to calls: lines a second through `read_lines` and `QueueLog.take`; from calls to rows: calls a second.

`python -m tests.bench.bench_import [LINES]`: a generated log (300,000 lines) of 40 agents in 8 queues, calls of 15,000
clients that overlap, rings without answer, abandoned and transferred calls, pauses; best of five. Then 20,000 such
calls written to each database there is, callbacks included, beside a bare insert of the same rows.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count, islice
from random import Random

from sqlalchemy.exc import DBAPIError

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.queue_log import BadLine, QueueLog, read_lines
from pbxmonitor.store.importing import PORTION, Importer
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect, reading, writing
from tests.bench.bench_store import all_rows, emptied, inserted
from tests.bench.machine import machine
from tests.store.conftest import Server

LINES = 300_000
MARK = 50_000
CALLS = 20_000
CALLS_MARK = 2_000
BEGAN = 1_790_000_000
CLIENTS = 15_000
AGENTS = [f"Agent {number}" for number in range(101, 141)]
SITE = Site(node="main", people={name: name.split()[1] for name in AGENTS})


def diary(lines: int) -> list[str]:
    """A log of that many lines, as a call centre of 40 people writes it."""
    return [line for _, line in sorted(islice(_told(Random(1)), lines), key=lambda each: each[0])]


def _told(random: Random) -> Iterator[tuple[int, str]]:
    """Lines with their times, call by call: two calls begin in five seconds."""
    for number in count():
        at = BEGAN + number * 5 // 2
        yield from _call(random, at, f"{at}.{number}")
        if number % 20 == 0:
            yield from _pause(random, at)


def _call(random: Random, at: int, key: str) -> Iterator[tuple[int, str]]:
    queue = f"q{random.randrange(8)}"
    yield at, f"{at}|{key}|{queue}|NONE|DID|74951234567"
    yield at, f"{at}|{key}|{queue}|NONE|ENTERQUEUE||+7916{random.randrange(CLIENTS):07}|{random.randrange(1, 5)}"
    began = at
    for agent in random.sample(AGENTS, random.randrange(4)):
        at += 15
        yield at, f"{at}|{key}|{queue}|{agent}|RINGNOANSWER|15000"
    agent, at = random.choice(AGENTS), at + random.randrange(2, 12)
    if random.random() < 0.1:
        yield at, f"{at}|{key}|{queue}|{agent}|RINGCANCELED|{random.randrange(1000, 9000)}"
        yield at, f"{at}|{key}|{queue}|NONE|ABANDON|1|1|{at - began}"
        return
    held, talk = at - began, random.randrange(2, 300)
    yield at, f"{at}|{key}|{queue}|{agent}|CONNECT|{held}|{at}.9|{min(held, 9)}"
    end = random.choice(("COMPLETEAGENT|", "COMPLETECALLER|", "COMPLETECALLER|", "BLINDTRANSFER|102|from-internal|"))
    yield at + talk, f"{at + talk}|{key}|{queue}|{agent}|{end}{held}|{talk}|1"


def _pause(random: Random, at: int) -> Iterator[tuple[int, str]]:
    agent, until = random.choice(AGENTS), at + random.randrange(60, 900)
    for moment, word, reason in ((at, "PAUSE", "lunch"), (until, "UNPAUSE", "")):
        yield moment, f"{moment}|NONE|NONE|{agent}|{word}ALL|{reason}"
        for queue in random.sample(range(8), 2):
            yield moment, f"{moment}|NONE|q{queue}|{agent}|{word}|{reason}"


def parsed(lines: list[str]) -> int:
    """Read and taken to the end; how many calls and intervals came of it."""
    log, told = QueueLog(SITE), 0
    for entry in read_lines(lines):
        if isinstance(entry, BadLine):
            raise ValueError(entry.reason)
        for _ in log.take(entry):
            told += 1
    return told + sum(1 for _ in log.finish())


def counted(lines: list[str]) -> dict[tuple[str, str], int]:
    """The plainest loop: how often which agent had which event, no calls, times or numbers made of it."""
    found: dict[tuple[str, str], int] = {}
    for line in lines:
        _, _, _, agent, event, *_ = line.split("|")
        found[agent, event] = found.get((agent, event), 0) + 1
    return found


def _spent(work: Callable[[list[str]], object], log: list[str]) -> float:
    """Seconds of processor time, which a busy machine does not change much; the best of five."""
    best = float("inf")
    for _ in range(5):
        begun = time.process_time()
        work(log)
        best = min(best, time.process_time() - begun)
    return best


def parse_speed(lines: int = LINES) -> bool:
    """Lines a second, printed; whether they reach the mark."""
    log = diary(lines)
    spent, plain = _spent(parsed, log), _spent(counted, log)
    speed = len(log) / spent
    print(
        f"queue_log to calls: {speed:,.0f} lines/s ({len(log):,} lines, {parsed(log):,} calls and intervals; "
        f"mark {MARK:,}); a loop that only counts events {len(log) / plain:,.0f} lines/s, ratio {spent / plain:.1f}"
    )
    return speed >= MARK


def history(calls: int) -> list[Call | Interval]:
    """At least that many calls and the pauses between them, as a log tells them."""
    log = QueueLog(SITE)
    entries = (entry for entry in read_lines(diary(6 * calls)) if not isinstance(entry, BadLine))
    return [*(known for entry in entries for known in log.take(entry)), *log.finish()]


async def written(kind: str, url: str, told: Sequence[Call | Interval]) -> bool:
    """Import into an empty database, then insert the same rows barely; whether the import reaches the mark."""
    await upgrade(url)
    engine = connect(url)
    try:
        importer = Importer(engine, Policy(), node="main", source="queue_log")
        began = time.perf_counter()
        await importer.take(told)
        taken = time.perf_counter() - began
        imported = await importer.finish()
        whole = time.perf_counter() - began
        rows = await reading(engine, all_rows)
        await writing(engine, emptied)
        began, turns = time.perf_counter(), max(imported.new // PORTION, 1)
        for turn in range(turns):
            await writing(engine, partial(inserted, rows=rows, turn=turn, turns=turns))
        bare = time.perf_counter() - began
    finally:
        await engine.dispose()
    calls, offers = imported.new, len(rows["offer"]) / imported.new
    what = (
        f"{calls:,} calls of {offers:.1f} offers, {imported.intervals:,} intervals, {len(rows['callback']):,} callbacks"
    )
    speed = f"{calls / whole:,.0f} calls/s ({what}; {calls / taken:,.0f} before callbacks; mark {CALLS_MARK:,})"
    ratio = f"{bare:.1f} s against {whole:.1f} s, ratio {whole / bare:.1f}"
    print(f"calls to {kind}: {speed}; bare insert of the {sum(map(len, rows.values())):,} rows {ratio}")
    return calls / whole >= CALLS_MARK


def write_speed(calls: int = CALLS) -> bool:
    """Calls a second from domain values to committed rows, printed; whether SQLite and PostgreSQL reach the mark."""
    told = history(calls)
    with tempfile.TemporaryDirectory() as folder:
        held = asyncio.run(written("sqlite", f"sqlite:///{folder}/bench.sqlite3", told))
    return all([held, served("postgresql", told), served("mariadb", told) or True])


def served(kind: str, told: Sequence[Call | Interval]) -> bool:
    """The same on a server; one that is away holds nothing up."""
    server = Server(kind)
    try:
        url = server.create(f"import_{os.getpid()}")
    except (OSError, DBAPIError) as error:
        print(f"calls to {kind}: no server ({error})")
        return True
    try:
        return asyncio.run(written(kind, url, told))
    finally:
        server.drop_all()


def main() -> bool:
    """Print how fast history is read and written; whether both are fast enough."""
    print("(g) history: lines parsed, calls written")
    parsed_fast = parse_speed()
    return write_speed() and parsed_fast


if __name__ == "__main__":
    print(machine())
    sys.exit(0 if main() else 1)
