"""What a person has beside calls and states: callbacks, alerts, messages, links, accounts. It follows his new name."""

import json
from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.alerting import LIVE, Alert, AlertState
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.store import schema
from pbxmonitor.store.alerts import alert_of, row_of
from pbxmonitor.store.form import to_text
from pbxmonitor.store.outbox import DeliveryState
from pbxmonitor.store.types import insert_new, upsert

_WHOSE: Final = ("owner", "rescuer", "taken_by", "dismissed_by")
_IN_MESSAGES: Final = frozenset({"agent", "owner", "rescuer"})
# Tables that know no PBX: the whole person, by column, and what else is in the key.
_OWNED: Final = (
    (schema.digest, "person", ("kind", "begin")),
    (schema.link, "person", ("channel",)),
    (schema.link_code, "person", None),
    (schema.user_account, "person", None),
    (schema.delivery, "recipient", None),
)


def follow_here(connection: sa.Connection, node: str, old: str, new: str) -> None:
    """All that belongs to that agent of that PBX; the writers must be locked."""
    debt, attempt = schema.callback.c, schema.callback_attempt.c
    for column in _WHOSE:
        mine = sa.and_(debt.node == node, debt[column] == old)
        connection.execute(sa.update(schema.callback).where(mine).values({column: new}))
    mine = sa.and_(attempt.node == node, attempt.agent == old)
    connection.execute(sa.update(schema.callback_attempt).where(mine).values(agent=new))
    dialled = schema.dialled.c
    mine = sa.and_(dialled.node == node, dialled.person == old)
    connection.execute(sa.update(schema.dialled).where(mine).values(person=new))
    _alerts(connection, node, old, new)
    _messages(connection, node, old, new)
    _agents(connection, node, old, new)


def _agents(connection: sa.Connection, node: str, old: str, new: str) -> None:
    agent, device = schema.agent.c, schema.agent_device.c
    rows = connection.execute(sa.select(schema.agent).where(agent.node == node, agent.agent == old)).mappings().all()
    insert_new(connection, schema.agent, [{**row, "agent": new} for row in rows])
    connection.execute(sa.delete(schema.agent).where(agent.node == node, agent.agent == old))
    mine = sa.and_(device.node == node, device.agent == old)
    connection.execute(sa.update(schema.agent_device).where(mine).values(agent=new))


def _alerts(connection: sa.Connection, node: str, old: str, new: str) -> None:
    """Of two that live and are about one person now, the one that began first goes on."""
    table = schema.alert.c
    told = sa.or_(table.subject.in_([old, new]), table.details.like(f'%"agent":{to_text(old)}%'))
    rows = connection.execute(sa.select(schema.alert).where(table.node == node, told)).mappings().all()
    alerts = {row["id"]: alert_of(row) for row in rows}
    moved = {name: _renamed(alert, old, new) for name, alert in alerts.items()}
    gone = [name for name, alert in alerts.items() if moved[name] is not alert]
    if gone:
        connection.execute(sa.delete(schema.alert).where(table.id.in_(gone)))
        upsert(connection, schema.alert, [row_of(alert) for alert in _one_each(moved.values())])


def _renamed(alert: Alert, old: str, new: str) -> Alert:
    if alert.agent != old:
        return alert
    return evolve(alert, agent=new, subject=new if alert.subject == old else alert.subject)


def _one_each(alerts: Iterable[Alert]) -> Iterable[Alert]:
    living: set[tuple[str, str, str]] = set()
    for alert in sorted(alerts, key=lambda each: (each.began_at, each.subject)):
        if alert.state in LIVE and alert.key in living:
            ended_at = alert.ended_at or alert.told_at or alert.began_at
            yield evolve(alert, state=AlertState.RESOLVED, ended_at=ended_at, well_since=None)
            continue
        if alert.state in LIVE:
            living.add(alert.key)
        yield alert


def _messages(connection: sa.Connection, node: str, old: str, new: str) -> None:
    """What waits for a CRM says whose it is by his name."""
    table = schema.delivery.c
    waiting = sa.and_(table.state == DeliveryState.WAITING, table.details.like(f"%{to_text(old)}%"))
    here = sa.or_(table.node == node, table.details.like(f'%"id":"{node}/%'))
    for row in connection.execute(sa.select(table.id, table.details).where(waiting, here)).all():
        details = {name: _said(name, value, old, new) for name, value in json.loads(row.details).items()}
        connection.execute(sa.update(schema.delivery).where(table.id == row.id).values(details=to_text(details)))


def _said(name: str, value: Any, old: str, new: str) -> Any:
    return new if name in _IN_MESSAGES and value == old else value


def follow_everywhere(connection: sa.Connection, old: str, new: str) -> None:
    """All that knows no PBX: of what there can be one only, the one that was there stays."""
    for table, column, others in _OWNED:
        if others is not None:
            _drop_second(connection, table, column, others, old, new)
        mine = table.c[column] == old
        connection.execute(sa.update(table).where(mine).values({column: new}))


def _drop_second(
    connection: sa.Connection, table: sa.Table, column: str, others: tuple[str, ...], old: str, new: str
) -> None:
    keys = [table.c[name] for name in others]
    there = set(map(tuple, connection.execute(sa.select(*keys).where(table.c[column] == new))))
    for key in map(tuple, connection.execute(sa.select(*keys).where(table.c[column] == old)).all()):
        if key in there:
            same = sa.and_(*(each == value for each, value in zip(keys, key, strict=True)))
            connection.execute(sa.delete(table).where(table.c[column] == old, same))
