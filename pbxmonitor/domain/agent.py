"""One agent on two tracks: availability, and activity; every state lived as an interval with its reason."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.evolve import evolve


class AgentState(StrEnum):
    LOGGED_OUT = "logged_out"
    OFFLINE = "offline"
    DND = "dnd"
    PAUSED = "paused"
    READY = "ready"
    RINGING = "ringing"
    TALKING = "talking"
    HOLD = "hold"
    WRAPUP = "wrapup"


# A presence in which the person does not take calls, whatever his devices say.
AWAY_PRESENCES: Final = frozenset({"dnd", "away", "xa"})
# Flags of call forward, and the reason under which he is ready then.
FORWARDS: Final = frozenset({"CF", "DEVCF"})
FORWARDED: Final = "forwarded"
# Flag, presence and pause of one keystroke come as several events: a reason told this soon belongs to the start.
SAME_MOMENT: Final = timedelta(seconds=2)
_BUSIEST: Final = (AgentState.TALKING, AgentState.HOLD, AgentState.RINGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A stretch of one state, open while `ended_at` is None.

    `queues` only of a pause: where he was paused; `partial` while that never was all of his queues.
    """

    agent: str
    state: AgentState
    began_at: datetime
    ended_at: datetime | None = None
    reason: str | None = None
    note: str | None = None
    queues: tuple[str, ...] = ()
    partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """The agent in one queue; `wrapup` in seconds."""

    queue: str
    paused: bool
    reason: str | None = None
    wrapup: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """`devices` tells which endpoints are registered; `calls` what each open call keeps him at."""

    id: str
    availability: Interval
    activity: Interval | None = None
    memberships: Mapping[str, Membership] = field(default_factory=dict)
    was_member: bool = False
    devices: Mapping[str, bool] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    presence: str | None = None
    subtype: str | None = None
    message: str | None = None
    pause_reason: str | None = None
    calls: Mapping[str, AgentState] = field(default_factory=dict)
    wrapup_until: datetime | None = None
    busy_since: datetime | None = None

    @property
    def offline(self) -> bool:
        return bool(self.devices) and not any(self.devices.values())

    @property
    def dnd(self) -> bool:
        return bool(self.flags - FORWARDS) or self.presence in AWAY_PRESENCES

    @property
    def forwarded(self) -> bool:
        """His extension leads elsewhere, by a code of his own: he takes calls, with another phone."""
        return bool(self.flags & FORWARDS)

    @property
    def paused_in(self) -> tuple[str, ...]:
        return tuple(sorted(queue for queue, member in self.memberships.items() if member.paused))

    @property
    def partly_paused(self) -> bool:
        """Paused, but not in all of his queues."""
        return 0 < len(self.paused_in) < len(self.memberships)

    def available_in(self, queue: str) -> bool:
        """Logged in to that queue, unpaused there and out of DND."""
        member = self.memberships.get(queue)
        return member is not None and not member.paused and not self.dnd


def newcomer(agent: str, at: datetime) -> Agent:
    """An agent first heard of at that moment."""
    return Agent(id=agent, availability=Interval(agent=agent, state=AgentState.READY, began_at=at))


def advance_agent(agent: Agent, fact: f.AgentFact) -> Agent:
    """The agent after that fact; the same object when it changes nothing."""
    after = _RULES[type(fact)](agent, fact)
    return agent if after == agent else _lived(after, fact.at)


def engaged(agent: Agent, call: str, state: AgentState | None, at: datetime, wrapup: bool) -> Agent:
    """The agent kept (or with None no longer kept) by a call; `wrapup` when a queue's talk has just ended."""
    calls = {key: value for key, value in agent.calls.items() if key != call}
    if state is not None:
        calls[call] = state
    seconds = max((m.wrapup for m in agent.memberships.values()), default=0) if wrapup and state is None else 0
    until = at + timedelta(seconds=seconds) if seconds else agent.wrapup_until
    since = (agent.busy_since or at) if calls else None
    return _active(evolve(agent, calls=calls, wrapup_until=until, busy_since=since), at)


def settled(agent: Agent, at: datetime) -> Agent:
    """The agent whose availability is what his queues, devices and flags say from that moment on."""
    return _lived(agent, at)


