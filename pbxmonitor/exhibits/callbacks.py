"""Debts to missed clients: who owes them, who tried, who got through, which are overdue."""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from pbxmonitor.columns import Column, Kind, Row, Table, Tone
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, said, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr

Names = Callable[[str], str]
_TONES = {"reached": Tone.GOOD, "client_returned": Tone.GOOD, "attempted": Tone.WARN, "open": Tone.BAD}


def callbacks(found: Sequence[Row], stretch: Stretch, zone: tzinfo, names: Names) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.callbacks`."""
    columns = (
        Column(key="opened_at", kind=Kind.MOMENT),
        Column(key="number", kind=Kind.PHONE),
        count("misses", value=lambda row: len(row["missed_calls"])),
        Column(key="owner", value=lambda row: names(row["owner"]) if row["owner"] else None),
        Column(key="due_at", kind=Kind.MOMENT),
        Column(key="callback_state", value=lambda row: said("callback", row["state"]), tone=_tone),
        count("attempts", value=lambda row: len(row["attempts"])),
        Column(key="last_attempt", value=lambda row: _last(row, names), wrap=40),
        Column(key="closed_by_call"),
    )
    table = Table(
        title=titled("report.callbacks.name", stretch),
        empty=tr("report.callbacks.empty"),
        columns=columns,
        rows=tuple(found),
        sheet=tr("report.callbacks.name"),
        zone=zone,
    )
    return Exhibit(rows=list(found), tables=(table,), flat=table)


def _tone(row: Row) -> Tone | None:
    return _TONES.get(row["state"])


def _last(row: Row, names: Names) -> str | None:
    if not row["attempts"]:
        return None
    last = row["attempts"][-1]
    return f"{names(last['agent'])}: {said('attempt', last['result'])}"
