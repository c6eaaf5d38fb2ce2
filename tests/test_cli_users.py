"""The commands about accounts: what they do, print and refuse."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pbxmonitor.cli import users
from pbxmonitor.store.accounts import Account, account, account_of_code
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.sessions import token_of
from pbxmonitor.store.types import connect, writing

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")
Run = Callable[..., tuple[str, str]]
SETTINGS = """\
language = "en"
[database]
url = "sqlite:///{folder}/rows.sqlite3"
[people.101]
name = "Anna"
[people.lena]
name = "Lena"
role = "supervisor"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with settings and a migrated database."""
    (tmp_path / "pbxmonitor.toml").write_text(SETTINGS.format(folder=tmp_path))
    asyncio.run(upgrade(f"sqlite:///{tmp_path}/rows.sqlite3"))
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Run `pbxmonitor user …`: what it printed, what it refused with."""
    application = typer.Typer()
    application.add_typer(users.user, name="user")

    def run(*words: str, typed: str = "") -> tuple[str, str]:
        done = CliRunner().invoke(application, ["user", *words], obj=folder / "pbxmonitor.toml", input=typed)
        return done.stdout, str(done.exception or "")

    return run


def kept(folder: Path, name: str) -> Account | None:
    """The account in the rows."""

    async def found() -> Account | None:
        database = connect(f"sqlite:///{folder}/rows.sqlite3")
        try:
            return await writing(database, lambda connection: account(connection, name))
        finally:
            await database.dispose()

    return asyncio.run(found())


def bearer(folder: Path, code: str, kind: str) -> str | None:
    """Whose that code or token is."""
    from pbxmonitor.clock import SystemClock

    async def found() -> str | None:
        database, now = connect(f"sqlite:///{folder}/rows.sqlite3"), SystemClock().now()
        try:
            if kind == "code":
                one = await writing(database, lambda connection: account_of_code(connection, code, now))
                return one.name if one is not None else None
            both = await writing(database, lambda connection: token_of(connection, code, now))
            return " ".join(sorted(both[0].scopes)) if both is not None else None
        finally:
            await database.dispose()

    return asyncio.run(found())


def test_an_account_is_made_with_a_link_for_its_password(run: Run, folder: Path) -> None:
    told, _ = run("add", "Lena", "--role", "supervisor", "--person", "lena", "--masked")
    (code,) = re.findall(r"http://127\.0\.0\.1:8080/setup\?code=(\w+)", told)
    assert bearer(folder, code, "code") == "lena"
    made = kept(folder, "lena")
    assert made is not None
    assert (made.role, made.person, made.language, made.whole_numbers) == ("supervisor", "lena", "en", False)
    assert run("add", "lena", "--role", "manager")[1] == "There is an account of that name already."


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["x", "--role", "employee"], "--role employee needs --person"),
        (["x", "--role", "employee", "--person", "110"], "no such person"),
        (["x", "--role", "supervisor", "--person", "101"], "leads nobody"),
        (["x y", "--role", "admin"], "a login is letters"),
    ],
)
def test_an_account_that_would_see_too_much_or_nothing_is_refused(run: Run, words: list[str], why: str) -> None:
    assert why in run("add", *words)[1]


def test_roles_change_but_the_last_administrator_stays(run: Run, folder: Path) -> None:
    run("add", "boss", "--role", "admin")
    assert "last administrator" in run("role", "boss", "manager")[1]
    assert "last administrator" in run("remove", "boss")[1]
    run("add", "other", "--role", "admin")
    assert run("role", "boss", "employee", "--person", "101")[1] == ""
    boss = kept(folder, "boss")
    assert boss is not None
    assert (boss.role, boss.person) == ("employee", "101")
    run("remove", "boss")
    assert kept(folder, "boss") is None
    assert run("remove", "boss")[1] == "There is no account of that name."


def test_the_list_says_who_has_no_password_yet(run: Run) -> None:
    assert run("list")[0] == "There are no accounts.\n"
    run("add", "boss", "--role", "admin")
    (boss,) = json.loads(run("list", "--json")[0])
    assert (boss["name"], boss["role"], boss["state"]) == ("boss", "admin", "not set up")


def test_a_password_is_typed_twice_and_never_printed(run: Run, folder: Path) -> None:
    run("add", "boss", "--role", "admin")
    assert "too short" in run("password", "boss", typed="short\nshort\n")[1]
    told, _ = run("password", "boss", typed="a horse and a battery\na horse and a battery\n")
    boss = kept(folder, "boss")
    assert boss is not None
    assert (boss.password or "").startswith("$argon2id$")
    assert "horse" not in told


def test_a_token_is_printed_once_with_its_scopes(run: Run, folder: Path) -> None:
    run("add", "boss", "--role", "admin")
    assert bearer(folder, run("token", "boss", "--name", "screen")[0].strip(), "token") == "read"
    assert bearer(folder, run("token", "boss", "--name", "robot", "--act")[0].strip(), "token") == "act read"
    assert run("token", "nobody", "--name", "x")[1] == "There is no account of that name."
