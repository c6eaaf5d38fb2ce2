"""Callbacks as rows: what ended calls do to the open ones, and the colours of the missed calls they belong to."""

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter

import sqlalchemy as sa

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import (
    Attempt,
    AttemptResult,
    Callback,
    Pick,
    State,
    client_of,
    colour_of_debt,
    settle,
)
from pbxmonitor.domain.escalation import Progress
from pbxmonitor.domain.judge import Judgement, judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.form import to_text
from pbxmonitor.store.types import Row, among, upsert

# Its node and the call that opened it.
Key = tuple[str, str]
# A debt closed this long before a call ended may still hold that call: facts of two calls come as they come.
_SLACK = timedelta(hours=1)
_PROGRESS = tuple(field.name for field in fields(Progress))
_SELECT = sa.select(schema.callback).order_by(schema.callback.c.opened_at, schema.callback.c.call)
_ATTEMPTS = sa.select(schema.callback_attempt).order_by(schema.callback_attempt.c.position)
_RECOLOUR = (
    sa.update(schema.call)
    .where(
        schema.call.c.node == sa.bindparam("of_node"),
        schema.call.c.key == sa.bindparam("of_key"),
        schema.call.c.lost.is_(True),
    )
    .values(colour=sa.bindparam("colour"))
)


class Debts:
    """The callbacks that a batch may touch, in memory for the length of its transaction."""

    def __init__(
        self,
        node: str,
        known: Sequence[Callback] = (),
        progress: Mapping[Key, Progress] | None = None,
        never: frozenset[str] = frozenset(),
        pick: Pick = itemgetter(0),
    ) -> None:
        self._node = node
        self._known = {key_of(debt): debt for debt in known}
        self._before = dict(self._known)
        self._changed: dict[Key, Callback] = {}
        self._causes: dict[Key, Call] = {}
        self.progress = dict(progress or {})
        self._never = never
        self._pick = pick

    def settle(self, call: Call, policy: Policy) -> None:
        """What that call, just ended, does to them."""
        judged = judge(call, policy, call.ended_at or call.started_at)
        if self._never:
            policy = replace(policy, never_call_back=policy.never_call_back | self._never)
        touched = settled(self._known, call, judged, policy, pick=self._pick)
        self._known |= touched
        self._changed |= touched
        for key in touched:
            self._causes.setdefault(key, call)

    def of(self, call: Call) -> Callback | None:
        """The callback that the call's miss belongs to."""
        mine = (debt for debt in self._known.values() if debt.node == self._node)
        return next((debt for debt in mine if call.key in debt.missed_calls), None)

    @property
    def changed(self) -> Iterable[Callback]:
        """Those that the batch has changed or opened."""
        return self._changed.values()

    def moves(self) -> Iterable[tuple[Callback | None, Callback, Call]]:
        """Each changed one as it was and as it is, and the first call that changed it."""
        return ((self._before.get(key), debt, self._causes[key]) for key, debt in self._changed.items())

    def write(self, connection: sa.Connection, written: Container[str]) -> None:
        """The changed ones, their attempts, and the colours of their missed calls that were not written just now."""
        changed = list(self._changed.values())
        if not changed:
            return
        rows = [{**debt_row(debt), **progress_row(self.progress.get(key_of(debt), Progress()))} for debt in changed]
        upsert(connection, schema.callback, rows)
        upsert(connection, schema.callback_attempt, [row for debt in changed for row in attempt_rows(debt)])
        mine = {(self._node, call) for debt in changed for call in debt.missed_calls if call in written}
        recolour(connection, changed, but=mine)


def key_of(debt: Callback) -> Key:
    """The callback's primary key."""
    return debt.node, debt.missed_calls[0]


def settled(
    known: Mapping[Key, Callback],
    call: Call,
    judged: Judgement,
    policy: Policy,
    *,
    voicemails: Container[str] = (),
    pick: Pick = itemgetter(0),
) -> dict[Key, Callback]:
    """Those that the ended call changes or opens: a miss joins one of its own PBX, a conversation closes any.

    `voicemails` are the calls of which a person said that a machine answered them.
    """
    mine = [debt for debt in known.values() if debt.node == call.node or not judged.lost]
    machine = call.key in voicemails
    return {key_of(debt): debt for debt in settle(mine, call, judged, policy, voicemail=machine, pick=pick)}


def recolour(connection: sa.Connection, debts: Iterable[Callback], but: Container[Key] = ()) -> None:
    """Give the lost calls that those callbacks are for their colour, except the calls in `but`."""
    rows = [row for debt in debts for row in _colours(debt) if (row["of_node"], row["of_key"]) not in but]
    if rows:
        connection.execute(_RECOLOUR, rows)


