"""Columns and their kinds: what the terminal shows and what CSV holds."""

import csv
import io
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxmonitor.charts import Heat
from pbxmonitor.columns import Cell, Column, Kind, Row, Table, Tone, brief, cell, spelled
from pbxmonitor.screen import bar
from pbxmonitor.tables import heat_table, journal_table, show, show_heat, to_csv
from pbxmonitor.texts import speak, spoken

pytestmark = pytest.mark.usefixtures("language_restored")

MOSCOW = ZoneInfo("Europe/Moscow")
BLOCKS = set("▏▎▍▌▋▊▉█")
DAYS = Heat(title="Потеряно", rows=("Пн", "Вт"), columns=("9", "10", "11"), values=((0, 17, 34), (None, 3, 8)))


def share_tone(row: Row) -> Tone | None:
    if row["share"] is None:
        return None
    return Tone.BAD if row["share"] > 0.3 else Tone.WARN if row["share"] > 0.12 else Tone.GOOD


NAME = Column(key="name", heading="Сотрудник")
SHARE = Column(key="share", heading="Пропущено", kind=Kind.SHARE)
ROWS: tuple[Row, ...] = (
    {"name": "Анна", "share": 0.369},
    {"name": "Мария", "share": 0.11},
    {"name": "Новая", "share": None},
)


def table(*columns: Column, rows: tuple[Row, ...] = ROWS) -> Table:
    return Table(title="Сотрудники", empty="Никого.", columns=columns, rows=rows)


def one(kind: Kind, value: object) -> Table:
    return Table(
        title="", empty="", columns=(Column(key="it", heading="It", kind=kind),), rows=({"it": value},), zone=MOSCOW
    )


def fields(text: str) -> list[list[str]]:
    """The fields of a CSV in the language in use."""
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    return list(csv.reader(lines, delimiter=";" if spoken() == "ru" else ","))


def line_of(out: str, name: str) -> str:
    return next(line for line in out.splitlines() if name in line)


@pytest.mark.parametrize(
    ("kind", "value", "russian", "english"),
    [
        (Kind.TEXT, "Анна", "Анна", "Анна"),
        (Kind.PHONE, "+79161234501", "+79161234501", "+79161234501"),
        (Kind.COUNT, 214, "214", "214"),
        (Kind.SHARE, 0.3692, "36,9 %", "36.9 %"),
        (Kind.SHARE, 1, "100,0 %", "100.0 %"),
        (Kind.SECONDS, 28.04, "28,0", "28.0"),
        (Kind.DURATION, 7384.2, "2:03:04", "2:03:04"),
        (Kind.DURATION, 90_000, "25:00:00", "25:00:00"),
        (Kind.DURATION, -5.0, "-0:00:05", "-0:00:05"),
        (Kind.MOMENT, datetime(2026, 11, 23, 6, 31, 10, tzinfo=MOSCOW), "2026-11-23 06:31:10", "2026-11-23 06:31:10"),
    ],
)
def test_each_kind_is_read_in_its_own_way(kind: Kind, value: Cell, russian: str, english: str) -> None:
    speak("ru")
    assert spelled(value, kind) == russian
    speak("en")
    assert spelled(value, kind) == english


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.COUNT, 17, "17"),
        (Kind.SHARE, 0.3692, "37%"),
        (Kind.SECONDS, 28.04, "28"),
        (Kind.DURATION, 7384.2, "2:03"),
        (Kind.DURATION, 3599.9, "1:00"),
        (Kind.COUNT, None, ""),
    ],
)
def test_a_tile_of_a_heat_map_has_a_brief_number(kind: Kind, value: Cell, text: str) -> None:
    assert brief(value, kind) == text


@pytest.mark.parametrize(
    ("kind", "value", "russian", "english"),
    [
        (Kind.COUNT, 1214, "1214", "1214"),
        (Kind.SHARE, 0.3692, "36,9", "36.9"),
        (Kind.SECONDS, 12.04, "12,04", "12.04"),
        (Kind.DURATION, 7384.2, "2:03:04", "2:03:04"),
        (Kind.MOMENT, "2026-11-23T06:31:10.900Z", "2026-11-23 09:31:10", "2026-11-23 09:31:10"),
        (Kind.MOMENT, datetime(2026, 11, 23, 6, 31, 10, tzinfo=UTC), "2026-11-23 09:31:10", "2026-11-23 09:31:10"),
        (Kind.PHONE, "+79161234501", "+79161234501", "+79161234501"),
        (Kind.PHONE, "+7916=1", "'+7916=1", "'+7916=1"),
        (Kind.SECONDS, None, "", ""),
        (Kind.SECONDS, float("nan"), "", ""),
    ],
)
def test_each_kind_has_its_field_in_csv(kind: Kind, value: object, russian: str, english: str) -> None:
    for language, expected in (("ru", russian), ("en", english)):
        speak(language)
        assert fields(to_csv(one(kind, value)))[1] == [expected]


def test_a_value_that_is_not_known_says_what_its_column_says(capsys: pytest.CaptureFixture[str]) -> None:
    silent, saying = table(NAME, SHARE), table(NAME, replace(SHARE, absent="нет данных"))
    assert fields(to_csv(silent))[3] == ["Новая", ""]
    assert fields(to_csv(saying))[3] == ["Новая", "нет данных"]
    show(saying)
    assert "нет данных" in line_of(capsys.readouterr().out, "Новая")


def test_a_column_computes_what_the_row_does_not_hold() -> None:
    answered = Column(key="answered", kind=Kind.SHARE, value=lambda row: 1 - row["share"])
    assert cell(answered, ROWS[1]) == pytest.approx(0.89)


