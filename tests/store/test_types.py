"""What differs between the databases, and what must not."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import schema
from pbxmonitor.store.types import (
    StoreError,
    UtcDateTime,
    Write,
    async_url,
    connect,
    insert_new,
    planned_anew,
    reading,
    upsert,
    write,
    writing,
)

MOSCOW = timezone(timedelta(hours=3))


def gap(lost_at: datetime, reason: str = "lost") -> dict[str, object]:
    return {"node": "main", "lost_at": lost_at, "restored_at": None, "reason": reason}


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////var/lib/x.sqlite3", "sqlite+aiosqlite"),
        ("postgresql://u@h/b", "postgresql+asyncpg"),
        ("postgresql+psycopg://u@h/b", "postgresql+asyncpg"),
        ("mariadb://u@h/b", "mysql+asyncmy"),
        ("mysql://u@h/b", "mysql+asyncmy"),
    ],
)
def test_a_plain_url_gets_the_asynchronous_driver(url: str, driver: str) -> None:
    assert async_url(url).drivername == driver


def test_mariadb_speaks_all_of_unicode_and_postgresql_takes_sslmode() -> None:
    assert async_url("mariadb://u@h/b").query["charset"] == "utf8mb4"
    assert dict(async_url("postgresql://u@h/b?sslmode=require").query) == {"ssl": "require"}


@pytest.mark.parametrize("url", ["oracle://u:hunter2@h/b", "nonsense hunter2", ""])
def test_an_unknown_database_is_one_line_that_says_what_to_write(url: str) -> None:
    with pytest.raises(StoreError) as error:
        async_url(url)
    assert "postgresql:" in str(error.value)
    assert "hunter2" not in str(error.value)
    assert "\n" not in str(error.value)


def test_a_password_is_in_no_text_of_the_engine() -> None:
    engine = connect("postgresql://u:hunter2@127.0.0.1/b")
    assert "hunter2" not in f"{engine!r} {engine.url} {engine.sync_engine!r}"


async def test_a_moment_comes_back_to_the_microsecond_and_in_utc(engine: AsyncEngine) -> None:
    at = datetime(2026, 3, 29, 4, 30, 0, 123457, tzinfo=MOSCOW)
    await writing(engine, lambda connection: upsert(connection, schema.gap, [gap(at)]))
    kept = await reading(engine, lambda connection: connection.execute(sa.select(schema.gap.c.lost_at)).scalar_one())
    assert (kept, kept.tzinfo) == (at, UTC)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        UtcDateTime().process_bind_param(datetime(2026, 1, 1), sa.create_engine("sqlite://").dialect)  # noqa: DTZ001


async def test_upsert_changes_what_is_there_and_insert_new_leaves_it(engine: AsyncEngine) -> None:
    one, two = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)

    def work(connection: sa.Connection) -> None:
        upsert(connection, schema.gap, [gap(one, "first")])
        upsert(connection, schema.gap, [gap(one, "second"), gap(two, "other")])
        insert_new(connection, schema.gap, [gap(one, "third")])
        insert_new(connection, schema.node, [{"name": "main"}, {"name": "main"}])

    await writing(engine, work)
    rows = await reading(
        engine,
        lambda connection: connection.execute(sa.select(schema.gap.c.reason).order_by("lost_at")).scalars().all(),
    )
    assert rows == ["second", "other"]


async def test_names_that_differ_in_case_or_accent_are_two(engine: AsyncEngine) -> None:
    rows = [{"node": "main", "agent": name} for name in ("Анна", "анна", "Ёлка", "Елка", "a", "á")]
    await writing(engine, lambda connection: insert_new(connection, schema.agent, rows))
    count = sa.select(sa.func.count()).select_from(schema.agent)
    assert await reading(engine, lambda connection: connection.execute(count).scalar_one()) == 6


async def test_a_text_that_no_column_can_hold_is_cut_and_loses_nothing_else(engine: AsyncEngine) -> None:
    rows = [
        {"node": "main", "agent": "x" * 500},
        {"node": "main", "agent": "a\0b"},
        {"node": "main", "agent": "😀" * 90},
    ]
    await writing(engine, lambda connection: insert_new(connection, schema.agent, rows))
    names = await reading(
        engine, lambda connection: connection.execute(sa.select(schema.agent.c.agent)).scalars().all()
    )
    assert sorted(names) == ["ab", "x" * 80, "😀" * 80]


async def test_work_that_breaks_leaves_no_row(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(schema.node), [{"name": "one"}])
        connection.execute(sa.insert(schema.node), [{"name": "one"}])

    with pytest.raises(IntegrityError):
        await writing(engine, work)
    assert await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all()) == []


@pytest.mark.parametrize("many", [2, 120])
async def test_few_rows_and_many_are_written_alike(engine: AsyncEngine, many: int) -> None:
    at = datetime(2026, 3, 29, 4, 30, 0, 123457, tzinfo=UTC)
    row = {"node": "main", "lost_at": at, "restored_at": None, "reason": "C:\\new\tline\n\\N «Ёлка» 😀"}
    rows = [{**row, "lost_at": at + timedelta(microseconds=number)} for number in range(many)]
    rows[1] |= {"restored_at": at.astimezone(MOSCOW), "reason": "x" * 500 + "\0"}
    await writing(engine, lambda connection: write(connection, schema.gap, rows, Write.INSERT))
    gaps = sa.select(schema.gap).order_by("lost_at")
    kept = await reading(engine, lambda connection: connection.execute(gaps).mappings().all())
    rows[1] |= {"reason": "x" * 255}
    assert [{name: each[name] for name in row} for each in kept] == rows


@pytest.mark.parametrize("many", [2, 120])
async def test_a_row_that_is_there_already_is_an_error_and_takes_the_others_along(
    engine: AsyncEngine, many: int
) -> None:
    rows = [{"name": str(number)} for number in range(many)]
    with pytest.raises(IntegrityError) as error:
        await writing(engine, lambda connection: write(connection, schema.node, [*rows, rows[0]], Write.INSERT))
    assert "DETAIL" not in str(error.value)
    assert await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all()) == []
    await writing(engine, lambda connection: write(connection, schema.node, rows, Write.INSERT))
    assert len(await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all())) == many


async def test_many_rows_that_are_written_first_go_when_what_follows_breaks(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        write(connection, schema.node, [{"name": str(number)} for number in range(120)], Write.INSERT)
        raise LookupError

    with pytest.raises(LookupError):
        await writing(engine, work)
    assert await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all()) == []


@pytest.mark.parametrize("many", [2, 120])
@pytest.mark.parametrize("name", [None, "\ud800"])
async def test_what_no_column_can_hold_loses_the_whole_work_and_nothing_else(
    engine: AsyncEngine, name: str | None, many: int
) -> None:
    rows: list[dict[str, object]] = [{"name": str(number)} for number in range(many)]
    with pytest.raises((DBAPIError, UnicodeEncodeError)) as error:
        await writing(engine, lambda connection: write(connection, schema.node, [*rows, {"name": name}], Write.INSERT))
    assert isinstance(error.value, DBAPIError) or engine.dialect.name != "postgresql"
    await writing(engine, lambda connection: write(connection, schema.node, rows, Write.INSERT))
    assert len(await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all())) == many


async def test_plans_are_made_anew_while_a_writer_asks_and_kept_while_he_writes(engine: AsyncEngine) -> None:
    def mode(connection: sa.Connection) -> str | None:
        postgresql = connection.dialect.name == "postgresql"
        return connection.exec_driver_sql("SHOW plan_cache_mode").scalar() if postgresql else None

    def work(connection: sa.Connection) -> list[str | None]:
        modes = [mode(connection)]
        with planned_anew(connection):
            modes.append(mode(connection))
        return [*modes, mode(connection)]

    expected = ["auto", "force_custom_plan", "auto"] if engine.dialect.name == "postgresql" else [None] * 3
    assert await writing(engine, work) == expected
    assert await reading(engine, mode) == expected[1]


async def test_a_call_that_goes_takes_its_parts_along(engine: AsyncEngine) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    call = {"node": "main", "key": "1.0", "direction": "inbound", "called": "1001", "started_at": at, "wait_s": 0.0}
    call |= {"disposition": "unknown", "lost": False, "talk_s": 0.0, "short_hangup": False}
    verdict = {"node": "main", "call": "1.0", "agent": "101", "verdict": "missed", "short_hangups": 0}

    def work(connection: sa.Connection) -> int:
        connection.execute(sa.insert(schema.call), [call])
        connection.execute(sa.insert(schema.verdict), [verdict])
        connection.execute(sa.delete(schema.call))
        return len(connection.execute(sa.select(schema.verdict)).all())

    assert await writing(engine, work) == 0
