"""The workbook, read back: typed cells, what surrounds them, and nothing that Excel would run."""

import re
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxmonitor.charts import Heat
from pbxmonitor.columns import Charted, Column, Kind, Row, Table, Tone
from pbxmonitor.spreadsheets import sheet_names, to_xlsx
from pbxmonitor.tables import heat_table, journal_table
from pbxmonitor.texts import speak

pytestmark = [
    pytest.mark.usefixtures("language_restored"),
    # What a data bar of 2010 adds is for Excel; this reader leaves it aside and says so.
    pytest.mark.filterwarnings("ignore:.*extension is not supported:UserWarning"),
]

MOSCOW = ZoneInfo("Europe/Moscow")
COLUMNS = (
    Column(key="name", heading="Сотрудник"),
    Column(key="phone", heading="Телефон", kind=Kind.PHONE),
    Column(key="missed", heading="Пропущено", kind=Kind.COUNT),
    Column(key="share", heading="Доля", kind=Kind.SHARE, absent="нет данных", tone=lambda row: tone(row)),
    Column(key="pickup_s", heading="Снимает за, с", kind=Kind.SECONDS),
    Column(key="talk_s", heading="В разговоре", kind=Kind.DURATION),
    Column(key="last_at", heading="Последний", kind=Kind.MOMENT),
)
ANNA: Row = {
    "name": "Анна Иванова",
    "phone": "+79161234501",
    "missed": 79,
    "share": 0.3692,
    "pickup_s": 28.04,
    "talk_s": 90_061.0,
    "last_at": "2026-11-23T06:31:10.900Z",
}
NEW: Row = dict.fromkeys(ANNA) | {"name": "Новая"}
TEAM = Table(
    title="Сотрудники, ноябрь", sheet="Сотрудники", empty="Никого.", columns=COLUMNS, rows=(ANNA, NEW), zone=MOSCOW
)


def tone(row: Row) -> Tone | None:
    return Tone.BAD if (row["share"] or 0) > 0.3 else None


def written(path: Path, *tables: Table) -> Any:
    to_xlsx(tables, path / "report.xlsx")
    return openpyxl.load_workbook(path / "report.xlsx")


def part(path: Path, name: str) -> str:
    with zipfile.ZipFile(path / "report.xlsx") as book:
        return book.read(name).decode()


def texts(*values: str | None) -> Table:
    rows: tuple[Row, ...] = tuple({"it": value} for value in values)
    return Table(title="T", empty="", columns=(Column(key="it", heading="It"),), rows=rows)


def rules(sheet: Any) -> dict[str, list[Any]]:
    return {str(each.sqref): list(each.rules) for each in sheet.conditional_formatting}


def test_every_kind_is_a_typed_cell_with_its_format(tmp_path: Path) -> None:
    cells = written(tmp_path, TEAM).active[2]
    assert [(each.value, each.number_format) for each in cells] == [
        ("Анна Иванова", "@"),
        ("+79161234501", "@"),
        (79, "#,##0"),
        (0.3692, '0.0 %" ✗"'),
        (28.04, "0.0"),
        (timedelta(days=1, hours=1, minutes=1, seconds=1), "[h]:mm:ss"),
        (datetime(2026, 11, 23, 9, 31, 10), "yyyy-mm-dd hh:mm:ss"),  # noqa: DTZ001 - a cell has no zone
    ]
    assert [each.data_type for each in cells] == ["s", "s", "n", "n", "n", "d", "d"]


def test_what_is_not_known_is_an_empty_cell_or_what_its_column_says(tmp_path: Path) -> None:
    cells = written(tmp_path, TEAM).active[3]
    assert [each.value for each in cells] == ["Новая", None, None, "нет данных", None, None, None]


def test_a_colour_comes_with_a_mark(tmp_path: Path) -> None:
    cell = written(tmp_path, TEAM).active["D2"]
    assert cell.fill.fgColor.rgb == "FFFFC7CE"
    assert "✗" in cell.number_format


def test_the_heading_stays_in_sight_and_filters(tmp_path: Path) -> None:
    sheet = written(tmp_path, TEAM).active
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:G3"
    assert [each.value for each in sheet[1]] == [column.heading for column in COLUMNS]
    assert sheet["A1"].font.bold
    assert sheet.print_title_rows == "$1:$1"
    assert sheet.page_setup.orientation == "landscape"


def test_columns_are_as_wide_as_what_they_hold(tmp_path: Path) -> None:
    sheet = written(tmp_path, texts("x" * 30, "y" * 300)).active
    assert 30 < sheet.column_dimensions["A"].width < 60
    assert written(tmp_path, TEAM).active.column_dimensions["G"].width > len("2026-11-23 09:31:10")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "{=1+1}", "+1+2", "-1", "@SUM(1)", "https://example.com", "mailto:a@b", "internal:A1", "<r><t>x</t></r>"],
)
def test_text_is_never_more_than_text(tmp_path: Path, text: str) -> None:
    cell = written(tmp_path, texts(text)).active["A2"]
    assert cell.value.rstrip() == text
    assert cell.data_type == "s"
    assert cell.hyperlink is None
    sheet = part(tmp_path, "xl/worksheets/sheet1.xml")
    assert "<f>" not in sheet
    assert "<r>" not in sheet


