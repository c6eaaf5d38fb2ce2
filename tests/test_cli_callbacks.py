"""The commands about callbacks, channels and numbers: what they do, print and refuse."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pbxmonitor.cli import main
from pbxmonitor.clock import SystemClock
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.outbox import Delivery, claim, failed, put
from pbxmonitor.store.types import connect, writing
from tests.work.shop import CLIENT, MINUTE, NOW, Shop, callback

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")
Run = Callable[..., tuple[int, str, str]]
SETTINGS = """\
language = "en"
timezone = "Europe/Moscow"
[database]
url = "sqlite:///{folder}/rows.sqlite3"
[people.101]
name = "Anna"
[people.102]
name = "Boris"
channels = ["email"]
[people.102.addresses]
email = "boris@clinic.example"
[notify.email]
host = "127.0.0.1"
port = 9
security = "none"
sender = "pbx@clinic.example"
[numbers]
door = ["+74951234567"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with settings and a migrated database."""
    (tmp_path / "pbxmonitor.toml").write_text(SETTINGS.format(folder=tmp_path))
    asyncio.run(upgrade(f"sqlite:///{tmp_path}/rows.sqlite3"))
    return tmp_path


@pytest.fixture
def run(site: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command on that site: exit code, what it printed, what it complained of."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["--config", str(site / "pbxmonitor.toml"), *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def missed(site: Path) -> str:
    """The id of a callback to a client whom Anna missed."""

    async def miss() -> str:
        engine = connect(f"sqlite:///{site}/rows.sqlite3")
        try:
            return f"main/{await Shop(engine).misses()}"
        finally:
            await engine.dispose()

    return asyncio.run(miss())


def state(site: Path) -> tuple[str, str | None, str | None]:
    async def look() -> tuple[str, str | None, str | None]:
        engine = connect(f"sqlite:///{site}/rows.sqlite3")
        try:
            row = await callback(engine)
            return row.state, row.taken_by, row.reason
        finally:
            await engine.dispose()

    return asyncio.run(look())


def test_the_open_ones_are_listed_with_their_ids(run: Run, missed: str) -> None:
    code, out, _ = run("callback", "list", "--json")
    (row,) = json.loads(out)
    assert (code, row["id"], row["number"], row["owner"]) == (0, missed, CLIENT, "101")
    assert "Anna" in run("callback", "list")[1]


def test_one_is_taken_and_dismissed_from_the_command_line(run: Run, missed: str, site: Path) -> None:
    assert run("callback", "take", missed, "--by", "102")[0] == 0
    assert state(site) == ("open", "102", None)
    code, out, _ = run("callback", "dismiss", missed, "--by", "102", "--reason", "a fax")
    assert (code, out) == (0, f"Done: {CLIENT}, dismissed.\n")
    assert state(site) == ("dismissed", "102", "a fax")
    code, _, err = run("callback", "snooze", missed, "--by", "102")
    assert (code, err) == (2, "pbxmonitor: This callback is closed already.\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["take", "main/9.9", "--by", "101"], "There is no such callback."),
        (["take", "9.9", "--by", "101"], "9.9: write NODE/CALL, as `pbxmonitor callback list` prints it"),
        (["take", "main/9.9", "--by", "zoe"], "--by zoe: there is no such person in the settings"),
        (["assign", "main/9.9", "--to", "zoe"], "--to zoe: there is no such person in the settings"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(run: Run, words: list[str], complaint: str) -> None:
    code, out, err = run("callback", *words)
    assert (code, out, err) == (2, "", f"pbxmonitor: {complaint}\n")


def test_a_number_is_added_in_any_format_and_taken_out_again(run: Run) -> None:
    assert run("numbers", "add", "8 (916) 000-11-22", "--kind", "fax", "--note", "office")[0] == 0
    listed = json.loads(run("numbers", "list", "--json")[1])
    assert [(row["number"], row["kind"], row["note"]) for row in listed] == [
        ("+74951234567", "door", None),
        ("+79160001122", "fax", "office"),
    ]
    assert run("numbers", "remove", "+79160001122")[0] == 0
    assert run("numbers", "remove", "+79160001122")[0] == 1
    assert run("numbers", "add", "front door")[0] == 2


def test_a_channel_that_cannot_be_reached_is_said_and_exits_with_1(run: Run) -> None:
    code, out, _ = run("notify", "test", "email", "--to", "102")
    assert code == 1
    assert out.startswith("The channel email did not take it now: ")
    code, _, err = run("notify", "test", "pigeon")
    assert (code, err) == (2, "pbxmonitor: there is no channel pigeon; the settings name: email\n")
    code, _, err = run("notify", "test", "email", "--to", "101")
    assert (code, err) == (2, "pbxmonitor: nobody has an address for email: give one with --to\n")


def test_a_message_is_shown_as_it_would_be_written(run: Run) -> None:
    code, out, _ = run("notify", "preview", "missed", "--language", "ru")
    assert code == 0
    assert "Перезвоните клиенту до 10:52." in out
    assert run("notify", "preview", "letter")[0] == 2
    assert "<p>" in run("notify", "preview", "digest", "--html")[1]


def test_a_code_links_one_person(run: Run) -> None:
    code, out, _ = run("notify", "link", "102", "--channel", "email")
    assert code == 0
    assert out.startswith("Code for 102: ")
    code, _, err = run("notify", "link", "zoe", "--channel", "email")
    assert code == 2
    assert "zoe" in err


def test_what_was_refused_is_shown_and_sent_again(run: Run, site: Path) -> None:
    async def refuse() -> None:
        engine = connect(f"sqlite:///{site}/rows.sqlite3")
        owed = Delivery(id="d1", channel="email", template="missed", recipient="102", due_at=NOW, created_at=NOW)
        await writing(engine, lambda connection: put(connection, [owed]))
        (claimed,) = await writing(engine, lambda c: claim(c, NOW, MINUTE, ["email"], 9))
        await writing(engine, lambda connection: failed(connection, claimed, SystemClock().now(), "no such mailbox"))
        await engine.dispose()

    asyncio.run(refuse())
    code, out, _ = run("outbox", "list")
    assert code == 0
    assert out.startswith("d1\t2026-11-24 12:00\temail\t102\tmissed\tno such mailbox")
    found = [each["text"] for each in json.loads(run("check", "--json")[1])]
    assert "The channel email refused 1 message since yesterday" in found
    assert run("outbox", "retry", "d1")[0] == 0
    assert run("outbox", "retry", "d1")[0] == 1
    assert [row["id"] for row in json.loads(run("outbox", "list", "--state", "waiting", "--json")[1])] == ["d1"]
    assert run("outbox", "list", "--state", "lost")[0] == 2
