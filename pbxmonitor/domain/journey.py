"""`advance(call, fact) -> Call`: how one call moves on with one fact. Pure; nothing is judged here."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.bridging import bridged
from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Leg,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
    Transfer,
)
from pbxmonitor.domain.ringing import outcome

QUEUE_RESULTS: Final = {
    "TIMEOUT": StageResult.TIMEOUT,
    "FULL": StageResult.FULL,
    "JOINEMPTY": StageResult.EMPTY,
    "LEAVEEMPTY": StageResult.EMPTY,
    "JOINUNAVAIL": StageResult.EMPTY,
    "LEAVEUNAVAIL": StageResult.EMPTY,
    "WITHDRAW": StageResult.KEY,
}
STEP_KINDS: Final = {
    f.Step.IVR: StageKind.IVR,
    f.Step.QUEUE: StageKind.QUEUE,
    f.Step.DIAL: StageKind.DIAL,
    f.Step.VOICEMAIL: StageKind.VOICEMAIL,
}


def advance(call: Call, fact: f.LegFact) -> Call:
    """The call after that fact about one of its legs; the same object when the fact changes nothing."""
    rule = _RULES.get(type(fact))
    if rule is None or (fact.leg not in call.legs and type(fact) not in _WITHOUT_LEG):
        return call
    after = rule(call, fact)
    return bridged(after, fact.at) if type(fact) in _REWIRE else after


def begin(fact: f.LegStarted) -> Call:
    """The call that its first leg opens."""
    outside = Direction.INBOUND if fact.incoming else Direction.OUTBOUND
    direction = outside if fact.trunk else Direction.INTERNAL
    return Call(
        node=fact.node,
        key=fact.leg,
        direction=direction,
        caller=fact.number if direction is Direction.INBOUND or fact.agent is None else fact.agent,
        called=fact.exten,
        started_at=fact.at,
        first=fact.leg,
        anchor=None if direction is Direction.OUTBOUND and not fact.trunk else fact.leg,
        legs={fact.leg: _leg(fact)},
    )


def merge(main: Call, guest: Call) -> Call:
    """The call with the legs and rings of another that turned out to be part of it."""
    rings = (replace(offer, consultation=True, completed=False) for offer in guest.offers)
    return replace(main, legs={**main.legs, **guest.legs}, offers=(*main.offers, *rings))


def _leg(fact: f.LegStarted) -> Leg:
    return Leg(
        id=fact.leg,
        endpoint=fact.endpoint,
        agent=fact.agent,
        number=fact.number,
        trunk=fact.trunk,
        local=fact.local,
        began_at=fact.at,
    )


def _started(call: Call, fact: f.LegStarted) -> Call:
    if fact.leg in call.legs:
        return call
    call = replace(call, legs={**call.legs, fact.leg: _leg(fact)})
    if fact.trunk and call.direction is Direction.INTERNAL:
        return replace(call, direction=Direction.OUTBOUND, anchor=None)
    return call


def _rang(call: Call, fact: f.LegRang) -> Call:
    return call.with_leg(fact.leg, rang_at=fact.at) if call.legs[fact.leg].rang_at is None else call


def _answered(call: Call, fact: f.LegAnswered) -> Call:
    leg = call.legs[fact.leg]
    if leg.answered_at is not None:
        return call
    call = call.with_leg(fact.leg, answered_at=fact.at)
    offer = _offer_of(call, fact.leg)
    if offer is None or offer.result is not None:
        return call
    call = call.with_offer(offer, result=OfferResult.ANSWERED, ended_at=fact.at)
    stage = call.open_stage
    if offer.consultation and offer.completed and stage is not None:
        return call.with_stage(left_at=fact.at, result=StageResult.ANSWERED)
    return call


def _offer_of(call: Call, leg: str) -> Offer | None:
    """The offer whose phone that is; of a Local channel, the one that no real phone is known for."""
    for offer in reversed(call.offers):
        if offer.phone == leg or (offer.leg == leg and offer.phone is None):
            return offer
    return None


def _dial_began(call: Call, fact: f.DialBegan) -> Call:
    dest = call.legs.get(fact.dest)
    if dest is None or dest.dialled_by is not None:
        return call
    number = fact.number if dest.trunk else dest.number
    call = call.with_leg(fact.dest, dialled_by=fact.leg, number=number)
    behind = _offer_behind(call, fact.leg)
    if behind is not None:
        return _rings_behind(call, behind, dest, fact.at)
    if dest.trunk:
        return _dials_out(call, fact)
    if dest.agent is None or not fact.leg or any(o.leg == dest.id for o in call.offers):
        return call
    offer = _new_offer(dest.agent, None, dest, fact.at)
    if not _for_customer(call, fact.leg):
        return replace(call, offers=(*call.offers, replace(offer, consultation=True)))
    return replace(_implied_dial(call, dest.agent, StageKind.DIAL, fact.at), offers=(*call.offers, offer))


def _implied_dial(call: Call, name: str, kind: StageKind, at: datetime) -> Call:
    """The stage of a Dial that no Newexten told of: so it is after a blind transfer."""
    stage = call.open_stage
    if stage is not None and stage.left_at is None:
        implied = stage.kind is kind and not stage.targets and name not in stage.name.split("&")
        return call.with_stage(name=f"{stage.name}&{name}") if implied else call
    return replace(call, stages=(*call.stages, Stage(kind=kind, name=name, entered_at=at)))


def _offer_behind(call: Call, dialler: str) -> Offer | None:
    """The offer whose Local channel that dialler is the far half of."""
    leg = call.legs.get(dialler)
    if leg is None or leg.partner is None:
        return None
    return next((offer for offer in reversed(call.offers) if offer.leg == leg.partner), None)


def _rings_behind(call: Call, offer: Offer, phone: Leg, at: datetime) -> Call:
    if offer.result is not None and (offer.ended_at is None or offer.ended_at <= at):
        return call.with_offer(offer, phone=phone.id, result=None, ended_at=None)
    return call.with_offer(offer, phone=phone.id)


def _for_customer(call: Call, dialler: str) -> bool:
    if dialler in (call.first, call.anchor):
        return True
    leg = call.legs.get(dialler)
    return leg is not None and leg.partner is not None and leg.partner in (call.first, call.anchor)


def _dials_out(call: Call, fact: f.DialBegan) -> Call:
    if call.direction is Direction.OUTBOUND and not call.called.lstrip("+").isdigit() and fact.number:
        call = replace(call, called=fact.number)
    if not _for_customer(call, fact.leg):
        return call
    stage = call.open_stage
    if stage is None or stage.left_at is not None:
        return _implied_dial(call, fact.number or "", StageKind.EXTERNAL, fact.at)
    if stage.kind is not StageKind.DIAL or len(stage.targets) > 1:
        return call
    return call.with_stage(kind=StageKind.EXTERNAL, name=fact.number or stage.name)


def _new_offer(agent: str, queue: str | None, dest: Leg, at: datetime) -> Offer:
    return Offer(agent=agent, queue=queue, began_at=at, leg=dest.id, phone=None if dest.local else dest.id)


def _offered(call: Call, fact: f.AgentOffered) -> Call:
    dest = call.legs.get(fact.dest)
    if dest is None:
        return call
    known = next((offer for offer in call.offers if offer.leg == fact.dest), None)
    if known is not None:
        return call.with_offer(known, agent=fact.agent, queue=fact.queue, consultation=False)
    offer = _new_offer(fact.agent, fact.queue, dest, fact.at)
    early = next((o for o in call.offers if dest.local and _dialled_by_half(call, o, dest)), None)
    if early is None:
        return replace(call, offers=(*call.offers, offer))
    return call.with_offer(early, agent=fact.agent, queue=fact.queue, leg=dest.id, phone=early.leg, consultation=False)


def _dialled_by_half(call: Call, offer: Offer, dest: Leg) -> bool:
    """The ring behind a Local member was told before the queue's own word of it."""
    dialler = call.legs[offer.leg].dialled_by if offer.leg in call.legs else None
    return dialler is not None and dialler == dest.partner


