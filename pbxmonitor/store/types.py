"""All that differs between SQLite, PostgreSQL and MariaDB; nothing outside this module asks which one it is."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

Row = Mapping[str, Any]
T = TypeVar("T")

_DRIVERS: Final = {
    "sqlite": ("sqlite+aiosqlite", "aiosqlite", ""),
    "postgresql": ("postgresql+asyncpg", "asyncpg", "postgresql"),
    "mariadb": ("mysql+asyncmy", "asyncmy", "mariadb"),
    "mysql": ("mysql+asyncmy", "asyncmy", "mariadb"),
}
# Names compare to the letter on MariaDB too: its default collation takes `Anna` and `anna` for one.
TABLE_OPTIONS: Final[dict[str, Any]] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
    "sqlite_with_rowid": False,
}
# READ COMMITTED on MariaDB as on PostgreSQL: its own default locks the gaps between keys. Texts put together are cut
# without a word at 1 MB there, and at 1 KB on MySQL.
_OWN: Final[dict[str, dict[str, Any]]] = {
    "postgresql": {"connect_args": {"server_settings": {"application_name": "pbxmonitor", "DateStyle": "ISO"}}},
    "mysql": {
        "isolation_level": "READ COMMITTED",
        "connect_args": {"init_command": "SET SESSION group_concat_max_len = 67108864"},
    },
}
_BUSY_MS: Final = 10_000
# From so many new rows on PostgreSQL takes them by COPY, in little more than half the time.
_MANY: Final = 50
_COPY: Final = "copy_into"
# SQLite's own driver, for whole transactions in one thread: aiosqlite changes threads three times a statement,
# which cost a third of the time of a batch. Every other driver is asynchronous by itself.
_TWINS: Final[WeakKeyDictionary[sa.Engine, sa.Engine]] = WeakKeyDictionary()


class StoreError(Exception):
    """The database cannot be used as asked; one line that says what to do, never a password."""


# What a database that is away, or too busy, raises.
AWAY: Final = (DBAPIError, OSError, PoolTimeout)


def first_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def driver_line(error: BaseException) -> str:
    """The same in the driver's own words, without the statement."""
    return first_line(getattr(error, "orig", None) or error)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """An aware moment in UTC with microseconds, aware again when read; ValueError for a naive one."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime(timezone=dialect.name == "postgresql"))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a moment without a time zone cannot be kept: {value!r}")
        at = value if value.tzinfo is UTC else value.astimezone(UTC)
        return at if dialect.name == "postgresql" else at.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Word(sa.types.TypeDecorator[str]):
    """A short text from outside: cut to the column's length and freed of NUL, which PostgreSQL refuses."""

    impl = sa.String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        if len(value) > self.length:
            value = value[: self.length]
        return value.replace("\0", "") if "\0" in value else value


