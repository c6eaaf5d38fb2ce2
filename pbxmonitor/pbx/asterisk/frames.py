"""AMI bytes to frames: cut whatever the chunking, look at the event's name, decode only what is followed."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LINE_LIMIT = 256 * 1024
MESSAGE_LIMIT = 1024 * 1024

GREETING = b"Asterisk Call Manager/"
# a greeting inside a message: the connection before it was torn; no header value can hold the CR LF that follows
NEW_CONNECTION = re.compile(rb"Asterisk Call Manager/[^\r\n]*(?=\r?\n(?:Response: |Asterisk Call Manager/))")
MESSAGE_END = re.compile(rb"\n\r?\n")
COMMAND_END = b"--END COMMAND--"
HEADER = re.compile(r"([^:\n]+): ?([^\n]*)")


class FrameTooLong(Exception):
    """A line or a message over the limit; `messages` are the complete ones that came before it."""

    def __init__(self, reason: str, messages: list[bytes]) -> None:
        super().__init__(reason)
        self.messages = messages


@dataclass(slots=True)
class Frame:
    """One AMI message: an event, or a response (then `event` is empty).

    `headers` holds the first value of each header, `repeated` all values, in order, of those that came more than once
    (`ChanVariable`) and of `Output` always; `received_at` is the moment of receipt in epoch seconds.
    """

    event: str
    headers: dict[str, str]
    repeated: dict[str, tuple[str, ...]] | None
    received_at: float

    def __getitem__(self, header: str) -> str:
        """The header's first value; empty when the header is absent."""
        return self.headers.get(header, "")

    def values(self, header: str) -> tuple[str, ...]:
        """All values of the header, in order; none when it is absent."""
        if self.repeated is not None and header in self.repeated:
            return self.repeated[header]
        return (self.headers[header],) if header in self.headers else ()

    @property
    def timestamp(self) -> float | None:
        """Epoch seconds, microseconds kept, of the PBX clock (`timestampevents = yes`); None without it."""
        try:
            return float(self.headers["Timestamp"])
        except (KeyError, ValueError):
            return None


def _lowered(words: Iterable[str]) -> frozenset[bytes]:
    return frozenset(word.lower().encode() for word in words)


@dataclass(frozen=True, slots=True)
class Follows:
    """What is worth decoding: event names, and of Newexten and VarSet only these applications and variables.

    Responses are always followed. Applications are compared without regard to case (Background, BackGround).
    """

    events: frozenset[str]
    applications: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    variable_prefixes: tuple[str, ...] = ()
    everything: bool = False
    _events: frozenset[bytes] = field(init=False, repr=False)
    _applications: frozenset[bytes] = field(init=False, repr=False)
    _variables: frozenset[bytes] = field(init=False, repr=False)
    _prefixes: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_events", frozenset(name.encode() for name in self.events))
        object.__setattr__(self, "_applications", _lowered(self.applications))
        object.__setattr__(self, "_variables", frozenset(name.encode() for name in self.variables))
        object.__setattr__(self, "_prefixes", tuple(name.encode() for name in self.variable_prefixes))

    def wants(self, name: bytes, raw: bytes) -> bool:
        """Whether the event of that name is followed, looking no further into the message than it must."""
        if self.everything:
            return True
        if name == b"Newexten":
            return _value(raw, b"\nApplication: ").lower() in self._applications
        if name == b"VarSet":
            variable = _value(raw, b"\nVariable: ")
            return variable in self._variables or variable.startswith(self._prefixes)
        return name in self._events


EVERYTHING = Follows(frozenset(), everything=True)

