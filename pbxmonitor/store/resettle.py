"""The callbacks of some clients derived again: their calls lived through once more, in the order in which they ended.

What stood at the beginning is carried in, with nothing in it of the calls that are lived again; what a person did by
hand is done again at its moment.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.callback import CLOSED, AttemptResult, Callback, State
from pbxmonitor.domain.escalation import Progress
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.policy import WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.covered import Scope, of_clients
from pbxmonitor.store.debts import (
    Key,
    attempt_rows,
    debt_row,
    key_of,
    never_among,
    progress_row,
    recolour,
    settled,
    with_attempts,
)
from pbxmonitor.store.rejudge import Rejudged, Revision, rejudged, revision, rewrite, rows_of
from pbxmonitor.store.restore import Found
from pbxmonitor.store.rollups import debt_days
from pbxmonitor.store.types import Write, among, write

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
    sa.update(schema.callback)
    .where(_OF_DEBT)
    .values({name: sa.bindparam(f"to_{name}") for name in (*_DERIVED, "next_at")})
)
_GONE: Final = sa.delete(schema.callback).where(_OF_DEBT)
_BY_HAND: Final = frozenset({State.DISMISSED, State.EXPIRED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resettled:
    """Some clients: all their calls as they are, what those that are owed should say, and callbacks then and now."""

    clients: Sequence[str]
    rows: Mapping[Key, Found]
    calls: Sequence[Revision]
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
    def differs(self) -> bool:
        return bool(self.changed or self.gone or any(each.differs for each in self.calls))


def resettled(connection: sa.Connection, clients: Sequence[str], scope: Scope) -> Resettled:
    """What is and what should be of those clients, and of those whose calls turned out to be theirs."""
    clients = [*clients, *_former(connection, clients, scope)]
    rows = of_clients(connection, clients, scope)
    before = _debts(connection, clients, scope)
    calls = rejudged(connection, rows.values(), scope.policy)
    never = never_among(connection, clients)
    if never:
        scope = replace(scope, policy=replace(scope.policy, never_call_back=scope.policy.never_call_back | never))
    after = _lived_by_all(clients, calls, before, rows.keys() | _elsewhere(connection, before, rows, scope), scope)
    of_call = {(debt.node, call): debt for debt in after.values() for call in debt.missed_calls}
    owed = [each for each in calls if each.owed and scope.node in (None, each.call.node)]
    return Resettled(
        clients=clients,
        rows=rows,
        calls=[revision(each, of_call.get(each.key) if each.judged.lost else None) for each in owed],
        before={key_of(debt): debt for debt in before},
        after=after,
    )


def still_so(connection: sa.Connection, found: Resettled, scope: Scope) -> bool:
    """Whether what was found is there unchanged, the callbacks locked from now on."""
    before = {key_of(debt): debt for debt in _debts(connection, found.clients, scope, lock=True)}
    return before == found.before and of_clients(connection, found.clients, scope) == found.rows


def _former(connection: sa.Connection, clients: Sequence[str], scope: Scope) -> set[str]:
    """Other clients whose callbacks were opened by calls of these, or hold them: a log knew the number otherwise."""
    by_node: dict[str, set[str]] = {}
    for row in of_clients(connection, clients, scope).values():
        by_node.setdefault(row.node, set()).update((row.key, row.callback or row.key))
    found: set[str] = set()
    for node, calls in by_node.items():
        held = sa.and_(_DEBT.node == node, among(connection, _DEBT.call, sorted(calls)), open_since(scope))
        found |= set(connection.execute(sa.select(_DEBT.number).where(held)).scalars())
    return found - {*clients}


def _elsewhere(
    connection: sa.Connection, debts: Iterable[Callback], rows: Mapping[Key, Found], scope: Scope
) -> set[Key]:
    """Misses in those callbacks that are lived again with somebody else."""
    others = {(debt.node, call) for debt in debts for call in debt.missed_calls} - rows.keys()
    found = rows_of(connection, others)
    return {(row.node, row.key) for row in found if row.ended_at is not None and row.ended_at >= scope.begin}


def _debts(connection: sa.Connection, clients: Sequence[str], scope: Scope, *, lock: bool = False) -> list[Callback]:
    mine = sa.select(schema.callback).where(among(connection, _DEBT.number, clients), open_since(scope))
    wanted = mine.order_by(_DEBT.opened_at, _DEBT.call)
    return with_attempts(connection, connection.execute(wanted.with_for_update() if lock else wanted).all())


def open_since(scope: Scope) -> sa.ColumnElement[bool]:
    """The callbacks that a call lived again may have touched."""
    since = sa.or_(_DEBT.closed_at.is_(None), _DEBT.closed_at >= scope.begin)
    return since if scope.node is None else sa.and_(since, _DEBT.node == scope.node)


def _lived_by_all(
    clients: Iterable[str], calls: Sequence[Rejudged], before: Sequence[Callback], again: Container[Key], scope: Scope
) -> dict[Key, Callback]:
    """Each client's callbacks after all; `again` are the calls that are lived again, with whomever."""
    client_of = {each.key: each.client for each in calls}
    lives: dict[str | None, _Life] = {client: _Life() for client in clients}
    for each in calls:
        lives.setdefault(each.client, _Life()).calls.append(each)
    for debt in before:
        life = lives[debt.number]
        life.before.append(debt)
        life.owners[key_of(debt)] = debt.owner
        life.voicemails |= {attempt.call for attempt in debt.attempts if attempt.voicemail}
        if _by_hand(debt):
            lives[client_of.get(key_of(debt), debt.number)].hands.append(debt)
    after: dict[Key, Callback] = {}
    for life in lives.values():
        after |= _lived(life, again, scope)
    return after


