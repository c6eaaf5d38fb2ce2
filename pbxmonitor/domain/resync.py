"""`reconcile(floor, snapshot) -> facts`: what must have happened while nobody listened, told as ordinary facts."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent
from pbxmonitor.domain.call import Leg
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Floor

# A list may be told before events of the same moment.
OVERTAKEN: Final = timedelta(seconds=2)


def reconcile(floor: Floor, snapshot: f.Snapshot) -> tuple[f.Fact, ...]:
    """The facts that lead from the floor to what the PBX says is so; none when they agree.

    A part of the snapshot that was not asked for (None) changes nothing.
    """
    return (*_members(floor, snapshot), *_states(floor, snapshot), *_legs(floor, snapshot))


def _members(floor: Floor, snapshot: f.Snapshot) -> Iterator[f.Fact]:
    if snapshot.members is None:
        return
    queues = {member.queue for member in snapshot.members}
    members = [member for member in snapshot.members if member.agent not in queues]  # a queue in a queue is nobody
    seen = {(member.agent, member.queue) for member in members}
    for name in floor.agents:
        for queue in floor.agents[name].memberships:
            if (name, queue) not in seen:
                yield f.MemberRemoved(**_dated(snapshot, "removed", name, queue), agent=name, queue=queue)
    for member in members:
        if _differs(floor.agents.get(member.agent), member):
            yield f.MemberAdded(
                **_dated(snapshot, "member", member.agent, member.queue),
                agent=member.agent,
                queue=member.queue,
                paused=member.paused,
                reason=member.reason,
                wrapup=member.wrapup,
            )


def _differs(agent: Agent | None, member: f.SeenMember) -> bool:
    known = agent.memberships.get(member.queue) if agent is not None else None
    if known is None or known.paused != member.paused or known.wrapup != member.wrapup:
        return True
    return member.paused and known.reason != member.reason


def _states(floor: Floor, snapshot: f.Snapshot) -> Iterator[f.Fact]:
    yield from (fact for fact in snapshot.devices if _device_differs(floor, fact))
    yield from (fact for fact in snapshot.presences if _presence_differs(floor, fact))
    if snapshot.flags is None:
        return
    on = {(flag.agent, flag.flag) for flag in snapshot.flags if flag.on}
    for flag in snapshot.flags:
        agent = floor.agents.get(flag.agent)
        if flag.on and (agent is None or flag.flag not in agent.flags):
            yield flag
    for name in floor.agents:
        for gone in sorted(each for each in floor.agents[name].flags if (name, each) not in on):
            yield f.DndChanged(**_dated(snapshot, "flag", name, gone), agent=name, flag=gone, on=False)


def _device_differs(floor: Floor, fact: f.DeviceSeen) -> bool:
    agent = floor.agents.get(fact.agent)
    return agent is None or agent.devices.get(fact.endpoint) != fact.online


def _presence_differs(floor: Floor, fact: f.PresenceChanged) -> bool:
    agent = floor.agents.get(fact.agent)
    known = (agent.presence, agent.subtype, agent.message) if agent is not None else (None, None, None)
    return known != (fact.status, fact.subtype, fact.message)


def _legs(floor: Floor, snapshot: f.Snapshot) -> Iterator[f.Fact]:
    """What is new comes first: a call whose first channel is gone may go on with another."""
    if snapshot.legs is None:
        return
    there = {leg.leg for leg in snapshot.legs}
    known = {leg.id: leg for call in floor.open_calls() for leg in call.live()}
    for seen in sorted(snapshot.legs, key=lambda leg: leg.leg != leg.linked):
        if seen.leg not in floor.legs:
            late = snapshot.at - seen.at >= OVERTAKEN
            yield evolve(seen, linked=seen.linked if seen.linked in there | set(floor.legs) else seen.leg, late=late)
    for one, other in snapshot.pairs:
        if one not in known or known[one].partner != other:
            yield f.LocalJoined(**_dated(snapshot, "joined", one), leg=one, other=other)
    for leg in sorted(snapshot.answered):
        if leg not in known or known[leg].answered_at is None:
            yield f.LegAnswered(**_dated(snapshot, "answered", leg), leg=leg)
    yield from _bridges(known, snapshot)
    for gone in sorted(known.keys() - there):
        yield f.LegVanished(**_dated(snapshot, "vanished", gone), leg=gone)


def _bridges(known: Mapping[str, Leg], snapshot: f.Snapshot) -> Iterator[f.Fact]:
    now = dict(snapshot.bridges)
    fresh = {bridge for leg_id, bridge in now.items() if leg_id in known and _just_answered(known[leg_id], snapshot)}
    for leg in known.values():
        if leg.bridge is not None and now.get(leg.id) != leg.bridge:
            yield f.BridgeLeft(**_dated(snapshot, "left", leg.id), leg=leg.id, bridge=leg.bridge)
    for leg_id, bridge in now.items():
        if leg_id not in known or known[leg_id].bridge != bridge:
            told = _dated(snapshot, "bridged", leg_id)
            yield f.BridgeEntered(**told, leg=leg_id, bridge=bridge, late=bridge not in fresh)


def _just_answered(leg: Leg, snapshot: f.Snapshot) -> bool:
    """The list overtook the event that says the same."""
    return leg.answered_at is not None and snapshot.at - leg.answered_at < OVERTAKEN


def _dated(snapshot: f.Snapshot, *what: str) -> dict[str, Any]:
    return {"node": snapshot.node, "at": snapshot.at, "key": "/".join((snapshot.key, *what))}
