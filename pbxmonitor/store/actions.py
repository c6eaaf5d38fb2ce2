"""What people do with callbacks by hand: each in one transaction with its consequences and its line in the audit."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from secrets import token_hex
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.callback import Callback, State, dismissed, reached_by_mobile
from pbxmonitor.domain.escalation import Duties, Progress, steps_due
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.case import Case, case_of
from pbxmonitor.store.covered import Scope
from pbxmonitor.store.debts import Key, debt_row, progress_of, progress_row, recolour, with_attempts
from pbxmonitor.store.duty import nudge, settle_duty
from pbxmonitor.store.form import to_text
from pbxmonitor.store.rejudge import lock_writers
from pbxmonitor.store.resettle import days_of, resettled, write_resettled
from pbxmonitor.store.rollups import debt_days, mark_stale
from pbxmonitor.store.types import upsert

_C: Final = schema.callback.c
_LONGEST_REASON: Final = 400


class Hand(StrEnum):
    """What a person may do with a callback."""

    TAKE = "take"
    SNOOZE = "snooze"
    DISMISS = "dismiss"
    MOBILE = "mobile"
    VOICEMAIL = "voicemail"
    ASSIGN = "assign"


class CannotAct(Exception):  # noqa: N818
    """It cannot be done; `key` is that of a text for the person who asked."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is asked for: by whom, and with which reason (dismiss), call (voicemail) or new owner (assign)."""

    hand: Hand
    who: str
    reason: str | None = None
    call: str | None = None
    owner: str | None = None


def act(connection: sa.Connection, duties: Duties, policy: Policy, key: Key, deed: Deed, now: datetime) -> Callback:
    """Do it; the callback as it is then. CannotAct when it is closed, unknown, or there is nothing to correct."""
    lock_writers(connection)
    case = find(connection, key)
    audit(connection, now, deed.who, deed.hand.value, key, _details(deed))
    if deed.hand is Hand.VOICEMAIL:
        return _correct(connection, duties, policy, case, deed, now)
    if case.debt.closed:
        raise CannotAct("callback.cannot.closed")
    for each in [case, *_others(connection, case)] if deed.hand is Hand.MOBILE else [case]:
        moved = _HANDS[deed.hand](duties, each, deed, now)
        progress = settle_duty(connection, duties, policy, each.debt, moved, now)
        if not moved.debt.closed:
            progress = _looked_at(duties, policy, moved, now)
        _write(connection, policy, replace(moved, progress=progress))
        if deed.hand is Hand.ASSIGN:
            outbox.put(connection, nudge(duties, policy, moved, now, "assigned", now.isoformat()))
    return find(connection, key).debt


def find(connection: sa.Connection, key: Key) -> Case:
    """The callback, locked until the transaction ends; CannotAct when there is none."""
    mine = sa.select(schema.callback).where(_C.node == key[0], _C.call == key[1]).with_for_update()
    row = connection.execute(mine).one_or_none()
    if row is None:
        raise CannotAct("callback.cannot.unknown")
    (debt,) = with_attempts(connection, [row])
    return case_of(connection, debt, progress_of(row))


def _others(connection: sa.Connection, case: Case) -> list[Case]:
    """The client's other open callbacks: who has talked to him has settled those too."""
    mine = sa.and_(_C.number == case.debt.number, _C.closed_at.is_(None))
    keys = connection.execute(sa.select(_C.node, _C.call).where(mine)).all()
    return [find(connection, (row.node, row.call)) for row in keys if (row.node, row.call) != case.key]


def audit(
    connection: sa.Connection, now: datetime, who: str, action: str, key: Key | None, details: Mapping[str, Any]
) -> None:
    """One line of who did what, for ever."""
    node, subject = key or (None, None)
    line = {
        "at": now,
        "who": who,
        "action": action,
        "node": node,
        "subject": subject,
        "details": to_text(dict(details)),
    }
    connection.execute(sa.insert(schema.audit).values(id=token_hex(16), **line))


def _details(deed: Deed) -> dict[str, str]:
    given = {"reason": deed.reason, "call": deed.call, "owner": deed.owner}
    return {name: value for name, value in given.items() if value is not None}


def _taken(duties: Duties, case: Case, deed: Deed, now: datetime) -> Case:
    """His from now on; somebody else's only for who leads that one: two must not call the same client."""
    holder = case.progress.taken_by
    if holder is not None and holder != deed.who and not _leads(duties, deed.who, holder):
        raise CannotAct("callback.cannot.taken")
    return replace(case, progress=replace(case.progress, taken_by=deed.who, taken_at=now))