@dataclass(slots=True)
class _Life:
    """One client's calls, his callbacks as they are, and those of his misses that were closed by hand."""

    calls: list[Rejudged] = field(default_factory=list)
    before: list[Callback] = field(default_factory=list)
    hands: list[Callback] = field(default_factory=list)
    voicemails: set[str] = field(default_factory=set)
    owners: dict[Key, str | None] = field(default_factory=dict)


def _kept_owner(owner: str | None, agents: Sequence[str]) -> str:
    """Who owned it already, where he is one of those who could."""
    return owner if owner is not None and owner in agents else agents[0]


def _lived(life: _Life, again: Container[Key], scope: Scope) -> dict[Key, Callback]:
    """What comes of his calls and of what was done by hand, in the order of time."""
    known = {key_of(debt): debt for debt in _carried(life, again)}
    hands = sorted(life.hands, key=_moment_of)
    for each in sorted(life.calls, key=_order):
        while hands and _moment_of(hands[0]) < each.row.ended_at:
            _done_by_hand(known, hands.pop(0))
        if scope.node in (None, each.call.node) or not each.judged.lost:
            pick = partial(_kept_owner, life.owners.get(each.key))
            known |= settled(known, each.call, each.judged, scope.policy, voicemails=life.voicemails, pick=pick)
    for debt in hands:
        _done_by_hand(known, debt)
    return known


def _order(each: Rejudged) -> tuple[datetime, datetime, Key]:
    return each.row.ended_at, each.row.started_at, each.key


def _carried(life: _Life, again: Container[Key]) -> Iterable[Callback]:
    """The callbacks that earlier calls opened, as they were before those that are lived again."""
    names = {each.call.key for each in life.calls}
    for debt in life.before:
        if key_of(debt) in again:
            continue
        attempts = tuple(attempt for attempt in debt.attempts if attempt.call not in names)
        missed = tuple(call for call in debt.missed_calls if (debt.node, call) not in again)
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


def days_of(connection: sa.Connection, found: Resettled, hours: WorkingHours) -> dict[str, set[date]]:
    """By node, the days whose sums depend on the callbacks that change, as they were and as they will be."""
    changed = found.changed
    debts = [*changed, *found.gone, *(found.before[key_of(debt)] for debt in changed if key_of(debt) in found.before)]
    began = {each.of.key: each.of.call.started_at for each in found.calls}
    days: dict[str, set[date]] = {}
    told = debt_days(connection, debts, hours, seen={call for _, call in began})
    for debt, (node, own) in zip(debts, told, strict=True):
        missed = (began[node, call] for call in debt.missed_calls if (node, call) in began)
        days.setdefault(node, set()).update(own, map(hours.day_of, missed))
    return days


def write_resettled(connection: sa.Connection, found: Resettled) -> None:
    """The callbacks' rows, their attempts, the calls, and the colours of misses that were not lived again."""
    if found.gone:
        connection.execute(_GONE, [_named(debt) for debt in found.gone])
    new = [debt for debt in found.changed if key_of(debt) not in found.before]
    others = [debt for debt in found.changed if key_of(debt) in found.before]
    # Whoever rings the chain's bell looks at them anew: what became open may have steps that are due.
    rows = [{**debt_row(debt), **progress_row(Progress(next_at=_look(debt)))} for debt in new]
    write(connection, schema.callback, rows, Write.INSERT)
    if others:
        connection.execute(_UPDATE, [_named(debt) | _values(debt) for debt in others])
    retried = [debt for debt in others if found.before[key_of(debt)].attempts != debt.attempts]
    if retried:
        connection.execute(_NO_TRIES, [_named(debt) for debt in retried])
    tries = [row for debt in (*new, *retried) for row in attempt_rows(debt)]
    write(connection, schema.callback_attempt, tries, Write.INSERT)
    recolour(connection, found.changed, but={each.of.key for each in found.calls})
    rewrite(connection, found.calls)


def _named(debt: Callback) -> dict[str, str]:
    node, call = key_of(debt)
    return {"of_node": node, "of_call": call}


def _values(debt: Callback) -> dict[str, object]:
    row = debt_row(debt)
    # Also one that is closed now: the sweep tells whoever was told that it is open.
    return {f"to_{name}": row[name] for name in _DERIVED} | {"to_next_at": debt.closed_at or debt.opened_at}


def _look(debt: Callback) -> datetime | None:
    """When to look at it again: at once, or when it is closed, never."""
    return None if debt.closed else debt.opened_at
