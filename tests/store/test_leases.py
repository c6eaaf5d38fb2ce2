"""Two daemons on one PBX: one of them writes."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import schema
from pbxmonitor.store.leases import Lease, LeaseLost, acquire, release, renew
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import reading

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEEP = timedelta(seconds=30)


async def taken(engine: AsyncEngine, holder: str, at: datetime) -> Lease:
    lease = await acquire(engine, "main", holder, at, KEEP)
    assert lease is not None
    return lease


async def test_the_second_daemon_waits_until_the_lease_runs_out(engine: AsyncEngine) -> None:
    first = await taken(engine, "one", NOON)
    assert await acquire(engine, "main", "two", NOON + timedelta(seconds=29), KEEP) is None
    second = await taken(engine, "two", NOON + timedelta(seconds=30))
    assert second.fence > first.fence


async def test_a_renewed_lease_lasts_and_a_released_one_is_free_at_once(engine: AsyncEngine) -> None:
    lease = await renew(engine, await taken(engine, "one", NOON), NOON + timedelta(seconds=20), KEEP)
    assert await acquire(engine, "main", "two", NOON + timedelta(seconds=40), KEEP) is None
    await release(engine, lease)
    await taken(engine, "two", NOON + timedelta(seconds=40))


async def test_nodes_have_leases_of_their_own(engine: AsyncEngine) -> None:
    await taken(engine, "one", NOON)
    assert await acquire(engine, "branch", "two", NOON, KEEP) is not None


async def test_who_was_overtaken_cannot_renew_nor_write_and_leaves_no_trace(engine: AsyncEngine) -> None:
    first = await taken(engine, "one", NOON)
    await taken(engine, "two", NOON + timedelta(minutes=1))
    with pytest.raises(LeaseLost, match="another daemon"):
        await renew(engine, first, NOON, KEEP)
    ledger = Ledger(engine, "main", Policy(), first)
    fact = f.DndChanged(node="main", at=NOON, key="1", agent="101", flag="DND", on=True)
    floor, changes = play(Floor(node="main"), [fact])
    with pytest.raises(LeaseLost):
        await ledger.record(changes, floor, [fact])
    with pytest.raises(LeaseLost):
        await ledger.gap(NOON, NOON, "lost")
    for table in (schema.fact, schema.agent_interval, schema.gap):
        count = sa.select(sa.func.count()).select_from(table)
        assert await reading(engine, partial(number, count)) == 0


def number(count: sa.Select[int], connection: sa.Connection) -> int:
    found: int = connection.execute(count).scalar_one()
    return found


async def test_the_holder_writes(engine: AsyncEngine) -> None:
    ledger = Ledger(engine, "main", Policy(), await taken(engine, "one", NOON))
    fact = f.DndChanged(node="main", at=NOON, key="1", agent="101", flag="DND", on=True)
    floor, changes = play(Floor(node="main"), [fact])
    await ledger.record(changes, floor, [fact])
    assert await Ledger(engine, "main", Policy()).floor() == floor
