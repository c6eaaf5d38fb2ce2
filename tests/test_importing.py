"""Files and tables that Asterisk kept become rows; what cannot be read is kept aside, and nothing counts twice."""

import asyncio
import csv
import gzip
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.importing import ImportingError, Report, run
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.settings import Settings
from pbxmonitor.store import schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.types import connect, reading
from tests.store.test_recompute import record, rows, unchanged

SCENARIOS: Final = Path(__file__).parent / "scenarios"
# Not those that a daemon heard in part: of them the logs tell more.
TAPES: Final = [tape for tape in sorted(SCENARIOS.glob("*/*.ami")) if not tape.stem.startswith("heard_")]
LOG: Final = """\
1790000000|NONE|NONE|Анна|PAUSEALL|обед
1790000600|NONE|NONE|Анна|UNPAUSEALL|
1790001000|1790001000.1|sales|NONE|ENTERQUEUE||+79161234501|1
1790001015|1790001000.1|sales|Анна|RINGNOANSWER|15000
1790001020|1790001000.1|sales|NONE|ABANDON|1|1|20
1790001100|1790001100.2|sales|NONE|ENTERQUEUE||+79161234502|1
1790001104|1790001100.2|sales|Анна|CONNECT|4|1790001101.3|3
1790001200|1790001100.2|sales|Анна|COMPLETECALLER|4|96|1
"""


@pytest.fixture
def site(tmp_path: Path) -> Settings:
    """A site with an empty database of its own."""
    url = f"sqlite:///{tmp_path / 'rows.sqlite3'}"
    return Settings(database={"url": url}, timezone="Europe/Moscow")  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "queue_log"
    path.write_text(LOG, "utf-8")
    return path


def fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def found(settings: Settings, work: Callable[[sa.Connection], Any]) -> Any:
    engine = connect(settings.database.full_url)
    try:
        return await reading(engine, work)
    finally:
        await engine.dispose()


async def calls(settings: Settings) -> list[tuple[Any, ...]]:
    call = schema.call.c
    wanted = sa.select(call.key, call.caller, call.disposition, call.source).order_by(call.started_at)
    return [tuple(row) for row in await found(settings, lambda connection: connection.execute(wanted).all())]


async def agents(settings: Settings) -> list[str]:
    wanted = sa.select(schema.agent.c.agent).order_by(schema.agent.c.agent)
    return list(await found(settings, lambda connection: connection.execute(wanted).scalars().all()))


CALLS: Final = [
    ("1790001000.1", "+79161234501", "abandoned", "queue_log"),
    ("1790001100.2", "+79161234502", "answered", "queue_log"),
]


async def test_a_file_becomes_rows_once(site: Settings, log: Path) -> None:
    heard: list[tuple[int, int]] = []
    report = await run(site, log, "queue_log", "main", lambda done, of: heard.append((done, of)))
    assert (report.lines, report.new, report.bad, report.aside, report.intervals > 0) == (8, 2, 0, None, True)
    assert await calls(site) == CALLS
    assert await agents(site) == ["Анна"]
    assert heard[-1] == (len(LOG.encode()), len(LOG.encode()))
    first = await found(site, rows)
    again = await run(site, str(log), "queue_log", "main")
    assert (again.new, again.changed, again.same, again.left) == (0, 0, 2, 0)
    assert await found(site, rows) == first
    assert len(first["callback"]) == 1
    assert not log.with_name("queue_log.bad").exists()


async def test_the_days_are_rolled_up(site: Settings, log: Path) -> None:
    await run(site, log, "queue_log", "main")
    days = await found(site, lambda connection: connection.execute(sa.select(schema.rollup)).all())
    assert days
    assert all(row.fresh for row in days)


async def test_a_packed_file_is_read_as_the_plain_one(site: Settings, log: Path) -> None:
    packed = log.with_name("queue_log-20260921.gz")
    packed.write_bytes(gzip.compress(LOG.encode()))
    heard: list[tuple[int, int]] = []
    assert (await run(site, packed, "queue_log", "main", lambda done, of: heard.append((done, of)))).new == 2
    assert await calls(site) == CALLS
    assert heard[-1] == (packed.stat().st_size, packed.stat().st_size)


