"""`advance(call, fact) -> Call`: how one call moves on with one fact. Pure; nothing is judged here."""

from collections.abc import Callable
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.behind import is_asked_behind, step_behind
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
)
from pbxmonitor.domain.closing import close_stage, end_stage, end_talk, end_transfer_stage
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.offering import dial_began, offer_of, offered, unreachable_offers
from pbxmonitor.domain.queueing import connected, goes_on_behind, queue_finished, queue_of, queued, unqueued
from pbxmonitor.domain.ringing import NOT_RUNG, outcome
from pbxmonitor.domain.transferring import transferred_attended, transferred_blind

TRIED: Final = frozenset({OfferResult.BUSY, OfferResult.DECLINED, OfferResult.UNREACHABLE})
_DIALS: Final = (StageKind.DIAL, StageKind.EXTERNAL)
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
    late = isinstance(fact, f.BridgeEntered) and fact.late
    return bridged(after, fact.at, late) if type(fact) in _REWIRE else after


def begin(fact: f.LegStarted) -> Call:
    """The call that its first leg opens."""
    outside = Direction.INBOUND if fact.incoming else Direction.OUTBOUND
    direction = outside if fact.trunk else Direction.INTERNAL
    return Call(
        node=fact.node,
        key=fact.leg,
        direction=direction,
        caller=_caller(fact, direction),
        called=fact.exten,
        started_at=fact.at,
        first=fact.leg,
        anchor=None if direction is Direction.OUTBOUND and not fact.trunk else fact.leg,
        legs={fact.leg: _leg(fact)},
        late=fact.late,
    )


def _caller(fact: f.LegStarted, direction: Direction) -> str | None:
    """Who calls: nobody where the PBX itself rings a customer (a robot gives the channel the customer's own number)."""
    if direction is Direction.OUTBOUND:
        return None
    return fact.number if direction is Direction.INBOUND or fact.agent is None else fact.agent


def merge(main: Call, guest: Call) -> Call:
    """The call with the legs and rings of another that turned out to be part of it."""
    rings = (evolve(offer, consultation=True, completed=False) for offer in guest.offers)
    return evolve(main, legs={**main.legs, **guest.legs}, offers=(*main.offers, *rings))


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
    if fact.leg in call.legs or call.ended_at is not None:
        return call
    call = evolve(call, legs={**call.legs, fact.leg: _leg(fact)})
    if fact.trunk and call.direction is Direction.INTERNAL:
        return evolve(call, direction=Direction.OUTBOUND, anchor=None)
    return call


def _rang(call: Call, fact: f.LegRang) -> Call:
    return call.with_leg(fact.leg, rang_at=fact.at) if call.legs[fact.leg].rang_at is None else call


def _answered(call: Call, fact: f.LegAnswered) -> Call:
    leg = call.legs[fact.leg]
    if leg.answered_at is not None:
        return call
    call = call.with_leg(fact.leg, answered_at=fact.at)
    offer = offer_of(call, fact.leg)
    if offer is None or offer.result is not None:
        return call
    call = call.with_offer(offer, result=OfferResult.ANSWERED, ended_at=fact.at)
    stage = call.open_stage
    if offer.consultation and offer.completed and stage is not None:
        return call.with_stage(left_at=fact.at, result=StageResult.ANSWERED)
    return call


def _completed(call: Call, fact: f.AgentCompleted) -> Call:
    """Only where nobody was seen to leave: a disconnect by feature code asks no hangup of any channel."""
    talk = next((t for t in reversed(call.talks) if t.leg == _phone(call, fact.dest) or t.agent == fact.agent), None)
    known = {"agent": EndedBy.AGENT, "caller": EndedBy.CALLER}
    if talk is None or talk.ended_by is not EndedBy.SYSTEM or fact.reason not in known or call.legs[talk.leg].picked:
        return call
    return call.with_talk(talk, ended_by=known[fact.reason])


def _phone(call: Call, dest: str) -> str:
    offer = next((offer for offer in call.offers if offer.leg == dest), None)
    return dest if offer is None or offer.phone is None else offer.phone


def _dumped(call: Call, fact: f.AgentDumped) -> Call:
    return evolve(call, dumped=(*call.dumped, fact.agent))


