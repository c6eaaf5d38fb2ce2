"""Each Asterisk event and the one fact it tells, in the spellings of 16 and 22."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.translate import Translator
from tests.domain.tapes import TAPES, frames_on

STAMP = "1795418555.479026"
SITE = Site(node="main")
BRIDGE = "95928ea6-7d95-411d-babd-1283b4f6b5e5"


def frame(event: str, received_at: float = 0.0, **headers: str) -> Frame:
    return Frame(event, dict(headers), None, received_at)


def told_at(site: Site, event: str, **headers: str) -> f.Fact | None:
    return Translator(site)(Frame(event, {"Timestamp": STAMP, **headers}, None, 0.0))


def told(event: str, **headers: str) -> f.Fact | None:
    return told_at(SITE, event, **headers)


def said(fact: f.Fact | None) -> dict[str, object]:
    """The fact's own words, without node, time and key."""
    assert fact is not None
    return {name: getattr(fact, name) for name in fact.__dataclass_fields__ if name not in ("node", "at", "key")}


def test_a_fact_is_dated_by_the_pbx_to_the_microsecond() -> None:
    fact = told("HangupRequest", Uniqueid="1.1")
    assert fact is not None
    assert (fact.node, fact.at) == ("main", datetime.fromtimestamp(1795418555, UTC) + timedelta(microseconds=479026))


def test_an_event_that_tells_nothing_new_is_no_fact() -> None:
    for event in ("DialEnd", "AgentRingNoAnswer", "QueueCallerAbandon", "RTCPSent", "QueueMemberStatus", "Rename"):
        assert told(event, Uniqueid="1.1") is None


def test_list_answers_are_the_snapshots() -> None:
    assert told("DeviceStateChange", ActionID="sync-1", Device="PJSIP/101", State="UNAVAILABLE") is None


NEW = {"Uniqueid": "1.1", "Linkedid": "1.1", "Exten": "1001", "CallerIDNum": "89161234501"}
WITHHELD = {**NEW, "CallerIDNum": "anonymous"}


def test_a_callers_channel_is_a_leg_of_a_trunk() -> None:
    fact = told("Newchannel", Channel="PJSIP/trunk-00000041", ChannelState="4", Context="from-trunk", **NEW)
    assert isinstance(fact, f.LegStarted)
    assert said(fact) == {
        "leg": "1.1",
        "linked": "1.1",
        "endpoint": "PJSIP/trunk",
        "agent": None,
        "number": "+79161234501",
        "exten": "1001",
        "trunk": True,
        "local": False,
        "incoming": True,
        "late": False,
    }


def test_a_withheld_callers_leg_has_no_number() -> None:
    fact = told(
        "Newchannel", Channel="PJSIP/trunk-00000041", Context="from-trunk", **{**NEW, "CallerIDNum": "anonymous"}
    )
    assert said(fact)["number"] is None


def test_a_phones_channel_is_its_agents_leg() -> None:
    headers = {"Uniqueid": "1.2", "Linkedid": "1.1", "CallerIDNum": "101", "Exten": "s", "Context": "from-internal"}
    fact = said(told("Newchannel", Channel="PJSIP/101-00000042", ChannelState="0", **headers))
    assert (fact["agent"], fact["trunk"], fact["incoming"], fact["linked"]) == ("101", False, False, "1.1")


def test_a_local_half_is_a_local_leg_of_its_agent() -> None:
    fact = said(told("Newchannel", Channel="Local/104@from-queue-00000003;1", Context="from-queue", **NEW))
    assert (fact["endpoint"], fact["agent"], fact["local"], fact["trunk"]) == (
        "Local/104@from-queue",
        "104",
        True,
        False,
    )


def test_an_outgoing_number_is_canonical_however_it_was_dialled() -> None:
    headers = {**NEW, "Exten": "89161234501", "CallerIDNum": "101"}
    fact = said(told("Newchannel", Channel="PJSIP/101-00000042", ChannelState="4", Context="from-internal", **headers))
    assert (fact["exten"], fact["number"]) == ("+79161234501", "101")


def test_settings_name_trunks_whose_context_does_not() -> None:
    site = Site(node="main", trunks=frozenset({"SIP/gateway"}))
    fact = said(told_at(site, "Newchannel", Channel="SIP/gateway-00000001", Context="default", **NEW))
    assert (fact["trunk"], fact["agent"]) == (True, None)


