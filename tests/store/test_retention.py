"""What is past its term is forgotten, portion by portion, and nothing that is still needed."""

from datetime import timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy
from pbxmonitor.settings_history import RetentionSettings
from pbxmonitor.store import schema
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.outbox import Delivery, DeliveryState, put
from pbxmonitor.store.retention import forget_facts
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.types import reading, upsert, writing
from pbxmonitor.work.retention import Retention
from tests.work.shop import CLIENT, NOW, POLICY, Shop, callback, rows

DAY = timedelta(days=1)


def kept(engine: AsyncEngine, after: timedelta, **terms: timedelta | None) -> Retention:
    base = {"journal": None, "calls": None, "deliveries": None, "audit": None}
    clock, hours = ManualClock(NOW + after), Policy().hours
    own = RetentionSettings(**{**base, **terms})
    return Retention(database=engine, terms=own, nodes=("main",), hours=hours, clock=clock)


async def count(engine: AsyncEngine, table: sa.Table) -> int:
    asked = sa.select(sa.func.count()).select_from(table)
    return int(await reading(engine, lambda connection: connection.execute(asked).scalar_one()))


async def with_checkpoint(engine: AsyncEngine, seq: int) -> None:
    row = {"node": "main", "seq": seq, "floor": b""}
    await writing(engine, partial(upsert, table=schema.checkpoint, rows=[row]))


async def test_for_ever_forgets_nothing(engine: AsyncEngine) -> None:
    await Shop(engine).misses()
    facts = await count(engine, schema.fact)
    assert await kept(engine, 4000 * DAY).sweep() == 0
    assert await count(engine, schema.fact) == facts > 0


async def test_facts_are_kept_as_far_as_a_floor_is_restored_from_them(engine: AsyncEngine) -> None:
    await Shop(engine).misses()
    facts = await count(engine, schema.fact)
    assert await kept(engine, 31 * DAY, journal=30 * DAY).sweep() == 0
    await with_checkpoint(engine, facts - 2)
    assert await kept(engine, 29 * DAY, journal=30 * DAY).sweep() == 0
    assert await kept(engine, 31 * DAY, journal=30 * DAY).sweep() == facts - 2
    left = [row.seq for row in await rows(engine, schema.fact)]
    assert sorted(left) == [facts - 1, facts]


async def test_one_transaction_forgets_a_portion_the_oldest_first(engine: AsyncEngine) -> None:
    await Shop(engine).misses()
    facts = await count(engine, schema.fact)
    await with_checkpoint(engine, facts)
    forget = partial(forget_facts, node="main", before=NOW + 40 * DAY, portion=2)
    assert await writing(engine, forget) == 2
    assert min(row.seq for row in await rows(engine, schema.fact)) == 3
    assert await kept(engine, 31 * DAY, journal=30 * DAY).sweep() == facts - 2


async def test_a_call_goes_with_all_of_its_own_and_the_sums_of_its_day(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.misses()
    await shop.calls_back("101")
    await roll_up(engine, POLICY, NOW + 2 * DAY)
    assert await kept(engine, 200 * DAY, calls=100 * DAY).sweep() > 0
    gone = (
        "call",
        "stage",
        "offer",
        "talk",
        "verdict",
        "callback",
        "callback_attempt",
        "agent_day",
        "call_hour",
        "journey_day",
    )
    assert {name: await count(engine, schema.METADATA.tables[name]) for name in gone} == dict.fromkeys(gone, 0)


async def test_a_miss_whose_client_waits_stays(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    waits = await shop.misses()
    await shop.answers("101", "+79160000002")
    await kept(engine, 200 * DAY, calls=100 * DAY).sweep()
    assert [row.key for row in await rows(engine, schema.call)] == [waits]
    assert (await callback(engine)).number == CLIENT


async def test_newer_calls_and_other_pbxs_stay(engine: AsyncEngine) -> None:
    shop = Shop(engine)
    await shop.answers("101", CLIENT)
    await Ledger(engine, "other", POLICY).record([], Floor(node="other"), [])
    assert await kept(engine, 99 * DAY, calls=100 * DAY).sweep() == 0
    other = kept(engine, 200 * DAY, calls=100 * DAY)
    assert await Retention(**{**_fields(other), "nodes": ("other",)}).sweep() == 0
    assert await count(engine, schema.call) == 1


async def test_what_waits_to_be_sent_is_never_forgotten(engine: AsyncEngine) -> None:
    waiting, sent = (
        Delivery(id=name, channel="telegram", template="missed", due_at=NOW, created_at=NOW, recipient="101", values={})
        for name in ("waiting", "sent")
    )
    await writing(engine, partial(put, deliveries=[waiting, sent]))
    over = sa.update(schema.delivery).where(schema.delivery.c.id == "sent")
    values = {"state": DeliveryState.SENT, "ended_at": NOW}
    await writing(engine, lambda connection: connection.execute(over.values(values)))
    assert await kept(engine, 179 * DAY, deliveries=180 * DAY).sweep() == 0
    assert await kept(engine, 181 * DAY, deliveries=180 * DAY).sweep() == 1
    assert [row.id for row in await rows(engine, schema.delivery)] == ["waiting"]


def _fields(retention: Retention) -> dict[str, Any]:
    return {name: getattr(retention, name) for name in Retention.__dataclass_fields__}