FOLLOWED = Follows(
    events=frozenset(
        """
        Newchannel Newstate NewCallerid Rename Hangup HangupRequest SoftHangupRequest DialBegin DialEnd
        BridgeEnter BridgeLeave LocalBridge LocalOptimizationBegin LocalOptimizationEnd
        BlindTransfer AttendedTransfer Pickup Hold Unhold
        QueueCallerJoin QueueCallerLeave QueueCallerAbandon
        AgentCalled AgentConnect AgentComplete AgentDump AgentRingNoAnswer
        QueueMemberAdded QueueMemberRemoved QueueMemberPause QueueMemberStatus QueueMemberPenalty QueueMemberRinginuse
        DeviceStateChange PresenceStateChange ContactStatus PeerStatus
        ParkedCall UnParkedCall ParkedCallGiveUp ParkedCallTimeOut ParkedCallSwap
        ChanSpyStart ChanSpyStop OriginateResponse FullyBooted Shutdown Reload
        QueueParams QueueMember QueueEntry QueueStatusComplete
        DeviceStateListComplete PresenceStateListComplete
        CoreShowChannel CoreShowChannelsComplete
        ContactList ContactListComplete EndpointList EndpointListComplete PeerEntry PeerlistComplete
        BridgeListItem BridgeListComplete BridgeInfoChannel BridgeInfoComplete
        """.split()
    ),
    applications=frozenset({"Dial", "Queue", "Background", "Read", "WaitExten", "VoiceMail"}),
    variables=frozenset({"DIALSTATUS", "QUEUESTATUS"}),
    variable_prefixes=("PBXMONITOR_",),
)


def parse(raw: bytes, received_at: float, follows: Follows = FOLLOWED) -> Frame | None:
    """The frame in one complete message, or None for an event that is not followed (and is then not decoded)."""
    name = _event_name(raw)
    if name:
        if not follows.wants(name, raw):
            return None
    elif not raw.startswith(b"Response: ") and b"\nResponse: " not in raw:
        return None
    text = _text(raw)
    if not name and text.startswith("Response: Follows"):
        return _old_command(text, received_at)
    return _frame(name.decode("ascii", "replace"), text, received_at)


def _event_name(raw: bytes) -> bytes:
    if raw.startswith(b"Event: "):
        return raw[7 : raw.find(b"\n", 7)].rstrip() if b"\n" in raw else raw[7:].rstrip()
    return b"" if raw.startswith(b"Response: ") else _value(raw, b"\nEvent: ")


def _value(raw: bytes, start: bytes) -> bytes:
    at = raw.find(start)
    if at < 0:
        return b""
    at += len(start)
    end = raw.find(b"\n", at)
    return raw[at : None if end < 0 else end].rstrip(b"\r")


def _text(raw: bytes) -> str:
    """UTF-8, else Windows-1251 (its one unassigned byte replaced); whole messages only, so no character is ever cut."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("cp1251", "replace")
    return text.replace("\r\n", "\n")


def _frame(event: str, text: str, received_at: float) -> Frame:
    pairs: list[tuple[str, str]] = HEADER.findall(text)
    headers = dict(pairs)
    if len(headers) == len(pairs) and "Output" not in headers:
        return Frame(event, headers, None, received_at)
    return _repeating(event, pairs, received_at)


def _repeating(event: str, pairs: list[tuple[str, str]], received_at: float) -> Frame:
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    repeated = {key: tuple(all_) for key, all_ in values.items() if len(all_) > 1 or key == "Output"}
    return Frame(event, {key: all_[0] for key, all_ in values.items()}, repeated, received_at)


def _old_command(text: str, received_at: float) -> Frame:
    """`Response: Follows` (before Asterisk 14): headers, then bare output lines up to `--END COMMAND--`."""
    lines = text.split("\n")
    body = next((n for n, line in enumerate(lines) if not re.match(r"(Response|Privilege|ActionID): ", line)), len(lines))
    output = [line for line in lines[body:] if line.rstrip("\r") != "--END COMMAND--"]
    if output and output[-1].endswith("--END COMMAND--"):
        output[-1] = output[-1].removesuffix("--END COMMAND--")
    headers = dict(HEADER.findall("\n".join(lines[:body])))
    if output:
        headers["Output"] = output[0]
    return Frame("", headers, {"Output": tuple(output)}, received_at)
