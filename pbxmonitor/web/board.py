"""Callbacks as a board: which a viewer may see and act on, what is done with them, and what was done before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.callback import Callback, State
from pbxmonitor.domain.escalation import Duties, Progress
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json, callback_view, stamp
from pbxmonitor.store import schema
from pbxmonitor.store.actions import CannotAct, Deed, Hand, act, find
from pbxmonitor.store.case import Case, cases_of
from pbxmonitor.store.debts import Key, progress_of, with_attempts
from pbxmonitor.store.journal import Cursor
from pbxmonitor.store.rejudge import lock_writers
from pbxmonitor.store.types import among
from pbxmonitor.web.sight import Sight

_C: Final = schema.callback.c
_A: Final = schema.audit.c
_OPEN: Final = (State.OPEN.value, State.ATTEMPTED.value)
Condition = sa.ColumnElement[bool]


class Column(StrEnum):
    """Where a callback stands on the board."""

    OVERDUE = "overdue"
    OPEN = "open"
    ATTEMPTED = "attempted"
    CLOSED = "closed"


COLUMNS: Final = tuple(column.value for column in Column)
# The deeds that a callback's history tells; ringing the phone is not the store's.
_DEEDS: Final = (*(hand.value for hand in Hand), "call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A callback on the board; `history` are the lines of its audit, oldest first."""

    case: Case
    column: Column
    may_act: bool
    history: Sequence[Json]

    @property
    def debt(self) -> Callback:
        return self.case.debt


def column_of(debt: Callback, now: datetime) -> Column:
    """Its place on the board at that moment."""
    if debt.closed:
        return Column.CLOSED
    if debt.due_at < now:
        return Column.OVERDUE
    return Column.ATTEMPTED if debt.state is State.ATTEMPTED else Column.OPEN


def is_his(sight: Sight, debt: Callback, progress: Progress) -> bool:
    """Whether it is the viewer's business: of somebody whom he sees, or of nobody yet."""
    if sight.agents is None:
        return True
    if debt.owner is None and progress.taken_by is None:
        return True
    return any(sight.sees(agent) for agent in (debt.owner, progress.taken_by, debt.rescuer))


def _visible(sight: Sight) -> Iterable[Condition]:
    """The same of rows."""
    agents = sight.agents
    if agents is not None:
        theirs = [column.in_(agents) for column in (_C.owner, _C.taken_by, _C.rescuer)]
        yield sa.or_(*theirs, sa.and_(_C.owner.is_(None), _C.taken_by.is_(None)))


def board(
    connection: sa.Connection, sight: Sight, now: datetime, since: datetime, limit: int
) -> dict[Column, list[Card]]:
    """All columns, so many of each: those in time by their deadline, overdue ones and those closed since from the last.

    Who has been waiting for a minute can still be won; who was forgotten a week ago has gone elsewhere.
    """
    open_ones = sa.select(schema.callback).where(_C.state.in_(_OPEN), *_visible(sight)).limit(limit)
    over = (_C.closed_at >= since, _C.state.not_in(_OPEN))
    closed = sa.select(schema.callback).where(*over, *_visible(sight)).limit(limit)
    wanted = (
        open_ones.where(_C.due_at < now).order_by(_C.due_at.desc(), _C.node, _C.call),
        *(
            open_ones.where(_C.due_at >= now, _C.state == state).order_by(_C.due_at, _C.node, _C.call)
            for state in _OPEN
        ),
        closed.order_by(_C.closed_at.desc(), _C.node, _C.call),
    )
    found: dict[Column, list[Card]] = {column: [] for column in Column}
    for card in cards(connection, sight, [row for each in wanted for row in connection.execute(each).all()], now):
        found[card.column].append(card)
    return found


def cards(connection: sa.Connection, sight: Sight, rows: Sequence[sa.Row[Any]], now: datetime) -> list[Card]:
    """Those rows as cards, in their order."""
    debts = with_attempts(connection, rows)
    progress = {(row.node, row.call): progress_of(row) for row in rows}
    cases = cases_of(connection, debts, progress)
    lines = history(connection, [case.key for case in cases])
    return [
        Card(
            case=case,
            column=column_of(case.debt, now),
            may_act=is_his(sight, case.debt, case.progress),
            history=lines.get(case.key, ()),
        )
        for case in cases
    ]


def card(connection: sa.Connection, sight: Sight, key: Key, now: datetime) -> Card | None:
    """The card of that callback; None when there is none, or it is none of the viewer's."""
    wanted = sa.select(schema.callback).where(_C.node == key[0], _C.call == key[1])
    found = cards(connection, sight, connection.execute(wanted).all(), now)
    return found[0] if found and found[0].may_act else None


def of_agent(
    connection: sa.Connection, sight: Sight, agent: str, begin: datetime, end: datetime, now: datetime, limit: int
) -> list[Card]:
    """The newest callbacks of that time which the agent owns, took or closed."""
    wanted = sa.select(schema.callback).where(_of_agent(agent), _C.opened_at >= begin, _C.opened_at < end)
    rows = connection.execute(wanted.order_by(_C.opened_at.desc(), _C.node, _C.call).limit(limit)).all()
    return cards(connection, sight, rows, now)


