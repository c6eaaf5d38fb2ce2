"""`translate(frame) -> Fact | None`: Asterisk's words into ours. One fact has one source; the rest is left alone."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.pbx.asterisk.naming import Site, endpoint_of, number_in

_FLAG: Final = re.compile(r"Custom:(DND|DEVDND|CF|DEVCF)(.+)")
_OFFLINE: Final = frozenset({"UNAVAILABLE", "INVALID"})
_PEER_ONLINE: Final = {"Registered": True, "Reachable": True, "Unregistered": False, "Unreachable": False}
_IVR: Final = frozenset({"Background", "BackGround", "Read", "WaitExten"})


class Translator:
    """Translates one node's frames in order: a frame without a Timestamp is dated by receipt or by the last one."""

    def __init__(self, site: Site, began_at: float = 0.0) -> None:
        self.site = site
        self._last = began_at
        self._skew = 0.0
        self._chunk: datetime | None = None
        self._told: Counter[str] = Counter()

    def __call__(self, frame: Frame) -> f.Fact | None:
        """The fact that an event tells, None if it tells nothing new; list answers are the snapshot's."""
        stamp = self._moment(frame)
        rule = _RULES.get(frame.event)
        if rule is None or "ActionID" in frame.headers:
            return None
        told = frame.headers.get("Timestamp") or repr(stamp)
        about = f"{frame['Uniqueid']}{frame['Device']}/{frame['DestUniqueid']}{frame['Queue']}"
        key = f"{told}/{frame.event}/{about}"
        fact = rule(self.site, frame, {"node": self.site.node, "at": moment(stamp), "key": key})
        return fact if fact is None or "Timestamp" in frame.headers else self._numbered(fact)

    def _numbered(self, fact: f.Fact) -> f.Fact:
        """Without a Timestamp a whole chunk has one moment: FreePBX sets a variable twice in it, or dials twice."""
        if fact.at != self._chunk:
            self._chunk, self._told = fact.at, Counter()
        self._told[fact.key] += 1
        again = self._told[fact.key] - 1
        return evolve(fact, key=f"{fact.key}/{again}") if again else fact

    @property
    def now(self) -> float:
        """The time of the last frame, epoch seconds."""
        return self._last

    def _moment(self, frame: Frame) -> float:
        """The PBX's clock; where it does not say, ours, corrected by how far the two were last apart."""
        told, received = frame.timestamp, frame.received_at or None
        if told is not None and received is not None:
            self._skew = told - received
        if told is None and received is not None:
            told = received + self._skew
        self._last = told or self._last
        return self._last


def moment(stamp: float) -> datetime:
    """Epoch seconds as an aware time in UTC."""
    return datetime.fromtimestamp(stamp, UTC)


# Channels that Asterisk makes for its own ends: listening in, announcing to a bridge, recording one.
INNER: Final = ("Snoop/", "Announcer/", "CBAnn/", "CBRec/", "Recorder/", "Message/")
Base = dict[str, Any]
Rule = Callable[[Site, Frame, Base], f.Fact | None]


def leg_started(site: Site, frame: Frame, base: Base) -> f.LegStarted:
    """Newchannel, or a CoreShowChannel of a snapshot."""
    endpoint = endpoint_of(frame["Channel"])
    trunk = site.is_trunk(endpoint, frame["Context"])
    return f.LegStarted(
        **base,
        leg=frame["Uniqueid"],
        linked=frame["Linkedid"] or frame["Uniqueid"],
        endpoint=endpoint,
        agent=None if trunk else site.agent(frame["Channel"]),
        number=site.number(frame["CallerIDNum"]),
        exten=site.number(frame["Exten"]) or frame["Exten"],
        trunk=trunk,
        local=endpoint.startswith("Local/"),
        incoming=frame["ChannelState"] != "0",
    )


def _new_leg(site: Site, frame: Frame, base: Base) -> f.Fact | None:
    return None if frame["Channel"].startswith(INNER) else leg_started(site, frame, base)


def _state(_: Site, frame: Frame, base: Base) -> f.Fact | None:
    base["key"] += frame["ChannelState"]
    kinds: dict[str, type[f.LegRang] | type[f.LegAnswered]] = {"5": f.LegRang, "6": f.LegAnswered}
    kind = kinds.get(frame["ChannelState"])
    return kind(**base, leg=frame["Uniqueid"]) if kind is not None else None


def _of_leg(kind: type[f.LegFact]) -> Rule:
    return lambda _, frame, base: kind(**base, leg=frame["Uniqueid"])


def _hangup(_: Site, frame: Frame, base: Base) -> f.Fact:
    cause, down = frame["Cause"], frame["ChannelState"] == "0"
    return f.LegEnded(**base, leg=frame["Uniqueid"], cause=int(cause) if cause.isdigit() else 0, unheard=down)


