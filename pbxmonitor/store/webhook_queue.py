"""What a webhook was sent and is to be sent: its part of the outbox, listed, sent again, put off, given up."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import outbox, schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.notices import name_of
from pbxmonitor.store.outbox import Delivery, DeliveryState
from pbxmonitor.store.webhook_events import KEEP
from pbxmonitor.store.webhooks import CHANNEL, CannotHook, Event, webhook

_D: Final = schema.delivery.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One delivery and how it stands; `values` is what it says (store/webhook_events.py)."""

    id: str
    event: str
    state: DeliveryState
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    attempts: int
    error: str | None
    values: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPlace:
    """The last delivery of a page: the next one begins after it."""

    created_at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentPage:
    """Some deliveries, the newest first; `next` is None on the last page."""

    deliveries: Sequence[Sent]
    next: SentPlace | None


def page(connection: sa.Connection, key: str, *, limit: int, after: SentPlace | None = None) -> SentPage:
    """So many deliveries of that webhook before that one."""
    wanted = sa.select(schema.delivery).where(*_of(key))
    if after is not None:
        beyond = sa.or_(_D.created_at < after.created_at, _D.id < after.id)
        wanted = wanted.where(_D.created_at <= after.created_at, beyond)
    rows = connection.execute(wanted.order_by(_D.created_at.desc(), _D.id.desc()).limit(limit + 1)).all()
    found = [_sent(row) for row in rows[:limit]]
    more = len(rows) > limit
    return SentPage(
        deliveries=found, next=SentPlace(created_at=found[-1].created_at, id=found[-1].id) if more else None
    )


def sent(connection: sa.Connection, key: str, name: str) -> Sent | None:
    """That delivery of that webhook."""
    row = connection.execute(sa.select(schema.delivery).where(*_of(key), _D.id == name)).one_or_none()
    return _sent(row) if row is not None else None


def ping(connection: sa.Connection, key: str, by: str, now: datetime) -> Sent:
    """Owe it a message that says nothing, also when it is disabled; CannotHook when there is no such webhook."""
    each = webhook(connection, key)
    if each is None:
        raise CannotHook("web.hooks.cannot.unknown")
    name = name_of(CHANNEL, key, Event.PING, now.isoformat())
    delivery = Delivery(
        id=name,
        channel=CHANNEL,
        template=Event.PING.value,
        due_at=now,
        created_at=now,
        recipient=key,
        values={"at": now.isoformat(), "node": None, "data": {"webhook": each.name}},
        expires_at=now + timedelta(hours=1),
    )
    outbox.put(connection, [delivery])
    audit(connection, now, by, "webhook_tested", None, {"webhook": key, "name": each.name})
    return _known(connection, key, name)


def again(connection: sa.Connection, key: str, name: str, by: str, now: datetime) -> Sent:
    """Owe that delivery once more under the same id; CannotHook when there is none, or it is on its way already."""
    if webhook(connection, key) is None:
        raise CannotHook("web.hooks.cannot.unknown")
    ended = sa.and_(*_of(key), _D.id == name, _D.state != DeliveryState.WAITING)
    anew = {"state": DeliveryState.WAITING.value, "due_at": now, "expires_at": now + KEEP, "attempts": 0}
    gone = {"ended_at": None, "error": None, "claim": None, "claimed_until": None}
    if connection.execute(sa.update(schema.delivery).where(ended).values(**anew, **gone)).rowcount != 1:
        there = sent(connection, key, name) is not None
        raise CannotHook("web.hooks.cannot.waiting" if there else "web.hooks.cannot.no_delivery")
    audit(connection, now, by, "webhook_again", None, {"webhook": key, "delivery": name})
    return _known(connection, key, name)


def put_off(connection: sa.Connection, key: str, until: datetime) -> int:
    """What waits for it is not tried before then; how much there was. What somebody holds is his to see to."""
    mine = sa.and_(*_of(key), _D.state == DeliveryState.WAITING, _D.due_at < until, _D.claim.is_(None))
    return connection.execute(sa.update(schema.delivery).where(mine).values(due_at=until)).rowcount


def give_up(connection: sa.Connection, key: str, now: datetime) -> int:
    """What waits for it is needless; how much there was."""
    mine = sa.and_(*_of(key), _D.state == DeliveryState.WAITING, _D.claim.is_(None))
    over = {"state": DeliveryState.CANCELLED.value, "ended_at": now}
    return connection.execute(sa.update(schema.delivery).where(mine).values(**over)).rowcount


def _of(key: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _D.recipient == key, _D.channel == CHANNEL


def _known(connection: sa.Connection, key: str, name: str) -> Sent:
    found = sent(connection, key, name)
    assert found is not None
    return found


def _sent(row: sa.Row[Any]) -> Sent:
    own = {name: getattr(row, name) for name in Sent.__slots__ if name not in ("event", "state", "values")}
    return Sent(**own, event=row.template, state=DeliveryState(row.state), values=json.loads(row.details))
