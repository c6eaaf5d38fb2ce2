"""The ledger of one node: facts, and all the rows they lead to, in one transaction; and the floor back from them."""

import zlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.domain.callback import colour_of
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.judge import Judgement, judge
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.renaming import Names, NamesChanged, renamed_fact
from pbxmonitor.store import schema, webhook_events
from pbxmonitor.store.aliases import names_of
from pbxmonitor.store.debts import Debts, load_debts
from pbxmonitor.store.duty import tell_of
from pbxmonitor.store.form import fact_of, floor_from_text, floor_to_text
from pbxmonitor.store.leases import Lease, ensure_held
from pbxmonitor.store.recent import Recent
from pbxmonitor.store.rollups import debt_days, mark_stale
from pbxmonitor.store.rows import LIVE, Touched, call_row, interval_row, journal_key, journal_rows, part_rows
from pbxmonitor.store.types import Row, Write, among, insert_new, reading, upsert, write, writing

CHECKPOINT_FACTS: Final = 1_000
# Writing one call of the floor costs about as much as two or three facts: a checkpoint stays a small part of the work.
CHECKPOINT_FACTS_PER_CALL: Final = 20
_PAGE: Final = 2_000
_LARGEST_QUESTION: Final = 256
_FACT: Final = schema.fact.c
_PARTS: Final = (schema.stage, schema.offer, schema.talk, schema.transfer, schema.verdict)


