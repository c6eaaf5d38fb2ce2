"""HTTP before the websocket: requests other than GET, and bodies, which the websockets library refuses."""

import re
from typing import Final

from websockets.asyncio.server import ServerConnection

REQUEST_LIMIT: Final = 64 * 1024
_METHOD: Final = re.compile(rb"^[A-Z]+")
_LENGTH: Final = re.compile(rb"\r\nContent-Length: *(\d+)(?=\r\n|$)", re.IGNORECASE)


class Door(ServerConnection):
    """A connection that keeps its first request's `method` and `body`, and shows the library a plain GET."""

    method = "GET"
    body = b""
    _heard = b""
    _passed = False

    def data_received(self, data: bytes) -> None:
        """Hold back the first request until it is complete; one over the limit ends the connection."""
        if self._passed:
            super().data_received(data)
            return
        self._heard += data
        head, end, body = self._heard.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        expected = int(length[1]) if length else 0
        if len(head) + expected > REQUEST_LIMIT:
            self.transport.abort()
        elif end and len(body) >= expected:
            self._pass(head, body[:expected], body[expected:])

    def _pass(self, head: bytes, body: bytes, rest: bytes) -> None:
        method = _METHOD.match(head)
        self.method, self.body = method[0].decode() if method else "GET", body
        self._heard, self._passed = b"", True
        super().data_received(_METHOD.sub(b"GET", _LENGTH.sub(b"", head)) + b"\r\n\r\n" + rest)
