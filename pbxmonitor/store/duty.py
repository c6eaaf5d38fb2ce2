"""The consequences of a callback's change as deliveries, in the transaction that changes it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call, StageKind
from pbxmonitor.domain.callback import Callback, State
from pbxmonitor.domain.consequences import Consequence, consequences
from pbxmonitor.domain.escalation import CRM, WORTH, Duties, Progress, Step, moment_of, steps_due
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Person
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.crm_calls import calls_ended, to_crm
from pbxmonitor.store.debts import Debts, Key, key_of
from pbxmonitor.store.notices import name_of, notice
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import among

_D: Final = schema.delivery.c
# Needless as soon as the client has been talked to.
URGING: Final = ("missed", "repeated", "overdue", "escalated", "crm_open")
# Whoever was told of these is told of the good end, too.
TOLD: Final = ("overdue", "escalated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A callback as it stands, with what messages say of its last missed call."""

    debt: Callback
    progress: Progress
    at: datetime
    queue: str | None = None

    @property
    def key(self) -> Key:
        return key_of(self.debt)

    @property
    def whose(self) -> str | None:
        """Who is to call: who took it, else the owner."""
        return self.progress.taken_by or self.debt.owner


def tell_of(
    connection: sa.Connection, duties: Duties, policy: Policy, debts: Debts, ended: Iterable[Call], now: datetime
) -> None:
    """What a batch has done to callbacks is told to people and CRMs, its ended calls to the CRMs."""
    for before, debt, call in debts.moves():
        key = key_of(debt)
        progress = debts.progress.get(key, Progress())
        case = _case_of_call(debt, progress, call) if before is None else case_of(connection, debt, progress)
        debts.progress[key] = settle_duty(connection, duties, policy, before, case, now)
    if duties.calls:
        outbox.put(connection, calls_ended(duties.calls, debts, ended, policy, now))


def _case_of_call(debt: Callback, progress: Progress, call: Call) -> Case:
    queue = next((stage.name for stage in call.stages if stage.kind is StageKind.QUEUE), None)
    return Case(debt=debt, progress=progress, at=call.started_at, queue=queue)


def case_of(connection: sa.Connection, debt: Callback, progress: Progress) -> Case:
    """The callback with the time and the queue of its last missed call."""
    (found,) = cases_of(connection, [debt], {key_of(debt): progress})
    return found


def cases_of(connection: sa.Connection, debts: Sequence[Callback], progress: Mapping[Key, Progress]) -> list[Case]:
    """The same of several, in their order."""
    if not debts:
        return []
    call = schema.call.c
    nodes, last = sorted({debt.node for debt in debts}), [debt.missed_calls[-1] for debt in debts]
    wanted = sa.select(call.node, call.key, call.started_at, call.queue)
    rows = connection.execute(wanted.where(call.node.in_(nodes), among(connection, call.key, last))).all()
    found = {(row.node, row.key): (row.started_at, row.queue) for row in rows}
    cases: list[Case] = []
    for debt in debts:
        at, queue = found.get((debt.node, debt.missed_calls[-1]), (debt.opened_at, None))
        cases.append(Case(debt=debt, progress=progress.get(key_of(debt), Progress()), at=at, queue=queue))
    return cases


def settle_duty(
    connection: sa.Connection, duties: Duties, policy: Policy, before: Callback | None, case: Case, now: datetime
) -> Progress:
    """Owe what the change means, and take the steps of the chain that are due; how far it has come then."""
    owed: list[Delivery] = []
    for each in consequences(before, case.debt):
        if each is Consequence.CALLS_AGAIN:
            owed += _repeated(duties, case, now)
        elif each in (Consequence.SETTLED, Consequence.GIVEN_UP):
            owed += _ended(connection, duties, case, now)
    progress = case.progress
    if case.debt.closed or before is None or before.closed:
        steps, progress = steps_due(duties, case.debt, case.progress, policy, now)
        owed += [each for step in steps for each in of_step(duties, policy, step, case, now)]
    outbox.put(connection, owed)
    return progress


def of_step(duties: Duties, policy: Policy, step: Step, case: Case, now: datetime) -> list[Delivery]:
    """What that step owes: a message to each of its people, a task in each CRM."""
    owed: list[Delivery | None] = []
    late = max(now, moment_of(step, case.debt, policy))
    # The owner's "call back" has no sense after the deadline, which others hear of.
    over = max(case.debt.due_at, late) if step.message == "missed" else late + WORTH
    for person in _people(duties, step, case):
        words = words_of(duties, case, now) | {"step": duties.steps.index(step)}
        owed.append(
            notice(
                duties.roster,
                person,
                step.message,
                words,
                now,
                name=(*case.key, duties.steps.index(step)),
                about=case.key,
                expires_at=over if over > now else now + WORTH,
                channels=step.channels,
            )
        )
    crms = duties.tasks if CRM in step.to else [name for name in step.to if name in duties.tasks]
    return [each for each in owed if each is not None] + [crm_open(case, crm, now) for crm in crms]


