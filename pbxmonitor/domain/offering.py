"""Rings: who is offered the call, by a queue or by a Dial, and through which of his phones."""

from datetime import datetime

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import Call, Direction, Leg, Offer, OfferResult, Stage, StageKind
from pbxmonitor.domain.evolve import evolve


def offer_of(call: Call, leg: str) -> Offer | None:
    """The offer whose phone that is; of a Local channel, the one that no real phone is known for."""
    for offer in reversed(call.offers):
        if offer.phone == leg or (offer.leg == leg and offer.phone is None):
            return offer
    return None


def dial_began(call: Call, fact: f.DialBegan) -> Call:
    dest = call.legs.get(fact.dest)
    if dest is None or dest.dialled_by is not None:
        return call
    if dest.trunk:
        call = call.with_leg(fact.dest, dialled_by=fact.leg, number=fact.number, agent=fact.person)
    else:
        call = call.with_leg(fact.dest, dialled_by=fact.leg)
    behind = _offer_behind(call, fact.leg)
    if behind is not None:
        return _rings_behind(call, behind, dest, fact.at)
    if dest.trunk:
        return _dials_out(call, fact)
    if dest.agent is None or not fact.leg or any(o.leg == dest.id for o in call.offers):
        return call
    offer = _new_offer(dest.agent, None, dest, fact.at)
    if not for_customer(call, fact.leg):
        return evolve(call, offers=(*call.offers, evolve(offer, consultation=True)))
    return evolve(_implied_dial(call, dest.agent, StageKind.DIAL, fact), offers=(*call.offers, offer))


def _implied_dial(call: Call, name: str, kind: StageKind, fact: f.DialBegan) -> Call:
    """The stage of a Dial that no Newexten told of: so it is after a blind transfer."""
    stage = call.open_stage
    if stage is not None and stage.left_at is None:
        implied = stage.kind is kind and not stage.targets and name not in stage.name.split("&")
        return call.with_stage(name=f"{stage.name}&{name}") if implied else call
    return evolve(call, stages=(*call.stages, Stage(kind=kind, name=name, entered_at=fact.at, leg=fact.leg)))


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


def for_customer(call: Call, dialler: str) -> bool:
    if dialler in (call.first, call.anchor):
        return True
    leg = call.legs.get(dialler)
    return leg is not None and leg.partner is not None and leg.partner in (call.first, call.anchor)


def _dials_out(call: Call, fact: f.DialBegan) -> Call:
    if call.direction is Direction.OUTBOUND and not call.called.lstrip("+").isdigit() and fact.number:
        call = evolve(call, called=fact.number)
    if not for_customer(call, fact.leg):
        return call
    stage = call.open_stage
    if stage is None or stage.left_at is not None:
        return _implied_dial(call, fact.number or "", StageKind.EXTERNAL, fact)
    if stage.kind is not StageKind.DIAL or len(stage.targets) > 1:
        return call
    return call.with_stage(kind=StageKind.EXTERNAL, name=fact.number or stage.name)


def _new_offer(agent: str, queue: str | None, dest: Leg, at: datetime) -> Offer:
    return Offer(agent=agent, queue=queue, began_at=at, leg=dest.id, phone=None if dest.local else dest.id)


def offered(call: Call, fact: f.AgentOffered) -> Call:
    dest = call.legs.get(fact.dest)
    if dest is None:
        return call
    known = next((offer for offer in call.offers if offer.leg == fact.dest), None)
    if known is not None:
        return call.with_offer(known, agent=fact.agent, queue=fact.queue, consultation=False)
    offer = _new_offer(fact.agent, fact.queue, dest, fact.at)
    early = next((o for o in call.offers if dest.local and _dialled_by_half(call, o, dest)), None)
    if early is None:
        return evolve(call, offers=(*call.offers, offer))
    return call.with_offer(early, agent=fact.agent, queue=fact.queue, leg=dest.id, phone=early.leg, consultation=False)


def _dialled_by_half(call: Call, offer: Offer, dest: Leg) -> bool:
    """The ring behind a Local member was told before the queue's own word of it."""
    dialler = call.legs[offer.leg].dialled_by if offer.leg in call.legs else None
    return dialler is not None and dialler == dest.partner


def unreachable_offers(call: Call, stage: Stage) -> Call:
    """A phone that is not registered makes no channel: a 0 s ring says that it was tried."""
    rung = {offer.agent for offer in call.offers if offer.began_at >= stage.entered_at}
    missing = (t.agent for t in stage.targets if t.agent is not None and t.agent not in rung)
    at = stage.entered_at
    made = tuple(
        Offer(agent=agent, queue=None, began_at=at, leg="", ended_at=at, result=OfferResult.UNREACHABLE)
        for agent in missing
    )
    return evolve(call, offers=(*call.offers, *made)) if made else call
