"""uvicorn within our own tree of tasks: it takes no signals, and ends when told, streams included."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbxmonitor.settings_web import WebSettings, web_of
from pbxmonitor.store.accounts import first_setup
from pbxmonitor.store.types import writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.stream import live_at

log = structlog.get_logger()
# What is not answered by then is cut off.
GRACE_S: Final = 2
_BACKLOG: Final = 512


class _Server(uvicorn.Server):
    """The signals are the daemon's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Streams:
    """The application, whose endless answers end when told: a browser comes again by itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[object]] = set()
        self._ending = False

    def end(self) -> None:
        """End every stream that runs."""
        self._ending = True
        for task in self._running:
            task.cancel()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_stream(message):
                self._running.add(task)
                if self._ending:
                    task.cancel()
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if not self._ending or task not in self._running:
                raise
            task.uncancel()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._running.discard(task)


def _is_stream(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in message["headers"]
    )


class WebServer:
    """The pages at that address; `port` 0 takes a free one, known as `address` once `started` is set."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._app = app
        self._host = host
        self._port = port
        self.started = asyncio.Event()
        self.address: tuple[str, int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop; OSError, in words, when the address cannot be had."""
        site: Site = self._app.state.site
        web = web_of(site.settings)
        listening = _bound(self._host, self._port)
        self.address = listening.getsockname()[:2]
        log.info("web_listens", url=web.address, host=self.address[0], port=self.address[1])
        await offer_setup(site)
        streams = Streams(self._app)
        server = _Server(_config(streams, web))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listening]), name="web")
            tasks.create_task(live_at(self._app).run(stop), name="web-live")
            self.started.set()
            await stop.wait()
            server.should_exit = True
            streams.end()


async def offer_setup(site: Site) -> str | None:
    """Log the one-time link by which the first admin chooses a password; None once somebody has one."""
    now = site.clock.now()
    code = await writing(site.database, lambda connection: first_setup(connection, now))
    if code is None:
        return None
    url = f"{web_of(site.settings).address}/setup?code={code}"
    log.warning("web_setup", url=url, fix="open this link within 24 hours, and choose the admin's password")
    return url


def _config(app: ASGIApp, web: WebSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        forwarded_allow_ips=list(web.trusted_proxies),
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30,
    )


def _bound(host: str, port: int) -> socket.socket:
    """uvicorn would leave the whole program where it cannot have the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise OSError(error.errno, f"web: {host}:{port}: {error.strerror or error}; set another [web] port") from None
    # asyncio would do so for a socket of its own making; without it each answer and event may wait 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
