"""Why the journal says what it says of a call: for each word the rule that gave it, and the values it compared.

`key` is the catalogue's; in `values` moments are aware datetimes, `…_s` seconds, `n` what is counted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from pbxmonitor.domain.call import Call, Direction, EndedBy, Offer, OfferResult, StageKind, Talk
from pbxmonitor.domain.callback import AttemptResult, Callback, Colour, State, client_of, owner_of
from pbxmonitor.domain.explain_cause import Told, against, cause_told, own_policy, rang_s, real, talked_s
from pbxmonitor.domain.judge import Cause, Disposition, Judgement, Verdict, rang, short_hangup
from pbxmonitor.domain.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One rule at work; `subject` is what it decided of: call, cause, colour, callback, or agent:101."""

    subject: str
    key: str
    values: Mapping[str, object]


def explain(
    call: Call, judged: Judgement, debt: Callback | None, colour: Colour | None, policy: Policy
) -> tuple[Reason, ...]:
    """The reasons of a call judged under that policy; `debt` is the callback that its miss belongs to.

    Exactly one for the disposition, for lost or not, for the colour, for the cause if there is one, for each verdict.
    """
    return (
        _reason("call", "disposition", _disposition(call, judged)),
        _reason("call", *_lost(call, judged, policy)),
        *((_reason("cause", "cause", cause_told(judged.cause, call, judged, policy)),) if judged.cause else ()),
        _reason("colour", "colour", _colour(call, judged, debt, colour, policy)),
        *(_reason(f"agent:{a}", "verdict", _verdict(a, each, call, policy)) for a, each in judged.verdicts.items()),
        *_short_hangups(call, policy),
        *_callback(call, judged, debt, policy),
    )


def _reason(subject: str, family: str, told: Told) -> Reason:
    word, values = told
    return Reason(subject=subject, key=f"why.{family}.{word}", values=values)


def _disposition(call: Call, judged: Judgement) -> Told:
    if call.feature:
        return "feature", {"code": call.called}
    if call.talks:
        who = "outside" if call.direction is Direction.OUTBOUND else "answered"
        return who, {"agent": judged.answered_by or "", "wait_s": judged.wait_s}
    if call.ended_at is None:
        return "open", {}
    if judged.disposition in (Disposition.BUSY, Disposition.UNREACHABLE):
        return judged.disposition.value, {"name": judged.stages[-1].name}
    return judged.disposition.value, {"wait_s": judged.wait_s}


def _lost(call: Call, judged: Judgement, policy: Policy) -> tuple[str, Told]:
    """Two families: why it was lost, or why it was not."""
    if not judged.lost:
        return "kept", _kept(call, judged, policy)
    if not call.talks:
        return "lost", ("no_talk", {})
    last = call.talks[-1]
    if last.ended_by is EndedBy.TRANSFER:
        return "lost", ("transfer", {"agent": last.agent})
    within = own_policy(call, policy).dropped_within.total_seconds()
    return "lost", ("dropped", {"agent": last.agent, "talk_s": talked_s(last), "dropped_within_s": within})


def _kept(call: Call, judged: Judgement, policy: Policy) -> Told:
    own = own_policy(call, policy)
    if call.merged_into is not None:
        return "merged", {"call": call.merged_into}
    if call.direction is not Direction.INBOUND:
        return "not_inbound", {}
    if judged.cause is Cause.SHORT_ABANDON:
        return "short_abandon", {"wait_s": judged.wait_s, "short_abandon_s": own.short_abandon.total_seconds()}
    if call.ended_at is None:
        return "open", {}
    talk = max((each for each in call.talks if real(each, own)), key=talked_s, default=None)
    if talk is None:
        return "vanished", {}
    return "talk", {"agent": talk.agent, "talk_s": talked_s(talk)}


def _colour(call: Call, judged: Judgement, debt: Callback | None, colour: Colour | None, policy: Policy) -> Told:
    found: Told | None = None
    if colour is None:
        found = _uncoloured(call, judged, debt)
    elif colour is Colour.GREEN:
        found = _green(call, judged, debt)
    elif judged.lost:
        found = _yellow(debt) if colour is Colour.YELLOW else _red(call, debt, policy)
    return found or ("stored", {})


