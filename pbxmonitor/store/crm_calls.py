"""Calls that are over, as deliveries to CRMs: one for each call and CRM, however often it is told."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from pbxmonitor.domain.call import Call, Direction, OfferResult
from pbxmonitor.domain.callback import client_of, outside_leg
from pbxmonitor.domain.judge import Cause, Judgement, Verdict, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store.crm_tasks import to_crm
from pbxmonitor.store.debts import Debts
from pbxmonitor.store.notices import name_of
from pbxmonitor.store.outbox import Delivery


def calls_ended(
    crms: Sequence[str], debts: Debts, ended: Iterable[Call], policy: Policy, now: datetime
) -> list[Delivery]:
    """What those CRMs are owed about those calls: inbound and outbound ones with a client's number."""
    owed: list[Delivery] = []
    for call in ended:
        number = client_of(call)
        if number is None or call.merged_into is not None or call.ended_at is None:
            continue
        values = _values(call, number, judge(call, policy, call.ended_at), debts)
        owed += [to_crm(crm, name_of("crm_call", crm, call.node, call.key), "crm_call", values, now) for crm in crms]
    return owed


def _values(call: Call, number: str, judged: Judgement, debts: Debts) -> dict[str, Any]:
    debt = debts.of(call)
    outbound = call.direction is Direction.OUTBOUND
    talker = next((talk.agent for talk in reversed(call.talks) if not talk.external), None)
    missed = next((agent for agent, verdict in judged.verdicts.items() if verdict is Verdict.MISSED), None)
    owner = debt.owner if debt is not None else None
    return {
        "id": f"{call.node}/{call.key}",
        "direction": call.direction.value,
        "number": number,
        # Of a call that we made, what was dialled is the client's own number: no line of ours.
        "line": "" if outbound else call.called,
        "agent": call.caller if outbound else talker or owner or missed,
        "began_at": call.started_at,
        "answered_at": judged.answered_at,
        "ended_at": call.ended_at,
        "talk_s": judged.talk_s,
        "outcome": outcome_of(call, judged),
    }


def outcome_of(call: Call, judged: Judgement) -> str:
    """The end in the words of CRMs: answered, missed, no_answer, busy, declined, cancelled, unreachable."""
    if call.direction is Direction.OUTBOUND:
        return "answered" if call.talks else _not_reached(call)
    if not judged.lost and call.talks:
        return "answered"
    if judged.cause is Cause.DECLINED:
        return "declined"
    if judged.cause is Cause.SHORT_ABANDON:
        return "cancelled"
    return "missed"


def _not_reached(call: Call) -> str:
    leg = outside_leg(call)
    if leg is not None and leg.cause == 17:
        return "busy"
    if leg is not None and leg.cause == 21:
        return "declined"
    if call.caller_left:
        return "cancelled"
    rang = leg is not None and any(offer.result is not OfferResult.UNREACHABLE for offer in call.offers)
    return "no_answer" if rang or leg is not None else "unreachable"
