"""Rows that are kept no longer, a few in each transaction, so that nobody waits for them."""

from datetime import date, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.policy import WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.outbox import DeliveryState
from pbxmonitor.store.types import among

PORTION: Final = 2_000
_FACT: Final = schema.fact.c
_CALL: Final = schema.call.c
_D: Final = schema.delivery.c
# The sums of days, and the marks that say which of them hold.
_OF_DAYS: Final = tuple(table for table in schema.METADATA.sorted_tables if {"node", "day"} <= {*table.c.keys()})
_OVER: Final = tuple(state for state in DeliveryState if state is not DeliveryState.WAITING)


def forget_facts(connection: sa.Connection, node: str, before: datetime, portion: int = PORTION) -> int:
    """Forget some of a PBX's facts from before that moment; how many. What a floor is restored from stays."""
    kept = sa.select(schema.checkpoint.c.seq).where(schema.checkpoint.c.node == node)
    last = connection.execute(kept).scalar()
    if last is None:
        return 0
    old = sa.and_(_FACT.node == node, _FACT.seq <= last, _FACT.at < before)
    found = list(connection.execute(sa.select(_FACT.seq).where(old).order_by(_FACT.seq).limit(portion)).scalars())
    if found:
        connection.execute(sa.delete(schema.fact).where(old, _FACT.seq <= found[-1]))
    return len(found)


def forget_calls(connection: sa.Connection, node: str, before: datetime) -> int:
    """Forget some of a PBX's calls that had ended by that moment, with all of theirs; how many.

    A miss whose client still waits stays, and so do the calls of its callback.
    """
    debt = schema.callback.c
    waits = sa.select(debt.call).where(debt.node == node, debt.closed_at.is_(None))
    old = sa.and_(_CALL.node == node, _CALL.started_at < before, _CALL.ended_at < before)
    open_debt = sa.or_(_CALL.key.in_(waits), _CALL.callback.in_(waits))
    wanted = sa.select(_CALL.key).where(old, sa.not_(sa.func.coalesce(open_debt, sa.false())))
    keys = list(connection.execute(wanted.order_by(_CALL.started_at).limit(PORTION)).scalars())
    if keys:
        mine = sa.and_(debt.node == node, among(connection, debt.call, keys), debt.closed_at.is_not(None))
        connection.execute(sa.delete(schema.callback).where(mine))
    return _forget(connection, schema.call, _CALL.key, keys, node)


def forget_days(connection: sa.Connection, node: str, before: datetime, hours: WorkingHours) -> int:
    """Forget a PBX's intervals and sums of the days that were over by that moment; how many rows."""
    day: date = hours.day_of(before)
    stretch = schema.agent_interval.c
    over = sa.and_(stretch.node == node, stretch.ended_at < hours.day_span(day)[0])
    gone = connection.execute(sa.delete(schema.agent_interval).where(over)).rowcount
    for table in _OF_DAYS:
        old = sa.and_(table.c.node == node, table.c.day < day - timedelta(days=1))
        gone += connection.execute(sa.delete(table).where(old)).rowcount
    return gone


def forget_deliveries(connection: sa.Connection, before: datetime) -> int:
    """Forget some of what was sent, or given up, before that moment; how many."""
    old = sa.and_(_D.state.in_(_OVER), _D.ended_at < before)
    wanted = sa.select(_D.id).where(old).order_by(_D.ended_at).limit(PORTION)
    return _forget(connection, schema.delivery, _D.id, list(connection.execute(wanted).scalars()))


def forget_audit(connection: sa.Connection, before: datetime) -> int:
    """Forget some of who did and saw what before that moment; how many."""
    column = schema.audit.c
    wanted = sa.select(column.id).where(column.at < before).order_by(column.at).limit(PORTION)
    return _forget(connection, schema.audit, column.id, list(connection.execute(wanted).scalars()))


def _forget(
    connection: sa.Connection, table: sa.Table, key: sa.Column[Any], names: list[str], node: str | None = None
) -> int:
    if names:
        mine = among(connection, key, names)
        connection.execute(sa.delete(table).where(mine if node is None else sa.and_(table.c.node == node, mine)))
    return len(names)
