"""Debts to missed clients: who owes them, who tried, who got through, which are overdue."""

from collections.abc import Callable, Sequence
from datetime import tzinfo

from pbxmonitor.columns import Column, Kind, Row, Table, Tone
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, said, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr

Names = Callable[[str], str]
_SAVED = frozenset({"reached", "client_returned"})
TOLD = frozenset({"owner", "supervisor", "reserve", "employee", "manager", "director", "crm"})
_TONES = {"reached": Tone.GOOD, "client_returned": Tone.GOOD, "attempted": Tone.WARN, "open": Tone.BAD}


def callbacks(
    found: Sequence[Row], stretch: Stretch, zone: tzinfo, names: Names, steps: Sequence[Sequence[str]] = ()
) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.callbacks`; `steps` are whom each step of the chain tells."""
    columns = (
        Column(key="opened_at", kind=Kind.MOMENT),
        Column(key="number", kind=Kind.PHONE),
        count("misses", value=lambda row: len(row["missed_calls"])),
        Column(key="owner", value=lambda row: names(row["owner"]) if row["owner"] else None),
        Column(key="due_at", kind=Kind.MOMENT),
        Column(key="callback_state", value=lambda row: said("callback", row["state"]), tone=_tone),
        count("attempts", value=lambda row: len(row["attempts"])),
        Column(key="last_attempt", value=lambda row: _last(row, names), wrap=40),
        Column(key="rescuer", value=lambda row: names(row["rescuer"]) if row["rescuer"] else None),
        Column(key="saved_at_step", value=lambda row: _step(row, steps)),
        Column(key="reason", wrap=30),
        Column(key="callback_id", value=lambda row: row["id"]),
    )
    table = Table(
        title=titled("report.callbacks.name", stretch),
        empty=tr("report.callbacks.empty"),
        columns=columns,
        rows=tuple(found),
        sheet=tr("report.callbacks.name"),
        zone=zone,
    )
    return Exhibit(rows=list(found), tables=(table, _saved(found, steps, zone)), flat=table)


def open_callbacks(found: Sequence[Row], zone: tzinfo, names: Names) -> Table:
    """The table of `pbxmonitor.reporting.open_callbacks`."""
    columns = (
        Column(key="due_at", kind=Kind.MOMENT),
        Column(key="number", kind=Kind.PHONE),
        count("misses", value=lambda row: len(row["missed_calls"])),
        Column(key="owner", value=lambda row: names(row["taken_by"] or row["owner"] or "")),
        Column(key="callback_state", value=lambda row: said("callback", row["state"]), tone=_tone),
        Column(key="last_attempt", value=lambda row: _last(row, names), wrap=40),
        Column(key="callback_id", value=lambda row: row["id"]),
    )
    empty = tr("cli.callback.none")
    return Table(
        title=tr("report.callbacks.name"), empty=empty, columns=columns, rows=tuple(found), sheet="", zone=zone
    )


def _saved(found: Sequence[Row], steps: Sequence[Sequence[str]], zone: tzinfo) -> Table:
    """How many clients were talked to after each step of the chain, and before any."""
    counts: dict[int, int] = {}
    for row in found:
        if row["state"] in _SAVED:
            counts[row["step"]] = counts.get(row["step"], 0) + 1
    rows = tuple(
        {"saved_at_step": step_name(step, steps), "clients": number} for step, number in sorted(counts.items())
    )
    return Table(
        title=tr("report.saved.name"),
        empty=tr("report.saved.empty"),
        columns=(Column(key="saved_at_step"), count("clients")),
        rows=rows,
        sheet=tr("report.saved.name"),
        zone=zone,
    )


def step_name(step: int, steps: Sequence[Sequence[str]]) -> str:
    """The step's number and whom it told; 0 is before any."""
    if step == 0:
        return tr("report.saved.before")
    told = ", ".join(_word(word) for word in steps[step - 1]) if step <= len(steps) else ""
    return f"{step}. {told}".strip()


def _word(word: str) -> str:
    return tr(f"value.told.{word}") if word in TOLD else word


def _step(row: Row, steps: Sequence[Sequence[str]]) -> str | None:
    return step_name(row["step"], steps) if row["state"] in _SAVED else None


def _tone(row: Row) -> Tone | None:
    return _TONES.get(row["state"])


def _last(row: Row, names: Names) -> str | None:
    if not row["attempts"]:
        return None
    last = row["attempts"][-1]
    return f"{names(last['agent'])}: {said('attempt', last['result'])}"
