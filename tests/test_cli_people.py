"""The commands about people: what they print, refuse, and leave behind."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pbxmonitor.cli import people
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect
from tests.store.test_merging import first_day, record

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")
Run = Callable[..., tuple[str, str]]
SETTINGS = """\
language = "en"
[database]
url = "sqlite:///{folder}/rows.sqlite3"
[people.anna]
name = "Anna"
devices = ["PJSIP/anna"]
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `pbxmonitor people …` beside the history of 204, anna and boris: what it printed, what it refused with."""
    url = f"sqlite:///{tmp_path}/rows.sqlite3"
    (tmp_path / "pbxmonitor.toml").write_text(SETTINGS.format(folder=tmp_path))
    asyncio.run(filled(url))
    application = typer.Typer()
    application.add_typer(people.people, name="people")

    def run(*words: str) -> tuple[str, str]:
        done = CliRunner().invoke(application, ["people", *words], obj=tmp_path / "pbxmonitor.toml")
        return done.stdout, str(done.exception or "")

    return run


async def filled(url: str) -> None:
    await upgrade(url)
    engine = connect(url)
    await record(engine, first_day().facts)
    await engine.dispose()


def test_an_extension_becomes_a_persons(run: Run) -> None:
    shown, refused = run("merge", "204", "anna", "--dry-run")
    assert (shown, refused) == ("204 → anna: calls 2, of them with both names 0; states 4; callbacks 1\n", "")
    listed = json.loads(run("list", "--json")[0])
    assert [each["key"] for each in listed] == ["204", "anna", "boris"]
    shown, refused = run("merge", "204", "anna")
    assert "204 is anna now" in shown
    assert refused == ""
    listed = json.loads(run("list", "--json")[0])
    assert listed[0] == {"key": "anna", "name": "Anna", "nodes": ["main"], "former": ["204"], "unfinished": []}
    assert run("list")[0].splitlines()[0] == "anna\tAnna\tmain\tbefore: 204\t"


def test_a_key_is_renamed_and_gets_its_old_name_back(run: Run) -> None:
    assert "boris is boris.k now" in run("rename", "boris", "boris.k")[0]
    assert [each["key"] for each in json.loads(run("list", "--json")[0])] == ["204", "anna", "boris.k"]
    assert run("rename", "boris.k", "boris")[1] == ""
    assert json.loads(run("list", "--json")[0])[2]["former"] == ["boris.k"]


def test_what_cannot_be_done_is_one_line_that_says_what_to_do(run: Run) -> None:
    for words, said in (
        (("rename", "anna", "anna.k"), "the settings still name anna as a person"),
        (("merge", "205", "anna"), "nobody is told of as 205"),
        (("rename", "204", "anna"), "merge 204 with anna instead of renaming"),
        (("merge", "204", "olga"), "there is no olga"),
    ):
        shown, refused = run(*words)
        assert (shown, said in refused, "\n" in refused) == ("", True, False), refused
