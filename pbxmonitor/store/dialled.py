"""Calls that people asked the PBX to make: checked and reserved in one transaction, so that nobody gets two at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.callback import State
from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.debts import Key
from pbxmonitor.store.numbers import Kind, kind_of
from pbxmonitor.store.types import Row, insert_new
from pbxmonitor.texts import Cannot

HOUR: Final = timedelta(hours=1)
# So long a call that nobody has seen yet may still be on its way; and no call that somebody began lasts longer.
UNSEEN: Final = timedelta(minutes=2)
LONGEST: Final = timedelta(hours=4)
_D: Final = schema.dialled.c
_C: Final = schema.callback.c
_CALL: Final = schema.call.c
_M: Final = schema.memory.c
_LOCK: Final[Row] = {"owner": "dialling", "name": "lock", "content": ""}
_OPEN: Final = (State.OPEN.value, State.ATTEMPTED.value)


class CannotCall(Cannot):
    """Nobody is called; `text` says why to the person who asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants to call whom, in a call of that `id`: the client of a callback, or a canonical number.

    `any_number`: the person may call numbers that nobody has to be called back at, through `node`.
    """

    id: str
    person: str
    callback: Key | None = None
    number: str | None = None
    any_number: bool = False
    node: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many calls an hour: of a person by PBX, of everybody together; numbers that are blocked by the settings."""

    per_hour: Mapping[str, int]
    site_per_hour: int
    blocked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """What may be dialled now; `again`: it was reserved before under the same id, and whoever did that dials it."""

    id: str
    node: str
    number: str
    callback: str | None
    again: bool = False


def prepare(connection: sa.Connection) -> None:
    """Make the row whose lock lets one person after another reserve; once, in a transaction of its own."""
    insert_new(connection, schema.memory, [_LOCK])


def reserve(connection: sa.Connection, wish: Wish, bounds: Bounds, now: datetime) -> Reserved:
    """Check the wish and keep its row and its line in the audit, or CannotCall; `prepare` must have been called."""
    lock = sa.select(_M.name).where(_M.owner == _LOCK["owner"], _M.name == _LOCK["name"])
    connection.execute(lock.with_for_update()).all()
    before = connection.execute(sa.select(schema.dialled).where(_D.id == wish.id)).one_or_none()
    if before is not None:
        return Reserved(id=before.id, node=before.node, number=before.number, callback=before.callback, again=True)
    found = _target(connection, wish, bounds)
    _check_number(connection, found, bounds)
    _check_pace(connection, wish.person, bounds.per_hour[found.node], bounds, now)
    told = {"id": wish.id, "person": wish.person, "node": found.node, "number": found.number}
    connection.execute(sa.insert(schema.dialled).values(**told, callback=found.callback, at=now))
    key = None if found.callback is None else (found.node, found.callback)
    audit(connection, now, wish.person, "call", key, {"call": wish.id, "number": found.number, "node": found.node})
    return found


def _target(connection: sa.Connection, wish: Wish, bounds: Bounds) -> Reserved:
    """Whom, and through which PBX."""
    debt = _debt(connection, wish)
    if wish.callback is not None and debt is None:
        raise CannotCall("dial.cannot.closed")
    if debt is not None:
        if wish.number not in (None, debt.number):
            raise CannotCall("dial.cannot.not_open")
        node, number, callback = debt.node, debt.number, debt.call
    elif not wish.any_number or not wish.number:
        raise CannotCall("dial.cannot.not_open")
    else:
        node, number, callback = wish.node or next(iter(bounds.per_hour), ""), wish.number, None
    if node not in bounds.per_hour:
        raise CannotCall("dial.cannot.node")
    return Reserved(id=wish.id, node=node, number=number, callback=callback)


def _debt(connection: sa.Connection, wish: Wish) -> sa.Row[str, str, str] | None:
    """The open callback that is meant, or that the number has."""
    wanted = sa.select(_C.node, _C.call, _C.number).where(_C.state.in_(_OPEN)).order_by(_C.opened_at, _C.call)
    if wish.callback is not None:
        wanted = wanted.where(_C.node == wish.callback[0], _C.call == wish.callback[1])
    else:
        wanted = wanted.where(_C.number == (wish.number or ""), _C.closed_at.is_(None))
    return connection.execute(wanted.limit(1)).one_or_none()


def _check_number(connection: sa.Connection, found: Reserved, bounds: Bounds) -> None:
    if found.number in bounds.blocked or kind_of(connection, found.number) is Kind.BLOCKED:
        raise CannotCall("dial.cannot.blocked")


def _check_pace(connection: sa.Connection, person: str, per_hour: int, bounds: Bounds, now: datetime) -> None:
    if _busy(connection, person, now):
        raise CannotCall("dial.cannot.busy")
    lately = sa.select(sa.func.count()).select_from(schema.dialled).where(_D.at > now - HOUR)
    if connection.execute(lately.where(_D.person == person)).scalar_one() >= per_hour:
        raise CannotCall("dial.cannot.too_many", n=per_hour)
    if connection.execute(lately).scalar_one() >= bounds.site_per_hour:
        raise CannotCall("dial.cannot.site", n=bounds.site_per_hour)


def _busy(connection: sa.Connection, person: str, now: datetime) -> bool:
    """Whether a call that he asked for goes on; those that are over are marked so."""
    same = sa.and_(_CALL.node == _D.node, _CALL.key == _D.id)
    seen = _CALL.key.label("seen"), _CALL.ended_at.label("over_at")
    mine = sa.select(_D.id, _D.at, *seen).select_from(sa.outerjoin(schema.dialled, schema.call, same))
    going = False
    for row in connection.execute(mine.where(_D.person == person, _D.ended_at.is_(None))).all():
        if row.over_at is not None:
            ended(connection, row.id, row.over_at)
        elif now - row.at >= (UNSEEN if row.seen is None else LONGEST):
            ended(connection, row.id, now, "nobody saw its end")
        else:
            going = True
    return going


def ended(connection: sa.Connection, call: str, at: datetime, error: str | None = None) -> None:
    """The call is over, or did not begin."""
    values = {"ended_at": at} | ({} if error is None else {"error": error[:255]})
    connection.execute(sa.update(schema.dialled).where(_D.id == call).values(**values))


def doubtful(connection: sa.Connection, call: str, error: str) -> None:
    """Nobody knows whether it began: it counts as going on until it is seen to end, or not seen for a while."""
    connection.execute(sa.update(schema.dialled).where(_D.id == call).values(error=error[:255]))
