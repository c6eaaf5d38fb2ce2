"""The journal by pages: calls that a filter wants, with the evidence of their colour. Reads only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, Colour
from pbxmonitor.domain.view import Json, callback_view, stamp
from pbxmonitor.store import schema
from pbxmonitor.store.debts import with_attempts
from pbxmonitor.store.filters import Condition, Filter, Source, sources
from pbxmonitor.store.reports import Found, call_forms
from pbxmonitor.store.restore import restored
from pbxmonitor.store.types import among

__all__ = ["Case", "Cursor", "Filter", "Page", "cases", "evident", "page"]

_CALL: Final = schema.call.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last call of a page: the next one begins after it."""

    started_at: datetime
    node: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Calls in the stable JSON form with `node`, `queue` and `callback`; `next` is None on the last page."""

    calls: list[Json]
    next: Cursor | None


def page(
    connection: sa.Connection, wanted: Filter, *, limit: int, after: Cursor | None = None, newest_first: bool = True
) -> Page:
    """So many calls that the filter wants, after that one."""
    order = _Order(newest_first=newest_first, after=after, limit=limit + 1)
    wanted = wanted.beyond(after.started_at, newest_first=newest_first) if after is not None else wanted
    chosen = order.first_of(sources(connection, wanted)).subquery()
    of_chosen = sa.and_(_CALL.node == chosen.c.node, _CALL.key == chosen.c.key)
    found = sa.select(schema.call).join(chosen, of_chosen)
    rows = connection.execute(order.sorted(found, _CALL.started_at, _CALL.node, _CALL.key)).all()
    calls = rows[:limit]
    last = Cursor(started_at=calls[-1].started_at, node=calls[-1].node, key=calls[-1].key) if calls else None
    return Page(calls=evident(connection, calls), next=last if len(rows) > limit else None)


def evident(connection: sa.Connection, calls: Sequence[Found]) -> list[Json]:
    """Those calls in the stable JSON form, with their node, their queue and the callback that their miss belongs to."""
    if not calls:
        return []
    nodes, keys = sorted({call.node for call in calls}), [call.key for call in calls]

    def below(part: sa.Table) -> sa.Select[Any]:
        return sa.select(part).where(part.c.node.in_(nodes), among(connection, part.c.call, keys))

    forms = call_forms(connection, calls, below)
    debts = _debts(connection, calls)
    return [
        form | {"node": call.node, "queue": call.queue, "callback": _evidence(debts.get((call.node, call.callback)))}
        for call, form in zip(calls, forms, strict=True)
    ]


def _debts(connection: sa.Connection, calls: Sequence[Found]) -> dict[tuple[str, str], Callback]:
    """By node and opening call, the callbacks that those calls' misses belong to."""
    openers = sorted({call.callback for call in calls if call.callback is not None})
    if not openers:
        return {}
    table = schema.callback.c
    mine = sa.and_(table.node.in_({call.node for call in calls}), among(connection, table.call, openers))
    debts = with_attempts(connection, connection.execute(sa.select(schema.callback).where(mine)).all())
    return {(debt.node, debt.missed_calls[0]): debt for debt in debts}


def _evidence(debt: Callback | None) -> Json | None:
    if debt is None:
        return None
    told = callback_view(debt)
    attempts = [{**form, "at": stamp(each.at)} for form, each in zip(told["attempts"], debt.attempts, strict=True)]
    kept = {name: told[name] for name in ("state", "owner", "due_at", "closed_by_call")}
    return kept | {"rescuer": debt.rescuer, "attempts": attempts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known of one call: as it was, its callback, the stored colour, and its evident form."""

    call: Call
    debt: Callback | None
    colour: Colour | None
    form: Json


def cases(connection: sa.Connection, key: str, node: str | None = None) -> list[Case]:
    """The call of that key, on that node or on every one that has such a call; empty when there is none."""
    names = [node] if node is not None else connection.execute(sa.select(schema.node.c.name)).scalars().all()
    wanted = sa.select(schema.call).where(_CALL.node.in_(names), _CALL.key == key).order_by(_CALL.node)
    return [_case(connection, row) for row in connection.execute(wanted).all()]


def _case(connection: sa.Connection, row: Found) -> Case:
    (call,), (form,) = restored(connection, [row]), evident(connection, [row])
    debt = _debts(connection, [row]).get((row.node, row.callback))
    return Case(call=call, debt=debt, colour=Colour(row.colour) if row.colour else None, form=form)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A page's place: calls by (started_at, node, key), those after the cursor."""

    newest_first: bool
    after: Cursor | None
    limit: int

    def first_of(self, found: Iterator[Source]) -> sa.Select[Any]:
        """The first keys of all the sources together, each call once."""
        firsts = [self._first(source).subquery() for source in found]
        each = sa.union(*(sa.select(first) for first in firsts)).subquery() if len(firsts) > 1 else firsts[0]
        return self.sorted(sa.select(each), each.c.started_at, each.c.node, each.c.key).limit(self.limit)

    def _first(self, source: Source) -> sa.Select[Any]:
        names = ("started_at", "node", "key")
        keys = sa.select(*(column.label(name) for column, name in zip(source.place, names, strict=True)))
        each = keys.distinct() if source.repeats else keys
        wanted = each.select_from(source.joined).where(*source.conditions, *self._beyond(*source.place))
        return self.sorted(wanted, *source.place).limit(self.limit)

    def sorted(self, wanted: sa.Select[Any], *place: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return wanted.order_by(*(column.desc() if self.newest_first else column for column in place))

    def _beyond(
        self, started_at: sa.ColumnElement[Any], node: sa.ColumnElement[Any], key: sa.ColumnElement[Any]
    ) -> Iterator[Condition]:
        """Of those that began at the cursor's moment, the ones behind it; `Filter.beyond` has left out the others."""
        if self.after is None:
            return
        at, other, last = self.after.started_at, self.after.node, self.after.key
        if self.newest_first:
            yield sa.or_(started_at < at, node < other, sa.and_(node == other, key < last))
        else:
            yield sa.or_(started_at > at, node > other, sa.and_(node == other, key > last))
