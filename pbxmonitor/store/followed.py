"""Calls that follow an agent's new name: their own rows and all below them, judged again where both names took part."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call, Direction, StageKind
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.renaming import once_tried, renamed_dial
from pbxmonitor.store import schema
from pbxmonitor.store.form import to_text
from pbxmonitor.store.rejudge import Rejudged, Revision, rejudged, revision, rewrite, rows_of
from pbxmonitor.store.restore import Found, restored
from pbxmonitor.store.rows import part_rows, verdict_rows
from pbxmonitor.store.types import Write, among, write

_CALL: Final = schema.call.c
_DIALS: Final = (StageKind.DIAL.value, StageKind.EXTERNAL.value)
_NAMED: Final = ((schema.offer, "agent"), (schema.talk, "agent"), (schema.verdict, "agent"))
# The target of a blind transfer is the extension that was dialled.
_NOT_BLIND: Final = schema.transfer.c.kind != "blind"


@dataclass(slots=True)
class Both:
    """What is to be done for calls in which both names took part: clients to settle, since when, and their days."""

    clients: set[str] = field(default_factory=set)
    began: set[datetime] = field(default_factory=set)
    calls: int = 0

    def add(self, other: "Both") -> None:
        self.clients |= other.clients
        self.began |= other.began
        self.calls += other.calls


def calls_of(connection: sa.Connection, node: str, name: str) -> list[str]:
    """The keys of all calls in which that name stands anywhere."""
    found: set[str] = set()
    for wanted in _places(node, name):
        found |= set(connection.execute(wanted).scalars())
    return sorted(found)


def _places(node: str, name: str) -> Iterator[sa.Select[Any]]:
    for table, column in _NAMED:
        yield sa.select(table.c.call).where(table.c.node == node, table.c[column] == name)
    there, stage = schema.transfer.c, schema.stage.c
    either = sa.or_(there.from_agent == name, sa.and_(there.to_agent == name, _NOT_BLIND))
    yield sa.select(there.call).where(there.node == node, either)
    yield sa.select(_CALL.key).where(_CALL.node == node, _CALL.caller == name, _CALL.direction != Direction.INBOUND)
    told = _CALL.evidence.like(f"%{_quoted(name)}%")
    yield sa.select(_CALL.key).where(_CALL.node == node, _CALL.evidence.is_not(None), told)
    yield sa.select(stage.call).where(stage.node == node, stage.kind.in_(_DIALS), _is_dialled(name))


def _quoted(name: str) -> str:
    return to_text(name)


def _is_dialled(name: str) -> sa.ColumnElement[bool]:
    target = schema.stage.c.name
    begins, ends, between = f"{name}&%", f"%&{name}", f"%&{name}&%"
    return sa.or_(target == name, target.like(begins), target.like(ends), target.like(between))


def follow_calls(connection: sa.Connection, node: str, keys: Sequence[str], old: str, new: str, policy: Policy) -> Both:
    """Those calls under the new name; the writers must be locked."""
    both = sorted(_with(connection, node, keys, old) & _with(connection, node, keys, new))
    verdict = schema.verdict.c
    if both:
        twice = sa.and_(verdict.node == node, among(connection, verdict.call, both), verdict.agent == old)
        connection.execute(sa.delete(schema.verdict).where(twice))
    for table, column in (*_NAMED, (schema.transfer, "from_agent")):
        _put(connection, table, column, node, keys, old, new)
    _put(connection, schema.transfer, "to_agent", node, keys, old, new, _NOT_BLIND)
    _put_in_calls(connection, node, keys, old, new)
    _put_in_texts(connection, node, keys, {old: new})
    return _judged_again(connection, node, both, policy) if both else Both()


def _with(connection: sa.Connection, node: str, keys: Sequence[str], name: str) -> set[str]:
    """Those of the calls that rang him, or in which he talked."""
    found: set[str] = set()
    for table, column in _NAMED:
        mine = sa.and_(table.c.node == node, among(connection, table.c.call, keys), table.c[column] == name)
        found |= set(connection.execute(sa.select(table.c.call).where(mine)).scalars())
    return found


def _put(
    connection: sa.Connection,
    table: sa.Table,
    column: str,
    node: str,
    keys: Sequence[str],
    old: str,
    new: str,
    *more: sa.ColumnElement[bool],
) -> None:
    mine = sa.and_(table.c.node == node, among(connection, table.c.call, keys), table.c[column] == old, *more)
    connection.execute(sa.update(table).where(mine).values({column: new}))


def _put_in_calls(connection: sa.Connection, node: str, keys: Sequence[str], old: str, new: str) -> None:
    """Who dialled is an agent unless a client calls in; who answered is one unless a client was called."""
    for column, client in ((_CALL.caller, Direction.INBOUND), (_CALL.answered_by, Direction.OUTBOUND)):
        mine = sa.and_(_CALL.node == node, among(connection, _CALL.key, keys), column == old)
        changed = sa.update(schema.call).where(mine, _CALL.direction != client)
        connection.execute(changed.values({column.name: new}))


def _put_in_texts(connection: sa.Connection, node: str, keys: Sequence[str], names: dict[str, str]) -> None:
    """What a Dial tried, and who dropped the caller."""
    (old,), stage = names, schema.stage.c
    dialled = sa.and_(stage.node == node, among(connection, stage.call, keys), stage.kind.in_(_DIALS), _is_dialled(old))
    for row in connection.execute(sa.select(stage.call, stage.position, stage.name).where(dialled)).all():
        mine = sa.and_(stage.node == node, stage.call == row.call, stage.position == row.position)
        connection.execute(sa.update(schema.stage).where(mine).values(name=renamed_dial(row.name, names)))
    told = sa.and_(_CALL.node == node, among(connection, _CALL.key, keys), _CALL.evidence.like(f"%{_quoted(old)}%"))
    for key, text in connection.execute(sa.select(_CALL.key, _CALL.evidence).where(told)).all():
        evidence = json.loads(text or "{}")
        evidence["dumped"] = [names.get(each, each) for each in evidence.get("dumped", ())]
        kept = {name: value for name, value in evidence.items() if name != "dumped" or value}
        mine = sa.and_(_CALL.node == node, _CALL.key == key)
        connection.execute(sa.update(schema.call).where(mine).values(evidence=to_text(kept)))


def _judged_again(connection: sa.Connection, node: str, keys: Sequence[str], policy: Policy) -> Both:
    """One verdict for one person; what follows for callbacks is left to whoever settles the clients."""
    rows = rows_of(connection, [(node, key) for key in keys])
    for row, call in zip(rows, restored(connection, rows), strict=True):
        once = once_tried(call)
        if once is not call:
            _try_once(connection, row, once, policy)
        if row.ended_at is None:
            _judge_open(connection, row, once, policy)
    found = Both(began={row.started_at for row in rows}, calls=len(rows))
    again = rejudged(connection, rows, policy)
    rewrite(connection, [_revised(each) for each in again])
    found.clients |= {each.client for each in again if each.owed and each.client is not None}
    return found


def _revised(each: Rejudged) -> Revision:
    """The row of a call that is owed is written together with its callback."""
    return Revision(of=each, changes={}, verdicts=each.verdict_changes()) if each.owed else revision(each)


def _try_once(connection: sa.Connection, row: Found, once: Call, policy: Policy) -> None:
    judged = judge(once, policy, row.ended_at or row.started_at)
    parts = list(part_rows(once, judged, policy))
    for table in (schema.offer, schema.talk):
        connection.execute(sa.delete(table).where(table.c.node == row.node, table.c.call == row.key))
        write(connection, table, [each for kind, each in parts if kind is table], Write.INSERT)


def _judge_open(connection: sa.Connection, row: Found, call: Call, policy: Policy) -> None:
    """Its daemon goes on with it; until then its verdicts are those of one person, too."""
    verdict = schema.verdict.c
    connection.execute(sa.delete(schema.verdict).where(verdict.node == row.node, verdict.call == row.key))
    judged = judge(call, policy, row.started_at)
    write(connection, schema.verdict, list(verdict_rows(call, judged, policy)), Write.INSERT)
