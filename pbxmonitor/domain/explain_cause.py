"""The cause of a call that nobody really talked to, with the rings and talks that gave it."""

from collections.abc import Callable, Mapping
from typing import Final

from pbxmonitor.domain.call import Call, EndedBy, Offer, OfferResult, Stage, StageKind, StageResult, Talk
from pbxmonitor.domain.judge import Cause, Judgement, rang
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import seconds

# The end of a catalogue key, and the values of that text.
Told = tuple[str, Mapping[str, object]]
_HEARD: Final = (OfferResult.RNA, OfferResult.CALLER_GAVE_UP)


def cause_told(cause: Cause, call: Call, judged: Judgement, policy: Policy) -> Told:
    """Which rule gave that cause, which the judgement of the call under that policy has."""
    return _RULES[cause](call, judged, policy)


def own_policy(call: Call, policy: Policy) -> Policy:
    """The policy of the call: that of the first queue it came to."""
    return policy.of_queue(next((stage.name for stage in call.stages if stage.kind is StageKind.QUEUE), None))


def real(talk: Talk, own: Policy) -> bool:
    """Whether that was a talk: the agent did not drop the caller at once."""
    if talk.ended_by is not EndedBy.AGENT or talk.ended_at is None:
        return True
    return talk.ended_at - talk.began_at > own.dropped_within


def rang_s(offer: Offer) -> float:
    """How long that phone rang, in seconds."""
    return seconds(offer.began_at, offer.ended_at or offer.began_at)


def talked_s(talk: Talk) -> float:
    """How long that talk lasted, in seconds."""
    return seconds(talk.began_at, talk.ended_at or talk.began_at)


def against(ring: Offer, policy: Policy) -> Mapping[str, object]:
    """A ring beside the least one that is somebody's miss."""
    least = policy.of_queue(ring.queue).min_ring.total_seconds()
    return {"agent": ring.agent, "rang_s": rang_s(ring), "min_ring_s": least}


def _after_hours(call: Call, _: Judgement, policy: Policy) -> Told:
    spans = policy.hours.spans(call.started_at.astimezone(policy.hours.zone).date())
    if not spans:
        return "after_hours.day_off", {"at": call.started_at}
    return "after_hours", {"at": call.started_at, "opens_at": spans[0][0], "closes_at": spans[-1][1]}


def _short_abandon(call: Call, judged: Judgement, policy: Policy) -> Told:
    least = own_policy(call, policy).short_abandon.total_seconds()
    return "short_abandon", {"wait_s": judged.wait_s, "short_abandon_s": least}


def _ivr(_: Call, judged: Judgement, __: Policy) -> Told:
    menus = [stage.name for stage in judged.stages if stage.kind is StageKind.IVR]
    if not menus:
        return "ivr.nowhere", {"wait_s": judged.wait_s}
    return "ivr", {"name": menus[-1], "wait_s": judged.wait_s}


def _queues(judged: Judgement) -> list[Stage]:
    return [stage for stage in judged.stages if stage.kind is StageKind.QUEUE]


def _names(stages: list[Stage]) -> str:
    return ", ".join(dict.fromkeys(stage.name for stage in stages))


def _tried(call: Call) -> dict[str, object]:
    """The agents whose phones were tried."""
    agents = list(dict.fromkeys(offer.agent for offer in call.offers if offer.counts))
    return {"n": len(agents), "agents": ", ".join(agents)}


def _no_agents(_: Call, judged: Judgement, __: Policy) -> Told:
    return "no_agents", {"queue": _names(_queues(judged))}


def _technical(call: Call, judged: Judgement, _: Policy) -> Told:
    tried = _tried(call)
    if tried["n"]:
        return "technical", tried
    queues = _queues(judged)
    return "technical.offline", {"queue": _names(queues), "n": max(stage.available or 0 for stage in queues)}


def _refused(call: Call, _: Judgement, __: Policy) -> Told:
    return "refused", _tried(call)


def _overload(_: Call, judged: Judgement, __: Policy) -> Told:
    queues = _queues(judged)
    return "overload", {"queue": _names(queues), "n": max(stage.available or 0 for stage in queues)}


def _transfer_failed(call: Call, _: Judgement, __: Policy) -> Told:
    agent = call.talks[-1].agent
    if not call.transfers:
        return "transfer_failed.unnamed", {"agent": agent}
    return "transfer_failed", {"agent": agent, "to": call.transfers[-1].to, "at": call.transfers[-1].at}


def _dropped(call: Call, _: Judgement, policy: Policy) -> Told:
    if not call.talks:
        return "dropped.before_the_talk", {"agent": call.dumped[-1]}
    talk = call.talks[-1]
    within = own_policy(call, policy).dropped_within.total_seconds()
    return "dropped", {"agent": talk.agent, "talk_s": talked_s(talk), "dropped_within_s": within}


def _declined(call: Call, _: Judgement, __: Policy) -> Told:
    ring = next(o for o in reversed(call.offers) if o.counts and o.result is OfferResult.DECLINED)
    return "declined", {"agent": ring.agent, "rang_s": rang_s(ring)}


def _ignored(call: Call, _: Judgement, policy: Policy) -> Told:
    return "ignored", against(max((o for o in call.offers if o.counts and rang(o, policy)), key=rang_s), policy)


def _caller_gave_up(call: Call, judged: Judgement, policy: Policy) -> Told:
    """What is left when no rule fits, told by what there was instead of a ring long enough."""
    heard = [offer for offer in call.offers if offer.counts and offer.result in _HEARD]
    if heard:
        return "caller_gave_up.short_ring", against(max(heard, key=rang_s), policy)
    outside = next((stage for stage in reversed(judged.stages) if stage.kind is StageKind.EXTERNAL), None)
    if outside is not None:
        return "caller_gave_up.outside", {"number": outside.name, "wait_s": judged.wait_s}
    full = next((stage for stage in judged.stages if stage.result is StageResult.FULL), None)
    if full is not None:
        return "caller_gave_up.full", {"queue": full.name}
    return "caller_gave_up", {"wait_s": judged.wait_s}


_RULES: Final[Mapping[Cause, Callable[[Call, Judgement, Policy], Told]]] = {
    Cause.AFTER_HOURS: _after_hours,
    Cause.SHORT_ABANDON: _short_abandon,
    Cause.IVR: _ivr,
    Cause.NO_AGENTS: _no_agents,
    Cause.TECHNICAL: _technical,
    Cause.REFUSED: _refused,
    Cause.OVERLOAD: _overload,
    Cause.TRANSFER_FAILED: _transfer_failed,
    Cause.DROPPED: _dropped,
    Cause.DECLINED: _declined,
    Cause.IGNORED: _ignored,
    Cause.CALLER_GAVE_UP: _caller_gave_up,
}
