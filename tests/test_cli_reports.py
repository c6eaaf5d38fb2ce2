"""Every report in every form, judging again, examining and importing: from the command line, as people use them."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import sqlalchemy as sa

from pbxmonitor.cli import main
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import schema
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect, writing
from tests.store.test_ledger import record_facts

pytestmark = pytest.mark.usefixtures("logging_restored", "language_restored")

SCENARIOS = Path(__file__).parent / "scenarios" / "22"
REPORTS = ("agents", "journal", "callbacks", "queues", "stages", "hours", "lines", "regions", "away")
CHARTED = ("agents", "queues", "stages", "hours")
EVER = ("--from", "2026-11-01", "--to", "2026-11-30")
TAPES = ("flood", "two_misses_join", "direct_missed_callback_ok", "short_hangup_agent", "ivr_abandon", "pause_reason")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings in English with a database that holds some recorded calls."""
    folder = tmp_path_factory.mktemp("reports")
    url = f"sqlite:///{folder / 'rows.sqlite3'}"
    asyncio.run(recorded(url))
    path = folder / "pbxmonitor.toml"
    path.write_text(
        f'language = "en"\ntimezone = "Europe/Moscow"\n[database]\nurl = "{url}"\n[people.101]\nname = "Anna"\n',
        "utf-8",
    )
    return path


async def recorded(url: str) -> None:
    await upgrade(url)
    engine = connect(url)
    for number, name in enumerate(TAPES):
        facts = facts_of(frames_of(SCENARIOS / f"{name}.ami"), Site(node=f"pbx{number}"))
        await record_facts(engine, list(facts))
    await engine.dispose()


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> tuple[int, str, str]:
        code = main(["--config", str(config), *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def told(run: Run, *arguments: str) -> Any:
    code, out, _ = run(*arguments, "--json")
    assert code in (0, 1)
    return json.loads(out)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("report", REPORTS)
def test_every_report_is_printed_in_both_languages(
    run: Run, report: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBXMONITOR_LANGUAGE", language)
    code, out, err = run("report", report, *EVER)
    assert (code, err) == (0, "")
    assert "2026-11-01" in out
    assert any("а" <= letter <= "я" for letter in out.lower()) is (language == "ru")


@pytest.mark.filterwarnings("ignore::UserWarning:openpyxl")  # it cannot read data bars back
@pytest.mark.parametrize("report", REPORTS)
def test_every_report_is_json_and_a_spreadsheet(run: Run, report: str, tmp_path: Path) -> None:
    assert told(run, "report", report, *EVER)
    code, out, _ = run("report", report, *EVER, "--csv", "-")
    rows = list(csv.reader(io.StringIO(out.removeprefix("\ufeff"))))
    assert code == 0
    assert len(rows) > 1 or report == "away"
    assert {len(row) for row in rows} == {len(rows[0])}
    assert run("report", report, *EVER, "--xlsx", str(tmp_path / "a.xlsx"))[0] == 0
    with (tmp_path / "a.xlsx").open("rb") as file:
        sheet = openpyxl.load_workbook(file).worksheets[0]
    assert sheet.max_row > 1 or report == "away"


@pytest.mark.parametrize("report", CHARTED)
def test_key_charts_are_drawn(run: Run, report: str, tmp_path: Path) -> None:
    for form, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        file = tmp_path / f"chart.{form}"
        code, _, err = run("report", report, *EVER, f"--{form}", str(file))
        assert (code, file.read_bytes()[:4]) == (0, magic)
        assert "drawn" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "agents", "--xlsx", "x.csv"], "--xlsx x.csv: the file must end in .xlsx"),
        (["report", "agents", "--json", "--png", "x.png"], "give one of --json, --csv, --xlsx, --png, --pdf"),
        (["report", "lines", *EVER, "--png", "x.png"], "this report has no chart for x.png"),
        (["report", "agents", "--period", "today", "--from", "today"], "give --period, or --from and --to"),
        (["report", "agents", "--period", "fortnight"], "'fortnight' is not a period: give one of today, yesterday"),
        (["report", "journal", "--colour", "pink"], "--colour pink: give one of green, yellow, red"),
        (["report", "journal", "--cause", "x"], "--cause x: give one of after_hours, short_abandon"),
        (["report", "call", "7.7"], "there is no call 7.7; report journal shows the IDs"),
        (["recompute", "--from", "then"], "'then' is not a time: give today, yesterday"),
        (["import", "none", "--format", "queue_log"], "none: No such file or directory"),
        (["import", "none", "--format", "csv"], "csv: is not a format; give one of queue_log, cdr-csv, cel-csv"),
        (["import", "none", "--format", "cdr-csv", "--zone", "Mars"], "--zone Mars: must be an IANA time zone"),
        (["import", "none", "--format", "queue_log", "--node", "A B"], "A B: is not a node; give a short name"),
    ],
)
def test_what_cannot_be_done_is_one_line(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"pbxmonitor: {said}")
    assert err.count("\n") == 1


