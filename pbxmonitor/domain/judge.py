"""What a call means under a policy: stage results, verdicts, disposition, lost and its cause. Pure, recomputable."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
)
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.ringing import FAILURES, REFUSALS


class Disposition(StrEnum):
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why nobody really talked to the caller; the first that fits."""

    AFTER_HOURS = "after_hours"
    SHORT_ABANDON = "short_abandon"
    IVR = "ivr"
    NO_AGENTS = "no_agents"
    TECHNICAL = "technical"
    REFUSED = "refused"
    OVERLOAD = "overload"
    TRANSFER_FAILED = "transfer_failed"
    DROPPED = "dropped"
    DECLINED = "declined"
    IGNORED = "ignored"
    CALLER_GAVE_UP = "caller_gave_up"


class Verdict(StrEnum):
    """What an agent did with a call: exactly one per agent and call."""

    ANSWERED = "answered"
    MISSED = "missed"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    REFUSED = "refused"
    NOT_COUNTED = "not_counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """All that the policy says of one call; durations in seconds."""

    disposition: Disposition
    lost: bool
    cause: Cause | None
    wait_s: float
    talk_s: float
    answered_at: datetime | None
    answered_by: str | None
    ended_by: EndedBy | None
    short_hangup: bool
    stages: tuple[Stage, ...]
    verdicts: dict[str, Verdict]


def judge(call: Call, policy: Policy, now: datetime) -> Judgement:
    """The judgement of a call, ended or still open at `now`."""
    end = call.ended_at or now
    stages = tuple(_settled(call, stage) for stage in call.stages)
    disposition = _disposition(call, stages)
    queue = next((stage.name for stage in stages if stage.kind is StageKind.QUEUE), None)
    own = policy.of_queue(queue)
    wait = (_answered_at(call) or _gone_at(call) or end) - _waiting_since(call)
    cause = _cause(call, stages, disposition, own, wait) if _unattended(call, own) else None
    return Judgement(
        disposition=disposition,
        lost=call.ended_at is not None and cause is not None and cause is not Cause.SHORT_ABANDON,
        cause=cause if call.ended_at is not None else None,
        wait_s=_seconds(wait),
        talk_s=round(call.connected_s + (_seconds(end - call.connected_at) if call.connected_at else 0.0), 3),
        answered_at=_answered_at(call),
        answered_by=_answered_by(call),
        ended_by=_ended_by(call),
        short_hangup=any(short_hangup(call, talk, policy) for talk in call.talks) or bool(call.dumped),
        stages=stages,
        verdicts=_verdicts(call, policy),
    )


def short_hangup(call: Call, talk: Talk, policy: Policy, by: EndedBy = EndedBy.AGENT) -> bool:
    """Whether the agent (or whoever `by` names) ended that talk of an inbound call within `short_hangup`."""
    if call.direction is not Direction.INBOUND or talk.ended_by is not by or talk.ended_at is None or talk.late:
        return False  # of one that was going on when it was first seen nobody knows
    queue = next((offer.queue for offer in call.offers if talk.leg in (offer.phone, offer.leg)), None)
    return talk.ended_at - talk.began_at <= policy.of_queue(queue).short_hangup


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 3)


def _gone_at(call: Call) -> datetime | None:
    """When the caller of an inbound call was gone: phones may go on asking for a key after him."""
    return call.first_leg.ended_at if call.direction is Direction.INBOUND else None


def _answered_at(call: Call) -> datetime | None:
    return call.talks[0].began_at if call.talks else None


def _answered_by(call: Call) -> str | None:
    if not call.talks:
        return None
    if call.direction is Direction.OUTBOUND:
        customer = call.legs.get(call.anchor or "")
        return (customer.number if customer else None) or call.called
    return call.talks[0].agent


def _waiting_since(call: Call) -> datetime:
    reached = (stage.entered_at for stage in call.stages if stage.kind not in (StageKind.IVR, StageKind.VOICEMAIL))
    return next(reached, call.started_at)


def _ended_by(call: Call) -> EndedBy | None:
    if call.ended_at is None:
        return None
    if call.talks:
        return call.talks[-1].ended_by
    return EndedBy.CALLER if call.caller_left else EndedBy.SYSTEM


def _settled(call: Call, stage: Stage) -> Stage:
    """The stage with its result; a dial's comes from its offers and legs, once they have ended."""
    if stage.result is not None or stage.left_at is None:
        return stage
    if stage.kind is StageKind.DIAL:
        return evolve(stage, result=_dial_result(call, stage))
    if stage.kind is StageKind.EXTERNAL:
        return evolve(stage, result=_external_result(call, stage))
    # the stage that a transfer leads to may be told a moment before the transfer itself (16)
    taken = any(transfer.at - stage.entered_at > _MOMENT for transfer in call.transfers)
    return evolve(stage, result=StageResult.TRANSFERRED if taken else StageResult.NO_ANSWER)


