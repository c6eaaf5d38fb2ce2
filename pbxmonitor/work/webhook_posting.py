"""A delivery to a webhook as the signed request that it stands for, and what becomes of one that takes nothing."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.roster import Roster
from pbxmonitor.notify.http import NOT_NOW, Http, Reach
from pbxmonitor.notify.outer import Outer, Resolve, resolved
from pbxmonitor.notify.signature import signed
from pbxmonitor.store import outbox, webhook_queue
from pbxmonitor.store.accounts import account
from pbxmonitor.store.notices import notices
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import reading, writing
from pbxmonitor.store.webhook_events import VERSION
from pbxmonitor.store.webhook_keeping import not_taken, taken
from pbxmonitor.store.webhooks import Event, Stopped, Webhook, webhook
from pbxmonitor.texts import tr
from pbxmonitor.work.dispatch import Later, Needless, NotNow, Refused

log = structlog.get_logger()
# A program has so long to say that it took it; what it does with it can wait.
PATIENCE: Final = timedelta(seconds=10)
FIRST_REST: Final = timedelta(seconds=5)
LONGEST_REST: Final = timedelta(minutes=5)
# That all is well is written no oftener.
NOTED_EVERY: Final = timedelta(minutes=1)
_GONE: Final = 410
_WORTH: Final = timedelta(days=1)


def rest(failures: int) -> timedelta:
    """How long a webhook is left alone after so many failures one after another."""
    return min(FIRST_REST * (1 << min(failures - 1, 20)), LONGEST_REST)


class Gone(Refused):
    """It says that it is there no more."""


class WebhookPost:
    """All webhooks for the outbox: each is told one thing after another, and rests after a failure."""

    per_second: float | None = None
    per_address_per_minute: float | None = None

    def __init__(
        self,
        database: AsyncEngine,
        roster: Roster,
        clock: Clock,
        *,
        private: bool = False,
        resolve: Resolve = resolved,
    ) -> None:
        self._database = database
        self._roster = roster
        self._clock = clock
        self._http = Http(
            "the webhook", Reach(timeout=PATIENCE), clock, transport=Outer(private=private, resolve=resolve)
        )
        self._lanes: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._rests: dict[str, datetime] = {}

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, delivery: Delivery) -> str | None:
        """Post it; any 2xx is taken, 410 is the end, everything else is tried again. The answer's status."""
        key, tries = delivery.recipient or "", delivery.template == Event.PING
        async with self._lanes[key]:
            each = await reading(self._database, lambda connection: webhook(connection, key))
            if each is None or not (each.enabled or tries):
                self._rests.pop(key, None)
                raise Needless
            until = self._rests.get(key)
            if until is not None and until > self._clock.now() and not tries:
                raise NotNow(until)
            return await self._posted(each, delivery)

    async def _posted(self, each: Webhook, delivery: Delivery) -> str:
        try:
            status = await self._status(each, delivery)
        except (Refused, Later) as error:
            await self._not_taken(each, error)
            raise
        self._rests.pop(each.id, None)
        now = self._clock.now()
        if each.failures or each.delivered_at is None or now - each.delivered_at >= NOTED_EVERY:
            await writing(self._database, lambda connection: taken(connection, each, now))
        return str(status)

    async def _status(self, each: Webhook, delivery: Delivery) -> int:
        content = body(delivery)
        headers = {"Content-Type": "application/json"}
        headers |= signed(each.secret, delivery.id, content, self._clock.now())
        answer = await self._http.post(each.url, content=content, headers=headers)
        if 200 <= answer.status < 300:
            return answer.status
        said = f"the webhook answered {answer.status}"
        if answer.status == _GONE:
            raise Gone(f"{said}: it is gone")
        if 300 <= answer.status < 400:
            said += "; redirects are not followed, set its new address"
        raise Later(said, answer.retry_after if answer.status >= 500 or answer.status in NOT_NOW else None)

    async def _not_taken(self, each: Webhook, error: Refused | Later) -> None:
        """Note it, leave the webhook alone for a while, and stop it if it is gone or has failed for days."""
        now, gone = self._clock.now(), isinstance(error, Gone)

        def work(connection: Connection) -> tuple[Webhook, bool, datetime] | None:
            found = not_taken(connection, each.id, error.reason, now, gone=gone)
            if found is None:
                return None
            after, stopped = found
            waits = timedelta(seconds=(error.after_s or 0.0) if isinstance(error, Later) else 0.0)
            until = now + max(rest(after.failures), min(waits, _WORTH))
            if stopped:
                webhook_queue.give_up(connection, each.id, now)
                self._tell(connection, after, now)
            else:
                webhook_queue.put_off(connection, each.id, until)
            return after, stopped, until

        found = await writing(self._database, work)
        if found is None:
            return
        after, stopped, self._rests[each.id] = found
        if stopped:
            log.error(
                "webhook_stopped", webhook=each.id, why=after.stopped, failures=after.failures, reason=after.error
            )

    def _tell(self, connection: Connection, each: Webhook, now: datetime) -> None:
        """Who made it hears that it is told nothing more, where he is one of the people."""
        maker = account(connection, each.made_by)
        person = self._roster.people.get(maker.person or "") if maker is not None else None
        if person is None:
            return
        key = "web.hooks.stopped.gone" if each.stopped is Stopped.GONE else "web.hooks.stopped.failing"
        words = {
            "title": tr("web.hooks.stopped.title", language=person.language),
            "who": each.name,
            "detail": tr(key, language=person.language),
            "at": now,
            "since": each.failing_since or now,
            "reminder": 0,
        }
        name = ("webhook", each.id, now.isoformat())
        outbox.put(connection, notices(self._roster, [person], "alert", words, now, name=name, expires_at=now + _WORTH))


def body(delivery: Delivery) -> bytes:
    """What is posted, to the byte; the form is that of docs/api.md."""
    values: Mapping[str, Any] = delivery.values
    told = {"id": delivery.id, "type": delivery.template, "version": VERSION}
    told |= {name: values.get(name) for name in ("at", "node", "data")}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
