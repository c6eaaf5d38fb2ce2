"""Tables as an Excel workbook: a sheet each, typed cells, colours, bars, and a chart that Excel draws itself."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from pbxmonitor.columns import MARKS, Cell, Column, Kind, Row, Table, Tone, cell, cell_tone, heading, marked
from pbxmonitor.palette import FAINT, GRID, PLAIN, RAMP, TONES, as_hex

# Excel's own limits: rows of a sheet below its heading; UTF-16 units of a cell, of a sheet's name, of a word in a
# formula, of a printed page's header.
ROWS_OF_A_SHEET = 1_048_575
LONGEST_TEXT, LONGEST_NAME, LONGEST_WORD, LONGEST_HEADER = 32_767, 31, 255, 255
CHARTED_ROWS = 40
NARROWEST, WIDEST = 6, 48
_SAFE = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
_DAY = 86_400

_FORMATS = {
    Kind.TEXT: "@",
    Kind.PHONE: "@",
    Kind.COUNT: "#,##0",
    Kind.SHARE: "0.0 %",
    Kind.SECONDS: "0.0",
    Kind.DURATION: "[h]:mm:ss",
    Kind.MOMENT: "yyyy-mm-dd hh:mm:ss",
}
_WIDTHS = {Kind.SHARE: 8, Kind.DURATION: 10, Kind.MOMENT: 20}
_LOOKS: dict[Tone, dict[str, object]] = {
    Tone.GOOD: {"font_color": "#006100", "bg_color": "#C6EFCE"},
    Tone.WARN: {"font_color": "#7F6000", "bg_color": "#FFEB9C"},
    Tone.BAD: {"font_color": "#9C0006", "bg_color": "#FFC7CE"},
}
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\\x00-\x1f\x7f]")
# Excel keeps the name of its own history sheet for itself, in each language another word.
_RESERVED = ("history", "журнал")


def to_xlsx(tables: Sequence[Table], path: Path, *, rows_of_a_sheet: int = ROWS_OF_A_SHEET) -> None:
    """Write the workbook, row by row; OSError when it cannot be written.

    Numbers, shares (0..1), durations (days, as Excel has them) and local moments are typed cells; text is never a
    formula or a link; an unknown value is an empty cell, or what its column says. More rows than a sheet holds go on
    in the next one.
    """
    with path.open("ab"):  # before the work: a file that cannot be written is told at once, by its name
        pass
    parts = [part for table in tables for part in _parts(table, rows_of_a_sheet)]
    book = Workbook(str(path), _SAFE)
    pens = _Pens(book)
    for part, name in zip(parts, sheet_names([part.sheet or part.title for part in parts]), strict=True):
        _Sheet(part, name, book.add_worksheet(name), pens).write()
    try:
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None


def sheet_names(titles: Sequence[str]) -> list[str]:
    """Those titles as Excel takes them for names of sheets: 31 characters, none of []:*?/\\, no two alike."""
    taken = set(_RESERVED)
    names = []
    for title in titles:
        name = next(each for each in _candidates(_plain_name(title)) if each.casefold() not in taken)
        taken.add(name.casefold())
        names.append(name)
    return names


def _plain_name(title: str) -> str:
    return " ".join(_NOT_IN_NAMES.sub(" ", _clean(title)).split()).strip("' ") or "1"


def _candidates(plain: str) -> Iterator[str]:
    yield _cut(plain, LONGEST_NAME).strip("' ")
    for number in count(2):
        tail = f" ({number})"
        yield _cut(plain, LONGEST_NAME - len(tail)).strip("' ") + tail


def _parts(table: Table, size: int) -> Iterator[Table]:
    yield replace(table, rows=table.rows[:size])
    for start in range(size, len(table.rows), size):
        yield replace(table, rows=table.rows[start : start + size], charted=None)


@dataclass(slots=True)
class _Pens:
    """The formats of a workbook, each made once."""

    book: Workbook
    made: dict[object, Format] = field(default_factory=dict)

    def cell(self, kind: Kind, tone: Tone | None) -> Format:
        """For a known value; its mark is part of the format, so that a number stays a number."""
        mark = f'" {MARKS[tone]}"' if tone else ""
        return self._made((kind, tone), {"num_format": _FORMATS[kind] + mark, **(_LOOKS[tone] if tone else {})})

    def row(self, tone: Tone) -> Format:
        """For the cells of a coloured row."""
        return self._made(tone, _LOOKS[tone])

    def heading(self) -> Format:
        """For the first row."""
        look = {"bold": True, "text_wrap": True, "valign": "top", "bottom": 1, "bg_color": GRID}
        return self._made("heading", look)

    def absent(self) -> Format:
        """For what is said where there is no value."""
        return self._made("absent", {"italic": True, "font_color": FAINT})

    def _made(self, key: object, look: dict[str, object]) -> Format:
        if key not in self.made:
            self.made[key] = self.book.add_format(look)
        return self.made[key]


@dataclass(slots=True)
class _Sheet:
    """One table on its way into one sheet."""

    table: Table
    name: str
    sheet: Worksheet
    pens: _Pens
    plain: list[Format] = field(default_factory=list)  # by column, for a cell of no tone
    words: dict[str, Tone] = field(default_factory=dict)  # of the column that colours the rows
    longest: dict[int, int] = field(default_factory=dict)  # characters of the texts, by column

    def write(self) -> None:
        """The heading, the rows, then what stands around them."""
        self._heading()
        for number, row in enumerate(self.table.rows, 1):
            for place, column in enumerate(self.table.columns):
                self._cell(number, place, column, row)
        if not self.table.rows:
            self.sheet.write_string(1, 0, _clean(self.table.empty), self.pens.absent())
        self._frame()
        if self.table.rows:
            self._colours()
            self._chart()

    def _heading(self) -> None:
        self.sheet.set_row(0, 32)
        for place, column in enumerate(self.table.columns):
            self.plain.append(self.pens.cell(column.kind, None))
            self.sheet.write_string(0, place, _clean(heading(column)), self.pens.heading())

    def _cell(self, number: int, place: int, column: Column, row: Row) -> None:
        value = cell(column, row, self.table.zone)
        tone = cell_tone(column, row) if column.tone else None
        pen = self.pens.cell(column.kind, tone) if tone and marked(self.table, column) else self.plain[place]
        match value:
            case None:
                if column.absent:
                    self._text(number, place, column.absent, self.pens.absent())
            case str():
                self._text(number, place, value, pen)
                if tone and column.key == self.table.rows_as:
                    self.words[value] = tone
            case datetime():
                self.sheet.write_datetime(number, place, value, pen)
            case _:
                self.sheet.write_number(number, place, _excel(value, column.kind), pen)

    def _text(self, number: int, place: int, text: str, pen: Format) -> None:
        plain = _clean(text)
        self.longest[place] = max(self.longest.get(place, 0), len(plain))
        self.sheet.write_string(number, place, plain, pen)

    def _frame(self) -> None:
        """What a reader and a printer need: the heading stays in sight, filters, widths, landscape A4."""
        self.sheet.freeze_panes(1, 0)
        self.sheet.autofilter(0, 0, max(len(self.table.rows), 1), len(self.table.columns) - 1)
        for place, column in enumerate(self.table.columns):
            self.sheet.set_column(place, place, self._width(place, column))
        self.sheet.set_landscape()
        self.sheet.set_paper(9)
        self.sheet.fit_to_pages(1, 0)
        self.sheet.repeat_rows(0)
        self.sheet.set_header("&L" + _cut(_clean(self.table.title), LONGEST_HEADER // 2 - 2).replace("&", "&&"))
        self.sheet.set_footer("&R&P / &N")

    def _width(self, place: int, column: Column) -> int:
        words = heading(column).split()
        arrow = 3  # of the filter; a heading may stand in two lines
        above = max(max(map(len, words), default=0) + arrow, len(heading(column)) // 2 + arrow)
        inside = min(max(self.longest.get(place, 0) + 2, _WIDTHS.get(column.kind, 0)), WIDEST)
        beside = (12 if column.bar else 0) + (2 if marked(self.table, column) else 0)
        return max(NARROWEST, above, inside + beside)

    def _colours(self) -> None:
        last, columns = len(self.table.rows), self.table.columns
        if self.table.rows_as:
            self._row_colours(last)
        for place, column in enumerate(columns):
            if column.bar:
                self.sheet.conditional_format(1, place, last, place, _BAR)
        hot = [place for place, column in enumerate(columns) if column.heat]
        if hot:
            self.sheet.conditional_format(1, hot[0], last, hot[-1], _HEAT)

    def _row_colours(self, last: int) -> None:
        keys = [column.key for column in self.table.columns]
        letter = xl_col_to_name(keys.index(str(self.table.rows_as)))
        for word, tone in self.words.items():
            quoted = _clean(word)[:LONGEST_WORD].replace('"', '""')
            rule = {"type": "formula", "criteria": f'=${letter}2="{quoted}"', "format": self.pens.row(tone)}
            self.sheet.conditional_format(1, 0, last, len(keys) - 1, rule)

    def _chart(self) -> None:
        charted = self.table.charted
        if charted is None:
            return
        values, names = self.table.column(charted.values), self.table.column(charted.names)
        rows = self.table.rows[:CHARTED_ROWS]
        chart = self.pens.book.add_chart({"type": "bar"})
        chart.add_series(self._series(values, names, rows))
        chart.set_title({"name": heading(values), "overlay": False, "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        chart.set_x_axis({"reverse": True, "line": {"color": GRID}, "major_tick_mark": "none"})
        chart.set_y_axis({"visible": False, "min": 0, "major_gridlines": {"visible": False}})
        chart.set_size({"width": 640, "height": 90 + 24 * len(rows)})
        self.sheet.insert_chart(1, len(self.table.columns) + 1, chart, {"description": heading(values)})

    def _series(self, values: Column, names: Column, rows: Sequence[Row]) -> dict[str, object]:
        tones = [cell_tone(values, row) for row in rows]
        return {
            "categories": self._range(names, len(rows)),
            "values": self._range(values, len(rows)),
            # What a reader that does not calculate shows; in this mode the library does not keep the cells.
            "categories_data": [_clean(str(cell(names, row, self.table.zone) or "")) for row in rows],
            "values_data": [_excel(cell(values, row), values.kind) for row in rows],
            "fill": {"color": PLAIN},
            "points": [{"fill": {"color": TONES[tone] if tone else PLAIN}} for tone in tones],
            "data_labels": {"value": True, "num_format": _FORMATS[values.kind]},
            "gap": 40,
        }

    def _range(self, column: Column, rows: int) -> list[object]:
        place = self.table.columns.index(column)
        return [self.name, 1, place, rows, place]


_BAR = {
    "type": "data_bar",
    "data_bar_2010": True,
    "bar_solid": True,
    "bar_color": "#9DC3E6",
    "min_type": "num",
    "min_value": 0,
}
_HEAT = {"type": "2_color_scale", "min_color": as_hex(RAMP[0]), "max_color": as_hex(RAMP[2])}


def _excel(value: Cell, kind: Kind) -> Any:
    """The number as Excel counts it: a duration in days."""
    return value / _DAY if kind is Kind.DURATION and isinstance(value, int | float) else value


def _clean(text: str) -> str:
    """The text as a cell can hold it, and as nothing but text."""
    plain = _cut(text if text.isprintable() else _NOT_XML.sub("", text), LONGEST_TEXT)
    # The library takes what is wrapped in this for markup of its own.
    return f"{plain} " if plain.startswith("<r>") and plain.endswith("</r>") else plain


def _cut(text: str, units: int) -> str:
    if len(text) * 2 <= units:
        return text
    whole = text.encode("utf-16-le")
    return text if len(whole) <= units * 2 else whole[: units * 2 - 2].decode("utf-16-le", "ignore") + "…"
