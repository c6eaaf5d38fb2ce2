"""The composition root: which parts there are, which task runs them, and how they stop."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, SystemClock, every, first_of
from pbxmonitor.domain.policy import Policy
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.metrics import Metrics
from pbxmonitor.outgoing import Outgoing, Watched
from pbxmonitor.pbx import Batch, Pbx
from pbxmonitor.pbx.asterisk.connect import asterisk_node, policy_of
from pbxmonitor.recording import Recorder
from pbxmonitor.settings import MetricsSettings, PbxSettings, Settings
from pbxmonitor.settings_web import WebSettings
from pbxmonitor.spool import Spool
from pbxmonitor.store.leases import LeaseLost, acquire, release, renew
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.types import AWAY, connect, first_line

if TYPE_CHECKING:
    from pbxmonitor.web.server import WebServer

log = structlog.get_logger()
# Batches between the link and the engine: a full queue slows the link's reader, whose own bound then counts.
QUEUED = 8
LEASE = timedelta(seconds=30)
RESTART_S = 5.0
ROLL_UP_S = 600.0


async def run(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """The daemon: follow every PBX of the settings until `stop` is set or a signal comes, then end in order."""
    stop = stop or asyncio.Event()
    _obey_signals(stop)
    spare_the_collector()
    await upgrade(settings.database.full_url)
    database = connect(settings.database.full_url)
    log.info("started", nodes=sorted(settings.pbx), database=settings.database.safe_url)
    metrics = Metrics()
    try:
        with _served(metrics, settings.metrics):
            outgoing, over = Outgoing(settings, database, SystemClock(), watched := Watched()), asyncio.Event()
            async with asyncio.TaskGroup() as lasting:
                lasting.create_task(outgoing.run(over), name="outgoing")
                if settings.web is not None:
                    pages = _pages(settings, settings.web, database, metrics, outgoing, watched)
                    lasting.create_task(pages.run(over), name="web")
                try:
                    await _follow_all(settings, database, stop, metrics, outgoing, watched)
                finally:
                    over.set()  # what the last calls owe is in the rows by now
    finally:
        await database.dispose()
        log.info("stopped")


def _pages(
    settings: Settings,
    web: WebSettings,
    database: AsyncEngine,
    metrics: Metrics,
    outgoing: Outgoing,
    watched: Watched,
) -> "WebServer":
    """The dashboard and the API; what they need is loaded only where they are wanted."""
    from pbxmonitor.web.app import make_app
    from pbxmonitor.web.server import WebServer
    from pbxmonitor.web.site import Site

    site = Site(
        settings=settings,
        database=database,
        policy=policy_of(settings),
        duties=outgoing.duties,
        clock=SystemClock(),
        feeds=watched.feeds,
        lost_links=watched.lost_links,
        ring=outgoing.ring,
        dialling=outgoing.dialling,
    )
    return WebServer(make_app(site, metrics=metrics), web.host, web.port)


async def _follow_all(
    settings: Settings,
    database: AsyncEngine,
    stop: asyncio.Event,
    metrics: Metrics,
    outgoing: Outgoing,
    watched: Watched,
) -> None:
    """Follow every PBX until told to stop, and roll up the days that are over."""
    async with asyncio.TaskGroup() as tasks:
        for pbx in settings.pbx.values():
            node = NodeRun(settings, pbx, database, SystemClock(), stop, metrics, outgoing, watched)
            tasks.create_task(node.supervise(), name=pbx.node)
        sums = partial(roll_up_once, database, policy_of(settings), SystemClock())
        rolling = tasks.create_task(every(SystemClock(), ROLL_UP_S, sums), name="sums")
        await stop.wait()
        rolling.cancel()


async def roll_up_once(database: AsyncEngine, policy: Policy, clock: Clock) -> None:
    """Roll up the days that are over, and again those that were touched; a database that is away is asked later."""
    try:
        days = await roll_up(database, policy, clock.now())
    except AWAY as error:
        log.warning("sums_wait", reason=first_line(error))
    else:
        log.debug("sums_rolled_up", days=days)


def spare_the_collector() -> None:
    """Look for cycles less often: what the fold makes has none, and looking took a fifth of the time under load."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _served(metrics: Metrics, where: MetricsSettings | None) -> AbstractContextManager[object]:
    """Prometheus may ask at that address, if there is one."""
    return metrics.serve(where.host, where.port) if where is not None else nullcontext()


def _obey_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(each, stop.set)
        except (NotImplementedError, RuntimeError, ValueError):
            return  # not the main thread: whoever started us stops us


class NodeRun:
    """One PBX followed by this daemon, as long as it holds the node's lease."""

    def __init__(
        self,
        settings: Settings,
        pbx: PbxSettings,
        database: AsyncEngine,
        clock: Clock,
        stop: asyncio.Event,
        metrics: Metrics,
        outgoing: Outgoing,
        watched: Watched,
    ) -> None:
        self._settings = settings
        self._pbx = pbx
        self._database = database
        self._clock = clock
        self._stop = stop
        self._metrics = metrics
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._watched = watched
        self._ledger = Ledger(
            database, pbx.node, policy_of(settings), duties=outgoing.duties, ring=outgoing.ring, clock=clock.now
        )

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
        spool = Spool(self._settings.database.spool, self._pbx.node)
        feed = self._watched.feeds[self._pbx.node] = Feed(floor)
        recorder = Recorder(Engine(self._ledger, feed), spool, self._clock, self._metrics)
        queue: asyncio.Queue[Batch | None] = asyncio.Queue(QUEUED)
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._keep_lease(), name=f"{self._pbx.node}-lease")
            recording = tasks.create_task(recorder.run(_drained(queue)), name=f"{self._pbx.node}-record")
            node = asterisk_node(self._settings, self._pbx, self._clock)
            self._watched.nodes[self._pbx.node] = node
            self._metrics.link_up.labels(self._pbx.node).set_function(lambda: not node.ami.trouble)
            await self._listen(node, queue)
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
