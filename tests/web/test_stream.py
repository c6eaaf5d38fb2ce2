"""The live stream: what a watcher is told of a change, once and in order, and what becomes of him when things fail."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.view import stamp
from pbxmonitor.feed import Feed
from pbxmonitor.store import schema
from pbxmonitor.store.types import connect, writing
from pbxmonitor.web.channel import KEPT, kind_of
from pbxmonitor.web.site import Site
from pbxmonitor.web.stream import BEAT_S, LOOK_EVERY_S, PACE_S, READ_EVERY_S, Live
from pbxmonitor.web.viewer import Role, Viewer
from tests.domain.story import CLIENT, Story
from tests.web.conftest import NOW, ClientOf
from tests.work.shop import Shop

MANAGER = Viewer(account="chief", role=Role.MANAGER)
ALL = kind_of(MANAGER, said=False)
ANNA = kind_of(Viewer(account="anna", role=Role.EMPLOYEE, person="101"), said=False)
SOON = 5.0
Events = AsyncGenerator[bytes]


class StillClock(ManualClock):
    """Sleepers wait until the test lets so much time pass."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((self.monotonic() + seconds, woken))
        await woken.wait()

    async def passes(self, seconds: float) -> None:
        """So much time passes, second by second, and everybody does what is due."""
        end = self.monotonic() + seconds
        while self.monotonic() < end:
            self.advance(min(1.0, end - self.monotonic()))
            for sleeper in [each for each in self._sleepers if each[0] <= self.monotonic() + 1e-9]:
                self._sleepers.remove(sleeper)
                sleeper[1].set()
            await settled()


async def settled() -> None:
    """Let every task go as far as it can without time or threads."""
    for _ in range(20):
        await asyncio.sleep(0)


@dataclass
class Place:
    """A site whose PBX tells a story."""

    site: Site
    clock: StillClock
    story: Story
    live: Live
    feeds: dict[str, Feed]
    lost: dict[str, datetime] = field(default_factory=dict)

    async def tells(self) -> None:
        """The engine has committed what was told."""
        await self.feeds["main"].publish(self.story.floor, self.story.changes[-1:])

    def rings(self, agent: str = "101") -> None:
        self.story.calls_in().waits_in("sales").rings(agent)


