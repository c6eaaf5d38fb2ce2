"""The event stream when the PBX goes away, refuses, or is not there."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from pbxmonitor.clock import SystemClock
from pbxmonitor.pbx.asterisk.ari import AriLogin
from tests.pbx.fake_ari import (
    NO_ARI,
    NOW,
    PASSWORD,
    FakeAri,
    Hearing,
    Said,
    WatchedClock,
    contact,
    first_trouble,
    listening,
    login_to,
)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAri]:
    async with FakeAri(PASSWORD) as fake:
        yield fake


@pytest.mark.parametrize("ending", ["close", "drop"])
async def test_a_stream_that_ends_is_lost_and_comes_back(pbx: FakeAri, ending: str) -> None:
    clock = WatchedClock()
    async with Hearing(listening(login_to(pbx), clock)) as told:
        await told.up()
        stream = await pbx.stream()
        stream.close() if ending == "close" else stream.drop()
        lost = await told.lost()
        reason = "Asterisk closed the event stream (1000)" if ending == "close" else "the event stream broke off"
        assert (lost.at, lost.reason) == (NOW, reason)
        await told.up()
        (await pbx.stream()).send(contact(5))
        assert (await told.event())["endpoint"]["resource"] == "5"
    assert len(clock.slept) == 1


async def test_what_was_said_before_the_end_is_heard(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        await told.up()
        stream = await pbx.stream()
        for number in range(100):
            stream.send(contact(number))
        stream.close()
        for _ in range(100):
            await told.event()
        await told.lost()


async def test_a_pbx_that_hangs_up_at_once_is_tried_ever_more_rarely(pbx: FakeAri) -> None:
    pbx.on_open = "close"
    clock = WatchedClock()
    async with Hearing(listening(login_to(pbx), clock)) as told:
        while len(clock.slept) < 9:
            await told.next()
    for slept, pause in zip(clock.slept, [1, 2, 4, 8, 16, 32, 60, 60, 60], strict=False):
        assert pause / 2 <= slept <= pause
    assert len(pbx.opened) <= len(clock.slept) + 1


async def test_after_a_long_life_the_first_attempt_is_quick_again(pbx: FakeAri) -> None:
    clock = WatchedClock()
    async with Hearing(listening(login_to(pbx), clock)) as told:
        for _ in range(6):
            await told.up()
            stream = await pbx.stream()
            clock.advance(61)
            stream.drop()
            await told.lost()
    assert max(clock.slept) <= 1


async def test_a_closed_stream_takes_no_processor_time(pbx: FakeAri) -> None:
    login = replace(login_to(pbx), backoff_first=0.5)
    async with Hearing(listening(login, SystemClock())) as told:
        await told.up()
        (await pbx.stream()).drop()
        await told.lost()
        before = time.process_time()
        await asyncio.sleep(0.4)
        assert time.process_time() - before < 0.2


async def test_a_pbx_that_restarts_is_found_again() -> None:
    async with FakeAri(PASSWORD) as first:
        login, port = login_to(first), first.port
        hearing = Hearing(listening(login))
        told = await hearing.__aenter__()
        await told.up()
    lost = await told.lost()
    assert lost.reason in ("the event stream broke off", "Asterisk closed the event stream (1001)")
    async with FakeAri(PASSWORD, port=port):
        await told.up()
    await hearing.__aexit__()


async def test_a_refused_login_is_one_error_and_slow_retries_until_it_is_mended(pbx: FakeAri) -> None:
    pbx.password = "another"
    clock = WatchedClock()
    with capture_logs() as lines:
        async with Hearing(listening(login_to(pbx), clock)) as told:
            await clock.until_slept(4)
            pbx.password = PASSWORD
            await told.up()
    assert [(line["event"], line["log_level"], line["reason"]) for line in lines] == [
        ("ari_unreachable", "error", "ARI refused user 'pbxmonitor': check the name and password in ari.conf")
    ]
    assert min(clock.slept) >= 60


async def test_each_new_trouble_is_one_more_line(pbx: FakeAri) -> None:
    pbx.say("GET", "/events", Said(404, NO_ARI, "text/html"))
    clock = WatchedClock()
    with capture_logs() as lines:
        async with Hearing(listening(login_to(pbx), clock)):
            for said in (None, Said(503, b""), Said(302, b"", headers=(("Location", "http://127.0.0.1:1/"),))):
                if said is not None:
                    pbx.say("GET", "/events", said)
                await clock.until_slept(len(clock.slept) + 3)
    url = f"{pbx.url}/ari"
    assert [line["reason"] for line in lines] == [
        f"no ARI at {url}: set enabled = yes in ari.conf, check the prefix in http.conf",
        f"{url} answered the event stream with status 503",
        f"{url} answered the event stream with status 302",
    ]


async def test_nobody_at_the_address_is_one_clear_line() -> None:
    async with FakeAri() as gone:
        login = login_to(gone)
    assert (await first_trouble(login)).startswith(f"{login.rest_url} cannot be reached: ")


async def test_an_unknown_host_is_one_clear_line(pbx: FakeAri) -> None:
    login = replace(login_to(pbx), base_url="http://pbx.invalid:8088")
    assert await first_trouble(login) == "unknown host in http://pbx.invalid:8088/ari: check the ARI address"


async def test_an_asterisk_that_says_nothing_is_one_clear_line(pbx: FakeAri) -> None:
    pbx.silent = True
    login = replace(login_to(pbx), timeout=0.1)
    assert await first_trouble(login) == f"{pbx.url}/ari does not answer within 0.1 s"


async def test_something_else_on_that_port_is_one_clear_line() -> None:
    async def speak(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/9.0.0\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        login = AriLogin(base_url=f"http://127.0.0.1:{port}", username="u", password="x")
        reason = await first_trouble(login)
    assert reason.startswith(f"http://127.0.0.1:{port}/ari does not speak websocket: ")
    assert "\n" not in reason


async def test_rest_that_fails_after_the_stream_opened_is_tried_again(pbx: FakeAri) -> None:
    pbx.say("GET", "/endpoints", Said.json({"message": "Internal Server Error"}, 500))
    clock = WatchedClock()
    with capture_logs() as lines:
        async with Hearing(listening(login_to(pbx), clock)) as told:
            await clock.until_slept(2)
            pbx.say("GET", "/endpoints", Said.json([]))
            assert (await told.up()).presence == ()
    assert [line["reason"] for line in lines] == ["ARI GET /endpoints: Internal Server Error (500)"]
