"""Which calls a filter of the journal wants, as conditions and as the narrowest ways in that an index leads to."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import phonenumbers
import sqlalchemy as sa

from pbxmonitor.domain.call import Direction, StageKind
from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.judge import Cause, Verdict
from pbxmonitor.store import schema
from pbxmonitor.store.rejudge import LONGEST
from pbxmonitor.store.reports import on_node

Condition = sa.ColumnElement[bool]
_CALL: Final = schema.call.c
_VERDICT: Final = schema.verdict.c
_TALK: Final = schema.talk.c
_STAGE: Final = schema.stage.c
# The calls of so rare a stage are fetched by it; those of any other are met soon enough on the way through the period.
_RARE: Final = 2_000
# Moments are kept to the microsecond.
_INSTANT: Final = timedelta(microseconds=1)
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

    def holds(self, moment: sa.ColumnElement[Any]) -> Condition:
        """The condition on the moment when a call began."""
        return sa.and_(moment >= self.begin, moment < self.end)

    def beyond(self, last: datetime, *, newest_first: bool) -> "Filter":
        """The same of the calls that begin where a page ended, with its last moment.

        As a bound of the period, not beside it: of two bounds SQLite enters the index by the first.
        """
        if newest_first:
            return replace(self, end=min(self.end, last + _INSTANT))
        return replace(self, begin=max(self.begin, last))

    @property
    def whole_number(self) -> str | None:
        return full_number(self.number, self.region) if self.number else None

    @property
    def stages(self) -> list[tuple[str, str | None]]:
        """The kinds and names of the stages that a call must have come to."""
        kind, _, name = (self.stage or "").partition(":")
        asked = [(StageKind.QUEUE.value, self.queue), (kind, name or None)]
        return [each for each, given in zip(asked, (self.queue, self.stage), strict=True) if given is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where calls come from: what is joined, the moment, node and key of each, what must hold, whether some repeat."""

    joined: sa.FromClause = schema.call
    place: tuple[sa.ColumnElement[Any], ...] = (_CALL.started_at, _CALL.node, _CALL.key)
    conditions: Sequence[Condition]
    repeats: bool = False


def sources(connection: sa.Connection, wanted: Filter) -> Iterator[Source]:
    """A whole number's calls, an agent's, those of a rare stage, or else all of the period: together what is wanted."""
    if wanted.whole_number is not None:
        agent = (_of_agent(wanted, wanted.agent),) if wanted.agent is not None else ()
        for column in (_CALL.caller, _CALL.called):
            yield _calls(wanted, column == wanted.whole_number, *agent)
    elif wanted.agent is not None:
        yield from _agents_calls(wanted, wanted.agent)
    else:
        rare = next((each for each in wanted.stages if _is_rare(connection, wanted, *each)), None)
        yield _calls(wanted) if rare is None else _staged(wanted, *rare)


def _calls(wanted: Filter, *conditions: Condition) -> Source:
    return Source(conditions=(wanted.holds(_CALL.started_at), *conditions, *_conditions(wanted)))


def _agents_calls(wanted: Filter, agent: str) -> Iterator[Source]:
    missed = (_VERDICT.verdict == Verdict.MISSED,) if wanted.red else ()
    plain, coloured = apart(wanted)
    rest = (*coloured, *_conditions(plain))
    yield Source(
        joined=schema.verdict.join(schema.call, _of_call(schema.verdict)),
        place=(_VERDICT.started_at, _VERDICT.node, _VERDICT.call),
        conditions=(wanted.holds(_VERDICT.started_at), _VERDICT.agent == agent, *missed, *rest),
    )
    if not wanted.red:
        yield _calls(plain, _CALL.caller == agent, _CALL.direction != Direction.INBOUND, *coloured)
        yield replace(talked := _talked(plain, agent), conditions=(*talked.conditions, *coloured))


def apart(wanted: Filter) -> tuple[Filter, Sequence[Condition]]:
    """The filter without its colour, and that as a condition which is no reason to go through all calls of a colour.

    SQLite, which has no statistics, would, and for each of them through all talks of an agent. Written so, it does not
    know what the index is good for, and the others do.
    """
    colour = Colour.RED if wanted.red else wanted.colour
    coloured = (sa.not_((_CALL.colour != colour).self_group()),) if colour is not None else ()
    return replace(wanted, colour=None, missed_control=False), coloured


