"""What must always hold between the rows: whoever breaks it is named. Reads only."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Callback, State, colour_of
from pbxmonitor.domain.judge import Cause, Verdict
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import with_attempts
from pbxmonitor.store.rejudge import Rejudged, rejudged, rows_of
from pbxmonitor.store.rollups import fresh_days
from pbxmonitor.store.types import UtcDateTime, among

# So many offenders of a check are named one by one, the rest are counted.
LISTED: Final = 20
_CHUNK: Final = 500
_CALL: Final = schema.call.c
_VERDICT: Final = schema.verdict.c
_DEBT: Final = schema.callback.c
_JUDGED: Final = ("disposition", "lost", "cause", "wait_s", "short_hangup")
_SUMMED: Final = (*(verdict.value for verdict in Verdict), "short_hangups", "caller_hangups", "pickup_ms", "talk_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One offender against one check: `subject` names it, `values` fill the catalogue's text of `key`.

    `outdated` alone is nobody's fault: the policy changed since, and recompute is the cure. A finding without a
    subject counts in `n` those that are not listed.
    """

    check: str
    node: str
    subject: str
    key: str
    values: Mapping[str, object]


def examine(connection: sa.Connection, policy: Policy, node: str | None = None) -> list[Finding]:
    """Every offender (`LISTED` of each check) among the rows of that node, or of all; none means health.

    All calls are judged again under the policy, which takes a while: some two thousand of them a second.
    """
    names = [node] if node is not None else sorted(connection.execute(sa.select(schema.node.c.name)).scalars())
    found: dict[str, list[Finding]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for each in chain.from_iterable(_examined(connection, policy, name) for name in names):
        counts[each.check] += 1
        if counts[each.check] <= LISTED:
            found[each.check].append(each)
    return [finding for check in found for finding in (*found[check], *_more(check, counts[check] - LISTED))]


def _more(check: str, hidden: int) -> Iterator[Finding]:
    if hidden > 0:
        yield Finding(check=check, node="", subject="", key="doctor.more", values={"n": hidden, "check": check})


def _finding(check: str, word: str, node: str, subject: str, **values: object) -> Finding:
    return Finding(check=check, node=node, subject=subject, key=f"doctor.{check}.{word}", values=values)


def _examined(connection: sa.Connection, policy: Policy, node: str) -> Iterator[Finding]:
    yield from _unjudged(connection, node)
    yield from _idle(connection, node)
    yield from _unended(connection, node)
    yield from _intervals(connection, node)
    yield from _sums(connection, policy, node)
    yield from _unowed(connection, policy, node)
    yield from _twice_open(connection, node)
    yield from _debts(connection, node)
    yield from _judged_again(connection, policy, node)


# exactly one verdict for each agent of an inbound call


def _of_call(part: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(part.c.node == _CALL.node, part.c.call == _CALL.key)


def _unjudged(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """Who was rung or talked in an ended inbound call, and has no verdict in it."""
    offer, talk = schema.offer.c, schema.talk.c
    rung = _without_verdict(schema.offer, node).where(offer.counts.is_(True), offer.result.is_not(None))
    talked = _without_verdict(schema.talk, node).where(talk.external.is_(False))
    for call, agent in connection.execute(rung.union(talked)):
        yield _finding("verdicts", "missing", node, call, call=call, agent=agent)


def _without_verdict(part: sa.Table, node: str) -> sa.Select[Any]:
    judged = sa.and_(_VERDICT.node == part.c.node, _VERDICT.call == part.c.call, _VERDICT.agent == part.c.agent)
    of_call = part.join(schema.call, _of_call(part)).outerjoin(schema.verdict, judged)
    inbound = sa.and_(_CALL.direction == Direction.INBOUND, _CALL.ended_at.is_not(None))
    return (
        sa.select(part.c.call, part.c.agent)
        .select_from(of_call)
        .where(part.c.node == node, inbound, _VERDICT.agent.is_(None))
    )


def _idle(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """Verdicts on agents who had neither a ring nor a talk, and those of calls that have none."""
    rung, talked = (
        sa.exists().where(each.c.node == _VERDICT.node, each.c.call == _VERDICT.call, each.c.agent == _VERDICT.agent)
        for each in (schema.offer, schema.talk)
    )
    rung = rung.where(schema.offer.c.counts.is_(True), schema.offer.c.result.is_not(None))
    talked = talked.where(schema.talk.c.external.is_(False))
    wanted = sa.select(_VERDICT.call, _VERDICT.agent, _CALL.direction).join(schema.call, _of_call(schema.verdict))
    strange = sa.or_(_CALL.direction != Direction.INBOUND, sa.and_(~rung, ~talked))
    for call, agent, direction in connection.execute(wanted.where(_VERDICT.node == node, strange)):
        word = "idle" if direction == Direction.INBOUND else "not_inbound"
        yield _finding("verdicts", word, node, call, call=call, agent=agent)


# what has ended has no open parts, and intervals follow each other


def _unended(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """Parts that are still open in calls that have ended."""
    parts = ((schema.stage, "left_at"), (schema.offer, "ended_at"), (schema.offer, "result"), (schema.talk, "ended_at"))
    opened = [
        sa.select(part.c.call, sa.literal(part.name).label("part"))
        .join(schema.call, _of_call(part))
        .where(part.c.node == node, part.c[end].is_(None), _CALL.ended_at.is_not(None))
        for part, end in parts
    ]
    connected = sa.and_(_CALL.node == node, _CALL.connected_at.is_not(None), _CALL.ended_at.is_not(None))
    opened.append(sa.select(_CALL.key, sa.literal("connected")).where(connected))
    for call, part in connection.execute(sa.union(*opened)):
        yield _finding("unended", part, node, call, call=call)


def _intervals(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """Of one agent and track: an end before its beginning, two at once, one left open though another followed."""
    table = schema.agent_interval.c
    following = sa.func.lead(table.began_at, type_=UtcDateTime()).over(
        partition_by=(table.node, table.agent, table.track), order_by=table.began_at
    )
    names = (table.agent, table.track, table.began_at, table.ended_at)
    each = sa.select(*names, following.label("following")).where(table.node == node).subquery()
    strange = sa.or_(
        each.c.ended_at < each.c.began_at,
        each.c.ended_at > each.c.following,
        sa.and_(each.c.ended_at.is_(None), each.c.following.is_not(None)),
    )
    for agent, track, began_at, ended_at, _ in connection.execute(sa.select(each).where(strange)):
        word = "open" if ended_at is None else "reversed" if ended_at < began_at else "overlap"
        yield _finding("intervals", word, node, agent, agent=agent, track=track, at=began_at)


# the daily sums


def _sums(connection: sa.Connection, policy: Policy, node: str) -> Iterator[Finding]:
    """Days said to be rolled up whose sums are not those of their verdicts."""
    for day in sorted(fresh_days(connection, node, str(policy.hours.zone))):
        begin, end = policy.hours.day_span(day)
        kept = _kept(connection, node, day)
        made = _made(connection, _CALL.node == node, _CALL.started_at >= begin, _CALL.started_at < end)
        for agent in sorted(kept.keys() | made.keys()):
            for name in _SUMMED:
                was, is_ = kept[agent][name], made[agent][name]
                if was != is_:
                    values = {"agent": agent, "day": day.isoformat(), "field": name, "rolled": was, "rows": is_}
                    yield _finding("sums", "differ", node, agent, **values)


def _kept(connection: sa.Connection, node: str, day: date) -> dict[str, Counter[str]]:
    """By agent, what the roll-up of that day says."""
    table = schema.agent_day.c
    wanted = sa.select(table.agent, *(table[name] for name in _SUMMED)).where(table.node == node, table.day == day)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for agent, *counts in connection.execute(wanted):
        found[agent].update(dict(zip(_SUMMED, counts, strict=True)))
    return found


def _made(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> dict[str, Counter[str]]:
    """By agent, what the verdicts of those ended calls add up to."""
    summed = ("short_hangups", "caller_hangups", "pickup_ms", "talk_ms")
    wanted = (
        sa.select(_VERDICT.agent, _VERDICT.verdict, sa.func.count(), *(sa.func.sum(_VERDICT[each]) for each in summed))
        .join(schema.call, _of_call(schema.verdict))
        .where(*conditions, _CALL.ended_at.is_not(None))
        .group_by(_VERDICT.agent, _VERDICT.verdict)
    )
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for agent, verdict, count, *sums in connection.execute(wanted):
        found[agent][verdict] += count
        found[agent].update({name: int(total or 0) for name, total in zip(summed, sums, strict=True)})
    return found


# callbacks


def _unowed(connection: sa.Connection, policy: Policy, node: str) -> Iterator[Finding]:
    """Lost calls that can be called back and have no callback, or name one that is not there."""
    debt = sa.and_(_DEBT.node == _CALL.node, _DEBT.call == _CALL.callback)
    lost = sa.and_(_CALL.node == node, _CALL.direction == Direction.INBOUND, _CALL.lost.is_(True))
    wanted = sa.select(_CALL.key, _CALL.caller, _CALL.callback).outerjoin(schema.callback, debt)
    for call, caller, callback in connection.execute(wanted.where(lost, _DEBT.call.is_(None))):
        if callback is not None:
            yield _finding("callbacks", "dangling", node, call, call=call, callback=callback)
        elif caller is not None and caller.lstrip("+").isdigit() and caller not in policy.never_call_back:
            yield _finding("callbacks", "unowed", node, call, call=call)


def _twice_open(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """A client who waits for two callbacks on one line."""
    waiting = sa.and_(_DEBT.node == node, _DEBT.state.in_((State.OPEN, State.ATTEMPTED)))
    counted = sa.select(sa.func.max(_DEBT.call), sa.func.count()).where(waiting)
    for call, count in connection.execute(counted.group_by(_DEBT.number, _DEBT.line).having(sa.func.count() > 1)):
        yield _finding("callbacks", "double", node, call, call=call, n=count)


def _debts(connection: sa.Connection, node: str) -> Iterator[Finding]:
    """Callbacks for calls that are gone, were not lost, or belong to another."""
    for rows in _chunks(connection, schema.callback, _DEBT.call, node):
        debts = with_attempts(connection, rows)
        keys = {(node, call) for debt in debts for call in debt.missed_calls}
        calls = {row.key: row for row in rows_of(connection, keys)}
        for debt in debts:
            yield from _misses(debt, calls)


def _misses(debt: Callback, calls: Mapping[str, sa.Row[Any]]) -> Iterator[Finding]:
    mine = debt.missed_calls[0]
    for key in debt.missed_calls:
        call = calls.get(key)
        if call is None:
            yield _finding("callbacks", "gone", debt.node, mine, callback=mine, call=key)
        elif not call.lost:
            yield _finding("callbacks", "kept", debt.node, mine, callback=mine, call=key)
        elif call.callback not in (None, mine):
            yield _finding("callbacks", "astray", debt.node, mine, callback=mine, call=key)


# judging again


def _judged_again(connection: sa.Connection, policy: Policy, node: str) -> Iterator[Finding]:
    """Calls whose rows do not say what judging says now, and colours that their callback does not bear out."""
    for rows in _chunks(connection, schema.call, _CALL.key, node):
        calls = rejudged(connection, rows, policy)
        debts = _debts_of(connection, node, [each.row.callback for each in calls if each.row.callback is not None])
        for each in calls:
            yield from _outdated(each)
            yield from _coloured(each, debts.get(each.row.callback))


def _chunks(
    connection: sa.Connection, table: sa.Table, key: sa.Column[Any], node: str
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The rows of the node, some at a time."""
    wanted = sa.select(table).where(table.c.node == node).order_by(key).limit(_CHUNK)
    rows = connection.execute(wanted).all()
    while rows:
        yield rows
        rows = connection.execute(wanted.where(key > getattr(rows[-1], key.name))).all()


def _debts_of(connection: sa.Connection, node: str, keys: Sequence[str]) -> dict[str | None, Callback]:
    if not keys:
        return {}
    mine = sa.and_(_DEBT.node == node, among(connection, _DEBT.call, sorted(set(keys))))
    debts = with_attempts(connection, connection.execute(sa.select(schema.callback).where(mine)).all())
    return {debt.missed_calls[0]: debt for debt in debts}


def _outdated(each: Rejudged) -> Iterator[Finding]:
    told = [(name, getattr(each.row, name), getattr(each.judged, name)) for name in _JUDGED]
    for agent, was, is_ in each.verdict_changes():
        if was is not None and is_ is not None:  # whether he should have one at all is another check's
            told += [(f"{agent} {name}", was[name], is_[name]) for name in is_]
    changes = ", ".join(f"{name}: {was} → {is_}" for name, was, is_ in told if was != is_)
    if changes:
        yield _finding("outdated", "call", each.call.node, each.call.key, call=each.call.key, changes=changes)


def _coloured(each: Rejudged, debt: Callback | None) -> Iterator[Finding]:
    """By what the rows say, be it outdated or not."""
    cause = Cause(each.row.cause) if each.row.cause is not None else None
    colour = colour_of(each.call, replace(each.judged, lost=each.row.lost, cause=cause), debt)
    key, node = each.call.key, each.call.node
    if colour != each.row.colour:
        yield _finding("colours", "differ", node, key, call=key, stored=str(each.row.colour), colour=str(colour))
    if debt is not None and key not in debt.missed_calls:
        yield _finding("callbacks", "unlisted", node, key, call=key, callback=debt.missed_calls[0])
