"""The states of a person who was told of by several names, as one timeline.

Availability is lived again from the facts about him where the journal still has all of them; where it has not, and for
what logs told, the stretches are laid over each other. Activity is lived again from its stretches: of each name there
is one at a time, as there is of each call.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import pairwise, zip_longest
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent, AgentState, Interval, advance_agent, engaged, newcomer, rested
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Change
from pbxmonitor.store import schema
from pbxmonitor.store.form import fact_of, to_text
from pbxmonitor.store.rows import ACTIVITY, AVAILABILITY, LIVE, Touched, interval_row
from pbxmonitor.store.stretches import consecutive, cut
from pbxmonitor.store.types import Row, among

_FACT: Final = schema.fact.c
_PART: Final = schema.agent_interval.c
_FOREVER: Final = datetime.max.replace(tzinfo=UTC)
_KINDS: Final = tuple(
    kind.__name__ for kind in vars(f).values() if isinstance(kind, type) and issubclass(kind, f.AgentFact)
)
# Whom two phones show at once: what one of them was set to by hand counts before what the other is by itself.
_RANKS: Final = (AgentState.DND, AgentState.PAUSED, AgentState.READY, AgentState.OFFLINE, AgentState.LOGGED_OUT)
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What there is about some names of a node: rows of intervals, and facts up to `seq` in the order of the journal.

    `whole`: the journal goes back to when the first of them was heard of. `parted`: when talks that a queue had
    brought were over.
    """

    rows: Rows
    facts: Sequence[f.AgentFact]
    whole: bool
    parted: Sequence[datetime] = ()
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """The rows as they should be, and the agent after all of it; None of whom only logs have told."""

    rows: Sequence[Row]
    agent: Agent | None


def told_of(
    connection: sa.Connection, node: str, names: Sequence[str], former: Iterable[str] = (), known: Told | None = None
) -> Told:
    """All that there is about those names, and in facts by the former ones; of the facts only those after `known`."""
    mine = sa.and_(_PART.node == node, among(connection, _PART.agent, names))
    found = connection.execute(sa.select(schema.agent_interval).where(mine))
    rows: Rows = [row._asdict() for row in found]
    called = frozenset(names) | frozenset(former)
    facts, seq = _facts(connection, node, called, known.seq if known is not None else 0)
    facts = [*(known.facts if known is not None else ()), *facts]
    whole = _explains(facts, rows) and (known.whole if known is not None else _goes_back(connection, node, rows))
    wraps = whole and any(isinstance(fact, f.MemberAdded) and fact.wrapup for fact in facts)
    parted = _parted(connection, node, names) if wraps else ()
    return Told(rows=rows, facts=facts, whole=whole, parted=parted, seq=seq)


def _facts(connection: sa.Connection, node: str, names: frozenset[str], seq: int) -> tuple[list[f.AgentFact], int]:
    last = connection.execute(sa.select(sa.func.max(_FACT.seq)).where(_FACT.node == node)).scalar() or 0
    mine = sa.and_(_FACT.node == node, _FACT.seq > seq, _FACT.seq <= last, _FACT.kind.in_(_KINDS))
    told = sa.or_(*(_FACT.body.like(f'%"agent":{to_text(name)}%') for name in sorted(names)))
    found: list[f.AgentFact] = []
    for row in connection.execute(sa.select(schema.fact).where(mine, told).order_by(_FACT.seq)):
        fact = fact_of(row.kind, row.node, row.at, row.key, row.body)
        if isinstance(fact, f.AgentFact) and fact.agent in names:
            found.append(fact)
    return found, last


def _parted(connection: sa.Connection, node: str, names: Sequence[str]) -> list[datetime]:
    talk, offer = schema.talk.c, schema.offer.c
    same = sa.and_(offer.node == talk.node, offer.call == talk.call)
    wanted = sa.select(talk.ended_at).select_from(schema.talk.join(schema.offer, same))
    mine = sa.and_(talk.node == node, among(connection, talk.agent, names), talk.external.is_(False))
    over = sa.and_(talk.ended_at.is_not(None), offer.queue.is_not(None), among(connection, offer.agent, names))
    return sorted(connection.execute(wanted.where(mine, over).distinct()).scalars())


def _goes_back(connection: sa.Connection, node: str, rows: Rows) -> bool:
    """Whether the journal begins with the node's first fact, or before all that the daemon saw of them."""
    first = sa.select(_FACT.seq, _FACT.at).where(_FACT.node == node).order_by(_FACT.seq).limit(1)
    row = connection.execute(first).one_or_none()
    live = [each["began_at"] for each in rows if each["source"] == LIVE]
    return not live or (row is not None and (row.seq == 1 or row.at < min(live)))


def _explains(facts: Sequence[f.AgentFact], rows: Rows) -> bool:
    """Whether every change of availability, but that each name was heard of, is the work of one of the facts."""
    moments = {fact.at for fact in facts}
    by_name: dict[str, list[datetime]] = {}
    for row in rows:
        if row["source"] == LIVE and row["track"] == AVAILABILITY:
            by_name.setdefault(row["agent"], []).append(row["began_at"])
    return all(at in moments for mine in by_name.values() for at in sorted(mine)[1:])


def timeline(node: str, name: str, told: Told) -> Timeline:
    """One timeline of them, under that name."""
    live = [row for row in told.rows if row["source"] == LIVE]
    agent, rows = _lived(node, name, live, told) if live else (None, [])
    if not told.whole:
        laid = list(laid_over(name, _intervals(name, [row for row in live if row["track"] == AVAILABILITY])))
        rows = [row for row in rows if row["track"] != AVAILABILITY]
        rows += [interval_row(node, AVAILABILITY, each) for each in laid]
        if agent is not None and laid:
            agent = evolve(agent, availability=laid[-1])
    return Timeline(rows=[*rows, *_imported(node, name, told.rows, rows)], agent=agent)