def _step(call: Call, fact: f.StepReached) -> Call:
    if call.feature:
        return call
    if fact.leg not in (call.first, call.anchor) and not goes_on_behind(call, fact.leg):
        return step_behind(call, fact)
    kind, stage = STEP_KINDS[fact.step], call.open_stage
    if _repeated(call, kind, fact.name) or (call.legs[fact.leg].local and fact.name == call.transfers[-1].frm):
        return call
    if kind is StageKind.IVR and stage is not None and stage.kind is StageKind.IVR:
        return call
    if kind is StageKind.DIAL and fact.targets and all(t.number is not None for t in fact.targets):
        kind = StageKind.EXTERNAL
    if kind is not StageKind.EXTERNAL and call.legs[fact.leg].sought is not None:
        call = call.with_leg(fact.leg, sought=None)
    if stage is not None and kind in _DIALS and stage.leg == fact.leg and _is_group(call, stage):
        call = evolve(call, stages=tuple(each for each in call.stages if each is not stage))
    call = close_stage(call, fact.at)
    stage = Stage(kind=kind, name=fact.name, entered_at=fact.at, targets=fact.targets, leg=fact.leg)
    return evolve(call, stages=(*call.stages, stage))


def _is_group(call: Call, stage: Stage) -> bool:
    """Whether that is only a ring group's number, which gives way to its Dial; without a Dial nobody could be rung."""
    rung = any(offer.began_at >= stage.entered_at for offer in call.offers)
    return stage.kind is StageKind.DIAL and not stage.targets and not rung


def _repeated(call: Call, kind: StageKind, name: str) -> bool:
    """A blind transfer moves the channel on and tells the application it was in once more (16 and 22).

    That comes a moment before or after the BlindTransfer itself: as long as somebody talks, nothing new has begun.
    """
    last = _before_parking(call)
    if last is None or (last.kind, last.name) != (kind, name):
        return False
    if last is not call.last_stage:
        return True  # so does parking whose time ran out, when the Dial back to who parked begins
    if kind is StageKind.QUEUE and last.left_at is None:
        return True  # 22 tells the queue once more when the caller presses the key that leads out of it
    moved = bool(call.transfers) and last.entered_at <= call.transfers[-1].at
    return moved or any(talk.ended_at is None for talk in call.talks)


def _before_parking(call: Call) -> Stage | None:
    stages = (stage for stage in reversed(call.stages) if not stage.nested and stage.kind is not StageKind.PARKED)
    return next(stages, None)


def _sought(call: Call, fact: f.ExtensionSought) -> Call:
    mine = fact.leg in (call.first, call.anchor) or goes_on_behind(call, fact.leg)
    return call.with_leg(fact.leg, sought=fact.agent) if mine and not call.feature else call


def _dial_finished(call: Call, fact: f.DialFinished) -> Call:
    leg = call.legs[fact.leg]
    if fact.status and (leg.local or leg.sought):
        call = _nothing_rung(call, fact).with_leg(fact.leg, status=fact.status, sought=None)
    stage = call.open_stage
    if not fact.status or stage is None or stage.left_at is not None or stage.leg != fact.leg:
        return call
    if stage.kind not in _DIALS:
        return call
    call = unreachable_offers(call, stage)
    return call.with_stage(left_at=fact.at, result=StageResult.ANSWERED if fact.status == "ANSWER" else None)


def _nothing_rung(call: Call, fact: f.DialFinished) -> Call:
    """FreePBX dials nothing where DND is on or no phone is registered: it only says so."""
    agent, result = call.legs[fact.leg].sought, NOT_RUNG.get(fact.status)
    stage = call.open_stage
    if agent is None or result is None or (stage is not None and stage.left_at is None and stage.kind in _DIALS):
        return call
    at, call = fact.at, close_stage(call, fact.at)
    stage = Stage(kind=StageKind.DIAL, name=agent, entered_at=at, left_at=at, leg=fact.leg)
    ring = Offer(agent=agent, queue=None, began_at=at, leg="", ended_at=at, result=result)
    return evolve(call, stages=(*call.stages, stage), offers=(*call.offers, ring))


def _picked(call: Call, fact: f.LegPicked) -> Call:
    return call.with_leg(fact.target, picked=True) if fact.target in call.legs else call


def _held(call: Call, fact: f.LegHeld) -> Call:
    return call.with_leg(fact.leg, held=True)