def bytes_type() -> sa.types.TypeEngine[bytes]:
    """Bytes of any length (MariaDB's BLOB ends at 64 KB)."""
    return sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def text_type() -> sa.types.TypeEngine[str]:
    """Text of any length (MariaDB's TEXT ends at 64 KB)."""
    return sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def async_url(url: str) -> URL:
    """The SQLAlchemy address with the async driver of `sqlite: postgresql: mariadb: mysql:`; StoreError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(
            "the database url cannot be read: write sqlite:////PATH or postgresql://USER@HOST/BASE"
        ) from None
    scheme = parsed.drivername.partition("+")[0]
    if scheme not in _DRIVERS:
        raise StoreError(f"{scheme}: is not a known database; use sqlite:, postgresql:, mariadb: or mysql:")
    driver, module, extra = _DRIVERS[scheme]
    if importlib.util.find_spec(module) is None:
        raise StoreError(f"{scheme}: needs the driver {module}; install it with: pip install 'pbxmonitor[{extra}]'")
    parsed = parsed.set(drivername=driver)
    if scheme == "postgresql" and "sslmode" in parsed.query:
        mode = parsed.query["sslmode"]
        return parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed.update_query_dict({"charset": "utf8mb4"}) if scheme in ("mariadb", "mysql") else parsed


def connect(url: str) -> AsyncEngine:
    """An engine for that database, no connection made yet; StoreError when the url or the driver is wrong."""
    address = async_url(url)
    if address.drivername.startswith("sqlite"):
        return _sqlite(address)
    # The server's notes ("name ignored for PRIMARY key") are no warnings of ours.
    logging.getLogger("asyncmy").setLevel(logging.ERROR)
    own = _OWN[address.drivername.partition("+")[0]]
    engine = create_async_engine(address, pool_pre_ping=True, pool_recycle=1800, hide_parameters=True, **own)
    if address.drivername.startswith("postgresql"):
        sa.event.listen(engine.sync_engine, "begin", _begin_postgresql)
        sa.event.listen(engine.sync_engine, "do_executemany", _copy_postgresql)
    return engine


def _begin_postgresql(connection: sa.Connection) -> None:
    if connection.get_execution_options().get("reads_only", False):
        _plan(connection, "force_custom_plan")


def _plan(connection: sa.Connection, mode: str) -> None:
    # A plan kept from when the table was small reads all of it for ever: 120 ms for the keys of 200 facts, not 2.
    connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {mode}")


@contextmanager
def planned_anew(connection: sa.Connection) -> Iterator[None]:
    """Meanwhile each question of a transaction that writes is planned for the tables as they are now.

    Not while it writes: each row's foreign keys are looked up by questions of the server's own. `reading` needs none.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    _plan(connection, "force_custom_plan")
    yield
    _plan(connection, "DEFAULT")


def _copy_postgresql(_cursor: Any, _statement: str, rows: Any, context: Any) -> bool:
    """Write the rows by COPY if `write` says so; its errors are those of any statement."""
    into = context.execution_options.get(_COPY)
    if into is None or len(rows) < _MANY:
        return False
    driven, dbapi = context.root_connection.connection.driver_connection, context.dialect.loaded_dbapi
    if not driven.is_in_transaction():
        # It begins with the first statement of the dialect's own: COPY alone would be a transaction of its own.
        context.root_connection.exec_driver_sql("SELECT 1").close()
    try:
        await_only(driven.copy_records_to_table(into[0], columns=into[1], records=rows))
    except dbapi.asyncpg.IntegrityConstraintViolationError as error:
        raise dbapi.IntegrityError(error.args[0], error) from error
    except (dbapi.asyncpg.PostgresError, dbapi.asyncpg.InterfaceError) as error:
        raise dbapi.Error(error.args[0], error) from error
    except (ArithmeticError, TypeError, ValueError) as error:
        raise dbapi.Error(str(error), error) from error
    return True


def _sqlite(address: URL) -> AsyncEngine:
    engine = create_async_engine(address, hide_parameters=True, connect_args={"timeout": _BUSY_MS / 1000})
    if address.database not in (None, "", ":memory:"):
        plain = address.set(drivername="sqlite+pysqlite")
        twin = sa.create_engine(plain, hide_parameters=True, connect_args={"check_same_thread": False})
        _TWINS[engine.sync_engine] = twin
        sa.event.listen(engine.sync_engine, "engine_disposed", lambda _engine: twin.dispose())
        _prepare_sqlite(twin)
    _prepare_sqlite(engine.sync_engine)
    return engine


def _prepare_sqlite(engine: sa.Engine) -> None:
    sa.event.listen(engine, "connect", _connected_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)


