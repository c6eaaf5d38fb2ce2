"""Agents under other names: facts, calls and agents as if they had always been told of by those. Pure.

`Names` say by what name an agent is known now who was told of by another. An extension that was dialled, as the target
of a blind transfer is, stays one: it was no agent's name.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent, Membership
from pbxmonitor.domain.call import Call, Direction, Leg, Offer, OfferResult, Stage, StageKind
from pbxmonitor.domain.engaging import busy
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Floor

Names = Mapping[str, str]
_DIALS: Final = (StageKind.DIAL, StageKind.EXTERNAL)
# The field of each kind of fact that names an agent.
_FIELDS: Final[dict[type[f.Fact], str]] = {
    kind: field.name
    for kind in vars(f).values()
    if isinstance(kind, type) and is_dataclass(kind) and issubclass(kind, f.Fact)
    for field in fields(kind)
    if field.name in ("agent", "person")
}


class NamesChanged(Exception):  # noqa: N818 - a word of the field
    """Agents of that node have other names since its floor was read; read it again, nothing was written."""

    def __init__(self, node: str) -> None:
        super().__init__(f"{node}: people were merged or renamed")


def renamed_fact(fact: f.Fact, names: Names) -> f.Fact:
    """The fact with today's names; the same object where it names nobody who has another."""
    special = _SPECIAL.get(type(fact))
    if special is not None:
        return special(fact, names)
    field = _FIELDS.get(type(fact))
    name = names.get(getattr(fact, field)) if field is not None else None
    return fact if field is None or name is None else evolve(fact, **{field: name})


def _step(fact: f.StepReached, names: Names) -> f.StepReached:
    targets = tuple(_target(each, names) for each in fact.targets)
    if targets == fact.targets:
        return fact
    return evolve(fact, targets=targets, name=renamed_dial(fact.name, names))


def _target(target: f.Target, names: Names) -> f.Target:
    name = names.get(target.agent or "")
    return target if name is None else evolve(target, agent=name)


def renamed_dial(name: str, names: Names) -> str:
    """What a stage `dial` is called: its targets joined by `&`."""
    return "&".join(names.get(part, part) for part in name.split("&"))


def _snapshot(fact: f.Snapshot, names: Names) -> f.Snapshot:
    def each(parts: Iterable[Any] | None) -> Any:
        return None if parts is None else tuple(_part(part, names) for part in parts)

    return evolve(
        fact,
        members=each(fact.members),
        devices=each(fact.devices),
        flags=each(fact.flags),
        presences=each(fact.presences),
        legs=each(fact.legs),
    )


def _part(part: Any, names: Names) -> Any:
    name = names.get(part.agent or "")
    return part if name is None else evolve(part, agent=name)


_SPECIAL: Final[dict[type[f.Fact], Callable[[Any, Names], f.Fact]]] = {
    f.StepReached: _step,
    f.Snapshot: _snapshot,
}


def renamed_call(call: Call, names: Names) -> Call:
    """The call with today's names; of a person's several phones in one Dial, one that rang stands for those tried."""
    caller = call.caller
    if call.direction is not Direction.INBOUND and caller is not None:
        caller = names.get(caller, caller)
    after = evolve(
        call,
        caller=caller,
        legs={key: _leg(leg, names) for key, leg in call.legs.items()},
        stages=tuple(_stage(stage, names) for stage in call.stages),
        offers=tuple(_part(offer, names) for offer in call.offers),
        talks=tuple(_part(talk, names) for talk in call.talks),
        transfers=tuple(
            evolve(
                each,
                frm=names.get(each.frm, each.frm),
                to=each.to if each.kind == "blind" else names.get(each.to, each.to),
            )
            for each in call.transfers
        ),
        dumped=tuple(names.get(each, each) for each in call.dumped),
    )
    return once_tried(after)


def _leg(leg: Leg, names: Names) -> Leg:
    agent, sought = (each and names.get(each, each) for each in (leg.agent, leg.sought))
    return leg if (agent, sought) == (leg.agent, leg.sought) else evolve(leg, agent=agent, sought=sought)