def _unheld(call: Call, fact: f.LegUnheld) -> Call:
    return call.with_leg(fact.leg, held=False)


def _bridge_entered(call: Call, fact: f.BridgeEntered) -> Call:
    return call.with_leg(fact.leg, bridge=fact.bridge, left_at=None)


def _bridge_left(call: Call, fact: f.BridgeLeft) -> Call:
    return call.with_leg(fact.leg, bridge=None, left_at=fact.at) if call.legs[fact.leg].bridge == fact.bridge else call


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
    cause, unheard = (fact.cause, fact.unheard) if isinstance(fact, f.LegEnded) else (None, False)
    call = call.with_leg(fact.leg, ended_at=fact.at, cause=cause, unheard=unheard)
    if isinstance(fact, f.LegVanished):
        call = evolve(call, vanished=True)
    call = _end_offers(call, call.legs[fact.leg])
    for talk in call.talks:
        if talk.ended_at is None and fact.leg in (talk.leg, call.anchor):
            call = end_talk(call, talk, fact.at)
    inner = queue_of(call, fact.leg)
    if inner is not None and inner.nested:
        call = call.with_stage(inner, left_at=inner.left_at or fact.at, result=StageResult.NO_ANSWER)
    if fact.leg == (call.anchor or call.first) or (call.open_stage and call.open_stage.leg == fact.leg):
        call = end_stage(call, fact.at)
    return call if any(call.live()) else evolve(bridged(call, fact.at), ended_at=fact.at)


def _end_offers(call: Call, leg: Leg) -> Call:
    for offer in call.offers:
        mine = (
            offer.phone == leg.id or (offer.leg == leg.id and offer.phone is None) or is_asked_behind(call, offer, leg)
        )
        if not mine or leg.ended_at is None:
            continue
        if offer.result is None:
            call = end_transfer_stage(call, offer, leg.ended_at)
            result = outcome(call, offer, leg)
            if offer.phone is None and result not in TRIED:  # nobody was rung behind that Local channel
                call = evolve(call, offers=tuple(each for each in call.offers if each is not offer))
                continue
            call = call.with_offer(offer, result=result, ended_at=leg.ended_at)
        elif offer.result is OfferResult.ANSWERED and leg.cause == 26 and all(t.leg != leg.id for t in call.talks):
            call = call.with_offer(offer, result=OfferResult.ANSWERED_ELSEWHERE)
        elif _dropped_unheard(call, offer, leg):
            talk = Talk(agent=offer.agent, leg=leg.id, began_at=offer.ended_at or leg.ended_at, ended_at=leg.ended_at)
            call = evolve(call, talks=(*call.talks, evolve(talk, ended_by=EndedBy.AGENT)))
    return call


def _dropped_unheard(call: Call, offer: Offer, leg: Leg) -> bool:
    """He picked up a Dial and was gone before the bridge: a talk of no length (a queue says AgentDump instead)."""
    direct = offer.queue is None and offer.counts and offer.result is OfferResult.ANSWERED
    return direct and leg.gave_up and not leg.picked and all(talk.leg != leg.id for talk in call.talks)


def _parked(call: Call, fact: f.CallParked) -> Call:
    call = close_stage(call, fact.at)
    return evolve(call, stages=(*call.stages, Stage(kind=StageKind.PARKED, name=fact.space, entered_at=fact.at)))


_RULES: Final[dict[type[f.LegFact], Callable[[Call, Any], Call]]] = {
    f.LegStarted: _started,
    f.LegRang: _rang,
    f.LegAnswered: _answered,
    f.DialBegan: dial_began,
    f.AgentOffered: offered,
    f.AgentConnected: connected,
    f.AgentCompleted: _completed,
    f.AgentDumped: _dumped,
    f.StepReached: _step,
    f.CallQueued: queued,
    f.CallUnqueued: unqueued,
    f.QueueFinished: queue_finished,
    f.ExtensionSought: _sought,
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
    f.TransferredBlind: transferred_blind,
    f.TransferredAttended: transferred_attended,
    f.CallParked: _parked,
    f.LegPicked: _picked,
}
_WITHOUT_LEG: Final = frozenset({f.LegStarted, f.DialBegan, f.LegPicked})
_REWIRE: Final = frozenset({f.BridgeEntered, f.BridgeLeft, f.LocalJoined, f.LegHeld, f.LegUnheld, f.LegEnded})
