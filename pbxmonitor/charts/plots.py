"""How each kind of chart looks."""

from collections.abc import Sequence
from itertools import pairwise
from math import nan

from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from pbxmonitor.charts.kinds import Bars, Chart, Funnel, Heat, Lines, Step
from pbxmonitor.columns import MARKS, Kind, Tone, brief, decimal, spelled
from pbxmonitor.palette import FAINT, GRID, INK, LINES, NORM, PLAIN, TONES, as_hex, ink, shade

LONGEST_LABEL = 34
MOST_TICKS = 14
# What a page of few bars, rows or steps leaves free rather than make them fat.
FEWEST_BARS, FEWEST_ROWS, FEWEST_STEPS = 8, 5, 5
_MARKERS = ("o", "s", "^", "D", "v", "P")  # one fewer than the colours: 42 lines before a pair comes again
_DASHES = (0, (5, 3))
_DURATIONS = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_PAPER = {"facecolor": "#ffffff", "edgecolor": "none", "pad": 1.0}  # no line runs through a number
_UNKNOWN, _NOTHING = "#f1f3f5", "#ffffff"


def plot(chart: Chart, axes: Axes) -> None:
    """Draw it there; the chart has something to say."""
    match chart:
        case Bars():
            _bars(chart, axes)
        case Heat():
            _heat(chart, axes)
        case Lines():
            _lines(chart, axes)
        case Funnel():
            _funnel(chart, axes)


def one_line(text: str) -> str:
    """The text without what would break the line or the font."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _label(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= LONGEST_LABEL else line[: LONGEST_LABEL - 1] + "…"


def _bars(chart: Bars, axes: Axes) -> None:
    known = [value or 0.0 for value in chart.values]
    tones = chart.tones or (None,) * len(known)
    top = max([chart.top or 0.0, chart.norm or 0.0, *known]) or 1.0
    axes.barh(range(len(known)), known, height=0.66, color=[_colour(tone) for tone in tones])
    for place, (value, tone) in enumerate(zip(chart.values, tones, strict=True)):
        said = chart.absent if value is None else _number(value, chart.kind)
        text = f"{said} {MARKS[tone]}" if tone else said
        colour = FAINT if value is None else INK
        axes.text((value or 0.0) + top * 0.008, place, text, va="center", color=colour, bbox=_PAPER)
    axes.set_yticks(range(len(known)), [_label(text) for text in chart.labels])
    axes.set_ylim(max(len(known), FEWEST_BARS) - 0.4, -0.6)
    axes.set_xlim(0, top * 1.12)
    _scale(axes, "x", chart.kind, top)
    if chart.norm is not None:
        axes.axvline(chart.norm, color=NORM, linestyle=_DASHES, linewidth=1)
        axes.text(chart.norm, 1.01, chart.norm_label, transform=axes.get_xaxis_transform(), ha="center", color=NORM)


def _heat(chart: Heat, axes: Axes) -> None:
    top = max((value for row in chart.values for value in row if value is not None), default=0.0)
    size = min(11.0, 250 / len(chart.columns), 260 / len(chart.rows))
    tiles, colours = [], []
    for y, row in enumerate(chart.values):
        for x, value in enumerate(row):
            ground = shade(value / top) if top and value else None
            tiles.append(Rectangle((x - 0.47, y - 0.46), 0.94, 0.92))
            colours.append(as_hex(ground) if ground else (_UNKNOWN if value is None else _NOTHING))
            letters = ink(ground) if ground else FAINT
            text = axes.text(x, y, brief(value, chart.kind), ha="center", va="center", fontsize=size, color=letters)
            text.set_in_layout(False)  # inside the axes in any case, and slow to measure
    axes.add_collection(PatchCollection(tiles, facecolors=colours, edgecolors=GRID, linewidths=0.5), autolim=False)
    axes.set_xticks(range(len(chart.columns)), [_label(text) for text in chart.columns])
    axes.set_yticks(range(len(chart.rows)), [_label(text) for text in chart.rows])
    axes.xaxis.tick_top()
    axes.set_xlim(-0.5, len(chart.columns) - 0.5)
    axes.set_ylim(max(len(chart.rows), FEWEST_ROWS) - 0.5, -0.5)


def _lines(chart: Lines, axes: Axes) -> None:
    places = range(len(chart.labels))
    for number, line in enumerate(chart.lines):
        values = [nan if value is None else value for value in line.values]
        colour, marker = LINES[number % len(LINES)], _MARKERS[number % len(_MARKERS)]
        axes.plot(places, values, color=colour, marker=marker, markersize=5, linewidth=1.8, label=_label(line.name))
    step = -(-len(chart.labels) // MOST_TICKS)
    axes.set_xticks(places[::step], [_label(text) for text in chart.labels[::step]])
    if chart.norm is not None:
        axes.axhline(chart.norm, color=NORM, linestyle=_DASHES, linewidth=1, label=_label(chart.norm_label))
    axes.margins(x=0.02)
    top = max([chart.norm or 0.0, *(value or 0.0 for line in chart.lines for value in line.values)]) or 1.0
    axes.set_ylim(0, top * 1.08)
    _scale(axes, "y", chart.kind, top)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, borderpad=0, handlelength=2.4)


def _funnel(chart: Funnel, axes: Axes) -> None:
    top = max(step.count for step in chart.steps)
    for place, step in enumerate(chart.steps):
        axes.barh(place, step.count, left=-step.count / 2, height=0.56, color=PLAIN)
        axes.text(top * 0.55, place, f"{step.count}", ha="left", va="center", fontsize=13, fontweight="bold")
        axes.text(top * 0.68, place, one_line(_reached(step, chart.steps)), ha="left", va="center")
    for place, (one, two) in enumerate(pairwise(chart.steps)):
        _slope(axes, place, one.count, two.count)
    axes.set_yticks(range(len(chart.steps)), [_label(step.name) for step in chart.steps])
    axes.set_xticks([])
    axes.set_ylim(max(len(chart.steps), FEWEST_STEPS) - 0.5, -0.5)
    axes.set_xlim(-top * 0.52, top * 1.25)


def _reached(step: Step, steps: Sequence[Step]) -> str:
    first = steps[0].count
    share = spelled(step.count / first, Kind.SHARE) if first else ""
    return " · ".join(text for text in (share, step.note) if text)


def _slope(axes: Axes, place: int, one: int, two: int) -> None:
    """What goes on from one step to the next, and how many were lost between them."""
    above, below = place + 0.28, place + 0.72
    axes.fill([-one / 2, one / 2, two / 2, -two / 2], [above, above, below, below], color=GRID, linewidth=0)
    if one > two:
        axes.text(0, place + 0.5, f"−{one - two} {MARKS[Tone.BAD]}", ha="center", va="center", color=TONES[Tone.BAD])


def _scale(axes: Axes, side: str, kind: Kind, top: float) -> None:
    """A thin grid, a few round numbers along it."""
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.grid(visible=True)
    if kind is Kind.DURATION:
        axis.set_major_locator(MultipleLocator(next((step for step in _DURATIONS if top / step <= 8), top / 8)))
    else:
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10], integer=kind is Kind.COUNT))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value, kind)))


def _tick(value: float, kind: Kind) -> str:
    match kind:
        case Kind.SHARE:
            return f"{decimal(f'{value * 100:g}')} %"
        case Kind.DURATION:
            return brief(value, kind)
    return decimal(f"{value:g}")


def _number(value: float, kind: Kind) -> str:
    return decimal(f"{value:g}") if kind is Kind.COUNT else spelled(value, kind)


def _colour(tone: Tone | None) -> str:
    return TONES[tone] if tone else PLAIN
