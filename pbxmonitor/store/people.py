"""Who there is by name: what merging or renaming would move, and whether it may be done."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from pbxmonitor.store import aliases, schema
from pbxmonitor.store.followed import calls_of
from pbxmonitor.store.merging import Renaming
from pbxmonitor.store.types import among
from pbxmonitor.texts import Cannot

_PORTION = 500


class CannotRename(Cannot):
    """It may not be done; `text` says why, and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One name in the rows: on which PBXs, and what else it was."""

    agent: str
    nodes: Sequence[str]
    former: Sequence[str]
    unfinished: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would follow: calls, of them those with both names and those that go on; states; callbacks he owns."""

    calls: int
    both: int
    going_on: int
    states: int
    callbacks: int


def known(connection: sa.Connection) -> list[Known]:
    """Everybody who stands in the rows, by name."""
    table = schema.agent.c
    nodes: dict[str, list[str]] = {}
    for name, node in connection.execute(sa.select(table.agent, table.node).order_by(table.agent, table.node)):
        nodes.setdefault(name, []).append(node)
    former: dict[str, dict[str, bool]] = {}
    for each in aliases.aliases(connection):
        finished = former.setdefault(each.agent, {})
        finished[each.name] = finished.get(each.name, True) and each.finished_at is not None
    return [
        Known(
            agent=name,
            nodes=nodes.get(name, []),
            former=sorted(former.get(name, {})),
            unfinished=sorted(old for old, done in former.get(name, {}).items() if not done),
        )
        for name in sorted(nodes.keys() | former.keys())
    ]


def all_nodes(connection: sa.Connection, more: Collection[str] = ()) -> list[str]:
    """Every PBX that there are rows of, and `more`."""
    return sorted({*more, *connection.execute(sa.select(schema.node.c.name)).scalars()})


def check(
    connection: sa.Connection, wanted: Renaming, people: Collection[str], *, merge: bool, known: bool = False
) -> None:
    """CannotRename where it may not be done; `people` are the keys of the settings that stay as they are.

    `known`: the settings know the old name, whatever the rows do.
    """
    old, new = wanted.old, wanted.new
    _check_words(old, new)
    resumed = _unfinished(connection, wanted)
    if old in people:
        raise CannotRename("people.cannot.in_settings", name=old, new=new)
    for node in wanted.nodes:
        _check_names(connection, node, old, new, merge=merge)
    there = _there(connection, wanted.nodes, (old, new))
    if old not in there and not resumed and not known:
        raise CannotRename("people.cannot.unknown", name=old)
    if merge and new not in there and new not in people:
        raise CannotRename("people.cannot.no_other", name=new)
    if not merge and new in there and not resumed:
        raise CannotRename("people.cannot.taken", name=new, old=old)


def _check_words(old: str, new: str) -> None:
    if old == new:
        raise CannotRename("people.cannot.same", name=old)
    if not new or len(new) > schema.NAME or new != new.strip() or not new.isprintable() or "&" in new:
        raise CannotRename("people.cannot.word", name=new, n=schema.NAME)


def _unfinished(connection: sa.Connection, wanted: Renaming) -> bool:
    """Whether this very one broke off; CannotRename when another did that has to do with the names."""
    found = False
    for each in aliases.aliases(connection):
        if each.finished_at is not None or each.node not in wanted.nodes:
            continue
        if (each.name, each.agent) == (wanted.old, wanted.new):
            found = True
        elif {each.name, each.agent} & {wanted.old, wanted.new}:
            raise CannotRename("people.cannot.unfinished", name=each.name, new=each.agent)
    return found


def _check_names(connection: sa.Connection, node: str, old: str, new: str, *, merge: bool) -> None:
    """A name that somebody had before is his; only he himself may have it back."""
    names: Mapping[str, str] = aliases.names_of(connection, node)
    whose = names.get(old)
    if whose is not None and whose != new:
        raise CannotRename("people.cannot.gone", name=old, new=whose)
    theirs = names.get(new)
    if theirs is not None and (merge or theirs != old):
        key = "people.cannot.split" if theirs == old else "people.cannot.former"
        raise CannotRename(key, name=new, new=theirs)


def _there(connection: sa.Connection, nodes: Sequence[str], names: Sequence[str]) -> set[str]:
    table = schema.agent.c
    mine = sa.and_(among(connection, table.node, nodes), table.agent.in_(names))
    return set(connection.execute(sa.select(table.agent).where(mine)).scalars()) if nodes else set()


def preview(connection: sa.Connection, wanted: Renaming) -> Preview:
    """What would follow the new name."""
    calls = both = going_on = states = callbacks = 0
    call, part, debt = schema.call.c, schema.agent_interval.c, schema.callback.c
    for node in wanted.nodes:
        keys = calls_of(connection, node, wanted.old)
        calls += len(keys)
        both += len({*keys} & {*calls_of(connection, node, wanted.new)})
        for start in range(0, len(keys), _PORTION):
            some = among(connection, call.key, keys[start : start + _PORTION])
            going_on += _count(connection, schema.call, call.node == node, some, call.ended_at.is_(None))
        states += _count(connection, schema.agent_interval, part.node == node, part.agent == wanted.old)
        whose = sa.or_(debt.owner == wanted.old, debt.taken_by == wanted.old, debt.rescuer == wanted.old)
        callbacks += _count(connection, schema.callback, debt.node == node, whose)
    return Preview(calls=calls, both=both, going_on=going_on, states=states, callbacks=callbacks)


def _count(connection: sa.Connection, table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