def test_the_journal_is_filtered_and_counts_what_it_leaves_out(run: Run) -> None:
    calls = told(run, "report", "journal", *EVER)
    lost = told(run, "report", "journal", *EVER, "--lost")
    assert [call["call"] for call in lost] == [call["call"] for call in calls if call["lost"]]
    assert lost
    newest = told(run, "report", "journal", *EVER, "--limit", "2")
    assert [call["started_at"] for call in newest] == sorted((call["started_at"] for call in calls), reverse=True)[:2]
    assert "the newest 2 calls; there are more" in run("report", "journal", *EVER, "--limit", "2")[1]


def test_missed_control_shows_the_red_ones_of_who_missed_them(run: Run) -> None:
    red = told(run, "report", "journal", *EVER, "--missed-control")
    assert {call["colour"] for call in red} == {"red"}
    anna = told(run, "report", "journal", *EVER, "--missed-control", "--agent", "101")
    assert anna == [call for call in red if call["verdicts"].get("101") == "missed"]


def test_a_call_explains_itself(run: Run) -> None:
    lost = told(run, "report", "journal", *EVER, "--lost")[0]
    (call,) = told(run, "report", "call", lost["call"], "--node", lost["node"])
    assert call["call"] == lost["call"]
    assert any(reason.startswith("Lost:") for reason in call["why"])
    assert any("Cause" in reason for reason in call["why"])
    assert call["journey"][0]["text"].endswith(f"called {lost['called']}")
    code, out, _ = run("report", "call", lost["call"], "--node", lost["node"])
    assert code == 0
    assert "Why it is judged so" in out


def test_judging_again_by_the_same_policy_changes_nothing(run: Run) -> None:
    outcome = told(run, "recompute", "--from", "2026-11-01")
    assert (outcome["changed"], outcome["callbacks_changed"], outcome["changed_calls"]) == (0, 0, [])
    assert outcome["calls"] >= len(told(run, "report", "journal", *EVER))


def test_a_changed_policy_is_shown_old_against_new_before_it_is_written(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(run, "report", "journal", *EVER)
    monkeypatch.setenv("PBXMONITOR_POLICY__SHORT_HANGUP", "0")
    dry = told(run, "recompute", "--from", "2026-11-01", "--dry-run")
    assert dry["changed"] > 0
    assert dry["totals"]["short_hangups"]["after"] < dry["totals"]["short_hangups"]["before"]
    assert told(run, "report", "journal", *EVER) == before
    assert "would change" in run("recompute", "--from", "2026-11-01", "--dry-run")[1]
    done = told(run, "recompute", "--from", "2026-11-01")
    assert {**done, "dry_run": True} == dry
    assert not any(call["talks"] and call["short_hangup"] for call in told(run, "report", "journal", *EVER))
    monkeypatch.delenv("PBXMONITOR_POLICY__SHORT_HANGUP")
    told(run, "recompute", "--from", "2026-11-01")
    assert told(run, "report", "journal", *EVER) == before


def test_the_doctor_says_that_the_numbers_agree(run: Run) -> None:
    assert run("doctor") == (0, "The numbers agree.\n", "")
    assert told(run, "doctor") == []


def test_the_doctor_names_the_offender(run: Run, config: Path) -> None:
    url = f"sqlite:///{config.parent / 'rows.sqlite3'}"

    async def change(old: str, new: str) -> None:
        engine = connect(url)
        first = sa.select(sa.func.min(schema.verdict.c.call)).where(schema.verdict.c.verdict == old).scalar_subquery()
        this = sa.and_(schema.verdict.c.verdict == old, schema.verdict.c.call == first)
        await writing(
            engine, lambda connection: connection.execute(sa.update(schema.verdict).where(this).values(verdict=new))
        )
        await engine.dispose()

    asyncio.run(change("missed", "refused"))
    try:
        code, out, _ = run("doctor")
        assert code == 1
        assert "✗" in out
        assert told(run, "doctor")[0]["subject"]
    finally:
        told(run, "recompute", "--from", "2026-11-01")
    assert run("doctor")[0] == 0


def test_an_import_tells_what_it_did_and_the_second_one_does_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "pbxmonitor.toml"
    config.write_text(f'language = "en"\n[database]\nurl = "sqlite:///{tmp_path / "rows.sqlite3"}"\n', "utf-8")
    log = tmp_path / "queue_log"
    log.write_bytes((SCENARIOS / "flood.queue_log").read_bytes() + b"not a line\n")

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["--config", str(config), *arguments])
        out = capsys.readouterr()
        return code, out.out, out.err

    first = run("import", str(log), "--format", "queue_log", "--node", "main")
    assert (first[0], first[1]) == (0, "Lines: 19. Calls: 6 new, 0 changed, 0 left alone.\n")
    assert first[2].startswith(f"1 line could not be read; it is kept in {log}.bad:\n  19: not a line of queue_log")
    assert (tmp_path / "queue_log.bad").read_text("utf-8").count("not a line") >= 1
    second = json.loads(run("import", str(log), "--format", "queue_log", "--node", "main", "--json")[1])
    assert (second["new"], second["changed"], second["same"]) == (0, 0, 6)
    assert len(json.loads(run("report", "journal", *EVER, "--json")[1])) == 6
    assert run("doctor", "--offline")[0] == 0
