"""Which calls are judged again: those of a scope, in the order they began or by the clients they are from and to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key
from pbxmonitor.store.rejudge import LONGEST, rows_of
from pbxmonitor.store.restore import Found
from pbxmonitor.store.types import among

_CALL: Final = schema.call.c
# In which column a call has its client, unless it is a stray.
_CLIENTS: Final = ((_CALL.caller, Direction.INBOUND), (_CALL.called, Direction.OUTBOUND))
Place = tuple[datetime, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The ended calls that began since `begin` or were going on then, and of which node the rows may change (or any).

    `strays` are, by client, outbound calls that rang another number than the dialled one: no index leads to those.
    """

    begin: datetime
    policy: Policy
    node: str | None = None
    strays: dict[str, set[Key]] = field(default_factory=dict)


def covered(begin: datetime, node: str | None = None) -> sa.ColumnElement[bool]:
    """The calls that began since, or were going on at that moment; open ones are among them."""
    since = sa.and_(_CALL.started_at >= begin - LONGEST, sa.or_(_CALL.ended_at.is_(None), _CALL.ended_at >= begin))
    return since if node is None else sa.and_(since, _CALL.node == node)


def page_after(
    connection: sa.Connection, begin: datetime, node: str | None, after: Place | None, size: int
) -> Sequence[Found]:
    """The next calls in the order they began, open ones too."""
    wanted = sa.select(schema.call).where(covered(begin, node))
    if after is not None:
        at, last, key = after
        beyond = sa.or_(_CALL.started_at > at, _CALL.node > last, sa.and_(_CALL.node == last, _CALL.key > key))
        wanted = wanted.where(_CALL.started_at >= at, beyond)
    return connection.execute(wanted.order_by(_CALL.started_at, _CALL.node, _CALL.key).limit(size)).all()


def count_of(connection: sa.Connection, scope: Scope) -> int:
    """How many calls there are."""
    wanted = sa.select(sa.func.count()).select_from(schema.call).where(covered(scope.begin, scope.node))
    return connection.execute(wanted).scalar_one()


def strays_since(connection: sa.Connection, begin: datetime) -> Sequence[Found]:
    """Outbound calls that rang another number than the dialled one; of all nodes, for a conversation counts on any."""
    named = _CALL.evidence.like('%"number":"%')
    same = _CALL.evidence.like(sa.literal('%"number":"') + _CALL.called + sa.literal('"%'))
    wanted = sa.select(schema.call).where(covered(begin), _CALL.direction == Direction.OUTBOUND, named, ~same)
    return connection.execute(wanted).all()


def of_clients(connection: sa.Connection, clients: Sequence[str], scope: Scope) -> dict[Key, Found]:
    """The ended calls from those clients and to them, of all nodes."""
    since = sa.select(schema.call).where(covered(scope.begin), _CALL.ended_at.is_not(None))
    found: dict[Key, Found] = {}
    for column, direction in _CLIENTS:
        mine = since.where(among(connection, column, clients), _CALL.direction == direction)
        found |= {(row.node, row.key): row for row in connection.execute(mine).all()}
    strays = {key for client in clients for key in scope.strays.get(client, ())} - found.keys()
    return found | {(row.node, row.key): row for row in rows_of(connection, strays)}


def portions(connection: sa.Connection, clients: Sequence[str], begin: datetime, size: int) -> list[list[str]]:
    """The clients in groups of about that many calls; one who has more is a group of his own."""
    counts = _counts(connection, clients, begin)
    found: list[list[str]] = [[]]
    room = size
    for client in clients:
        if counts.get(client, 0) > room and found[-1]:
            found.append([])
            room = size
        found[-1].append(client)
        room -= counts.get(client, 0)
    return [each for each in found if each]


def _counts(connection: sa.Connection, clients: Sequence[str], begin: datetime) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for column, direction in _CLIENTS:
        mine = sa.and_(among(connection, column, clients), covered(begin), _CALL.direction == direction)
        for client, count in connection.execute(sa.select(column, sa.func.count()).where(mine).group_by(column)):
            counts[client] = counts.get(client, 0) + count
    return counts