def _intervals(name: str, rows: Rows) -> list[Interval]:
    return sorted((_interval(name, row) for row in rows), key=attrgetter("began_at"))


def _interval(name: str, row: Mapping[str, Any]) -> Interval:
    return Interval(
        agent=name,
        state=AgentState(row["state"]),
        began_at=row["began_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        note=row["note"],
        queues=tuple(json.loads(row["queues"])),
        partial=row["partial"],
    )


# What happens to the agent, and when: a fact; None where a queue's talk is over, after which he may have to wrap up;
# or that one of his names is at something, or no longer.
_Step = tuple[datetime, int, Any]


def _lived(node: str, name: str, live: Rows, told: Told) -> tuple[Agent, list[Row]]:
    """The agent after all of it, and his rows."""
    began_at = min(row["began_at"] for row in live)
    agent = newcomer(name, began_at)
    changes = [_change(node, None, agent, began_at)]
    steps = merge(
        ((fact.at, 0, fact) for fact in told.facts if told.whole),
        ((at, 1, None) for at in told.parted),
        *(_activity(each, [row for row in live if row["agent"] == each]) for each in {row["agent"] for row in live}),
        key=lambda step: (step[0], step[1]),
    )
    for at, _, step in steps:
        before = agent
        agent = rested(agent) if agent.wrapup_until is not None and agent.wrapup_until <= at else agent
        agent = _after(agent, step, at)
        if agent is not before:
            changes.append(_change(node, before, agent, at))
    touched = Touched(changes)
    return agent, [interval_row(node, track, each) for (_, track, _), each in touched.intervals.items()]


def _change(node: str, before: Agent | None, after: Agent, at: datetime) -> Change:
    return Change(fact=f.Fact(node=node, at=at, key=""), agents=((before, after),))


def _after(agent: Agent, step: Any, at: datetime) -> Agent:
    if isinstance(step, f.AgentFact):
        return advance_agent(agent, evolve(step, agent=agent.id))
    if step is None:
        seconds = max((member.wrapup for member in agent.memberships.values()), default=0)
        return evolve(agent, wrapup_until=at + timedelta(seconds=seconds)) if seconds else agent
    name, state, until = step
    if until is not None:
        agent = evolve(agent, wrapup_until=max(until, agent.wrapup_until or until))
    return engaged(agent, name, state, at, wrapup=False)


def _activity(name: str, rows: Rows) -> Iterator[_Step]:
    """What one of the names was at, in the order of time: (name, state or None, until when a wrap-up lasts)."""
    mine = sorted((row for row in rows if row["track"] == ACTIVITY), key=lambda row: row["began_at"])
    for row, after in zip_longest(mine, mine[1:]):
        state, ended_at = AgentState(row["state"]), row["ended_at"]
        if state is AgentState.WRAPUP:
            yield row["began_at"], 2, (name, None, ended_at)
            continue
        yield row["began_at"], 2, (name, state, None)
        # Two in a row are two only because there was a moment between them.
        if ended_at is not None and (after is None or after["began_at"] > ended_at or after["state"] == row["state"]):
            yield ended_at, 2, (name, None, None)


def laid_over(name: str, intervals: Iterable[Interval]) -> Iterator[Interval]:
    """Stretches that overlap as ones that follow each other: at each moment the one of the highest rank."""
    waiting = sorted(intervals, key=attrgetter("began_at"))
    moments = sorted({each.began_at for each in waiting} | {each.ended_at or _FOREVER for each in waiting})
    going: list[Interval] = []
    last: Interval | None = None
    for begin, end in pairwise(moments):
        while waiting and waiting[0].began_at <= begin:
            going.append(waiting.pop(0))
        going = [each for each in going if (each.ended_at or _FOREVER) > begin]
        piece = _piece(name, going, begin, end) if going else None
        if last is not None and piece is not None and _goes_on(last, piece):
            last = evolve(last, ended_at=piece.ended_at, queues=tuple(sorted({*last.queues, *piece.queues})))
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def _piece(name: str, going: Sequence[Interval], begin: datetime, end: datetime) -> Interval:
    best = min(going, key=lambda each: (_RANKS.index(each.state), each.reason is None, each.began_at))
    same = [each for each in going if each.state is best.state]
    return evolve(
        best,
        agent=name,
        began_at=begin,
        ended_at=None if end == _FOREVER else end,
        queues=tuple(sorted({queue for each in same for queue in each.queues})),
        partial=best.state is AgentState.PAUSED and (best.partial or len(same) < len(going)),
    )


def _goes_on(one: Interval, other: Interval) -> bool:
    return one.ended_at == other.began_at and (one.state, one.reason, one.note, one.partial) == (
        other.state,
        other.reason,
        other.note,
        other.partial,
    )


def _imported(node: str, name: str, rows: Rows, live: Sequence[Row]) -> Iterator[Row]:
    """What logs told of availability, cut by what the daemon saw, and by what another log told before."""
    known = [(row["began_at"], row["ended_at"] or _FOREVER) for row in live if row["track"] == AVAILABILITY]
    for source in sorted({row["source"] for row in rows} - {LIVE}):
        told = list(consecutive(_intervals(name, [row for row in rows if row["source"] == source])))
        pieces = [piece for each in told for piece in cut(each, sorted(known))]
        known += [(each.began_at, each.ended_at or _FOREVER) for each in pieces]
        yield from (interval_row(node, AVAILABILITY, each, source) for each in pieces)
