"""Queues: what came, what became of it, how long callers waited, how soon they were answered."""

from collections.abc import Callable, Mapping
from typing import Any

from pbxmonitor.charts import Bars
from pbxmonitor.columns import Column, Kind, Row, Table, decimal
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, period_text, seconds, several_nodes, share, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr

_ENDS = ("answered", "abandoned", "short_abandoned", "timeout", "full", "empty", "key", "transferred", "other")


def queues(found: Mapping[str, Any], stretch: Stretch) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.queues`."""
    rows = tuple(found["queues"])
    levels = [level["within_s"] for level in found["total"]["service_levels"]]
    who = (*several_nodes(rows), Column(key="queue"))
    own = (count("received", bar=True), *(count(key) for key in _ENDS), *_measures(levels, "abandoned"))
    table = Table(
        title=titled("report.queues.name", stretch),
        empty=tr("report.queues.empty"),
        columns=(*who, *own),
        rows=rows,
        sheet=tr("report.queues.name"),
    )
    total = Table(
        title=tr("report.queues.total"),
        empty=tr("report.queues.empty"),
        columns=(
            *(count(key) for key in ("calls", "visits", "answered", "lost", "short_abandoned")),
            *_measures(levels, "lost"),
        ),
        rows=(found["total"],) if rows else (),
        sheet=tr("report.queues.total"),
    )
    return Exhibit(rows=found, tables=(table, total), flat=table, charts=(_chart(rows, stretch),))


def _measures(levels: list[float], lost: str) -> tuple[Column, ...]:
    return (
        share("answered_share"),
        *(seconds(f"{name}_{what}_s") for name in ("wait", "answered_wait") for what in ("mean", "max")),
        *(seconds(f"{lost}_wait_{what}_s") for what in ("mean", "max")),
        *(_level(place, within, of) for place, within in enumerate(levels) for of in ("of_answered", "of_all")),
        seconds("talk_mean_s"),
        share("occupancy"),
    )


def _level(place: int, within: float, of: str) -> Column:
    """Answered within so many seconds, of the answered ones or of all."""
    title = tr(f"report.column.level_{of}", within=decimal(f"{within:g}"))
    return share(f"level_{place}_{of}", heading=title, value=_level_value(place, of))


def _level_value(place: int, of: str) -> Callable[[Row], Any]:
    return lambda row: row["service_levels"][place][of]


def _chart(rows: tuple[Row, ...], stretch: Stretch) -> Bars:
    return Bars(
        title=tr("report.chart.answered_share"),
        subtitle=period_text(stretch),
        labels=tuple(str(row["queue"]) for row in rows),
        values=tuple(row["answered_share"] for row in rows),
        kind=Kind.SHARE,
    )