def _uncoloured(call: Call, judged: Judgement, debt: Callback | None) -> Told | None:
    if call.direction is not Direction.INBOUND:
        return "not_inbound", {}
    if judged.cause is Cause.SHORT_ABANDON:
        return "short_abandon", {}
    if call.vanished and not call.talks:
        return "vanished", {}
    return ("dismissed", {}) if debt is not None and debt.state is State.DISMISSED else None


def _green(call: Call, judged: Judgement, debt: Callback | None) -> Told | None:
    if not judged.lost:
        return ("talk" if call.ended_at is not None else "open"), {}
    if debt is None or debt.state not in (State.REACHED, State.CLIENT_RETURNED):
        return None
    return debt.state.value, _closing(debt)


def _closing(debt: Callback) -> dict[str, object]:
    """Who really talked to the client in the end, when, and in which call."""
    return {"agent": debt.rescuer or "", "at": debt.closed_at or debt.opened_at, "call": debt.closed_by_call or ""}


def _yellow(debt: Callback | None) -> Told | None:
    tries = [each for each in debt.attempts if each.result is not AttemptResult.TOO_SHORT] if debt else []
    return ("tried", {"n": len(tries), "agent": tries[-1].agent, "at": tries[-1].at}) if tries else None


def _red(call: Call, debt: Callback | None, policy: Policy) -> Told:
    if debt is None:
        return _uncallable(call, policy) or "untried", {}
    if debt.attempts:
        return "fakes", {"n": len(debt.attempts), "min_attempt_ring_s": policy.min_attempt_ring.total_seconds()}
    return "untried", {}


def _uncallable(call: Call, policy: Policy) -> str | None:
    """Why nobody can call that client back."""
    number = client_of(call)
    if number is None:
        return "withheld"
    return "never_called" if number in policy.never_call_back else None


def _verdict(agent: str, verdict: Verdict, call: Call, policy: Policy) -> Told:
    rings = [each for each in call.offers if each.agent == agent and each.counts and each.result is not None]
    if verdict is Verdict.ANSWERED:
        return _answered(agent, rings, call)
    if verdict is Verdict.MISSED:
        return _missed(rings, policy)
    if verdict is Verdict.ANSWERED_ELSEWHERE:
        return _elsewhere(agent, _longest(rings, OfferResult.ANSWERED_ELSEWHERE), call)
    if verdict is Verdict.REFUSED:
        return "refused", {"agent": agent, "rang_s": rang_s(_longest(rings, OfferResult.BUSY))}
    return _not_counted(rings, policy)


def _longest(rings: list[Offer], *results: OfferResult) -> Offer:
    return max((each for each in rings if each.result in results), key=rang_s)


def _answered(agent: str, rings: list[Offer], call: Call) -> Told:
    talk = next((each for each in call.talks if each.agent == agent and not each.external), None)
    ring = next((each for each in rings if each.result is OfferResult.ANSWERED), None)
    told: dict[str, object] = {"agent": agent}
    if talk is not None and talk.ended_at is not None:
        told["talk_s"] = talked_s(talk)
    if ring is not None:
        told["rang_s"] = rang_s(ring)
    if talk is None:
        return "untalked", told
    return ("answered" if ring else "picked_up") + ("" if talk.ended_at else ".talking"), told


def _missed(rings: list[Offer], policy: Policy) -> Told:
    if any(each.result is OfferResult.DECLINED for each in rings):
        ring = _longest(rings, OfferResult.DECLINED)
        return "missed.declined", {"agent": ring.agent, "rang_s": rang_s(ring)}
    ring = max((each for each in rings if rang(each, policy)), key=rang_s)
    return f"missed.{ring.result}", against(ring, policy)


def _elsewhere(agent: str, ring: Offer, call: Call) -> Told:
    """The colleague is who came to the caller as that ring ended."""
    took = [(each.began_at, each.agent) for each in call.talks if each.agent != agent]
    took += [(o.ended_at, o.agent) for o in call.offers if o.ended_at and _took(o, agent)]
    ended_at = ring.ended_at or ring.began_at
    told: dict[str, object] = {"agent": agent, "rang_s": rang_s(ring)}
    if not took:
        return "answered_elsewhere.somebody", told
    _, colleague = min(took, key=lambda each: abs(each[0] - ended_at))
    return "answered_elsewhere", told | {"colleague": colleague}


def _took(offer: Offer, agent: str) -> bool:
    return offer.result is OfferResult.ANSWERED and offer.agent != agent


