"""One item for each employee and each queue, bare values only: what he is at, with whom, since when; who waits."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from pbxmonitor.domain.agent import Agent, AgentState, Interval
from pbxmonitor.domain.call import Call, Direction, StageKind
from pbxmonitor.domain.callback import client_of
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.kpi import share
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.web.scene import Scene, Tally

UNKNOWN, LUNCH = "unknown", "lunch"
# Of a crowd in a queue, those who have waited longest are named; all are counted.
MOST_CALLERS: Final = 12
# The most urgent first: who rings, who should take calls and does not, who is with a client, who is free.
_URGENCY: Final = (
    AgentState.RINGING,
    AgentState.DND,
    AgentState.OFFLINE,
    AgentState.PAUSED,
    AgentState.HOLD,
    AgentState.TALKING,
    AgentState.WRAPUP,
    AgentState.READY,
    LUNCH,
    AgentState.LOGGED_OUT,
    UNKNOWN,
)
# Of a person who works at several PBXs, what he is busy with counts most, then where he can take calls.
_LIVELIEST: Final = (
    *(AgentState.TALKING, AgentState.HOLD, AgentState.RINGING, AgentState.WRAPUP, AgentState.READY),
    *(AgentState.PAUSED, AgentState.DND, AgentState.OFFLINE, AgentState.LOGGED_OUT),
)


def agents_of(scene: Scene) -> dict[str, list[tuple[str, Agent]]]:
    """By the tile's key, the agent at each PBX; whom nobody expects to take calls is left out."""
    found: dict[str, list[tuple[str, Agent]]] = {}
    for floor in scene.floors:
        for agent in floor.agents.values():
            if _expected(scene, floor.node, agent):
                found.setdefault(scene.named(floor.node, agent.id), []).append((floor.node, agent))
    return found


def _expected(scene: Scene, node: str, agent: Agent) -> bool:
    """A door phone or a fax is nobody: where people are named, who else is shown works in a queue or with clients."""
    people = scene.roster.people
    return not people or agent.id in people or agent.was_member or (node, agent.id) in scene.today.tallies


Basis = tuple[str, str, Agent | None, Call | None, bool, Tally, int]


def basis_of(scene: Scene, key: str, places: Sequence[tuple[str, Agent]], owing: Mapping[str | None, int]) -> Basis:
    """What a tile is made of: as long as this is the same, the tile is."""
    if not places:
        return "", _name(scene, "", key), None, None, False, _tally(scene, scene.nodes, key), owing.get(key, 0)
    node, agent = min(places, key=lambda place: _LIVELIEST.index(state_of(place[1], scene.now).state))
    floor = next(floor for floor in scene.floors if floor.node == node)
    call = floor.calls.find(next(iter(agent.calls))) if len(agent.calls) == 1 else _busiest(floor, agent)
    nodes = [each for each, _ in places]
    resting = agent.wrapup_until is not None and agent.wrapup_until > scene.now
    name, tally = _name(scene, node, agent.id), _tally(scene, nodes, agent.id)
    return node, name, agent, call, resting, tally, owing.get(agent.id, 0)


def _busiest(floor: Floor, agent: Agent) -> Call | None:
    """Of several calls, the one that he is at as his state says."""
    state = agent.activity.state if agent.activity is not None else None
    return next((floor.calls.find(key) for key, each in agent.calls.items() if each is state), None)


def _tally(scene: Scene, nodes: Iterable[str], agent: str) -> Tally:
    mine = [scene.today.tallies.get((node, agent), Tally()) for node in nodes]
    return Tally(sum(each.answered for each in mine), sum(each.missed for each in mine))


def state_of(agent: Agent, now: datetime) -> Interval:
    """What he is at, else whether he can be called; nobody tells when a wrap-up is over."""
    activity = agent.activity
    if activity is None or (activity.state is AgentState.WRAPUP and (agent.wrapup_until or now) <= now):
        return agent.availability
    return activity


def tile(
    scene: Scene,
    key: str,
    node: str,
    name: str,
    agent: Agent | None,
    call: Call | None,
    _resting: bool,
    tally: Tally,
    owed: int,
) -> Json:
    """The item of an employee; the rest is what `basis_of` gave."""
    who, offered = agent.id if agent is not None else key, tally.answered + tally.missed
    lived = _lived(agent, call, scene.now)
    missed, limit = share(tally.missed, offered), _limit(scene.policy, who)
    team = scene.policy.team_of(who)
    return {
        "key": key,
        "node": node or None,
        "agent": who,
        "name": name,
        "team": team.name if team is not None else None,
        **lived,
        "urgency": _URGENCY.index(LUNCH if lived["reason"] == LUNCH else lived["state"]),
        "queues": sorted(agent.memberships) if agent is not None else [],
        "answered": tally.answered,
        "missed": tally.missed,
        "missed_share": missed,
        "missed_too_much": missed is not None and missed > limit and offered >= scene.policy.min_offered_for_rating,
        "open_callbacks": owed,
    }


