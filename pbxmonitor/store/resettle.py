"""The callbacks of some clients derived again from their calls: every one lived through once more, in the order it ended.

What stood at the beginning is carried in, with nothing in it of the calls that are lived again; what a person did by
hand is done again at its moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import CLOSED, AttemptResult, Callback, State
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key, attempt_rows, debt_row, key_of, recolour, settled, with_attempts
from pbxmonitor.store.rejudge import Rejudged, covered, rejudged, rows_of
from pbxmonitor.store.restore import Found
from pbxmonitor.store.types import Write, among, write

_CALL: Final = schema.call.c
_DEBT: Final = schema.callback.c
_OF_DEBT: Final = sa.and_(_DEBT.node == sa.bindparam("of_node"), _DEBT.call == sa.bindparam("of_call"))
_TRIES: Final = schema.callback_attempt.c
_NO_TRIES: Final = sa.delete(schema.callback_attempt).where(
    _TRIES.node == sa.bindparam("of_node"), _TRIES.callback == sa.bindparam("of_call")
)
_DERIVED: Final = (
    *("number", "line", "state", "missed_calls", "priority", "owner", "opened_at", "due_at"),
    *("closed_by_call", "closed_at", "rescuer", "tried_at"),
)
_UPDATE: Final = (
    sa.update(schema.callback).where(_OF_DEBT).values({name: sa.bindparam(f"to_{name}") for name in _DERIVED})
)
_GONE: Final = sa.delete(schema.callback).where(_OF_DEBT)
_BY_HAND: Final = frozenset({State.DISMISSED, State.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which calls are lived again, and of which node the rows may change (None: of all).

    `strays` are, by client, outbound calls that rang another number than the one that was dialled.
    """

    begin: datetime
    policy: Policy
    strays: Mapping[str, Sequence[Key]]
    node: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resettled:
    """Some clients' calls that are owed or were, each with its callback, and their callbacks before and after."""

    calls: Sequence[tuple[Rejudged, Callback | None]]
    before: Mapping[Key, Callback]
    after: Mapping[Key, Callback]

    @property
    def changed(self) -> list[Callback]:
        """The callbacks that are new or other than they were."""
        return [debt for key, debt in self.after.items() if self.before.get(key) != debt]

    @property
    def gone(self) -> list[Callback]:
        """Those that follow from nothing any more."""
        return [debt for key, debt in self.before.items() if key not in self.after]

    @property
    def changed_calls(self) -> list[tuple[Rejudged, Callback | None]]:
        """The calls whose rows do not say what they should."""
        return [(each, debt) for each, debt in self.calls if each.changes(debt) or any(each.verdict_changes())]


def resettled(connection: sa.Connection, clients: Sequence[str], scope: Scope, *, lock: bool = False) -> Resettled:
    """What is and what should be of those clients; with `lock` nobody else closes their callbacks meanwhile."""
    calls = rejudged(connection, _rows(connection, clients, scope), scope.policy)
    by_client: dict[str | None, list[Rejudged]] = {}
    for each in calls:
        by_client.setdefault(each.client, []).append(each)
    before = _debts(connection, clients, scope, lock)
    after: dict[Key, Callback] = {}
    for client in clients:
        mine = [debt for debt in before if debt.number == client]
        after |= _lived(by_client.get(client, []), mine, scope)
    of_call = {(debt.node, call): debt for debt in after.values() for call in debt.missed_calls}
    owed = [(each, of_call.get(each.key)) for each in calls if each.owed and scope.node in (None, each.call.node)]
    return Resettled(calls=owed, before={key_of(debt): debt for debt in before}, after=after)


def _rows(connection: sa.Connection, clients: Sequence[str], scope: Scope) -> list[Found]:
    """The calls from those clients and to them; of any node, because a conversation counts on every one."""
    since = sa.select(schema.call).where(covered(scope.begin), _CALL.ended_at.is_not(None))
    found: dict[Key, Found] = {}
    for column, direction in ((_CALL.caller, Direction.INBOUND), (_CALL.called, Direction.OUTBOUND)):
        mine = since.where(among(connection, column, clients), _CALL.direction == direction)
        found |= {(row.node, row.key): row for row in connection.execute(mine).all()}
    strays = {key for client in clients for key in scope.strays.get(client, ())} - found.keys()
    return [*found.values(), *rows_of(connection, strays)]


def _debts(connection: sa.Connection, clients: Sequence[str], scope: Scope, lock: bool) -> list[Callback]:
    mine = sa.select(schema.callback).where(among(connection, _DEBT.number, clients), open_since(scope))
    wanted = mine.order_by(_DEBT.opened_at, _DEBT.call)
    return with_attempts(connection, connection.execute(wanted.with_for_update() if lock else wanted).all())


