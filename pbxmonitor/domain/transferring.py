"""Transfers: the transferor's talk ends without blame, and the journey goes on at the target."""

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import Call, EndedBy, Leg, Offer, OfferResult, Stage, StageKind, StageResult, Transfer
from pbxmonitor.domain.closing import close_stage, end_talk
from pbxmonitor.domain.evolve import evolve


def _name(call: Call, leg: str) -> str:
    """Who is at that leg: the agent of its talk or offer, else of the leg itself."""
    talk = next((t for t in reversed(call.talks) if t.leg == leg), None)
    if talk is not None:
        return talk.agent
    found = call.legs.get(leg)
    return "" if found is None else found.agent or found.number or found.endpoint


def _transferred(call: Call, fact: f.LegFact, kind: str, to: str) -> Call:
    for talk in call.talks:
        if isinstance(fact, f.TransferredAttended) and fact.stays:
            break  # all three talk until one of them leaves
        if talk.leg == fact.leg and talk.ended_at is None:
            call = end_talk(call, talk, fact.at, EndedBy.TRANSFER)
        elif fact.leg == call.anchor and talk.ended_at is None:  # he sent the agent on, and is gone himself
            call = end_talk(call, talk, fact.at, EndedBy.CALLER)
    transfer = Transfer(kind=kind, frm=_name(call, fact.leg), to=to, at=fact.at)
    return evolve(call, transfers=(*call.transfers, transfer))


def transferred_blind(call: Call, fact: f.TransferredBlind) -> Call:
    if any(offer.leg == fact.leg and not offer.counts for offer in call.offers):
        return call  # who is only asked sends the asking colleague on, not the customer
    return _transferred(call, fact, "blind", fact.to)


def transferred_attended(call: Call, fact: f.TransferredAttended) -> Call:
    offer = _consulted(call, fact)
    outside = _consulted_outside(call, fact.target) if offer is None else None
    target = outside.id if outside else fact.target or _across(call, fact)
    call = _transferred(call, fact, "attended", offer.agent if offer is not None else _name(call, target))
    name = call.transfers[-1].to
    if offer is not None:
        call = evolve(call, offers=tuple(_completed(call, each, offer) for each in call.offers))
    elif outside is None:
        return call
    answered = outside is not None or (offer is not None and offer.result is OfferResult.ANSWERED)
    stage = Stage(
        kind=StageKind.DIAL if offer is not None else StageKind.EXTERNAL,
        name=name,
        entered_at=fact.at,
        left_at=fact.at if answered else None,
        result=StageResult.ANSWERED if answered else None,
    )
    return evolve(close_stage(call, fact.at), stages=(*call.stages, stage))


def _completed(call: Call, each: Offer, answered: Offer) -> Offer:
    """The consultation's rings have become the customer's: of a queue or a group, all that one Dial or Queue rang."""
    dialler = call.legs[answered.leg].dialled_by if answered.leg in call.legs else None
    together = dialler and each.consultation and each.leg in call.legs and call.legs[each.leg].dialled_by == dialler
    together = together and each.result is not OfferResult.ANSWERED  # who was asked before, and has sent him on
    return evolve(each, completed=True) if together or each is answered else each


def _gone(call: Call, offer: Offer) -> bool:
    leg = call.legs.get(offer.leg)
    return leg is None or leg.ended_at is not None


def _across(call: Call, fact: f.TransferredAttended) -> str:
    """Whom the customer now has before him, where the event names no target (16)."""
    bridge = call.legs[call.anchor or call.first].bridge
    mine = {fact.leg, fact.second, call.anchor or call.first}
    return next((leg.id for leg in call.live() if leg.bridge == bridge and leg.id not in mine), "") if bridge else ""


def _near(call: Call, leg: str) -> set[str | None]:
    """That channel and, of a Local one, its other half."""
    half = call.legs.get(leg)
    return {leg, half.partner if half is not None else None} - {None, ""}


def _consulted_outside(call: Call, target: str) -> Leg | None:
    """The outside phone behind the target's channel; where the event names none (16), the one dialled last."""
    near = _near(call, target)
    outside = [leg for leg in call.live() if leg.trunk and leg.dialled_by and leg.id != call.anchor]
    if near:
        return next((leg for leg in outside if leg.id in near or leg.dialled_by in near), None)
    return outside[-1] if outside else None


def _consulted(call: Call, fact: f.TransferredAttended) -> Offer | None:
    """The consultation's ring: the target's own when the event names it, else the last one still open or answered."""
    rings = [offer for offer in call.offers if offer.consultation and not offer.completed]
    near = _near(call, fact.target)
    named = [o for o in rings if o.leg in near or (o.leg in call.legs and call.legs[o.leg].dialled_by in near)]
    going = [o for o in rings if o.result is None or (o.result is OfferResult.ANSWERED and not _gone(call, o))]
    if named:
        return next((ring for ring in (*named, *named[::-1]) if ring in going), named[-1])
    outside = _consulted_outside(call, fact.target) if near else None
    return going[-1] if going and outside is None else None
