"""Rings: who is offered the call, by a queue or by a Dial, and through which of his phones."""

from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.behind import halves, is_behind, person_behind
from pbxmonitor.domain.bridging import joined
from pbxmonitor.domain.call import Call, Direction, EndedBy, Leg, Offer, OfferResult, Stage, StageKind
from pbxmonitor.domain.closing import close_stage
from pbxmonitor.domain.evolve import evolve

_AT_ONCE: Final = timedelta(seconds=1)


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
    call = _told_early(call, call.legs[dest.id])
    path = halves(call, fact.leg)
    if path and not _passed_on(call, path):
        return call if dest.local else _rings_behind(call, path, call.legs[dest.id], fact)
    if dest.trunk:
        return _dials_out(call, fact)
    if dest.agent is None or dest.group or not fact.leg or any(_rings(call, o, dest) for o in call.offers):
        return call
    offer = _new_offer(dest.agent, None, dest, fact.at)
    if not for_customer(call, fact.leg):
        return evolve(call, offers=(*call.offers, evolve(offer, consultation=True)))
    return evolve(_implied_dial(call, dest.agent, StageKind.DIAL, fact), offers=(*call.offers, offer))


def _implied_dial(call: Call, name: str, kind: StageKind, fact: f.DialBegan) -> Call:
    """The stage of a Dial that no Newexten told of: so it is after a blind transfer."""
    stage = call.open_stage
    if stage is not None and stage.kind is StageKind.PARKED:
        call, stage = close_stage(call, fact.at), None  # nobody took him: back to who parked
    if stage is not None and stage.left_at is None:
        implied = stage.kind is kind and not stage.targets and name not in stage.name.split("&")
        return call.with_stage(name=f"{stage.name}&{name}") if implied else call
    return evolve(call, stages=(*call.stages, Stage(kind=kind, name=name, entered_at=fact.at, leg=fact.leg)))


def _rings(call: Call, offer: Offer, dest: Leg) -> bool:
    return offer.leg == dest.id or is_behind(call, offer, dest)


def _told_early(call: Call, dest: Leg) -> Call:
    """Rings behind a Local channel that were told before it was said who dials that."""
    for offer in call.offers:
        if (
            dest.local
            and offer.consultation
            and is_behind(call, offer, dest)
            and for_customer(call, dest.dialled_by or "")
        ):
            call = call.with_offer(offer, consultation=False)
    return call


def _passed_on(call: Call, path: tuple[Leg, ...]) -> bool:
    """Who answered there has sent the caller on: what is dialled behind his Local channel now is somebody else."""
    ids = {half.id for half in path}
    phones = {offer.phone for offer in call.offers if offer.leg in ids}
    return any(talk.leg in phones and talk.ended_by is EndedBy.TRANSFER for talk in call.talks)


def _rings_behind(call: Call, path: tuple[Leg, ...], phone: Leg, fact: f.DialBegan) -> Call:
    """A real phone rings behind Local channels: whoever's it is, it is his ring, once for each of his phones."""
    agent = person_behind(call, path, phone)
    if phone.trunk and (agent is None or not path[-1].queue):
        call = _dials_out(call, fact)
    if agent is None:
        return call
    ids = [half.id for half in path]
    mine = [offer for offer in call.offers if offer.leg in ids and offer.agent == agent]
    waiting = next((offer for offer in mine if offer.phone is None or _forwarded(call, offer, path[0], fact.at)), None)
    if waiting is not None:
        return _begins(call, waiting, phone, fact.at)
    queue = next((half.queue for half in path if half.queue), None)
    asked = not for_customer(call, fact.leg)
    return evolve(call, offers=(*call.offers, evolve(_new_offer(agent, queue, phone, fact.at), consultation=asked)))


def _forwarded(call: Call, offer: Offer, half: Leg, at: datetime) -> bool:
    """Whether his phone sent the ring on at once (302) through that Local channel: it is the same ring still."""
    phone = call.legs.get(offer.phone or "")
    sent_on = phone is not None and phone.asked_at is not None and phone.dialled_by == half.dialled_by
    return sent_on and offer.result is not OfferResult.ANSWERED and at - offer.began_at < _AT_ONCE


def _begins(call: Call, offer: Offer, phone: Leg, at: datetime) -> Call:
    """The ring of a Local channel is that of the phone behind it, which may come later (Follow Me waits before it)."""
    began_at = at if at - offer.began_at > _AT_ONCE else offer.began_at
    if offer.result is not None and (offer.ended_at is None or offer.ended_at <= at):
        return call.with_offer(offer, phone=phone.id, began_at=began_at, result=None, ended_at=None)
    return call.with_offer(offer, phone=phone.id, began_at=began_at)


def for_customer(call: Call, dialler: str) -> bool:
    """Whether that channel acts for the customer: his own, a Local one dialled for him, or one he talks through."""
    if dialler in (call.first, call.anchor):
        return True
    leg = call.legs.get(dialler)
    if leg is None or leg.partner is None:
        return False
    half = call.legs.get(leg.partner)
    if leg.partner in (call.first, call.anchor) or (half is not None and for_customer(call, half.dialled_by or "")):
        return True
    return dialler in joined(call, call.anchor or call.first)


def _dials_out(call: Call, fact: f.DialBegan) -> Call:
    if call.direction is Direction.OUTBOUND and not call.called.lstrip("+").isdigit() and fact.number:
        call = evolve(call, called=fact.number)
    if not for_customer(call, fact.leg):
        return call
    stage = call.open_stage
    if stage is None or stage.left_at is not None:
        return _implied_dial(call, fact.number or "", StageKind.EXTERNAL, fact)
    # a phone that forwards outside (302) stays what was dialled
    rung = any(offer.began_at >= stage.entered_at for offer in call.offers)
    if stage.kind is not StageKind.DIAL or len(stage.targets) > 1 or rung:
        return call
    return call.with_stage(kind=StageKind.EXTERNAL, name=fact.number or stage.name)


def _new_offer(agent: str, queue: str | None, dest: Leg, at: datetime) -> Offer:
    return Offer(agent=agent, queue=queue, began_at=at, leg=dest.id, phone=None if dest.local else dest.id)


def offered(call: Call, fact: f.AgentOffered) -> Call:
    dest = call.legs.get(fact.dest)
    if dest is None:
        return call
    asked = fact.leg in call.legs and not for_customer(call, fact.leg)  # an agent consults a queue
    call = call.with_leg(dest.id, queue=fact.queue)
    known = next((offer for offer in call.offers if offer.leg == fact.dest), None)
    if known is not None:
        return call.with_offer(known, agent=fact.agent, queue=fact.queue, consultation=asked)
    early = [offer for offer in call.offers if is_behind(call, offer, dest)]
    for ring in early:  # told before the queue's own word of it
        place = {"leg": dest.id, "phone": ring.phone or ring.leg} if ring.agent == fact.agent else {}
        call = call.with_offer(ring, queue=fact.queue, consultation=asked, **place)
    if early or dest.group:
        return call
    offer = evolve(_new_offer(fact.agent, fact.queue, dest, fact.at), consultation=asked)
    return evolve(call, offers=(*call.offers, offer))


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