def _of_bridge(kind: type[f.BridgeEntered] | type[f.BridgeLeft]) -> Rule:
    return lambda _, frame, base: kind(**base, leg=frame["Uniqueid"], bridge=frame["BridgeUniqueid"])


def _local(_: Site, frame: Frame, base: Base) -> f.Fact:
    base["key"] += frame["LocalOneUniqueid"]
    return f.LocalJoined(**base, leg=frame["LocalOneUniqueid"], other=frame["LocalTwoUniqueid"])


def _dial(site: Site, frame: Frame, base: Base) -> f.Fact:
    number = site.number(number_in(frame["DialString"]) or frame["DestCallerIDNum"])
    person = site.person(number)
    return f.DialBegan(**base, leg=frame["Uniqueid"], dest=frame["DestUniqueid"], number=number, person=person)


def _step(site: Site, frame: Frame, base: Base) -> f.Fact | None:
    app, data = frame["Application"], frame["AppData"].split(",")[0]
    base["key"] += f"{app}{frame['Priority']}"
    leg = frame["Uniqueid"]
    if app == "Dial":
        targets = site.targets(data)
        names = [target.agent or target.number for target in targets]
        name = "&".join(dict.fromkeys(each for each in names if each)) or data
        return f.StepReached(**base, leg=leg, step=f.Step.DIAL, name=name, targets=targets)
    if app == "Queue":
        return f.StepReached(**base, leg=leg, step=f.Step.QUEUE, name=data)
    if app in _IVR:
        exten = frame["Extension"]
        return f.StepReached(**base, leg=leg, step=f.Step.IVR, name=frame["Context"] if exten == "s" else exten)
    return f.StepReached(**base, leg=leg, step=f.Step.VOICEMAIL, name=re.split("[&@]", data)[0])


def _variable(site: Site, frame: Frame, base: Base) -> f.Fact | None:
    base["key"] += f"{frame['Variable']}={frame['Value']}"
    if frame["Variable"] == "__EXTTOCALL":
        return f.ExtensionSought(**base, leg=frame["Uniqueid"], agent=site.agent(f"Local/{frame['Value']}"))
    if frame["Variable"] == "RingGroupMethod":
        group = f.StepReached(**base, leg=frame["Uniqueid"], step=f.Step.DIAL, name=frame["Exten"])
        return group if frame["Value"] else None
    if frame["Variable"] == "DIALSTATUS":
        return f.DialFinished(**base, leg=frame["Uniqueid"], status=frame["Value"])
    return f.QueueFinished(**base, leg=frame["Uniqueid"], status=frame["Value"])


def _of_queue(kind: type[f.CallQueued] | type[f.CallUnqueued]) -> Rule:
    return lambda _, frame, base: kind(**base, leg=frame["Uniqueid"], queue=frame["Queue"])


def _between(site: Site, frame: Frame, base: Base) -> Base:
    agent = site.member(frame["Interface"])
    return {**base, "leg": frame["Uniqueid"], "dest": frame["DestUniqueid"], "queue": frame["Queue"], "agent": agent}


def _of_member(kind: type[f.MemberFact]) -> Rule:
    return lambda site, frame, base: kind(**_between(site, frame, base))


def _completed(site: Site, frame: Frame, base: Base) -> f.Fact:
    return f.AgentCompleted(**_between(site, frame, base), reason=frame["Reason"])


def _blind(site: Site, frame: Frame, base: Base) -> f.Fact | None:
    if frame["Result"] != "Success":
        return None
    base["key"] += frame["TransfererUniqueid"]
    to = site.number(frame["Extension"]) or frame["Extension"]
    return f.TransferredBlind(**base, leg=frame["TransfererUniqueid"], to=to)


def _attended(_: Site, frame: Frame, base: Base) -> f.Fact | None:
    if frame["Result"] != "Success":
        return None
    leg = frame["OrigTransfererUniqueid"]
    base["key"] += leg
    second, target = frame["SecondTransfererUniqueid"], frame["TransferTargetUniqueid"]
    stays = frame["DestType"] == "Threeway"
    return f.TransferredAttended(**base, leg=leg, second=second, target=target, stays=stays)


def _pickup(_: Site, frame: Frame, base: Base) -> f.Fact:
    return f.LegPicked(**base, leg=frame["Uniqueid"], target=frame["TargetUniqueid"])


def _parked(_: Site, frame: Frame, base: Base) -> f.Fact:
    return f.CallParked(**base, leg=frame["ParkeeUniqueid"], space=frame["ParkingSpace"])


def member_interface(frame: Frame) -> str:
    """The member's interface, whose header differs by event and version."""
    return frame["Interface"] or frame["Location"] or frame["StateInterface"]