def _people(duties: Duties, step: Step, case: Case) -> Iterable[Person]:
    """Those whom the step means; the owner is who took it."""
    words = [word for word in step.to if word != CRM]
    mine = duties.roster.told([word for word in words if word == "owner"], case.whose)
    others = duties.roster.told([word for word in words if word != "owner"], case.debt.owner)
    return {person.key: person for person in (*mine, *others)}.values()


def words_of(duties: Duties, case: Case, now: datetime) -> dict[str, Any]:
    """What the messages about a callback are written with; the region is added when they are."""
    debt = case.debt
    return {
        "client": debt.number,
        "at": case.at,
        "queue": case.queue,
        "due": debt.due_at,
        "owner": duties.roster.name_of(case.whose),
        "calls": debt.priority,
        "overdue": debt.due_at < now,
        "late": max(now - debt.due_at, timedelta()),
        "attempts": len(debt.attempts),
        "callback": f"{debt.node}/{debt.missed_calls[0]}",
    }


def _repeated(duties: Duties, case: Case, now: datetime) -> list[Delivery]:
    """The client is calling again: his owner hears of it at once."""
    if case.debt.closed:
        return []
    owed = [
        notice(
            duties.roster,
            person,
            "repeated",
            words_of(duties, case, now),
            now,
            name=(*case.key, case.debt.priority),
            about=case.key,
            expires_at=max(case.debt.due_at, now + WORTH),
        )
        for person in duties.roster.told(["owner"], case.whose)
    ]
    return [each for each in owed if each is not None]


def _ended(connection: sa.Connection, duties: Duties, case: Case, now: datetime) -> list[Delivery]:
    """What waits is needless; who was told that it is late hears that it is over, and the CRMs close their tasks."""
    told = _told(connection, case.key)
    outbox.cancel(connection, case.key, now, URGING)
    return [*_good_news(duties, case, now, told), *(crm_close(case, crm, now) for crm in duties.tasks)]


def _good_news(duties: Duties, case: Case, now: datetime, told: Sequence[str]) -> Iterable[Delivery]:
    debt = case.debt
    if debt.state not in (State.REACHED, State.CLIENT_RETURNED):
        return
    words = words_of(duties, case, now) | {
        "rescuer": duties.roster.name_of(debt.rescuer),
        "took": (debt.closed_at or now) - debt.opened_at,
        "in_norm": (debt.closed_at or now) <= debt.due_at,
    }
    for person in duties.roster.told([*told, *([case.whose] if case.whose else ())]):
        if person.key != debt.rescuer:
            said = notice(
                duties.roster,
                person,
                "reached",
                words,
                now,
                name=(*case.key, debt.closed_by_call or now.isoformat()),
                about=case.key,
                expires_at=now + WORTH,
            )
            yield from () if said is None else (said,)


def _told(connection: sa.Connection, key: Key) -> list[str]:
    """Who has got, or is getting, word that it is late."""
    about = sa.and_(_D.node == key[0], _D.callback == key[1], _D.template.in_(TOLD), _D.recipient.is_not(None))
    gone = sa.or_(_D.state == outbox.DeliveryState.SENT, _D.claim.is_not(None))
    return list(connection.execute(sa.select(_D.recipient).where(about, gone).distinct()).scalars())


def crm_open(case: Case, crm: str, now: datetime) -> Delivery:
    """A task in that CRM."""
    debt = case.debt
    values = {
        "id": f"{debt.node}/{debt.missed_calls[0]}",
        "number": debt.number,
        "line": debt.line,
        "owner": case.whose,
        "due_at": debt.due_at,
        "missed": debt.priority,
        "at": case.at,
        "queue": case.queue,
    }
    return to_crm(crm, crm_name(crm, "crm_open", case.key), "crm_open", values, now, about=case.key)


def crm_close(case: Case, crm: str, now: datetime) -> Delivery:
    """The end of that task, if there is one: whoever sends it knows."""
    debt = case.debt
    values = {
        "id": f"{debt.node}/{debt.missed_calls[0]}",
        "state": debt.state.value,
        "rescuer": debt.rescuer,
        "at": debt.closed_at or now,
        "call": debt.closed_by_call,
        "opened": crm_name(crm, "crm_open", case.key),
    }
    return to_crm(
        crm, crm_name(crm, "crm_close", case.key, debt.closed_by_call or ""), "crm_close", values, now, about=case.key
    )


def crm_name(crm: str, template: str, key: Key, *more: str) -> str:
    """The name of the delivery that tells that CRM of it."""
    return name_of(template, crm, *key, *more)