def open_since(scope: Scope) -> sa.ColumnElement[bool]:
    """The callbacks that a call lived again may have touched."""
    since = sa.or_(_DEBT.closed_at.is_(None), _DEBT.closed_at >= scope.begin)
    return since if scope.node is None else sa.and_(since, _DEBT.node == scope.node)


def _lived(calls: Sequence[Rejudged], before: Sequence[Callback], scope: Scope) -> dict[Key, Callback]:
    """One client's callbacks after all of his calls and what was done by hand, in the order of time."""
    known = {key_of(debt): debt for debt in _carried(calls, before)}
    hands = sorted((debt for debt in before if _by_hand(debt)), key=_moment_of)
    for each in sorted(calls, key=_order):
        while hands and each.call.ended_at is not None and _moment_of(hands[0]) < each.call.ended_at:
            _done_by_hand(known, hands.pop(0))
        if scope.node in (None, each.call.node) or not each.judged.lost:
            known |= settled(known, each.call, each.judged, scope.policy)
    for debt in hands:
        _done_by_hand(known, debt)
    return known


def _order(each: Rejudged) -> tuple[datetime, datetime, Key]:
    return each.row.ended_at, each.row.started_at, each.key


def _carried(calls: Sequence[Rejudged], before: Sequence[Callback]) -> Iterable[Callback]:
    """The callbacks that other calls opened, as they were before these ones."""
    keys, names = {each.key for each in calls}, {each.call.key for each in calls}
    for debt in before:
        if key_of(debt) in keys:
            continue
        attempts = tuple(attempt for attempt in debt.attempts if attempt.call not in names)
        missed = tuple(call for call in debt.missed_calls if (debt.node, call) not in keys)
        was = evolve(debt, attempts=attempts, missed_calls=missed)
        reopened = not debt.closed or debt.closed_by_call in names or _by_hand(debt)
        yield _reopened(was) if reopened else was


def _reopened(debt: Callback) -> Callback:
    tried = any(attempt.result is not AttemptResult.TOO_SHORT for attempt in debt.attempts)
    state = State.ATTEMPTED if tried else State.OPEN
    return evolve(debt, state=state, closed_by_call=None, closed_at=None, rescuer=None)


def _by_hand(debt: Callback) -> bool:
    """Closed by a person or by time, not by a conversation."""
    return debt.state in _BY_HAND or (debt.state in CLOSED and debt.closed_by_call is None)


def _moment_of(debt: Callback) -> datetime:
    return debt.closed_at or debt.opened_at


def _done_by_hand(known: dict[Key, Callback], was: Callback) -> None:
    """Close what holds the same misses now; a callback that follows from nothing any more is kept as a person left it.

    A person's word stands against a conversation that counts only now; mere time does not.
    """
    mine = [debt for debt in known.values() if debt.node == was.node and {*debt.missed_calls} & {*was.missed_calls}]
    if not mine:
        known[key_of(was)] = was
        return
    debt = next((debt for debt in mine if not debt.closed), mine[0])
    if debt.closed and was.state is State.EXPIRED:
        return
    known[key_of(debt)] = evolve(
        debt, state=was.state, closed_at=was.closed_at, closed_by_call=was.closed_by_call, rescuer=was.rescuer
    )


def write_resettled(connection: sa.Connection, found: Resettled) -> None:
    """The callbacks' rows, their attempts, and the colours of calls that were not lived again; calls are `rewrite`'s."""
    if found.gone:
        connection.execute(_GONE, [_named(debt) for debt in found.gone])
    new = [debt for debt in found.changed if key_of(debt) not in found.before]
    others = [debt for debt in found.changed if key_of(debt) in found.before]
    write(connection, schema.callback, [debt_row(debt) for debt in new], Write.INSERT)
    if others:
        connection.execute(_UPDATE, [_named(debt) | _values(debt) for debt in others])
    retried = [debt for debt in others if found.before[key_of(debt)].attempts != debt.attempts]
    if retried:
        connection.execute(_NO_TRIES, [_named(debt) for debt in retried])
    tries = [row for debt in (*new, *retried) for row in attempt_rows(debt)]
    write(connection, schema.callback_attempt, tries, Write.INSERT)
    recolour(connection, found.changed, but={each.key for each, _ in found.calls})


def _named(debt: Callback) -> dict[str, str]:
    node, call = key_of(debt)
    return {"of_node": node, "of_call": call}


def _values(debt: Callback) -> dict[str, object]:
    row = debt_row(debt)
    return {f"to_{name}": row[name] for name in _DERIVED}
