"""What the rules see in the rows: shares and counts of the calls of the last window, and callbacks that are late.

Only the calls that began in the window are read, by the index on their beginning.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain.alerts import COUNTED, Kind, Rule, Seen, Sign, limit_of, of_count, of_share
from pbxmonitor.domain.call import Direction, StageKind, StageResult
from pbxmonitor.domain.callback import State
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period

Key = tuple[str, str]
# Looking back for a moment so much working time ago ends here: callbacks expire sooner.
_FURTHEST: Final = timedelta(days=31)
_TALLIED: Final = frozenset({Kind.MISSED_SHARE, Kind.MISSES_IN_A_ROW, Kind.SHORT_HANGUPS})


class Judged(NamedTuple):
    """One agent and one call."""

    node: str
    agent: str
    verdict: str
    short_hangups: int
    started_at: datetime


@dataclass(slots=True)
class Tally:
    """What an agent did with the calls of a window; `row` are his misses since the last call that he answered."""

    answered: int = 0
    missed: int = 0
    short_hangups: int = 0
    row: int = 0
    last: datetime | None = None


@dataclass
class Asked:
    """The answers to one round of questions: the calls of the longest window are read once, for all rules."""

    connection: sa.Connection
    rules: Sequence[Rule]
    policy: Policy
    now: datetime
    _rows: list[Judged] | None = None
    _tallies: dict[timedelta, dict[Key, Tally]] = field(default_factory=dict)

    def signs(self) -> tuple[Sign, ...]:
        """What those of the rules see that ask the rows."""
        counted = (rule for rule in self.rules if rule.kind in COUNTED)
        return tuple(sign for rule in counted for sign in _ASK[rule.kind](self, rule) if rule.watches_node(sign.node))

    def tallies(self, rule: Rule) -> Iterator[tuple[str, str, Tally]]:
        """Node, agent and tally of whom the rule watches."""
        if rule.window not in self._tallies:
            begin = self.period(rule.window).begin
            self._tallies[rule.window] = tallied(row for row in self._judged() if row.started_at >= begin)
        for (node, agent), tally in self._tallies[rule.window].items():
            if rule.watches(agent, self.policy):
                yield node, agent, tally

    def _judged(self) -> list[Judged]:
        if self._rows is None:
            longest = max(rule.window for rule in self.rules if rule.kind in _TALLIED)
            self._rows = judged(self.connection, self.period(longest))
        return self._rows

    def period(self, window: timedelta) -> Period:
        return Period(begin=self.now - window, end=self.now)


def signs_of_rows(connection: sa.Connection, rules: Iterable[Rule], policy: Policy, now: datetime) -> tuple[Sign, ...]:
    """What the rules see in the rows now."""
    return Asked(connection, tuple(rules), policy, now).signs()


def judged(connection: sa.Connection, period: Period) -> list[Judged]:
    """What agents did with the calls that began in the period and are over, in the order of time."""
    part, call = schema.verdict.c, schema.call.c
    told = sa.or_(part.verdict.in_([Verdict.ANSWERED, Verdict.MISSED]), part.short_hangups > 0)
    wanted = (
        sa.select(part.node, part.agent, part.verdict, part.short_hangups, part.started_at)
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.ended_at.is_not(None), told)
        .order_by(call.started_at, call.key)
    )
    return [Judged(*row) for row in connection.execute(wanted)]


def tallied(rows: Iterable[Judged]) -> dict[Key, Tally]:
    """By node and agent, what the rows say; they are in the order of time."""
    found: dict[Key, Tally] = defaultdict(Tally)
    for row in rows:
        tally = found[row.node, row.agent]
        tally.short_hangups += row.short_hangups
        if row.verdict == Verdict.ANSWERED:
            tally.answered, tally.row, tally.last = tally.answered + 1, 0, row.started_at
        elif row.verdict == Verdict.MISSED:
            tally.missed, tally.row, tally.last = tally.missed + 1, tally.row + 1, row.started_at
    return dict(found)


def _missed_share(asked: Asked, rule: Rule) -> Iterator[Sign]:
    for node, agent, tally in asked.tallies(rule):
        whole = tally.answered + tally.missed
        yield _share(rule, (node, agent), tally.missed, whole, limit_of(rule, agent, asked.policy), agent=agent)


def _share(rule: Rule, key: Key, part: int, whole: int, limit: float, agent: str | None = None) -> Sign:
    value = part / whole if whole else 0.0
    return Sign(
        rule=rule.name,
        node=key[0],
        subject=key[1],
        agent=agent,
        seen=of_share(rule, part, whole, limit),
        value=round(value, 4),
        threshold=limit,
        words={"part": part, "whole": whole, "share": value, "limit": limit, "window": rule.window},
    )


def _misses_in_a_row(asked: Asked, rule: Rule) -> Iterator[Sign]:
    for node, agent, tally in asked.tallies(rule):
        if tally.last is not None:
            seen = Seen.OVER if tally.row >= rule.count else Seen.BETWEEN if tally.row else Seen.WELL
            words = {"n": tally.row, "last": tally.last}
            yield _counted(rule, (node, agent), agent, seen, tally.row, rule.count, words)


def _short_hangups(asked: Asked, rule: Rule) -> Iterator[Sign]:
    for node, agent, tally in asked.tallies(rule):
        if tally.answered or tally.short_hangups:
            seen = of_count(rule, tally.short_hangups, rule.count)
            words = {"n": tally.short_hangups, "window": rule.window}
            yield _counted(rule, (node, agent), agent, seen, tally.short_hangups, rule.count, words)


def _counted(
    rule: Rule, key: Key, agent: str | None, seen: Seen, value: int, threshold: int, words: dict[str, Any]
) -> Sign:
    return Sign(
        rule=rule.name,
        node=key[0],
        subject=key[1],
        agent=agent,
        seen=seen,
        value=value,
        threshold=threshold,
        words=words,
    )


def _abandoned_share(asked: Asked, rule: Rule) -> Iterator[Sign]:
    limit = rule.above or 0.0
    for (node, queue), (part, whole) in abandoned(asked.connection, asked.period(rule.window), asked.policy).items():
        if rule.watches_queue(queue):
            yield _share(rule, (node, queue), part, whole, limit)


def abandoned(connection: sa.Connection, period: Period, policy: Policy) -> dict[Key, tuple[int, int]]:
    """By node and queue, how many who entered it in the period gave up, of all but those who left at once."""
    stage, call = schema.stage.c, schema.call.c
    wanted = (
        sa.select(stage.node, stage.name, stage.result, stage.entered_at, stage.left_at)
        .join(schema.call, sa.and_(stage.node == call.node, stage.call == call.key))
        .where(period.holds(schema.stage, "entered_at"), stage.kind == StageKind.QUEUE)
        .where(stage.left_at.is_not(None), call.direction == Direction.INBOUND)
    )
    found: dict[Key, tuple[int, int]] = {}
    for node, queue, result, entered_at, left_at in connection.execute(wanted):
        gave_up = result == StageResult.ABANDONED
        if not gave_up or left_at - entered_at >= policy.of_queue(queue).short_abandon:
            part, whole = found.get((node, queue), (0, 0))
            found[node, queue] = part + gave_up, whole + 1
    return found


def _callback_overdue(asked: Asked, rule: Rule) -> Iterator[Sign]:
    before = working_ago(asked.policy.hours, asked.now, rule.longer or timedelta())
    for node, owner, count, due_at in overdue(asked.connection, before):
        if rule.watches(owner, asked.policy):
            limit = rule.more_than or 0
            seen = of_count(rule, count, limit + 1)
            yield _counted(rule, (node, owner or ""), owner, seen, count, limit, {"n": count, "due": due_at})


def overdue(connection: sa.Connection, before: datetime) -> Sequence[tuple[str, str | None, int, datetime]]:
    """Node, owner, how many open callbacks of his were due before that moment, and the first such moment."""
    debt = schema.callback.c
    wanted = sa.select(debt.node, debt.owner, sa.func.count(), sa.func.min(debt.due_at))
    late = sa.and_(debt.state.in_([State.OPEN, State.ATTEMPTED]), debt.due_at < before)
    found = connection.execute(wanted.where(late).group_by(debt.node, debt.owner))
    return [(node, owner, count, due_at) for node, owner, count, due_at in found]


def working_ago(hours: WorkingHours, now: datetime, working: timedelta) -> datetime:
    """The last moment since which that much working time has passed; a month ago at the furthest."""
    if hours.always or not working:
        return now - working
    early, late = now - _FURTHEST, now
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (middle, late) if hours.between(middle, now) >= working else (early, middle)
    return early


_ASK: Final[dict[Kind, Callable[[Asked, Rule], Iterator[Sign]]]] = {
    Kind.MISSED_SHARE: _missed_share,
    Kind.MISSES_IN_A_ROW: _misses_in_a_row,
    Kind.SHORT_HANGUPS: _short_hangups,
    Kind.ABANDONED_SHARE: _abandoned_share,
    Kind.CALLBACK_OVERDUE: _callback_overdue,
}
