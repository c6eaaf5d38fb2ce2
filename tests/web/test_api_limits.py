"""Who asks too much is told to wait, in the words of HTTP; who looks at pages never is."""

from dataclasses import replace
from datetime import UTC, datetime
from math import ceil

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from pbxmonitor.clock import ManualClock
from pbxmonitor.settings_web import WebSettings
from pbxmonitor.store.accounts import Account, add
from pbxmonitor.store.sessions import new_token
from pbxmonitor.store.types import writing
from pbxmonitor.web.app import API, make_app
from pbxmonitor.web.limits import Buckets, Streams
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.problems import PROBLEM_JSON
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, Browser, ClientOf, settings_of

CALLS = f"{API}/calls"
MINUTE, AT_ONCE = 60, 5


class Key:
    """Something that opens streams."""


def buckets(per_minute: int = 60, at_once: int = 3, **more: int) -> tuple[Buckets, ManualClock]:
    clock = ManualClock(datetime(2026, 11, 24, tzinfo=UTC))
    return Buckets(clock, per_minute, at_once, **more), clock


def waits(made: Buckets, key: str, times: int) -> list[float]:
    found = (made.take(key) for _ in range(times))
    return [each.wait_s for each in found if each is not None]


def test_so_many_may_come_at_once_and_then_one_at_a_time() -> None:
    made, clock = buckets()
    assert waits(made, "a", 4) == [0, 0, 0, 1]
    clock.advance(0.25)
    assert waits(made, "a", 2) == [0.75, 0.75]  # to ask too early costs nothing more
    clock.advance(0.75)
    assert waits(made, "a", 2) == [0, 1]
    clock.advance(3600)
    assert waits(made, "a", 4) == [0, 0, 0, 1]


def test_each_has_a_bucket_of_his_own() -> None:
    made, _ = buckets(at_once=1)
    assert (waits(made, "a", 2), waits(made, "b", 1)) == ([0, 1], [0])


def test_without_a_limit_nobody_waits_and_nothing_is_kept() -> None:
    made, _ = buckets(per_minute=0)
    assert [made.take("a") for _ in range(1000)] == [None] * 1000
    assert not made._left


def test_the_memory_is_bounded_and_who_asked_last_is_remembered() -> None:
    made, _ = buckets(at_once=1, kept=100)
    for number in range(1000):
        made.take(str(number))
    assert len(made._left) == 100
    assert waits(made, "999", 1) == [1]
    assert waits(made, "0", 1) == [0]


def test_what_is_left_is_told_in_the_fields_of_the_draft() -> None:
    made, clock = buckets(per_minute=60, at_once=10)
    first = made.take("a")
    assert first is not None
    assert first.headers == {"RateLimit-Policy": '"requests";q=10;w=10', "RateLimit": '"requests";r=9;t=1'}
    for _ in range(9):
        last = made.take("a")
    assert last is not None
    assert last.headers["RateLimit"] == '"requests";r=0;t=10'
    clock.advance(4)
    assert made.take("a").headers["RateLimit"] == '"requests";r=3;t=7'  # type: ignore[union-attr]


def test_streams_are_counted_until_they_end_or_are_forgotten() -> None:
    streams, one, two = Streams(2), Key(), Key()
    assert (streams.enter("a", one), streams.enter("a", two), streams.enter("a", Key())) == (True, True, False)
    assert streams.enter("b", Key())
    streams.leave("a", one)
    three = Key()
    assert streams.enter("a", three)
    del two
    assert streams.enter("a", one)
    assert all(Streams(0).enter("a", Key()) for _ in range(1000))


@pytest.fixture
def app(site: Site, passwords: Passwords) -> FastAPI:
    """An application with small limits."""
    web = {"requests_per_minute": MINUTE, "requests_at_once": AT_ONCE, "streams_at_once": 2}
    return make_app(replace(site, settings=settings_of(site.settings.database.full_url, web=web)), passwords=passwords)


def clock_of(site: Site) -> ManualClock:
    assert isinstance(site.clock, ManualClock)
    return site.clock


