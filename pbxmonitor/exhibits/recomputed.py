"""What judging again changed, old against new."""

from typing import Any

from pbxmonitor.columns import Column, Table
from pbxmonitor.domain.view import stamp
from pbxmonitor.exhibits import Exhibit
from pbxmonitor.exhibits.common import count
from pbxmonitor.store.outcome import ChangedCall, Move, Outcome
from pbxmonitor.texts import catalogue, spoken, tr


def recomputed(outcome: Outcome, *, dry_run: bool) -> Exhibit:
    """The exhibit of `store.recompute`: totals, the most frequent changes; as JSON also the changed calls."""
    title = tr("report.recomputed.dry" if dry_run else "report.recomputed.done", n=outcome.changed)
    totals = Table(
        title=title,
        empty="",
        columns=(
            Column(key="what", value=lambda row: tr(f"value.total.{row['what']}")),
            count("before"),
            count("after"),
        ),
        rows=tuple({"what": what, "before": was, "after": now} for what, (was, now) in outcome.totals.items()),
    )
    moves = Table(
        title="",
        empty=tr("report.recomputed.same"),
        columns=(
            Column(key="what", value=lambda row: tr(f"value.field.{row['field']}")),
            Column(key="agent"),
            Column(key="before"),
            Column(key="after"),
            count("calls"),
        ),
        rows=tuple(map(_move, outcome.moves)),
    )
    rows = {
        "dry_run": dry_run,
        "calls": outcome.calls,
        "changed": outcome.changed,
        "callbacks_changed": outcome.callbacks_changed,
        "totals": {what: {"before": was, "after": now} for what, (was, now) in outcome.totals.items()},
        "moves": [_move_json(move) for move in outcome.moves],
        "changed_calls": [_call_json(call) for call in outcome.listed],
    }
    return Exhibit(rows=rows, tables=(totals, moves), flat=moves)


def _move(move: Move) -> dict[str, Any]:
    words = [_word(move.field, value) for value in (move.old, move.new)]
    return {"field": move.field, "agent": move.agent, "before": words[0], "after": words[1], "calls": move.count}


def _word(field: str, value: Any) -> str:
    """As people say it; yes, no, or nothing."""
    if value is None:
        return "—"
    if isinstance(value, bool):
        return tr("value.yes" if value else "value.no")
    key = f"value.{field}.{value}"
    return tr(key) if key in catalogue(spoken()) else str(value)


def _move_json(move: Move) -> dict[str, Any]:
    return {"field": move.field, "agent": move.agent, "old": move.old, "new": move.new, "count": move.count}


def _call_json(call: ChangedCall) -> dict[str, Any]:
    changes = {field: {"old": old, "new": new} for field, (old, new) in call.changes.items()}
    return {"node": call.node, "call": call.call, "started_at": stamp(call.started_at), "changes": changes}
