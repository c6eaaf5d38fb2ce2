"""List answers into snapshots: told apart by ActionID, and complete or not at all."""

from datetime import UTC, datetime

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.snapshot import SnapshotReader

NOW = datetime(2026, 11, 23, 9, 51, 4, 355646, tzinfo=UTC)
SECOND = int(NOW.timestamp())
SITE = Site(node="main")


def item(event: str, action: str = "snapshot-1", **headers: str) -> Frame:
    return Frame(event, {"ActionID": action, **headers}, None, 0.0)


def end(event: str, action: str = "snapshot-1", event_list: str = "Complete") -> Frame:
    return item(event, action, EventList=event_list)


def read(*frames: Frame, site: Site = SITE) -> f.Snapshot | None:
    """The last frame's answer; the ones before complete nothing."""
    reader = SnapshotReader(site)
    *before, last = frames
    assert [reader.take(frame, NOW) for frame in before] == [None] * len(before)
    return reader.take(last, NOW)


def member(queue: str = "sales", interface: str = "PJSIP/101", action: str = "snapshot-1", **headers: str) -> Frame:
    usual = {"Queue": queue, "Location": interface, "Paused": "0", "PausedReason": "", "Wrapuptime": "10"}
    return item("QueueMember", action, **{**usual, **headers})


def test_members_of_queues() -> None:
    snapshot = read(
        item("QueueParams", Queue="sales"),
        member(),
        member("fpbx", "Local/104@from-queue/n", Paused="1", PausedReason="lunch"),
        end("QueueStatusComplete"),
    )
    assert snapshot is not None
    assert (snapshot.node, snapshot.at, snapshot.legs, snapshot.flags) == ("main", NOW, None, None)
    assert snapshot.members == (
        f.SeenMember(queue="sales", agent="101", paused=False, reason=None, wrapup=10),
        f.SeenMember(queue="fpbx", agent="104", paused=True, reason="lunch", wrapup=10),
    )


def test_an_empty_list_is_complete_too() -> None:
    snapshot = read(end("CoreShowChannelsComplete"))
    assert snapshot is not None
    assert (snapshot.legs, snapshot.members) == ((), None)


def test_a_list_that_was_cancelled_is_no_snapshot() -> None:
    assert read(member(), end("QueueStatusComplete", event_list="cancelled")) is None
    assert read(member(), end("QueueStatusComplete", event_list="Cancelled")) is None


def test_two_lists_at_once_are_told_apart_by_their_action() -> None:
    reader = SnapshotReader(SITE)
    for frame in (member(action="a"), member("support", "PJSIP/102", action="b"), member("sales", "PJSIP/103", "a")):
        assert reader.take(frame, NOW) is None
    first, second = reader.take(end("QueueStatusComplete", "b"), NOW), reader.take(end("QueueStatusComplete", "a"), NOW)
    assert first is not None
    assert second is not None
    assert [m.agent for m in first.members or ()] == ["102"]
    assert [m.agent for m in second.members or ()] == ["101", "103"]


def test_a_list_read_is_forgotten() -> None:
    reader = SnapshotReader(SITE)
    reader.take(member(), NOW)
    reader.take(end("QueueStatusComplete"), NOW)
    again = reader.take(end("QueueStatusComplete"), NOW)
    assert again is not None
    assert again.members == ()


def test_live_events_are_not_collected() -> None:
    live = Frame("DeviceStateChange", {"Device": "PJSIP/101", "State": "INUSE"}, None, 0.0)
    assert SnapshotReader(SITE).take(live, NOW) is None
    snapshot = read(live, end("DeviceStateListComplete"))
    assert snapshot is not None
    assert snapshot.devices == ()


def test_phones_and_flags() -> None:
    snapshot = read(
        item("DeviceStateChange", Device="PJSIP/101", State="UNAVAILABLE"),
        item("DeviceStateChange", Device="PJSIP/102", State="NOT_INUSE"),
        item("DeviceStateChange", Device="Queue:sales", State="NOT_INUSE"),
        item("DeviceStateChange", Device="Custom:DND104", State="BUSY"),
        item("DeviceStateChange", Device="Custom:DEVDND104", State="NOT_INUSE"),
        end("DeviceStateListComplete"),
    )
    assert snapshot is not None
    assert [(d.agent, d.endpoint, d.online) for d in snapshot.devices] == [
        ("101", "PJSIP/101", False),
        ("102", "PJSIP/102", True),
    ]
    assert [(d.agent, d.flag, d.on) for d in snapshot.flags or ()] == [("104", "DND", True), ("104", "DEVDND", False)]
    keys = {fact.key for fact in (*snapshot.devices, *(snapshot.flags or ()))}
    assert len(keys) == 4


