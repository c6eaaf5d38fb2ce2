"""What each agent's goals are measured by, day by day: how far back they have been met, or missed."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.kpi import Histogram
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rolled import Days, cover, histogram, nodes, on_days
from pbxmonitor.store.sums import Key, sums_of_rows

_DAY: Final = timedelta(days=1)
Shares = list[tuple[date, int, int]]


@dataclass(frozen=True, slots=True)
class Daily:
    """One agent's days in columns, in any order: an object for each of thousands costs more than reading them.

    `delays` is empty unless a team has a norm of its own.
    """

    day: list[date] = field(default_factory=list)
    missed: list[int] = field(default_factory=list)
    offered: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    owned: list[int] = field(default_factory=list)
    delays: list[Histogram] = field(default_factory=list)

    def extend(self, *columns: Iterable[Any]) -> None:
        """More days, by column; `delays` may be left out."""
        for mine, more in zip(fields(self), columns, strict=False):
            getattr(self, mine.name).extend(more)

    def __add__(self, other: "Daily") -> "Daily":
        return Daily(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def shares(self, part: Sequence[int], whole: Sequence[int]) -> Shares:
        """Each day with two of its numbers, oldest first; one person's on several PBXs together."""
        found = sorted(zip(self.day, part, whole, strict=True))
        if len({*self.day}) == len(found):
            return found
        same_day = ([*same] for _, same in groupby(found, key=itemgetter(0)))
        return [(same[0][0], sum(each[1] for each in same), sum(each[2] for each in same)) for same in same_day]


def daily(connection: sa.Connection, period: Period, policy: Policy, look_back: timedelta) -> dict[Key, Daily]:
    """By node and agent, the days of the look-back before the period's end (or the last call).

    Before the period only those that are rolled up.
    """
    found: dict[Key, Daily] = defaultdict(Daily)
    norms = any(team.callback_norm is not None for team in policy.teams)
    last = connection.execute(sa.select(sa.func.max(schema.call.c.started_at))).scalar()
    end = min(period.end, last + _DAY) if last is not None else period.begin
    begin = policy.hours.day_span(policy.hours.day_of(end - look_back))[0]
    for node in nodes(connection, period) if begin < end else ():
        parts = cover(connection, node, Period(begin=begin, end=end, node=node), policy)
        for days in parts.days:
            _of_roll_ups(connection, node, days, norms, found)
        for start, stop in parts.rest:
            if stop > period.begin:
                rest = Period(begin=max(start, period.begin), end=stop, node=node)
                _of_rows(connection, rest, policy, norms, found)
    return dict(found)


def _of_roll_ups(connection: sa.Connection, node: str, days: Days, norms: bool, found: Mapping[Key, Daily]) -> None:
    table = schema.agent_day.c
    offered = table.answered + table.missed
    numbers = (table.day, table.missed, offered, table.owned - table.in_norm, table.owned)
    # A row of each agent, with his days in each column in the same order: a row of each day would cost twice as much.
    columns = [_together(sa.cast(number, sa.String)) for number in numbers] + (
        [_together(table.delays)] if norms else []
    )
    # A day without either says nothing of any goal.
    wanted = sa.select(table.agent, *columns).where(on_days(schema.agent_day, node, days))
    for agent, *texts in connection.execute(
        wanted.where(sa.or_(offered > 0, table.owned > 0)).group_by(table.agent)
    ).all():
        when, *told = (text.split(",") for text in texts[: len(numbers)])
        delays = [[histogram([flat]) for flat in json.loads(f"[{text}]")] for text in texts[len(numbers) :]]
        found[node, agent].extend(map(date.fromisoformat, when), *(map(int, each) for each in told), *delays)


def _together(text: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    return sa.func.aggregate_strings(text, ",")


def _of_rows(
    connection: sa.Connection, period: Period, policy: Policy, norms: bool, found: Mapping[Key, Daily]
) -> None:
    """The same from rows, day by day of the stretch."""
    at = period.begin
    while at < period.end:
        day = policy.hours.day_of(at)
        end = min(policy.hours.day_span(day)[1], period.end)
        piece = sums_of_rows(connection, Period(begin=at, end=end, node=period.node), policy, goals_only=True)
        for key, part in piece.items():
            late, delays = part.owned - part.in_norm, [part.delays] if norms else []
            found[key].extend([day], [part.missed], [part.offered], [late], [part.owned], delays)
        at = end