def _stage(stage: Stage, names: Names) -> Stage:
    if stage.kind not in _DIALS:
        return stage
    targets = tuple(_target(each, names) for each in stage.targets)
    return evolve(stage, name=renamed_dial(stage.name, names), targets=targets)


def once_tried(call: Call) -> Call:
    """Without the 0 s rings of phones that a Dial could not reach where another phone of that person rang in it."""
    kept = tuple(offer for offer in call.offers if not _is_spare(call, offer))
    return call if len(kept) == len(call.offers) else evolve(call, offers=kept)


def _is_spare(call: Call, offer: Offer) -> bool:
    if offer.result is not OfferResult.UNREACHABLE or offer.queue is not None or offer.ended_at != offer.began_at:
        return False
    dials = [s for s in call.stages if s.kind is StageKind.DIAL and s.entered_at == offer.began_at]
    ended_at = next((stage.left_at for stage in dials), None)
    rung = (o for o in call.offers if o.agent == offer.agent and o.ended_at != o.began_at)
    return any(offer.began_at <= o.began_at and (ended_at is None or o.began_at <= ended_at) for o in rung)


def renamed_floor(floor: Floor, names: Names, agents: Mapping[str, Agent] | None = None) -> Floor:
    """The floor with today's names; `agents` are those who must be as given there, by today's names."""
    calls = {key: renamed_call(call, names) for key, call in floor.calls.items()}
    found: dict[str, Agent | None] = {name: None for name in names if name in floor.agents}
    for new in {names[name] for name in found}:
        same = [floor.agents[each] for each in (new, *found) if each in floor.agents and names.get(each, each) == new]
        found[new] = _at_work(together(new, same), (agents or {}).get(new), calls)
    return evolve(
        floor,
        calls=floor.calls.put(calls),
        agents=floor.agents.put(found),
        queues=floor.queues.put({queue: _members(members, names) for queue, members in floor.queues.items()}),
    )


def _at_work(agent: Agent, given: Agent | None, calls: Mapping[str, Call]) -> Agent:
    """The agent, or the one given in his place, kept by those of his calls that keep him."""
    states = {key: busy(calls[key]).get(agent.id) for key in agent.calls if key in calls}
    kept = {key: state for key, state in states.items() if state is not None}
    chosen = given or agent
    return evolve(chosen, calls=kept, busy_since=chosen.busy_since if kept else None)


def _members(members: tuple[str, ...], names: Names) -> tuple[str, ...]:
    """Each once, where he came in last: so it is when one is added who is there."""
    renamed = [names.get(each, each) for each in members]
    return tuple(reversed(dict.fromkeys(reversed(renamed))))


def together(name: str, agents: Iterable[Agent]) -> Agent:
    """Agents who are one person: all their queues, devices and flags. What the first says of himself goes before.

    His availability is that of the first still; see `settled` of the agent.
    """
    first, *others = agents
    found = evolve(first, id=name, availability=evolve(first.availability, agent=name), activity=_of(first, name))
    for other in others:
        told = found if found.presence is not None else other
        memberships: dict[str, Membership] = {**other.memberships, **found.memberships}
        found = evolve(
            found,
            memberships=memberships,
            was_member=found.was_member or other.was_member,
            devices={**other.devices, **found.devices},
            flags=found.flags | other.flags,
            presence=told.presence,
            subtype=told.subtype,
            message=told.message,
            pause_reason=found.pause_reason or other.pause_reason,
            calls={**other.calls, **found.calls},
            activity=found.activity or _of(other, name),
            wrapup_until=max(filter(None, (found.wrapup_until, other.wrapup_until)), default=None),
            busy_since=min(filter(None, (found.busy_since, other.busy_since)), default=None),
        )
    return found


def _of(agent: Agent, name: str) -> Any:
    return None if agent.activity is None else evolve(agent.activity, agent=name)