def _talked(wanted: Filter, agent: str) -> Source:
    """Talks that leave no verdict: of calls inside and out, and those on a mobile phone outside."""
    unjudged = sa.or_(_TALK.external.is_(True), _CALL.direction != Direction.INBOUND)
    mine = _calls(wanted, _TALK.agent == agent, _within(wanted, _TALK.began_at), unjudged)
    return replace(mine, joined=schema.talk.join(schema.call, _of_call(schema.talk)), repeats=True)


def _staged(wanted: Filter, kind: str, name: str | None) -> Source:
    found = sa.select(_STAGE.node, _STAGE.call).where(_stage_is(wanted, kind, name))
    return _calls(wanted, sa.tuple_(_CALL.node, _CALL.key).in_(found))


def _is_rare(connection: sa.Connection, wanted: Filter, kind: str, name: str | None) -> bool:
    some = sa.select(_STAGE.position).where(_stage_is(wanted, kind, name)).limit(_RARE).subquery()
    return connection.execute(sa.select(sa.func.count()).select_from(some)).scalar_one() < _RARE


def _stage_is(wanted: Filter, kind: str, name: str | None) -> Condition:
    this = sa.and_(_STAGE.kind == kind, _within(wanted, _STAGE.entered_at))
    return this if name is None else sa.and_(this, _STAGE.name == name)


def _within(wanted: Filter, moment: sa.ColumnElement[Any]) -> Condition:
    """Where parts of the period's calls lie: it follows, but their own index needs to be told."""
    return sa.and_(moment >= wanted.begin, moment < wanted.end + LONGEST)


def _of_call(part: sa.Table) -> Condition:
    return sa.and_(part.c.node == _CALL.node, part.c.call == _CALL.key)


def _of_agent(wanted: Filter, agent: str) -> Condition:
    """The same of calls found by another way."""
    mine = sa.exists().where(_of_call(schema.verdict), _VERDICT.agent == agent)
    if wanted.red:
        return mine.where(_VERDICT.verdict == Verdict.MISSED)
    talked = sa.exists().where(_of_call(schema.talk), _TALK.agent == agent)
    return sa.or_(mine, talked, sa.and_(_CALL.caller == agent, _CALL.direction != Direction.INBOUND))


def _conditions(wanted: Filter) -> Iterator[Condition]:
    """What of a call the filter asks beside the period, the agent and a whole number."""
    if wanted.node is not None:
        yield on_node(_CALL.node, wanted.node)
    yield from _words(wanted)
    yield from _lengths(wanted)
    for kind, name in wanted.stages:
        yield _passed(kind, name)
    if wanted.transferred:
        yield sa.exists().where(_of_call(schema.transfer))
    if wanted.number and wanted.whole_number is None:
        yield _number_has(wanted.number, wanted.region)


def _passed(kind: str, name: str | None) -> Condition:
    """The call came to such a stage. Asked so that PostgreSQL does not read all the stages first to answer it."""
    stage = schema.stage.alias()
    of_call = sa.and_(stage.c.node == _CALL.node, stage.c.call == _CALL.key, stage.c.kind == kind)
    named = of_call if name is None else sa.and_(of_call, stage.c.name == name)
    return sa.select(stage.c.position).where(named).limit(1).correlate(schema.call).scalar_subquery().is_not(None)


def _words(wanted: Filter) -> Iterator[Condition]:
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


def _lengths(wanted: Filter) -> Iterator[Condition]:
    for column, least, most in (
        (_CALL.talk_s, wanted.min_talk_s, wanted.max_talk_s),
        (_CALL.wait_s, wanted.min_wait_s, wanted.max_wait_s),
    ):
        if least is not None:
            yield column >= least
        if most is not None:
            yield column <= most


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
    part = re.sub(r"\D", "", text)
    if region in _WRITTEN_WITH_8 and part and len(part) >= _LEAST_WITH.get(part[0], len(part) + 1):
        part = part[1:]  # who has all of it has its end as well
    sought = re.sub(r"([%_!])", r"!\1", part or text.strip())
    return sa.or_(*(column.like(f"%{sought}%", escape="!") for column in (_CALL.caller, _CALL.called)))
