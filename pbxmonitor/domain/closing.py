"""How stages and talks end."""

from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.call import Call, EndedBy, Leg, Offer, OfferResult, StageKind, StageResult, Talk

# The phones of a queue that was left stop ringing within so long of it, told before or after.
_AT_THAT_MOMENT: Final = timedelta(seconds=1)
_AT_ONCE: Final = timedelta(seconds=0.1)
_GONE_ON: Final = {StageKind.QUEUE: StageResult.KEY, StageKind.PARKED: StageResult.TIMEOUT}


def close_stage(call: Call, at: datetime) -> Call:
    """The call gone on from its open stage: IVR passed, queue left by a key, parking timed out, dial undecided."""
    stage = call.open_stage
    if stage is None:
        return call
    left_at = stage.left_at or at
    if stage.kind in (StageKind.DIAL, StageKind.EXTERNAL):
        return call if stage.left_at else call.with_stage(left_at=left_at)
    if stage.kind is StageKind.QUEUE and stage.left_at is not None:
        return _left_by_key(call, left_at)
    return call.with_stage(left_at=left_at, result=_GONE_ON.get(stage.kind, StageResult.PASSED))


def _left_by_key(call: Call, at: datetime) -> Call:
    """The caller himself ended the rings, as queue_log's RINGCANCELED says; no event tells of the key (16 and 22)."""
    queue = call.stages[-1].name
    for offer in call.offers:
        rang_out = offer.queue == queue and offer.result is OfferResult.RNA
        if rang_out and offer.ended_at is not None and abs(offer.ended_at - at) <= _AT_THAT_MOMENT:
            call = call.with_offer(offer, result=OfferResult.CALLER_GAVE_UP)
    return call.with_stage(left_at=at, result=StageResult.KEY)


def end_stage(call: Call, at: datetime) -> Call:
    stage = call.open_stage
    if stage is None:
        return call
    if stage.kind is StageKind.QUEUE and stage.left_at is not None and _let_go(call, stage.left_at, at):
        return _left_by_key(call, stage.left_at)
    result = StageResult.ABANDONED if call.caller_left and stage.left_at is None else None
    return call.with_stage(left_at=stage.left_at or at, result=result)


def _let_go(call: Call, left_at: datetime, at: datetime) -> bool:
    """He came out of the queue with his call going on, and neither it nor anybody else said why: a key."""
    ordered = call.first_leg.ordered_at
    gone_on = at - left_at > _AT_ONCE and not call.vanished and not call.transfers
    return gone_on and (ordered is None or ordered > left_at)


def end_transfer_stage(call: Call, offer: Offer, at: datetime) -> Call:
    stage = call.open_stage
    waits = stage is not None and stage.left_at is None and stage.name == offer.agent
    return call.with_stage(left_at=at) if offer.completed and waits else call


def end_talk(call: Call, talk: Talk, at: datetime, by: EndedBy | None = None) -> Call:
    leg = call.legs.get(talk.leg)
    away = (at - talk.away_at).total_seconds() if talk.away_at else 0.0
    return call.with_talk(
        talk, ended_at=at, ended_by=by or _who_left(call, leg), hold_s=talk.hold_s + away, away_at=None
    )


def _who_left(call: Call, leg: Leg | None) -> EndedBy:
    if leg is not None and leg.picked:
        return EndedBy.SYSTEM  # a colleague's pickup crossed his answer
    customer = call.legs.get(call.anchor or "")
    agent_at = leg.asked_at if leg is not None and leg.gave_up else None
    caller_at = customer.asked_at if customer is not None and customer.gave_up else None
    if agent_at is not None and (caller_at is None or agent_at <= caller_at):
        return EndedBy.AGENT
    if caller_at is not None:
        return EndedBy.CALLER
    return _who_stepped_out(leg, customer)


def _who_stepped_out(agent: Leg | None, customer: Leg | None) -> EndedBy:
    """Nobody asked for a hangup: who pressed a disconnect code leaves the bridge first.

    AgentComplete is no witness of it: it says `caller` whoever pressed (16 and 22).
    """
    parties = [(leg, by) for leg, by in ((agent, EndedBy.AGENT), (customer, EndedBy.CALLER)) if leg and leg.left_at]
    parties.sort(key=lambda party: party[0].left_at or party[0].began_at)
    if agent is None or customer is None or not parties or agent.left_at == customer.left_at:
        return EndedBy.SYSTEM
    first, by = parties[0]
    sent = first.ordered_at is not None and first.left_at is not None and first.ordered_at <= first.left_at
    return EndedBy.SYSTEM if sent else by