@pytest.fixture
async def robot(site: Site, browser: Browser) -> httpx.AsyncClient:
    """A program with a token of its own."""
    secret = await token(site, "robot")
    return browser(headers={"Authorization": f"Bearer {secret}"})


async def token(site: Site, name: str) -> str:
    def work(connection: sa.Connection) -> str:
        add(connection, Account(name=name, role="manager"), "test", NOW)
        return new_token(connection, name, "x", frozenset({"read"}), "test", NOW)

    return await writing(site.database, work)


async def test_a_program_that_asks_too_much_is_told_when_to_come_again(site: Site, robot: httpx.AsyncClient) -> None:
    left = [(await robot.get(CALLS)).headers["RateLimit"] for _ in range(AT_ONCE)]
    assert left == [f'"requests";r={AT_ONCE - 1 - n};t={n + 1}' for n in range(AT_ONCE)]
    refused = await robot.get(CALLS)
    assert (refused.status_code, refused.headers["content-type"]) == (429, PROBLEM_JSON)
    assert (refused.json()["status"], refused.headers["RateLimit"]) == (429, '"requests";r=0;t=5')
    clock_of(site).advance(ceil(float(refused.headers["Retry-After"])))
    assert (await robot.get(CALLS)).status_code == 200
    assert (await robot.get(CALLS)).status_code == 429


async def test_what_is_refused_or_unchanged_counts_and_says_what_is_left(site: Site, robot: httpx.AsyncClient) -> None:
    tag = (await robot.get(CALLS)).headers["ETag"]
    same = await robot.get(CALLS, headers={"If-None-Match": tag})
    forbidden = await robot.post(f"{API}/callbacks/main/x/take")
    assert (same.status_code, forbidden.status_code) == (304, 403)
    assert [each.headers["RateLimit"][:14] for each in (same, forbidden)] == ['"requests";r=3', '"requests";r=2']


async def test_one_program_keeps_no_other_out(site: Site, browser: Browser, robot: httpx.AsyncClient) -> None:
    other = browser(headers={"Authorization": f"Bearer {await token(site, 'other')}"})
    for _ in range(AT_ONCE + 1):
        last = await robot.get(CALLS)
    assert last.status_code == 429
    assert (await other.get(CALLS)).status_code == 200


async def test_who_guesses_tokens_is_counted_by_his_address_and_keeps_no_one_who_is_known_out(
    browser: Browser, robot: httpx.AsyncClient
) -> None:
    statuses = []
    for number in range(AT_ONCE + 2):
        guesser = browser(headers={"Authorization": f"Bearer pbxm_{number}"})
        statuses.append((await guesser.get(CALLS)).status_code)
    assert statuses == [401] * AT_ONCE + [429] * 2
    assert (await robot.get(CALLS)).status_code == 200  # from the very same address


async def test_sessions_are_counted_each_by_itself(client_of: ClientOf) -> None:
    chief = await client_of(Role.MANAGER)  # which has looked at a page
    for _ in range(AT_ONCE - 1):
        assert (await chief.get(CALLS)).status_code == 200
    refused = await chief.get("/journal")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
    assert "text/html" in refused.headers["content-type"]
    assert (await (await client_of(Role.SUPERVISOR)).get(CALLS)).status_code == 200


async def test_health_and_pictures_are_never_counted(browser: Browser) -> None:
    client = browser()
    for path in ("/healthz", "/readyz", "/static/site.css", "/login", f"{API}/openapi.json"):
        for _ in range(AT_ONCE + 1):
            answer = await client.get(path)
            assert (answer.status_code, "RateLimit" in answer.headers) == (200, False), path


def test_a_person_who_clicks_as_fast_as_he_can_is_far_from_the_limit() -> None:
    web = WebSettings()
    made, clock = buckets(web.requests_per_minute, web.requests_at_once)
    for _ in range(600):  # two pages a second, each with four questions of its script, for five minutes
        assert waits(made, "session", 5) == [0.0] * 5
        clock.advance(0.5)
