"""Where the demo's messages arrive: an HTTP server on the loopback that takes every POST, and keeps how many."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from pbxmonitor.simulator.ami import LOOPBACK
from pbxmonitor.simulator.door import Door


@dataclass(eq=False)
class Mailbox:
    """`url` is where to post; `taken` counts what has come."""

    port: int = 0
    taken: int = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/messages"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["Mailbox"]:
        """Listen on a free port of the loopback until left."""
        async with serve(self._never, LOOPBACK, 0, process_request=self._request, create_connection=Door) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def _request(self, connection: ServerConnection, _request: Request) -> Response:
        if not isinstance(connection, Door) or connection.method != "POST":
            return connection.respond(HTTPStatus.METHOD_NOT_ALLOWED, "post messages here\n")
        self.taken += 1
        return connection.respond(HTTPStatus.OK, "taken\n")

    async def _never(self, _connection: ServerConnection) -> None:
        """No request becomes a websocket."""