@pytest.mark.parametrize(("state", "kind"), [("5", f.LegRang), ("6", f.LegAnswered), ("4", None), ("0", None)])
def test_a_channels_state_tells_ringing_and_up(state: str, kind: type[f.Fact] | None) -> None:
    fact = told("Newstate", Uniqueid="1.2", ChannelState=state)
    assert (type(fact) if fact else None) is kind


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("HangupRequest", f.HangupAsked),
        ("SoftHangupRequest", f.HangupOrdered),
        ("Hold", f.LegHeld),
        ("Unhold", f.LegUnheld),
    ],
)
def test_what_happens_to_one_channel(event: str, kind: type[f.Fact]) -> None:
    fact = told(event, Uniqueid="1.2", Channel="PJSIP/101-00000042")
    assert type(fact) is kind
    assert said(fact) == {"leg": "1.2"}


def test_a_hangup_request_tells_the_same_with_the_cause_of_22_and_without_as_16() -> None:
    assert told("HangupRequest", Uniqueid="1.2", Cause="16") == told("HangupRequest", Uniqueid="1.2")


@pytest.mark.parametrize(("cause", "told_as"), [("17", 17), ("26", 26), ("0", 0), ("", 0), ("odd", 0)])
def test_a_hangup_has_its_cause(cause: str, told_as: int) -> None:
    assert said(told("Hangup", Uniqueid="1.2", Cause=cause)) == {"leg": "1.2", "cause": told_as, "unheard": False}


@pytest.mark.parametrize(("state", "unheard"), [("0", True), ("5", False), ("6", False), ("", False)])
def test_a_channel_that_was_still_down_was_never_heard(state: str, unheard: bool) -> None:
    assert said(told("Hangup", Uniqueid="1.2", Cause="0", ChannelState=state))["unheard"] is unheard


def test_a_hangup_tells_the_same_with_the_tech_cause_of_22_and_without_as_16() -> None:
    plain = told("Hangup", Uniqueid="1.2", Cause="21")
    assert told("Hangup", Uniqueid="1.2", Cause="21", TechCause="SIP 603 Decline") == plain


def test_bridges() -> None:
    entered = told("BridgeEnter", Uniqueid="1.2", BridgeUniqueid=BRIDGE)
    left = told("BridgeLeave", Uniqueid="1.2", BridgeUniqueid=BRIDGE)
    assert isinstance(entered, f.BridgeEntered)
    assert isinstance(left, f.BridgeLeft)
    assert said(left) == {"leg": "1.2", "bridge": BRIDGE}
    assert said(entered) == {"leg": "1.2", "bridge": BRIDGE, "late": False}


def test_two_halves_of_a_local_channel() -> None:
    fact = told("LocalBridge", LocalOneUniqueid="1.2", LocalTwoUniqueid="1.3")
    assert isinstance(fact, f.LocalJoined)
    assert said(fact) == {"leg": "1.2", "other": "1.3"}


@pytest.mark.parametrize(
    ("dial_string", "callee", "number"),
    [
        ("PJSIP/101", "101", "101"),
        ("+79161234501@trunk", "", "+79161234501"),
        ("trunk/89161234501", "89161234501", "+79161234501"),
        ("trunk/sip:89161234501@host", "", "+79161234501"),
        ("", "89161234501", "+79161234501"),
    ],
)
def test_a_dial_tells_whom_it_rings(dial_string: str, callee: str, number: str) -> None:
    fact = told("DialBegin", Uniqueid="1.1", DestUniqueid="1.2", DialString=dial_string, DestCallerIDNum=callee)
    assert said(fact) == {"leg": "1.1", "dest": "1.2", "number": number, "person": None}


def test_a_dial_by_the_pbx_itself_has_no_dialler() -> None:
    assert said(told("DialBegin", DestUniqueid="1.2", DestCallerIDNum="101"))["leg"] == ""


def test_a_dialled_mobile_is_the_person_whom_settings_name() -> None:
    site = Site(node="main", people={"+79990000001": "anna"})
    fact = said(told_at(site, "DialBegin", Uniqueid="1.1", DestUniqueid="1.2", DialString="89990000001@trunk"))
    assert (fact["number"], fact["person"]) == ("+79990000001", "anna")


def step(app: str, data: str, **headers: str) -> dict[str, object]:
    place = {"Context": "from-trunk", "Extension": "1001", "Priority": "2"}
    return said(told("Newexten", Uniqueid="1.1", Application=app, AppData=data, **{**place, **headers}))


def test_the_dialplan_comes_to_a_queue() -> None:
    assert step("Queue", "sales,tc,,,60") == {"leg": "1.1", "step": f.Step.QUEUE, "name": "sales", "targets": ()}


