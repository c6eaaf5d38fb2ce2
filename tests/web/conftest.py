"""A site on SQLite with the people of a small clinic, and browsers that are logged in to it."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from fastapi import FastAPI

from pbxmonitor.clock import ManualClock
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.settings_web import WebSettings
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import Account, account, add
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.sessions import open_session
from pbxmonitor.store.types import connect, reading, writing
from pbxmonitor.web.app import make_app
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
# lena leads the desk, in which 101 and 102 are; 103 is of another team, chief a director.
PEOPLE: dict[str, Any] = {
    "101": {"name": "Анна", "devices": ["PJSIP/101"]},
    "102": {"name": "Борис", "devices": ["PJSIP/102"]},
    "103": {"name": "Вера", "devices": ["PJSIP/103"]},
    "lena": {"name": "Лена", "role": "supervisor"},
    "chief": {"name": "Шеф", "role": "director"},
}
TEAMS: dict[str, Any] = {
    "desk": {"name": "Регистратура", "people": ["101", "102"], "supervisors": ["lena"]},
    "lab": {"name": "Лаборатория", "people": ["103"]},
}
PBX = {"main": {"node": "main", "ami": {"secret": "of no use"}}}
WHO = {Role.EMPLOYEE: "101", Role.SUPERVISOR: "lena", Role.MANAGER: "chief", Role.ADMIN: None}

ClientOf = Callable[..., Any]
Browser = Callable[..., httpx.AsyncClient]
PASSWORD = "a horse and a battery"


def settings_of(url: str, **more: Any) -> Settings:
    """The settings of that clinic."""
    whole = {"timezone": "Europe/Moscow", "people": PEOPLE, "teams": TEAMS, "pbx": PBX, "database": {"url": url}}
    return Settings(**(whole | more))


@pytest.fixture(scope="session")
def empty_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("web") / "rows.sqlite3"
    asyncio.run(upgrade(f"sqlite:///{path}"))
    return path


@pytest.fixture
async def site(empty_rows: Path, tmp_path: Path) -> AsyncIterator[Site]:
    """The site, without calls or accounts; its clock is a ManualClock at NOW."""
    path = tmp_path / "rows.sqlite3"
    shutil.copy(empty_rows, path)
    settings = settings_of(f"sqlite:///{path}")
    database = connect(settings.database.full_url)
    yield Site(
        settings=settings,
        database=database,
        policy=policy_of(settings),
        duties=to_duties(settings),
        clock=ManualClock(NOW),
    )
    await database.dispose()


@pytest.fixture
def passwords() -> Passwords:
    """Passwords that are hashed quickly."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
async def lena(site: Site, passwords: Passwords) -> str:
    """The login of a supervisor whose password is PASSWORD."""
    new = Account(name="lena", role="supervisor", person="lena", password=await passwords.hashed(PASSWORD))
    await writing(site.database, lambda connection: add(connection, new, "test", NOW))
    return new.name


@pytest.fixture
def app(site: Site, passwords: Passwords) -> FastAPI:
    """The application of that site."""
    return make_app(site, passwords=passwords)


@pytest.fixture
async def browser(app: FastAPI) -> AsyncIterator[Browser]:
    """Makes browsers that nobody is logged in with; an error in a page is an answer 500, not the test's own."""
    async with AsyncExitStack() as opened:
        made: list[httpx.AsyncClient] = []

        def make(*, base: str = "http://pbx.example", to: FastAPI | None = None, **more: Any) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(to or app, client=("192.0.2.1", 5000))
            made.append(httpx.AsyncClient(transport=transport, base_url=base, **more))
            opened.push_async_callback(made[-1].aclose)
            return made[-1]

        yield make


@pytest.fixture
def client_of(site: Site, browser: Browser) -> ClientOf:
    """`await client_of(Role.SUPERVISOR)` is a browser in which somebody of that role is logged in.

    `person` is who he is (101, lena, chief and nobody unless said); what else is given is the account's. What he sends
    carries his CSRF token by itself (the header X-CSRF); `client.headers.pop("X-CSRF")` takes it away.
    """

    async def client(role: Role, person: str | None = None, **more: Any) -> httpx.AsyncClient:
        mine = person or WHO[role]
        wanted = Account(name=f"{role.value}-{mine or 'nobody'}", role=role, person=mine, **more)
        secret = await writing(site.database, lambda connection: logged_in(connection, wanted, site.clock.now()))
        made = browser(cookies={COOKIE: secret})
        made.headers["X-CSRF"] = csrf_in((await made.get("/account")).text)
        return made

    return client


def logged_in(connection: sa.Connection, wanted: Account, now: datetime) -> str:
    """The account, made if need be, with a new session; what its browser holds."""
    if account(connection, wanted.name) is None:
        add(connection, wanted, "test", now)
    return open_session(connection, wanted.name, now, WebSettings().session_longest)


def csrf_in(text: str) -> str:
    """The CSRF token of a page."""
    found = re.search(r'data-csrf="([^"]+)"', text)
    assert found is not None, text[:200]
    return found[1]


async def log_in(client: httpx.AsyncClient, name: str, password: str = PASSWORD, **more: str) -> httpx.Response:
    """What the login form answers."""
    return await client.post("/login", data={"name": name, "password": password, **more})


async def audited(site: Site, action: str) -> list[str]:
    """Who is in the audit with that."""
    mine = sa.select(schema.audit.c.who).where(schema.audit.c.action == action)
    return [row.who for row in await reading(site.database, lambda connection: connection.execute(mine).all())]
