"""Judge again: verdicts, causes, colours and callbacks of calls that are over, under a policy that has changed.

Two passes, many short transactions. First the calls, in the order they began: of those that leave no debt the row is
written. Then the clients of the others, some at a time: their calls and their callbacks in one transaction, so that
nobody ever reads a lost call without its callback.

Each portion is looked at without a lock; what is to change is read, judged and written once more behind the lock that
every daemon's transaction takes first (its lease's row; on SQLite the only writer's). So no update is lost: what is
written follows from all that was committed, and a call that ends later is settled by its daemon upon what stands then.
A last look at the calls that were open, or came, meanwhile takes in what their daemon judged by an older policy. A run
that breaks off leaves whole clients behind it; the next one does the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key
from pbxmonitor.store.outcome import Outcome, Tally
from pbxmonitor.store.rejudge import LONGEST, Rejudged, covered, lock_writers, rejudged, rewrite, rows_of
from pbxmonitor.store.resettle import Resettled, Scope, open_since, resettled, write_resettled
from pbxmonitor.store.restore import Found
from pbxmonitor.store.rollups import debt_days, mark_stale
from pbxmonitor.store.types import among, reading, writing

PORTION: Final = 2_000
_CALL: Final = schema.call.c
_DEBT: Final = schema.callback.c
# Numbers are asked for so many at a time.
_ASKED: Final = 500
Progress = Callable[[int, int], None]


async def recompute(
    engine: AsyncEngine,
    policy: Policy,
    *,
    begin: datetime,
    node: str | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
    portion: int = PORTION,
) -> Outcome:
    """Judge again every ended call that was going on at `begin` or began since, of one node or of all.

    Twice changes nothing. A dry run writes nothing and tells the same. What a person did with a callback stands.
    `progress` hears how many calls and clients are done, and of how many.
    """
    run = _Run(engine, policy, begin=begin, node=node, dry_run=dry_run, progress=progress, portion=portion)
    return await run.all()


async def settle_clients(
    engine: AsyncEngine, policy: Policy, clients: Iterable[str], *, begin: datetime, progress: Progress | None = None
) -> Outcome:
    """Derive the callbacks of those clients again, from the calls that ended since `begin`, and colour their misses."""
    run = _Run(engine, policy, begin=begin, node=None, dry_run=False, progress=progress, portion=PORTION)
    await run.find_strays(begin)
    await run.settle(clients)
    return run.tally.outcome()


class _Run:
    def __init__(
        self,
        engine: AsyncEngine,
        policy: Policy,
        *,
        begin: datetime,
        node: str | None,
        dry_run: bool,
        progress: Progress | None,
        portion: int,
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._policy = policy
        self._begin = begin
        self._node = node
        self._dry_run = dry_run
        self._progress = progress
        self._portion = portion
        self._strays: dict[str, list[Key]] = {}
        self._scope = Scope(begin=begin, policy=policy, strays=self._strays, node=node)
        self._latest: datetime | None = None
        self._done = self._total = 0

    async def all(self) -> Outcome:
        """Both passes, and the last look."""
        await self.find_strays(self._begin)
        clients, meanwhile = await self._judge(self._begin)
        await self.settle(clients | await reading(self._engine, self._in_debt))
        if meanwhile is not None and not self._dry_run:
            await self.find_strays(meanwhile)
            clients, _ = await self._judge(meanwhile, again=True)
            await self.settle(clients, again=True)
        return self.tally.outcome()

    async def find_strays(self, begin: datetime) -> None:
        """Note the outbound calls that rang another number than the dialled one: no index leads to their clients."""
        for call in await reading(self._engine, partial(_strays, begin=begin, policy=self._policy)):
            if call.client is not None:
                self._strays.setdefault(call.client, []).append(call.key)

    def _in_debt(self, connection: sa.Connection) -> set[str]:
        return set(connection.execute(sa.select(_DEBT.number).where(open_since(self._scope))).scalars())

    async def _judge(self, begin: datetime, *, again: bool = False) -> tuple[set[str], datetime | None]:
        """Judge the calls; the clients still to be settled, and since when calls may have ended meanwhile.

        `again`: these were judged a moment ago, and every client of theirs is to be settled.
        """
        clients: set[str] = set()
        meanwhile: datetime | None = None
        after: tuple[datetime, str, str] | None = None
        if self._progress is not None and not again:
            self._total = await reading(self._engine, partial(_count, begin=begin, node=self._node))
        while rows := await reading(self._engine, partial(self._page, begin=begin, after=after)):
            found = await reading(self._engine, partial(rejudged, rows=rows, policy=self._policy))
            clients |= {each.client for each in found if each.client is not None and (each.owed or again)}
            await self._judged([each for each in found if not each.owed], again)
            last = rows[-1]
            after = last.started_at, last.node, last.key
            still = [row.started_at for row in rows if row.ended_at is None]
            meanwhile = min(still + [meanwhile] if meanwhile is not None else still, default=None)
            self._advance(len(rows))
        if after is None:
            return clients, None
        return clients, max(min(meanwhile or after[0], after[0]), after[0] - LONGEST)

    def _page(
        self, connection: sa.Connection, begin: datetime, after: tuple[datetime, str, str] | None
    ) -> Sequence[Found]:
        wanted = sa.select(schema.call).where(covered(begin, self._node))
        if after is not None:
            at, node, key = after
            beyond = sa.or_(_CALL.started_at > at, _CALL.node > node, sa.and_(_CALL.node == node, _CALL.key > key))
            wanted = wanted.where(_CALL.started_at >= at, beyond)
        ordered = wanted.order_by(_CALL.started_at, _CALL.node, _CALL.key)
        return connection.execute(ordered.limit(self._portion)).all()

    async def _judged(self, found: Sequence[Rejudged], again: bool) -> None:
        self.tally.calls(((each, None) for each in found), again=again)
        changed = [each.key for each in found if each.changes(None) or any(each.verdict_changes())]
        if changed and not self._dry_run:
            await writing(self._engine, partial(self._write_calls, keys=changed))

    def _write_calls(self, connection: sa.Connection, keys: Sequence[Key]) -> None:
        lock_writers(connection)
        found = [each for each in rejudged(connection, rows_of(connection, keys), self._policy) if not each.owed]
        rewrite(connection, [(each, None) for each in found])
        self._mark(connection, found, None)

    async def settle(self, clients: Iterable[str], *, again: bool = False) -> None:
        """Live the callbacks of those clients again, and write their lost calls with them."""
        waiting = sorted(clients)
        self._total += len(waiting)
        for start in range(0, len(waiting), _ASKED):
            asked = waiting[start : start + _ASKED]
            for some in await reading(self._engine, partial(self._portions, clients=asked)):
                await self._settled(some, again)
                self._advance(len(some))

    def _portions(self, connection: sa.Connection, clients: Sequence[str]) -> list[list[str]]:
        """The clients in groups that have about as many calls as a portion."""
        counts: dict[str, int] = {}
        for column, direction in ((_CALL.caller, Direction.INBOUND), (_CALL.called, Direction.OUTBOUND)):
            mine = sa.and_(among(connection, column, clients), covered(self._begin), _CALL.direction == direction)
            for client, count in connection.execute(sa.select(column, sa.func.count()).where(mine).group_by(column)):
                counts[client] = counts.get(client, 0) + count
        portions: list[list[str]] = []
        room = 0
        for client in clients:
            room -= counts.get(client, 0)
            if room < 0 or not portions:
                portions.append([])
                room = self._portion - counts.get(client, 0)
            portions[-1].append(client)
        return portions

    async def _settled(self, clients: Sequence[str], again: bool) -> None:
        found = await reading(self._engine, partial(resettled, clients=clients, scope=self._scope))
        self.tally.calls(found.calls, again=again)
        self.tally.callbacks(found, again=again)
        changed = _changed(found)
        if changed and not self._dry_run:
            await writing(self._engine, partial(self._write_clients, clients=sorted(changed)))

    def _write_clients(self, connection: sa.Connection, clients: Sequence[str]) -> None:
        lock_writers(connection)
        found = resettled(connection, clients, self._scope, lock=True)
        calls = found.changed_calls
        write_resettled(connection, found)
        rewrite(connection, calls)
        self._mark(connection, [each for each, _ in calls], found)

    def _mark(self, connection: sa.Connection, calls: Iterable[Rejudged], found: Resettled | None) -> None:
        """The sums of the days of those calls and callbacks hold no more."""
        hours = self._policy.hours
        days: dict[str, set[date]] = {}
        for each in calls:
            days.setdefault(each.call.node, set()).add(hours.day_of(each.call.started_at))
        if found is not None:
            began = {each.key: each.call.started_at for each, _ in found.calls}
            debts = [*found.changed, *found.gone, *(found.before[key] for key in found.before if key in found.changed_keys)]
            for debt, (node, own) in zip(debts, debt_days(connection, debts, hours, _names(began)), strict=True):
                missed = (began[node, call] for call in debt.missed_calls if (node, call) in began)
                days.setdefault(node, set()).update(own, map(hours.day_of, missed))
        for node in sorted(days):
            mark_stale(connection, node, days[node])

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))