def _not_counted(rings: list[Offer], policy: Policy) -> Told:
    heard = (OfferResult.RNA, OfferResult.CALLER_GAVE_UP)
    if any(each.result in heard for each in rings):
        return "not_counted.short_ring", against(_longest(rings, *heard), policy)
    if any(each.result is OfferResult.CANCELLED for each in rings):
        ring = _longest(rings, OfferResult.CANCELLED)
        return "not_counted.cancelled", {"agent": ring.agent, "rang_s": rang_s(ring)}
    return "not_counted.unreachable", {"agent": rings[-1].agent}


def _short_hangups(call: Call, policy: Policy) -> Iterator[Reason]:
    for talk in call.talks:
        by = next((by for by in (EndedBy.AGENT, EndedBy.CALLER) if short_hangup(call, talk, policy, by)), None)
        if by is not None:
            yield _reason(f"agent:{talk.agent}", "short_hangup", (by.value, _hung_up(call, talk, policy)))
    for agent in call.dumped:
        yield _reason(f"agent:{agent}", "short_hangup", ("dumped", {"agent": agent}))


def _hung_up(call: Call, talk: Talk, policy: Policy) -> dict[str, object]:
    queue = next((offer.queue for offer in call.offers if talk.leg in (offer.phone, offer.leg)), None)
    within = policy.of_queue(queue).short_hangup.total_seconds()
    return {"agent": talk.agent, "talk_s": talked_s(talk), "short_hangup_s": within}


def _callback(call: Call, judged: Judgement, debt: Callback | None, policy: Policy) -> tuple[Reason, ...]:
    if debt is None:
        word = _uncallable(call, policy) if judged.lost else None
        return (_reason("callback", "callback", (word, {})),) if word else ()
    return (
        _reason("callback", "callback", _opened(call, debt, policy)),
        _reason("callback", "owner", _owner(call, judged, debt)),
        *(_reason("callback", "attempt", told) for told in _attempts(debt, policy)),
        _reason("callback", "state", _state(debt, policy)),
    )


def _opened(call: Call, debt: Callback, policy: Policy) -> Told:
    if debt.missed_calls[0] != call.key:
        return "joined", {"n": debt.priority, "call": debt.missed_calls[0]}
    return "opened", {"at": debt.opened_at, "due_at": debt.due_at, "norm_s": _norm(call, policy)}


def _norm(call: Call, policy: Policy) -> float:
    queue = next((stage.name for stage in call.stages if stage.kind is StageKind.QUEUE), None)
    return policy.of_queue(queue).callback_norm.total_seconds()


def _owner(call: Call, judged: Judgement, debt: Callback) -> Told:
    if debt.owner is None:
        return "nobody", {}
    if debt.missed_calls[0] != call.key:
        return "opening_call", {"agent": debt.owner, "call": debt.missed_calls[0]}
    if debt.owner != owner_of(call, judged):
        return "assigned", {"agent": debt.owner}
    if judged.verdicts.get(debt.owner) is not Verdict.MISSED:
        return "dropped", {"agent": debt.owner}
    at = max(each.began_at for each in call.offers if each.agent == debt.owner and each.counts)
    missed = sum(verdict is Verdict.MISSED for verdict in judged.verdicts.values())
    return ("rung_last" if missed > 1 else "missed"), {"agent": debt.owner, "at": at}


def _attempts(debt: Callback, policy: Policy) -> Iterator[Told]:
    for each in debt.attempts:
        told: dict[str, object] = {"agent": each.agent, "at": each.at, "call": each.call}
        if each.result in (AttemptResult.REACHED, AttemptResult.ANSWERED):
            told |= {"talk_s": each.talk_s, "min_reached_talk_s": policy.min_reached_talk.total_seconds()}
        else:
            told |= {"rang_s": each.rang_s, "min_attempt_ring_s": policy.min_attempt_ring.total_seconds()}
        yield each.result.value, told


def _state(debt: Callback, policy: Policy) -> Told:
    if debt.state in (State.REACHED, State.CLIENT_RETURNED):
        return debt.state.value, _closing(debt)
    if debt.state is State.EXPIRED:
        return "expired", {"n": round(policy.callback_keep / timedelta(days=1))}
    return debt.state.value, {"due_at": debt.due_at}
