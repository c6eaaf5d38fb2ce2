"""Pages of the journal for who sees some people only: the calls in which one of them took part, whatever his part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction
from pbxmonitor.store import schema
from pbxmonitor.store.filters import Condition, Filter, Source, apart, sources
from pbxmonitor.store.journal import Cursor, Page, evident

_CALL: Final = schema.call.c
_PLACE: Final = ("started_at", "node", "key")
# The calls of so few people are found by them; those of more are met soon enough on the way through the period.
_FEW: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which part of the calls: so many after that one."""

    limit: int
    after: Cursor | None = None
    newest_first: bool = True


def shared_page(connection: sa.Connection, wanted: Filter, agents: Sequence[str], part: Part) -> Page:
    """The calls that the filter wants (for itself, of no agent) and in which any of the agents took part."""
    if not agents:
        return Page(calls=[], next=None)
    after = part.after
    wanted = wanted.beyond(after.started_at, newest_first=part.newest_first) if after is not None else wanted
    found = list(_found(connection, wanted, agents))
    firsts = [_first(source, part).subquery() for source in found]
    keys = sa.union(*(sa.select(first) for first in firsts)).subquery() if len(firsts) > 1 else firsts[0]
    chosen = _sorted(sa.select(keys), part, *(keys.c[name] for name in _PLACE)).limit(part.limit + 1).subquery()
    of_chosen = sa.and_(_CALL.node == chosen.c.node, _CALL.key == chosen.c.key)
    calls = sa.select(schema.call).join(chosen, of_chosen)
    rows = connection.execute(_sorted(calls, part, *(_CALL[name] for name in _PLACE))).all()
    shown = rows[: part.limit]
    last = Cursor(started_at=shown[-1].started_at, node=shown[-1].node, key=shown[-1].key) if shown else None
    return Page(calls=evident(connection, shown), next=last if len(rows) > part.limit else None)


def _found(connection: sa.Connection, wanted: Filter, agents: Sequence[str]) -> Iterable[Source]:
    if wanted.whole_number is not None or len(agents) > _FEW:
        for source in sources(connection, wanted):
            yield replace(source, conditions=(*source.conditions, _took_part(agents)))
        return
    plain, coloured = apart(wanted)
    for agent in agents:
        for source in sources(connection, replace(plain, agent=agent)):
            yield replace(source, conditions=(*source.conditions, *coloured))


def _took_part(agents: Sequence[str]) -> Condition:
    dialled = sa.and_(_CALL.caller.in_(agents), _CALL.direction != Direction.INBOUND)
    return sa.or_(_has(schema.verdict, agents), _has(schema.talk, agents), dialled)


def _has(table: sa.Table, agents: Sequence[str]) -> Condition:
    """A row of any of them below the call. Asked so that PostgreSQL does not read all of theirs first to answer it."""
    mine = sa.and_(table.c.node == _CALL.node, table.c.call == _CALL.key, table.c.agent.in_(agents))
    return sa.select(table.c.agent).where(mine).limit(1).correlate(schema.call).scalar_subquery().is_not(None)


def _first(source: Source, part: Part) -> sa.Select[Any]:
    keys = sa.select(*(column.label(name) for column, name in zip(source.place, _PLACE, strict=True)))
    each = keys.distinct() if source.repeats else keys
    wanted = each.select_from(source.joined).where(*source.conditions, *_beyond(source.place, part))
    return _sorted(wanted, part, *source.place).limit(part.limit + 1)


def _sorted(wanted: sa.Select[Any], part: Part, *place: sa.ColumnElement[Any]) -> sa.Select[Any]:
    return wanted.order_by(*(column.desc() if part.newest_first else column for column in place))


def _beyond(place: Sequence[sa.ColumnElement[Any]], part: Part) -> Iterable[Condition]:
    """Of those that began at the cursor's moment, the ones behind it; `Filter.beyond` has left out the others."""
    if part.after is None:
        return ()
    at, node, key = place
    last = part.after
    if part.newest_first:
        return (sa.or_(at < last.started_at, node < last.node, sa.and_(node == last.node, key < last.key)),)
    return (sa.or_(at > last.started_at, node > last.node, sa.and_(node == last.node, key > last.key)),)
