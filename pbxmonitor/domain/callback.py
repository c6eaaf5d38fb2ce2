"""Our debt to a missed caller: opened by a lost call, tried, and closed by a real conversation."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from operator import itemgetter

from pbxmonitor.domain.call import Call, Direction, Leg, Offer, StageKind
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.judge import Cause, Judgement, Verdict
from pbxmonitor.domain.policy import Policy


class State(StrEnum):
    OPEN = "open"
    ATTEMPTED = "attempted"
    REACHED = "reached"
    CLIENT_RETURNED = "client_returned"
    DISMISSED = "dismissed"
    EXPIRED = "expired"


class AttemptResult(StrEnum):
    REACHED = "reached"
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    TOO_SHORT = "too_short"


class Colour(StrEnum):
    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


CLOSED = frozenset({State.REACHED, State.CLIENT_RETURNED, State.DISMISSED, State.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try to reach the client; seconds. `voicemail`: a person said that a machine answered, so it is no talk."""

    agent: str
    call: str
    at: datetime
    rang_s: float
    talk_s: float
    result: AttemptResult
    voicemail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """At most one open per `number` and `line` (the DID first called); `missed_calls` are call keys, oldest first."""

    node: str
    number: str
    line: str
    state: State
    missed_calls: tuple[str, ...]
    owner: str | None
    opened_at: datetime
    due_at: datetime
    attempts: tuple[Attempt, ...] = ()
    closed_by_call: str | None = None
    closed_at: datetime | None = None
    rescuer: str | None = None

    @property
    def closed(self) -> bool:
        return self.state in CLOSED

    @property
    def priority(self) -> int:
        """How often this client was missed."""
        return len(self.missed_calls)


Pick = Callable[[Sequence[str]], str]


def settle(
    known: Iterable[Callback],
    call: Call,
    judgement: Judgement,
    policy: Policy,
    *,
    voicemail: bool = False,
    pick: Pick = itemgetter(0),
) -> tuple[Callback, ...]:
    """What an ended call does to the open callbacks of its number: the changed and the new ones.

    `voicemail`: a person said that a machine answered it. `pick` chooses an owner among several who could be.
    """
    number = client_of(call)
    if number is None or call.ended_at is None or call.merged_into is not None:
        return ()
    mine = [debt for debt in known if debt.number == number and not debt.closed]
    if call.direction is Direction.OUTBOUND:
        return _tried(mine, call, judgement, policy, voicemail)
    if judgement.lost:
        return _missed(mine, call, number, judgement, policy, pick)
    if any(_long(talk.ended_at, talk.began_at, policy) for talk in call.talks):
        rescuer = call.talks[-1].agent
        return tuple(_close(debt, State.CLIENT_RETURNED, call, rescuer) for debt in mine)
    return ()


def client_of(call: Call) -> str | None:
    """The customer's number, where there is one that can be called."""
    rang = outside_leg(call) if call.direction is Direction.OUTBOUND else None
    dialled = rang.number if rang is not None and rang.number else call.called
    number = {Direction.INBOUND: call.caller, Direction.OUTBOUND: dialled}.get(call.direction)
    return number if number is not None and number.lstrip("+").isdigit() else None


def _long(ended_at: datetime | None, began_at: datetime, policy: Policy) -> bool:
    return ended_at is not None and ended_at - began_at >= policy.min_reached_talk


def _missed(
    mine: list[Callback], call: Call, number: str, judgement: Judgement, policy: Policy, pick: Pick
) -> tuple[Callback, ...]:
    if number in policy.never_call_back or call.ended_at is None:
        return ()
    joined = next((debt for debt in mine if debt.line == call.called), None)
    if joined is not None:
        if call.key in joined.missed_calls:
            return ()
        return (evolve(joined, missed_calls=(*joined.missed_calls, call.key)),)
    own = policy.of_queue(_queue_of(call))
    due_at = own.hours.after(call.ended_at, own.callback_norm)
    return (
        Callback(
            node=call.node,
            number=number,
            line=call.called,
            state=State.OPEN,
            missed_calls=(call.key,),
            owner=owner_by_rules(call, judgement, policy, pick),
            opened_at=call.ended_at,
            due_at=due_at,
        ),
    )


def owner_by_rules(call: Call, judgement: Judgement, policy: Policy, pick: Pick = itemgetter(0)) -> str | None:
    """Whose the debt is: the first of the policy's rules that names somebody."""
    for rule in policy.owner_rules:
        found = _candidates(rule, call, judgement, policy)
        if found:
            return found[0] if len(found) == 1 else pick(found)
    return None


def _candidates(rule: str, call: Call, judgement: Judgement, policy: Policy) -> Sequence[str]:
    queue = _queue_of(call) or ""
    match rule:
        case "missed":
            owner = owner_of(call, judgement)
        case "last_rung":
            rung = [offer for offer in call.offers if offer.counts]
            owner = max(rung, key=_began).agent if rung else None
        case "responsible":
            return policy.responsible.get(queue, ())
        case _:
            return policy.responsible.get(queue) or policy.employees
    return (owner,) if owner is not None else ()


