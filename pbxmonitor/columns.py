"""What a table is: typed columns over plain rows. The terminal, CSV and a spreadsheet all show these cells."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from math import isfinite
from typing import Any

from pbxmonitor.texts import spoken, tr

Row = Mapping[str, Any]
Cell = str | int | float | datetime | None

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Kind(StrEnum):
    """What a column holds; how it is written on a screen, in CSV and in a spreadsheet follows from it."""

    TEXT = "text"
    PHONE = "phone"
    COUNT = "count"
    SHARE = "share"  # 0..1, read as per cent
    SECONDS = "seconds"
    DURATION = "duration"  # seconds, read as h:mm:ss
    MOMENT = "moment"  # an aware datetime or ISO 8601 with its offset, read in the table's zone


NUMBERS = frozenset({Kind.COUNT, Kind.SHARE, Kind.SECONDS, Kind.DURATION})


class Tone(StrEnum):
    """What a value means to the reader: a colour, and a mark for who does not see the colour."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


MARKS = {Tone.GOOD: "✓", Tone.WARN: "!", Tone.BAD: "✗"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its key in the rows and in the catalogue, what it holds, and what is drawn beside the value.

    `value` computes the cell where the row does not hold it under `key`; `heading` stands instead of the catalogue's
    `report.column.KEY`; `shown` is the terminal's text instead of the kind's; `absent` is what an unknown value says.
    """

    key: str
    kind: Kind = Kind.TEXT
    value: Callable[[Row], Any] | None = None
    heading: str | None = None
    shown: Callable[[Cell], str] | None = None
    absent: str = ""
    bar: bool = False  # a small bar beside the number, in scale with the column's greatest
    heat: bool = False  # a shade behind the number, in scale with the greatest of all such columns
    tone: Callable[[Row], Tone | None] | None = None
    wrap: int = 0  # on a terminal, longer text goes on in the next line


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """Which column a spreadsheet draws as bars, and the column that names each bar."""

    values: str
    names: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is to be shown: a title, the columns, the rows; `empty` is said when there are none.

    `sheet` names its sheet (the title, when empty). `rows_as` is the key of a column whose tone colours whole rows: its
    word is the sign that stands with the colour.
    """

    title: str
    empty: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    sheet: str = ""
    zone: tzinfo = UTC
    rows_as: str | None = None
    charted: Charted | None = None

    def column(self, key: str) -> Column:
        """The column of that key; KeyError when there is none."""
        for column in self.columns:
            if column.key == key:
                return column
        raise KeyError(key)


def heading(column: Column) -> str:
    """What stands over the column, in the language in use."""
    return tr(f"report.column.{column.key}") if column.heading is None else _CONTROL.sub(" ", column.heading)


def cell(column: Column, row: Row, zone: tzinfo = UTC) -> Cell:
    """The value: text, a number (shares 0..1, durations in seconds) or a naive local moment in whole seconds."""
    value = row.get(column.key) if column.value is None else column.value(row)
    if value is None or value == "":
        return None
    if column.kind is Kind.MOMENT:
        return _local(value, zone)
    if column.kind is Kind.TEXT or column.kind is Kind.PHONE:
        return str(value)
    return value if isinstance(value, int) else _finite(float(value))


def row_tone(table: Table, row: Row) -> Tone | None:
    """What colours the whole row."""
    return cell_tone(table.column(table.rows_as), row) if table.rows_as else None


def cell_tone(column: Column, row: Row) -> Tone | None:
    """What colours that cell alone."""
    return column.tone(row) if column.tone else None


def marked(table: Table, column: Column) -> bool:
    """Whether a mark stands beside the coloured values: a word that colours its row needs none."""
    return column.tone is not None and column.key != table.rows_as


def screen_text(column: Column, value: Cell) -> str:
    """The cell as a person reads it on a screen: one line, no control characters."""
    if value is None:
        return column.absent
    return _CONTROL.sub(" ", column.shown(value) if column.shown else spelled(value, column.kind))


def spelled(value: Cell, kind: Kind) -> str:
    """A known value in the language in use: 36,9 %, 28,0, 2:03:04, 2026-11-23 09:31:10."""
    match value:
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
        case int() | float() if kind is Kind.DURATION:
            return clock_face(value)
        case int() | float() if kind is Kind.SHARE:
            return f"{decimal(f'{value * 100:.1f}')} %"
        case int() | float() if kind is Kind.SECONDS:
            return decimal(f"{value:.1f}")
    return str(value)


def brief(value: Cell, kind: Kind) -> str:
    """The same where there is little room: 37%, 28, 2:03; nothing for what is not known."""
    match value:
        case None:
            return ""
        case int() | float() if kind is Kind.DURATION:
            return f"{round(value / 60) // 60}:{round(value / 60) % 60:02}"
        case int() | float() if kind is Kind.SHARE:
            return f"{value * 100:.0f}%"
        case int() | float():
            return f"{value:.0f}"
    return str(value)


def clock_face(seconds: float) -> str:
    """h:mm:ss, the hours above 24 too."""
    minutes, rest = divmod(abs(round(seconds)), 60)
    return f"{'-' if round(seconds) < 0 else ''}{minutes // 60}:{minutes % 60:02}:{rest:02}"


def decimal(text: str, language: str | None = None) -> str:
    """The number with the comma or the point of that language, or of the one in use."""
    return text.replace(".", ",") if (language or spoken()) == "ru" else text


def greatest(values: Sequence[Cell]) -> float:
    """The greatest number among them; 0 when there is none above it."""
    return max((value for value in values if isinstance(value, int | float)), default=0.0)


def _finite(number: float) -> float | None:
    return number if isfinite(number) else None


def _local(stamp: Any, zone: tzinfo) -> datetime:
    at = stamp if isinstance(stamp, datetime) else datetime.fromisoformat(str(stamp))
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0)