class Ledger:
    """The only writer of a node's rows; with a lease, only as long as it is held."""

    def __init__(
        self,
        engine: AsyncEngine,
        node: str,
        policy: Policy,
        lease: Lease | None = None,
        duties: Duties | None = None,
        ring: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """`duties` say who is told of missed clients; `ring` is called after a commit that may owe something.

        What is owed is due by `clock`, ours; without one, by that of the PBX.
        """
        self._engine = engine
        self._node = node
        self._policy = policy
        self._duties = duties or Duties()
        self._ring = ring
        self._clock = clock
        self.lease = lease
        self._next: tuple[Policy, Duties] | None = None
        self._seq: int | None = None
        self._names: Names = {}
        self._names_known: int | None = None
        self._since_checkpoint = 0
        self._recent: Recent | None = None
        self._owes = False

    def judge_by(self, policy: Policy, duties: Duties) -> None:
        """From the next transaction on; what is recorded already stays as it was judged, until it is recomputed."""
        self._next = policy, duties

    async def floor(self) -> Floor:
        """The floor as it was at the last commit: the last checkpoint and the facts journalled after it."""
        return await reading(self._engine, self._restored)

    def _restored(self, connection: sa.Connection) -> Floor:
        self._names_known = _names_told(connection, self._node)
        self._names = names_of(connection, self._node)
        self._recent = None  # another daemon may have written since
        kept = last_checkpoint(connection, self._node)
        floor, self._seq = played_on(connection, *kept, self._names)
        self._since_checkpoint = self._seq - kept[1]
        return floor

    async def unseen(self, facts: Sequence[Fact]) -> list[Fact]:
        """Those that the journal does not have, each once, in order, about agents as they are called now."""
        fresh: dict[str, Fact] = {}
        for fact in facts:
            fresh.setdefault(journal_key(fact), fact)
        recent = self._recent
        if recent is None:
            recent = self._recent = await reading(self._engine, self._remembered)
        for key in [key for key in fresh if key in recent]:
            del fresh[key]
        doubtful = [key for key, fact in fresh.items() if recent.doubts(fact.at)]
        if doubtful:
            for key in await reading(self._engine, lambda connection: self._known(connection, doubtful)):
                del fresh[key]
        return [renamed_fact(fact, self._names) for fact in fresh.values()] if self._names else list(fresh.values())

    def _remembered(self, connection: sa.Connection) -> Recent:
        newest = sa.select(sa.func.max(_FACT.at)).where(_FACT.node == self._node)
        return Recent(connection.execute(newest).scalar())

    def _known(self, connection: sa.Connection, keys: list[str]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(keys), _LARGEST_QUESTION):
            # By key alone: a planner without statistics would rather read all that the node has ever told.
            asked = among(connection, _FACT.key, keys[start : start + _LARGEST_QUESTION])
            rows = connection.execute(sa.select(_FACT.node, _FACT.key).where(asked))
            found += [key for node, key in rows.all() if node == self._node]
        return found

    async def record(self, changes: Sequence[Change], floor: Floor, told: Sequence[Fact] = ()) -> None:
        """All that the changes lead to, in one transaction; LeaseLost when another daemon has taken the node.

        NamesChanged when people were merged or renamed since `floor` was asked for: ask again, and play again.

        `told` is the batch that was played: what of it changed nothing is kept by its key, so that it stays told.
        """
        if self._next is not None:
            # Here no transaction runs: each is judged by one policy from its beginning to its end.
            (self._policy, self._duties), self._next = self._next, None
        if changes or told:
            work = partial(self._recorded, changes=changes, floor=floor, told=told)
            self._owes = False
            self._seq, self._since_checkpoint, journalled = await writing(self._engine, work)
            if self._recent is not None:
                self._recent.note((row["key"], row["at"]) for row in journalled)
            if self._owes or any(call.ended_at is not None for change in changes for _, call in change.calls):
                self._ring()

    def _recorded(
        self, connection: sa.Connection, changes: Sequence[Change], floor: Floor, told: Sequence[Fact]
    ) -> tuple[int, int, list[Row]]:
        """The journal's last number, how many facts there are since the last checkpoint, and the new rows."""
        names = self._ensure_held(connection)
        if names is not None and self._names_known is not None and names != self._names_known:
            raise NamesChanged(self._node)
        before, rows = self._journal(connection, changes, told)
        seq = before + len(rows)
        if changes:
            self._write(connection, Touched(changes), changes[-1].fact.at)
        since = self._since_checkpoint + seq - before
        if since < max(CHECKPOINT_FACTS, CHECKPOINT_FACTS_PER_CALL * len(floor.calls)):
            return seq, since, rows
        write_checkpoint(connection, floor, seq)
        return seq, 0, rows

    async def gap(self, lost_at: datetime, restored_at: datetime | None, reason: str) -> None:
        """A stretch when nobody listened; told again (by `lost_at`) it is the same row."""
        row = {"node": self._node, "lost_at": lost_at, "restored_at": restored_at, "reason": reason}
        await writing(self._engine, lambda connection: self._gap(connection, row))

    def _gap(self, connection: sa.Connection, row: Row) -> None:
        self._ensure_held(connection)
        upsert(connection, schema.gap, [row])

    def _ensure_held(self, connection: sa.Connection) -> int | None:
        return ensure_held(connection, self.lease) if self.lease is not None else None

    def _journal(
        self, connection: sa.Connection, changes: Sequence[Change], told: Sequence[Fact]
    ) -> tuple[int, list[Row]]:
        """The journal's last number before, and the rows after it."""
        before = self._seq
        if before is None:
            last = sa.select(sa.func.max(_FACT.seq)).where(_FACT.node == self._node)
            before = connection.execute(last).scalar() or 0
        if before == 0:
            insert_new(connection, schema.node, [{"name": self._node}])
        rows = journal_rows(self._node, before, changes, told)
        write(connection, schema.fact, rows, Write.INSERT)
        return before, rows

    def _write(self, connection: sa.Connection, touched: Touched, now: datetime) -> None:
        debts = load_debts(connection, self._node, touched.calls.values())
        for call in touched.ended:
            debts.settle(call, self._policy)
        due_from = self._clock() if self._clock is not None else now
        tell_of(connection, self._duties, self._policy, debts, touched.ended, due_from)
        self._tell_of_agents(connection, touched, due_from)
        self._write_agents(connection, touched)
        self._write_calls(connection, touched, debts, now)
        debts.write(connection, touched.calls)
        self._mark_days(connection, touched, debts, now)

    def _tell_of_agents(self, connection: sa.Connection, touched: Touched, now: datetime) -> None:
        if touched.moves:
            moves = partial(webhook_events.of_agents, self._node, touched.moves, self._duties.roster)
            self._owes = bool(webhook_events.owe(connection, moves, now))

    def _mark_days(self, connection: sa.Connection, touched: Touched, debts: Debts, now: datetime) -> None:
        """What is over may be rolled up: say that it changed. Today's sums are always made from rows."""
        known = self._recent.newest if self._recent is not None else None
        today = self._policy.hours.day_of(max(now, known) if known is not None else now)
        days = touched.days(self._policy.hours.day_of)
        owed = debt_days(connection, debts.changed, self._policy.hours, touched.calls)
        for node, mine in ((self._node, days), *owed):
            mark_stale(connection, node, (day for day in mine if day < today))

    def _write_agents(self, connection: sa.Connection, touched: Touched) -> None:
        agents = [{"node": self._node, "agent": name} for name in touched.newcomers]
        devices = [
            {"node": self._node, "endpoint": each.endpoint, "agent": each.agent, "online": each.online}
            for each in touched.devices.values()
        ]
        rows = [interval_row(self._node, track, each) for (_, track, _), each in touched.intervals.items()]
        insert_new(connection, schema.agent, agents)
        upsert(connection, schema.agent_device, devices)
        upsert(connection, schema.agent_interval, rows)

    def _write_calls(self, connection: sa.Connection, touched: Touched, debts: Debts, now: datetime) -> None:
        calls: list[Row] = []
        parts: dict[str, list[Row]] = {table.name: [] for table in _PARTS}
        for call in touched.standing():
            judged = judge(call, self._policy, now)
            debt = debts.of(call)
            calls.append(call_row(call, judged, colour_of(call, judged, debt), debt))
            for table, row in part_rows(call, judged, self._policy):
                parts[table.name].append(row)
            self._drop_stale(connection, touched.before[call.key], call, judged)
        if touched.merged:
            guests = sa.and_(schema.call.c.node == self._node, schema.call.c.key.in_(touched.merged))
            connection.execute(sa.delete(schema.call).where(guests))
        self._drop_imported(connection, [key for key, before in touched.before.items() if before is None])
        upsert(connection, schema.call, calls)
        for table in _PARTS:
            upsert(connection, table, parts[table.name])

    def _drop_imported(self, connection: sa.Connection, born: list[str]) -> None:
        """What a log told of a call before its daemon recorded it gives way, whole: its parts may be others."""
        if born:
            call = schema.call.c
            told = sa.and_(call.node == self._node, among(connection, call.key, born), call.source != LIVE)
            connection.execute(sa.delete(schema.call).where(told))

    def _drop_stale(self, connection: sa.Connection, before: Call | None, call: Call, judged: Judgement) -> None:
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
            connection.execute(sa.delete(schema.verdict).where(gone))


def last_checkpoint(connection: sa.Connection, node: str) -> tuple[Floor, int]:
    """The floor as it was kept last, and after which number of the journal; an empty one where none was."""
    table = schema.checkpoint.c
    kept = connection.execute(sa.select(table.seq, table.floor).where(table.node == node)).one_or_none()
    if kept is None:
        return Floor(node=node), 0
    return floor_from_text(zlib.decompress(kept.floor).decode()), kept.seq


def write_checkpoint(connection: sa.Connection, floor: Floor, seq: int) -> None:
    """Keep the floor as it is after that number of the journal."""
    packed = zlib.compress(floor_to_text(floor).encode("utf-8", "surrogatepass"), 1)
    upsert(connection, schema.checkpoint, [{"node": floor.node, "seq": seq, "floor": packed}])


def played_on(connection: sa.Connection, floor: Floor, seq: int, names: Names) -> tuple[Floor, int]:
    """The floor after all that was journalled since that number, and the last number."""
    while page := _page(connection, floor.node, seq):
        told = (renamed_fact(fact, names) if names else fact for _, fact in page if fact is not None)
        floor, _ = play(floor, told)
        seq = page[-1][0]
    return floor, seq


def _page(connection: sa.Connection, node: str, seq: int) -> list[tuple[int, Fact | None]]:
    mine = sa.and_(_FACT.node == node, _FACT.seq > seq)
    found = connection.execute(sa.select(schema.fact).where(mine).order_by(_FACT.seq).limit(_PAGE))
    return [(row.seq, row.body and fact_of(row.kind, row.node, row.at, row.key, row.body)) for row in found.all()]


def _names_told(connection: sa.Connection, node: str) -> int | None:
    """How often agents of the node have got other names; None of a node without a lease."""
    lease = schema.lease.c
    return connection.execute(sa.select(lease.names).where(lease.node == node)).scalar()
