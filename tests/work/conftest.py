"""The work is tested on every database, as the store is, in databases of its own."""

import asyncio
from collections.abc import Callable

import pytest

from pbxmonitor.store.migrate import upgrade
from tests.store.conftest import DATABASES, engine, fresh_database, url

__all__ = ["engine", "fresh_database", "migrated", "url"]


@pytest.fixture(scope="session", params=DATABASES)
def migrated(request: pytest.FixtureRequest, fresh_database: Callable[[str, str], str]) -> str:
    """The url of a database with the newest schema, shared by the session."""
    made = fresh_database(request.param, "work")
    asyncio.run(upgrade(made))
    return made
