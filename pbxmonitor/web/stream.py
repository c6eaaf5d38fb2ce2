"""The live view, kept up: one computation per change for all who look, told to each as server-sent events."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import DBAPIError
from starlette.types import Receive, Scope, Send

from pbxmonitor.clock import every
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.view import stamp
from pbxmonitor.feed import Feed
from pbxmonitor.notify.wording import filters
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.store.types import reading
from pbxmonitor.web.auth import holder_of, viewer_again
from pbxmonitor.web.channel import Channel, Kind, Shape, event, kind_of
from pbxmonitor.web.limits import Limits, Streams
from pbxmonitor.web.live_board import LiveBoard
from pbxmonitor.web.now import Board, View
from pbxmonitor.web.now_seen import masked_item, seen_by
from pbxmonitor.web.now_words import Words
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.scene import Scene, Today
from pbxmonitor.web.site import Site
from pbxmonitor.web.today import read_today

log = structlog.get_logger()
# Changes that come sooner after each other than this are told together.
PACE_S: Final = 0.06
TICK_S: Final = 1.0
BEAT_S: Final = 15.0
# The rows are asked at most so often, and at most this part of the time; without any change, for what people did.
READ_EVERY_S: Final = 3.0
READ_PART: Final = 20
LOOK_EVERY_S: Final = 15.0
# Every so many beats it is asked whether the viewer is still logged in.
ASK_EVERY: Final = 4
MOST_KINDS: Final = 512
# Who holds too many streams open is asked to come again after so long.
STREAM_RETRY_S: Final = 30
_HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Live:
    """What is going on at a site, for everybody who looks; `run` keeps the streams going."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._board = Board()
        self._today = Today()
        self._read_at: float | None = None
        self._read_took = 0.0
        self.reads = 0
        self._reading = asyncio.Lock()
        self._stale = True
        self._moved = asyncio.Event()
        self._channels: dict[Kind, Channel] = {}
        self._cards = LiveBoard()
        self._cards_at: float | None = None
        self._rules = {rule.name: rule for rule in to_rules(site.settings.alerts)}
        self._basis: tuple[Sequence[Floor], Today, Mapping[str, datetime]] | None = None
        self._shown: tuple[Scene, View] | None = None
        self._next_at: datetime | None = None
        self._heard: dict[str, tuple[Feed, asyncio.Task[None]]] = {}
        self._ended = False

    def settle(self, site: Site) -> None:
        """Show that site from now on: the same floors and rows, by other settings."""
        self._site = site
        self._cards = LiveBoard()
        self._cards_at = None
        self._rules = {rule.name: rule for rule in to_rules(site.settings.alerts)}
        self._board, self._basis, self._shown = Board(), None, None
        self.touch()
        self._moved.set()

    async def look(self, kind: Kind) -> Channel:
        """The channel of that kind, as fresh as rows are ever read."""
        channel = self._channels.pop(kind, None) or Channel(kind)
        self._channels[kind] = channel  # the ones asked for last are kept longest
        self._forget_kinds()
        if self._read_at is None or self._age() >= READ_EVERY_S or self._lacks(kind):
            await self._read(kind)
        self._show([channel])
        return channel

    def touch(self) -> None:
        """Somebody has changed the rows by hand: let the next look see it."""
        self._read_at = None
        self._stale = True

    async def watch(
        self, kind: Kind, after: str | None = None, still: Callable[[], Awaitable[bool]] | None = None
    ) -> AsyncGenerator[bytes]:
        """Events for one watcher, who has seen everything up to the event id `after`; for ever, or until the end.

        A slow watcher skips what others saw meanwhile. It ends when `still` says that he may no longer look.
        """
        channel = await self.look(kind)
        channel.watchers += 1
        try:
            seen, beat = channel.version_of(after), channel.beats
            asks_at = beat + channel.watchers % ASK_EVERY
            yield b"retry: 1000\n\n" + event("beat", {"now": stamp(self._site.clock.now())})
            while not self._ended:
                moved = channel.moved
                news, seen = channel.since(seen), channel.version
                if channel.beats != beat:
                    beat, news = channel.beats, news + event("beat", {"now": stamp(self._site.clock.now())})
                    if still is not None and beat % ASK_EVERY == asks_at % ASK_EVERY and not await still():
                        return
                if news:
                    yield news
                else:
                    await moved.wait()
        finally:
            channel.watchers -= 1

    async def run(self, stop: asyncio.Event) -> None:
        """Follow the floors and the rows until told to stop; then every stream ends."""
        clock = self._site.clock
        beaten = every(clock, BEAT_S, self._beat)
        try:
            async with asyncio.TaskGroup() as tasks:
                going = [
                    tasks.create_task(self._tell(), name="live"),
                    tasks.create_task(every(clock, TICK_S, partial(self._tick, tasks)), name="live-time"),
                    tasks.create_task(every(clock, TICK_S, self._read_if_due), name="live-rows"),
                    tasks.create_task(beaten, name="live-beat"),
                ]
                await stop.wait()
                for each in [*going, *(task for _, task in self._heard.values())]:
                    each.cancel()
        finally:
            self._ended = True
            for channel in self._channels.values():
                channel.wake()

    async def _tell(self) -> None:
        while True:
            await self._moved.wait()
            self._moved.clear()
            self._show([channel for channel in self._channels.values() if channel.watchers])
            await self._site.clock.sleep(PACE_S)

    async def _hear(self, feed: Feed) -> None:
        async for _ in feed.floors():
            self._stale = True
            self._moved.set()

    async def _tick(self, tasks: asyncio.TaskGroup) -> None:
        """See which floors there are now (a restarted node has a new feed), which links, and what time has changed."""
        for node, feed in self._site.feeds.items():
            heard = self._heard.get(node)
            if heard is None or heard[0] is not feed:
                self._heard[node] = feed, tasks.create_task(self._hear(feed), name=f"{node}-live")
                if heard is not None:
                    heard[1].cancel()
        due = self._next_at is not None and self._next_at <= self._site.clock.now()
        if due or (self._basis is not None and self._site.lost_links() != self._basis[2]):
            self._moved.set()

    async def _beat(self) -> None:
        for channel in self._channels.values():
            channel.beat()

    def _age(self) -> float:
        return self._site.clock.monotonic() - (self._read_at or 0.0)

    async def _read_if_due(self) -> None:
        if not any(channel.watchers for channel in self._channels.values()):
            return
        least = max(READ_EVERY_S, READ_PART * self._read_took) if self._stale else LOOK_EVERY_S
        if self._read_at is None or self._age() >= least:
            await self._read()

    def _lacks(self, kind: Kind | None) -> bool:
        """Whether the board has not been read when the day's numbers were."""
        return kind is not None and kind.board and self._cards_at != self._read_at

    async def _read(self, wanted: Kind | None = None) -> None:
        """Ask the rows, once for all who wait for it; when they are not to be had, keep what is known and say so.

        The board is read when somebody watches it, or `wanted` is one.
        """
        before = self._read_at
        async with self._reading:
            if self._read_at is not None and self._read_at != before and not self._lacks(wanted):
                return
            clock, site = self._site.clock, self._site
            began, self._stale, self.reads = clock.monotonic(), False, self.reads + 1
            boards = [kind for kind, each in self._channels.items() if kind.board and (each.watchers or kind == wanted)]
            try:
                self._today = await reading(site.database, partial(read_today, policy=site.policy, now=clock.now()))
                if boards:
                    await self._cards.read(site, boards)
            except (DBAPIError, OSError) as error:
                log.warning("numbers_stale", reason=type(error).__name__)
                self._today = replace(self._today, stale_since=self._today.stale_since or clock.now())
            self._read_at, self._read_took = clock.monotonic(), clock.monotonic() - began
            self._cards_at = self._read_at if boards else self._cards_at
        self._moved.set()

    def _show(self, channels: Sequence[Channel]) -> None:
        """Make the view, if it can be another one, and show each of those what it may see of it."""
        if not channels:
            return
        scene, view = self._current()
        for channel in channels:
            kind, now = channel.kind, self._site.clock.now()
            if kind.board:
                channel.show(self._cards.view(self._site, kind, now), self._cards.shape(self._site, kind, now), now)
            else:
                channel.show(seen_by(kind.viewer, view, scene), self._shape(kind, scene), scene.now)

    def _current(self) -> tuple[Scene, View]:
        site, now = self._site, self._site.clock.now()
        basis = [feed.floor for feed in site.feeds.values()], self._today, dict(site.lost_links())
        timely = self._next_at is None or now < self._next_at
        if self._shown is not None and self._basis is not None and timely and _same(basis, self._basis):
            return self._shown
        scene = Scene(
            now=now,
            floors=basis[0],
            today=basis[1],
            lost=basis[2],
            roster=site.duties.roster,
            policy=site.policy,
            nodes=site.nodes(),
        )
        self._basis, self._shown = basis, (scene, self._board.view(scene))
        self._next_at = min(scene.moments(), default=None)
        return self._shown

    def _shape(self, kind: Kind, scene: Scene) -> Shape:
        words = Words(
            language=kind.viewer.language,
            filters=filters(kind.viewer.language, self._site.settings.zone),
            roster=scene.roster,
            rules=self._rules,
            alerts=dict(scene.today.alerts),
            now=scene.now,
        )
        masks = not kind.viewer.whole_numbers

        def shape(section: str, item: dict[str, object]) -> dict[str, object]:
            shown = masked_item(section, item) if masks else item
            return words.said(section, shown) if kind.said else shown

        return shape

    def _forget_kinds(self) -> None:
        idle = [kind for kind, channel in self._channels.items() if not channel.watchers]
        for kind in idle[: max(len(self._channels) - MOST_KINDS, 0)]:
            del self._channels[kind]