def _connected(call: Call, fact: f.AgentConnected) -> Call:
    stage = call.open_stage
    if stage is None or stage.kind is not StageKind.QUEUE:
        return call
    return call.with_stage(left_at=stage.left_at or fact.at, result=StageResult.ANSWERED)


def _completed(call: Call, fact: f.AgentCompleted) -> Call:
    """Only where nobody was seen to leave: a disconnect by feature code asks no hangup of any channel."""
    talk = next((t for t in reversed(call.talks) if t.leg == _phone(call, fact.dest) or t.agent == fact.agent), None)
    known = {"agent": EndedBy.AGENT, "caller": EndedBy.CALLER}
    if talk is None or talk.ended_by is not EndedBy.SYSTEM or fact.reason not in known:
        return call
    return call.with_talk(talk, ended_by=known[fact.reason])


def _phone(call: Call, dest: str) -> str:
    offer = next((offer for offer in call.offers if offer.leg == dest), None)
    return dest if offer is None or offer.phone is None else offer.phone


def _dumped(call: Call, fact: f.AgentDumped) -> Call:
    return replace(call, dumped=(*call.dumped, fact.agent))


def _step(call: Call, fact: f.StepReached) -> Call:
    if call.feature or fact.leg not in (call.first, call.anchor):
        return call
    kind, stage = STEP_KINDS[fact.step], call.open_stage
    if _repeated_by_transfer(call, kind, fact.name):
        return call
    if kind is StageKind.IVR and stage is not None and stage.kind is StageKind.IVR:
        return call
    if kind is StageKind.DIAL and fact.targets and all(t.number is not None for t in fact.targets):
        kind = StageKind.EXTERNAL
    call = close_stage(call, fact.at)
    stage = Stage(kind=kind, name=fact.name, entered_at=fact.at, targets=fact.targets)
    return replace(call, stages=(*call.stages, stage))