def test_the_dialplan_comes_to_a_dial() -> None:
    fact = step("Dial", "PJSIP/101&PJSIP/102,20,tT")
    assert (fact["step"], fact["name"]) == (f.Step.DIAL, "101&102")
    assert fact["targets"] == (f.Target(agent="101"), f.Target(agent="102"))


def test_the_dialplan_dials_out() -> None:
    fact = step("Dial", "PJSIP/89161234501@trunk,60")
    assert (fact["name"], fact["targets"]) == ("+79161234501", (f.Target(number="+79161234501"),))


@pytest.mark.parametrize("app", ["Background", "BackGround", "Read", "WaitExten"])
def test_the_dialplan_comes_to_a_menu_named_by_its_extension(app: str) -> None:
    assert step(app, "welcome", Extension="1010")["name"] == "1010"
    assert step(app, "welcome", Extension="s", Context="ivr-1") == {
        "leg": "1.1",
        "step": f.Step.IVR,
        "name": "ivr-1",
        "targets": (),
    }


@pytest.mark.parametrize("data", ["100@default,u", "100,su", "100@default&200@default,u"])
def test_the_dialplan_comes_to_a_voicemail_named_by_its_box(data: str) -> None:
    assert step("VoiceMail", data) == {"leg": "1.1", "step": f.Step.VOICEMAIL, "name": "100", "targets": ()}


def test_how_dial_and_queue_ended() -> None:
    dial = told("VarSet", Uniqueid="1.1", Variable="DIALSTATUS", Value="CHANUNAVAIL")
    queue = told("VarSet", Uniqueid="1.1", Variable="QUEUESTATUS", Value="TIMEOUT")
    assert isinstance(dial, f.DialFinished)
    assert isinstance(queue, f.QueueFinished)
    assert (dial.status, queue.status) == ("CHANUNAVAIL", "TIMEOUT")


@pytest.mark.parametrize(("value", "agent"), [("101", "101"), ("+79990000001", None), ("", None)])
def test_whose_extension_freepbx_is_at(value: str, agent: str | None) -> None:
    fact = told("VarSet", Uniqueid="1.1", Variable="__EXTTOCALL", Value=value)
    assert isinstance(fact, f.ExtensionSought)
    assert said(fact) == {"leg": "1.1", "agent": agent}


def test_freepbx_comes_to_a_ring_group_named_by_its_number() -> None:
    there = {"Uniqueid": "1.1", "Variable": "RingGroupMethod", "Context": "ext-group", "Exten": "600"}
    fact = told("VarSet", **there, Value="ringall")
    assert isinstance(fact, f.StepReached)
    assert said(fact) == {"leg": "1.1", "step": f.Step.DIAL, "name": "600", "targets": ()}
    assert told("VarSet", **there, Value="") is None


def test_the_caller_in_and_out_of_the_queue() -> None:
    joined = told("QueueCallerJoin", Uniqueid="1.1", Queue="sales", Position="1")
    left = told("QueueCallerLeave", Uniqueid="1.1", Queue="sales")
    assert isinstance(joined, f.CallQueued)
    assert isinstance(left, f.CallUnqueued)
    assert said(joined) == said(left) == {"leg": "1.1", "queue": "sales"}


MEMBER = {"Uniqueid": "1.1", "DestUniqueid": "1.2", "Queue": "sales", "Interface": "PJSIP/101", "MemberName": "Анна"}


@pytest.mark.parametrize(
    ("event", "kind"),
    [("AgentCalled", f.AgentOffered), ("AgentConnect", f.AgentConnected), ("AgentDump", f.AgentDumped)],
)
def test_what_is_between_a_caller_and_a_member(event: str, kind: type[f.Fact]) -> None:
    fact = told(event, **MEMBER)
    assert type(fact) is kind
    assert said(fact) == {"leg": "1.1", "dest": "1.2", "queue": "sales", "agent": "101"}


def test_a_freepbx_member_is_the_person() -> None:
    headers = {**MEMBER, "Interface": "Local/104@from-queue/n"}
    assert said(told("AgentCalled", **headers))["agent"] == "104"
    assert said(told_at(Site(node="main", people={"104": "anna"}), "AgentCalled", **headers))["agent"] == "anna"


@pytest.mark.parametrize("reason", ["agent", "caller", "transfer"])
def test_who_ended_a_queues_talk(reason: str) -> None:
    assert said(told("AgentComplete", Reason=reason, **MEMBER))["reason"] == reason


