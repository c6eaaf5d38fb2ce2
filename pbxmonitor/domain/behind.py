"""Local channels: for whom they are made, and what the dialplan behind them tells.

FreePBX rings through them, one in another: a queue's member is `Local/101@from-queue/n`, Follow Me is
`Local/FMPR-101@from-internal` and `Local/FMGL-101#@from-internal`, an outside phone `Local/+7…@from-internal/n`. The
real phone at the end names the person; where it cannot (a mobile), the nearest Local channel named after one does.
"""

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import Call, Leg, Offer, OfferResult
from pbxmonitor.domain.evolve import evolve


def halves(call: Call, dialler: str) -> tuple[Leg, ...]:
    """The near halves of the Local channels behind which that channel dials, the nearest first."""
    found: list[Leg] = []
    leg = call.legs.get(dialler)
    while leg is not None and leg.local:
        half = call.legs.get(leg.partner or "")
        if half is None or half in found:
            break
        found.append(half)
        leg = call.legs.get(half.dialled_by or "")
    return tuple(found)


def is_behind(call: Call, offer: Offer, half: Leg) -> bool:
    """Whether that ring came about behind the Local channel whose near half this is."""
    phone = call.legs.get(offer.phone or offer.leg)
    return phone is not None and any(each.id == half.id for each in halves(call, phone.dialled_by or ""))


def is_asked_behind(call: Call, offer: Offer, half: Leg) -> bool:
    """Whether that ring is over with the Local channel: who is asked for a key is asked on when nobody waits."""
    phone = call.legs.get(offer.phone or "")
    if not half.local or phone is None or offer.result is not None or not is_behind(call, offer, half):
        return False
    return phone.asking or any(each.asking for each in halves(call, phone.dialled_by or ""))


def person_behind(call: Call, path: tuple[Leg, ...], phone: Leg) -> str | None:
    """Whose phone rings there: its own person, else whose call that is."""
    named = next((half.agent for half in path if half.agent and not (half.group and phone.trunk)), None)
    if phone.agent is not None or named is not None:
        return phone.agent or named
    dialler = call.legs.get(path[-1].dialled_by or "")
    return dialler.sought if dialler is not None else None


def step_behind(call: Call, fact: f.StepReached) -> Call:
    """What the dialplan does on a channel that is not the caller's."""
    if fact.step is f.Step.IVR:
        return _asks(call, fact.leg)
    half = call.legs.get(call.legs[fact.leg].partner or "")
    if half is None or half.agent is None or half.group:
        return call
    rung = {target.agent for target in fact.targets if target.agent is not None}
    other = fact.step is f.Step.QUEUE or (fact.step is f.Step.DIAL and rung and half.agent not in rung)
    return _is_no_person(call, half) if other else call


def _is_no_person(call: Call, half: Leg) -> Call:
    """The number of a ring group or a queue, or an extension that is forwarded: only who is rung behind it is rung."""
    kept = tuple(offer for offer in call.offers if offer.leg != half.id or offer.phone is not None)
    return evolve(call.with_leg(half.id, group=True), offers=kept)


def _asks(call: Call, leg: str) -> Call:
    """Press 1 to accept: who picked up has not answered yet, be it his mailbox or himself."""
    call = call.with_leg(leg, asking=True)
    for offer in call.offers:
        mine = offer.phone == leg or is_behind(call, offer, call.legs[leg])
        if mine and offer.result is OfferResult.ANSWERED and all(talk.leg != offer.phone for talk in call.talks):
            call = call.with_offer(offer, result=None, ended_at=None)
    return call
