"""At what a call keeps the agents in it."""

from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.bridging import conversing
from pbxmonitor.domain.call import Call, Offer, OfferResult


def alike(one: Call | None, other: Call, leg: str) -> bool:
    """Whether a fact about that leg, the only one that it can have held or ended, changed nobody's work."""
    if one is None or one.offers is not other.offers or one.talks is not other.talks:
        return False
    if one.ended_at is not other.ended_at or one.direction is not other.direction:
        return False
    if (one.connected_at is None) != (other.connected_at is None):
        return False
    was, now = one.legs.get(leg), other.legs.get(leg)
    return was is now or was is None or now is None or (was.ended_at is now.ended_at and was.held is now.held)


def busy(call: Call) -> dict[str, AgentState]:
    """What the call keeps each agent at."""
    states: dict[str, AgentState] = {}
    if call.ended_at is not None:
        return states
    for offer in call.offers:
        if offer.result is None:
            states.setdefault(offer.agent, AgentState.RINGING)
        elif offer.result is OfferResult.ANSWERED and _answering(call, offer):
            states[offer.agent] = AgentState.TALKING
    dialler = conversing(call)
    if dialler is not None:
        states[dialler] = AgentState.TALKING
    for talk in call.talks:
        if talk.ended_at is None and not talk.external:
            held = talk.leg in call.legs and call.legs[talk.leg].held
            states[talk.agent] = AgentState.HOLD if held else AgentState.TALKING
    return states


def _answering(call: Call, offer: Offer) -> bool:
    """Picked up, the bridge still to come: already at work with this caller."""
    phone = call.legs.get(offer.phone or "")
    if phone is None or phone.ended_at is not None:
        return False
    return all(talk.leg != phone.id for talk in call.talks)
