"""The commands: what they print, where, and the exit code."""

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.cli import main
from pbxmonitor.periods import moment, period
from pbxmonitor.tables import Row, agents_table, journal_table, show, to_csv
from pbxmonitor.texts import speak

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")

TAPES = Path(__file__).parent / "scenarios" / "22"
MOSCOW = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)  # already the 24th in Moscow
Run = Callable[..., tuple[int, str, str]]

ANNA: Row = {
    "node": "main",
    "agent": "101",
    "name": "Анна",
    "offered": 214,
    "answered": 135,
    "missed": 79,
    "missed_share": 0.3692,
    "answered_elsewhere": 3,
    "refused": 2,
    "not_counted": 1,
    "short_hangups": 42,
    "pickup_mean_s": 28.04,
    "talk_s": 7384.2,
    "dnd_s": 3600.0,
    "paused_s": 0.0,
    "offline_s": 59.6,
}
CALL: Row = {
    "call": "1795415470.0",
    "direction": "inbound",
    "caller": "+79161234501",
    "called": "1001",
    "started_at": "2026-11-23T06:31:10.000Z",
    "disposition": "abandoned",
    "cause": "ignored",
    "colour": "red",
    "wait_s": 12.04,
    "talk_s": 0.0,
    "answered_by": None,
    "ended_by": "caller",
    "verdicts": {"101": "missed", "102": "answered_elsewhere", "103": "missed"},
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, with settings of its own there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PBXMONITOR_CONFIG", raising=False)
    text = f'language = "en"\ntimezone = "Europe/Moscow"\n[database]\nurl = "sqlite:///{tmp_path}/rows.sqlite3"\n'
    (tmp_path / "pbxmonitor.toml").write_text(text, "utf-8")

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_version_says_which_one(run: Run) -> None:
    assert run("version") == (0, f"pbxmonitor {version('pbxmonitor')}\n", "")


def test_version_starts_without_the_heavy_libraries() -> None:
    heavy = ("sqlalchemy", "alembic", "httpx", "websockets", "panoramisk", "phonenumbers", "rich.table", "structlog")
    code = f"import sys, pbxmonitor.cli as it; it.main(['version']); print([n for n in {heavy} if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing command. See pbxmonitor --help."),
        (["nope"], "No such command 'nope'. See pbxmonitor --help."),
        (["report"], "Missing command. See pbxmonitor --help."),
        (["report", "agents", "--zzz"], "No such option: --zzz. See pbxmonitor --help."),
        (["replay"], "Missing argument 'FILE…'. See pbxmonitor --help."),
        (["replay", "none.ami"], "cannot read the tape none.ami: No such file or directory"),
        (["--config", "none.toml", "run"], "none.toml: cannot be read: No such file or directory"),
        (["run"], "the settings name no PBX: add a [[pbx]] table "),
        (["record", "x.ami"], "say which PBX with --node; the settings name: none"),
        (["record", "x.ami", "--node", "y"], "there is no PBX 'y'; the settings name: none"),
        (
            ["report", "agents", "--from", "2026-13-01"],
            "'2026-13-01' is not a time: give today, yesterday, now, a date ",
        ),
        (["report", "agents", "--from", "today", "--to", "yesterday"], "--from today must be before --to yesterday"),
        (["report", "journal", "--json", "--csv", "x"], "give one of --json, --csv, --xlsx"),
        (["report", "journal"], "database sqlite:///"),
    ],
)
def test_what_cannot_be_done_is_one_line_on_stderr_and_code_2(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"pbxmonitor: {said}")
    assert err.count("\n") == 1