def load_debts(connection: sa.Connection, node: str, ended: Iterable[Call]) -> Debts:
    """The callbacks of the clients of those calls, locked until the transaction ends."""
    calls = [call for call in ended if client_of(call) is not None and call.ended_at is not None]
    if not calls:
        return Debts(node)
    numbers = sorted({client_of(call) or "" for call in calls})
    since = min(call.ended_at for call in calls if call.ended_at is not None) - _SLACK
    table = schema.callback.c
    recent = sa.and_(table.number.in_(numbers), sa.or_(table.closed_at.is_(None), table.closed_at >= since))
    found = (connection.execute(_SELECT.where(recent).with_for_update())).all()
    progress = {(row.node, row.call): progress_of(row) for row in found}
    never = never_among(connection, numbers)
    return Debts(node, with_attempts(connection, found), progress, never, partial(fewest_open, connection))


def never_among(connection: sa.Connection, numbers: Sequence[str]) -> frozenset[str]:
    """Which of the numbers never open a callback, by what people said in the program."""
    rule = schema.number_rule.c.number
    return frozenset(connection.execute(sa.select(rule).where(among(connection, rule, numbers))).scalars())


def fewest_open(connection: sa.Connection, agents: Sequence[str]) -> str:
    """Of those agents the one who owns the fewest open callbacks; the first of equals."""
    table = schema.callback.c
    mine = sa.and_(table.state.in_([State.OPEN.value, State.ATTEMPTED.value]), table.owner.in_(agents))
    found = connection.execute(
        sa.select(table.owner, sa.func.count().label("n")).where(mine).group_by(table.owner)
    ).all()
    counts = {row.owner: row.n for row in found}
    return min(agents, key=lambda agent: counts.get(agent, 0))


def with_attempts(connection: sa.Connection, rows: Sequence[sa.Row[tuple[object, ...]]]) -> list[Callback]:
    """The callbacks of those rows, attempts included, in the same order."""
    if not rows:
        return []
    attempts: dict[tuple[str, str], list[Attempt]] = {}
    attempt = schema.callback_attempt.c
    of_calls = sa.and_(attempt.node.in_({row.node for row in rows}), attempt.callback.in_([row.call for row in rows]))
    for row in (connection.execute(_ATTEMPTS.where(of_calls))).all():
        attempts.setdefault((row.node, row.callback), []).append(_attempt(row))
    return [_callback(row, tuple(attempts.get((row.node, row.call), ()))) for row in rows]


def _colours(debt: Callback) -> Iterable[Row]:
    colour = colour_of_debt(debt)
    return ({"of_node": debt.node, "of_key": call, "colour": colour} for call in debt.missed_calls)


def debt_row(debt: Callback) -> Row:
    """The callback itself."""
    return {
        "node": debt.node,
        "call": debt.missed_calls[0],
        "number": debt.number,
        "line": debt.line,
        "state": debt.state,
        "missed_calls": to_text(debt.missed_calls),
        "priority": debt.priority,
        "owner": debt.owner,
        "opened_at": debt.opened_at,
        "due_at": debt.due_at,
        "closed_by_call": debt.closed_by_call,
        "closed_at": debt.closed_at,
        "rescuer": debt.rescuer,
        "tried_at": tried_at(debt),
    }


def progress_of(row: sa.Row[tuple[object, ...]]) -> Progress:
    """How far the callback of that row has come."""
    return Progress(**{name: getattr(row, name) for name in _PROGRESS})


def progress_row(progress: Progress) -> Row:
    """The columns that say how far a callback has come."""
    return {name: getattr(progress, name) for name in _PROGRESS}


def tried_at(debt: Callback) -> datetime | None:
    """When somebody first really tried to reach the client; from his own mobile, when he said so."""
    tries = [each.at for each in debt.attempts if each.result is not AttemptResult.TOO_SHORT]
    if debt.state is State.REACHED and debt.closed_by_call is None and debt.closed_at is not None:
        tries.append(debt.closed_at)
    return min(tries, default=None)


def attempt_rows(debt: Callback) -> Iterable[Row]:
    """Its attempts."""
    for position, attempt in enumerate(debt.attempts):
        yield {
            "node": debt.node,
            "callback": debt.missed_calls[0],
            "position": position,
            "agent": attempt.agent,
            "call": attempt.call,
            "at": attempt.at,
            "rang_s": attempt.rang_s,
            "talk_s": attempt.talk_s,
            "result": attempt.result,
            "voicemail": attempt.voicemail,
        }


def _attempt(row: sa.Row[tuple[object, ...]]) -> Attempt:
    return Attempt(
        agent=row.agent,
        call=row.call,
        at=row.at,
        rang_s=row.rang_s,
        talk_s=row.talk_s,
        result=AttemptResult(row.result),
        voicemail=row.voicemail,
    )


def _callback(row: sa.Row[tuple[object, ...]], attempts: tuple[Attempt, ...]) -> Callback:
    return Callback(
        node=row.node,
        number=row.number,
        line=row.line,
        state=State(row.state),
        missed_calls=tuple(json.loads(row.missed_calls)),
        owner=row.owner,
        opened_at=row.opened_at,
        due_at=row.due_at,
        attempts=attempts,
        closed_by_call=row.closed_by_call,
        closed_at=row.closed_at,
        rescuer=row.rescuer,
    )