def seen_member(site: Site, frame: Frame) -> f.SeenMember:
    """QueueMember of QueueStatus, and QueueMemberAdded."""
    wrapup = frame["Wrapuptime"]
    return f.SeenMember(
        queue=frame["Queue"],
        agent=site.member(member_interface(frame)),
        paused=frame["Paused"] == "1",
        reason=frame["PausedReason"] or frame["LastPauseReason"] or None,
        wrapup=int(wrapup) if wrapup.isdigit() else 0,
    )


def _member_added(site: Site, frame: Frame, base: Base) -> f.Fact:
    seen = seen_member(site, frame)
    base["key"] += member_interface(frame)
    return f.MemberAdded(
        **base, agent=seen.agent, queue=seen.queue, paused=seen.paused, reason=seen.reason, wrapup=seen.wrapup
    )


def _member_removed(site: Site, frame: Frame, base: Base) -> f.Fact:
    base["key"] += member_interface(frame)
    return f.MemberRemoved(**base, agent=site.member(member_interface(frame)), queue=frame["Queue"])


def _member_paused(site: Site, frame: Frame, base: Base) -> f.Fact:
    base["key"] += member_interface(frame)
    return f.MemberPaused(
        **base,
        agent=site.member(member_interface(frame)),
        queue=frame["Queue"],
        paused=frame["Paused"] == "1",
        reason=frame["PausedReason"] or frame["Reason"] or None,
    )


def device_fact(site: Site, frame: Frame, base: Base) -> f.DeviceSeen | f.DndChanged | None:
    """A phone registered or not, or a flag of DND or call forward; None of what has no agent behind it."""
    device, state = frame["Device"], frame["State"]
    flag = _FLAG.fullmatch(device)
    if flag is not None:
        agent = site.agent(f"{flag[1]}/{flag[2]}")
        return f.DndChanged(**base, agent=agent, flag=flag[1], on=state == "BUSY") if agent else None
    if not device.startswith(("PJSIP/", "SIP/", "IAX2/", "SCCP/", "DAHDI/")) or device in site.trunks:
        return None
    agent = site.agent(device)
    return f.DeviceSeen(**base, agent=agent, endpoint=device, online=state not in _OFFLINE) if agent else None


def presence_fact(site: Site, frame: Frame, base: Base) -> f.PresenceChanged | None:
    """PresenceStateChange of a CustomPresence."""
    base["key"] += frame["Presentity"]
    agent = site.agent(frame["Presentity"].replace("CustomPresence:", "CustomPresence/"))
    if agent is None:
        return None
    return f.PresenceChanged(
        **base,
        agent=agent,
        status=frame["Status"] or frame["State"],
        subtype=frame["Subtype"] or None,
        message=frame["Message"] or None,
    )


def _peer(site: Site, frame: Frame, base: Base) -> f.Fact | None:
    """chan_sip's phones only: PJSIP's also change their device state, which is then the source."""
    peer, online = frame["Peer"], _PEER_ONLINE.get(frame["PeerStatus"])
    agent = site.agent(peer)
    if online is None or agent is None or peer.startswith("PJSIP/") or peer in site.trunks:
        return None
    base["key"] += peer
    return f.DeviceSeen(**base, agent=agent, endpoint=peer, online=online)


_RULES: Final[dict[str, Rule]] = {
    "Newchannel": _new_leg,
    "Newstate": _state,
    "Hangup": _hangup,
    "HangupRequest": _of_leg(f.HangupAsked),
    "SoftHangupRequest": _of_leg(f.HangupOrdered),
    "Hold": _of_leg(f.LegHeld),
    "Unhold": _of_leg(f.LegUnheld),
    "BridgeEnter": _of_bridge(f.BridgeEntered),
    "BridgeLeave": _of_bridge(f.BridgeLeft),
    "LocalBridge": _local,
    "DialBegin": _dial,
    "Newexten": _step,
    "VarSet": _variable,
    "QueueCallerJoin": _of_queue(f.CallQueued),
    "QueueCallerLeave": _of_queue(f.CallUnqueued),
    "AgentCalled": _of_member(f.AgentOffered),
    "AgentConnect": _of_member(f.AgentConnected),
    "AgentComplete": _completed,
    "AgentDump": _of_member(f.AgentDumped),
    "BlindTransfer": _blind,
    "AttendedTransfer": _attended,
    "Pickup": _pickup,
    "ParkedCall": _parked,
    "QueueMemberAdded": _member_added,
    "QueueMemberRemoved": _member_removed,
    "QueueMemberPause": _member_paused,
    "DeviceStateChange": device_fact,
    "PresenceStateChange": presence_fact,
    "PeerStatus": _peer,
}