def _repeated_by_transfer(call: Call, kind: StageKind, name: str) -> bool:
    """A blind transfer moves the channel on and tells the application it was in once more (16 and 22)."""
    if not call.transfers or not call.stages:
        return False
    last = call.stages[-1]
    return (last.kind, last.name) == (kind, name) and last.entered_at <= call.transfers[-1].at


def close_stage(call: Call, at: datetime) -> Call:
    """The call gone on from its open stage: what an IVR passed on, a queue left by a key, a dial left undecided."""
    stage = call.open_stage
    if stage is None:
        return call
    left_at = stage.left_at or at
    if stage.kind in (StageKind.DIAL, StageKind.EXTERNAL):
        return call if stage.left_at else call.with_stage(left_at=left_at)
    result = StageResult.KEY if stage.kind is StageKind.QUEUE else StageResult.PASSED
    return call.with_stage(left_at=left_at, result=result)


def _queued(call: Call, fact: f.CallQueued) -> Call:
    stage = call.open_stage
    if stage is not None and stage.kind is StageKind.QUEUE and stage.name == fact.queue and stage.left_at is None:
        return call
    call = close_stage(call, fact.at)
    return replace(call, stages=(*call.stages, Stage(kind=StageKind.QUEUE, name=fact.queue, entered_at=fact.at)))


def _unqueued(call: Call, fact: f.CallUnqueued) -> Call:
    stage = call.open_stage
    if stage is None or stage.kind is not StageKind.QUEUE or stage.left_at is not None:
        return call
    return call.with_stage(left_at=fact.at, result=StageResult.ABANDONED if call.caller_left else None)


def _queue_finished(call: Call, fact: f.QueueFinished) -> Call:
    stage, result = call.open_stage, QUEUE_RESULTS.get(fact.status)
    if stage is None or stage.kind is not StageKind.QUEUE or result is None:
        return call
    return call.with_stage(left_at=stage.left_at or fact.at, result=result)


def _dial_finished(call: Call, fact: f.DialFinished) -> Call:
    stage = call.open_stage
    if not fact.status or stage is None or stage.left_at is not None or not _for_customer(call, fact.leg):
        return call
    if stage.kind not in (StageKind.DIAL, StageKind.EXTERNAL):
        return call
    call = _unreachable_offers(call, stage)
    return call.with_stage(left_at=fact.at, result=StageResult.ANSWERED if fact.status == "ANSWER" else None)


