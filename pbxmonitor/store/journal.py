"""The journal by pages: calls that a filter wants, with the evidence of their colour. Reads only."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import phonenumbers
import sqlalchemy as sa

from pbxmonitor.domain.call import Call, Direction, StageKind
from pbxmonitor.domain.callback import Callback, Colour
from pbxmonitor.domain.judge import Cause, Verdict
from pbxmonitor.domain.view import Json, callback_view, stamp
from pbxmonitor.store import schema
from pbxmonitor.store.debts import with_attempts
from pbxmonitor.store.reports import Found, Period, call_forms
from pbxmonitor.store.restore import restored
from pbxmonitor.store.types import among

Condition = sa.ColumnElement[bool]
_CALL: Final = schema.call.c
_VERDICT: Final = schema.verdict.c
_TALK: Final = schema.talk.c
_STAGE: Final = schema.stage.c
# A part of a number as people in these regions write it may begin with their way out, or with the country's code.
_WRITTEN_WITH_8: Final = frozenset({"RU", "KZ"})
_LEAST_WITH: Final = {"8": 4, "7": 7}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which calls: those begun from `begin` up to `end` that fit all that is given.

    `agent` has a verdict or a talk, or dialled; with `missed_control` or red he missed the call. `line` is the DID
    first called, `number` anybody's outside (any format, or a part of it), `stage` a kind or `kind:name`.
    """

    begin: datetime
    end: datetime
    node: str | None = None
    agent: str | None = None
    queue: str | None = None
    line: str | None = None
    colour: Colour | None = None
    cause: Cause | None = None
    direction: Direction | None = None
    number: str | None = None
    min_talk_s: float | None = None
    max_talk_s: float | None = None
    min_wait_s: float | None = None
    max_wait_s: float | None = None
    short_hangups: bool = False
    transferred: bool = False
    stage: str | None = None
    lost: bool = False
    missed_control: bool = False
    region: str = "RU"

    @property
    def red(self) -> bool:
        return self.missed_control or self.colour is Colour.RED


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
    chosen = order.joined(_sources(wanted)).subquery()
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
class _Source:
    """Where calls come from: a selectable with the moment, node and key of each, and what it must hold."""

    joined: sa.FromClause
    started_at: sa.ColumnElement[Any]
    node: sa.ColumnElement[Any]
    key: sa.ColumnElement[Any]
    conditions: Sequence[Condition]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """A page's place: keys by (started_at, node, key), those after the cursor."""

    newest_first: bool
    after: Cursor | None
    limit: int

    def joined(self, sources: Iterator[_Source]) -> sa.Select[Any]:
        """The first keys of all of them together, each call once."""
        firsts = [self._first(source).subquery() for source in sources]
        each = sa.union(*(sa.select(first) for first in firsts)).subquery() if len(firsts) > 1 else firsts[0]
        return self.sorted(sa.select(each), each.c.started_at, each.c.node, each.c.key).limit(self.limit)

    def _first(self, source: _Source) -> sa.Select[Any]:
        place = source.started_at, source.node, source.key
        names = ("started_at", "node", "key")
        keys = sa.select(*(column.label(name) for column, name in zip(place, names, strict=True)))
        wanted = keys.select_from(source.joined).where(*source.conditions, *self._beyond(*place))
        return self.sorted(wanted, *place).limit(self.limit)

    def sorted(self, wanted: sa.Select[Any], *place: sa.ColumnElement[Any]) -> sa.Select[Any]:
        return wanted.order_by(*(column.desc() if self.newest_first else column for column in place))

    def _beyond(
        self, started_at: sa.ColumnElement[Any], node: sa.ColumnElement[Any], key: sa.ColumnElement[Any]
    ) -> Iterator[Condition]:
        """In the order of the index, so that it is entered where the page before ended."""
        if self.after is None:
            return
        at, other, last = self.after.started_at, self.after.node, self.after.key
        if self.newest_first:
            yield started_at <= at
            yield sa.or_(started_at < at, node < other, sa.and_(node == other, key < last))
        else:
            yield started_at >= at
            yield sa.or_(started_at > at, node > other, sa.and_(node == other, key > last))


def _sources(wanted: Filter) -> Iterator[_Source]:
    """The narrowest ways in that an index leads to: a number's calls, an agent's, or those of the period."""
    number = full_number(wanted.number, wanted.region) if wanted.number else None
    if number is not None:
        agent = (_of_agent(wanted, wanted.agent),) if wanted.agent else ()
        for column in (_CALL.caller, _CALL.called):
            yield _calls(wanted, column == number, *agent)
    elif wanted.agent is not None:
        yield from _agents_calls(wanted, wanted.agent)
    else:
        yield _calls(wanted)


def _calls(wanted: Filter, *conditions: Condition) -> _Source:
    period = Period(begin=wanted.begin, end=wanted.end).holds(schema.call, "started_at")
    return _Source(
        joined=schema.call,
        started_at=_CALL.started_at,
        node=_CALL.node,
        key=_CALL.key,
        conditions=(period, *conditions, *_conditions(wanted)),
    )


