"""Charts of a report as they are printed: PNG or PDF, A4 landscape, in colours told apart by everybody.

matplotlib is an extra and takes a second to load: `pbxmonitor.charts.drawing`, which needs it, is imported when a chart
is drawn.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pbxmonitor.charts.kinds import Bars, Chart, Funnel, Heat, Line, Lines, Step

__all__ = ["Bars", "Chart", "Funnel", "Heat", "Line", "Lines", "Step", "draw"]

NEEDED = "charts need matplotlib: pip install 'pbxmonitor[charts]'"
BARS_OF_A_PAGE = 30


def draw(chart: Chart | Sequence[Chart], path: Path) -> None:
    """Write .png or .pdf by the path's suffix: several charts are pages of a PDF, or one under another in a PNG.

    The same charts give the same bytes. ValueError in one line for another suffix, for no chart at all, and when
    matplotlib is not installed; OSError when the file cannot be written.
    """
    charts = list(chart) if isinstance(chart, Sequence) else [chart]
    if path.suffix.lower() not in (".png", ".pdf"):
        raise ValueError(f"cannot draw {path.name}: give a file that ends in .png or .pdf")
    if not charts:
        raise ValueError(f"there is no chart to draw in {path.name}")
    try:
        from pbxmonitor.charts import drawing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        raise ValueError(NEEDED) from None
    pages = [page for each in charts for page in _pages(each)]
    path.write_bytes(drawing.pdf(pages) if path.suffix.lower() == ".pdf" else drawing.png(pages))


def _pages(chart: Chart) -> Iterator[Chart]:
    """As many charts as it takes for the labels to be readable, in one scale."""
    if not isinstance(chart, Bars) or len(chart.labels) <= BARS_OF_A_PAGE:
        yield chart
        return
    top = chart.top or max((value for value in chart.values if value is not None), default=0.0)
    for start in range(0, len(chart.labels), BARS_OF_A_PAGE):
        part = slice(start, start + BARS_OF_A_PAGE)
        yield replace(chart, labels=chart.labels[part], values=chart.values[part], tones=chart.tones[part], top=top)
