"""AMI bytes to frames: cut whatever the chunking, look at the event's name, decode only what is followed."""

import re
from dataclasses import dataclass, field

LINE_LIMIT = 256 * 1024
MESSAGE_LIMIT = 1024 * 1024
LONG = 16 * 1024
LONGEST_LETTER = 4

GREETING = b"Asterisk Call Manager/"
# a greeting within a message: the connection before it was torn; no header value can hold the line end that follows
NEW_CONNECTION = re.compile(rb"^Asterisk Call Manager/([^\r\n]*)|Asterisk Call Manager/([^\r\n]*)(?=\r?\nResponse: )")
MESSAGE_END = re.compile(rb"\n\r?\n")
BARE_LF = re.compile(rb"(?<!\r)\n")
COMMAND_END = b"--END COMMAND--"
COMMAND_HEADERS = ("Response: ", "Privilege: ", "ActionID: ", "Message: ")


class FrameTooLong(Exception):  # noqa: N818 - named by what happened
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
    _names: dict[bytes, str] = field(init=False, repr=False, compare=False)
    _applications: frozenset[bytes] = field(init=False, repr=False, compare=False)
    _variables: frozenset[bytes] = field(init=False, repr=False, compare=False)
    _prefixes: tuple[bytes, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", {name.encode(): name for name in self.events})
        object.__setattr__(self, "_applications", frozenset(name.lower().encode() for name in self.applications))
        object.__setattr__(self, "_variables", frozenset(name.encode() for name in self.variables))
        object.__setattr__(self, "_prefixes", tuple(prefix.encode() for prefix in self.variable_prefixes))

    def name(self, name: bytes, raw: bytes) -> str:
        """The event's name when it is followed, else empty; looks no further into the message than it must."""
        if name in self._names:
            return self._names[name]
        if self.everything or (name == b"VarSet" and self._follows_variable(_value(raw, b"\nVariable: "))):
            return name.decode("ascii", "replace")
        if name == b"Newexten" and _value(raw, b"\nApplication: ").lower() in self._applications:
            return "Newexten"
        return ""

    def _follows_variable(self, variable: bytes) -> bool:
        return variable in self._variables or variable.startswith(self._prefixes)


EVERYTHING = Follows(frozenset(), everything=True)

FOLLOWED = Follows(
    # what translate and snapshot read, and nothing more: each further event costs every PBX and every daemon
    events=frozenset(
        {
            *("Newchannel", "Newstate", "Hangup", "HangupRequest", "SoftHangupRequest", "DialBegin"),
            *("BridgeEnter", "BridgeLeave", "LocalBridge", "Hold", "Unhold"),
            *("BlindTransfer", "AttendedTransfer", "Pickup", "ParkedCall"),
            *("QueueCallerJoin", "QueueCallerLeave", "AgentCalled", "AgentConnect", "AgentComplete", "AgentDump"),
            *("QueueMemberAdded", "QueueMemberRemoved", "QueueMemberPause"),
            *("DeviceStateChange", "PresenceStateChange", "PeerStatus"),
            *("OriginateResponse", "FullyBooted", "Shutdown"),
            # the answers to lists
            *("QueueMember", "QueueStatusComplete", "DeviceStateListComplete", "PresenceStateListComplete"),
            *("CoreShowChannel", "CoreShowChannelsComplete"),
        }
    ),
    applications=frozenset({"Dial", "Queue", "Background", "Read", "WaitExten", "VoiceMail"}),
    variables=frozenset({"DIALSTATUS", "QUEUESTATUS", "__EXTTOCALL", "RingGroupMethod"}),
    variable_prefixes=("PBXMONITOR_",),
)


def parse(raw: bytes, received_at: float, follows: Follows = FOLLOWED) -> Frame | None:
    """The frame in one message of the Cutter's, or None for an event that is not followed (and is then not decoded)."""
    if raw.startswith(b"Event: "):
        end = raw.find(b"\r\n")
        name = raw[7:] if end < 0 else raw[7:end]
    elif raw.startswith(b"Response: Follows"):
        return _old_command(_text(raw), received_at)
    elif raw.startswith(b"Response: ") or b"\nResponse: " in raw:
        return _frame("", _text(raw), received_at)
    else:
        name = _value(raw, b"\nEvent: ")
    event = follows.name(name, raw)
    return _frame(event, _text(raw), received_at) if event else None


def _value(raw: bytes, start: bytes) -> bytes:
    at = raw.find(start)
    if at < 0:
        return b""
    at += len(start)
    end = raw.find(b"\r\n", at)
    return raw[at:] if end < 0 else raw[at:end]


def _text(raw: bytes) -> str:
    """UTF-8, else line by line: Asterisk cuts names at 80 bytes, be it within a letter."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "\n".join(_line(line) for line in raw.split(b"\n"))


def _line(raw: bytes) -> str:
    """UTF-8 (a letter cut at its end is left out), else Windows-1251 (its one unassigned byte replaced)."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        whole, cut = raw[: error.start], raw.rstrip(b"\r")[error.start :]
        if len(cut) < LONGEST_LETTER and not whole.isascii():
            return whole.decode() + "\r" * raw.endswith(b"\r")
        return raw.decode("cp1251", "replace")


def _frame(event: str, text: str, received_at: float) -> Frame:
    headers: dict[str, str] = {}
    lines = text.split("\r\n")
    for line in lines:
        key, _, value = line.partition(": ")
        headers[key] = value
    if len(headers) != len(lines) or text.count(": ") < len(lines) or not event:
        return _irregular(event, lines, received_at)
    return Frame(event, headers, None, received_at)


def _irregular(event: str, lines: list[str], received_at: float) -> Frame:
    """The same for responses, repeated headers, `Key:` without a space and lines that are no header at all."""
    values: dict[str, list[str]] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            values.setdefault(key, []).append(value.removeprefix(" "))
    repeated = {key: tuple(several) for key, several in values.items() if len(several) > 1 or key == "Output"}
    return Frame(event, {key: several[0] for key, several in values.items()}, repeated or None, received_at)


def _old_command(text: str, received_at: float) -> Frame:
    """`Response: Follows` (before Asterisk 14): headers, then bare output lines up to `--END COMMAND--`."""
    lines = text.removesuffix(COMMAND_END.decode()).removesuffix("\r\n").split("\r\n")
    body = next((at for at, line in enumerate(lines) if not line.startswith(COMMAND_HEADERS)), len(lines))
    output = [f"Output: {line}" for line in lines[body:]]
    return _irregular("", lines[:body] + output, received_at)


class Cutter:
    """Complete messages out of a byte stream cut anywhere; one for each connection (or tape).

    CR LF CR LF ends a message; CR LF LF, LF LF and empty lines between messages are forgiven, and lines that end in a
    bare LF come out with CR LF. The greeting line is taken away and kept in `greeting` (the AMI version); a message
    torn by a new connection's greeting is dropped.
    """

    def __init__(self, line_limit: int = LINE_LIMIT, message_limit: int = MESSAGE_LIMIT) -> None:
        self.greeting = ""
        self._line_limit = line_limit
        self._message_limit = message_limit
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by these bytes, without their ends; FrameTooLong forgets what was begun."""
        if len(self._rest) > LONG and MESSAGE_END.search(self._rest[-3:] + data) is None:
            self._rest += data
            self._refuse_too_long([])
            return []
        whole = self._rest + data
        messages, self._rest = self._cut(whole)
        if len(whole) > self._line_limit:
            self._refuse_too_long(messages)
        return messages

    def _cut(self, whole: bytes) -> tuple[list[bytes], bytes]:
        if GREETING not in whole and whole.count(b"\n") == whole.count(b"\r\n"):
            *messages, rest = whole.split(b"\r\n\r\n")
            if min(messages, default=b"E") >= b"E":  # each begins with Event: or Response:, none with an empty line
                return messages, rest
        return self._cut_forgiving(whole)

    def _cut_forgiving(self, whole: bytes) -> tuple[list[bytes], bytes]:
        messages, start = [], 0
        while end := MESSAGE_END.search(whole, _past_command(whole, start)):
            messages.append(self._cleaned(whole[start : end.start()]))
            start = end.end()
        return [message for message in messages if message], whole[start:]

    def _cleaned(self, message: bytes) -> bytes:
        message = message.strip(b"\r\n")
        while begun := NEW_CONNECTION.search(message):
            self.greeting = (begun[1] or begun[2] or b"").decode("ascii", "replace")
            message = message[begun.end() :].lstrip(b"\r\n")
        return BARE_LF.sub(b"\r\n", message)

    def _refuse_too_long(self, messages: list[bytes]) -> None:
        for at, message in enumerate([*messages, self._rest]):
            if reason := self._too_long(message):
                self._rest = b""
                raise FrameTooLong(reason, messages[:at])

    def _too_long(self, message: bytes) -> str:
        if len(message) > self._message_limit:
            return f"a message longer than {self._message_limit} bytes was refused"
        if len(message) > self._line_limit and max(map(len, message.split(b"\n"))) > self._line_limit:
            return f"a line longer than {self._line_limit} bytes was refused"
        return ""


def _past_command(whole: bytes, start: int) -> int:
    """Where to look for the message's end: an old command's output may hold empty lines itself."""
    if not whole[start : start + 64].lstrip(b"\r\n").startswith(b"Response: Follows"):
        return start
    end = whole.find(COMMAND_END, start)
    return len(whole) if end < 0 else end
