"""How Asterisk 22 speaks of channels, and the messages of one call as they come one after another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from pbxmonitor.simulator.wire import message

_STATES: Final = {"0": "Down", "4": "Ring", "5": "Ringing", "6": "Up"}
_PRIVILEGES: Final = {
    **dict.fromkeys(("QueueCallerJoin", "QueueCallerLeave", "AgentCalled", "AgentConnect", "AgentComplete"), "agent"),
    **dict.fromkeys(("QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause"), "agent"),
    **dict.fromkeys(("Newexten", "VarSet"), "dialplan"),
    "PeerStatus": "system",
}
# Between two messages of the same moment, microseconds.
_STEP: Final = 90
CAUSES: Final = {
    "0": "Unknown",
    "16": "Normal Clearing",
    "17": "User busy",
    "19": "User alerting, no answer",
    "21": "Call Rejected",
}
Headers = Mapping[str, str]


@dataclass(eq=False, kw_only=True)
class Channel:
    """One channel as it stands; state 4 is ringing in, 5 ringing out, 6 up."""

    name: str
    uniqueid: str
    linkedid: str
    state: str
    number: str
    context: str
    exten: str
    caller_name: str = "<unknown>"
    priority: str = "1"
    connected: str = "<unknown>"
    connected_name: str = "<unknown>"

    @property
    def bridge(self) -> str:
        """The id of the bridge that it is the first to enter."""
        return str(uuid5(NAMESPACE_OID, self.uniqueid))

    def headers(self, prefix: str = "") -> dict[str, str]:
        """The fourteen headers that describe it, each with that prefix (`Dest`)."""
        return {
            f"{prefix}Channel": self.name,
            f"{prefix}ChannelState": self.state,
            f"{prefix}ChannelStateDesc": _STATES[self.state],
            f"{prefix}CallerIDNum": self.number,
            f"{prefix}CallerIDName": self.caller_name,
            f"{prefix}ConnectedLineNum": self.connected,
            f"{prefix}ConnectedLineName": self.connected_name,
            f"{prefix}Language": "ru",
            f"{prefix}AccountCode": "",
            f"{prefix}Context": self.context,
            f"{prefix}Exten": self.exten,
            f"{prefix}Priority": self.priority,
            f"{prefix}Uniqueid": self.uniqueid,
            f"{prefix}Linkedid": self.linkedid,
        }


@dataclass(eq=False)
class Telling:
    """The messages of one happening: `now` in microseconds since 1970, moved on by each of them."""

    now: int
    serials: Iterator[int]
    told: list[tuple[int, bytes]] = field(default_factory=list)

    def until(self, moment: int) -> None:
        """Let time pass; never back."""
        self.now = max(self.now, moment)

    def say(self, event: str, *parts: Headers, **more: str) -> None:
        """One event with its envelope, dated now."""
        head = {
            "Event": event,
            "Privilege": f"{_PRIVILEGES.get(event, 'call')},all",
            "Timestamp": f"{self.now // 1_000_000}.{self.now % 1_000_000:06d}",
        }
        fields = head
        for part in (*parts, more):
            fields = {**fields, **part}
        self.told.append((self.now, message(fields)))
        self.now += _STEP

    def channel(
        self, endpoint: str, state: str, number: str, place: tuple[str, str], name: str = "<unknown>", linked: str = ""
    ) -> Channel:
        """A channel born now, at that context and extension; `linked` is the id of the first one of its call."""
        serial = next(self.serials)
        uniqueid = f"{self.now // 1_000_000}.{serial}"
        channel = Channel(
            name=f"{endpoint}-{serial:08x}",
            uniqueid=uniqueid,
            linkedid=linked or uniqueid,
            state=state,
            number=number,
            context=place[0],
            exten=place[1],
            caller_name=name,
        )
        self.say("Newchannel", channel.headers())
        return channel

    def becomes(self, channel: Channel, state: str) -> None:
        channel.state = state
        self.say("Newstate", channel.headers())

    def device(self, device: str, state: str) -> None:
        self.say("DeviceStateChange", Device=device, State=state)

    def hangs_up(self, channel: Channel, cause: str, tech: str = "") -> None:
        """The channel is gone; `tech` is the SIP answer, where there was one."""
        sip = {"TechCause": tech} if tech else {}
        self.say("Hangup", channel.headers(), {"Cause": cause, "Cause-txt": CAUSES[cause]}, sip)

    def asks(self, channel: Channel, cause: str = "16", tech: str = "") -> None:
        """The far end of that channel hangs up."""
        self.say("HangupRequest", channel.headers(), {"Cause": cause}, {"TechCause": tech} if tech else {})

    def orders(self, channel: Channel) -> None:
        """Asterisk itself hangs the channel up."""
        self.say("SoftHangupRequest", channel.headers(), Cause="16")

    def bridge(self, entering: str, bridge: str, channel: Channel, others: int) -> None:
        """`BridgeEnter` or `BridgeLeave`, with so many channels in the bridge afterwards."""
        told = {
            "BridgeUniqueid": bridge,
            "BridgeType": "basic",
            "BridgeTechnology": "simple_bridge",
            "BridgeCreator": "<unknown>",
            "BridgeName": "<unknown>",
            "BridgeNumChannels": str(others),
            "BridgeVideoSourceMode": "none",
        }
        self.say(entering, told, channel.headers())
