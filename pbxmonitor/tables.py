"""Reports as tables, and a table as CSV."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from pbxmonitor.charts import Heat
from pbxmonitor.columns import Cell, Charted, Column, Kind, Row, Table, Tone, brief, cell, clock_face, decimal, heading
from pbxmonitor.screen import show
from pbxmonitor.texts import spoken, tr

__all__ = ["Column", "Row", "Table", "agents_table", "heat_table", "journal_table", "show", "show_heat", "to_csv"]

BOM = "\ufeff"
# The wide forms are formulas to a Japanese or Chinese spreadsheet.
_FORMULA = tuple("=+-@\t\r＝＋－＠")
_PHONE = re.compile(r"\+[0-9]{3,15}")
_TONES = {"red": Tone.BAD, "yellow": Tone.WARN, "green": Tone.GOOD}


def agents_table(rows: Sequence[Row], begin: datetime | None = None, end: datetime | None = None) -> Table:
    """Each agent's numbers (`pbxmonitor.reporting.agents`)."""
    several = len({row.get("node") for row in rows}) > 1
    rest = ("answered_elsewhere", "refused", "not_counted", "short_hangups")
    columns = (
        *((Column(key="node"),) if several else ()),
        Column(key="agent", value=agent_name),
        *(_count(key) for key in ("offered", "answered", "missed")),
        Column(key="missed_share", kind=Kind.SHARE, shown=_whole_percent),
        *(_count(key) for key in rest),
        Column(key="pickup_mean_s", kind=Kind.SECONDS),
        *(Column(key=key, kind=Kind.DURATION) for key in ("talk_s", "dnd_s", "paused_s", "offline_s")),
    )
    return Table(
        title=_title("report.agents.title", len(rows), begin, end),
        empty=tr("report.agents.empty"),
        columns=columns,
        rows=tuple(rows),
        charted=Charted(values="missed_share", names="agent"),
    )


def journal_table(
    rows: Sequence[Row], zone: tzinfo = UTC, begin: datetime | None = None, end: datetime | None = None
) -> Table:
    """The calls of a period (`pbxmonitor.reporting.journal`, or what replay prints), times in that zone."""
    columns = (
        Column(key="started_at", kind=Kind.MOMENT),
        _word("direction"),
        Column(key="caller", kind=Kind.PHONE, value=lambda row: row.get("caller") or tr("value.withheld")),
        Column(key="called", kind=Kind.PHONE),
        _word("disposition"),
        Column(key="answered_by", kind=Kind.PHONE),
        Column(key="missed_by", value=_missed_by),
        Column(key="wait_s", kind=Kind.SECONDS),
        Column(key="call_talk_s", kind=Kind.SECONDS, value=lambda row: row.get("talk_s")),
        _word("ended_by"),
        _word("cause"),
        Column(key="colour", value=lambda row: _named("colour", row), tone=colour_tone),
        Column(key="call"),
    )
    title = _title("report.journal.title", len(rows), begin, end)
    empty = tr("report.journal.empty")
    return Table(title=title, empty=empty, columns=columns, rows=tuple(rows), zone=zone, rows_as="colour")


def colour_tone(row: Row) -> Tone | None:
    """The journal's red, yellow and green of a row."""
    return _TONES.get(str(row.get("colour")))


def heat_table(heat: Heat, corner: str = "") -> Table:
    """The matrix as a table: its row labels under `corner`, then a shaded column for each of its columns."""
    first = Column(key="label", heading=corner)
    columns = (
        Column(key=str(number), heading=label, kind=heat.kind, heat=True, shown=lambda value: brief(value, heat.kind))
        for number, label in enumerate(heat.columns)
    )
    rows = (
        {"label": label} | {str(number): value for number, value in enumerate(values)}
        for label, values in zip(heat.rows, heat.values, strict=True)
    )
    return Table(title=heat.title, empty=heat.absent, columns=(first, *columns), rows=tuple(rows))


def show_heat(heat: Heat, corner: str = "", width: int | None = None) -> None:
    """Print the matrix to stdout: shades behind the numbers on a terminal, plain numbers elsewhere."""
    show(heat_table(heat, corner), width)


def to_csv(table: Table) -> str:
    """The table as a spreadsheet opens it: a byte order mark, and what Excel expects in the language in use.

    Russian: semicolons between the fields and decimal commas; English: commas and points. Shares are per cent (36.9),
    durations h:mm:ss. Text that a spreadsheet would run as a formula begins with an apostrophe; a phone number is left
    as it is.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";" if spoken() == "ru" else ",", lineterminator="\r\n")
    writer.writerow([_plain(heading(column)) for column in table.columns])
    writer.writerows([_field(column, row, table.zone) for column in table.columns] for row in table.rows)
    return BOM + out.getvalue()


def _field(column: Column, row: Row, zone: tzinfo) -> str:
    value = cell(column, row, zone)
    match value:
        case None:
            return _plain(column.absent)
        case str():
            return _plain(value)
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
    return _number(value, column.kind)


def _number(value: float, kind: Kind) -> str:
    if kind is Kind.DURATION:
        return clock_face(value)
    return decimal(str(round(value * 100, 1) if kind is Kind.SHARE else round(value, 3)))


def _plain(value: str) -> str:
    text = value.replace("\0", "")
    return "'" + text if text.lstrip().startswith(_FORMULA) and not _PHONE.fullmatch(text) else text


def _title(key: str, count: int, begin: datetime | None, end: datetime | None) -> str:
    if begin is None or end is None:
        return tr(f"{key}_plain", n=count)
    return tr(key, n=count, begin=f"{begin:%Y-%m-%d %H:%M}", end=f"{end:%Y-%m-%d %H:%M}")


def _count(key: str) -> Column:
    return Column(key=key, kind=Kind.COUNT)


def _word(key: str) -> Column:
    return Column(key=key, value=lambda row: _named(key, row))


def _named(key: str, row: Row) -> str | None:
    return tr(f"value.{key}.{row[key]}") if row.get(key) else None


def agent_name(row: Row) -> str | None:
    """Anna (101), or the extension alone."""
    name, agent = row.get("name"), row.get("agent")
    return f"{name} ({agent})" if name and name != agent else agent


def _whole_percent(value: Cell) -> str:
    return f"{value * 100:.0f}" if isinstance(value, int | float) else ""


def _missed_by(row: Row) -> str | None:
    verdicts: Mapping[str, str] = row.get("verdicts") or {}
    return _joined(agent for agent, verdict in verdicts.items() if verdict == "missed")


def _joined(words: Iterable[str]) -> str | None:
    return ", ".join(words) or None
