"""The consequences of a callback's change as deliveries, in the transaction that changes it."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, State
from pbxmonitor.domain.consequences import Consequence, consequences
from pbxmonitor.domain.escalation import CRM, WORTH, Duties, Progress, Step, moment_of, steps_due
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person
from pbxmonitor.store import crm_tasks, outbox, schema, webhook_events
from pbxmonitor.store.case import Case, case_of, case_of_call, words_of
from pbxmonitor.store.crm_calls import calls_ended
from pbxmonitor.store.debts import Debts, Key, key_of
from pbxmonitor.store.notices import notices
from pbxmonitor.store.outbox import Delivery, DeliveryState

_D: Final = schema.delivery.c
# Needless as soon as the client has been talked to.
URGING: Final = ("missed", "repeated", "overdue", "escalated", "crm_open")
# Whoever was told of these is told of the good end, too.
TOLD: Final = ("overdue", "escalated")


def tell_of(
    connection: sa.Connection, duties: Duties, policy: Policy, debts: Debts, ended: Iterable[Call], now: datetime
) -> None:
    """What a batch has done to callbacks is told to people, CRMs and webhooks, its ended calls to the latter two."""
    ended = list(ended)
    if ended:
        webhook_events.owe(connection, lambda: webhook_events.of_calls(ended, debts, policy), now)
    for before, debt, call in debts.moves():
        key = key_of(debt)
        progress = debts.progress.get(key, Progress())
        case = case_of_call(debt, progress, call) if before is None else case_of(connection, debt, progress)
        debts.progress[key] = settle_duty(connection, duties, policy, before, case, now)
    if duties.calls:
        outbox.put(connection, calls_ended(duties.calls, debts, ended, policy, now))


def settle_duty(
    connection: sa.Connection, duties: Duties, policy: Policy, before: Callback | None, case: Case, now: datetime
) -> Progress:
    """Owe what the change means, and take the steps of the chain that are due; how far it has come then.

    What is late already is left to the sweep, which sums up: an outage must not end in a storm.
    """
    policy = policy.of_queue(case.queue)
    webhook_events.owe(connection, lambda: webhook_events.of_callback(before, case, now), now)
    meant = consequences(before, case.debt)
    if Consequence.CALLS_AGAIN in meant:
        outbox.put(connection, _repeated(duties, policy, case, now))
    if Consequence.SETTLED in meant or Consequence.GIVEN_UP in meant:
        outbox.put(connection, ended(connection, duties, case, now))
    if case.debt.closed:
        return steps_due(duties, case.debt, case.progress, policy, now)[1]
    if Consequence.REOPENED in meant:
        return replace(case.progress, step=0, next_at=now)
    if Consequence.OPENED not in meant:
        return case.progress
    if case.debt.due_at <= now:
        return replace(case.progress, next_at=now)
    # The PBX's clock may be ahead of ours: what it says has ended has ended.
    steps, progress = steps_due(duties, case.debt, case.progress, policy, max(now, case.debt.opened_at))
    outbox.put(connection, of_steps(duties, policy, steps, case, now))
    return progress


def of_steps(duties: Duties, policy: Policy, steps: Sequence[Step], case: Case, now: datetime) -> list[Delivery]:
    """What those steps owe: to each person the message of his last one, a task in each CRM."""
    people: dict[str, Delivery] = {}
    crms: dict[str, None] = {}
    for step in steps:
        for each in _of_step(duties, policy, step, case, now):
            people[each.recipient or ""] = each
        crms |= dict.fromkeys(duties.tasks if CRM in step.to else [name for name in step.to if name in duties.tasks])
    return [*people.values(), *crm_tasks.opened(case, crms, now)]


def _of_step(duties: Duties, policy: Policy, step: Step, case: Case, now: datetime) -> list[Delivery]:
    number = duties.steps.index(step)
    late = max(now, moment_of(step, case.debt, policy))
    template = _template(step, case, now)
    # The owner's "call back" has no sense after the deadline, which others hear of.
    over = case.debt.due_at if template == "missed" else late + WORTH
    return notices(
        duties.roster,
        _people(duties, step, case, now),
        template,
        words_of(duties.roster, case, now) | {"step": number, "own_text": _own_text(step, template)},
        now,
        name=(*case.key, number, *case.round),
        about=case.key,
        expires_at=over,
        channels=step.channels,
    )


def _template(step: Step, case: Case, now: datetime) -> str:
    """The step's text, or the one that is true by now: nobody is asked to call back by a time that is over."""
    if step.message == "missed" and case.debt.due_at <= now:
        return "overdue"
    return "escalated" if step.message == "task" else step.message