@pytest.fixture
def place(site: Site) -> Place:
    clock, story = StillClock(NOW), Story(at=NOW).works_in("101", "sales").works_in("102", "sales")
    feeds, lost = {"main": Feed(story.floor)}, dict[str, datetime]()
    mine = replace(site, clock=clock, feeds=feeds, lost_links=lambda: lost)
    return Place(mine, clock, story, Live(mine), feeds, lost)


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[asyncio.Event]:
    """The live view is kept up, until the end of the test or the event."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(place.live.run(stop))
        await settled()
        yield stop
        stop.set()


async def begun(place: Place, events: Events) -> tuple[str | None, Any]:
    """The id and the data of what a new watcher is shown; what he is told next has no other news to wait for."""
    [(name, seen, data)] = await told(events)
    assert name == "view"
    await calm(place)
    return seen, data


async def calm(place: Place) -> None:
    """Nothing has been told so lately that the next change would have to wait."""
    for _ in range(3):
        await place.clock.passes(PACE_S)


async def told(events: Events) -> list[tuple[str, str | None, Any]]:
    """What the watcher gets next: (event, id, data) of each event, `retry` and beats left out."""
    while True:
        text = (await asyncio.wait_for(anext(events), SOON)).decode()
        found = [parsed(part) for part in text.strip().split("\n\n")]
        news = [each for each in found if each[0] in ("view", "patch")]
        if news:
            return news


def parsed(text: str) -> tuple[str, str | None, Any]:
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    return fields.get("event", ""), fields.get("id"), json.loads(fields.get("data", "null"))


async def test_a_watcher_is_shown_everything_and_then_what_changes(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ALL)
        _, data = await begun(place, events)
        assert data["view"]["tiles"]["101"]["state"] == "ready"
        place.rings()
        await place.tells()
        [(name, _, data)] = await told(events)
        assert (name, data["patch"]["tiles"]["101"]["peer"]) == ("patch", CLIENT)
        assert set(data["patch"]) == {"tiles", "queues", "figures"}
        assert "102" not in data["patch"]["tiles"]


async def test_changes_that_come_at_once_are_told_together(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ALL)
        await begun(place, events)
        place.story.dnd("102")
        await place.tells()
        await told(events)
        for agent in ("101", "102"):
            place.story.phone_is(agent, online=False)
            await place.tells()
            await settled()
        waiting = asyncio.ensure_future(told(events))
        await settled()
        assert not waiting.done()
        await place.clock.passes(PACE_S)
        [(_, _, data)] = await waiting
        assert {"101", "102"} == set(data["patch"]["tiles"])


async def test_all_watchers_of_one_kind_share_one_channel_and_the_same_bytes(place: Place) -> None:
    async with running(place):
        watchers = [place.live.watch(ALL) for _ in range(20)]
        for each in watchers:
            await told(each)
        await calm(place)
        channel = await place.live.look(ALL)
        assert channel.watchers == 20
        version = channel.version
        place.rings()
        await place.tells()
        chunks = [await asyncio.wait_for(anext(each), SOON) for each in watchers]
        assert channel.version == version + 1
        assert len(set(chunks)) == 1


async def test_what_a_viewer_may_not_see_does_not_wake_him(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ANNA)
        _, data = await begun(place, events)
        assert set(data["view"]["tiles"]) == {"101"}
        place.story.dials("102", "103").is_put_through_to("103").rings("103")
        await place.tells()
        await settled()
        assert (await place.live.look(ANNA)).watchers == 1
        place.story.dnd("101")
        await place.tells()
        await place.clock.passes(PACE_S)
        [(_, _, data)] = await told(events)
        assert set(data["patch"]["tiles"]) == {"101"}


async def test_who_comes_back_is_told_only_what_he_has_missed(place: Place) -> None:
    async with running(place):
        first = place.live.watch(ALL)
        seen, _ = await begun(place, first)
        await first.aclose()
        for agent in ("101", "102"):
            place.story.dnd(agent)
            await place.tells()
            await place.live.look(ALL)
        news = await told(place.live.watch(ALL, after=seen))
        assert [(name, set(data["patch"]["tiles"])) for name, _, data in news] == [
            ("patch", {"101"}),
            ("patch", {"102"}),
        ]


@pytest.mark.parametrize("after", ["another-3", "nonsense", "", "0-99999999999999999999"])
async def test_who_knows_nothing_of_ours_is_shown_everything(place: Place, after: str) -> None:
    async with running(place):
        assert [name for name, _, _ in await told(place.live.watch(ALL, after=after))] == ["view"]


async def test_a_slow_watcher_skips_what_he_was_too_slow_for(place: Place) -> None:
    async with running(place):
        slow = place.live.watch(ALL)
        await told(slow)
        for turn in range(KEPT + 2):
            place.story.dnd("101", on=turn % 2 == 0)
            await place.tells()
            await place.live.look(ALL)
        [(name, _, data)] = await told(slow)
        assert (name, data["view"]["tiles"]["101"]["state"]) == ("view", "ready")


async def test_a_watcher_hears_a_beat_when_nothing_happens(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ALL)
        await begun(place, events)
        beating = asyncio.ensure_future(anext(events))
        await place.clock.passes(BEAT_S)
        beat = parsed((await asyncio.wait_for(beating, SOON)).decode().strip())
        assert (beat[0], beat[2]) == ("beat", {"now": stamp(place.clock.now())})


async def test_every_stream_ends_with_the_daemon(place: Place) -> None:
    async with running(place) as stop:
        events = place.live.watch(ALL)
        await begun(place, events)
        stop.set()
    await asyncio.wait_for(_all(events), SOON)
    assert (await place.live.look(ALL)).watchers == 0


async def test_who_has_logged_out_is_told_no_more(place: Place) -> None:
    asked: list[bool] = []

    async def still() -> bool:
        asked.append(True)
        return False

    async with running(place):
        events = place.live.watch(ALL, still=still)
        await told(events)
        watching = asyncio.ensure_future(_all(events))
        await place.clock.passes(BEAT_S * 4)
        await asyncio.wait_for(watching, SOON)
    assert asked == [True]


async def _all(events: Events) -> list[bytes]:
    return [chunk async for chunk in events]


async def test_a_lost_link_is_told_though_the_pbx_says_nothing(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ALL)
        await begun(place, events)
        place.lost["main"] = NOW
        await place.clock.passes(1)
        [(_, _, data)] = await told(events)
        assert [flag["kind"] for flag in data["patch"]["flags"].values()] == ["link_lost"]
        del place.lost["main"]
        await place.clock.passes(1)
        [(_, _, data)] = await told(events)
        assert list(data["patch"]["flags"].values()) == [None]


async def test_a_node_that_is_followed_anew_is_listened_to_anew(place: Place) -> None:
    async with running(place):
        events = place.live.watch(ALL)
        await begun(place, events)
        place.feeds["main"] = Feed(place.story.floor)
        await place.clock.passes(1)
        await calm(place)
        place.story.dnd("102")
        await place.tells()
        [(_, _, data)] = await told(events)
        assert data["patch"]["tiles"]["102"]["state"] == "dnd"


async def test_a_wrap_up_ends_by_itself(place: Place) -> None:
    place.story.works_in("101", "sales", wrapup=10).calls_in().waits_in("sales").rings("101").answers("101")
    place.story.caller_leaves()
    await place.tells()
    async with running(place):
        events = place.live.watch(ALL)
        _, data = await begun(place, events)
        assert data["view"]["tiles"]["101"]["state"] == "wrapup"
        await place.clock.passes(11)
        [(_, _, data)] = await told(events)
        assert data["patch"]["tiles"]["101"]["state"] == "ready"


async def test_the_days_numbers_follow_the_calls(place: Place) -> None:
    shop = Shop(place.site.database, policy=place.site.policy, duties=place.site.duties)
    async with running(place):
        events = place.live.watch(ALL)
        await begun(place, events)
        await shop.misses()
        place.story.dnd("102")
        await place.tells()
        await told(events)
        await place.clock.passes(READ_EVERY_S + 1)
        [(_, _, data)] = await told(events)
        assert data["patch"]["figures"]["missed"]["value"] == 1
        assert [each["number"] for each in data["patch"]["callbacks"].values()] == [CLIENT]


async def test_what_somebody_did_by_hand_is_seen_at_the_next_look(place: Place) -> None:
    shop = Shop(place.site.database, policy=place.site.policy, duties=place.site.duties)
    key = await shop.misses()
    assert len((await place.live.look(ALL)).view["callbacks"]) == 1
    closed = sa.update(schema.callback).where(schema.callback.c.call == key).values(state="dismissed", closed_at=NOW)
    await writing(place.site.database, lambda connection: connection.execute(closed))
    assert len((await place.live.look(ALL)).view["callbacks"]) == 1
    place.live.touch()
    assert len((await place.live.look(ALL)).view["callbacks"]) == 0


async def test_a_database_that_is_away_leaves_the_states_live_and_is_said(place: Place) -> None:
    away = connect("sqlite:////nowhere/at/all/rows.sqlite3")
    live = Live(replace(place.site, database=away))
    view = (await live.look(ALL)).view
    assert [flag["kind"] for flag in view["flags"].values()] == ["numbers_stale"]
    assert view["tiles"]["101"]["state"] == "ready"
    await away.dispose()


async def test_rows_are_left_alone_while_nobody_looks(place: Place) -> None:
    async with running(place):
        await place.clock.passes(LOOK_EVERY_S * 2)
        assert place.live.reads == 0


async def test_a_browser_gets_events_that_no_proxy_keeps_back(place: Place, app: FastAPI, client_of: ClientOf) -> None:
    app.state.live = place.live
    client = await client_of(Role.EMPLOYEE)
    headers, body = await _begun(app, "/stream", dict(client.cookies))
    assert headers["content-type"].startswith("text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-encoding" not in headers
    assert "Свободен" in body
    assert "Борис" not in body


async def _begun(app: FastAPI, path: str, cookies: dict[str, str]) -> tuple[dict[str, str], str]:
    """The headers and the first events of an answer without end, from which the browser then goes away."""
    gone, headers, body = asyncio.Event(), dict[str, str](), b""

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal body
        headers.update({name.decode(): value.decode() for name, value in message.get("headers", ())})
        body += message.get("body", b"")
        if b"event: view" in body:
            gone.set()

    cookie = "; ".join(f"{name}={value}" for name, value in cookies.items())
    sent = [(b"host", b"pbx.example"), (b"cookie", cookie.encode()), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}, "http_version": "1.1", "method": "GET", "scheme": "http"}
    where = {"path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": sent}
    await asyncio.wait_for(app({**scope, **where, "client": ("192.0.2.1", 5000)}, receive, send), SOON)
    return headers, body.decode()
