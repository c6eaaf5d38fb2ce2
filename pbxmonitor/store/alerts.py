"""The rows of table `alert`: read as the alerts that still live, written as they have become."""

import json
from collections.abc import Iterable, Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import RowMapping

from pbxmonitor.domain.alerting import LIVE, Alert, AlertState
from pbxmonitor.domain.alerts import Kind
from pbxmonitor.store import schema
from pbxmonitor.store.form import to_text
from pbxmonitor.store.notices import name_of, packed, unpacked
from pbxmonitor.store.types import Row, upsert

_A: Final = schema.alert.c


def alert_id(alert: Alert) -> str:
    """The row's name: the same for the same trouble."""
    return name_of(alert.rule, alert.node, alert.subject, alert.began_at.isoformat())


def load(connection: sa.Connection) -> dict[tuple[str, str, str], Alert]:
    """By rule, node and subject, the alerts that still live: pending, firing, or resting after their end."""
    rows = connection.execute(sa.select(schema.alert).where(_A.state.in_(LIVE)).order_by(_A.began_at)).mappings()
    return {alert.key: alert for alert in map(alert_of, rows)}


def alert_of(row: RowMapping) -> Alert:
    """The alert of that row."""
    details = unpacked(json.loads(row["details"]))
    return Alert(
        rule=row["rule"],
        kind=Kind(row["kind"]),
        node=row["node"],
        subject=row["subject"],
        state=AlertState(row["state"]),
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        told_at=row["told_at"],
        reminders=row["reminders"],
        **details,
    )


def row_of(alert: Alert) -> Row:
    """The row of that alert; `details` holds since, agent, well_since, value, threshold and words."""
    details = {name: getattr(alert, name) for name in ("since", "agent", "well_since", "value", "threshold", "words")}
    return {
        "id": alert_id(alert),
        "rule": alert.rule,
        "kind": alert.kind.value,
        "node": alert.node,
        "subject": alert.subject,
        "state": alert.state.value,
        "began_at": alert.began_at,
        "ended_at": alert.ended_at,
        "told_at": alert.told_at,
        "reminders": alert.reminders,
        "details": to_text(packed(details)),
    }


def save(connection: sa.Connection, changed: Sequence[Alert], gone: Iterable[Alert]) -> None:
    """Write those; the ones gone were only pending and leave no trace."""
    upsert(connection, schema.alert, [row_of(alert) for alert in changed])
    ids = [alert_id(alert) for alert in gone]
    if ids:
        connection.execute(sa.delete(schema.alert).where(_A.id.in_(ids)))
