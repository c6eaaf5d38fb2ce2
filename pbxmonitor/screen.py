"""Tables on the terminal: coloured when it is one, and fitted to its width."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pbxmonitor.columns import (
    MARKS,
    NUMBERS,
    Cell,
    Column,
    Table,
    Tone,
    cell,
    cell_tone,
    greatest,
    heading,
    marked,
    row_tone,
    screen_text,
)
from pbxmonitor.palette import as_hex, ink, shade

if TYPE_CHECKING:
    from rich.console import Console

# How long the words of a heading may be before they are cut, where there is no room for whole ones.
HEADINGS = (9, 7, 5, 4)
UNKNOWN_WIDTH = 200
BAR_WIDTH = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_STYLES = {Tone.GOOD: "green", Tone.WARN: "yellow", Tone.BAD: "red"}


def show(table: Table, width: int | None = None) -> None:
    """Print the table to stdout, in colour on a terminal; a narrow one is spared the columns that say nothing."""
    from rich.text import Text

    console = _console(width)
    if not table.rows:
        console.print(Text(table.empty))
        return
    columns = _fitting(table, console.width)
    console.width = max(console.width, _needed(columns))
    _print(console, table, columns)


def bar(part: float) -> str:
    """A bar of up to eight characters for a part (0..1) of the greatest; whatever is above nothing has some."""
    eighths = max(round(min(part, 1.0) * BAR_WIDTH * 8), 1) if part > 0 else 0
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()).ljust(BAR_WIDTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A column as it will stand on the screen, and the least characters that its cells (or words) need."""

    column: Column
    says: bool
    cells: tuple[str, ...]
    styles: tuple[str, ...]
    width: int


def _console(width: int | None) -> "Console":
    from rich.console import Console

    if width is not None:
        return Console(width=width)
    return Console(width=None if sys.stdout.isatty() else UNKNOWN_WIDTH)


def _print(console: "Console", table: Table, columns: Sequence[_Shown]) -> None:
    from rich import box
    from rich.console import JustifyMethod
    from rich.table import Table as Grid
    from rich.text import Text

    title = Text(table.title)
    grid = Grid(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for each in columns:
        side: JustifyMethod = "right" if each.column.kind in NUMBERS else "left"
        grid.add_column(Text(heading(each.column), justify=side, overflow="fold"), width=each.width, overflow="fold")
    for number in range(len(table.rows)):
        grid.add_row(*(Text(each.cells[number], style=each.styles[number]) for each in columns))
    console.print(grid)


def _fitting(table: Table, width: int) -> list[_Shown]:
    """All there is, whole words in the headings; else no bars; else what says something; else headings cut."""
    shown = _all_shown(table, bars=True)
    if _needed(shown) > width:
        shown = _all_shown(table)
    if _needed(shown) > width:
        shown = [each for each in shown if each.says]
    for longest in HEADINGS:
        if _needed(shown) > width:
            shown = [each for each in _all_shown(table, longest=longest) if each.says]
    return shown


def _all_shown(table: Table, *, bars: bool = False, longest: int = UNKNOWN_WIDTH) -> list[_Shown]:
    tones = [row_tone(table, row) for row in table.rows]
    values = {column.key: [cell(column, row, table.zone) for row in table.rows] for column in table.columns}
    hottest = greatest([value for column in table.columns if column.heat for value in values[column.key]])
    shown = []
    for column in table.columns:
        mine = values[column.key]
        cells = _cells(table, column, mine, bars=bars)
        own = [tone or whole for tone, whole in zip(_tones(table, column, mine), tones, strict=True)]
        styles = _shades(mine, hottest) if column.heat else tuple(_STYLES[tone] if tone else "" for tone in own)
        word = min(max(map(len, heading(column).split()), default=0), longest)
        width = max(word, *(_width(column, text) for text in cells))
        # Padded here: rich would cut the blanks at the end of a text that it sets to the right.
        cells = tuple(text.rjust(width) if column.kind in NUMBERS else text for text in cells)
        shown.append(_Shown(column=column, says=any(mine), cells=cells, styles=styles, width=width))
    return shown


def _width(column: Column, text: str) -> int:
    """All of the text, or where the column wraps, so much of it as does not break a word."""
    if not column.wrap or len(text) <= column.wrap:
        return len(text)
    return max(column.wrap, *map(len, text.split()))


def _cells(table: Table, column: Column, values: Sequence[Cell], *, bars: bool) -> tuple[str, ...]:
    texts = [screen_text(column, value) for value in values]
    if marked(table, column):
        texts = _with_marks(texts, _tones(table, column, values))
    if not (bars and column.bar):
        return tuple(texts)
    longest, top = max(map(len, texts)), greatest(values)
    parts = [value / top if top and isinstance(value, int | float) else 0.0 for value in values]
    return tuple(f"{text:>{longest}} {bar(part)}" for text, part in zip(texts, parts, strict=True))


def _tones(table: Table, column: Column, values: Sequence[Cell]) -> list[Tone | None]:
    """Of the cells alone; what is not known is neither good nor bad."""
    return [
        cell_tone(column, row) if value is not None else None for row, value in zip(table.rows, values, strict=True)
    ]


def _with_marks(texts: Sequence[str], tones: Sequence[Tone | None]) -> list[str]:
    """Each text and its mark; where any has one, the others keep its place, so that numbers stay in line."""
    if not any(tones):
        return list(texts)
    return [f"{text} {MARKS[tone] if tone else ' '}" for text, tone in zip(texts, tones, strict=True)]


def _shades(values: Sequence[Cell], top: float) -> tuple[str, ...]:
    grounds = [shade(value / top) if top and isinstance(value, int | float) and value > 0 else None for value in values]
    return tuple(f"{ink(ground)} on {as_hex(ground)}" if ground else "" for ground in grounds)


def _needed(columns: Sequence[_Shown]) -> int:
    """Characters across: the columns, two between each, the edges."""
    return sum(each.width + 2 for each in columns) + 2
