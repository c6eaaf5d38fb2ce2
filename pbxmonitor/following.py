"""One PBX followed as long as its lease is held: listened to, recorded, judged and named by the settings in force."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, first_of
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.in_force import InForce
from pbxmonitor.metrics import Metrics
from pbxmonitor.outgoing import Relay, Watched
from pbxmonitor.pbx import Batch, Pbx
from pbxmonitor.pbx.asterisk.connect import asterisk_node, policy_of, site_of
from pbxmonitor.pbx.asterisk.node import AsteriskNode
from pbxmonitor.pbx.asterisk.renaming import gone_phones, in_a_call
from pbxmonitor.recording import Recorder
from pbxmonitor.settings import PbxSettings
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.spool import Spool
from pbxmonitor.store.leases import LeaseLost, acquire, release, renew
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import AWAY, first_line

log = structlog.get_logger()
# Batches between the link and the engine: a full queue slows the link's reader, whose own bound then counts.
QUEUED = 8
LEASE = timedelta(seconds=30)
RESTART_S = 5.0
# How soon it is looked again whether a call is over in which somebody would get another name.
IDLE_LOOK_S = 1.0


class NodeRun:
    """One PBX followed by this daemon, as long as it holds the node's lease."""

    def __init__(
        self,
        in_force: InForce,
        pbx: PbxSettings,
        database: AsyncEngine,
        clock: Clock,
        stop: asyncio.Event,
        metrics: Metrics,
        relay: Relay,
        watched: Watched,
    ) -> None:
        self._in_force = in_force
        self._pbx = pbx
        self._database = database
        self._clock = clock
        self._stop = stop
        self._metrics = metrics
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._watched = watched
        self._renamed = asyncio.Event()
        policy, duties = policy_of(in_force.now), to_duties(in_force.now)
        self._ledger = Ledger(database, pbx.node, policy, duties=duties, ring=relay.ring, clock=clock.now)

    @property
    def name(self) -> str:
        return self._pbx.node

    def obey(self) -> None:
        """Judge and name by the settings that are in force now."""
        settings = self._in_force.now
        self._ledger.judge_by(policy_of(settings), to_duties(settings))
        self._renamed.set()

    async def supervise(self) -> None:
        """Follow, and begin again after whatever breaks it, until told to stop."""
        while not self._stop.is_set():
            try:
                if await self._leased():
                    await self._follow()
            except* LeaseLost as lost:
                log.error("lease_lost", node=self._pbx.node, reason=str(lost.exceptions[0]))
            except* AWAY as error:
                log.error("database_away", node=self._pbx.node, reason=first_line(error.exceptions[0]))
            except* Exception:
                log.exception("node_restarts", node=self._pbx.node)
            finally:
                # What was seen last is not what is so; another daemon may follow this PBX by now.
                self._watched.feeds.pop(self._pbx.node, None)
                self._watched.nodes.pop(self._pbx.node, None)
            if not self._stop.is_set():
                await first_of(self._clock.sleep(RESTART_S), self._stop.wait())

    async def _leased(self) -> bool:
        node = self._pbx.node
        self._ledger.lease = await acquire(self._database, node, self._holder, self._clock.now(), LEASE)
        if self._ledger.lease is None:
            log.warning("lease_held", node=node, fix="another daemon follows this PBX; stop one of the two")
        return self._ledger.lease is not None

    async def _follow(self) -> None:
        floor = await self._ledger.floor()
        calls = sum(1 for _ in floor.open_calls())
        self._metrics.open_calls.labels(self._pbx.node).set(calls)
        log.info("floor_restored", node=self._pbx.node, open_calls=calls, agents=len(floor.agents))
        settings = self._in_force.now
        spool = Spool(settings.database.spool, self._pbx.node)
        feed = self._watched.feeds[self._pbx.node] = Feed(floor)
        recorder = Recorder(Engine(self._ledger, feed), spool, self._clock, self._metrics)
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(QUEUED)
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep_lease(), name=f"{self._pbx.node}-lease")
            recording = tasks.create_task(recorder.run(_drained(queue)), name=f"{self._pbx.node}-record")
            node = asterisk_node(settings, self._pbx, self._clock)
            self._watched.nodes[self._pbx.node] = node
            self._metrics.link_up.labels(self._pbx.node).set_function(lambda: not node.ami.trouble)
            naming = tasks.create_task(self._keep_names(node, feed, queue), name=f"{self._pbx.node}-names")
            await self._listen(node, queue)
            naming.cancel()
            await queue.put(None)
            await recording
            keeping.cancel()
        if self._ledger.lease is not None:
            await release(self._database, self._ledger.lease)

    async def _listen(self, pbx: Pbx, queue: asyncio.Queue[Batch | None]) -> None:
        """Follow the PBX until told to stop; only listening is cancelled, never a transaction."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(pbx.follow(queue.put), name=f"{pbx.node}-listen")
            await self._stop.wait()
            listening.cancel()

    async def _keep_names(self, node: AsteriskNode, feed: Feed, queue: asyncio.Queue[Batch | None]) -> None:
        """Name by other settings as soon as nobody who gets another name is in a call."""
        while True:
            await self._renamed.wait()
            site = site_of(self._in_force.now, node.node)
            if in_a_call(feed.floor, node.site, site):
                await self._clock.sleep(IDLE_LOOK_S)
                continue
            self._renamed.clear()
            if site != node.site:
                node.name_by(site)
                moved = tuple(gone_phones(feed.floor, site, node.heard_at or self._clock.now()))
                log.info("people_renamed", node=node.node, phones_moved=len(moved))
                if moved:
                    await queue.put(moved)

    async def _keep_lease(self) -> None:
        while True:
            await self._clock.sleep(LEASE.total_seconds() / 3)
            if self._ledger.lease is None:
                continue
            try:
                self._ledger.lease = await renew(self._database, self._ledger.lease, self._clock.now(), LEASE)
            except AWAY as error:
                log.warning("lease_not_renewed", node=self._pbx.node, reason=first_line(error))


async def _drained(queue: asyncio.Queue[Batch | None]) -> AsyncIterator[Batch]:
    while (batch := await queue.get()) is not None:
        yield batch
