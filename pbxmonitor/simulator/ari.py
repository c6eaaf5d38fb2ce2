"""An ARI server on the loopback: the lists as JSON, and a websocket that tells of device and contact states."""

import base64
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

from pbxmonitor.clock import Clock
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.simulator.ami import LOOPBACK, VERSION
from pbxmonitor.simulator.board import Board, Row
from pbxmonitor.simulator.door import Door

Json = dict[str, Any]
EVENTS_PATH: Final = "/ari/events"
_FILTER: Final = re.compile(r"/ari/applications/([^/]+)/eventFilter")
_OFFLINE: Final = frozenset({"UNAVAILABLE", "INVALID"})
_CHANNEL_STATES: Final = {"0": "Down", "3": "Dialing", "4": "Ring", "5": "Ringing", "6": "Up", "7": "Busy"}


@dataclass(eq=False)
class AriServer:
    """Answers GET from the board, and takes event filters. The password is asked for in a Basic header only."""

    board: Board
    clock: Clock
    username: str
    password: str = field(repr=False)
    port: int = 0
    _listening: dict[ServerConnection, str] = field(default_factory=dict, init=False)
    _allowed: dict[str, frozenset[str]] = field(default_factory=dict, init=False)
    _resources: dict[str, Callable[[], Json | list[Json]]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._resources = {
            "/ari/asterisk/info": self._info,
            "/ari/asterisk/ping": self._pong,
            "/ari/endpoints": self._endpoints,
            "/ari/deviceStates": self._device_states,
            "/ari/channels": self._channels,
            "/ari/bridges": list,
        }

    @property
    def url(self) -> str:
        """Where it is, for settings."""
        return f"http://{LOOPBACK}:{self.port}"

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["AriServer"]:
        """Listen on `port` of the loopback (0: a free one, then named by `port`) until left."""
        async with serve(
            self._listen, LOOPBACK, self.port, process_request=self._request, create_connection=Door
        ) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    def tell(self, frame: Frame) -> None:
        """Say in ARI's words what an AMI event said, where ARI has words for it."""
        event = _event(frame)
        if event is None:
            return
        for connection, app in self._listening.items():
            if event["type"] in self._allowed.get(app, {event["type"]}):
                broadcast([connection], json.dumps({**event, "application": app, "timestamp": self._now()}))

    def _now(self) -> str:
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"

    async def _listen(self, connection: ServerConnection) -> None:
        path = connection.request.path if connection.request else ""
        self._listening[connection] = parse_qs(urlsplit(path).query).get("app", [""])[0]
        try:
            await connection.wait_closed()
        finally:
            app = self._listening.pop(connection)
            if app not in self._listening.values():
                self._allowed.pop(app, None)

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        if not self._knows(request.headers.get("Authorization", "")):
            return _json(connection, HTTPStatus.UNAUTHORIZED, {"message": "Authentication required"})
        if parts.path == EVENTS_PATH and not parse_qs(parts.query).get("app"):
            return _json(connection, HTTPStatus.BAD_REQUEST, {"error": "Missing parameter: app"})
        if parts.path == EVENTS_PATH:
            return None
        if isinstance(connection, Door) and connection.method != "GET":
            return self._change(connection, parts.path)
        resource = self._resources.get(parts.path)
        if resource is None:
            return _json(connection, HTTPStatus.NOT_FOUND, {"message": "Resource not found"})
        return _json(connection, HTTPStatus.OK, resource())

    def _change(self, connection: Door, path: str) -> Response:
        """PUT /applications/{app}/eventFilter, the one change there is."""
        found = _FILTER.fullmatch(path)
        if connection.method != "PUT" or found is None or unquote(found[1]) not in self._listening.values():
            return _json(connection, HTTPStatus.NOT_FOUND, {"message": "Resource not found"})
        app = unquote(found[1])
        try:
            allowed = [each["type"] for each in json.loads(connection.body)["allowed"]]
        except (ValueError, KeyError, TypeError):
            return _json(connection, HTTPStatus.BAD_REQUEST, {"message": "Invalid request body"})
        self._allowed[app] = frozenset(allowed)
        lists: Json = {"channel_ids": [], "bridge_ids": [], "endpoint_ids": [], "device_names": []}
        filtered = {"events_allowed": [{"type": name} for name in allowed], "events_disallowed": []}
        return _json(connection, HTTPStatus.OK, {"name": app, **lists, **filtered})

    def _knows(self, authorization: str) -> bool:
        proof = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return hmac.compare_digest(authorization.encode(), f"Basic {proof}".encode())

    def _info(self) -> Json:
        return {
            "build": {"os": "Linux", "kernel": "", "machine": "", "options": "", "date": "", "user": ""},
            "system": {"version": VERSION, "entity_id": "00:00:00:00:00:00"},
            "config": {"name": "", "default_language": "en", "setid": {"user": "", "group": ""}},
            "status": {"startup_time": self._now(), "last_reload_time": self._now()},
        }

    def _pong(self) -> Json:
        return {"asterisk_id": "00:00:00:00:00:00", "ping": "pong", "timestamp": self._now()}

    def _endpoints(self) -> list[Json]:
        rows = self.board.rows("DeviceStateChange")
        return [_endpoint(row) for row in rows if row["Device"].startswith("PJSIP/")]

    def _device_states(self) -> list[Json]:
        return [{"name": row["Device"], "state": row["State"]} for row in self.board.rows("DeviceStateChange")]

    def _channels(self) -> list[Json]:
        return [_channel(row) for row in self.board.rows("CoreShowChannel")]


def _json(connection: ServerConnection, status: HTTPStatus, body: Json | list[Json]) -> Response:
    response = connection.respond(status, json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Basic realm="Asterisk REST Interface"'
    return response


def _endpoint(row: Row) -> Json:
    technology, _, resource = row["Device"].partition("/")
    state = "offline" if row["State"] in _OFFLINE else "online"
    return {"technology": technology, "resource": resource, "state": state, "channel_ids": []}


def _channel(row: Row) -> Json:
    return {
        "id": row["Uniqueid"],
        "name": row.get("Channel", ""),
        "state": _CHANNEL_STATES.get(row.get("ChannelState", ""), "Unknown"),
        "caller": {"number": row.get("CallerIDNum", ""), "name": row.get("CallerIDName", "")},
        "connected": {"number": row.get("ConnectedLineNum", ""), "name": row.get("ConnectedLineName", "")},
        "accountcode": row.get("AccountCode", ""),
        "dialplan": {"context": row.get("Context", ""), "exten": row.get("Exten", ""), "priority": 1},
        "language": row.get("Language", ""),
    }


def _event(frame: Frame) -> Json | None:
    if frame.event == "DeviceStateChange":
        device = {"name": frame["Device"], "state": frame["State"]}
        return {"type": "DeviceStateChanged", "device_state": device}
    if frame.event == "ContactStatus":
        status = {"uri": frame["URI"], "contact_status": frame["ContactStatus"], "aor": frame["AOR"]}
        state = "offline" if frame["ContactStatus"] in ("Removed", "Unreachable") else "online"
        whose: Json = {"technology": "PJSIP", "resource": frame["EndpointName"], "state": state, "channel_ids": []}
        return {"type": "ContactStatusChange", "contact_info": status, "endpoint": whose}
    return None