def _unreachable_offers(call: Call, stage: Stage) -> Call:
    """A phone that is not registered makes no channel: a 0 s ring says that it was tried."""
    rung = {offer.agent for offer in call.offers if offer.began_at >= stage.entered_at}
    missing = (t.agent for t in stage.targets if t.agent is not None and t.agent not in rung)
    at = stage.entered_at
    made = tuple(
        Offer(agent=agent, queue=None, began_at=at, leg="", ended_at=at, result=OfferResult.UNREACHABLE)
        for agent in missing
    )
    return replace(call, offers=(*call.offers, *made)) if made else call


def _held(call: Call, fact: f.LegHeld) -> Call:
    return call.with_leg(fact.leg, held=True)


def _unheld(call: Call, fact: f.LegUnheld) -> Call:
    return call.with_leg(fact.leg, held=False)


def _bridge_entered(call: Call, fact: f.BridgeEntered) -> Call:
    return call.with_leg(fact.leg, bridge=fact.bridge)


def _bridge_left(call: Call, fact: f.BridgeLeft) -> Call:
    return call.with_leg(fact.leg, bridge=None) if call.legs[fact.leg].bridge == fact.bridge else call


def _local_joined(call: Call, fact: f.LocalJoined) -> Call:
    if fact.other not in call.legs:
        return call
    return call.with_leg(fact.leg, partner=fact.other).with_leg(fact.other, partner=fact.leg)


def _asked(call: Call, fact: f.HangupAsked) -> Call:
    return call.with_leg(fact.leg, asked_at=fact.at) if call.legs[fact.leg].asked_at is None else call


def _ordered(call: Call, fact: f.HangupOrdered) -> Call:
    return call.with_leg(fact.leg, ordered_at=fact.at) if call.legs[fact.leg].ordered_at is None else call


def _ended(call: Call, fact: f.LegEnded | f.LegVanished) -> Call:
    leg = call.legs[fact.leg]
    if leg.ended_at is not None:
        return call
    cause = fact.cause if isinstance(fact, f.LegEnded) else None
    call = call.with_leg(fact.leg, ended_at=fact.at, cause=cause)
    if isinstance(fact, f.LegVanished):
        call = replace(call, vanished=True)
    call = _end_offers(call, call.legs[fact.leg])
    for talk in call.talks:
        if talk.ended_at is None and fact.leg in (talk.leg, call.anchor):
            call = _end_talk(call, talk, fact.at)
    if fact.leg in (call.first, call.anchor):
        call = _end_stage(call, fact.at)
    return call if any(call.live()) else replace(bridged(call, fact.at), ended_at=fact.at)


def _end_stage(call: Call, at: datetime) -> Call:
    stage = call.open_stage
    if stage is None:
        return call
    result = StageResult.ABANDONED if call.caller_left and stage.left_at is None else None
    return call.with_stage(left_at=stage.left_at or at, result=result)


def _end_offers(call: Call, leg: Leg) -> Call:
    for offer in call.offers:
        mine = offer.phone == leg.id or (offer.leg == leg.id and offer.phone is None)
        if not mine or leg.ended_at is None:
            continue
        if offer.result is None:
            call = _end_transfer_stage(call, offer, leg.ended_at)
            call = call.with_offer(offer, result=outcome(call, offer, leg), ended_at=leg.ended_at)
        elif offer.result is OfferResult.ANSWERED and leg.cause == 26 and all(t.leg != leg.id for t in call.talks):
            call = call.with_offer(offer, result=OfferResult.ANSWERED_ELSEWHERE)
    return call


def _end_transfer_stage(call: Call, offer: Offer, at: datetime) -> Call:
    stage = call.open_stage
    waits = stage is not None and stage.left_at is None and stage.name == offer.agent
    return call.with_stage(left_at=at) if offer.completed and waits else call


def _end_talk(call: Call, talk: Talk, at: datetime, by: EndedBy | None = None) -> Call:
    leg = call.legs.get(talk.leg)
    away = (at - talk.away_at).total_seconds() if talk.away_at else 0.0
    return call.with_talk(
        talk, ended_at=at, ended_by=by or _who_left(call, leg), hold_s=talk.hold_s + away, away_at=None
    )


