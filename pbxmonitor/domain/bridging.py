"""Whom the customer hears: talks open and pause as channels enter and leave bridges."""

from datetime import datetime

from pbxmonitor.domain.call import Call, Direction, Leg, OfferResult, StageKind, StageResult, Talk
from pbxmonitor.domain.evolve import evolve


def bridged(call: Call, at: datetime, late: bool = False) -> Call:
    """The call with its talks and its connected time as the bridges now are; `late`: as a snapshot shows them."""
    call = _anchored(call)
    if call.anchor is None or call.feature:
        return call
    parties = heard(call, call.anchor)
    call = _connected_time(call, bool(parties), at)
    for party in parties:
        if all(talk.leg != party.id for talk in call.talks):
            call = _talk_begins(call, party, at, late)
    return _away(call, {party.id for party in parties if not party.held}, at) if call.talks else call


def heard(call: Call, leg: str) -> list[Leg]:
    """The real parties joined to that leg by bridges and Local channels."""
    seen = joined(call, leg)
    return [call.legs[each] for each in call.legs if each in seen and each != leg and not call.legs[each].local]


def joined(call: Call, leg: str) -> set[str]:
    """That leg and the live ones that bridges and Local channels join to it."""
    seen, todo = {leg}, [leg]
    if call.legs[leg].bridge is None and call.legs[leg].partner is None:
        return seen
    while todo:
        here = call.legs[todo.pop()]
        for other in call.legs.values():
            if other.id not in seen and other.ended_at is None and _joined(here, other):
                seen.add(other.id)
                todo.append(other.id)
    return seen


def _joined(one: Leg, other: Leg) -> bool:
    return other.id == one.partner or (one.bridge is not None and one.bridge == other.bridge)


def _anchored(call: Call) -> Call:
    """An outbound call's customer is the first outside leg that the dialler hears."""
    if call.anchor is not None or call.legs[call.first].ended_at is not None:
        return call
    outside = next((leg for leg in heard(call, call.first) if leg.trunk), None)
    return call if outside is None else evolve(call, anchor=outside.id)


def _connected_time(call: Call, connected: bool, at: datetime) -> Call:
    if connected and call.connected_at is None:
        return evolve(call, connected_at=at)
    if not connected and call.connected_at is not None:
        spent = (at - call.connected_at).total_seconds()
        return evolve(call, connected_at=None, connected_s=call.connected_s + spent)
    return call


def _talk_begins(call: Call, party: Leg, at: datetime, late: bool) -> Call:
    offer = next((o for o in call.offers if o.phone == party.id), None)
    agent = offer.agent if offer is not None else party.agent or party.number or party.endpoint
    external = offer is None and (party.trunk or party.agent is None)
    if offer is not None and offer.result is None:  # a key was asked for, and pressed
        call = call.with_offer(offer, result=OfferResult.ANSWERED, ended_at=at)
    talk = Talk(agent=agent, leg=party.id, began_at=at, external=external, late=late)
    call = evolve(call, talks=(*call.talks, talk))
    stage = call.open_stage
    parked = stage is not None and stage.kind is StageKind.PARKED
    unseen = late and stage is not None and stage.left_at is None and offer is not None  # nobody told of the answer
    if parked or (unseen and stage is not None and offer is not None and offer.queue in (None, stage.name)):
        return call.with_stage(left_at=at, result=StageResult.ANSWERED)
    return call


def _away(call: Call, present: set[str], at: datetime) -> Call:
    for talk in call.talks:
        if talk.ended_at is not None:
            continue
        if talk.leg not in present and talk.away_at is None:
            call = call.with_talk(talk, away_at=at)
        elif talk.leg in present and talk.away_at is not None:
            call = call.with_talk(talk, away_at=None, hold_s=talk.hold_s + (at - talk.away_at).total_seconds())
    return call


def conversing(call: Call) -> str | None:
    """The agent who dialled and is talking, in an internal call; its only talk is the answerer's."""
    internal = call.direction is Direction.INTERNAL and call.connected_at is not None
    return call.legs[call.first].agent if internal else None
