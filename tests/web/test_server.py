"""The server within the tree of tasks: it starts, offers the first link, and ends with its streams when told."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import structlog
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from pbxmonitor.clock import SystemClock
from pbxmonitor.web.server import WebServer, _bound, offer_setup
from pbxmonitor.web.site import Site
from tests.web.conftest import PASSWORD, log_in


async def served(app: FastAPI) -> tuple[asyncio.Event, "asyncio.Task[None]", str]:
    """The application behind a real socket: how to stop it, its task, its address."""
    stop, server = asyncio.Event(), WebServer(app, "127.0.0.1", 0)
    running = asyncio.get_running_loop().create_task(server.run(stop))
    await server.started.wait()
    assert server.address is not None
    return stop, running, f"http://127.0.0.1:{server.address[1]}"


async def test_streams_end_with_the_daemon_in_order(app: FastAPI) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "data: first\n\n"
            await asyncio.Event().wait()
        finally:
            ended.set()

    app.add_api_route("/endless", lambda: StreamingResponse(endless(), media_type="text/event-stream"))
    stop, running, url = await served(app)
    async with httpx.AsyncClient(base_url=url) as client, client.stream("GET", "/endless") as answer:
        parts = answer.aiter_text()
        assert await anext(parts) == "data: first\n\n"
        clock = SystemClock()
        began = clock.monotonic()
        stop.set()
        assert [part async for part in parts] == []  # a whole answer: httpx would complain of one that was cut
        await running
        assert clock.monotonic() - began < 2
    assert ended.is_set()


async def test_a_browser_that_leaves_its_stream_is_forgotten(app: FastAPI) -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[str]:
        try:
            yield "data: first\n\n"
            await asyncio.Event().wait()
        finally:
            ended.set()

    app.add_api_route("/endless", lambda: StreamingResponse(endless(), media_type="text/event-stream"))
    stop, running, url = await served(app)
    async with httpx.AsyncClient(base_url=url) as client, client.stream("GET", "/endless") as answer:
        assert await anext(answer.aiter_text())
    await asyncio.wait_for(ended.wait(), 5)
    stop.set()
    await running


async def test_the_server_does_not_say_what_it_is(app: FastAPI) -> None:
    stop, running, url = await served(app)
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get("/healthz")
    stop.set()
    await running
    assert "server" not in answer.headers


def test_no_part_of_an_answer_waits_until_the_one_before_is_acknowledged() -> None:
    with _bound("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_an_address_that_is_taken_is_one_line(app: FastAPI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"web: 127\.0\.0\.1:{port}: .*; set another \[web\] port"):
            await WebServer(app, "127.0.0.1", port).run(asyncio.Event())


async def test_the_first_start_logs_a_link_that_makes_one_admin(site: Site, app: FastAPI) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logged:
        stop, running, url = await served(app)
    (line,) = [each for each in logged if each["event"] == "web_setup"]
    assert line["log_level"] == "warning"
    address = httpx.URL(line["url"])
    assert (address.host, address.path) == ("127.0.0.1", "/setup")
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/setup", params=address.params)).status_code == 200
        form = {"code": address.params["code"], "password": PASSWORD, "again": PASSWORD}
        assert (await client.post("/setup", data=form)).status_code == 303
        assert (await log_in(client, "admin")).status_code == 303
    stop.set()
    await running
    assert await offer_setup(site) is None