async def test_of_a_broken_packed_file_what_can_be_read_is_imported(site: Settings, log: Path) -> None:
    packed = log.with_name("queue_log.1.gz")
    packed.write_bytes(gzip.compress((LOG * 50).encode(), 0)[: len(LOG.encode()) + 200])
    report = await run(site, packed, "queue_log", "main")
    assert (report.new, report.bad) == (2, 1)
    assert report.shown[0].reason.startswith("the packed file is broken here")


async def test_names_in_windows_1251_survive_line_by_line(site: Settings, log: Path) -> None:
    lines = LOG.splitlines(keepends=True)
    fill(log, "".join(lines[:2]).encode("cp1251") + "".join(lines[2:]).encode())
    await run(site, log, "queue_log", "main")
    assert await agents(site) == ["Анна"]


async def test_bytes_that_are_no_text_at_all_do_no_harm(site: Settings, log: Path) -> None:
    fill(log, LOG.encode().replace("Анна".encode(), b"\x98\xff\x00"))
    report = await run(site, log, "queue_log", "main")
    assert (report.new, report.bad) == (2, 0)
    assert len(await agents(site)) == 1


async def test_bad_lines_are_counted_shown_and_kept_aside(site: Settings, log: Path) -> None:
    bad = [f"garbage {number}" for number in range(7)]
    fill(log, "\n".join([*bad, LOG]).encode())
    report = await run(site, log, "queue_log", "main")
    assert (report.lines, report.new, report.bad) == (15, 2, 7)
    assert [(line.number, line.text) for line in report.shown] == list(enumerate(bad[:5], 1))
    assert report.aside == log.with_name("queue_log.bad")
    kept = list(csv.reader(report.aside.read_text("utf-8").splitlines()))
    assert [(name, int(number), text) for name, number, _, text in kept] == [
        ("queue_log", number, text) for number, text in enumerate(bad, 1)
    ]
    assert all(reason for _, _, reason, _ in kept)


async def test_bad_lines_go_to_the_folder_asked_for(site: Settings, log: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "aside").mkdir()
    fill(log, b"garbage")
    assert (await run(site, log, "queue_log", "main", aside=folder)).aside == folder / "queue_log.bad"


async def test_that_there_is_nowhere_to_keep_them_stops_nothing(site: Settings, log: Path, tmp_path: Path) -> None:
    fill(log, f"garbage\n{LOG}".encode())
    report = await run(site, log, "queue_log", "main", aside=tmp_path / "missing")
    assert (report.new, report.bad, report.aside) == (2, 1, None)
    assert report.not_kept == f"{tmp_path / 'missing' / 'queue_log.bad'}: No such file or directory"


