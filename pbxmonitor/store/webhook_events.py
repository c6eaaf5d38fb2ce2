"""What happened as deliveries to programs, in the transaction that records it; its form is version 1 of docs/api.md."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.agent import Agent, AgentState
from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.domain.call import Call, StageKind
from pbxmonitor.domain.callback import Callback, colour_of
from pbxmonitor.domain.consequences import consequences
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Roster
from pbxmonitor.domain.view import Json, call_view, callback_view, stamp
from pbxmonitor.store import outbox
from pbxmonitor.store.alerts import alert_id
from pbxmonitor.store.case import Case
from pbxmonitor.store.debts import Debts
from pbxmonitor.store.form import to_text
from pbxmonitor.store.notices import name_of
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.webhooks import CHANNEL, EVENTS, Event, enabled

VERSION: Final = 1
# What a program has not taken by then it is not sent any more: it asks the API for what it has missed.
KEEP: Final = timedelta(days=3)
# An agent before a fact (None: he is new), after it, and when that was.
Move = tuple[Agent | None, Agent, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing that happened; `queues` are those that it is about, None where it is about no queue's client."""

    event: Event
    at: datetime
    node: str | None
    data: Json
    queues: frozenset[str] | None = None


def owe(connection: sa.Connection, tell: Callable[[], Iterable[Told]], now: datetime) -> int:
    """Owe each webhook what it wants of that, in the caller's transaction; how much. Without webhooks nothing is made.

    The same told again is the same row. They are due in the order in which they are told, calls before callbacks.
    """
    hooks = enabled(connection)
    if not hooks:
        return 0
    owed: list[Delivery] = []
    for place, told in zip(count(), tell(), strict=False):
        values = {"at": stamp(told.at), "node": told.node, "data": told.data}
        what = to_text(values)
        made_at = now - timedelta(milliseconds=len(EVENTS) - EVENTS.index(told.event)) + timedelta(microseconds=place)
        owed += [
            Delivery(
                id=name_of(CHANNEL, hook.id, told.event, what),
                channel=CHANNEL,
                template=told.event.value,
                due_at=made_at,
                created_at=made_at,
                recipient=hook.id,
                values=values,
                expires_at=now + KEEP,
            )
            for hook in hooks
            if hook.wants(told.event, told.queues)
        ]
    outbox.put(connection, owed)
    return len(owed)


def of_calls(ended: Iterable[Call], debts: Debts, policy: Policy) -> Iterable[Told]:
    """Calls that are over, and once more those of them in which nobody really talked to the caller."""
    for call in ended:
        if call.merged_into is not None or call.ended_at is None:
            continue
        judged, debt = judge(call, policy, call.ended_at), debts.of(call)
        queues = [stage.name for stage in call.stages if stage.kind is StageKind.QUEUE]
        data: Json = {"node": call.node} | call_view(call, judged, colour_of(call, judged, debt), call.ended_at)
        data |= {"queue": queues[0] if queues else None, "callback": _id(debt) if debt is not None else None}
        for event in (Event.CALL_ENDED, *((Event.CALL_MISSED,) if judged.lost else ())):
            yield Told(event=event, at=call.ended_at, node=call.node, data=data, queues=frozenset(queues))


def of_callback(before: Callback | None, case: Case, now: datetime) -> Iterable[Told]:
    """A callback that was opened (None before), that something was done about, or that is closed."""
    debt, changes = case.debt, [each.value for each in consequences(before, case.debt)]
    events: Sequence[Event] = (Event.CALLBACK_CHANGED,)
    if before is None:
        events = (Event.CALLBACK_OPENED, *((Event.CALLBACK_CLOSED,) if debt.closed else ()))
    elif debt.closed and not before.closed:
        events = (Event.CALLBACK_CLOSED,)
    for event in events:
        at = debt.closed_at if event is Event.CALLBACK_CLOSED else debt.opened_at if before is None else now
        data = callback_form(case) | {"changes": changes}
        queues = frozenset({case.queue} if case.queue else ())
        yield Told(event=event, at=at or now, node=debt.node, data=data, queues=queues)


def closed_since(case: Case, now: datetime) -> Iterable[Told]:
    """A callback that turned out to be closed when its calls were judged again."""
    data, queues = callback_form(case) | {"changes": []}, frozenset({case.queue} if case.queue else ())
    at = case.debt.closed_at or now
    yield Told(event=Event.CALLBACK_CLOSED, at=at, node=case.debt.node, data=data, queues=queues)


def callback_form(case: Case) -> Json:
    """A callback as programs are told of it: its stable form, and what people did with it."""
    debt, progress = case.debt, case.progress
    return callback_view(debt) | {
        "id": _id(debt),
        "node": debt.node,
        "call": debt.missed_calls[0],
        "line": debt.line,
        "queue": case.queue,
        "missed": debt.priority,
        "rescuer": debt.rescuer,
        "closed_at": stamp(debt.closed_at),
        "taken_by": progress.taken_by,
        "taken_at": stamp(progress.taken_at),
        "snoozed_until": stamp(progress.snoozed_until),
        "dismissed_by": progress.dismissed_by,
        "reason": progress.reason,
    }


def of_agents(node: str, moves: Iterable[Move], roster: Roster) -> Iterable[Told]:
    """Agents who are at something else than before; who begins is told of, too."""
    for before, agent, at in moves:
        if before is None or _lived(before) != _lived(agent):
            data = _agent_form(agent, roster) | {"before": _state(before) if before is not None else None}
            yield Told(event=Event.AGENT_STATE, at=at, node=node, data=data)


def of_alerts(moves: Iterable[tuple[Alert | None, Alert]], now: datetime) -> Iterable[Told]:
    """Alerts that fire now, and those that do no more."""
    for before, alert in moves:
        fired = before is not None and before.state is AlertState.FIRING
        fires = alert.state is AlertState.FIRING
        if fires != fired:
            event = Event.ALERT_RAISED if fires else Event.ALERT_RESOLVED
            at = now if fires else alert.ended_at or now
            yield Told(event=event, at=at, node=alert.node or None, data=_alert_form(alert))


def _agent_form(agent: Agent, roster: Roster) -> Json:
    """What he is at; `until` where that is known, as for a wrap-up, after which he is what `availability` says."""
    at_work, activity = agent.availability, agent.activity
    shown = activity or at_work
    wraps_up = activity is not None and activity.state is AgentState.WRAPUP
    return {
        "agent": agent.id,
        "name": roster.name_of(agent.id),
        "state": _state(agent),
        "availability": at_work.state.value,
        "reason": at_work.reason,
        "note": at_work.note,
        "since": stamp(shown.began_at),
        "until": stamp(agent.wrapup_until) if wraps_up else None,
    }


def _alert_form(alert: Alert) -> Json:
    return {
        "id": alert_id(alert),
        "rule": alert.rule,
        "kind": alert.kind.value,
        "node": alert.node,
        "subject": alert.subject,
        "agent": alert.agent,
        "since": stamp(alert.since),
        "began_at": stamp(alert.began_at),
        "ended_at": stamp(alert.ended_at),
        "value": alert.value,
        "threshold": alert.threshold,
    }


def _state(agent: Agent) -> str:
    return (agent.activity or agent.availability).state.value


def _lived(agent: Agent) -> tuple[Any, ...]:
    at_work = agent.availability
    return _state(agent), at_work.state, at_work.reason, at_work.note


def _id(debt: Callback) -> str:
    return f"{debt.node}/{debt.missed_calls[0]}"
