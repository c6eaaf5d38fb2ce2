"""The journal as a table, and one call that explains itself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from pbxmonitor.columns import Column, Row, Table, decimal
from pbxmonitor.domain.explain import explain
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.timeline import journey
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import titled
from pbxmonitor.periods import Stretch
from pbxmonitor.store.journal import Case
from pbxmonitor.tables import journal_table
from pbxmonitor.texts import tr

Names = Callable[[str], str]
# Values that are people; the rest of the words stand as they are.
_PEOPLE = frozenset({"agent", "colleague", "to"})


def journal(found: Sequence[Row], stretch: Stretch, zone: tzinfo, *, more: bool = False) -> Exhibit:
    """Calls of `pbxmonitor.reporting`; `more` when the filter wants others after them."""
    table = journal_table(found, zone)
    title = titled("report.journal.name", stretch)
    if more:
        title = f"{title} ({tr('report.journal.more', n=len(found))})"
    shown = Table(
        title=title,
        empty=table.empty,
        columns=table.columns,
        rows=table.rows,
        sheet=tr("report.journal.name"),
        zone=zone,
        rows_as=table.rows_as,
    )
    return Exhibit(rows=list(found), tables=(shown,), flat=shown)


def call_lines(case: Case, policy: Policy, zone: tzinfo, names: Names) -> tuple[list[tuple[str, str]], list[str]]:
    """The journey as (time of day, what happened), and the reasons, one sentence each."""
    call = case.call
    now = call.ended_at or max((talk.began_at for talk in call.talks), default=call.started_at)
    judged = judge(call, policy, now)
    told = [
        (f"{moment.at.astimezone(zone):%H:%M:%S}", _text(moment.key, moment.values, zone, names))
        for moment in journey(call, judged, now)
    ]
    reasons = explain(call, judged, case.debt, case.colour, policy)
    return told, [_text(reason.key, reason.values, zone, names) for reason in reasons]


def call_json(case: Case, lines: tuple[list[tuple[str, str]], list[str]]) -> Mapping[str, Any]:
    """The call's stable form with its journey and its reasons in words."""
    told, reasons = lines
    return {**case.form, "journey": [{"at": at, "text": text} for at, text in told], "why": reasons}


def call_tables(case: Case, lines: tuple[list[tuple[str, str]], list[str]], zone: tzinfo) -> Exhibit:
    """The journey and the reasons as two tables below the call's own line."""
    told, reasons = lines
    columns = (Column(key="time", heading=""), Column(key="text", heading=tr("report.call.journey"), wrap=90))
    steps = Table(
        title=f"{tr('report.call.title', call=case.call.key)}, {case.call.started_at.astimezone(zone):%Y-%m-%d}",
        empty="",
        columns=columns,
        rows=tuple({"time": at, "text": text} for at, text in told),
    )
    why = Table(
        title="",
        empty="",
        columns=(Column(key="text", heading=tr("report.call.why"), wrap=100),),
        rows=tuple({"text": reason} for reason in reasons),
    )
    return Exhibit(rows=call_json(case, lines), tables=(steps, why), flat=steps)


def _text(key: str, values: Mapping[str, object], zone: tzinfo, names: Names) -> str:
    said: dict[str, Any] = {name: in_words(name, value, zone, names) for name, value in values.items()}
    return tr(key, **said)


def in_words(name: str, value: object, zone: tzinfo, names: Names, language: str | None = None) -> object:
    """A moment in local time, seconds with the language's comma, a person by his name."""
    if isinstance(value, datetime):
        return f"{value.astimezone(zone):%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return decimal(f"{value:.1f}".removesuffix(".0"), language)
    if name == "agents" and isinstance(value, str):
        return ", ".join(names(each.strip()) for each in value.split(","))
    return names(value) if name in _PEOPLE and isinstance(value, str) else value