def test_after_a_transfer_16_tells_of_no_members_channel() -> None:
    headers = {name: value for name, value in MEMBER.items() if name != "DestUniqueid"}
    fact = said(told("AgentComplete", Reason="transfer", **headers))
    assert (fact["dest"], fact["agent"]) == ("", "101")


BLIND = {"TransfererUniqueid": "1.2", "TransfereeUniqueid": "1.1", "Context": "from-internal"}


def test_a_blind_transfer_that_succeeded() -> None:
    fact = told("BlindTransfer", Result="Success", Extension="102", **BLIND)
    assert isinstance(fact, f.TransferredBlind)
    assert said(fact) == {"leg": "1.2", "to": "102"}
    assert said(told("BlindTransfer", Result="Success", Extension="89161234501", **BLIND))["to"] == "+79161234501"


ATTENDED = {"OrigTransfererUniqueid": "1.2", "SecondTransfererUniqueid": "1.4", "TransfereeUniqueid": "1.1"}


def test_an_attended_transfer_names_its_target_where_asterisk_does() -> None:
    named = told("AttendedTransfer", Result="Success", TransferTargetUniqueid="1.5", **ATTENDED)
    unnamed = told("AttendedTransfer", Result="Success", **ATTENDED)
    assert isinstance(named, f.TransferredAttended)
    assert said(named) == {"leg": "1.2", "second": "1.4", "target": "1.5", "stays": False}
    assert said(unnamed) == {"leg": "1.2", "second": "1.4", "target": "", "stays": False}
    assert said(told("AttendedTransfer", Result="Success", DestType="Threeway", **ATTENDED))["stays"] is True


@pytest.mark.parametrize("result", ["Fail", "Invalid", "Not Permitted"])
def test_a_transfer_that_failed_is_none(result: str) -> None:
    assert told("BlindTransfer", Result=result, Extension="102", **BLIND) is None
    assert told("AttendedTransfer", Result=result, **ATTENDED) is None


def test_a_pickup_and_a_parking() -> None:
    assert said(told("Pickup", Uniqueid="1.9", TargetUniqueid="1.2")) == {"leg": "1.9", "target": "1.2"}
    assert said(told("ParkedCall", ParkeeUniqueid="1.1", ParkingSpace="701")) == {"leg": "1.1", "space": "701"}


IN_QUEUE = {"Queue": "sales", "Interface": "PJSIP/101", "StateInterface": "PJSIP/101", "MemberName": "Анна"}


def test_a_member_comes_and_goes() -> None:
    added = told("QueueMemberAdded", Paused="0", PausedReason="", Wrapuptime="15", **IN_QUEUE)
    assert isinstance(added, f.MemberAdded)
    assert said(added) == {"agent": "101", "queue": "sales", "paused": False, "reason": None, "wrapup": 15}
    removed = told("QueueMemberRemoved", **IN_QUEUE)
    assert isinstance(removed, f.MemberRemoved)
    assert said(removed) == {"agent": "101", "queue": "sales"}


@pytest.mark.parametrize(
    "reason", [{"PausedReason": "lunch"}, {"PausedReason": "lunch", "Reason": "lunch"}, {"Reason": "lunch"}]
)
def test_a_pause_has_its_reason_in_the_words_of_either_version(reason: tuple[str, ...]) -> None:
    fact = told("QueueMemberPause", Paused="1", **IN_QUEUE, **dict.fromkeys(reason, "lunch"))
    assert isinstance(fact, f.MemberPaused)
    assert said(fact) == {"agent": "101", "queue": "sales", "paused": True, "reason": "lunch"}


def test_an_unpaused_freepbx_member() -> None:
    headers = {"Queue": "fpbx", "Interface": "Local/104@from-queue/n", "StateInterface": "hint:104@ext-local"}
    fact = told("QueueMemberPause", Paused="0", PausedReason="", **headers)
    assert said(fact) == {"agent": "104", "queue": "fpbx", "paused": False, "reason": None}


@pytest.mark.parametrize(
    ("state", "online"),
    [
        ("UNAVAILABLE", False),
        ("INVALID", False),
        ("NOT_INUSE", True),
        ("INUSE", True),
        ("RINGING", True),
        ("BUSY", True),
    ],
)
def test_a_phones_state_tells_whether_it_is_there(state: str, online: bool) -> None:
    fact = told("DeviceStateChange", Device="PJSIP/101", State=state)
    assert isinstance(fact, f.DeviceSeen)
    assert said(fact) == {"agent": "101", "endpoint": "PJSIP/101", "online": online}


