"""Webhooks as administrators keep them on the page and by the API: one way for both."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.notify.outer import trouble_with
from pbxmonitor.settings_web import web_of
from pbxmonitor.store import webhook_keeping
from pbxmonitor.store.journal import Cursor
from pbxmonitor.store.types import writing
from pbxmonitor.store.webhook_queue import Sent, SentPlace
from pbxmonitor.store.webhooks import CannotHook, Event, Webhook
from pbxmonitor.web.filtering import cursor_of, cursor_text, is_plain
from pbxmonitor.web.site import Site

T = TypeVar("T")


async def added(
    site: Site, by: str, *, name: str, url: str, events: Sequence[Event], queues: Sequence[str] = ()
) -> Webhook:
    """A new webhook, its secret to be shown this once; CannotHook."""
    _check(site, {"name": name, "url": url, "events": events, "queues": queues})

    def work(connection: sa.Connection, now: datetime) -> Webhook:
        return webhook_keeping.add(connection, name, url, events, queues, by, now)

    return await kept(site, work)


async def changed(site: Site, by: str, key: str, **values: Any) -> Webhook:
    """The webhook with those values; CannotHook."""
    _check(site, values)
    return await kept(site, lambda c, now: webhook_keeping.change(c, key, by, now, **values))


async def kept(site: Site, work: Callable[[sa.Connection, datetime], T]) -> T:
    """Do it in one transaction, and let what is owed go out."""
    now = site.clock.now()
    done = await writing(site.database, lambda connection: work(connection, now))
    site.ring()
    return done


def _check(site: Site, values: Mapping[str, Any]) -> None:
    private = web_of(site.settings).webhooks_to_private
    if "name" in values and not (values["name"] and is_plain(values["name"])):
        raise CannotHook("web.hooks.cannot.name")
    if "events" in values and not values["events"]:
        raise CannotHook("web.hooks.cannot.events")
    if not all(map(is_plain, values.get("queues", ()))):
        raise CannotHook("web.hooks.cannot.queues")
    trouble = trouble_with(values["url"], private=private) if "url" in values else None
    if trouble is not None:
        raise CannotHook(trouble)


def webhook_json(each: Webhook) -> Json:
    """A webhook as answers have it, without its secret."""
    return {
        "id": each.id,
        "name": each.name,
        "url": each.url,
        "events": [event.value for event in each.events],
        "queues": list(each.queues),
        "enabled": each.enabled,
        "stopped": each.stopped and each.stopped.value,
        "made_by": each.made_by,
        "made_at": stamp(each.made_at),
        "delivered_at": stamp(each.delivered_at),
        "failing_since": stamp(each.failing_since),
        "failures": each.failures,
        "error": each.error,
    }


def sent_json(each: Sent) -> Json:
    """A delivery as answers have it: how it stands, and what it is about."""
    return {
        "id": each.id,
        "type": each.event,
        "state": each.state.value,
        "created_at": stamp(each.created_at),
        "due_at": stamp(each.due_at),
        "ended_at": stamp(each.ended_at),
        "attempts": each.attempts,
        "error": each.error,
        "at": each.values.get("at"),
        "node": each.values.get("node"),
        "data": each.values.get("data"),
    }


def place_of(text: str | None) -> SentPlace | None:
    """The place that an address names; BadQuery for anything but what `place_text` gave."""
    found = cursor_of(text)
    return SentPlace(created_at=found.started_at, id=found.key) if found is not None else None


def place_text(place: SentPlace | None) -> str | None:
    """The place as an address has it."""
    return cursor_text(Cursor(started_at=place.created_at, node="", key=place.id)) if place is not None else None
