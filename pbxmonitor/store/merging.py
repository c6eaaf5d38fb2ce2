"""Two names of one person become one, or a name becomes another: history follows as if it had always been so.

First, in one transaction for each PBX, the floor: the checkpoint gets today's names and the agent who is both, his
states of the last day with it, and the daemon learns by its lease that it must read all of that again. From then on
nothing is written under the old name. Then the rows, a bounded number in a transaction: calls, older states, callbacks.
Calls in which both names took part are judged again, and the callbacks of their clients derived anew. A run that breaks
off is finished by the next one of the same names. Sums of days that the old name had anything on are made anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.agent import Agent, settled
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.renaming import renamed_floor, together
from pbxmonitor.store import aliases, schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.belongings import follow_everywhere, follow_here
from pbxmonitor.store.followed import Both, calls_of, follow_calls
from pbxmonitor.store.ledger import last_checkpoint, played_on, write_checkpoint
from pbxmonitor.store.recompute import Progress, settle_clients
from pbxmonitor.store.rejudge import lock_writers
from pbxmonitor.store.reports import last_told_by
from pbxmonitor.store.rollups import mark_stale
from pbxmonitor.store.rows import AVAILABILITY, interval_row
from pbxmonitor.store.timeline import Timeline, Told, timeline, told_of
from pbxmonitor.store.types import Row, among, reading, upsert, writing

PORTION: Final = 500
_STRETCHES: Final = 2_000
# States of the last day are brought along together with the floor: those that still last are among them.
_RECENT: Final = timedelta(days=1)
_CALL: Final = schema.call.c
_PART: Final = schema.agent_interval.c
_KEY: Final = ("agent", "track", "began_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Renaming:
    """Who is to be called otherwise on which PBXs; `whole`: on all there are, with what knows no PBX."""

    old: str
    new: str
    nodes: Sequence[str]
    whole: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    """What followed: calls, and those of them judged again because both took part; stretches of states."""

    calls: int
    judged_again: int
    states: int


async def rename_agent(
    engine: AsyncEngine,
    policy: Policy,
    wanted: Renaming,
    now: datetime,
    progress: Progress | None = None,
    portion: int = PORTION,
) -> Renamed:
    """Do it, or finish it. Whether it may be done is asked before (store/people.py). Twice changes nothing."""
    both, calls, states = Both(), 0, 0
    for node in wanted.nodes:
        run = _Node(engine, policy, wanted, node, now, portion)
        states += await run.switch()
        calls += await run.follow(both, progress)
    if both.clients:
        await settle_clients(engine, policy, both.clients, begin=min(both.began))
    done = Renamed(calls=calls, judged_again=both.calls, states=states)
    await writing(engine, partial(_finish, wanted=wanted, done=done, now=now))
    return done


def _finish(connection: sa.Connection, wanted: Renaming, done: Renamed, now: datetime) -> None:
    if wanted.whole:
        follow_everywhere(connection, wanted.old, wanted.new)
    for node in wanted.nodes:
        aliases.finish(connection, node, wanted.old, now)
    told = {"from": wanted.old, "to": wanted.new, "calls": done.calls, "nodes": list(wanted.nodes)}
    audit(connection, now, wanted.by, "person_renamed", None, told)


class _Node:
    """One PBX whose rows follow."""

    def __init__(
        self, engine: AsyncEngine, policy: Policy, wanted: Renaming, node: str, now: datetime, portion: int
    ) -> None:
        self._engine = engine
        self._policy = policy
        self._wanted = wanted
        self._node = node
        self._now = now
        self._portion = portion
        self._left: list[_Stretch] = []
        self._days: set[date] = set()

    @property
    def _old(self) -> str:
        return self._wanted.old

    @property
    def _new(self) -> str:
        return self._wanted.new

    async def switch(self) -> int:
        """The floor and the states of the last day; how many stretches there are to follow in all."""
        told = await reading(self._engine, self._told)
        floor, seq = await reading(self._engine, partial(self._floor, known=None))
        return await writing(self._engine, partial(self._switched, told=told, known=(floor, seq)))

    def _told(self, connection: sa.Connection, known: Told | None = None) -> Told:
        names = [self._old, self._new]
        former = {each for name in names for each in aliases.former_names(connection, name, self._node)}
        return told_of(connection, self._node, names, former, known)

    def _floor(self, connection: sa.Connection, known: tuple[Floor, int] | None) -> tuple[Floor, int]:
        names = aliases.names_of(connection, self._node)
        return played_on(connection, *(known or last_checkpoint(connection, self._node)), names)

    def _switched(self, connection: sa.Connection, told: Told, known: tuple[Floor, int]) -> int:
        """Behind the lock, what came since included."""
        lock_writers(connection)
        kept = last_checkpoint(connection, self._node)
        floor, seq = self._floor(connection, known if known[1] >= kept[1] else kept)
        told = self._told(connection, told)
        at = last_told_by(connection, [self._node]).get(self._node, self._now)
        rows, agent = self._states(told, floor, at)
        names = {self._old: self._new}
        floor = renamed_floor(floor, names, {} if agent is None else {self._new: agent})
        if seq:
            write_checkpoint(connection, floor, seq)
        self._left = list(_stretches(told.rows, rows))
        self._days = self._days_of(told.rows, at)
        recent = [each for each in self._left if each.touches(at - _RECENT)]
        _rewrite(connection, self._node, recent)
        self._left = [each for each in self._left if not each.touches(at - _RECENT)]
        aliases.change(connection, self._node, self._old, self._new, self._wanted.by, self._now)
        return len(self._left) + len(recent)

    def _states(self, told: Told, floor: Floor, at: datetime) -> tuple[Sequence[Row], Agent | None]:
        """The rows as they should be, and the agent who is both; None where there is one name only."""
        if not any(row["agent"] == self._new for row in told.rows):
            return [{**row, "agent": self._new} for row in told.rows], None
        found = timeline(self._node, self._new, told)
        there = [floor.agents[name] for name in (self._new, self._old) if name in floor.agents]
        if not there or found.agent is None:
            return found.rows, None
        if self._old not in floor.agents:  # he is one on the floor already: an earlier run broke off later than that
            return _ended(found, there[0], self._node), None
        agent = found.agent if told.whole else _like(found.agent, together(self._new, there), at)
        return _ended(found, agent, self._node), agent

    def _days_of(self, rows: Iterable[Mapping[str, Any]], at: datetime) -> set[date]:
        """Days on which the old name has a state."""
        days: set[date] = set()
        for row in (row for row in rows if row["agent"] == self._old):
            day, last = self._policy.hours.day_of(row["began_at"]), self._policy.hours.day_of(row["ended_at"] or at)
            while day <= last:
                days.add(day)
                day += timedelta(days=1)
        return days

    async def follow(self, both: Both, progress: Progress | None) -> int:
        """The calls, the older states and what else there is; how many calls followed."""
        count = 0
        while keys := await reading(self._engine, partial(calls_of, node=self._node, name=self._old)):
            for start in range(0, len(keys), self._portion):
                some = keys[start : start + self._portion]
                both.add(await writing(self._engine, partial(self._calls, keys=some)))
                if progress is not None:
                    progress(count + start + len(some), count + len(keys))
            count += len(keys)
        for start in range(0, len(self._left), _STRETCHES):
            some_left = self._left[start : start + _STRETCHES]
            await writing(self._engine, partial(self._stretches, some=some_left))
        await writing(self._engine, self._belongings)
        return count

    def _calls(self, connection: sa.Connection, keys: Sequence[str]) -> Both:
        lock_writers(connection)
        began = connection.execute(
            sa.select(_CALL.started_at).where(_CALL.node == self._node, among(connection, _CALL.key, keys))
        )
        mark_stale(connection, self._node, set(map(self._policy.hours.day_of, began.scalars())))
        return follow_calls(connection, self._node, keys, self._old, self._new, self._policy)

    def _stretches(self, connection: sa.Connection, some: "Sequence[_Stretch]") -> None:
        lock_writers(connection)
        _rewrite(connection, self._node, some)

    def _belongings(self, connection: sa.Connection) -> None:
        lock_writers(connection)
        follow_here(connection, self._node, self._old, self._new)
        table = schema.agent_day.c
        summed = sa.select(table.day).where(table.node == self._node, table.agent == self._old)
        mark_stale(connection, self._node, self._days | set(connection.execute(summed).scalars()))


def _like(agent: Agent, whole: Agent, at: datetime) -> Agent:
    """The agent of the floor with the states of his timeline, and from now on with what his devices say."""
    states = {name: getattr(agent, name) for name in ("availability", "activity", "wrapup_until", "busy_since")}
    return settled(evolve(whole, **states), at)


def _ended(found: Timeline, agent: Agent, node: str) -> Sequence[Row]:
    """The rows, the open one of availability being that of the agent."""
    now = agent.availability
    rows = [
        {**row, "ended_at": now.began_at} if row["track"] == AVAILABILITY and row["ended_at"] is None else row
        for row in found.rows
        if (row["track"], row["began_at"]) != (AVAILABILITY, now.began_at)
    ]
    return [*rows, interval_row(node, AVAILABILITY, now)]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A row of states as it is and as it should be, by its key; None where there is none."""

    was: Mapping[str, Any] | None
    now: Row | None

    def touches(self, since: datetime) -> bool:
        """Whether it lasted until then, as it was or as it should be."""
        ends = [row["ended_at"] for row in (self.was, self.now) if row is not None]
        return any(at is None or at >= since for at in ends)


def _stretches(was: Iterable[Mapping[str, Any]], now: Iterable[Row]) -> Iterable[_Stretch]:
    """What differs."""
    before = {tuple(row[name] for name in _KEY): dict(row) for row in was}
    after = {tuple(row[name] for name in _KEY): dict(row) for row in now}
    for key in sorted(before.keys() | after.keys(), key=lambda key: (key[2], key[1], key[0])):
        if before.get(key) != after.get(key):
            yield _Stretch(before.get(key), after.get(key))


def _rewrite(connection: sa.Connection, node: str, some: Sequence[_Stretch]) -> None:
    gone = [each.was for each in some if each.was is not None and each.now is None]
    if gone:
        mine = sa.and_(_PART.node == node, *(_PART[name] == sa.bindparam(f"of_{name}") for name in _KEY))
        keys = [{f"of_{name}": row[name] for name in _KEY} for row in gone]
        connection.execute(sa.delete(schema.agent_interval).where(mine), keys)
    upsert(connection, schema.agent_interval, [each.now for each in some if each.now is not None])
