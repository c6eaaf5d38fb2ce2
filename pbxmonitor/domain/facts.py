"""What a PBX told us: past tense, dated by the PBX's clock, each told by one source only.

`leg` is a channel's uniqueid. Agents, numbers and lines are already canonical here: the adapters name them.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Step(StrEnum):
    """What a dialplan application means for the caller's journey."""

    IVR = "ivr"
    QUEUE = "queue"
    DIAL = "dial"
    VOICEMAIL = "voicemail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom a Dial names: an agent's phone, or a number outside."""

    agent: str | None = None
    number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`key` is the same whenever the same thing is told again."""

    node: str
    at: datetime
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegFact(Fact):
    """Something that happened to one channel."""

    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted(LegFact):
    """A channel was made (Newchannel); the only fact that may open a call. `late`: a snapshot first showed it."""

    linked: str
    endpoint: str
    agent: str | None
    number: str | None
    exten: str
    trunk: bool
    local: bool
    incoming: bool
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegRang(LegFact):
    """The far end alerts (Newstate Ringing)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered(LegFact):
    """The far end picked up (Newstate Up)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupAsked(LegFact):
    """The far end of this channel wants to leave (HangupRequest)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangupOrdered(LegFact):
    """The PBX ends this channel (SoftHangupRequest)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded(LegFact):
    """The channel is gone (Hangup); `cause` is Q.850, `unheard` that its far end never so much as rang."""

    cause: int
    unheard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegVanished(LegFact):
    """A complete snapshot no longer has the channel, and its end was not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeld(LegFact):
    """The far end put the other side on hold (Hold)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegUnheld(LegFact):
    """The far end took the other side back (Unhold)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEntered(LegFact):
    """The channel joined a bridge (BridgeEnter). `late`: a snapshot shows it there, since when is not known."""

    bridge: str
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLeft(LegFact):
    """The channel left a bridge (BridgeLeave)."""

    bridge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalJoined(LegFact):
    """Two halves of a Local channel (LocalBridge)."""

    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DialBegan(LegFact):
    """`leg` ("" when the PBX itself calls) began to ring `dest` (DialBegin).

    Outside: the `number`, and the `person` whose mobile it is.
    """

    dest: str
    number: str | None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReached(LegFact):
    """The dialplan came to an application that matters to the caller (Newexten)."""

    step: Step
    name: str
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionSought(LegFact):
    """The dialplan came to that person's extension (VarSet __EXTTOCALL of FreePBX), and may ring nothing of his."""

    agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFinished(LegFact):
    """Dial said how it went (VarSet DIALSTATUS)."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFinished(LegFact):
    """Queue said why it let the caller go (VarSet QUEUESTATUS)."""

    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQueued(LegFact):
    """The caller was let into a queue (QueueCallerJoin)."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallUnqueued(LegFact):
    """The caller is no longer in the queue (QueueCallerLeave)."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFact(LegFact):
    """Something between the caller `leg` and a queue's member on channel `dest`."""

    dest: str
    queue: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOffered(MemberFact):
    """The queue rings the member (AgentCalled)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConnected(MemberFact):
    """The queue joined caller and member (AgentConnect)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCompleted(MemberFact):
    """The queue saw the talk end (AgentComplete); `reason` agent, caller or transfer."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDumped(MemberFact):
    """The member picked up and dropped before the bridge (AgentDump)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferredBlind(LegFact):
    """`leg` sent the other side to an extension (BlindTransfer)."""

    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferredAttended(LegFact):
    """`leg` joined the other side to whom it consulted on channel `second` (AttendedTransfer); or `stays` with both."""

    second: str
    target: str
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPicked(LegFact):
    """`leg` took the ringing of `target` over (Pickup)."""

    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallParked(LegFact):
    """The caller was parked (ParkedCall)."""

    space: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFact(Fact):
    """Something about one agent."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAdded(AgentFact):
    """The agent is a member of the queue (QueueMemberAdded, QueueMember)."""

    queue: str
    paused: bool = False
    reason: str | None = None
    wrapup: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(AgentFact):
    """The agent is no longer a member of the queue (QueueMemberRemoved, or a snapshot without it)."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPaused(AgentFact):
    """The agent was paused or unpaused in one queue (QueueMemberPause)."""

    queue: str
    paused: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSeen(AgentFact):
    """A device of the agent is registered or not (DeviceStateChange, PeerStatus, ARI presence)."""

    endpoint: str
    online: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DndChanged(AgentFact):
    """A flag that the agent's codes set has changed (DeviceStateChange Custom:DND…, Custom:CF…).

    DND and DEVDND: do not disturb. CF and DEVCF: every call is forwarded.
    """

    flag: str
    on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceChanged(AgentFact):
    """The agent's presence changed (PresenceStateChange)."""

    status: str
    subtype: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenMember:
    """A queue's member as a snapshot shows it."""

    queue: str
    agent: str
    paused: bool
    reason: str | None
    wrapup: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Fact):
    """All that the PBX says is open now; complete, or it is not a Snapshot. A part not asked for is None."""

    members: tuple[SeenMember, ...] | None = None
    devices: tuple[DeviceSeen, ...] = ()
    flags: tuple[DndChanged, ...] | None = None
    presences: tuple[PresenceChanged, ...] = ()
    legs: tuple[LegStarted, ...] | None = None
    answered: frozenset[str] = frozenset()
    bridges: tuple[tuple[str, str], ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
