"""All that goes out to people and CRMs, and what they send back: made of the settings, run beside the followed PBXs."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, first_of
from pbxmonitor.domain.floor import Floor
from pbxmonitor.feed import Feed
from pbxmonitor.keeping import hang
from pbxmonitor.notify.telegram import Telegram
from pbxmonitor.notify.telegram_updates import Listener
from pbxmonitor.notify.templates import Templates
from pbxmonitor.pbx.asterisk.ari import Ari
from pbxmonitor.pbx.asterisk.connect import ari_login, blocked_numbers, policy_of
from pbxmonitor.pbx.asterisk.dialer import AsteriskDialer
from pbxmonitor.pbx.asterisk.node import AsteriskNode
from pbxmonitor.settings import Settings
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.settings_digests import to_digests, to_money
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.settings_web import web_of
from pbxmonitor.store import outbox
from pbxmonitor.store.memory import StoredMemory
from pbxmonitor.store.types import AWAY, first_line, writing
from pbxmonitor.store.webhooks import CHANNEL as WEBHOOKS
from pbxmonitor.work.alerts import Alerts
from pbxmonitor.work.buttons import Buttons
from pbxmonitor.work.callbacks import OverdueCallbacks
from pbxmonitor.work.crm_posting import CrmPost
from pbxmonitor.work.dialling import Dialling
from pbxmonitor.work.digests import Digests
from pbxmonitor.work.dispatch import Dispatch, Sender
from pbxmonitor.work.linking import Linking
from pbxmonitor.work.office import channels_of, crms_of
from pbxmonitor.work.posting import Fallbacks, Post
from pbxmonitor.work.scheduler import Bells
from pbxmonitor.work.webhook_posting import WebhookPost

log = structlog.get_logger()
SWEEP = timedelta(seconds=5)
LOOK = timedelta(minutes=10)
EXPIRE = timedelta(minutes=1)


@dataclass
class Watched:
    """What the followed PBXs show at this moment."""

    feeds: dict[str, Feed] = field(default_factory=dict)
    nodes: dict[str, AsteriskNode] = field(default_factory=dict)

    def floors(self) -> Sequence[Floor]:
        """The floors as last committed."""
        return [feed.floor for feed in self.feeds.values()]

    def lost_links(self) -> Mapping[str, datetime]:
        """Which links are down, and since when."""
        return {name: node.lost_at for name, node in self.nodes.items() if node.lost_at is not None}


class Outgoing:
    """The outbox, the sweeps and the bells of one daemon. SettingsError when a channel's or CRM's table is wrong.

    `aris`, if given, are another's: they stay open when this one ends.
    """

    def __init__(
        self,
        settings: Settings,
        database: AsyncEngine,
        clock: Clock,
        watched: Watched,
        aris: Mapping[str, Ari] | None = None,
    ) -> None:
        self.duties = to_duties(settings)
        self._settings = settings
        self._database = database
        self._clock = clock
        self._policy = policy_of(settings)
        self._channels = channels_of(settings, clock)
        memories = {name: StoredMemory(database, name) for name in settings.crm}
        self._crms = crms_of(settings, clock, memories)
        self._mine = aris_of(settings) if aris is None else {}
        self._aris = self._mine if aris is None else aris
        self._templates = Templates(settings.zone, Path(folder) if (folder := settings.messages.templates) else None)
        self.dialling = dialling_of(settings, database, clock, self._aris) if self._aris else None
        private = web_of(settings).webhooks_to_private
        self._webhooks = WebhookPost(database, self.duties.roster, clock, private=private)
        self._dispatch = Dispatch(database, self._senders(), clock, instead=Fallbacks(clock))
        self._bells = self._hung(watched)

    def ring(self) -> None:
        """Something new may be owed."""
        self._dispatch.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Send, sweep and ring until told to stop; what is being sent then is finished."""
        log.info("outgoing", channels=sorted(self._channels), crms=sorted(self._crms))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._dispatch.run(stop), name="dispatch")
                tasks.create_task(self._bells.run(stop), name="bells")
                listening = [
                    tasks.create_task(self._heard(name, listener), name=f"{name}-updates")
                    for name, listener in self._listeners().items()
                ]
                await stop.wait()
                for each in listening:
                    each.cancel()
        finally:
            await self.aclose()

    async def _heard(self, name: str, listener: Listener) -> None:
        """Listen to that bot for ever; while the database is away, what people press waits."""
        while True:
            try:
                await listener.run()
            except AWAY as error:
                log.error("updates_wait", channel=name, reason=first_line(error))
                await self._clock.sleep(SWEEP.total_seconds())

    async def aclose(self) -> None:
        """Close the channels and CRMs; `run` does so itself."""
        for notifier in self._channels.values():
            await notifier.aclose()
        for adapter, _ in self._crms.values():
            await adapter.aclose()
        for ari in self._aris.values():
            await ari.aclose()
        await self._webhooks.aclose()

    async def _expire(self) -> None:
        now = self._clock.now()
        await writing(self._database, lambda connection: outbox.expire(connection, now))

    def _rung(self, sweep: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[None]]:
        """The sweep, after which the dispatcher is woken if something is owed."""

        async def work() -> None:
            if await sweep():
                self.ring()

        return work

    def _senders(self) -> dict[str, Sender]:
        settings, roster, dials = self._settings, self.duties.roster, bool(self._aris)
        posts: dict[str, Sender] = {
            name: Post(name, notifier, self._database, roster, self._templates, dials=dials)
            for name, notifier in self._channels.items()
        }
        crms = {
            name: CrmPost(adapter, self._database, roster, settings.language)
            for name, (adapter, _) in self._crms.items()
        }
        return {**posts, **crms, WEBHOOKS: self._webhooks}

    def _listeners(self) -> dict[str, Listener]:
        """Who reads what people press and write, for each bot there is."""
        settings, clock = self._settings, self._clock
        linking = Linking(self._database, settings.people, clock)
        bots = {name: bot for name, bot in self._channels.items() if isinstance(bot, Telegram)}
        listeners: dict[str, Listener] = {}
        for name, bot in bots.items():
            buttons = Buttons(
                channel=name,
                database=self._database,
                telegram=bot,
                duties=self.duties,
                policy=self._policy,
                templates=self._templates,
                linking=linking,
                clock=clock,
                dialling=self.dialling,
                ring=self.ring,
            )
            listeners[name] = Listener(bot.api, clock, buttons)
        return listeners

    def _hung(self, watched: Watched) -> Bells:
        settings, clock, roster = self._settings, self._clock, self.duties.roster
        bells = Bells(clock, settings.zone)
        overdue = OverdueCallbacks(
            database=self._database, duties=self.duties, policy=self._policy, clock=clock, ring=self.ring
        )
        bells.add("callbacks", SWEEP, overdue.sweep)
        bells.add("too-late", EXPIRE, self._expire)
        rules = to_rules(settings.alerts)
        alerts = Alerts(self._database, rules, roster, self._policy, clock, watched.floors, watched.lost_links)
        bells.add("alerts", SWEEP, self._rung(alerts.sweep))
        plans = to_digests(settings.digests)
        digests = Digests(self._database, plans, to_money(settings.money), roster, self._policy, clock)
        hang(bells, settings, self._database, clock, self.ring)
        if plans:
            bells.add("digests", digests.next_at, self._rung(digests.sweep))
            bells.add("digests-look", LOOK, self._rung(digests.sweep))
        return bells