def _of_agent(agent: str) -> Condition:
    return sa.or_(_C.owner == agent, _C.taken_by == agent, _C.rescuer == agent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which callbacks: of that column and agent, opened in that span, after that one; None: of any."""

    column: Column | None = None
    span: tuple[datetime, datetime] | None = None
    node: str | None = None
    agent: str | None = None
    limit: int = 50
    after: Cursor | None = None


def listed(connection: sa.Connection, sight: Sight, now: datetime, wanted: Wanted) -> tuple[list[Card], Cursor | None]:
    """One page of them, the last opened first, and where the next one begins."""
    found = sa.select(schema.callback).where(*_visible(sight), *_asked(wanted, now))
    order = (_C.opened_at.desc(), _C.node.desc(), _C.call.desc())
    rows = connection.execute(found.order_by(*order).limit(wanted.limit + 1)).all()
    shown, more = rows[: wanted.limit], len(rows) > wanted.limit
    last = Cursor(started_at=shown[-1].opened_at, node=shown[-1].node, key=shown[-1].call) if more else None
    return cards(connection, sight, shown, now), last


def _asked(wanted: Wanted, now: datetime) -> Iterable[Condition]:
    yield from _in_column(wanted.column, now)
    if wanted.node is not None:
        yield _C.node == wanted.node
    if wanted.agent is not None:
        yield _of_agent(wanted.agent)
    if wanted.span is not None:
        yield sa.and_(_C.opened_at >= wanted.span[0], _C.opened_at < wanted.span[1])
    if wanted.after is not None:
        at, node, call = wanted.after.started_at, wanted.after.node, wanted.after.key
        yield _C.opened_at <= at
        yield sa.or_(_C.opened_at < at, _C.node < node, sa.and_(_C.node == node, _C.call < call))


def _in_column(column: Column | None, now: datetime) -> Iterable[Condition]:
    match column:
        case Column.OVERDUE:
            yield sa.and_(_C.state.in_(_OPEN), _C.due_at < now)
        case Column.OPEN | Column.ATTEMPTED:
            yield sa.and_(_C.state == column.value, _C.due_at >= now)
        case Column.CLOSED:
            yield _C.state.not_in(_OPEN)


def history(connection: sa.Connection, keys: Sequence[Key]) -> Mapping[Key, list[Json]]:
    """By callback, who did what with it and when."""
    if not keys:
        return {}
    subjects = among(connection, _A.subject, sorted({call for _, call in keys}))
    mine = sa.and_(_A.node.in_({node for node, _ in keys}), subjects, _A.action.in_(_DEEDS))
    found: dict[Key, list[Json]] = {}
    for row in connection.execute(sa.select(schema.audit).where(mine).order_by(_A.at, _A.id)).all():
        line = {"at": row.at, "who": row.who, "action": row.action, **json.loads(row.details)}
        found.setdefault((row.node, row.subject), []).append(line)
    return found


def done(
    connection: sa.Connection, sight: Sight, duties: Duties, policy: Policy, key: Key, deed: Deed, now: datetime
) -> Card:
    """Do it as the viewer; CannotAct, also when the callback is none of his."""
    lock_writers(connection)
    case = find(connection, key)
    if not is_his(sight, case.debt, case.progress):
        raise CannotAct("callback.cannot.unknown")
    act(connection, duties, policy, key, deed, now)
    changed = sa.select(schema.callback).where(_C.node == key[0], _C.call == key[1])
    return cards(connection, sight, connection.execute(changed).all(), now)[0]


def card_json(each: Card, sight: Sight) -> Json:
    """A callback as answers have it: its stable form, what people did with it, where it stands.

    Whose business it is sees who else tried: two people must not call one client.
    """
    debt, progress = each.debt, each.case.progress
    return callback_view(debt) | {
        "id": f"{debt.node}/{debt.missed_calls[0]}",
        "node": debt.node,
        "call": debt.missed_calls[0],
        "number": sight.number(debt.number),
        "line": sight.number(debt.line),
        "queue": each.case.queue,
        "missed": debt.priority,
        "column": each.column.value,
        "rescuer": debt.rescuer,
        "closed_at": stamp(debt.closed_at),
        "step": progress.step,
        "taken_by": progress.taken_by,
        "taken_at": stamp(progress.taken_at),
        "snoozed_until": stamp(progress.snoozed_until),
        "dismissed_by": progress.dismissed_by,
        "reason": sight.text(progress.reason) if progress.reason else None,
        "history": [_line(line, sight) for line in each.history],
    }


def _line(line: Json, sight: Sight) -> Json:
    said = {name: sight.text(value) if isinstance(value, str) else value for name, value in line.items()}
    return said | {"at": stamp(line["at"])}