def _connected_sqlite(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: it would take the write lock in the middle of one.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={_BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    reads = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


async def writing(engine: AsyncEngine, work: Callable[[sa.Connection], T]) -> T:
    """Do the work in one transaction: committed when it returns, rolled back when it raises."""
    twin = _TWINS.get(engine.sync_engine)
    if twin is not None:
        return await _in_thread(lambda: _written(twin, work))
    async with engine.begin() as connection:
        return await connection.run_sync(work)


async def reading(engine: AsyncEngine, work: Callable[[sa.Connection], T]) -> T:
    """Do the work, which only reads: on SQLite it neither waits for the writer nor keeps it waiting."""
    twin = _TWINS.get(engine.sync_engine)
    if twin is not None:
        return await _in_thread(lambda: _read(twin, work))
    async with engine.execution_options(reads_only=True).connect() as connection:
        return await connection.run_sync(work)


def _written(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _read(engine: sa.Engine, work: Callable[[sa.Connection], T]) -> T:
    with engine.execution_options(reads_only=True).connect() as connection:
        return work(connection)


async def _in_thread(work: Callable[[], T]) -> T:
    """The work done in a thread; whoever cancels waits until the transaction is over."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


class Write(Enum):
    """What becomes of a row whose primary key is there already."""

    INSERT = "an error"
    UPSERT = "it gets the new values"
    KEEP = "it stays as it is"


def write(connection: sa.Connection, table: sa.Table, rows: Sequence[Row], how: Write = Write.UPSERT) -> None:
    """Write the rows, which all have the same columns, with one executemany.

    The statement is compiled once and values are converted column by column: going through a Core statement
    every time costs three times as much, and writing rows is most of what the daemon does.
    """
    if rows:
        sql, converters = _prepared(table, connection.dialect, tuple(rows[0]), how)
        columns = [_converted(rows, name, convert) for name, convert in converters]
        copied = {_COPY: (table.name, [name for name, _ in converters])} if how is Write.INSERT else {}
        connection.exec_driver_sql(sql, list(zip(*columns, strict=True)), execution_options=copied)


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert the rows, or give those that are there (same primary key) the new values."""
    write(connection, table, rows, Write.UPSERT)


def insert_new(connection: sa.Connection, table: sa.Table, rows: Sequence[Row]) -> None:
    """Insert those of the rows that are not there yet (same primary key)."""
    write(connection, table, rows, Write.KEEP)


Converter = tuple[str, Callable[[Any], Any] | None]
Prepared = tuple[str, list[Converter]]
_PREPARED: Final[WeakKeyDictionary[Dialect, dict[tuple[str, tuple[str, ...], Write], Prepared]]] = WeakKeyDictionary()


def _prepared(table: sa.Table, dialect: Dialect, names: tuple[str, ...], how: Write) -> Prepared:
    known = _PREPARED.setdefault(dialect, {})
    if (table.name, names, how) not in known:
        compiled = _statement(table, dialect.name, how).compile(dialect=dialect, column_keys=list(names))
        order = getattr(compiled, "positiontup", None) or list(names)
        converters = [(name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in order]
        known[table.name, names, how] = str(compiled), converters
    return known[table.name, names, how]


def _converted(rows: Sequence[Row], name: str, convert: Callable[[Any], Any] | None) -> list[Any]:
    return [row[name] for row in rows] if convert is None else [convert(row[name]) for row in rows]


def among(connection: sa.Connection, column: sa.Column[str], words: Sequence[str]) -> sa.ColumnElement[bool]:
    """The condition that the column is one of those words, in few forms, so that few statements are prepared.

    PostgreSQL gets one array; the others get the last word repeated up to a power of two.
    """
    if connection.dialect.name == "postgresql":
        return column == sa.any_(sa.literal(list(words), postgresql.ARRAY(sa.String())))
    size = 1 << max(len(words) - 1, 0).bit_length()
    return column.in_(list(words) + [words[-1]] * (size - len(words)))


def _statement(table: sa.Table, dialect: str, how: Write) -> sa.Insert:
    if how is Write.INSERT:
        return sa.insert(table)
    keys = [column.name for column in table.primary_key.columns]
    others = [] if how is Write.KEEP else [column.name for column in table.columns if column.name not in keys]
    if dialect in ("mysql", "mariadb"):
        into = mysql.insert(table)
        return into.on_duplicate_key_update({name: into.inserted[name] for name in others or keys[:1]})
    if dialect == "postgresql":
        return _on_conflict(postgresql.insert(table), keys, others)
    return _on_conflict(sqlite.insert(table), keys, others)


def _on_conflict(into: postgresql.Insert | sqlite.Insert, keys: list[str], others: list[str]) -> sa.Insert:
    if not others:
        return into.on_conflict_do_nothing(index_elements=keys)
    return into.on_conflict_do_update(index_elements=keys, set_={name: into.excluded[name] for name in others})