@pytest.mark.parametrize(
    ("part", "drawn"), [(0, ""), (0.001, "▏"), (0.5, "████"), (1, "████████"), (0.07, "▌"), (1.4, "████████"), (-1, "")]
)
def test_a_bar_is_in_eighths_and_what_is_above_nothing_has_one(part: float, drawn: str) -> None:
    assert bar(part) == drawn.ljust(8)


def test_bars_are_in_scale_with_the_columns_greatest(capsys: pytest.CaptureFixture[str]) -> None:
    show(table(NAME, replace(SHARE, bar=True)))
    out = capsys.readouterr().out
    assert line_of(out, "Анна").count("█") == 8
    assert line_of(out, "Мария").count("█") == 2
    assert not BLOCKS & set(line_of(out, "Новая"))


def test_a_narrow_screen_loses_the_bars_before_any_column(capsys: pytest.CaptureFixture[str]) -> None:
    speak("ru")
    show(table(NAME, replace(SHARE, bar=True)), 28)
    out = capsys.readouterr().out
    assert not BLOCKS & set(out)
    assert "36,9 %" in line_of(out, "Анна")


def test_numbers_stay_in_line_whether_marked_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    speak("en")
    show(table(NAME, replace(SHARE, tone=lambda row: Tone.BAD if row["name"] == "Анна" else None)))
    out = capsys.readouterr().out
    assert line_of(out, "Анна").index("%") == line_of(out, "Мария").index("%")


def test_a_colour_never_stands_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    speak("en")
    rows = (*ROWS, {"name": "Юлия", "share": 0.2})
    show(table(NAME, replace(SHARE, tone=share_tone), rows=rows), 100)
    out = capsys.readouterr().out
    for name, colour, mark in (("Анна", "31", "36.9 % ✗"), ("Мария", "32", "11.0 % ✓"), ("Юлия", "33", "20.0 % !")):
        assert f"\x1b[{colour}m" in line_of(out, name)
        assert mark in line_of(out, name)
    assert "\x1b[3" not in line_of(out, "Новая")


def test_what_is_not_known_is_neither_good_nor_bad(capsys: pytest.CaptureFixture[str]) -> None:
    show(table(NAME, replace(SHARE, absent="нет данных", tone=lambda _: Tone.BAD)))
    out = capsys.readouterr().out
    assert "✗" in line_of(out, "Анна")
    assert "✗" not in line_of(out, "Новая")


def test_a_row_is_coloured_as_its_word_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    speak("en")
    show(journal_table([{"call": "7.1", "colour": "red"}, {"call": "7.2", "colour": None}]), 120)
    out = capsys.readouterr().out
    assert line_of(out, "7.1").count("\x1b[31m") >= 2
    assert "red" in line_of(out, "7.1")
    assert "✗" not in out
    assert "\x1b[31m" not in line_of(out, "7.2")


def test_control_characters_do_not_reach_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(table(NAME, rows=({"name": "Анна\x1b[2J\x07\nБ"},)))
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "Анна [2J  Б" in out


def test_a_heat_map_off_the_terminal_is_plain_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    show_heat(DAYS, "День")
    out = capsys.readouterr().out
    assert line_of(out, "Пн").split() == ["Пн", "0", "17", "34"]
    assert line_of(out, "Вт").split() == ["Вт", "3", "8"]
    assert "День" in out
    assert "\x1b" not in out


def test_a_heat_map_on_a_terminal_is_darker_where_there_is_more(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    show_heat(DAYS, "День", 80)
    monday = line_of(capsys.readouterr().out, "Пн")
    assert "\x1b[38;2;255;255;255;48;2;127;0;0m" in monday  # the greatest of the whole matrix, white on the darkest
    assert "\x1b[38;2;0;0;0;48;2;252;141;89m" in monday  # half of it
    assert monday.count("48;2;") == 2  # nothing has no shade


def test_a_heat_map_is_a_table_for_the_other_forms_too() -> None:
    speak("ru")
    assert fields(to_csv(heat_table(DAYS, "День"))) == [
        ["День", "9", "10", "11"],
        ["Пн", "0", "17", "34"],
        ["Вт", "", "3", "8"],
    ]


@pytest.mark.parametrize("language", ["ru", "en"])
@settings(deadline=None)
@given(name=st.text(), head=st.sampled_from(["", "=", "+", "-", "@", "\t", "\r", " =", "\n+", "＝", "＠"]))
def test_no_text_in_csv_begins_as_a_formula(language: str, name: str, head: str) -> None:
    speak(language)
    columns = (Column(key="name", heading=head + name), replace(NAME, absent=head + name))
    held = table(*columns, rows=({"name": head + name}, {"name": None}))
    rows = fields(to_csv(held))
    assert len(rows) == 3
    for text in (field for row in rows for field in row):
        phone = text.startswith("+") and text[1:].isdecimal()
        assert phone or not text.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=1e6, allow_nan=False))
def test_a_number_in_csv_is_the_number(value: float) -> None:
    speak("ru")
    text = to_csv(one(Kind.SECONDS, value)).splitlines()[1].strip('"')
    assert float(text.replace(",", ".")) == pytest.approx(value, abs=0.0006)


def test_no_library_is_loaded_before_something_is_shown() -> None:
    heavy = ("rich", "xlsxwriter", "matplotlib", "numpy", "sqlalchemy")
    code = f"import sys, pbxmonitor.tables, pbxmonitor.outputs; print([n for n in {heavy} if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert told.stdout.strip() == "[]"