@pytest.mark.parametrize("flag", ["DND", "DEVDND", "CF", "DEVCF"])
def test_a_flag_of_dnd_or_forwarding_goes_up_and_down(flag: str) -> None:
    up = told("DeviceStateChange", Device=f"Custom:{flag}104", State="BUSY")
    down = told("DeviceStateChange", Device=f"Custom:{flag}104", State="NOT_INUSE")
    assert isinstance(up, f.DndChanged)
    assert said(up) == {"agent": "104", "flag": flag, "on": True}
    assert said(down) == {"agent": "104", "flag": flag, "on": False}


@pytest.mark.parametrize(
    "device", ["Queue:sales", "PJSIP/trunk", "Custom:DAYNIGHT1", "MWI:100@default", "Local/104@from-queue"]
)
def test_other_devices_tell_of_no_agent(device: str) -> None:
    site = Site(node="main", trunks=frozenset({"PJSIP/trunk"}))
    assert told_at(site, "DeviceStateChange", Device=device, State="UNAVAILABLE") is None


def test_a_presence_has_its_subtype_and_message() -> None:
    fact = told("PresenceStateChange", Presentity="CustomPresence:104", Status="dnd", Subtype="lunch", Message="Обед")
    assert isinstance(fact, f.PresenceChanged)
    assert said(fact) == {"agent": "104", "status": "dnd", "subtype": "lunch", "message": "Обед"}
    plain = told("PresenceStateChange", Presentity="CustomPresence:104", Status="available", Subtype="", Message="")
    assert said(plain) == {"agent": "104", "status": "available", "subtype": None, "message": None}


@pytest.mark.parametrize(
    ("status", "online"), [("Registered", True), ("Reachable", True), ("Unregistered", False), ("Unreachable", False)]
)
def test_a_chan_sip_peer_tells_by_its_own_event(status: str, online: bool) -> None:
    fact = told("PeerStatus", ChannelType="SIP", Peer="SIP/101", PeerStatus=status)
    assert said(fact) == {"agent": "101", "endpoint": "SIP/101", "online": online}


def test_a_pjsip_phone_has_one_source() -> None:
    assert told("PeerStatus", ChannelType="PJSIP", Peer="PJSIP/101", PeerStatus="Unreachable") is None
    assert told("PeerStatus", ChannelType="SIP", Peer="SIP/101", PeerStatus="Lagged") is None


# time


def test_without_a_timestamp_the_receipt_counts_corrected_by_the_last_known_difference() -> None:
    translate = Translator(SITE)
    first = translate(frame("HangupRequest", 1000.0, Timestamp="1002.5", Uniqueid="1.1"))
    second = translate(frame("HangupRequest", 1004.0, Uniqueid="1.2"))
    assert first is not None
    assert second is not None
    assert (second.at - first.at).total_seconds() == 4


def test_without_timestamps_at_all_the_receipt_is_the_time() -> None:
    fact = Translator(SITE)(frame("HangupRequest", 1004.25, Uniqueid="1.2"))
    assert fact is not None
    assert fact.at == datetime.fromtimestamp(1004.25, UTC)


def test_the_same_event_told_again_has_the_same_key_and_another_has_another() -> None:
    one, again = told("Newstate", Uniqueid="1.2", ChannelState="5"), told("Newstate", Uniqueid="1.2", ChannelState="5")
    other = told("Newstate", Uniqueid="1.3", ChannelState="5")
    assert one is not None
    assert one == again
    assert other is not None
    assert other.key != one.key


def named(tape: Path) -> str:
    return f"{tape.parent.name}-{tape.stem}"


@pytest.mark.parametrize("tape", TAPES, ids=named)
def test_facts_of_one_chunk_never_share_a_key(tape: Path) -> None:
    """Without timestampevents a whole chunk has one moment of receipt; here, a chunk of 50 ms."""
    translate, keys, count = Translator(SITE), set[str](), 0
    for each in frames_on(tape):
        headers = {name: value for name, value in each.headers.items() if name != "Timestamp"}
        received_at = round((each.timestamp or 0.0) * 20) / 20
        fact = translate(Frame(each.event, headers, None, received_at)) if each.timestamp else None
        if fact is not None:
            keys.add(fact.key)
            count += 1
    assert len(keys) == count >= 4


def test_ringing_and_answering_in_one_chunk_are_two_facts() -> None:
    translate = Translator(SITE)
    rang, answered = (translate(frame("Newstate", 1004.25, Uniqueid="1.2", ChannelState=state)) for state in ("5", "6"))
    assert rang is not None
    assert answered is not None
    assert rang.key != answered.key
