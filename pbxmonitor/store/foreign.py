"""Rows of somebody else's tables, in order and a few at a time; nothing is ever written there."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from pbxmonitor.store.types import StoreError, async_url, connect, driver_line

T = TypeVar("T")
_FETCHED: Final = 2_000


class ForeignError(StoreError):
    """A database that is not ours cannot be read as asked; one line that says what to do, never a password."""


class ForeignTable:
    """One table of a database (named for people by `where`), read once from its beginning; `done` rows have been."""

    def __init__(self, connection: AsyncConnection, where: str, name: str) -> None:
        self.name = name
        self.columns: Sequence[str] = ()
        self.total = 0
        self.done = 0
        self._reading = False
        self._connection = connection
        self._where = where

    @property
    def count(self) -> int:
        return self.done

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._reading:
            # What is left of a server's cursor must not be waited for.
            await self._connection.invalidate()
        await self._connection.close()

    async def look(self) -> None:
        """Learn the columns and how many rows there are; ForeignError when there is no such table."""
        self.columns = await self._asked(self._columns)
        self.total = await self._asked(lambda connection: connection.execute(self._count()).scalar_one())

    def rows(self, order: Sequence[str]) -> Iterator[Mapping[str, Any]]:
        """The rows in the order of the first of those columns that there is; to be read through `pull` only."""
        by: list[sa.ColumnClause[Any]] = [sa.column(name) for name in order if name in self.columns][:1]
        columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in self.columns]
        wanted = sa.select(*columns).select_from(self._table()).order_by(*by)
        connection = self._connection.sync_connection
        if connection is not None:
            # A cursor of the server's: a year of calls is not taken into memory, and no value is interpreted.
            self._reading = True
            for row in connection.execution_options(yield_per=_FETCHED).execute(wanted).mappings():
                self.done += 1
                yield dict(row)
            self._reading = False

    async def pull(self, items: Iterator[T], size: int) -> list[T]:
        """The next few of what is made of the rows; ForeignError when the database goes away."""
        return await self._asked(lambda _: list(islice(items, size)))

    async def _asked(self, work: Callable[[sa.Connection], T]) -> T:
        try:
            return await self._connection.run_sync(work)
        except (SQLAlchemyError, OSError) as error:
            raise _plainly(self._where, error) from None

    def _columns(self, connection: sa.Connection) -> list[str]:
        schema, _, name = self.name.rpartition(".")
        inspector = sa.inspect(connection)
        try:
            return [column["name"] for column in inspector.get_columns(name, schema or None)]
        except NoSuchTableError:
            there = ", ".join(sorted(inspector.get_table_names(schema or None))) or "none at all"
            raise ForeignError(f"{self._where}: has no table {self.name}; it has {there}") from None

    def _count(self) -> sa.Select[int]:
        return sa.select(sa.func.count()).select_from(self._table())

    def _table(self) -> sa.TableClause:
        schema, _, name = self.name.rpartition(".")
        return sa.table(name, schema=schema or None)


@asynccontextmanager
async def foreign_table(url: str, name: str) -> AsyncIterator[ForeignTable]:
    """That table (or SCHEMA.TABLE), open; ForeignError when there is none, or the database is away."""
    try:
        address = async_url(url)
    except StoreError as error:
        raise ForeignError(str(error)) from None
    where = address.set(drivername=address.get_backend_name(), query={}).render_as_string(hide_password=True)
    engine = _reader(address)
    try:
        table = ForeignTable(await _connected(engine, where), where, name)
        async with table:
            await table.look()
            yield table
    finally:
        await engine.dispose()


async def _connected(engine: AsyncEngine, where: str) -> AsyncConnection:
    try:
        return await engine.connect()
    except (SQLAlchemyError, OSError) as error:
        raise _plainly(where, error) from None


def _plainly(where: str, error: Exception) -> ForeignError:
    return ForeignError(f"{where}: {driver_line(error)}")


def _reader(address: URL) -> AsyncEngine:
    """An engine that leaves the database as it is: ours would switch an SQLite file to another journal."""
    if address.get_backend_name() != "sqlite":
        return connect(address.render_as_string(hide_password=False))
    path = Path(address.database or "")
    if not path.is_file():
        raise ForeignError(f"{path}: no such file")
    read_only = address.set(database=f"file:{quote(str(path))}", query={"mode": "ro", "uri": "true"})
    return create_async_engine(read_only, hide_parameters=True)
