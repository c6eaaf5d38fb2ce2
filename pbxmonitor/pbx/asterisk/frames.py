"""AMI as bytes: where a message ends, whether we follow it, and only then its text. No sockets here."""

from collections.abc import Callable, Mapping
from typing import Final

MAX_MESSAGE: Final = 512 * 1024
_GREETING: Final = b"Asterisk Call Manager/"


class FrameTooLongError(ValueError):
    """The other side sent a message beyond all measure: it is no Asterisk, or it is broken."""


class Frame:
    """One message: `event` ("" of a response), its headers, and all values of those that occur more than once."""

    __slots__ = ("event", "headers", "received_at", "repeated")

    def __init__(
        self, event: str, headers: dict[str, str], repeated: Mapping[str, tuple[str, ...]], received_at: float | None
    ) -> None:
        self.event = event
        self.headers = headers
        self.repeated = repeated
        self.received_at = received_at

    def __getitem__(self, header: str) -> str:
        """The header's (first) value, "" where it is absent."""
        return self.headers.get(header, "")

    def __repr__(self) -> str:
        return f"Frame({self.event or self['Response']!r}, {self['Timestamp'] or self.received_at})"

    @property
    def timestamp(self) -> float | None:
        """The PBX's own time of the event, epoch seconds with microseconds (`timestampevents = yes`)."""
        value = self.headers.get("Timestamp")
        try:
            return float(value) if value else None
        except ValueError:
            return None


class Cutter:
    """Cuts a stream into messages, however it arrives in pieces."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit = limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by this piece, without their blank line; raises FrameTooLongError."""
        data = self._rest + data if self._rest else data
        if b"\r\n\n" in data:
            data = data.replace(b"\r\n\n", b"\r\n\r\n")
        *whole, rest = data.split(b"\r\n\r\n")
        if len(rest) > self._limit or any(len(each) > self._limit for each in whole):
            self._rest = b""
            raise FrameTooLongError(f"AMI message longer than {self._limit} bytes: is this port an Asterisk manager?")
        self._rest = rest
        return [each for each in map(_trimmed, whole) if each]


def _trimmed(raw: bytes) -> bytes:
    """Without blank lines and the greeting line that stands glued before the first message of a connection."""
    raw = raw.strip(b"\r\n")
    if raw.startswith(_GREETING):
        _, _, raw = raw.partition(b"\r\n")
        raw = raw.strip(b"\r\n")
    return raw


def event_of(raw: bytes) -> bytes | None:
    """The event's name as bytes; None of a response."""
    if raw.startswith(b"Event: "):
        end = raw.find(b"\r\n")
        return raw[7:] if end < 0 else raw[7:end]
    at = raw.find(b"\r\nEvent: ")
    if at < 0 or raw.startswith(b"Response: "):
        return None
    return raw[at + 9 :].split(b"\r\n", 1)[0]


def _value_in(header: bytes, values: frozenset[bytes]) -> Callable[[bytes], bool]:
    mark = b"\r\n" + header + b": "

    def wanted(raw: bytes) -> bool:
        at = raw.find(mark)
        return at >= 0 and raw[at + len(mark) :].split(b"\r\n", 1)[0] in values

    return wanted


_CALL_EVENTS: Final = (
    "Newchannel Newstate Hangup HangupRequest SoftHangupRequest DialBegin BridgeEnter BridgeLeave LocalBridge"
    " BlindTransfer AttendedTransfer Pickup Hold Unhold QueueCallerJoin QueueCallerLeave AgentCalled AgentConnect"
    " AgentComplete AgentDump ParkedCall"
)
_AGENT_EVENTS: Final = (
    "QueueMemberAdded QueueMemberRemoved QueueMemberPause DeviceStateChange PresenceStateChange PeerStatus"
)
_LIST_EVENTS: Final = (
    "QueueMember QueueStatusComplete DeviceStateListComplete PresenceStateListComplete CoreShowChannel"
    " CoreShowChannelsComplete"
)
_LINK_EVENTS: Final = "FullyBooted Shutdown OriginateResponse"
STEPS: Final = frozenset(
    {b"Dial", b"Queue", b"Background", b"BackGround", b"Read", b"WaitExten", b"VoiceMail", b"Voicemail"}
)
VARIABLES: Final = frozenset({b"DIALSTATUS", b"QUEUESTATUS"})

# What we follow, by name; of some events only those that pass a look at their bytes.
FOLLOWED: Final[dict[bytes, Callable[[bytes], bool] | None]] = {
    **{name.encode(): None for name in f"{_CALL_EVENTS} {_AGENT_EVENTS} {_LIST_EVENTS} {_LINK_EVENTS}".split()},
    b"Newexten": _value_in(b"Application", STEPS),
    b"VarSet": _value_in(b"Variable", VARIABLES),
    b"Newstate": _value_in(b"ChannelState", frozenset({b"5", b"6"})),
}


def followed(raw: bytes) -> bool:
    """Whether anybody here reads that message; every response is read."""
    name = event_of(raw)
    if name is None:
        return True
    if name not in FOLLOWED:
        return False
    test = FOLLOWED[name]
    return test is None or test(raw)


def decoded(raw: bytes) -> str:
    """The message as text: UTF-8, or Windows-1251 where a PBX was set up with that."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1251", "replace")


def parse(raw: bytes, received_at: float | None = None) -> Frame | None:
    """The frame of a message that we follow, else None: of the others nothing is decoded."""
    return frame(raw, received_at) if followed(raw) else None


def frame(raw: bytes, received_at: float | None = None) -> Frame:
    """The frame of any message."""
    headers: dict[str, str] = {}
    repeated: dict[str, tuple[str, ...]] = {}
    for line in decoded(raw).split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            name, value = "Output", line
        value = value.strip()
        if name in headers:
            repeated[name] = (*repeated.get(name, (headers[name],)), value)
        else:
            headers[name] = value
    return Frame(headers.get("Event", ""), headers, repeated, received_at)