def _same(
    one: tuple[Sequence[Floor], Today, Mapping[str, datetime]],
    two: tuple[Sequence[Floor], Today, Mapping[str, datetime]],
) -> bool:
    floors = len(one[0]) == len(two[0]) and all(a is b for a, b in zip(one[0], two[0], strict=True))
    return floors and one[1] is two[1] and one[2] == two[2]


def live_at(app: FastAPI) -> Live:
    """What is going on at the application's site; whoever serves it runs it, too."""
    state = app.state
    if getattr(state, "live", None) is None:
        state.live = Live(state.site)
    live: Live = state.live
    return live


def settle(app: FastAPI, site: Site) -> None:
    """Serve that site from the next request on; whoever looks already sees it, too."""
    app.state.site = site
    live_at(app).settle(site)


def live_of(request: Request) -> Live:
    """What is going on at the site that this request is served by."""
    return live_at(request.app)


def streamed(request: Request, kind: Kind) -> StreamingResponse:
    """The stream of that kind, from where the browser or program has been before; 429 when he has too many open."""
    after = request.headers.get("last-event-id") or request.query_params.get("after")

    async def still() -> bool:
        viewer = await viewer_again(request)
        masked = not kind.viewer.whole_numbers
        return viewer is not None and kind_of(viewer, said=kind.said, masked=masked, board=kind.board) == kind

    limits: Limits = request.app.state.limits
    answer = _Stream(live_of(request).watch(kind, after, still), limits.streams, holder_of(request))
    if not answer.opened:
        raise Problem(429, "web.error.streams", headers={"Retry-After": str(STREAM_RETRY_S)})
    return answer


class _Stream(StreamingResponse):
    """Server-sent events, counted as open until they end."""

    def __init__(self, events: AsyncGenerator[bytes], open_ones: Streams, holder: str) -> None:
        super().__init__(events, media_type="text/event-stream", headers=_HEADERS)
        self._open, self._holder = open_ones, holder
        self.opened = open_ones.enter(holder, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._open.leave(self._holder, self)