def _own_text(step: Step, template: str) -> str | None:
    """The step's own words, unless by now something else has to be said."""
    return step.text if template == step.message or step.message == "task" else None


def _people(duties: Duties, step: Step, case: Case, now: datetime) -> Iterable[Person]:
    """Those whom the step means; the owner is who took it, and while he has put it off, nobody."""
    asleep = case.progress.snoozed_until is not None and case.progress.snoozed_until > now
    mine = () if asleep or "owner" not in step.to else duties.roster.told(["owner"], case.whose)
    others = duties.roster.told([word for word in step.to if word not in ("owner", CRM)], case.debt.owner)
    return {person.key: person for person in (*mine, *others)}.values()


def nudge(duties: Duties, policy: Policy, case: Case, now: datetime, *why: object) -> list[Delivery]:
    """Whose it is hears of it (again), in working time; `why` tells this time from the others."""
    at = policy.of_queue(case.queue).hours.after(now, now - now)
    template = "overdue" if case.debt.due_at < at else "missed"
    words, his = words_of(duties.roster, case, at), duties.roster.told(["owner"], case.whose)
    about, name = case.key, (*case.key, *why)
    return notices(duties.roster, his, template, words, at, name=name, about=about, expires_at=at + WORTH)


def _repeated(duties: Duties, policy: Policy, case: Case, now: datetime) -> list[Delivery]:
    """The client is calling again: whose he is hears of it, and after the end of the chain who leads him, too.

    Before the first step he will hear of all the calls at once.
    """
    if case.debt.closed or case.progress.step == 0:
        return []
    at = policy.hours.after(now, now - now)
    words = ["owner", "supervisor"] if case.progress.step >= len(duties.steps) else ["owner"]
    return notices(
        duties.roster,
        duties.roster.told(words, case.whose),
        "repeated",
        words_of(duties.roster, case, at),
        at,
        name=(*case.key, case.debt.priority, *case.round),
        about=case.key,
        expires_at=max(case.debt.due_at, at + WORTH),
    )


def ended(connection: sa.Connection, duties: Duties, case: Case, now: datetime) -> list[Delivery]:
    """What waits is needless; who was told that it is late hears that it is over, and the CRMs close their tasks."""
    told = _told(connection, case.key)
    closing = crm_tasks.closed(connection, case, duties.tasks, now)
    outbox.cancel(connection, case.key, now, URGING)
    return [*_good_news(duties, case, now, told), *closing]


def _good_news(duties: Duties, case: Case, now: datetime, told: Sequence[str]) -> Iterable[Delivery]:
    """Who it was and how long it took; to himself in silence, so that he can say that it was a machine."""
    debt = case.debt
    if debt.state not in (State.REACHED, State.CLIENT_RETURNED):
        return
    words: dict[str, Any] = words_of(duties.roster, case, now) | {
        "rescuer": duties.roster.name_of(debt.rescuer),
        "took": max((debt.closed_at or now) - debt.opened_at, now - now),
        "in_norm": (debt.closed_at or now) <= debt.due_at,
    }
    by_phone = debt.state is State.REACHED and debt.closed_by_call is not None
    himself = [debt.rescuer] if by_phone and debt.rescuer else []
    for person in duties.roster.told([*told, *([case.whose] if case.whose else ()), *himself]):
        mine = person.key == debt.rescuer
        if not mine or by_phone:
            yield from notices(
                duties.roster,
                [person],
                "reached",
                words | {"silent": mine, "by_phone": by_phone},
                now,
                name=(*case.key, debt.closed_by_call or now.isoformat()),
                about=case.key,
                expires_at=now + WORTH,
            )


def _told(connection: sa.Connection, key: Key) -> list[str]:
    """Who has got, or is getting, word that it is late."""
    about = sa.and_(_D.node == key[0], _D.callback == key[1], _D.template.in_(TOLD), _D.recipient.is_not(None))
    gone = sa.or_(_D.state.in_([DeliveryState.SENT, DeliveryState.SUMMED]), _D.claim.is_not(None))
    return list(connection.execute(sa.select(_D.recipient).where(about, gone).distinct()).scalars())
