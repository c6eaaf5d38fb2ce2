"""How stages and talks end."""

from datetime import datetime

from pbxmonitor.domain.call import Call, EndedBy, Leg, Offer, StageKind, StageResult, Talk


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


def end_stage(call: Call, at: datetime) -> Call:
    stage = call.open_stage
    if stage is None:
        return call
    result = StageResult.ABANDONED if call.caller_left and stage.left_at is None else None
    return call.with_stage(left_at=stage.left_at or at, result=result)


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
    customer = call.legs.get(call.anchor or "")
    agent_at = leg.asked_at if leg is not None and leg.gave_up else None
    caller_at = customer.asked_at if customer is not None and customer.gave_up else None
    if agent_at is not None and (caller_at is None or agent_at <= caller_at):
        return EndedBy.AGENT
    return EndedBy.CALLER if caller_at is not None else EndedBy.SYSTEM