class Relay:
    """One Outgoing after another: when the settings change, the next takes over once what is being sent is sent.

    What is owed stands in rows, so nothing is lost in between; two never run at once, as a bot has one listener.
    """

    def __init__(self, make: Callable[[Settings], Outgoing], settings: Settings) -> None:
        self._make = make
        self._next: Outgoing | None = None
        self._changed = asyncio.Event()
        self.now = make(settings)

    @property
    def newest(self) -> Outgoing:
        """The one that goes by the latest settings, whether or not it runs yet."""
        return self._next or self.now

    def ring(self) -> None:
        """Something new may be owed."""
        self.now.ring()

    async def follow(self, settings: Settings) -> None:
        """Go by those settings from now on; SettingsError, and all stays as it was, when they are wrong."""
        made, waiting = self._make(settings), self._next
        self._next = made
        self._changed.set()
        if waiting is not None:
            await waiting.aclose()

    async def run(self, stop: asyncio.Event) -> None:
        """Run one after the other until told to stop."""
        while True:
            over = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.now.run(over), name="outgoing-run")
                await first_of(stop.wait(), self._changed.wait())
                over.set()
            if stop.is_set():
                break
            self._changed.clear()
            self.now, self._next = self.newest, None
        if self._next is not None:
            await self._next.aclose()


def dialling_of(settings: Settings, database: AsyncEngine, clock: Clock, aris: Mapping[str, Ari]) -> Dialling:
    """Click to call through those PBXs."""
    dial = {name: settings.pbx[name].dial for name in aris}
    dialers = {
        name: AsteriskDialer(ari, dial[name], settings.region, abroad=dial[name].abroad) for name, ari in aris.items()
    }
    return Dialling(database, dialers, dial, settings.people, clock, blocked=blocked_numbers(settings))


def aris_of(settings: Settings) -> dict[str, Ari]:
    """The REST side of every PBX that has one, by node; to be closed in the end."""
    return {name: Ari(ari_login(pbx.ari)) for name, pbx in settings.pbx.items() if pbx.ari is not None}
