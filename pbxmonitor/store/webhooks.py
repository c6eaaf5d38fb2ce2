"""Programs that are told of what happens: which there are, who wants what, where it goes, and how it goes."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.texts import Cannot

# No channel of the settings can be called so.
CHANNEL: Final = "@webhooks"
_W: Final = schema.webhook.c


class Event(StrEnum):
    """What a program may be told of (docs/api.md); `ping` is sent when somebody asks for it, to try the way."""

    CALL_ENDED = "call.ended"
    CALL_MISSED = "call.missed"
    CALLBACK_OPENED = "callback.opened"
    CALLBACK_CHANGED = "callback.changed"
    CALLBACK_CLOSED = "callback.closed"
    AGENT_STATE = "agent.state"
    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    PING = "ping"


EVENTS: Final = tuple(each for each in Event if each is not Event.PING)


class Stopped(StrEnum):
    """Why we tell a program nothing more: it took nothing for days, or it said that it is gone (410)."""

    FAILING = "failing"
    GONE = "gone"


class CannotHook(Cannot):
    """The webhook cannot be made or changed so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One program; without `queues` it hears of all, of those else only what calls and callbacks of theirs do."""

    id: str
    name: str
    url: str = field(repr=False)
    events: tuple[Event, ...]
    queues: tuple[str, ...] = ()
    secret: str = field(repr=False)
    enabled: bool = True
    made_by: str
    made_at: datetime
    delivered_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    error: str | None = None
    stopped: Stopped | None = None

    @property
    def host(self) -> str:
        """Where it is, as it may be told to everybody: the rest of the address may hold a secret."""
        return urlsplit(self.url).netloc

    def wants(self, event: Event, queues: frozenset[str] | None) -> bool:
        """Whether it is told of that; `queues` are those of a call or a callback, None: it is about neither."""
        if event not in self.events:
            return False
        return not self.queues or queues is None or bool(queues & set(self.queues))


def webhooks(connection: sa.Connection) -> list[Webhook]:
    """All of them, in the order in which they were made."""
    return [webhook_of(row) for row in connection.execute(sa.select(schema.webhook).order_by(_W.made_at, _W.id))]


def enabled(connection: sa.Connection) -> list[Webhook]:
    """Those that are told anything."""
    return [webhook_of(row) for row in connection.execute(sa.select(schema.webhook).where(_W.enabled.is_(True)))]


def webhook(connection: sa.Connection, key: str) -> Webhook | None:
    """That one."""
    row = connection.execute(sa.select(schema.webhook).where(_W.id == key)).one_or_none()
    return webhook_of(row) if row is not None else None


def webhook_of(row: sa.Row[Any]) -> Webhook:
    """The webhook of that row."""
    told = row._asdict()
    events = tuple(Event(each) for each in json.loads(row.events))
    stopped = Stopped(row.stopped) if row.stopped is not None else None
    return Webhook(**{**told, "events": events, "queues": tuple(json.loads(row.queues)), "stopped": stopped})
