"""What ARI's event stream says, and the endpoints it speaks of: who is registered and who is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CONTACT_ONLINE = frozenset({"Reachable", "NonQualified", "Created", "Updated"})
CONTACT_OFFLINE = frozenset({"Unreachable", "Removed"})
PEER_ONLINE = frozenset({"Registered", "Reachable", "Lagged"})
PEER_OFFLINE = frozenset({"Unregistered", "Unreachable", "Rejected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointState:
    """An endpoint as `PJSIP/101`; `online` is None where Asterisk does not know (a peer that is not qualified)."""

    endpoint: str
    online: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSeen:
    """An endpoint came or went, at the PBX's own moment (None when the event has no timestamp)."""

    endpoint: str
    online: bool
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AriUp:
    """The stream is up; `presence` is how every endpoint was just after that, so nothing is missed in between."""

    at: datetime
    presence: tuple[EndpointState, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AriLost:
    """The stream broke; nothing is heard until the next AriUp."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AriEvent:
    """One event: its name, its own moment, and Asterisk's JSON as it came."""

    type: str
    at: datetime | None
    body: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def get(self, name: str, default: Any = None) -> Any:
        """A field of the body, or the default."""
        return self.body.get(name, default)


def to_event(body: object) -> AriEvent:
    """A decoded message as an event; ValueError when it is not one."""
    if not isinstance(body, dict) or not isinstance(body.get("type"), str):
        raise ValueError("an event is an object with a type")
    return AriEvent(body["type"], moment(body.get("timestamp")), body)


def moment(text: object) -> datetime | None:
    """Asterisk's `2026-11-23T07:34:00.022+0000` as an aware time; None for anything else."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def endpoint_seen(event: AriEvent) -> EndpointSeen | None:
    """Who came or went by ContactStatusChange, EndpointStateChange, PeerStatusChange; None when nobody."""
    endpoint = _object(event, "endpoint")
    technology, resource = endpoint.get("technology"), endpoint.get("resource")
    online = _online(event, endpoint)
    if online is None or not technology or not resource:
        return None
    return EndpointSeen(endpoint=f"{technology}/{resource}", online=online, at=event.at)


def _online(event: AriEvent, endpoint: Mapping[str, Any]) -> bool | None:
    match event.type:
        case "ContactStatusChange":
            online = _one_of(_object(event, "contact_info").get("contact_status"), CONTACT_ONLINE, CONTACT_OFFLINE)
            # One of several contacts went (or the old one, after a new registration): the endpoint is still there.
            return None if online is False and endpoint_online(endpoint.get("state")) else online
        case "PeerStatusChange":
            return _one_of(_object(event, "peer").get("peer_status"), PEER_ONLINE, PEER_OFFLINE)
        case "EndpointStateChange":
            return endpoint_online(endpoint.get("state"))
        case _:
            return None


def endpoint_online(state: object) -> bool | None:
    """ARI's `online` and `offline`; None for `unknown` and for none at all."""
    return {"online": True, "offline": False}.get(str(state))


def _one_of(status: object, yes: frozenset[str], no: frozenset[str]) -> bool | None:
    return True if status in yes else False if status in no else None


def _object(event: AriEvent, name: str) -> Mapping[str, Any]:
    value = event.body.get(name)
    return value if isinstance(value, Mapping) else {}