def _dial_result(call: Call, stage: Stage) -> StageResult:
    left_at = stage.left_at or stage.entered_at
    transferred = [o for o in call.offers if o.completed and o.agent == stage.name]
    rings = [o for o in call.offers if o.queue is None and stage.entered_at <= o.began_at <= left_at] or transferred
    results = {offer.result for offer in rings}
    if OfferResult.ANSWERED in results:
        return StageResult.ANSWERED
    if OfferResult.CALLER_GAVE_UP in results:
        return StageResult.ABANDONED
    if not results - {OfferResult.UNREACHABLE}:
        return StageResult.UNREACHABLE
    if not results - {OfferResult.UNREACHABLE, OfferResult.BUSY, OfferResult.DECLINED}:
        return StageResult.BUSY
    return StageResult.NO_ANSWER


def _external_result(call: Call, stage: Stage) -> StageResult:
    left_at = stage.left_at or stage.entered_at
    legs = [
        leg
        for leg in call.legs.values()
        if leg.dialled_by and leg.trunk and stage.entered_at <= leg.began_at <= left_at
    ]
    if not legs:
        return StageResult.UNREACHABLE
    if any(leg.answered_at for leg in legs):
        return StageResult.ANSWERED
    if call.caller_left:
        return StageResult.ABANDONED
    causes = {leg.cause for leg in legs}
    if causes <= REFUSALS:
        return StageResult.BUSY
    unheard = all(leg.rang_at is None for leg in legs)
    return StageResult.UNREACHABLE if unheard and causes <= FAILURES else StageResult.NO_ANSWER


_MOMENT: Final = timedelta(seconds=1)
_DIALS: Final = (StageKind.DIAL, StageKind.EXTERNAL)
_LAST_DIAL: Final = {StageResult.BUSY: Disposition.BUSY, StageResult.UNREACHABLE: Disposition.UNREACHABLE}


def _disposition(call: Call, stages: tuple[Stage, ...]) -> Disposition:
    if call.feature:
        return Disposition.NO_ANSWER
    if call.talks:
        return Disposition.ANSWERED
    if call.vanished or call.ended_at is None:
        return Disposition.UNKNOWN
    if call.caller_left:
        return Disposition.ABANDONED
    last = stages[-1] if stages and stages[-1].kind in _DIALS else None
    return _LAST_DIAL.get(last.result, Disposition.NO_ANSWER) if last and last.result else Disposition.NO_ANSWER


def _unattended(call: Call, policy: Policy) -> bool:
    """No real talk: none at all, only ones that the agent dropped at once, or a transfer to nobody."""
    if call.direction is not Direction.INBOUND or call.merged_into is not None or call.vanished:
        return False  # of a call whose end was not seen nobody knows
    return not call.talks or _transfer_failed(call) or all(_dropped(talk, policy) for talk in call.talks)


def _dropped(talk: Talk, policy: Policy) -> bool:
    ended = talk.ended_at
    at_once = ended is not None and ended - talk.began_at <= policy.dropped_within
    return at_once and talk.ended_by is EndedBy.AGENT and not talk.late


def _transfer_failed(call: Call) -> bool:
    return bool(call.talks) and call.talks[-1].ended_by is EndedBy.TRANSFER