def _queue_of(call: Call) -> str | None:
    """The first queue that the caller came to."""
    return next((stage.name for stage in call.stages if stage.kind is StageKind.QUEUE), None)


def owner_of(call: Call, judgement: Judgement) -> str | None:
    """The agent who missed and whose ring began last (rings begun within 1 s are one: its first); else who dropped."""
    missed = [o for o in call.offers if o.counts and judgement.verdicts.get(o.agent) is Verdict.MISSED]
    if missed:
        last = max(offer.began_at for offer in missed)
        return min((o for o in missed if last - o.began_at <= timedelta(seconds=1)), key=_began).agent
    if judgement.cause is Cause.DROPPED:
        return call.talks[-1].agent if call.talks else call.dumped[-1]
    return None


def _began(offer: Offer) -> datetime:
    return offer.began_at


def _tried(
    mine: list[Callback], call: Call, judgement: Judgement, policy: Policy, voicemail: bool
) -> tuple[Callback, ...]:
    attempt = attempt_of(call, judgement, policy)
    if attempt is None:
        return ()
    if voicemail:
        attempt = evolve(attempt, voicemail=True, result=AttemptResult.ANSWERED)
    return tuple(_with(debt, attempt, call) for debt in mine if all(a.call != call.key for a in debt.attempts))


def _with(debt: Callback, attempt: Attempt, call: Call) -> Callback:
    debt = evolve(debt, attempts=(*debt.attempts, attempt))
    if attempt.result is AttemptResult.REACHED:
        return _close(debt, State.REACHED, call, attempt.agent)
    return debt if attempt.result is AttemptResult.TOO_SHORT else evolve(debt, state=State.ATTEMPTED)


def _close(debt: Callback, state: State, call: Call, rescuer: str | None) -> Callback:
    return evolve(debt, state=state, closed_by_call=call.key, closed_at=call.ended_at, rescuer=rescuer)


def outside_leg(call: Call) -> Leg | None:
    """The last channel that rang outside."""
    return next((each for each in reversed(list(call.legs.values())) if each.trunk), None)


def attempt_of(call: Call, judgement: Judgement, policy: Policy) -> Attempt | None:
    """The try that an outbound call was; None when nothing rang outside."""
    leg = outside_leg(call)
    if leg is None:
        return None
    ended = leg.answered_at or leg.ended_at or call.ended_at or leg.began_at
    rang = ended - leg.began_at
    return Attempt(
        agent=call.caller or next((talk.agent for talk in call.talks), ""),  # a robot dialled: who talked
        call=call.key,
        at=call.started_at,
        rang_s=round(rang.total_seconds(), 3),
        talk_s=judgement.talk_s,
        result=_attempt_result(call, leg, rang, judgement, policy),
    )


def _attempt_result(call: Call, leg: Leg, rang: timedelta, judgement: Judgement, policy: Policy) -> AttemptResult:
    if call.talks or leg.answered_at is not None:
        long = judgement.talk_s >= policy.min_reached_talk.total_seconds()
        return AttemptResult.REACHED if long else AttemptResult.ANSWERED
    if leg.cause == 17:
        return AttemptResult.BUSY
    if rang >= policy.min_attempt_ring:
        return AttemptResult.NO_ANSWER
    return AttemptResult.BUSY if leg.gave_up and not call.caller_left else AttemptResult.TOO_SHORT


def colour_of(call: Call, judgement: Judgement, debt: Callback | None) -> Colour | None:
    """The journal's colour of a call; `debt` is the callback that its miss belongs to."""
    if call.direction is not Direction.INBOUND or judgement.cause is Cause.SHORT_ABANDON:
        return None
    if call.vanished and not call.talks:
        return None
    if not judgement.lost:
        return Colour.GREEN
    return Colour.RED if debt is None else colour_of_debt(debt)


def colour_of_debt(debt: Callback) -> Colour | None:
    """The colour of the lost calls that the callback is for."""
    if debt.state in (State.REACHED, State.CLIENT_RETURNED):
        return Colour.GREEN
    if debt.state is State.DISMISSED:
        return None
    real = any(attempt.result is not AttemptResult.TOO_SHORT for attempt in debt.attempts)
    return Colour.YELLOW if real else Colour.RED


def dismissed(debt: Callback, at: datetime) -> Callback:
    """A person said that nobody needs to call back."""
    return evolve(debt, state=State.DISMISSED, closed_at=at)


def reached_by_mobile(debt: Callback, who: str, at: datetime) -> Callback:
    """A person says that he has talked to the client from a phone that is not followed."""
    return evolve(debt, state=State.REACHED, closed_at=at, rescuer=who)


def given_up(debt: Callback, at: datetime) -> Callback:
    """Nobody has reached the client for as long as debts are kept."""
    return evolve(debt, state=State.EXPIRED, closed_at=at)
