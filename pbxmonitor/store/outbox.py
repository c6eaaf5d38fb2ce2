"""What is owed to the outer world: a row for each thing and channel, until it is sent, refused or too late.

At least once: whoever sends holds a claim for a while; if he dies, another takes it over when the claim ends. A row is
named by what it tells, so that the same consequence told again is the same row.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from secrets import token_hex
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.form import to_text
from pbxmonitor.store.types import Row, among, insert_new

_D: Final = schema.delivery.c


class DeliveryState(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUMMED = "summed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One thing owed through one channel; `id` is the same at every try, `values` are what the text or the CRM needs.

    `about` is the callback (node, call) whose end makes it needless; after `expires_at` it is not sent any more.
    """

    id: str
    channel: str
    template: str
    due_at: datetime
    created_at: datetime
    recipient: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    about: tuple[str, str] | None = None
    expires_at: datetime | None = None
    attempts: int = 0
    claim: str = ""


def put(
    connection: sa.Connection, deliveries: Iterable[Delivery], state: DeliveryState = DeliveryState.WAITING
) -> None:
    """Owe them, in the caller's transaction; one that is owed already stays as it is.

    Those that are `summed` are told by another message; they are kept to know who was told of what.
    """
    insert_new(connection, schema.delivery, [_row(each, state) for each in deliveries])


def _row(each: Delivery, state: DeliveryState) -> Row:
    node, callback = each.about or (None, None)
    return {
        "id": each.id,
        "channel": each.channel,
        "recipient": each.recipient,
        "template": each.template,
        "details": to_text(dict(each.values)),
        "node": node,
        "callback": callback,
        "state": state.value,
        "created_at": each.created_at,
        "due_at": each.due_at,
        "expires_at": each.expires_at,
        "attempts": each.attempts,
        "claim": None,
        "claimed_until": None,
        "ended_at": None if state is DeliveryState.WAITING else each.created_at,
        "error": None,
        "reference": None,
    }


def claim(
    connection: sa.Connection, now: datetime, hold: timedelta, channels: Sequence[str], most: int
) -> list[Delivery]:
    """Those that are due and not too late, the longest due first, held for whoever asked until `hold` is over.

    What is due at one moment comes in the order in which it was made.
    """
    if not channels:
        return []
    free = sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now)
    timely = sa.or_(_D.expires_at.is_(None), _D.expires_at > now)
    due = sa.and_(_D.state == DeliveryState.WAITING, _D.due_at <= now, free, timely, _D.channel.in_(channels))
    wanted = sa.select(schema.delivery).where(due).order_by(_D.due_at, _D.created_at, _D.id).limit(most)
    rows = connection.execute(wanted.with_for_update(skip_locked=True)).all()
    if not rows:
        return []
    token = token_hex(8)
    mine = among(connection, _D.id, [row.id for row in rows])
    held = {"claim": token, "claimed_until": now + hold, "attempts": _D.attempts + 1}
    connection.execute(sa.update(schema.delivery).where(mine).values(**held))
    return [replace(delivery_of(row), attempts=row.attempts + 1, claim=token) for row in rows]


def expire(connection: sa.Connection, now: datetime) -> int:
    """What is too late is not sent any more; how much there was."""
    late = sa.and_(_D.state == DeliveryState.WAITING, _D.expires_at <= now)
    free = sa.or_(_D.claimed_until.is_(None), _D.claimed_until <= now)
    over = {"state": DeliveryState.EXPIRED.value, "ended_at": now}
    return connection.execute(sa.update(schema.delivery).where(late, free).values(**over)).rowcount


def delivery_of(row: sa.Row[Any]) -> Delivery:
    """The delivery of that row, as nobody has claimed it."""
    return Delivery(
        id=row.id,
        channel=row.channel,
        template=row.template,
        due_at=row.due_at,
        created_at=row.created_at,
        recipient=row.recipient,
        values=json.loads(row.details),
        about=(row.node, row.callback) if row.callback is not None else None,
        expires_at=row.expires_at,
        attempts=row.attempts,
    )


def sent(connection: sa.Connection, each: Delivery, now: datetime, reference: str | None) -> bool:
    """It went out; False when the claim was lost meanwhile, so that another may have sent it too."""
    return _end(connection, each, DeliveryState.SENT, now, reference=reference)


