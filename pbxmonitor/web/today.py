"""The day's numbers from the rows: counted by the database, so that a busy day costs hardly more than a quiet one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.alerting import AlertState
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import AttemptResult, State
from pbxmonitor.domain.judge import Cause, Verdict
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.alerts import alert_id, load
from pbxmonitor.store.reports import Period
from pbxmonitor.web.scene import Calls, Debt, Key, Tally, Today

_OPEN: Final = (State.OPEN, State.ATTEMPTED)
# Links come and go: of a bad day the last gaps are enough.
_GAPS: Final = 5


def read_today(connection: sa.Connection, policy: Policy, now: datetime) -> Today:
    """What is so at that moment: the same numbers as the reports of `today` give (docs/metrics.md)."""
    begin, end = policy.hours.day_span(policy.hours.day_of(now))
    period = Period(begin=begin, end=end)
    return Today(
        tallies=_tallies(connection, period),
        names=_names(connection),
        calls=_calls(connection, period),
        debts=_debts(connection),
        owed=_owed(connection, period),
        alerts=tuple((alert_id(each), each) for each in load(connection).values() if each.state is AlertState.FIRING),
        gaps=_gaps(connection, period),
    )


def _tallies(connection: sa.Connection, period: Period) -> Mapping[Key, Tally]:
    part, call = schema.verdict.c, schema.call.c
    wanted = (
        sa.select(part.node, part.agent, part.verdict, sa.func.count())
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.ended_at.is_not(None))
        .where(part.verdict.in_([Verdict.ANSWERED, Verdict.MISSED]))
        .group_by(part.node, part.agent, part.verdict)
    )
    found: dict[Key, Tally] = {}
    for node, agent, verdict, count in connection.execute(wanted):
        found[node, agent] = found.get((node, agent), Tally())._replace(**{verdict: count})
    return found


def _names(connection: sa.Connection) -> Mapping[Key, str]:
    table = schema.agent.c
    wanted = sa.select(table.node, table.agent, table.name).where(table.name.is_not(None))
    return {(node, agent): name for node, agent, name in connection.execute(wanted)}


def _calls(connection: sa.Connection, period: Period) -> Calls:
    call = schema.call.c
    kinds = call.lost, call.cause
    wanted = (
        sa.select(*kinds, sa.func.count(), sa.func.sum(call.wait_s))
        .where(period.holds(schema.call, "started_at"))
        .where(call.direction == Direction.INBOUND, call.ended_at.is_not(None))
        .group_by(*kinds)
    )
    received = answered = lost = short = 0
    waited = 0.0
    for is_lost, cause, count, wait_s in connection.execute(wanted):
        received, lost = received + count, lost + count * is_lost
        if cause == Cause.SHORT_ABANDON:
            short += count
        elif cause is None:
            answered, waited = answered + count, waited + wait_s
    return Calls(received=received, answered=answered, lost=lost, short=short, waited_s=round(waited, 3))


def _debts(connection: sa.Connection) -> tuple[Debt, ...]:
    """The open callbacks, the one due first at the head; the queue is that of the call that opened it."""
    debt, call, attempt = schema.callback.c, schema.call.c, schema.callback_attempt.c
    tries = (
        sa.select(attempt.node, attempt.callback, sa.func.count().label("n"))
        .join(schema.callback, sa.and_(debt.node == attempt.node, debt.call == attempt.callback))
        .where(attempt.result != AttemptResult.TOO_SHORT, debt.state.in_(_OPEN))
        .group_by(attempt.node, attempt.callback)
        .subquery()
    )
    wanted = (
        sa.select(
            *(debt.node, debt.call, debt.number, debt.line, call.queue, debt.state, debt.owner, debt.taken_by),
            *(debt.opened_at, debt.due_at, debt.snoozed_until, debt.priority.label("missed")),
            sa.func.coalesce(tries.c.n, 0).label("attempts"),
        )
        .outerjoin(schema.call, sa.and_(call.node == debt.node, call.key == debt.call))
        .outerjoin(tries, sa.and_(tries.c.node == debt.node, tries.c.callback == debt.call))
        .where(debt.state.in_(_OPEN))
        .order_by(debt.due_at, debt.node, debt.call)
    )
    return tuple(Debt(**row) for row in connection.execute(wanted).mappings())


def _owed(connection: sa.Connection, period: Period) -> Mapping[str | None, tuple[int, int]]:
    debt = schema.callback.c
    in_time = sa.case((debt.tried_at <= debt.due_at, 1), else_=0)
    wanted = (
        sa.select(debt.owner, sa.func.count(), sa.func.sum(in_time))
        .where(period.holds(schema.callback, "opened_at"))
        .group_by(debt.owner)
    )
    return {owner: (count, int(tried)) for owner, count, tried in connection.execute(wanted)}


def _gaps(connection: sa.Connection, period: Period) -> tuple[tuple[str, datetime, datetime | None, int | None], ...]:
    """The last stretches of the day in which a PBX was not listened to, in the order of time."""
    gap = schema.gap.c
    touches = sa.or_(gap.restored_at.is_(None), gap.restored_at > period.begin)
    wanted = (
        sa.select(gap.node, gap.lost_at, gap.restored_at, gap.calls)
        .where(gap.lost_at < period.end, touches)
        .order_by(gap.lost_at.desc())
        .limit(_GAPS)
    )
    return tuple((*row,) for row in reversed(connection.execute(wanted).all()))
