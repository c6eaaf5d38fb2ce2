"""Who is registered and who is not, by what ARI says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from pbxmonitor.pbx.asterisk.ari_presence import (
    AriEvent,
    EndpointSeen,
    endpoint_online,
    endpoint_seen,
    moment,
    to_event,
)

AT = datetime(2026, 11, 23, 7, 34, 0, 22000, tzinfo=UTC)


def event(kind: str, state: str | None = None, **fields: Any) -> AriEvent:
    endpoint = {"technology": "PJSIP", "resource": "101", "channel_ids": []} | ({"state": state} if state else {})
    return to_event({"type": kind, "timestamp": "2026-11-23T07:34:00.022+0000", "endpoint": endpoint} | fields)


def contact(status: str, state: str | None = None) -> AriEvent:
    info = {"uri": "sip:101@10.0.0.7:5060", "contact_status": status, "aor": "101", "roundtrip_usec": "611"}
    return event("ContactStatusChange", state, contact_info=info)


@pytest.mark.parametrize("status", ["Reachable", "NonQualified", "Created", "Updated"])
def test_a_contact_that_can_be_reached_brings_its_endpoint_online(status: str) -> None:
    assert endpoint_seen(contact(status, "offline")) == EndpointSeen(endpoint="PJSIP/101", online=True, at=AT)


@pytest.mark.parametrize("status", ["Unreachable", "Removed"])
@pytest.mark.parametrize("state", ["offline", "unknown", None])
def test_a_contact_that_went_takes_its_endpoint_offline(status: str, state: str | None) -> None:
    assert endpoint_seen(contact(status, state)) == EndpointSeen(endpoint="PJSIP/101", online=False, at=AT)


@pytest.mark.parametrize("status", ["Unreachable", "Removed"])
def test_a_contact_that_went_while_another_one_answers_takes_nobody_offline(status: str) -> None:
    assert endpoint_seen(contact(status, "online")) is None


@pytest.mark.parametrize(("state", "online"), [("online", True), ("offline", False)])
def test_an_endpoint_is_as_its_state_says(state: str, online: bool) -> None:
    seen = endpoint_seen(event("EndpointStateChange", state))
    assert seen == EndpointSeen(endpoint="PJSIP/101", online=online, at=AT)


@pytest.mark.parametrize(
    ("status", "online"),
    [("Registered", True), ("Reachable", True), ("Lagged", True), ("Unregistered", False), ("Unreachable", False)],
)
def test_a_peer_is_as_its_status_says(status: str, online: bool) -> None:
    seen = endpoint_seen(event("PeerStatusChange", "unknown", peer={"peer_status": status}))
    assert seen == EndpointSeen(endpoint="PJSIP/101", online=online, at=AT)


# As Asterisk 22.10.1 sent it: the phone of 104 leaves and registers again.
LEAVES_AND_RETURNS = (
    """{"type":"PeerStatusChange","timestamp":"2026-11-23T11:50:28.253+0000","endpoint":{"technology":"PJSIP",
    "resource":"104","state":"offline","channel_ids":[]},"peer":{"peer_status":"Unreachable"},"application":"x"}""",
    """{"type":"DeviceStateChanged","application":"x","timestamp":"2026-11-23T11:50:28.253+0000",
    "device_state":{"name":"PJSIP/104","state":"UNAVAILABLE"}}""",
    """{"type":"ContactStatusChange","timestamp":"2026-11-23T11:50:28.253+0000","endpoint":{"technology":"PJSIP",
    "resource":"104","state":"offline","channel_ids":[]},"contact_info":{"uri":"sip:104@127.0.0.1:5070",
    "contact_status":"Removed","aor":"104","roundtrip_usec":"0"},"application":"x"}""",
    """{"type":"ContactStatusChange","timestamp":"2026-11-23T11:50:46.268+0000","endpoint":{"technology":"PJSIP",
    "resource":"104","state":"offline","channel_ids":[]},"contact_info":{"uri":"sip:104@127.0.0.1:5070",
    "contact_status":"NonQualified","aor":"104","roundtrip_usec":"0"},"application":"x"}""",
    """{"type":"PeerStatusChange","timestamp":"2026-11-23T11:50:46.269+0000","endpoint":{"technology":"PJSIP",
    "resource":"104","state":"online","channel_ids":[]},"peer":{"peer_status":"Reachable"},"application":"x"}""",
    """{"type":"ContactStatusChange","timestamp":"2026-11-23T11:50:46.269+0000","endpoint":{"technology":"PJSIP",
    "resource":"104","state":"online","channel_ids":[]},"contact_info":{"uri":"sip:104@127.0.0.1:5070",
    "contact_status":"Reachable","aor":"104","roundtrip_usec":"2086"},"application":"x"}""",
)


def test_a_real_phone_that_leaves_and_returns_is_seen_to_do_so() -> None:
    seen = [endpoint_seen(to_event(json.loads(text))) for text in LEAVES_AND_RETURNS]
    assert [(one.endpoint, one.online) if one else None for one in seen] == [
        ("PJSIP/104", False),
        None,
        ("PJSIP/104", False),
        ("PJSIP/104", True),
        ("PJSIP/104", True),
        ("PJSIP/104", True),
    ]


@pytest.mark.parametrize(
    "other",
    [
        event("EndpointStateChange", "unknown"),
        event("EndpointStateChange"),
        event("PeerStatusChange", peer={"peer_status": "Unknown"}),
        event("PeerStatusChange", peer="Registered"),
        event("ContactStatusChange"),
        to_event({"type": "EndpointStateChange", "endpoint": None}),
        to_event({"type": "EndpointStateChange", "endpoint": {"technology": "PJSIP", "state": "online"}}),
        to_event({"type": "DeviceStateChanged", "device_state": {"name": "PJSIP/101", "state": "UNAVAILABLE"}}),
        to_event({"type": "StasisStart", "channel": {}}),
    ],
)
def test_nobody_came_or_went_by_any_other_event(other: AriEvent) -> None:
    assert endpoint_seen(other) is None


def test_an_event_is_read_like_a_dictionary() -> None:
    heard = event("EndpointStateChange", "online")
    assert heard["endpoint"]["resource"] == "101"
    assert heard.get("nothing", "-") == "-"


@pytest.mark.parametrize("body", [None, [], "text", 7, {}, {"type": None}, {"type": 5}])
def test_what_has_no_type_is_not_an_event(body: object) -> None:
    with pytest.raises(ValueError, match="an event is an object with a type"):
        to_event(body)


def test_the_event_has_the_moment_of_the_pbx_whatever_its_zone() -> None:
    assert moment("2026-11-23T10:34:00.022+0300") == AT


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-11-23T07:34:00.022", 5])
def test_a_moment_without_a_zone_is_no_moment(text: object) -> None:
    assert moment(text) is None


def test_an_endpoint_that_asterisk_does_not_watch_is_neither_online_nor_offline() -> None:
    assert [endpoint_online(state) for state in ("online", "offline", "unknown", None)] == [True, False, None, None]
