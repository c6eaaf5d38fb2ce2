"""Webhooks as people keep them, and what becomes of one that takes nothing. Every change has its line in the audit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from secrets import token_hex, token_urlsafe
from typing import Any, Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.form import to_text
from pbxmonitor.store.webhooks import EVENTS, CannotHook, Event, Stopped, Webhook, webhook_of

MOST: Final = 100
# Who takes nothing for so long, tried so often, is told nothing more.
FAILING_FOR: Final = timedelta(days=3)
FAILED_OFTEN: Final = 10
_W: Final = schema.webhook.c
_LONGEST_ERROR: Final = 400


def add(
    connection: sa.Connection,
    name: str,
    url: str,
    events: Sequence[Event],
    queues: Sequence[str],
    by: str,
    now: datetime,
) -> Webhook:
    """A new one with a secret of its own, which is to be shown this once; CannotHook when there are too many."""
    if connection.execute(sa.select(sa.func.count()).select_from(schema.webhook)).scalar_one() >= MOST:
        raise CannotHook("web.hooks.cannot.many")
    new = Webhook(
        id=token_hex(8),
        name=name,
        url=url,
        events=_in_order(events),
        queues=tuple(dict.fromkeys(queues)),
        secret=token_urlsafe(32),
        made_by=by,
        made_at=now,
    )
    connection.execute(sa.insert(schema.webhook).values(**_row(new)))
    audit(connection, now, by, "webhook_added", None, _shown(new))
    return new


def change(connection: sa.Connection, key: str, by: str, now: datetime, **values: Any) -> Webhook:
    """Give it another name, url, events, queues or enabled; switched on again it begins anew. CannotHook."""
    before = _locked(connection, key)
    if "events" in values:
        values["events"] = _in_order(values["events"])
    if "queues" in values:
        values["queues"] = tuple(dict.fromkeys(values["queues"]))
    changed = {name: value for name, value in values.items() if getattr(before, name) != value}
    if not changed:
        return before
    told: dict[str, Any] = {name: list(value) if isinstance(value, tuple) else value for name, value in changed.items()}
    if "url" in told:
        told["url"] = urlsplit(told["url"]).netloc
    if changed.get("enabled"):
        changed |= {"stopped": None, "failing_since": None, "failures": 0, "error": None}
    rows = {name: to_text(list(value)) if isinstance(value, tuple) else value for name, value in changed.items()}
    connection.execute(sa.update(schema.webhook).where(_W.id == key).values(**rows))
    audit(connection, now, by, "webhook_changed", None, {"webhook": key, "name": before.name} | told)
    return _locked(connection, key)


def new_secret(connection: sa.Connection, key: str, by: str, now: datetime) -> Webhook:
    """Sign with another secret from now on, which is to be shown this once; CannotHook."""
    before, secret = _locked(connection, key), token_urlsafe(32)
    connection.execute(sa.update(schema.webhook).where(_W.id == key).values(secret=secret))
    audit(connection, now, by, "webhook_secret", None, {"webhook": key, "name": before.name})
    return _locked(connection, key)


def remove(connection: sa.Connection, key: str, by: str, now: datetime) -> None:
    """Forget it; what waited for it is needless. CannotHook."""
    before = _locked(connection, key)
    connection.execute(sa.delete(schema.webhook).where(_W.id == key))
    audit(connection, now, by, "webhook_removed", None, {"webhook": key, "name": before.name})


def taken(connection: sa.Connection, each: Webhook, now: datetime) -> None:
    """It took what we sent."""
    well = {"delivered_at": now, "failing_since": None, "failures": 0, "error": None}
    connection.execute(sa.update(schema.webhook).where(_W.id == each.id).values(**well))


def not_taken(
    connection: sa.Connection, key: str, error: str, now: datetime, *, gone: bool = False
) -> tuple[Webhook, bool] | None:
    """It did not: how it stands then, and whether it was stopped by this; None when it is there no more."""
    row = connection.execute(sa.select(schema.webhook).where(_W.id == key).with_for_update()).one_or_none()
    if row is None:
        return None
    before = webhook_of(row)
    since, failures = before.failing_since or now, before.failures + 1
    values: dict[str, Any] = {"failing_since": since, "failures": failures, "error": error[:_LONGEST_ERROR]}
    lasting = now - since >= FAILING_FOR and failures >= FAILED_OFTEN
    stops = before.enabled and (gone or lasting)
    if stops:
        why = Stopped.GONE if gone else Stopped.FAILING
        values |= {"enabled": False, "stopped": why.value}
        audit(connection, now, "pbxmonitor", "webhook_stopped", None, _shown(before) | {"reason": error})
    connection.execute(sa.update(schema.webhook).where(_W.id == key).values(**values))
    return _locked(connection, key), stops


def _locked(connection: sa.Connection, key: str) -> Webhook:
    row = connection.execute(sa.select(schema.webhook).where(_W.id == key).with_for_update()).one_or_none()
    if row is None:
        raise CannotHook("web.hooks.cannot.unknown")
    return webhook_of(row)


def _in_order(events: Sequence[Event]) -> tuple[Event, ...]:
    return tuple(each for each in EVENTS if each in events)


def _row(each: Webhook) -> dict[str, Any]:
    told = {name: getattr(each, name) for name in Webhook.__slots__}
    return {**told, "events": to_text(list(each.events)), "queues": to_text(list(each.queues))}


def _shown(each: Webhook) -> dict[str, Any]:
    return {
        "webhook": each.id,
        "name": each.name,
        "url": each.host,
        "events": list(each.events),
        "queues": list(each.queues),
    }