def _agents_calls(wanted: Filter, agent: str) -> Iterator[_Source]:
    mine = [_VERDICT.agent == agent, *([_VERDICT.verdict == Verdict.MISSED] if wanted.red else [])]
    yield _Source(
        joined=schema.verdict.join(schema.call, sa.and_(_VERDICT.node == _CALL.node, _VERDICT.call == _CALL.key)),
        started_at=_VERDICT.started_at,
        node=_VERDICT.node,
        key=_VERDICT.call,
        conditions=(
            Period(begin=wanted.begin, end=wanted.end).holds(schema.verdict, "started_at"),
            *mine,
            *_conditions(wanted),
        ),
    )
    if not wanted.red:
        yield _calls(wanted, _CALL.caller == agent, _CALL.direction != Direction.INBOUND)
        yield _talked(wanted, agent)


def _talked(wanted: Filter, agent: str) -> _Source:
    """Talks that leave no verdict: of calls inside and out, and those on a mobile phone outside."""
    unjudged = sa.or_(_TALK.external.is_(True), _CALL.direction != Direction.INBOUND)
    calls = _calls(wanted, _TALK.agent == agent, _TALK.began_at >= wanted.begin, unjudged)
    joined = schema.talk.join(schema.call, sa.and_(_TALK.node == _CALL.node, _TALK.call == _CALL.key))
    return _Source(
        joined=joined, started_at=calls.started_at, node=calls.node, key=calls.key, conditions=calls.conditions
    )


def _of_agent(wanted: Filter, agent: str) -> Condition:
    """The same of calls found by another way."""
    mine = sa.exists().where(_VERDICT.node == _CALL.node, _VERDICT.call == _CALL.key, _VERDICT.agent == agent)
    if wanted.red:
        return mine.where(_VERDICT.verdict == Verdict.MISSED)
    talked = sa.exists().where(_TALK.node == _CALL.node, _TALK.call == _CALL.key, _TALK.agent == agent)
    return sa.or_(mine, talked, sa.and_(_CALL.caller == agent, _CALL.direction != Direction.INBOUND))


def _conditions(wanted: Filter) -> Iterator[Condition]:
    """What of a call the filter asks beside the period, the agent and a whole number."""
    if wanted.node is not None:
        yield _CALL.node == wanted.node
    if wanted.red or wanted.colour is not None:
        yield _CALL.colour == (Colour.RED if wanted.red else wanted.colour)
    if wanted.cause is not None:
        yield _CALL.cause == wanted.cause
    if wanted.direction is not None:
        yield _CALL.direction == wanted.direction
    if wanted.line is not None:
        yield _CALL.direction == Direction.INBOUND
        yield _CALL.called.in_({wanted.line, full_number(wanted.line, wanted.region) or wanted.line})
    if wanted.lost:
        yield _CALL.lost.is_(True)
    if wanted.short_hangups:
        yield _CALL.short_hangup.is_(True)
    yield from _lengths(wanted)
    yield from _parts(wanted)
    if wanted.number and full_number(wanted.number, wanted.region) is None:
        yield _number_has(wanted.number, wanted.region)


def _lengths(wanted: Filter) -> Iterator[Condition]:
    for column, least, most in (
        (_CALL.talk_s, wanted.min_talk_s, wanted.max_talk_s),
        (_CALL.wait_s, wanted.min_wait_s, wanted.max_wait_s),
    ):
        if least is not None:
            yield column >= least
        if most is not None:
            yield column <= most


def _parts(wanted: Filter) -> Iterator[Condition]:
    if wanted.queue is not None:
        yield sa.or_(_CALL.queue == wanted.queue, _passed(StageKind.QUEUE, wanted.queue))
    if wanted.stage is not None:
        kind, _, name = wanted.stage.partition(":")
        yield _passed(kind, name or None)
    if wanted.transferred:
        transfer = schema.transfer.c
        yield sa.exists().where(transfer.node == _CALL.node, transfer.call == _CALL.key)


def _passed(kind: str, name: str | None) -> Condition:
    """The call came to such a stage."""
    stage = sa.exists().where(_STAGE.node == _CALL.node, _STAGE.call == _CALL.key, _STAGE.kind == kind)
    return stage.where(_STAGE.name == name) if name is not None else stage


def full_number(text: str, region: str) -> str | None:
    """E.164 of a whole number as people of that region write it; None of a part of one."""
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(parsed):
        return None
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _number_has(text: str, region: str) -> Condition:
    """Either side's number has those digits; of a text without digits, that text."""
    digits = re.sub(r"\D", "", text)
    parts = {digits or text.strip()}
    if region in _WRITTEN_WITH_8 and digits and len(digits) >= _LEAST_WITH.get(digits[0], len(digits) + 1):
        parts = {digits[1:]}  # who has the whole has its end as well
    return sa.or_(
        *(column.contains(part, autoescape=True) for column in (_CALL.caller, _CALL.called) for part in parts)
    )
