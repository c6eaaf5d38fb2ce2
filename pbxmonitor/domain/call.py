"""One caller's journey through one node, as it was; what to think of it is `judge`'s."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.facts import Target


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class OfferResult(StrEnum):
    """How one ringing of one agent ended, from the phone's own Hangup."""

    ANSWERED = "answered"
    DECLINED = "declined"
    BUSY = "busy"
    RNA = "rna"
    CALLER_GAVE_UP = "caller_gave_up"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    UNREACHABLE = "unreachable"
    CANCELLED = "cancelled"


class StageKind(StrEnum):
    IVR = "ivr"
    QUEUE = "queue"
    DIAL = "dial"
    EXTERNAL = "external"
    VOICEMAIL = "voicemail"
    PARKED = "parked"


class StageResult(StrEnum):
    ANSWERED = "answered"
    TIMEOUT = "timeout"
    ABANDONED = "abandoned"
    EMPTY = "empty"
    FULL = "full"
    KEY = "key"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    TRANSFERRED = "transferred"
    PASSED = "passed"


class EndedBy(StrEnum):
    AGENT = "agent"
    CALLER = "caller"
    TRANSFER = "transfer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One channel of a call; `partner` is the other half of a Local channel, `left_at` when it left its last bridge.

    `queue` rang it as a member; a `group` is a Local channel to no person; `sought` is whose extension the dialplan
    is at; `status` how the last Dial on it ended; `asking`: who picked up must press a key first.
    """

    id: str
    endpoint: str
    agent: str | None
    number: str | None
    trunk: bool
    local: bool
    began_at: datetime
    rang_at: datetime | None = None
    answered_at: datetime | None = None
    asked_at: datetime | None = None
    ordered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: int | None = None
    bridge: str | None = None
    left_at: datetime | None = None
    partner: str | None = None
    dialled_by: str | None = None
    held: bool = False
    picked: bool = False
    unheard: bool = False
    queue: str | None = None
    group: bool = False
    sought: str | None = None
    status: str | None = None
    asking: bool = False

    @property
    def gave_up(self) -> bool:
        """Its far end left by itself: 16 also asks after the PBX has ended the channel, which is no leaving."""
        return self.asked_at is not None and (self.ordered_at is None or self.asked_at <= self.ordered_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stop of the journey.

    `nested`: a queue that is a member of the one in which the caller waits.
    Of a queue `available` and `reachable` count the members as the caller came, `idle` those free while he waited.
    """

    kind: StageKind
    name: str
    entered_at: datetime
    left_at: datetime | None = None
    result: StageResult | None = None
    targets: tuple[Target, ...] = ()
    leg: str = ""
    nested: bool = False
    available: int | None = None
    reachable: int | None = None
    idle: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One ringing of one agent; `leg` is what was dialled, `phone` the real phone behind a Local channel."""

    agent: str
    queue: str | None
    began_at: datetime
    leg: str
    phone: str | None = None
    ended_at: datetime | None = None
    result: OfferResult | None = None
    consultation: bool = False
    completed: bool = False

    @property
    def counts(self) -> bool:
        """A consultation's ring has a verdict only if the transfer was completed."""
        return not self.consultation or self.completed


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One agent's conversation within a call, from the first bridge with the caller until he leaves the call.

    `late`: it was going on when it was first seen.
    """

    agent: str
    leg: str
    began_at: datetime
    ended_at: datetime | None = None
    ended_by: EndedBy | None = None
    hold_s: float = 0.0
    away_at: datetime | None = None
    external: bool = False
    late: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    kind: str
    frm: str
    to: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """`anchor` is the leg whose far end is the customer (an internal call: who called).

    `late`: it was going on when first seen, so where it has been is not known; `twin` is the same customer event.
    """

    node: str
    key: str
    direction: Direction
    caller: str | None
    called: str
    started_at: datetime
    first: str
    anchor: str | None
    ended_at: datetime | None = None
    legs: Mapping[str, Leg] = field(default_factory=dict)
    stages: tuple[Stage, ...] = ()
    offers: tuple[Offer, ...] = ()
    talks: tuple[Talk, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    dumped: tuple[str, ...] = ()
    connected_at: datetime | None = None
    connected_s: float = 0.0
    vanished: bool = False
    late: bool = False
    merged_into: str | None = None
    twin: str | None = None

    @property
    def feature(self) -> bool:
        """A feature code: internal, with no stages and no talk."""
        return self.direction is Direction.INTERNAL and self.called.startswith("*")

    @property
    def first_leg(self) -> Leg:
        return self.legs[self.first]

    @property
    def caller_left(self) -> bool:
        """The caller himself hung up, and nobody did it for him before."""
        return self.first_leg.gave_up

    @property
    def last_stage(self) -> Stage | None:
        """Where the caller himself came to last."""
        return next((stage for stage in reversed(self.stages) if not stage.nested), None)

    @property
    def open_stage(self) -> Stage | None:
        last = self.last_stage
        return last if last is not None and last.result is None else None

    def live(self) -> Iterable[Leg]:
        """The channels that are still there."""
        return (leg for leg in self.legs.values() if leg.ended_at is None)

    def with_leg(self, leg: str, **changes: Any) -> "Call":
        """The call with that leg changed."""
        return evolve(self, legs={**self.legs, leg: evolve(self.legs[leg], **changes)})

    def with_stage(self, stage: Stage | None = None, **changes: Any) -> "Call":
        """The call with that stage changed, or with the last that the caller himself came to."""
        old = stage or self.last_stage
        return evolve(self, stages=tuple(evolve(each, **changes) if each is old else each for each in self.stages))

    def with_offer(self, offer: Offer, **changes: Any) -> "Call":
        """The call with that offer changed."""
        changed = evolve(offer, **changes)
        return evolve(self, offers=tuple(changed if each is offer else each for each in self.offers))

    def with_talk(self, talk: Talk, **changes: Any) -> "Call":
        """The call with that talk changed."""
        changed = evolve(talk, **changes)
        return evolve(self, talks=tuple(changed if each is talk else each for each in self.talks))
