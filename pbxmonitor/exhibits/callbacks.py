"""Debts to missed clients: who owes them, who tried, who got through, which are overdue."""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo

from pbxmonitor.columns import Column, Kind, Row, Table, Tone
from pbxmonitor.domain.view import Json
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count, duration, said, share, titled
from pbxmonitor.periods import Stretch
from pbxmonitor.texts import tr

Names = Callable[[str], str]
_SAVED = frozenset({"reached", "client_returned"})
TOLD = frozenset({"owner", "supervisor", "reserve", "employee", "manager", "director", "crm"})
# What became of them: each callback is in one of these, so that they add up to all of them.
FATES = ("in_norm", "late", "returned", "dismissed", "waiting", "lost")
_TONES = {"reached": Tone.GOOD, "client_returned": Tone.GOOD, "attempted": Tone.WARN, "open": Tone.BAD}


def callbacks(
    found: Sequence[Row],
    stretch: Stretch,
    zone: tzinfo,
    names: Names,
    steps: Sequence[Sequence[str]] = (),
    figures: Json | None = None,
) -> Exhibit:
    """The exhibit of `pbxmonitor.reporting.callbacks` and of its `callback_figures`.

    `steps` are whom each step of the chain tells.
    """
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
    told = () if figures is None else (_owners(figures, names, zone), *_teams(figures, zone))
    return Exhibit(rows=list(found), tables=(table, *told, _saved(found, steps, zone)), flat=table)


def _owners(figures: Json, names: Names, zone: tzinfo) -> Table:
    """By whose they are, and all of them together at the end."""
    rows = [
        {"person": names(each["agent"]) if each["agent"] else tr("digest.no_owner")} | each
        for each in figures["owners"]
    ]
    if len(rows) > 1:
        rows.append({"person": tr("report.callbacks.all")} | figures["total"])
    return _figures("report.callbacks.owners", Column(key="person"), rows, zone)


def _teams(figures: Json, zone: tzinfo) -> tuple[Table, ...]:
    """By team, where there are several."""
    rows = [each | {"team": each["team"] or tr("report.callbacks.no_team")} for each in figures["teams"]]
    return (_figures("report.callbacks.teams", Column(key="team"), rows, zone),) if len(rows) > 1 else ()


def _figures(title: str, first: Column, rows: Sequence[Mapping[str, object]], zone: tzinfo) -> Table:
    columns = (
        first,
        count("opened"),
        share("in_norm_share"),
        duration("tried_median_s"),
        duration("tried_p90_s"),
        count("reached_clients", value=lambda row: row["reached"]),
        duration("reached_median_s"),
        duration("reached_p90_s"),
        *(count(f"fate.{fate}", value=lambda row, fate=fate: row[fate]) for fate in FATES),
    )
    empty = tr("report.callbacks.empty")
    return Table(title=tr(title), empty=empty, columns=columns, rows=tuple(rows), sheet=tr(title), zone=zone)


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


def step_name(step: int, steps: Sequence[Sequence[str]], language: str | None = None) -> str:
    """The step's number and whom it told; 0 is before any."""
    if step == 0:
        return tr("report.saved.before", language=language)
    told = ", ".join(_word(word, language) for word in steps[step - 1]) if step <= len(steps) else ""
    return f"{step}. {told}".strip()


def _word(word: str, language: str | None) -> str:
    return tr(f"value.told.{word}", language=language) if word in TOLD else word


def _step(row: Row, steps: Sequence[Sequence[str]]) -> str | None:
    return step_name(row["step"], steps) if row["state"] in _SAVED else None


def _tone(row: Row) -> Tone | None:
    return _TONES.get(row["state"])


def _last(row: Row, names: Names) -> str | None:
    if not row["attempts"]:
        return None
    last = row["attempts"][-1]
    return f"{names(last['agent'])}: {said('attempt', last['result'])}"
