"""Somebody else's tables are read in order, a few rows at a time, and left as they are."""

import asyncio
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pbxmonitor.store.foreign import ForeignError, foreign_table
from pbxmonitor.store.types import connect, writing
from tests.store.conftest import DATABASES

LINES = sa.Table(
    "queue_log",
    sa.MetaData(),
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("time", sa.DateTime()),
    sa.Column("Agent", sa.String(80)),
)
NOON = datetime.fromisoformat("2026-03-02T12:00:00")
ROWS = [{"id": 5000 - n, "time": NOON + timedelta(seconds=n), "Agent": f"Анна {n}"} for n in range(5000)]


@pytest.fixture(scope="module", params=DATABASES)
def source(request: pytest.FixtureRequest, fresh_database: Callable[[str, str], str]) -> str:
    """The url of a database that another program keeps."""
    url = fresh_database(request.param, "foreign")
    asyncio.run(filled(url))
    return url


async def filled(url: str) -> None:
    engine = connect(url)
    await writing(engine, LINES.metadata.create_all)
    await writing(engine, lambda connection: connection.execute(sa.insert(LINES), ROWS))
    await engine.dispose()


async def test_rows_come_in_order_and_a_few_at_a_time(source: str) -> None:
    async with foreign_table(source, "queue_log") as table:
        assert (list(table.columns), table.total, table.done) == (["id", "time", "Agent"], 5000, 0)
        rows = table.rows(["id", "time"])
        first = await table.pull(rows, 3)
        assert [row["id"] for row in first] == [1, 2, 3]
        assert table.done == table.count == 3
        rest = await table.pull(rows, 10_000)
        assert (len(rest), rest[-1]["Agent"], table.done) == (4997, "Анна 0", 5000)
        assert await table.pull(rows, 1) == []


async def test_they_are_ordered_by_the_first_column_that_there_is(source: str) -> None:
    async with foreign_table(source, "queue_log") as table:
        (row,) = await table.pull(table.rows(["sequence", "time"]), 1)
        assert row["id"] == 5000


async def test_a_table_that_is_not_there_is_told_with_those_that_are(source: str) -> None:
    with pytest.raises(ForeignError, match=r"has no table cel; it has queue_log$"):
        async with foreign_table(source, "cel"):
            pass


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://anna:secret@127.0.0.1:1/asteriskcdrdb", "postgresql://anna:***@127.0.0.1:1/asteriskcdrdb: "),
        ("mysql://anna:secret@127.0.0.1:1/asteriskcdrdb", "mysql://anna:***@127.0.0.1:1/asteriskcdrdb: "),
        ("sqlite:////nowhere/master.db", "/nowhere/master.db: no such file"),
        ("oracle://somewhere", "oracle: is not a known database"),
    ],
)
async def test_a_database_that_is_away_is_told_in_one_line_without_its_password(url: str, told: str) -> None:
    with pytest.raises(ForeignError) as error:
        async with foreign_table(url, "cdr"):
            pass
    assert str(error.value).startswith(told)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_sqlite_file_is_not_touched(tmp_path: Path) -> None:
    """Ours are switched to another kind of journal; Asterisk's own stays as Asterisk made it."""
    path = tmp_path / "master of ?#%.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE cdr (calldate TEXT, channel TEXT)")
        made.execute("INSERT INTO cdr VALUES ('2026-03-02 12:00:00', 'PJSIP/101-1')")
    made.close()
    before = path.read_bytes()
    url = sa.engine.URL.create("sqlite", database=str(path)).render_as_string()
    assert asyncio.run(all_rows(url)) == [{"calldate": "2026-03-02 12:00:00", "channel": "PJSIP/101-1"}]
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


async def all_rows(url: str) -> list[dict[str, object]]:
    async with foreign_table(url, "cdr") as table:
        return [dict(row) for row in await table.pull(table.rows(["calldate"]), 9)]
