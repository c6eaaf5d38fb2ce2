"""Pages drawn by matplotlib, on figures of our own: nothing is shared with whoever else draws in this process."""

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.image import imsave
from numpy import asarray, concatenate

from pbxmonitor.charts.kinds import Bars, Chart, Funnel, Heat, Lines
from pbxmonitor.charts.plots import one_line, plot
from pbxmonitor.palette import FAINT, GRID, INK

WIDTH, HEIGHT = 11.69, 8.27  # inches, A4 landscape
DPI = 150
_STYLE: Final[Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib and has Cyrillic
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a name with $ is a name
    "axes.edgecolor": GRID,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "pdf.fonttype": 42,  # the text of a PDF can be searched and copied
}


def png(charts: Sequence[Chart]) -> bytes:
    """One picture, the pages one under another."""
    out = io.BytesIO()
    with _styled():
        pages = [_pixels(_page(chart)) for chart in charts]
    told: dict[str, Any] = {"Software": None}  # the library's version is no part of the picture
    imsave(out, concatenate(pages), format="png", dpi=DPI, metadata=told)
    return out.getvalue()


def pdf(charts: Sequence[Chart]) -> bytes:
    """A page for each chart; no date in it, so that the same charts give the same bytes."""
    out = io.BytesIO()
    told: dict[str, Any] = {
        "CreationDate": None,
        "Producer": None,
        "Creator": "pbxmonitor",
        "Title": one_line(charts[0].title),
    }
    with _styled(), PdfPages(out, metadata=told) as pages:
        for chart in charts:
            pages.savefig(_page(chart))
    return out.getvalue()


@contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A letter that the font does not have is drawn as a box, which is all that can be said of it.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        yield


def _page(chart: Chart) -> Figure:
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white")
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.9), w_pad=0.35, h_pad=0.3)
    figure.text(0.03, 0.96, one_line(chart.title), va="top", fontsize=16, fontweight="bold")
    figure.text(0.03, 0.915, one_line(chart.subtitle), va="top", color=FAINT)
    axes = figure.add_subplot()
    axes.spines[:].set_visible(False)
    if _says_something(chart):
        plot(chart, axes)
    else:
        axes.set_axis_off()
        axes.text(0.5, 0.5, chart.absent, ha="center", va="center", fontsize=14, color=FAINT)
    return figure


def _pixels(figure: Figure) -> Any:
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return asarray(canvas.buffer_rgba())


def _says_something(chart: Chart) -> bool:
    match chart:
        case Bars():
            return bool(chart.labels)
        case Heat():
            return bool(chart.rows and chart.columns)
        case Lines():
            return bool(chart.labels and chart.lines)
        case Funnel():
            return any(step.count for step in chart.steps)
