"""Reports as tables: the same rows for the terminal and for a spreadsheet."""

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from pbxmonitor.texts import spoken, tr

Row = Mapping[str, Any]
Cell = str | int | float | None

BOM = "\ufeff"
NARROWEST = 4
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PHONE = re.compile(r"\+\d{3,15}")
_COLOURS = {"red": "red", "yellow": "yellow", "green": "green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its catalogue key, its value in a row, and how a terminal shows that value."""

    key: str
    value: Callable[[Row], Cell]
    shown: Callable[[Cell], str] = str
    right: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What is to be shown: a title, the columns, the rows; `empty` is said when there are none."""

    title: str
    empty: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def agents_table(rows: Sequence[Row], begin: datetime | None = None, end: datetime | None = None) -> Table:
    """Each agent's numbers (`pbxmonitor.reporting.agents`)."""
    several = len({row.get("node") for row in rows}) > 1
    counted = ("offered", "answered", "missed")
    rest = ("answered_elsewhere", "refused", "not_counted", "short_hangups")
    columns = (
        *((_plain("node"),) if several else ()),
        Column(key="agent", value=_agent_name),
        *(_number(key) for key in counted),
        Column(key="missed_share", value=_percent, shown=_rounded, right=True),
        *(_number(key) for key in rest),
        Column(key="pickup_mean_s", value=lambda row: row.get("pickup_mean_s"), shown=_tenths, right=True),
        *(_duration(key) for key in ("talk_s", "dnd_s", "paused_s", "offline_s")),
    )
    title = _title("report.agents.title", len(rows), begin, end)
    return Table(title=title, empty=tr("report.agents.empty"), columns=columns, rows=tuple(rows))


def journal_table(
    rows: Sequence[Row], zone: tzinfo = UTC, begin: datetime | None = None, end: datetime | None = None
) -> Table:
    """The calls of a period (`pbxmonitor.reporting.journal`, or what replay prints), times in that zone."""
    columns = (
        Column(key="started_at", value=lambda row: _local(row.get("started_at"), zone)),
        _word("direction"),
        Column(key="caller", value=lambda row: row.get("caller") or tr("value.withheld")),
        _plain("called"),
        _word("disposition"),
        _plain("answered_by"),
        Column(key="missed_by", value=_missed_by),
        Column(key="wait_s", value=lambda row: row.get("wait_s"), shown=_tenths, right=True),
        Column(key="call_talk_s", value=lambda row: row.get("talk_s"), shown=_tenths, right=True),
        _word("ended_by"),
        _word("cause"),
        _word("colour"),
        _plain("call"),
    )
    title = _title("report.journal.title", len(rows), begin, end)
    return Table(title=title, empty=tr("report.journal.empty"), columns=columns, rows=tuple(rows))


def show(table: Table, width: int | None = None) -> None:
    """Print the table to stdout, in colour on a terminal; a narrow one is spared the columns that say nothing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(width=None if sys.stdout.isatty() else 200) if width is None else Console(width=width)
    if not table.rows:
        console.print(Text(table.empty))
        return
    columns = _fitting(table, console.width)
    console.width = max(console.width, _needed(columns))
    grid = Grid(
        title=Text(table.title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for each in columns:
        heading = Text(_heading(each.column), overflow="fold")
        grid.add_column(heading, justify="right" if each.column.right else "left", width=each.width, overflow="fold")
    for number, row in enumerate(table.rows):
        style = _COLOURS.get(str(row.get("colour")), "")
        grid.add_row(*(Text(each.cells[number], style=style) for each in columns))
    console.print(grid)


@dataclass(frozen=True, slots=True)
class _Shown:
    """A column as it will stand on the screen, and the least characters that its cells (or words) need."""

    column: Column
    cells: tuple[str, ...]
    width: int


def _fitting(table: Table, width: int) -> list[_Shown]:
    """All columns, whole words in their headings; else those that say something; else values whole, headings cut."""
    shown = [_shown(column, table.rows, words=True) for column in table.columns]
    if _needed(shown) <= width:
        return shown
    telling = [each for each in shown if any(each.column.value(row) for row in table.rows)]
    if _needed(telling) <= width:
        return telling
    return [_shown(each.column, table.rows, words=False) for each in telling]


def _shown(column: Column, rows: Sequence[Row], *, words: bool) -> _Shown:
    cells = tuple(_cell(column, row) for row in rows)
    longest = max(map(len, _heading(column).split())) if words else NARROWEST
    return _Shown(column, cells, max(longest, *(len(cell) for cell in cells)))


def _needed(columns: Sequence[_Shown]) -> int:
    """Characters across: the columns, two between each, the edges."""
    return sum(each.width + 2 for each in columns) + 2


def _heading(column: Column) -> str:
    return tr(f"report.column.{column.key}")


def to_csv(table: Table) -> str:
    """The table as a spreadsheet opens it: a byte order mark, and what Excel expects in the language in use.

    Russian: semicolons between the fields and decimal commas; English: commas and points. Text that a spreadsheet
    would run as a formula begins with an apostrophe; a phone number is left as it is.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if spoken() == "ru" else ",", lineterminator="\r\n")
    writer.writerow([_heading(column) for column in table.columns])
    writer.writerows([_field(column.value(row)) for column in table.columns] for row in table.rows)
    return BOM + out.getvalue()


def _field(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        text = value.replace("\0", "")
        return "'" + text if text.lstrip().startswith(_FORMULA) and not _PHONE.fullmatch(text) else text
    return str(value).replace(".", ",") if spoken() == "ru" else str(value)


def _cell(column: Column, row: Row) -> str:
    value = column.value(row)
    return "" if value is None else column.shown(value)


def _title(key: str, count: int, begin: datetime | None, end: datetime | None) -> str:
    if begin is None or end is None:
        return tr(f"{key}_plain", n=count)
    return tr(key, n=count, begin=f"{begin:%Y-%m-%d %H:%M}", end=f"{end:%Y-%m-%d %H:%M}")


def _plain(key: str) -> Column:
    return Column(key=key, value=lambda row: row.get(key))


def _number(key: str) -> Column:
    return Column(key=key, value=lambda row: row.get(key), right=True)


def _duration(key: str) -> Column:
    return Column(key=key, value=lambda row: row.get(key), shown=_clock_face, right=True)


def _word(key: str) -> Column:
    def value(row: Row) -> Cell:
        return tr(f"value.{key}.{row[key]}") if row.get(key) else None

    return Column(key=key, value=value)


def _agent_name(row: Row) -> Cell:
    name, agent = row.get("name"), row.get("agent")
    return f"{name} ({agent})" if name and name != agent else agent


def _percent(row: Row) -> Cell:
    share = row.get("missed_share")
    return None if share is None else round(float(share) * 100, 1)


def _missed_by(row: Row) -> Cell:
    verdicts: Mapping[str, str] = row.get("verdicts") or {}
    return _joined(agent for agent, verdict in verdicts.items() if verdict == "missed")


def _joined(words: Iterable[str]) -> str | None:
    return ", ".join(words) or None


def _local(stamp: Any, zone: tzinfo) -> Cell:
    if not stamp:
        return None
    at = stamp if isinstance(stamp, datetime) else datetime.fromisoformat(str(stamp))
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _rounded(value: Cell) -> str:
    return f"{float(value or 0):.0f}"


def _tenths(value: Cell) -> str:
    text = f"{float(value or 0):.1f}"
    return text.replace(".", ",") if spoken() == "ru" else text


def _clock_face(value: Cell) -> str:
    minutes, seconds = divmod(round(float(value or 0)), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