def _who_left(call: Call, leg: Leg | None) -> EndedBy:
    customer = call.legs.get(call.anchor or "")
    agent_at = leg.asked_at if leg is not None and leg.gave_up else None
    caller_at = customer.asked_at if customer is not None and customer.gave_up else None
    if agent_at is not None and (caller_at is None or agent_at <= caller_at):
        return EndedBy.AGENT
    return EndedBy.CALLER if caller_at is not None else EndedBy.SYSTEM


def _name(call: Call, leg: str) -> str:
    """Who is at that leg: the agent of its talk or offer, else of the leg itself."""
    talk = next((t for t in reversed(call.talks) if t.leg == leg), None)
    if talk is not None:
        return talk.agent
    found = call.legs.get(leg)
    return "" if found is None else found.agent or found.number or found.endpoint


def _transferred(call: Call, fact: f.LegFact, kind: str, to: str) -> Call:
    for talk in call.talks:
        if talk.leg == fact.leg and talk.ended_at is None:
            call = _end_talk(call, talk, fact.at, EndedBy.TRANSFER)
    transfer = Transfer(kind=kind, frm=_name(call, fact.leg), to=to, at=fact.at)
    return replace(call, transfers=(*call.transfers, transfer))


def _transferred_blind(call: Call, fact: f.TransferredBlind) -> Call:
    return _transferred(call, fact, "blind", fact.to)


def _transferred_attended(call: Call, fact: f.TransferredAttended) -> Call:
    offer = _consulted(call, fact)
    target = _name(call, fact.target)
    call = _transferred(call, fact, "attended", offer.agent if offer else target)
    if offer is None:
        return call
    answered = offer.result is OfferResult.ANSWERED
    call = call.with_offer(offer, completed=True)
    stage = Stage(
        kind=StageKind.DIAL,
        name=offer.agent,
        entered_at=fact.at,
        left_at=fact.at if answered else None,
        result=StageResult.ANSWERED if answered else None,
    )
    return replace(close_stage(call, fact.at), stages=(*call.stages, stage))


def _consulted(call: Call, fact: f.TransferredAttended) -> Offer | None:
    """The consultation's ring: the target's own when the event names it (22), else the last one."""
    rings = [offer for offer in call.offers if offer.consultation and not offer.completed]
    half = call.legs.get(fact.target)
    near = {fact.target, half.partner if half is not None else None}
    named = [o for o in rings if o.leg in near or call.legs[o.leg].dialled_by in near]
    found = named or rings
    return found[-1] if found else None


def _parked(call: Call, fact: f.CallParked) -> Call:
    call = close_stage(call, fact.at)
    return replace(call, stages=(*call.stages, Stage(kind=StageKind.PARKED, name=fact.space, entered_at=fact.at)))


_RULES: Final[dict[type[f.LegFact], Callable[[Call, Any], Call]]] = {
    f.LegStarted: _started,
    f.LegRang: _rang,
    f.LegAnswered: _answered,
    f.DialBegan: _dial_began,
    f.AgentOffered: _offered,
    f.AgentConnected: _connected,
    f.AgentCompleted: _completed,
    f.AgentDumped: _dumped,
    f.StepReached: _step,
    f.CallQueued: _queued,
    f.CallUnqueued: _unqueued,
    f.QueueFinished: _queue_finished,
    f.DialFinished: _dial_finished,
    f.LegHeld: _held,
    f.LegUnheld: _unheld,
    f.BridgeEntered: _bridge_entered,
    f.BridgeLeft: _bridge_left,
    f.LocalJoined: _local_joined,
    f.HangupAsked: _asked,
    f.HangupOrdered: _ordered,
    f.LegEnded: _ended,
    f.LegVanished: _ended,
    f.TransferredBlind: _transferred_blind,
    f.TransferredAttended: _transferred_attended,
    f.CallParked: _parked,
}
_WITHOUT_LEG: Final = frozenset({f.LegStarted, f.DialBegan})
_REWIRE: Final = frozenset({f.BridgeEntered, f.BridgeLeft, f.LocalJoined, f.LegHeld, f.LegUnheld, f.LegEnded})