def test_presences() -> None:
    snapshot = read(
        item("PresenceStateChange", Presentity="CustomPresence:104", Status="dnd", Subtype="lunch", Message="Обед"),
        item("PresenceStateChange", Presentity="CustomPresence:door", Status="dnd"),
        end("PresenceStateListComplete"),
    )
    assert snapshot is not None
    assert [(p.agent, p.status, p.subtype, p.message) for p in snapshot.presences] == [("104", "dnd", "lunch", "Обед")]


def channel(uniqueid: str, name: str, linked: str = f"{SECOND - 30}.1", **headers: str) -> Frame:
    usual = {"Uniqueid": uniqueid, "Channel": name, "Linkedid": linked, "ChannelState": "6", "Context": "from-internal"}
    return item("CoreShowChannel", **{**usual, **headers})


CALLER, PHONE = f"{SECOND - 30}.1", f"{SECOND - 28}.2"


def in_talk() -> f.Snapshot:
    caller = {"Context": "from-trunk", "CallerIDNum": "89161234501", "Exten": "1001", "BridgeId": "b-1"}
    snapshot = read(
        channel(CALLER, "PJSIP/trunk-00000001", **caller),
        channel(PHONE, "PJSIP/101-00000002", CallerIDNum="101", Exten="s", BridgeId="b-1"),
        channel(f"{SECOND}.3", "PJSIP/102-00000003", ChannelState="5", CallerIDNum="102", BridgeId=""),
        end("CoreShowChannelsComplete"),
    )
    assert snapshot is not None
    return snapshot


def test_channels_their_bridges_and_who_has_answered() -> None:
    snapshot = in_talk()
    assert [leg.leg for leg in snapshot.legs or ()] == [CALLER, PHONE, f"{SECOND}.3"]
    assert snapshot.answered == {CALLER, PHONE}
    assert snapshot.bridges == ((CALLER, "b-1"), (PHONE, "b-1"))


def test_a_channel_is_as_old_as_its_uniqueid() -> None:
    born = [leg.at for leg in in_talk().legs or ()]
    assert born == [datetime.fromtimestamp(SECOND - ago, UTC) for ago in (30, 28, 0)]


@pytest.mark.parametrize("uniqueid", [f"{SECOND + 5}.9", "odd", ""])
def test_a_channel_is_never_younger_than_the_list(uniqueid: str) -> None:
    snapshot = read(channel(uniqueid, "PJSIP/101-00000002"), end("CoreShowChannelsComplete"))
    assert snapshot is not None
    assert [leg.at for leg in snapshot.legs or ()] == [NOW]


def test_a_uniqueid_may_begin_with_the_systems_name() -> None:
    snapshot = read(channel(f"pbx-1-{SECOND - 9}.9", "PJSIP/101-00000002"), end("CoreShowChannelsComplete"))
    assert snapshot is not None
    assert [leg.at for leg in snapshot.legs or ()] == [datetime.fromtimestamp(SECOND - 9, UTC)]


def test_a_talk_found_in_mid_call_is_followed() -> None:
    floor, _ = play(Floor(node="main"), (in_talk(),))
    (call,) = floor.open_calls()
    assert (call.key, call.direction, call.caller, call.called) == (CALLER, "inbound", "+79161234501", "1001")
    assert [talk.agent for talk in call.talks] == ["101"]


def test_a_talk_through_a_local_member_found_in_mid_call_is_followed() -> None:
    """FreePBX: caller - bridge - Local;1, Local;2 - bridge - phone."""
    caller = {"Context": "from-trunk", "CallerIDNum": "89161234501", "Exten": "1001", "BridgeId": "near"}
    snapshot = read(
        channel(CALLER, "PJSIP/trunk-00000001", **caller),
        channel(f"{SECOND - 28}.2", "Local/104@from-queue-00000003;1", BridgeId="near", Exten="104"),
        channel(f"{SECOND - 28}.3", "Local/104@from-queue-00000003;2", BridgeId="far", Exten="104"),
        channel(f"{SECOND - 28}.4", "PJSIP/104-00000004", BridgeId="far", CallerIDNum="104"),
        end("CoreShowChannelsComplete"),
    )
    assert snapshot is not None
    floor, _ = play(Floor(node="main"), (snapshot,))
    assert [talk.agent for call in floor.open_calls() for talk in call.talks] == ["104"]