def test_a_wrong_setting_is_one_line_and_code_2(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[policy]\nmin_rign = 3\n", "utf-8")
    code, out, err = run("--config", "bad.toml", "check")
    assert (code, out) == (2, "")
    assert err.startswith("pbxmonitor: bad.toml: policy.min_rign: unknown key (value 3); did you mean min_ring?")


def test_the_help_names_every_command(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert all(name in out for name in ("run", "check", "replay", "record", "db", "report", "version"))


def test_the_tables_are_made_and_unmade(run: Run) -> None:
    assert run("db", "current")[:2] == (1, "the database has no tables yet: run pbxmonitor db upgrade\n")
    code, out, _ = run("db", "upgrade")
    assert code == 0
    assert out.startswith("Database: version 0")
    assert run("db", "current")[:2] == (0, out)
    assert run("db", "downgrade", "base")[:2] == (0, "the database has no tables yet: run pbxmonitor db upgrade\n")


@pytest.mark.parametrize("which", ["agents", "journal"])
def test_a_report_of_an_empty_database_says_so_in_every_form(run: Run, which: str, tmp_path: Path) -> None:
    run("db", "upgrade")
    empty = {"agents": "No calls reached an agent in this period.\n", "journal": "No calls in this period.\n"}
    assert run("report", which) == (0, empty[which], "")
    assert run("report", which, "--json", "--from", "2026-11-01", "--to", "2026-11-30") == (0, "[]\n", "")
    assert run("report", which, "--csv", "out.csv") == (0, "", "0 rows written to out.csv.\n")
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert run("report", which, "--csv", "-")[1] == (tmp_path / "out.csv").read_bytes().decode("utf-8")


def test_a_folder_that_is_not_there_is_one_line(run: Run) -> None:
    run("db", "upgrade")
    assert (
        run("report", "journal", "--csv", "none/out.csv")[2] == "pbxmonitor: none/out.csv: No such file or directory\n"
    )


def test_a_tape_replays_to_one_json_object(run: Run) -> None:
    tape = TAPES / "ringall_answered.ami"
    code, out, err = run("replay", str(tape), "--node", "lab", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert set(told) == {"calls", "intervals", "callbacks"}
    expected = json.loads(tape.with_suffix(".expected.json").read_text("utf-8"))
    assert [call["call"] for call in told["calls"]] == [call["call"] for call in expected["calls"]]


def test_a_tape_replays_to_a_table_in_the_language_of_the_settings(run: Run) -> None:
    out = run("replay", str(TAPES / "ringall_answered.ami"), "--settings", "pbxmonitor.toml")[1]
    assert "inbound" in out
    assert "входящий" in run("replay", str(TAPES / "ringall_answered.ami"))[1]


def test_check_says_what_is_wrong_and_the_answer_is_no(run: Run) -> None:
    code, out, _ = run("check")
    assert code == 1
    assert "✗ The settings name no PBX.\n  → In pbxmonitor.toml: [[pbx]]" in out
    found = json.loads(run("check", "--json")[1])
    assert {"level": "error", "text": "The settings name no PBX.", "fix": found[1]["fix"]} in found
    assert found[-1]["text"] == "There is no channel: nobody hears of a missed call"


def test_a_reader_who_has_seen_enough_gets_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m pbxmonitor replay {TAPES / 'flood.ami'} --json | head -c 1"
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60, cwd=tmp_path)
    assert (told.stdout, told.stderr) == ("{", "")


@pytest.mark.parametrize(
    ("said", "begins", "ends"),
    [
        ("2026-11-23", "2026-11-23T00:00+03:00", "2026-11-24T00:00+03:00"),
        ("today", "2026-11-24T00:00+03:00", "2026-11-25T00:00+03:00"),
        ("Yesterday", "2026-11-23T00:00+03:00", "2026-11-24T00:00+03:00"),
        ("2026-11-23T09:00", "2026-11-23T09:00+03:00", "2026-11-23T09:00+03:00"),
        ("2026-11-23T09:00Z", "2026-11-23T09:00+00:00", "2026-11-23T09:00+00:00"),
        ("now", "2026-11-24T01:30+03:00", "2026-11-24T01:30+03:00"),
    ],
)
def test_a_day_is_the_sites_own_and_is_taken_whole(said: str, begins: str, ends: str) -> None:
    assert moment(said, NOW, MOSCOW) == datetime.fromisoformat(begins)
    assert moment(said, NOW, MOSCOW, ending=True) == datetime.fromisoformat(ends)


def test_a_day_on_which_clocks_change_has_the_hours_it_has() -> None:
    begin, end = period("2026-03-29", "2026-03-29", NOW, ZoneInfo("Europe/Berlin"))
    assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=23)


def table_text(table_rows: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(table_rows.removeprefix("\ufeff")), delimiter=";"))