def _leads(duties: Duties, who: str, agent: str) -> bool:
    person = duties.roster.people.get(who)
    return person is not None and duties.roster.leads(person, agent)


def _snoozed(duties: Duties, case: Case, deed: Deed, now: datetime) -> Case:
    """He takes it, and is reminded; everybody else hears of it in time all the same."""
    taken = _taken(duties, case, deed, now)
    return replace(taken, progress=replace(taken.progress, snoozed_until=now + duties.snooze))


def _dismissed(_duties: Duties, case: Case, deed: Deed, now: datetime) -> Case:
    reason = " ".join((deed.reason or "").split())[:_LONGEST_REASON]
    if not reason:
        raise CannotAct("callback.cannot.reason")
    progress = replace(case.progress, dismissed_by=deed.who, reason=reason)
    return replace(case, debt=dismissed(case.debt, now), progress=progress)


def _by_mobile(_duties: Duties, case: Case, deed: Deed, now: datetime) -> Case:
    return replace(case, debt=reached_by_mobile(case.debt, deed.who, now))


def _assigned(_duties: Duties, case: Case, deed: Deed, _now: datetime) -> Case:
    return replace(case, progress=replace(case.progress, taken_by=deed.owner or deed.who))


_HANDS: Final[dict[Hand, Callable[[Duties, Case, Deed, datetime], Case]]] = {
    Hand.TAKE: _taken,
    Hand.SNOOZE: _snoozed,
    Hand.DISMISS: _dismissed,
    Hand.MOBILE: _by_mobile,
    Hand.ASSIGN: _assigned,
}


def _looked_at(duties: Duties, policy: Policy, case: Case, now: datetime) -> Progress:
    """When it must be looked at again; steps that are due are taken by whoever looks then."""
    policy = policy.of_queue(case.queue)
    steps, progress = steps_due(duties, case.debt, case.progress, policy, now, case.at)
    return replace(case.progress, next_at=now) if steps else progress


def _write(connection: sa.Connection, policy: Policy, case: Case) -> None:
    """The callback, the colours of its missed calls, and word that the sums of its days hold no more."""
    debt = case.debt
    upsert(connection, schema.callback, [{**debt_row(debt), **progress_row(case.progress)}])
    recolour(connection, [debt])
    for node, days in debt_days(connection, [debt], policy.hours):
        mark_stale(connection, node, days)


def _correct(
    connection: sa.Connection, duties: Duties, policy: Policy, case: Case, deed: Deed, now: datetime
) -> Callback:
    """A machine answered that attempt: all that came of it is derived again from the client's calls."""
    debt = case.debt
    if not any(each.call == deed.call and not each.voicemail and each.talk_s > 0 for each in debt.attempts):
        raise CannotAct("callback.cannot.no_attempt")
    attempt = schema.callback_attempt.c
    mine = sa.and_(attempt.node == case.key[0], attempt.callback == case.key[1], attempt.call == deed.call)
    connection.execute(sa.update(schema.callback_attempt).where(mine).values(voicemail=True))
    tries = {(debt.node, each.call) for each in debt.attempts}
    scope = Scope(begin=_first_miss(connection, debt), policy=policy, strays={debt.number: tries})
    found = resettled(connection, [debt.number], scope)
    write_resettled(connection, found)
    for node, days in days_of(connection, found, policy.hours).items():
        mark_stale(connection, node, days)
    again = find(connection, case.key)
    progress = settle_duty(connection, duties, policy, debt, again, now)
    connection.execute(
        sa.update(schema.callback)
        .where(_C.node == case.key[0], _C.call == case.key[1])
        .values(**progress_row(progress))
    )
    return again.debt


def _first_miss(connection: sa.Connection, debt: Callback) -> datetime:
    """Since when the client's calls are to be lived again."""
    call = schema.call.c
    mine = sa.select(call.ended_at).where(call.node == debt.node, call.key == debt.missed_calls[0])
    at: datetime | None = connection.execute(mine).scalar()
    return at or debt.opened_at


def closed_state(connection: sa.Connection, key: Key) -> State | None:
    """The state of the callback if it is closed; None while it is open, or when there is none."""
    found = connection.execute(
        sa.select(_C.state, _C.closed_at).where(_C.node == key[0], _C.call == key[1])
    ).one_or_none()
    return State(found.state) if found is not None and found.closed_at is not None else None
