"""History from elsewhere as rows: calls and stretches that nobody listened to, once however often they are told."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import client_of
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.renaming import Names, renamed_call
from pbxmonitor.store import schema
from pbxmonitor.store.aliases import names_of
from pbxmonitor.store.recompute import Progress, indebted, settle_clients
from pbxmonitor.store.regenerate import Prepared, Sorted, prepared, regenerate
from pbxmonitor.store.rejudge import lock_writers
from pbxmonitor.store.rollups import mark_stale
from pbxmonitor.store.stretches import Span, Told, consecutive, write_stretches
from pbxmonitor.store.types import insert_new, reading, writing

PORTION: Final = 2_000
_DAY: Final = timedelta(days=1)
RollUp = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of the calls that were told: new, changed, the same as they were, or known better and left alone.

    `intervals` counts the stretches that were told.
    """

    new: int = 0
    changed: int = 0
    same: int = 0
    left: int = 0
    intervals: int = 0


class Importer:
    """Writes what one source tells of one node: calls in any order, each agent's stretches in the order of time.

    A portion is one transaction. `finish` ends the import; broken off before it, the import is to be done again.
    """

    def __init__(self, engine: AsyncEngine, policy: Policy, *, node: str, source: str, portion: int = PORTION) -> None:
        self._engine = engine
        self._policy = policy
        self._node = node
        self._source = source
        self._portion = portion
        self._calls: dict[str, Call] = {}
        self._intervals: list[Interval] = []
        self._last: datetime | None = None
        self._began: datetime | None = None
        self._clients: set[str] = set()
        self._lost: set[str] = set()
        self._agents: set[str] = set()
        self._reached: dict[str, datetime] = {}
        self._counts = {"new": 0, "changed": 0, "same": 0, "left": 0, "intervals": 0}

    async def take(self, known: Iterable[Call | Interval]) -> None:
        """Write them, a portion at a time."""
        for each in known:
            if isinstance(each, Call):
                self._saw(each.ended_at or each.started_at)
                self._calls[each.key] = each
            else:
                self._saw(each.ended_at or each.began_at)
                self._intervals.append(each)
            if len(self._calls) >= self._portion:
                await self._write_calls()
            if len(self._intervals) >= self._portion:
                await self._write_intervals()

    async def finish(self, roll_up: RollUp | None = None, progress: Progress | None = None) -> Imported:
        """Write the rest, derive the callbacks of all clients concerned, roll up the days; what was imported."""
        await self._write_calls()
        await self._write_intervals()
        if self._began is not None:
            owing = await indebted(self._engine, self._policy, self._began)
            clients = self._lost | (self._clients & owing)
            await settle_clients(self._engine, self._policy, clients, begin=self._began, progress=progress)
        if roll_up is not None:
            await roll_up()
        return Imported(**self._counts)

    def _saw(self, at: datetime) -> None:
        self._last = at if self._last is None else max(self._last, at)

    async def _write_calls(self) -> None:
        calls, self._calls = list(self._calls.values()), {}
        if calls:
            names = await reading(self._engine, partial(names_of, node=self._node))
            told = self._prepared(calls, names)
            self._note(await writing(self._engine, partial(self._calls_written, calls=calls, told=told, names=names)))

    def _prepared(self, calls: Sequence[Call], names: Names) -> list[Prepared]:
        now = self._last or calls[0].started_at
        renamed = [renamed_call(call, names) for call in calls] if names else calls
        return [prepared(call, self._policy, self._source, now) for call in renamed]

    def _calls_written(
        self, connection: sa.Connection, calls: Sequence[Call], told: Sequence[Prepared], names: Names
    ) -> Sorted:
        self._open(connection)
        if (meanwhile := names_of(connection, self._node)) != names:
            told = self._prepared(calls, meanwhile)
        found = regenerate(connection, told)
        self._add_agents(connection, {agent for each in found.written for agent in each.agents})
        self._mark(connection, map(self._policy.hours.day_of, found.moved))
        return found

    def _note(self, found: Sorted) -> None:
        """What is to be settled in the end: calls that were there, too, for the last import may have broken off."""
        self._began = min(found.began | ({self._began} if self._began else set()), default=None)
        self._clients |= {client for each in found.taken if (client := client_of(each.call)) is not None}
        self._lost |= found.lost
        for name, calls in (("new", found.new), ("changed", found.changed), ("same", found.same)):
            self._counts[name] += len(calls)
        self._counts["left"] += found.left

    async def _write_intervals(self) -> None:
        intervals, self._intervals = self._intervals, []
        self._counts["intervals"] += len(intervals)
        if intervals:
            await writing(self._engine, partial(self._intervals_written, intervals=intervals))

    def _told(self, agent: str, intervals: Sequence[Interval]) -> Told:
        mine = tuple(consecutive(intervals))
        first = min(each.began_at for each in intervals)
        begin = min(self._reached.get(agent, first), first)
        self._reached[agent] = end = max(each.ended_at or each.began_at for each in intervals)
        return Told(agent=agent, begin=begin, end=end, intervals=mine)

    def _intervals_written(self, connection: sa.Connection, intervals: Sequence[Interval]) -> None:
        self._open(connection)
        names = names_of(connection, self._node)
        by_agent: dict[str, list[Interval]] = {}
        for each in intervals:
            agent = names.get(each.agent, each.agent)
            by_agent.setdefault(agent, []).append(evolve(each, agent=agent, ended_at=each.ended_at or self._last))
        told = [self._told(agent, mine) for agent, mine in by_agent.items()]
        self._add_agents(connection, {each.agent for each in told})
        spans = write_stretches(connection, self._node, self._source, told)
        self._mark(connection, {day for span in spans for day in self._days(span)})

    def _days(self, span: Span) -> Iterable[date]:
        day, last = self._policy.hours.day_of(span[0]), self._policy.hours.day_of(span[1])
        while day <= last:
            yield day
            day += _DAY

    def _open(self, connection: sa.Connection) -> None:
        lock_writers(connection)
        insert_new(connection, schema.node, [{"name": self._node}])

    def _add_agents(self, connection: sa.Connection, agents: Iterable[str]) -> None:
        new = sorted({*agents} - self._agents)
        insert_new(connection, schema.agent, [{"node": self._node, "agent": name} for name in new])
        self._agents.update(new)

    def _mark(self, connection: sa.Connection, days: Iterable[date]) -> None:
        mark_stale(connection, self._node, days)
