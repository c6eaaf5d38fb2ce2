"""Judge again: verdicts, causes, colours and callbacks of calls that are over, under a policy that has changed.

Two passes of many short transactions. First the calls, in the order they began: the row of each that leaves no debt is
written. Then the clients of the others, some at a time: their calls and their callbacks in one transaction, so that
nobody ever reads a lost call without its callback.

Each portion is looked at without a lock. If something in it is to change, it is looked at once more behind the lock
that every daemon's transaction takes first (its lease's row; on SQLite the only writer's), derived anew unless all is
as it was, and written. So no update is lost: what is written follows from all that was committed, and a call that ends
later is settled by its daemon upon what stands then. A last look at the calls that were open, or came, meanwhile takes
in what their daemon judged by an older policy. A run that breaks off leaves whole clients behind it; the next one does
the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.play import LINGER
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.covered import Place, Scope, count_of, page_after, portions, strays_since
from pbxmonitor.store.debts import Key
from pbxmonitor.store.outcome import Outcome, Tally
from pbxmonitor.store.rejudge import LONGEST, Rejudged, Revision, lock_writers, rejudged, revision, rewrite, rows_of
from pbxmonitor.store.reports import last_told
from pbxmonitor.store.resettle import Resettled, days_of, open_since, resettled, still_so, write_resettled
from pbxmonitor.store.rollups import mark_stale
from pbxmonitor.store.types import reading, writing

# Calls of one transaction: under a second of a small machine's time.
PORTION: Final = 2_000
# Clients whose calls are counted at once.
_ASKED: Final = 512
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
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
    run = _Run(engine, Scope(begin=begin, policy=policy, node=node), dry_run, progress, portion)
    return await run.all()


async def settle_clients(
    engine: AsyncEngine, policy: Policy, clients: Iterable[str], *, begin: datetime, progress: Progress | None = None
) -> Outcome:
    """Derive the callbacks of those clients again from the calls that ended since `begin`, and colour their misses."""
    run = _Run(engine, Scope(begin=begin, policy=policy), False, progress, PORTION)
    await run.begin()
    await run.settle(clients)
    return run.tally.outcome()


async def indebted(engine: AsyncEngine, policy: Policy, begin: datetime) -> set[str]:
    """The clients with a callback that was open since."""
    return await reading(engine, partial(_indebted, scope=Scope(begin=begin, policy=policy)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """Some calls in the order they began; `last` is the place of the last one, `still` when the open ones began."""

    owed: Sequence[Rejudged]
    others: Sequence[Revision]
    clients: set[str]
    count: int
    last: Place
    still: Sequence[datetime]


class _Run:
    def __init__(
        self, engine: AsyncEngine, scope: Scope, dry_run: bool, progress: Progress | None, portion: int
    ) -> None:
        self.tally = Tally()
        self._engine = engine
        self._scope = scope
        self._dry_run = dry_run
        self._progress = progress
        self._portion = portion
        self._done = self._total = 0
        self._told: dict[str, datetime] = {}

    async def all(self) -> Outcome:
        """Both passes, and the last look."""
        await self.begin()
        if self._progress is not None:
            self._total = await reading(self._engine, partial(count_of, scope=self._scope))
        clients, meanwhile = await self._judge(self._scope.begin)
        await self.settle(clients | await reading(self._engine, partial(_indebted, scope=self._scope)))
        if meanwhile is not None and not self._dry_run:
            await self._find_strays(meanwhile)
            clients, _ = await self._judge(meanwhile, again=True)
            await self.settle(clients, again=True)
        return self.tally.outcome()

    async def begin(self) -> None:
        """Learn what neither pass could find out by itself."""
        self._told = await reading(self._engine, last_told)
        await self._find_strays(self._scope.begin)

    async def _find_strays(self, begin: datetime) -> None:
        """Note the outbound calls that rang another number than the dialled one: no index leads to their clients."""
        for each in await reading(self._engine, partial(self._strays, begin=begin)):
            if each.client is not None:
                self._scope.strays.setdefault(each.client, set()).add(each.key)

    def _strays(self, connection: sa.Connection, begin: datetime) -> list[Rejudged]:
        return rejudged(connection, strays_since(connection, begin), self._scope.policy)

    async def _judge(self, begin: datetime, *, again: bool = False) -> tuple[set[str], datetime | None]:
        """Judge the calls since; the clients that are to be settled, and since when calls may have ended meanwhile.

        `again`: these were judged a moment ago, and every client of theirs is to be settled.
        """
        clients: set[str] = set()
        after: Place | None = None
        still: list[datetime] = []
        while page := await reading(self._engine, partial(self._page, begin=begin, after=after)):
            clients |= page.clients if again else {each.client for each in page.owed if each.client is not None}
            await self._judged(page.others, again)
            after = page.last
            still += page.still
            self._advance(page.count)
        # One that has been open for longer than any call is nobody's any more.
        return clients, max(min([*still, after[0]]), after[0] - LONGEST) if after is not None else None

    def _page(self, connection: sa.Connection, begin: datetime, after: Place | None) -> _Page | None:
        rows = page_after(connection, begin, self._scope.node, after, self._portion)
        if not rows:
            return None
        calls = rejudged(connection, rows, self._scope.policy)
        return _Page(
            owed=[each for each in calls if each.owed],
            others=[revision(each) for each in calls if not each.owed],
            clients={each.client for each in calls if each.client is not None},
            count=len(rows),
            last=(rows[-1].started_at, rows[-1].node, rows[-1].key),
            still=[row.started_at for row in rows if row.ended_at is None],
        )

    async def _judged(self, calls: Sequence[Revision], again: bool) -> None:
        self.tally.calls(calls, again=again)
        changed = [each.of.key for each in calls if each.differs]
        if changed and not self._dry_run:
            await writing(self._engine, partial(self._write_calls, keys=changed))

    def _write_calls(self, connection: sa.Connection, keys: Sequence[Key]) -> None:
        lock_writers(connection)
        calls = rejudged(connection, rows_of(connection, keys), self._scope.policy)
        mine = [revision(each) for each in calls if not each.owed]
        rewrite(connection, mine)
        self._mark(connection, mine, {})

    async def settle(self, clients: Iterable[str], *, again: bool = False) -> None:
        """Live the callbacks of those clients again, and write their lost calls with them."""
        waiting = sorted(clients)
        self._total += len(waiting)
        for start in range(0, len(waiting), _ASKED):
            asked = waiting[start : start + _ASKED]
            groups = partial(portions, clients=asked, begin=self._scope.begin, size=self._portion)
            for some in await reading(self._engine, groups):
                await self._settled(some, again)
                self._advance(len(some))

    async def _settled(self, clients: Sequence[str], again: bool) -> None:
        found = await reading(self._engine, partial(resettled, clients=clients, scope=self._scope))
        self.tally.calls(found.calls, again=again)
        self.tally.callbacks(found, again=again)
        if found.differs and not self._dry_run:
            await writing(self._engine, partial(self._write_clients, clients=clients, found=found))

    def _write_clients(self, connection: sa.Connection, clients: Sequence[str], found: Resettled) -> None:
        lock_writers(connection)
        if not still_so(connection, found, self._scope) or not self._are_quiet(found):
            found = resettled(connection, clients, self._scope)
        self._mark(connection, found.calls, days_of(connection, found, self._scope.policy.hours))
        write_resettled(connection, found)

    def _are_quiet(self, found: Resettled) -> bool:
        """Whether no late fact can change these calls any more: their rows, not their parts, were compared."""
        return all(row.ended_at < self._told.get(row.node, _NEVER) - LINGER for row in found.rows.values())

    def _mark(self, connection: sa.Connection, calls: Iterable[Revision], days: dict[str, set[date]]) -> None:
        """The sums of the days of those calls that change, and of these days, hold no more."""
        for each in calls:
            if each.differs:
                days.setdefault(each.of.call.node, set()).add(self._scope.policy.hours.day_of(each.of.call.started_at))
        for node in sorted(days):
            mark_stale(connection, node, days[node])

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))


def _indebted(connection: sa.Connection, scope: Scope) -> set[str]:
    number = schema.callback.c.number
    return set(connection.execute(sa.select(number).where(open_since(scope)).distinct()).scalars())
