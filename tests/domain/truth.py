"""What a PBX in the state of that floor would answer when asked: the complete Snapshot of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent
from pbxmonitor.domain.call import Call, Leg
from pbxmonitor.domain.floor import Floor


def snapshot_of(floor: Floor, at: datetime) -> f.Snapshot:
    """Members, devices, flags, presences and channels as they are on the floor."""
    base: dict[str, Any] = {"node": floor.node, "at": at, "key": f"{at.timestamp()!r}/truth"}
    agents = tuple(floor.agents.values())
    live = tuple((call, leg) for call in floor.open_calls() for leg in call.live())
    return f.Snapshot(
        **base,
        members=tuple(member for agent in agents for member in _members(agent)),
        devices=tuple(
            f.DeviceSeen(**base, agent=agent.id, endpoint=endpoint, online=online)
            for agent in agents
            for endpoint, online in agent.devices.items()
        ),
        flags=tuple(
            f.DndChanged(**base, agent=agent.id, flag=flag, on=True) for agent in agents for flag in sorted(agent.flags)
        ),
        presences=tuple(_presence(agent, base) for agent in agents if agent.presence is not None),
        legs=tuple(_leg(call, leg, floor.node) for call, leg in live),
        answered=frozenset(leg.id for _, leg in live if leg.answered_at is not None),
        bridges=tuple((leg.id, leg.bridge) for _, leg in live if leg.bridge is not None),
        pairs=tuple((leg.id, leg.partner) for _, leg in live if leg.partner is not None and leg.id < leg.partner),
    )


def _members(agent: Agent) -> Iterator[f.SeenMember]:
    for queue, member in agent.memberships.items():
        reason = agent.pause_reason if member.paused else None
        yield f.SeenMember(queue=queue, agent=agent.id, paused=member.paused, reason=reason, wrapup=member.wrapup)


def _presence(agent: Agent, base: dict[str, Any]) -> f.PresenceChanged:
    status, subtype, message = agent.presence or "", agent.subtype, agent.message
    return f.PresenceChanged(**base, agent=agent.id, status=status, subtype=subtype, message=message)


def _leg(call: Call, leg: Leg, node: str) -> f.LegStarted:
    return f.LegStarted(
        node=node,
        at=leg.began_at,
        key=f"{leg.id}/truth",
        leg=leg.id,
        linked=call.key,
        endpoint=leg.endpoint,
        agent=leg.agent,
        number=leg.number,
        exten=call.called,
        trunk=leg.trunk,
        local=leg.local,
        incoming=leg.id == call.first,
    )