def _cause(call: Call, stages: tuple[Stage, ...], disposition: Disposition, policy: Policy, wait: timedelta) -> Cause:
    rings = [offer for offer in call.offers if offer.counts]
    queues = [stage for stage in stages if stage.kind is StageKind.QUEUE]
    tests: tuple[tuple[Cause, Callable[[], bool]], ...] = (
        (Cause.AFTER_HOURS, lambda: not policy.hours.open_at(call.started_at)),
        (Cause.SHORT_ABANDON, lambda: disposition is Disposition.ABANDONED and wait < policy.short_abandon),
        (Cause.IVR, lambda: not call.late and not any(stage.kind in (StageKind.QUEUE, *_DIALS) for stage in stages)),
        (Cause.NO_AGENTS, lambda: _inside(stages) and not rings and (_nobody(queues) or _nobody_to_ring(stages))),
        (Cause.TECHNICAL, lambda: _inside(stages) and _technical(rings, queues)),
        (Cause.REFUSED, lambda: _inside(stages) and _all(rings, {OfferResult.BUSY})),
        (Cause.OVERLOAD, lambda: _inside(stages) and all(o.queue for o in rings) and _all_busy(queues)),
        (Cause.TRANSFER_FAILED, lambda: _transfer_failed(call)),
        (Cause.DROPPED, lambda: bool(call.talks or call.dumped)),
        (Cause.DECLINED, lambda: any(offer.result is OfferResult.DECLINED for offer in rings)),
        (Cause.IGNORED, lambda: any(rang(offer, policy) for offer in rings)),
    )
    return next((cause for cause, fits in tests if fits()), Cause.CALLER_GAVE_UP)


def _inside(stages: tuple[Stage, ...]) -> bool:
    """No outside phone was dialled."""
    return all(stage.kind is not StageKind.EXTERNAL for stage in stages)


def _nobody(queues: list[Stage]) -> bool:
    return bool(queues) and all(stage.available == 0 for stage in queues)


def _nobody_to_ring(stages: tuple[Stage, ...]) -> bool:
    """No queue, and ring groups of which FreePBX found nobody to dial (DND, not registered)."""
    reached = [stage for stage in stages if stage.kind in (StageKind.QUEUE, StageKind.DIAL)]
    return bool(reached) and all(s.kind is StageKind.DIAL and s.result is StageResult.UNREACHABLE for s in reached)


def _all_busy(queues: list[Stage]) -> bool:
    """From entry to end every available agent was at work with somebody else, rung or not."""
    return any(stage.available for stage in queues) and all(stage.idle == 0 for stage in queues)


def _technical(rings: list[Offer], queues: list[Stage]) -> bool:
    if rings:
        return _all(rings, {OfferResult.UNREACHABLE})
    return any(stage.available for stage in queues) and not any(stage.reachable for stage in queues)


def _all(rings: list[Offer], results: set[OfferResult]) -> bool:
    return bool(rings) and all(offer.result in results for offer in rings)


def rang(offer: Offer, policy: Policy) -> bool:
    """Whether that ring was long enough to be somebody's miss."""
    if offer.result not in (OfferResult.RNA, OfferResult.CALLER_GAVE_UP) or offer.ended_at is None:
        return False
    return offer.ended_at - offer.began_at >= policy.of_queue(offer.queue).min_ring


def _verdicts(call: Call, policy: Policy) -> dict[str, Verdict]:
    if call.direction is not Direction.INBOUND:
        return {}
    rings: dict[str, list[Offer]] = {}
    for offer in call.offers:
        if offer.counts and offer.result is not None:
            rings.setdefault(offer.agent, []).append(offer)
    talked = {talk.agent for talk in call.talks if not talk.external}
    agents = [*rings, *sorted(talked - rings.keys())]
    return {a: Verdict.ANSWERED if a in talked else _verdict(rings[a], policy) for a in agents}


def _verdict(rings: list[Offer], policy: Policy) -> Verdict:
    results = {offer.result for offer in rings}
    if OfferResult.ANSWERED in results:
        return Verdict.ANSWERED
    if OfferResult.DECLINED in results or any(rang(offer, policy) for offer in rings):
        return Verdict.MISSED
    if OfferResult.ANSWERED_ELSEWHERE in results:
        return Verdict.ANSWERED_ELSEWHERE
    return Verdict.REFUSED if OfferResult.BUSY in results else Verdict.NOT_COUNTED
