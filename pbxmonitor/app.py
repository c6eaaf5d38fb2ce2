"""The composition root: which parts there are, which task runs them, and how they stop."""

import asyncio
import gc
import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock, SystemClock, every
from pbxmonitor.domain.policy import Policy
from pbxmonitor.following import NodeRun
from pbxmonitor.in_force import InForce
from pbxmonitor.metrics import Metrics
from pbxmonitor.outgoing import Outgoing, Relay, Watched, aris_of
from pbxmonitor.pbx.asterisk.ari import Ari
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings import MetricsSettings, Settings
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.settings_web import WebSettings
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.types import AWAY, connect, first_line

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pbxmonitor.web.server import WebServer
    from pbxmonitor.web.site import Site

log = structlog.get_logger()
ROLL_UP_S = 600.0
# How often it is asked whether somebody at another daemon has changed the settings; who changes them here asks at once.
LOOK_S = 2.0


async def run(settings: Settings, *, stop: asyncio.Event | None = None) -> None:
    """The daemon: follow every PBX of the settings until `stop` is set or a signal comes, then end in order."""
    stop = stop or asyncio.Event()
    _obey_signals(stop)
    spare_the_collector()
    await upgrade(settings.database.full_url)
    database = connect(settings.database.full_url)
    log.info("started", nodes=sorted(settings.pbx), database=settings.database.safe_url)
    metrics, aris = Metrics(), aris_of(settings)
    try:
        with _served(metrics, settings.metrics):
            in_force = InForce(settings, database)
            await in_force.look()
            await _run(in_force, database, stop, metrics, aris)
    finally:
        for ari in aris.values():
            await ari.aclose()
        await database.dispose()
        log.info("stopped")


async def _run(
    in_force: InForce, database: AsyncEngine, stop: asyncio.Event, metrics: Metrics, aris: Mapping[str, Ari]
) -> None:
    """All parts, by the settings in force, and by others as soon as they change."""
    watched, over, clock = Watched(), asyncio.Event(), SystemClock()
    relay = Relay(lambda settings: Outgoing(settings, database, clock, watched, aris), in_force.now)
    nodes = [
        NodeRun(in_force, pbx, database, clock, stop, metrics, relay, watched) for pbx in in_force.now.pbx.values()
    ]
    parts = Parts(in_force, relay, nodes, database, watched)
    async with asyncio.TaskGroup() as lasting:
        lasting.create_task(relay.run(over), name="outgoing")
        if in_force.now.web is not None:
            lasting.create_task(parts.pages(in_force.now.web, metrics).run(over), name="web")
        looking = lasting.create_task(every(clock, LOOK_S, parts.settle), name="settings")
        try:
            await _follow_all(nodes, in_force, database, stop)
        finally:
            looking.cancel()
            over.set()  # what the last calls owe is in the rows by now


class Parts:
    """What goes by the settings; `settle` has all of it go by those that have changed, without a link being lost."""

    def __init__(
        self,
        in_force: InForce,
        relay: Relay,
        nodes: Sequence[NodeRun],
        database: AsyncEngine,
        watched: Watched,
    ) -> None:
        self._in_force = in_force
        self._relay = relay
        self._nodes = nodes
        self._database = database
        self._watched = watched
        self._app: FastAPI | None = None
        self._turn = asyncio.Lock()

    def pages(self, web: WebSettings, metrics: Metrics) -> "WebServer":
        """The dashboard and the API; what they need is loaded only where they are wanted."""
        from pbxmonitor.web.app import make_app
        from pbxmonitor.web.server import WebServer

        self._app = make_app(self._site(), metrics=metrics)
        return WebServer(self._app, web.host, web.port)

    def _site(self) -> "Site":
        from pbxmonitor.web.site import Site

        settings, outgoing = self._in_force.now, self._relay.newest
        return Site(
            settings=settings,
            database=self._database,
            policy=policy_of(settings),
            duties=outgoing.duties,
            clock=SystemClock(),
            feeds=self._watched.feeds,
            lost_links=self._watched.lost_links,
            ring=self._relay.ring,
            dialling=outgoing.dialling,
            settle=self.settle,
        )

    async def settle(self) -> None:
        """See whether somebody has changed the settings, here or at another daemon, and go by them from now on."""
        async with self._turn:
            if not await self._in_force.looked():
                return
            try:
                await self._relay.follow(self._in_force.now)
            except SettingsError as wrong:
                log.error("outgoing_unchanged", reason=str(wrong), fix="put the settings file right, then restart")
            for node in self._nodes:
                node.obey()
            if self._app is not None:
                from pbxmonitor.web.stream import settle

                settle(self._app, self._site())


async def _follow_all(nodes: Sequence[NodeRun], in_force: InForce, database: AsyncEngine, stop: asyncio.Event) -> None:
    """Follow every PBX until told to stop, and roll up the days that are over."""

    async def sums() -> None:
        await roll_up_once(database, policy_of(in_force.now), SystemClock())

    async with asyncio.TaskGroup() as tasks:
        for node in nodes:
            tasks.create_task(node.supervise(), name=node.name)
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
