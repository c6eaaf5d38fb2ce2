"""When and from where calls come and are lost: the week as a heat map, lines, regions, absence over load."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pbxmonitor.charts import Heat
from pbxmonitor.columns import Column, Kind, Row, Table
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, duration, period_text, several_nodes, share, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.tables import heat_table
from pbxmonitor.texts import tr

Names = Callable[[str], str]
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def hours(found: Sequence[Row], stretch: Stretch) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.hours`: calls and lost calls of the mean hour of each weekday."""
    shown = [row["hour"] for row in found if row["calls"]]
    span = range(min(shown, default=0), max(shown, default=-1) + 1)
    kinds = {"calls_mean": Kind.COUNT, "lost_share": Kind.SHARE} if shown else {}
    heats = tuple(_heat(found, key, kind, span, stretch) for key, kind in kinds.items())
    columns = (
        Column(key="weekday", value=lambda row: tr(f"value.weekday.{_WEEKDAYS[row['weekday']]}")),
        Column(key="hour", value=lambda row: f"{row['hour']:02}:00"),
        *(count(key) for key in ("calls", "answered", "lost", "short_abandoned")),
        share("lost_share"),
    )
    flat = Table(
        title=titled("report.hours.name", stretch),
        empty=tr("report.journal.empty"),
        columns=columns,
        rows=tuple(row for row in found if row["calls"]),
        sheet=tr("report.hours.name"),
    )
    shown_heats = (replace(heat, title=f"{heat.title}, {heat.subtitle}") for heat in heats)
    tables = tuple(heat_table(heat) for heat in shown_heats) or (flat,)
    return Exhibit(rows=list(found), tables=tables, flat=flat, charts=heats)


def _heat(found: Sequence[Row], key: str, kind: Kind, span: range, stretch: Stretch) -> Heat:
    cells = {(row["weekday"], row["hour"]): row[key] if row["hours"] else None for row in found}
    return Heat(
        title=tr(f"report.hours.{key}"),
        subtitle=period_text(stretch),
        rows=tuple(tr(f"value.weekday.{day}") for day in _WEEKDAYS),
        columns=tuple(f"{hour}" for hour in span),
        values=tuple(tuple(cells[weekday, hour] for hour in span) for weekday in range(7)),
        kind=kind,
    )


def lines(found: Sequence[Row], stretch: Stretch) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.lines`."""
    rows = tuple(found)
    return _counted("report.lines.name", rows, stretch, (*several_nodes(rows), Column(key="line")))


def regions(found: Sequence[Row], stretch: Stretch) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.regions`."""
    who = (Column(key="region", value=region_name), Column(key="country_name"))
    return _counted("report.regions.name", tuple(found), stretch, who)


def region_name(row: Row) -> str:
    """The region's own name, or what the callers without one are."""
    return row["name"] or tr(f"value.region.{row['kind']}")


def _counted(title: str, rows: tuple[Row, ...], stretch: Stretch, who: Iterable[Column]) -> Exhibit:
    table = Table(
        title=titled(title, stretch),
        empty=tr("report.journal.empty"),
        columns=(
            *who,
            count("calls", bar=True),
            *(count(key) for key in ("answered", "lost", "short_abandoned")),
            share("lost_share"),
        ),
        rows=rows,
        sheet=tr(title),
    )
    return Exhibit(rows=list(rows), tables=(table,), flat=table)


def away(found: Mapping[str, Any], stretch: Stretch, names: Names) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.away`: who was not there while calls were lost."""
    rows = tuple(found["hours"])
    costly = Table(
        title=titled("report.away.name", stretch),
        empty=tr("report.away.empty"),
        columns=(
            *several_nodes(rows),
            Column(key="agent", value=lambda row: names(row["agent"])),
            Column(key="day"),
            Column(key="hour", value=lambda row: f"{row['hour']:02}–{row['hour'] + 1:02}"),
            Column(key="state", value=_state),
            duration("away_s", bar=True),
            *(count(key) for key in ("calls", "lost")),
        ),
        rows=rows,
        sheet=tr("report.away.name"),
    )
    profile = tuple(
        {**hour, "node": each["node"], "agent": each["agent"]} for each in found["agents"] for hour in each["hours"]
    )
    usual = Table(
        title=titled("report.away.profile", stretch),
        empty="",
        columns=(
            *several_nodes(profile),
            Column(key="agent", value=lambda row: names(row["agent"])),
            Column(key="hour", value=lambda row: f"{row['hour']:02}–{row['hour'] + 1:02}"),
            *(duration(f"{state}_s") for state in ("dnd", "paused", "offline")),
            *(Column(key=key, value=_value(key)) for key in ("calls", "lost")),
        ),
        rows=profile,
        sheet=tr("report.away.profile"),
    )
    return Exhibit(rows=found, tables=(costly, usual), flat=costly)


def _value(key: str) -> Callable[[Row], Any]:
    return lambda row: row[key]


def _state(row: Row) -> str:
    """DND, or what kind of pause."""
    word = tr(f"value.state.{row['state'].removesuffix('~')}")
    return f"{word} ({row['reason']})" if row["reason"] else word