async def test_a_file_that_is_not_there_says_so(site: Settings, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        await run(site, tmp_path / "nothing", "queue_log", "main")
    assert error.value.filename == str(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("fmt", "node", "told"),
    [
        ("xml", "main", "xml: is not a format; give one of queue_log, cdr-csv, cel-csv"),
        ("queue_log", "Главная", "Главная: is not a node; give a short name of a-z, 0-9, - and _"),
    ],
)
async def test_what_cannot_be_asked_is_told_in_one_line(
    site: Settings, log: Path, fmt: str, node: str, told: str
) -> None:
    with pytest.raises(ImportingError) as error:
        await run(site, log, fmt, node)
    assert str(error.value) == told


# tables


def table(path: Path, create: str, values: list[tuple[Any, ...]]) -> str:
    """The url of somebody else's SQLite file with that table."""
    made = sqlite3.connect(path)
    with made:
        made.execute(create)
        name = create.split()[2]
        made.executemany(f"INSERT INTO {name} VALUES ({','.join('?' * len(values[0]))})", values)
    made.close()
    return f"sqlite:///{path}"


QUEUE_LOG: Final = (
    "CREATE TABLE queue_log (id INTEGER PRIMARY KEY, time TEXT, callid TEXT, queuename TEXT, agent TEXT, event TEXT,"
    " data1 TEXT, data2 TEXT, data3 TEXT, data4 TEXT, data5 TEXT)"
)


def realtime(zone: ZoneInfo) -> list[tuple[Any, ...]]:
    """The same log as Asterisk writes it into a table: local times, five columns of data."""
    found = []
    for number, line in enumerate(LOG.splitlines()):
        at, *fields = line.split("|")
        local = datetime.fromtimestamp(int(at), zone).strftime("%Y-%m-%d %H:%M:%S.%f")
        found.append((number, local, *fields, *[""] * (9 - len(fields))))
    return found


async def test_a_realtime_table_tells_what_the_file_tells(site: Settings, log: Path, tmp_path: Path) -> None:
    await run(site, log, "queue_log", "main")
    before = await found(site, rows)
    url = table(tmp_path / "asterisk.sqlite3", QUEUE_LOG, realtime(ZoneInfo("Europe/Moscow")))
    heard: list[tuple[int, int]] = []
    report = await run(site, url, "queue_log", "main", lambda done, of: heard.append((done, of)))
    assert (report.lines, report.same, report.new, report.changed) == (8, 2, 0, 0)
    assert heard[-1] == (8, 8)
    assert await found(site, rows) == before


async def test_times_without_an_offset_are_of_the_zone_that_is_given(site: Settings, tmp_path: Path) -> None:
    url = table(tmp_path / "asterisk.sqlite3", QUEUE_LOG, realtime(ZoneInfo("Asia/Tokyo")))
    await run(site, url, "queue_log", "main", zone=ZoneInfo("Asia/Tokyo"))
    call = schema.call.c
    began = await found(site, lambda c: c.execute(sa.select(sa.func.min(call.started_at))).scalar_one())
    assert began == datetime.fromtimestamp(1790001000, UTC)


async def test_bad_rows_of_a_table_are_kept_under_its_name(site: Settings, tmp_path: Path) -> None:
    bad = (9, "yesterday", "1.1", "sales", "NONE", "ENTERQUEUE", "", "", "", "", "")
    values = [*realtime(ZoneInfo("Europe/Moscow")), bad]
    url = table(tmp_path / "asterisk.sqlite3", QUEUE_LOG.replace("queue_log", "queuelog", 1), values)
    report = await run(site, url, "queue_log", "main", table="queuelog", aside=tmp_path)
    assert (report.new, report.bad, report.aside) == (2, 1, tmp_path / "queuelog.bad")


@pytest.mark.parametrize(
    ("fmt", "name", "told"),
    [
        ("cel-csv", None, r"has no table cel; it has queue_log$"),
        (
            "cel-csv",
            "queue_log",
            r"^table queue_log has no column eventtime, eventtype, linkedid, uniqueid; it has id,",
        ),
        ("cdr-csv", "queue_log", r"^table queue_log has no column channel, disposition, uniqueid; it has id,"),
    ],
)
async def test_a_missing_table_or_column_is_one_clear_line(
    site: Settings, tmp_path: Path, fmt: str, name: str | None, told: str
) -> None:
    url = table(tmp_path / "asterisk.sqlite3", QUEUE_LOG, realtime(ZoneInfo("UTC")))
    with pytest.raises(ImportingError, match=told):
        await run(site, url, fmt, "main", table=name)


# recordings


def kept_by_asterisk(tape: Path) -> list[tuple[Path, str]]:
    """The files that Asterisk itself wrote of a recording, and their formats."""
    files = ((tape.with_suffix(".queue_log"), "queue_log"), (tape.with_suffix(".cdr.csv"), "cdr-csv"))
    return [(path, fmt) for path, fmt in files if path.exists()]


@pytest.fixture
def greenwich(tmp_path: Path) -> Settings:
    """Where the recordings were made."""
    url = f"sqlite:///{tmp_path / 'greenwich.sqlite3'}"
    return Settings(database={"url": url}, timezone="UTC")  # type: ignore[arg-type]


async def told_by(settings: Settings, tape: Path, node: str, aside: Path) -> list[Report]:
    return [await run(settings, path, fmt, node, aside=aside) for path, fmt in kept_by_asterisk(tape)]


async def test_what_was_recorded_live_is_not_told_again_by_any_log(greenwich: Settings, tmp_path: Path) -> None:
    """Every call of every third recording and of those in which agents are consulted, from queue_log and from CDR."""
    tapes = sorted({*TAPES[::3], *(tape for tape in TAPES if tape.stem.startswith("attended_to"))})
    await upgrade(greenwich.database.full_url)
    engine = connect(greenwich.database.full_url)
    told = 0
    for number, tape in enumerate(tapes):
        node = f"v{tape.parent.name}-{number}"
        await record(engine, list(facts_of(frames_of(tape), Site(node=node))), Policy())
        before = await reading(engine, calls_alone)
        reports = await told_by(greenwich, tape, node, tmp_path)
        assert [(report.new, report.changed, report.bad) for report in reports] == [(0, 0, 0)] * len(reports), tape
        assert await reading(engine, calls_alone) == before
        told += sum(report.left for report in reports)
    await engine.dispose()
    assert told > len(tapes)


def calls_alone(connection: sa.Connection) -> dict[str, Any]:
    """All that there is but stretches of availability, days, and who there is."""
    return {
        name: table
        for name, table in rows(connection).items()
        if name not in ("agent_interval", "agent_day", "call_hour", "agent")
    }


async def test_logs_alone_leave_rows_that_hold_together(greenwich: Settings, tmp_path: Path) -> None:
    """CDR first, queue_log over it, and both again: the second time nothing changes, nor does judging again."""
    both = [
        (node, path, fmt)
        for number, tape in enumerate(TAPES[::3])
        for node in [f"v{tape.parent.name}-{number}"]
        for path, fmt in reversed(kept_by_asterisk(tape))
    ]
    assert sum([(await run(greenwich, path, fmt, node, aside=tmp_path)).new for node, path, fmt in both]) > 20
    first = await found(greenwich, rows)
    for node, path, fmt in both:
        report = await run(greenwich, path, fmt, node, aside=tmp_path)
        assert (report.new, report.changed) == (0, 0), path
    assert await found(greenwich, rows) == first
    engine = connect(greenwich.database.full_url)
    begin = datetime.fromtimestamp(0, UTC) + timedelta(days=2)
    assert unchanged(await recompute(engine, Policy(), begin=begin))
    await engine.dispose()


async def test_an_import_in_the_wrong_zone_is_put_right_by_another(site: Settings, tmp_path: Path) -> None:
    """Calls, callbacks and all move to their own time."""
    files = kept_by_asterisk(SCENARIOS / "16" / "two_misses_join.ami")
    for zone in ("Europe/Moscow", "UTC"):
        for path, fmt in files:
            await run(site, path, fmt, "main", aside=tmp_path, zone=ZoneInfo(zone))
        begin = datetime(2026, 1, 1, tzinfo=UTC)
        engine = connect(site.database.full_url)
        assert unchanged(
            await recompute(engine, Policy(hours=WorkingHours(zone=ZoneInfo("Europe/Moscow"))), begin=begin)
        )
        await engine.dispose()
    debt = schema.callback.c
    wanted = sa.select(debt.number, debt.state, debt.priority, debt.opened_at)
    (row,) = await found(site, lambda connection: connection.execute(wanted).all())
    assert tuple(row) == ("+79161230016", "reached", 2, datetime(2026, 11, 23, 11, 20, 57, tzinfo=UTC))


def test_the_import_can_be_asked_for_outside_of_a_loop(site: Settings, log: Path) -> None:
    assert asyncio.run(run(site, log, "queue_log", "main")).new == 2