def _active(agent: Agent, at: datetime) -> Agent:
    state = next((each for each in _BUSIEST if each in agent.calls.values()), None)
    if state is None and agent.wrapup_until is not None and agent.wrapup_until > at:
        state = AgentState.WRAPUP
    if (agent.activity.state if agent.activity else None) == state:
        return agent
    activity = None if state is None else Interval(agent=agent.id, state=state, began_at=at)
    return evolve(agent, activity=activity, wrapup_until=agent.wrapup_until if state is AgentState.WRAPUP else None)


def rested(agent: Agent) -> Agent:
    """The agent whose wrap-up time is over."""
    return agent if agent.wrapup_until is None else _active(agent, agent.wrapup_until)


def _lived(agent: Agent, at: datetime) -> Agent:
    state, reason, note = _availability(agent)
    queues = agent.paused_in if state is AgentState.PAUSED else ()
    now = agent.availability
    if state is now.state:
        late = now.reason is None and at - now.began_at <= SAME_MOMENT
        if reason == now.reason or late:
            return evolve(agent, availability=_lengthened(agent, now, reason, note, queues))
    partial = state is AgentState.PAUSED and agent.partly_paused
    fresh = Interval(agent=agent.id, state=state, began_at=at, reason=reason, note=note, queues=queues, partial=partial)
    return evolve(agent, availability=fresh)


def _lengthened(agent: Agent, now: Interval, reason: str | None, note: str | None, queues: tuple[str, ...]) -> Interval:
    queues = tuple(sorted({*now.queues, *queues}))
    return evolve(now, reason=reason, note=note or now.note, queues=queues, partial=now.partial and agent.partly_paused)


def _availability(agent: Agent) -> tuple[AgentState, str | None, str | None]:
    if agent.was_member and not agent.memberships:
        return AgentState.LOGGED_OUT, None, None
    if agent.offline:
        return AgentState.OFFLINE, None, None
    if agent.dnd:
        return AgentState.DND, agent.subtype, agent.message
    if agent.paused_in:
        return AgentState.PAUSED, agent.pause_reason, None
    return AgentState.READY, FORWARDED if agent.forwarded else None, None


def _member(agent: Agent, queue: str, paused: bool, reason: str | None, wrapup: int) -> Agent:
    members = {
        **agent.memberships,
        queue: Membership(queue=queue, paused=paused, reason=reason if paused else None, wrapup=wrapup),
    }
    still = any(member.paused for member in members.values())
    pause = (reason if paused else agent.pause_reason) if still else None
    return evolve(agent, memberships=members, was_member=True, pause_reason=pause)


def _added(agent: Agent, fact: f.MemberAdded) -> Agent:
    return _member(agent, fact.queue, fact.paused, fact.reason, fact.wrapup)


def _removed(agent: Agent, fact: f.MemberRemoved) -> Agent:
    members = {queue: member for queue, member in agent.memberships.items() if queue != fact.queue}
    still = any(member.paused for member in members.values())
    return evolve(agent, memberships=members, pause_reason=agent.pause_reason if still else None)


def _paused(agent: Agent, fact: f.MemberPaused) -> Agent:
    known = agent.memberships.get(fact.queue)
    return _member(agent, fact.queue, fact.paused, fact.reason, known.wrapup if known else 0)


def _device(agent: Agent, fact: f.DeviceSeen) -> Agent:
    return evolve(agent, devices={**agent.devices, fact.endpoint: fact.online})


def _dnd(agent: Agent, fact: f.DndChanged) -> Agent:
    return evolve(agent, flags=agent.flags | {fact.flag} if fact.on else agent.flags - {fact.flag})


def _presence(agent: Agent, fact: f.PresenceChanged) -> Agent:
    return evolve(agent, presence=fact.status, subtype=fact.subtype, message=fact.message)


_RULES: Final[dict[type[f.AgentFact], Callable[[Agent, Any], Agent]]] = {
    f.MemberAdded: _added,
    f.MemberRemoved: _removed,
    f.MemberPaused: _paused,
    f.DeviceSeen: _device,
    f.DndChanged: _dnd,
    f.PresenceChanged: _presence,
}