def _lived(agent: Agent | None, call: Call | None, now: datetime) -> Json:
    if agent is None or not _known(agent):
        return dict.fromkeys(("reason", "note", "since", "call", "peer", "direction", "queue")) | {
            "state": UNKNOWN,
            "availability": UNKNOWN,
        }
    lived, can = state_of(agent, now), agent.availability
    busy = lived is not can
    call = call if busy and lived.state is not AgentState.WRAPUP else None
    return {
        "state": lived.state.value,
        "availability": can.state.value,
        "reason": None if busy else can.reason,
        "note": None if busy else can.note,
        "since": stamp(_since(agent, call, lived)),
        "call": call.key if call is not None else None,
        "peer": _peer(call, agent.id) if call is not None else None,
        "direction": call.direction.value if call is not None else None,
        "queue": _queue(call, agent.id) if call is not None else None,
    }


def _known(agent: Agent) -> bool:
    """Whether anything says that he can be called: who is in no queue is free when his phone is there, else unknown."""
    return (
        bool(agent.devices) or agent.was_member or agent.availability.state is not AgentState.READY or bool(agent.calls)
    )


def _since(agent: Agent, call: Call | None, lived: Interval) -> datetime:
    """Of a talk that goes on after a hold, since it began."""
    if call is not None and lived.state is AgentState.TALKING:
        mine = (talk.began_at for talk in call.talks if talk.agent == agent.id and talk.ended_at is None)
        return min(mine, default=lived.began_at)
    return lived.began_at


def _peer(call: Call, agent: str) -> str | None:
    """The number of the other side; of a colleague, his name on the PBX."""
    if call.direction is Direction.INTERNAL:
        first = call.first_leg.agent
        return call.called if first == agent else first
    return call.caller if call.direction is Direction.INBOUND else client_of(call) or call.called


def _queue(call: Call, agent: str) -> str | None:
    return next((offer.queue for offer in reversed(call.offers) if offer.agent == agent), None)


def _limit(policy: Policy, agent: str) -> float:
    team = policy.team_of(agent)
    return policy.max_missed_share if team is None or team.max_missed_share is None else team.max_missed_share


def _name(scene: Scene, node: str, agent: str) -> str:
    if agent in scene.roster.people:
        return scene.roster.people[agent].name
    return scene.today.names.get((node, agent), agent)


def queues_of(floor: Floor, scene: Scene) -> Iterator[tuple[str, Json]]:
    """Every queue of the floor that has members or callers: who waits, since when, who could answer."""
    waiting: dict[str, list[Call]] = {queue: [] for queue in floor.queues}
    for call in floor.open_calls():
        stage = call.open_stage
        if stage is not None and stage.kind is StageKind.QUEUE:
            waiting.setdefault(stage.name, []).append(call)
    for queue, calls in waiting.items():
        yield f"{floor.node}/{queue}", _queue_item(floor, queue, calls, scene)


def _queue_item(floor: Floor, queue: str, calls: Sequence[Call], scene: Scene) -> Json:
    found = [floor.agents.find(name) for name in floor.queues.find(queue) or ()]
    members = [agent for agent in found if agent is not None]
    available = [agent for agent in members if agent.available_in(queue) and not agent.offline]
    free = sum(state_of(agent, scene.now) is agent.availability for agent in available)
    callers = sorted((_caller(call) for call in calls), key=lambda caller: caller["since"])
    return {
        "key": f"{floor.node}/{queue}",
        "node": floor.node,
        "queue": queue,
        "waiting": len(callers),
        "longest_since": callers[0]["since"] if callers else None,
        "callers": callers[:MOST_CALLERS],
        "agents": sorted(agent.id for agent in members),
        "members": len(members),
        "available": len(available),
        "free": free,
    }


def _caller(call: Call) -> Json:
    entered = call.stages[-1].entered_at
    ringing = sorted({offer.agent for offer in call.offers if offer.result is None})
    return {"call": call.key, "caller": call.caller, "since": stamp(entered), "ringing": ringing}