def failed(connection: sa.Connection, each: Delivery, now: datetime, error: str) -> bool:
    """It never will go out this way: it stops and is shown."""
    return _end(connection, each, DeliveryState.FAILED, now, error=error)


def needless(connection: sa.Connection, each: Delivery, now: datetime) -> bool:
    """What it urges to has been done."""
    return _end(connection, each, DeliveryState.CANCELLED, now)


def _end(connection: sa.Connection, each: Delivery, state: DeliveryState, now: datetime, **told: str | None) -> bool:
    return _update(connection, each, state=state.value, ended_at=now, claim=None, claimed_until=None, **told)


def later(connection: sa.Connection, each: Delivery, due_at: datetime, error: str | None) -> bool:
    """Not this time: it is due again then."""
    return _update(connection, each, due_at=due_at, claim=None, claimed_until=None, error=error)


def put_back(connection: sa.Connection, each: Delivery, due_at: datetime) -> bool:
    """It was not tried at all: due then, as if nobody had taken it."""
    return _update(connection, each, due_at=due_at, claim=None, claimed_until=None, attempts=each.attempts - 1)


def _update(connection: sa.Connection, each: Delivery, **values: Any) -> bool:
    mine = sa.and_(_D.id == each.id, _D.claim == each.claim)
    return connection.execute(sa.update(schema.delivery).where(mine).values(**values)).rowcount == 1


def cancel(connection: sa.Connection, about: tuple[str, str], now: datetime, templates: Sequence[str]) -> int:
    """What waits about that callback with one of those templates is needless now; how much there was.

    What somebody is sending just now is left to him; what was tried already may have arrived, and is seen to its end.
    """
    node, callback = about
    waiting = sa.and_(_D.state == DeliveryState.WAITING, _D.node == node, _D.callback == callback)
    waiting = sa.and_(waiting, _D.claim.is_(None), sa.or_(_D.template != "crm_open", _D.attempts == 0))
    over = {"state": DeliveryState.CANCELLED.value, "ended_at": now}
    mine = sa.update(schema.delivery).where(waiting, _D.template.in_(templates)).values(**over)
    return connection.execute(mine).rowcount


def next_due(connection: sa.Connection, channels: Sequence[str]) -> datetime | None:
    """When the next one is due that nobody holds."""
    if not channels:
        return None
    timely = sa.or_(_D.expires_at.is_(None), _D.expires_at > _D.due_at)
    waiting = sa.and_(_D.state == DeliveryState.WAITING, timely, _D.channel.in_(channels))
    moment = sa.case((_D.claimed_until > _D.due_at, _D.claimed_until), else_=_D.due_at)
    found = sa.select(sa.type_coerce(sa.func.min(moment), schema.delivery.c.due_at.type)).where(waiting)
    at: datetime | None = connection.execute(found).scalar()
    return at


_SHOWN: Final = (
    "id",
    "channel",
    "recipient",
    "template",
    "state",
    "created_at",
    "due_at",
    "ended_at",
    "attempts",
    "error",
)


def listed(connection: sa.Connection, state: DeliveryState, most: int) -> list[dict[str, Any]]:
    """Those of that state, the newest first, without what they say."""
    wanted = sa.select(*(_D[name] for name in _SHOWN)).where(_D.state == state).order_by(_D.created_at.desc(), _D.id)
    return [dict(row) for row in connection.execute(wanted.limit(most)).mappings()]


def retried(connection: sa.Connection, name: str, now: datetime) -> bool:
    """Owe it again, from now on and without an end; whether it had failed or come too late."""
    over = sa.and_(_D.id == name, _D.state.in_([DeliveryState.FAILED, DeliveryState.EXPIRED]))
    again = {"state": DeliveryState.WAITING.value, "due_at": now, "expires_at": None, "ended_at": None, "error": None}
    return connection.execute(sa.update(schema.delivery).where(over).values(**again, attempts=0)).rowcount == 1


def undelivered(connection: sa.Connection, since: datetime) -> dict[str, int]:
    """By channel, how much has failed since then."""
    failed = sa.and_(_D.state == DeliveryState.FAILED, _D.ended_at >= since)
    counted = sa.select(_D.channel, sa.func.count().label("n")).where(failed).group_by(_D.channel)
    return {row.channel: row.n for row in connection.execute(counted)}