def cells(out: str, word: str) -> list[str]:
    """What stands in the columns of the line with that word."""
    return re.split(r"\s{2,}", next(line for line in out.splitlines() if word in line).strip())


def test_the_agents_table_in_russian(capsys: pytest.CaptureFixture[str]) -> None:
    speak("ru")
    show(agents_table([ANNA], datetime(2026, 11, 1, tzinfo=MOSCOW), datetime(2026, 12, 1, tzinfo=MOSCOW)))
    out = capsys.readouterr().out
    assert "1 сотрудник, 2026-11-01 00:00 — 2026-12-01 00:00" in out
    assert cells(out, "Анна") == [
        *("Анна (101)", "214", "135", "79", "37", "3", "2", "1", "42", "28,0"),
        *("2:03:04", "1:00:00", "0:00:00", "0:01:00"),
    ]


def test_the_pbx_is_a_column_only_when_there_are_several() -> None:
    assert agents_table([ANNA]).columns[0].key == "agent"
    assert agents_table([ANNA, {**ANNA, "node": "branch"}]).columns[0].key == "node"


def test_the_journal_table_names_who_missed_the_call_in_site_time(capsys: pytest.CaptureFixture[str]) -> None:
    speak("en")
    show(journal_table([CALL, {**CALL, "caller": None}], MOSCOW))
    out = capsys.readouterr().out
    assert "2 calls" in out
    assert "withheld" in out
    assert cells(out, "+7916") == [
        *("2026-11-23 09:31:10", "inbound", "+79161234501", "1001", "abandoned", "101, 103", "12.0", "0.0"),
        *("caller", "phone left ringing", "red", "1795415470.0"),
    ]


@pytest.mark.parametrize("width", [40, 80, 118])
def test_a_narrow_screen_loses_empty_columns_and_no_value(capsys: pytest.CaptureFixture[str], width: int) -> None:
    speak("ru")
    show(agents_table([ANNA]), width)
    assert cells(capsys.readouterr().out, "Анна") == [
        *("Анна (101)", "214", "135", "79", "37", "3", "2", "1", "42", "28,0", "2:03:04", "1:00:00", "0:01:00")
    ]


def test_a_name_with_brackets_is_not_taken_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    show(agents_table([{**ANNA, "name": "[red]Анна[/red]"}]))
    assert "[red]Анна[/red] (101)" in capsys.readouterr().out


def test_a_spreadsheet_in_russian_has_semicolons_and_decimal_commas() -> None:
    speak("ru")
    text = to_csv(agents_table([ANNA]))
    assert text.startswith("\ufeffСотрудник;Предложено;")
    assert table_text(text)[1][:5] == ["Анна (101)", "214", "135", "79", "36,9"]


def test_a_spreadsheet_in_english_has_commas_and_points() -> None:
    speak("en")
    assert to_csv(agents_table([ANNA])).splitlines()[1].startswith("Анна (101),214,135,79,36.9,")


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1+2", "-1", "@SUM(1)", "\t=1", " =1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_made_plain(name: str) -> None:
    speak("ru")
    cell = table_text(to_csv(agents_table([{**ANNA, "name": name}])))[1][0]
    assert cell.startswith("'")


def test_a_phone_number_in_a_spreadsheet_stays_a_number_to_call() -> None:
    speak("ru")
    assert table_text(to_csv(journal_table([CALL], MOSCOW)))[1][2] == "+79161234501"