@settings(deadline=None, max_examples=20)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1), min_size=1, max_size=20))
def test_any_text_is_read_back(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    book = written(tmp_path_factory.mktemp("text"), texts(*values, "end"))
    read = [cell.value or "" for cell in book.active["A"][1:]]
    kept = [re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", value) for value in values]
    assert [value.rstrip(" ") for value in read] == [*(value.rstrip(" ") for value in kept), "end"]


def test_what_no_cell_can_hold_is_cut_and_the_cut_is_seen(tmp_path: Path) -> None:
    value = written(tmp_path, texts("ж" * 40_000, "\ud800x")).active["A2"].value
    assert value == "ж" * 32_766 + "…"


def test_rows_are_coloured_by_their_word(tmp_path: Path) -> None:
    speak("ru")
    calls = [{"call": str(number), "colour": colour} for number, colour in enumerate(["red", "green", "red", None])]
    sheet = written(tmp_path, journal_table(calls)).active
    found = rules(sheet)["A2:M5"]
    assert {(each.type, each.formula[0], each.dxf.fill.bgColor.rgb) for each in found} == {
        ("expression", '$L2="красный"', "FFFFC7CE"),
        ("expression", '$L2="зелёный"', "FFC6EFCE"),
    }
    assert [sheet.cell(row, 12).value for row in range(2, 6)] == ["красный", "зелёный", "красный", None]


def test_a_word_with_quotes_does_not_leave_its_rule(tmp_path: Path) -> None:
    column = Column(key="it", heading="It", tone=lambda _: Tone.BAD)
    held = replace(texts('a"&B1&"'), columns=(column,), rows_as="it")
    assert rules(written(tmp_path, held).active)["A2"][0].formula == ['$A2="a""&B1&"""']


def test_a_bar_is_a_data_bar_from_nothing(tmp_path: Path) -> None:
    held = replace(TEAM, columns=tuple(replace(each, bar=each.key == "missed") for each in COLUMNS))
    (rule,) = rules(written(tmp_path, held).active)["C2:C3"]
    assert rule.type == "dataBar"
    assert rule.dataBar.cfvo[0].val == 0


def test_a_heat_map_has_one_scale_over_all_of_it(tmp_path: Path) -> None:
    heat = Heat(title="Потеряно", rows=("Пн", "Вт"), columns=("9", "10", "11"), values=((0, 17, 34), (None, 3, 8)))
    sheet = written(tmp_path, heat_table(heat, "День")).active
    (rule,) = rules(sheet)["B2:D3"]
    assert rule.type == "colorScale"
    assert len(rule.colorScale.color) == 2
    assert [each.value for each in sheet[3]] == ["Вт", None, 3, 8]


def test_a_chart_draws_the_named_column(tmp_path: Path) -> None:
    held = replace(TEAM, charted=Charted(values="share", names="name"))
    (chart,) = written(tmp_path, held).active._charts
    (series,) = chart.series
    assert type(chart).__name__ == "BarChart"
    assert series.cat.strRef.f == "Сотрудники!$A$2:$A$3"
    assert series.val.numRef.f == "Сотрудники!$D$2:$D$3"
    assert [each.v for each in series.cat.strRef.strCache.pt] == ["Анна Иванова", "Новая"]
    assert [each.v for each in series.val.numRef.numCache.pt] == [0.3692]
    assert series.dPt[0].spPr.solidFill.srgbClr == "D55E00"


def test_a_chart_of_durations_counts_in_days_as_the_cells_do(tmp_path: Path) -> None:
    held = replace(TEAM, charted=Charted(values="talk_s", names="name"))
    (chart,) = written(tmp_path, held).active._charts
    assert float(chart.series[0].val.numRef.numCache.pt[0].v) == pytest.approx(90_061 / 86_400)


def test_each_table_has_its_sheet(tmp_path: Path) -> None:
    assert written(tmp_path, TEAM, texts("x"), TEAM).sheetnames == ["Сотрудники", "T", "Сотрудники (2)"]


def test_rows_that_a_sheet_cannot_hold_go_on_in_the_next(tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    to_xlsx([texts("a", "b", "c", "d", "e")], path, rows_of_a_sheet=2)
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["T", "T (2)", "T (3)"]
    assert [each.value for sheet in book for each in sheet["A"][1:]] == ["a", "b", "c", "d", "e"]
    assert all(sheet["A1"].value == "It" for sheet in book)


def test_a_table_without_rows_says_so(tmp_path: Path) -> None:
    held = replace(TEAM, rows=(), charted=Charted(values="share", names="name"))
    sheet = written(tmp_path, held).active
    assert sheet["A2"].value == "Никого."
    assert sheet._charts == []


@settings(deadline=None)
@given(st.lists(st.text(max_size=50), max_size=8))
def test_excel_takes_every_name_of_a_sheet(titles: list[str]) -> None:
    names = sheet_names([*titles, "History", "Журнал", "a" * 40, "A" * 40, "'x'", "[a]:b"])
    assert len({name.casefold() for name in names}) == len(names)
    for name in names:
        assert 1 <= len(name.encode("utf-16-le")) // 2 <= 31
        assert not re.search(r"[\[\]:*?/\\\x00-\x1f]", name)
        assert name.strip("'") == name
        assert name.casefold() not in ("history", "журнал")


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    few, many = texts(*map(str, range(200))), texts(*map(str, range(4000)))
    to_xlsx([few], tmp_path / "warm.xlsx")
    assert _peak(many, tmp_path) < _peak(few, tmp_path) + 300_000


def _peak(table: Table, folder: Path) -> int:
    tracemalloc.start()
    try:
        to_xlsx([table], folder / "report.xlsx")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_file_that_cannot_be_written_is_named_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="report") as caught:
        to_xlsx([TEAM], tmp_path / "report" / "x.xlsx")
    assert caught.value.filename == str(tmp_path / "report" / "x.xlsx")
