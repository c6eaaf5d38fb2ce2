"""The stream for programs over a real socket: first the whole, then where it broke off, and only so many at once."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from pbxmonitor.clock import SystemClock
from pbxmonitor.feed import Feed
from pbxmonitor.store.accounts import Account, add
from pbxmonitor.store.sessions import new_token
from pbxmonitor.store.types import writing
from pbxmonitor.web.app import API, make_app
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.problems import PROBLEM_JSON
from pbxmonitor.web.site import Site
from tests.domain.story import Story
from tests.web.conftest import settings_of
from tests.web.test_server import served

STREAM = f"{API}/stream"
SOON = 10.0


@dataclass
class Place:
    """A site that is served, whose PBX tells a story."""

    story: Story
    feed: Feed
    client: httpx.AsyncClient

    async def dnd(self, agent: str, *, on: bool) -> None:
        self.story.dnd(agent, on=on)
        await self.feed.publish(self.story.floor, self.story.changes[-1:])


@pytest.fixture
async def place(site: Site, passwords: Passwords) -> AsyncIterator[Place]:
    clock = SystemClock()
    story = Story(at=clock.now()).works_in("101", "sales").works_in("102", "sales")
    feed = Feed(story.floor)
    settings = settings_of(site.settings.database.full_url, web={"streams_at_once": 2})
    mine = replace(site, settings=settings, clock=clock, feeds={"main": feed})
    now = clock.now()

    def account(connection: Any) -> str:
        add(connection, Account(name="robot", role="manager"), "test", now)
        return new_token(connection, "robot", "x", frozenset({"read"}), "test", now)

    token = await writing(site.database, account)
    stop, running, url = await served(make_app(mine, passwords=passwords))
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        yield Place(story, feed, client)
    stop.set()
    await running


Event = tuple[str, str | None, Any]


@asynccontextmanager
async def watching(place: Place, **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a stream as they come."""
    async with place.client.stream("GET", STREAM, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer)


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            if "event" in fields:
                yield fields["event"], fields.get("id"), json.loads(fields["data"])
            fields = {}


async def news(found: AsyncIterator[Event], wanted: str) -> tuple[str, Any]:
    """The next event of that kind, its id and its data."""
    async with asyncio.timeout(SOON):
        async for name, seen, data in found:
            if name == wanted:
                assert seen is not None
                return seen, data
    raise AssertionError(wanted)


async def test_it_goes_on_where_it_broke_off_and_shows_all_to_who_was_away_too_long(place: Place) -> None:
    async with watching(place) as found:
        seen, data = await news(found, "view")
        assert data["view"]["tiles"]["101"]["state"] == "ready"
        await place.dnd("101", on=True)
        seen, data = await news(found, "patch")
        assert data["patch"]["tiles"]["101"]["state"] == "dnd"
    await place.dnd("102", on=True)
    async with watching(place, **{"Last-Event-ID": seen}) as found:
        later, data = await news(found, "patch")
        assert set(data["patch"]["tiles"]) == {"102"}
    assert later != seen
    for strange in ("nothing-1", "", f"{seen}9999"):
        async with watching(place, **{"Last-Event-ID": strange}) as found:
            _, data = await news(found, "view")
            assert data["view"]["tiles"]["102"]["state"] == "dnd"


async def test_a_stream_begins_with_a_sign_of_life(place: Place) -> None:
    async with watching(place) as found, asyncio.timeout(SOON):
        name, seen, data = await anext(found)
        assert (name, seen, set(data)) == ("beat", None, {"now"})


async def test_only_so_many_are_open_at_once(place: Place) -> None:
    async with watching(place) as one, watching(place) as two:
        for found in (one, two):
            await news(found, "view")
        refused = await place.client.get(STREAM)
        assert (refused.status_code, refused.headers["content-type"]) == (429, PROBLEM_JSON)
        assert int(refused.headers["Retry-After"]) > 0
        assert (await place.client.get(f"{API}/now")).status_code == 200
    async with asyncio.timeout(SOON):
        while (await stream_status(place)) == 429:  # noqa: ASYNC110 - until the server has seen that they left
            await asyncio.sleep(0.05)
    async with watching(place) as found:
        await news(found, "view")


async def stream_status(place: Place) -> int:
    async with place.client.stream("GET", STREAM) as answer:
        return answer.status_code
