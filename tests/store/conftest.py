"""One empty database of each kind; a server that is away is a skip with its reason (a failure where CI=true)."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import async_url, connect
from tests.recorded import is_shape

SERVERS = {
    "postgresql": ("PBXMONITOR_TEST_POSTGRESQL", "postgresql://root@127.0.0.1:5432/", "postgres"),
    "mariadb": ("PBXMONITOR_TEST_MARIADB", "mysql://root@127.0.0.1:3306/", "mysql"),
}
DATABASES = [
    "sqlite",
    pytest.param("postgresql", marks=pytest.mark.postgresql),
    pytest.param("mariadb", marks=pytest.mark.mariadb),
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The shapes of docs/call-shapes.md meet SQLite only: a row is a row."""
    config.hook.pytest_deselected(items=[item for item in items if _is_shape_on_a_server(item)])
    items[:] = [item for item in items if not _is_shape_on_a_server(item)]


def _is_shape_on_a_server(item: pytest.Item) -> bool:
    given = getattr(getattr(item, "callspec", None), "params", {})
    tape, database = given.get("tape"), given.get("migrated", "sqlite")
    return isinstance(tape, Path) and database != "sqlite" and is_shape(tape)


class Server:
    """A database server that tests may use: each database of theirs has a name of its own."""

    def __init__(self, kind: str) -> None:
        variable, default, self._base = SERVERS[kind]
        self.kind = kind
        self.variable = variable
        self._url = async_url(os.environ.get(variable, default))
        self.made: list[str] = []

    def url(self, name: str) -> str:
        scheme = "postgresql" if self.kind == "postgresql" else "mariadb"
        address = self._url.set(drivername=scheme, database=name).difference_update_query(["charset"])
        return address.render_as_string(hide_password=False)

    def create(self, suffix: str) -> str:
        # A run that was broken off leaves its databases, and a process may get its number again.
        name = f"pbxmonitor_test_{os.getpid()}_{token_hex(3)}_{suffix}"
        asyncio.run(self._run(f"CREATE DATABASE {name}"))
        self.made.append(name)
        return self.url(name)

    def drop_all(self) -> None:
        force = " WITH (FORCE)" if self.kind == "postgresql" else ""
        asyncio.run(self._run(*(f"DROP DATABASE {name}{force}" for name in self.made)))

    async def _run(self, *statements: str) -> None:
        engine = create_async_engine(self._url.set(database=self._base), isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                for statement in statements:
                    await connection.execute(sa.text(statement))
        finally:
            await engine.dispose()


@pytest.fixture(scope="session")
def fresh_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str], str]]:
    """`fresh_database(kind, suffix)` is the url of a new empty database, dropped when the session ends."""
    servers: dict[str, Server] = {}

    def make(kind: str, suffix: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path_factory.mktemp(suffix) / 'rows.sqlite3'}"
        server = servers.setdefault(kind, Server(kind))
        try:
            return server.create(suffix)
        except (OSError, DBAPIError) as error:
            return unreachable(server, error)

    yield make
    for server in servers.values():
        if server.made:
            server.drop_all()


def unreachable(server: Server, error: Exception) -> str:
    reason = f"no {server.kind} server ({error}); start one and set {server.variable}=URL"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session", params=DATABASES)
def migrated(request: pytest.FixtureRequest, fresh_database: Callable[[str, str], str]) -> str:
    """The url of a database with the newest schema, shared by the session."""
    url = fresh_database(request.param, "rows")
    asyncio.run(upgrade(url))
    return url


@pytest.fixture
async def url(migrated: str) -> str:
    """That database, emptied."""
    engine = connect(migrated)
    async with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(sa.delete(table))
    await engine.dispose()
    return migrated


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on that database."""
    made = connect(url)
    yield made
    await made.dispose()


@pytest.fixture(scope="session")
def tapes() -> list[Path]:
    return sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.ami"))
