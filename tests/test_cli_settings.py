"""The commands go by what people set in the dashboard, as the daemon does."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pbxmonitor.check import check
from pbxmonitor.cli import users
from pbxmonitor.cli.common import settings_in_force
from pbxmonitor.clock import SystemClock
from pbxmonitor.settings import load
from pbxmonitor.settings_fixed import SITE
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.stored_settings import Wish, change
from pbxmonitor.store.types import connect, writing

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")
SETTINGS = """\
language = "en"
[database]
url = "sqlite:///{folder}/rows.sqlite3"
[people.101]
name = "Anna"
devices = ["PJSIP/101"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file whose database is there."""
    path = tmp_path / "pbxmonitor.toml"
    path.write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    asyncio.run(upgrade(f"sqlite:///{tmp_path}/rows.sqlite3"))
    return path


def keep(file: Path, section: str, key: str, value: Any) -> None:
    async def kept() -> None:
        engine = connect(f"sqlite:///{file.parent}/rows.sqlite3")
        wish = Wish(section=section, key=key, value=value)
        await writing(engine, lambda c: change(c, wish, "boss", SystemClock().now()))
        await engine.dispose()

    asyncio.run(kept())


def test_commands_know_the_people_and_thresholds_of_the_dashboard(file: Path) -> None:
    keep(file, "people", "olga", {"name": "Olga"})
    keep(file, "policy", SITE, {"callback_norm": "33 min"})
    settings = settings_in_force(file)
    assert set(settings.people) == {"101", "olga"}
    assert settings.policy.callback_norm.seconds == 33 * 60
    application = typer.Typer()
    application.add_typer(users.user, name="user")
    words = ["user", "add", "olga", "--role", "employee", "--person", "olga"]
    done = CliRunner().invoke(application, words, obj=file)
    assert (done.exit_code, done.exception) == (0, None), done.output


def test_a_database_that_is_not_migrated_yet_keeps_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pbxmonitor.toml"
    file.write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    assert set(settings_in_force(file).people) == {"101"}


def test_check_says_what_does_not_hold(file: Path) -> None:
    keep(file, "people", "thief", {"devices": ["PJSIP/101"]})
    found = [each for each in asyncio.run(check(load(file))) if "people.thief" in each.text]
    assert [each.level for each in found] == ["warning"]
    assert "PJSIP/101 cannot belong to both 101 and thief" in found[0].text
