"""The ledger of one node: facts, and all the rows they lead to, in one transaction; and the floor back from them."""

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.domain.callback import colour_of
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.judge import Judgement, judge
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Debts, load_debts
from pbxmonitor.store.form import fact_of, floor_from_text, floor_to_text
from pbxmonitor.store.leases import Lease, ensure_held
from pbxmonitor.store.rows import Touched, call_row, interval_row, journal_key, journal_rows, part_rows
from pbxmonitor.store.types import Row, insert_new, reading, upsert

log = structlog.get_logger()

CHECKPOINT_FACTS: Final = 1_000
# Writing one call of the floor costs about as much as two or three facts: a checkpoint stays a small part of the work.
CHECKPOINT_FACTS_PER_CALL: Final = 20
_PAGE: Final = 2_000
_LARGEST_QUESTION: Final = 256
_FACT: Final = schema.fact.c
_PARTS: Final = (schema.stage, schema.offer, schema.talk, schema.transfer, schema.verdict)


class Ledger:
    """The only writer of a node's rows; with a lease, only as long as it is held."""

    def __init__(self, engine: AsyncEngine, node: str, policy: Policy, lease: Lease | None = None) -> None:
        self._engine = engine
        self._node = node
        self._policy = policy
        self.lease = lease
        self._seq: int | None = None
        self._since_checkpoint = 0

    async def floor(self) -> Floor:
        """The floor as it was at the last commit: the last checkpoint and the facts journalled after it."""
        table = schema.checkpoint.c
        async with reading(self._engine) as connection:
            found = sa.select(table.seq, table.floor).where(table.node == self._node)
            kept = (await connection.execute(found)).one_or_none()
            floor = floor_from_text(zlib.decompress(kept.floor).decode()) if kept else Floor(node=self._node)
            begin = self._seq = kept.seq if kept else 0
            while page := await self._page(connection, self._seq):
                floor, _ = play(floor, (fact for _, fact in page if fact is not None))
                self._seq = page[-1][0]
        self._since_checkpoint = self._seq - begin
        return floor

    async def _page(self, connection: AsyncConnection, seq: int) -> list[tuple[int, Fact | None]]:
        mine = sa.and_(_FACT.node == self._node, _FACT.seq > seq)
        found = await connection.execute(sa.select(schema.fact).where(mine).order_by(_FACT.seq).limit(_PAGE))
        return [(row.seq, row.body and fact_of(row.kind, row.node, row.at, row.key, row.body)) for row in found.all()]

    async def unseen(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those that the journal does not have, each once, in order."""
        fresh = {journal_key(fact): fact for fact in reversed(facts)}
        keys = list(fresh)
        async with reading(self._engine) as connection:
            for start in range(0, len(keys), _LARGEST_QUESTION):
                asked = _padded(keys[start : start + _LARGEST_QUESTION])
                known = sa.select(_FACT.key).where(_FACT.node == self._node, _FACT.key.in_(asked))
                for key in (await connection.execute(known)).scalars():
                    del fresh[key]
        wanted = {id(fact) for fact in fresh.values()}
        return [fact for fact in facts if id(fact) in wanted]

    async def record(self, changes: Sequence[Change], floor: Floor, told: Sequence[Fact] = ()) -> None:
        """All that the changes lead to, in one transaction; LeaseLost when another daemon has taken the node.

        `told` is the batch that was played: what of it changed nothing is kept by its key, so that it stays told.
        """
        if not changes and not told:
            return
        async with self._engine.begin() as connection:
            if self.lease is not None:
                await ensure_held(connection, self.lease)
            seq = await self._journal(connection, changes, told)
            if changes:
                await self._write(connection, Touched(changes), changes[-1].fact.at)
            since = self._since_checkpoint + seq - (self._seq or 0)
            due = since >= max(CHECKPOINT_FACTS, CHECKPOINT_FACTS_PER_CALL * len(floor.calls))
            if due:
                await self._checkpoint(connection, seq, floor)
        self._seq, self._since_checkpoint = seq, 0 if due else since

    async def gap(self, lost_at: datetime, restored_at: datetime | None, reason: str) -> None:
        """A stretch when nobody listened; told again (by `lost_at`) it is the same row."""
        row = {"node": self._node, "lost_at": lost_at, "restored_at": restored_at, "reason": reason}
        async with self._engine.begin() as connection:
            if self.lease is not None:
                await ensure_held(connection, self.lease)
            await upsert(connection, schema.gap, [row])

    async def _journal(self, connection: AsyncConnection, changes: Sequence[Change], told: Sequence[Fact]) -> int:
        if self._seq is None:
            last = sa.select(sa.func.max(_FACT.seq)).where(_FACT.node == self._node)
            self._seq = (await connection.execute(last)).scalar() or 0
        if self._seq == 0:
            await insert_new(connection, schema.node, [{"name": self._node}])
        rows = journal_rows(self._node, self._seq, changes, told)
        if rows:
            await connection.execute(sa.insert(schema.fact), rows)
        return self._seq + len(rows)

    async def _checkpoint(self, connection: AsyncConnection, seq: int, floor: Floor) -> None:
        packed = zlib.compress(floor_to_text(floor).encode("utf-8", "surrogatepass"), 1)
        await upsert(connection, schema.checkpoint, [{"node": self._node, "seq": seq, "floor": packed}])

    async def _write(self, connection: AsyncConnection, touched: Touched, now: datetime) -> None:
        debts = await load_debts(connection, self._node, touched.calls.values())
        for call in touched.ended:
            debts.settle(call, self._policy)
        await self._write_agents(connection, touched)
        await self._write_calls(connection, touched, debts, now)
        await debts.write(connection)

    async def _write_agents(self, connection: AsyncConnection, touched: Touched) -> None:
        agents = [{"node": self._node, "agent": name} for name in touched.newcomers]
        devices = [
            {"node": self._node, "endpoint": each.endpoint, "agent": each.agent, "online": each.online}
            for each in touched.devices.values()
        ]
        rows = [interval_row(self._node, track, each) for (_, track, _), each in touched.intervals.items()]
        await insert_new(connection, schema.agent, agents)
        await upsert(connection, schema.agent_device, devices)
        await upsert(connection, schema.agent_interval, rows)

    async def _write_calls(self, connection: AsyncConnection, touched: Touched, debts: Debts, now: datetime) -> None:
        calls: list[Row] = []
        parts: dict[str, list[Row]] = {table.name: [] for table in _PARTS}
        for call in touched.standing():
            judged = judge(call, self._policy, now)
            calls.append(call_row(call, judged, colour_of(call, judged, debts.of(call))))
            for table, row in part_rows(call, judged, self._policy):
                parts[table.name].append(row)
            await self._drop_stale(connection, touched.before[call.key], call, judged)
        if touched.merged:
            guests = sa.and_(schema.call.c.node == self._node, schema.call.c.key.in_(touched.merged))
            await connection.execute(sa.delete(schema.call).where(guests))
        await upsert(connection, schema.call, calls)
        for table in _PARTS:
            await upsert(connection, table, parts[table.name])

    async def _drop_stale(
        self, connection: AsyncConnection, before: Call | None, call: Call, judged: Judgement
    ) -> None:
        """Verdicts that the call had and has no more; every other part of a call only grows."""
        if before is None:
            return
        had = {o.agent for o in before.offers} | {t.agent for t in before.talks}
        if call.direction is not Direction.INBOUND or had <= judged.verdicts.keys():
            return
        stale = judge(before, self._policy, call.ended_at or before.started_at).verdicts.keys() - judged.verdicts.keys()
        if stale:
            table = schema.verdict.c
            gone = sa.and_(table.node == self._node, table.call == call.key, table.agent.in_(sorted(stale)))
            await connection.execute(sa.delete(schema.verdict).where(gone))


def _padded(keys: list[str]) -> list[str]:
    """The keys, the last repeated up to a power of two: few statements to prepare instead of one per length."""
    size = 1 << max(len(keys) - 1, 0).bit_length()
    return keys + keys[-1:] * (size - len(keys))
