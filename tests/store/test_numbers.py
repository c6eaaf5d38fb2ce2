"""Numbers that never open a callback: kept, changed and removed by people, each with a line in the audit."""

import json
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import numbers, schema
from pbxmonitor.store.numbers import Kind
from pbxmonitor.store.types import reading, writing
from tests.domain.story import CLIENT
from tests.work.shop import Shop, rows

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DOOR = "+74951112233"


async def put(engine: AsyncEngine, number: str, kind: Kind, note: str | None = None, by: str = "lena") -> None:
    await writing(engine, lambda c: numbers.put(c, number, kind, note, by, NOW))


async def test_a_number_is_kept_with_who_said_so_and_may_change_its_kind(engine: AsyncEngine) -> None:
    await put(engine, DOOR, Kind.FAX)
    await put(engine, DOOR, Kind.DOOR, "  у   входа ", by="chief")
    await put(engine, "+74951112244", Kind.BRANCH, "")
    found = await reading(engine, numbers.rules)
    assert [(rule.number, rule.kind, rule.note, rule.by, rule.at) for rule in found] == [
        ("+74951112244", Kind.BRANCH, None, "lena", NOW),
        (DOOR, Kind.DOOR, "у входа", "chief", NOW),
    ]


async def test_only_a_number_that_is_kept_never_opens_a_callback(engine: AsyncEngine) -> None:
    await put(engine, DOOR, Kind.DOOR)
    assert await reading(engine, lambda c: numbers.never(c, DOOR))
    assert not await reading(engine, lambda c: numbers.never(c, "+74951112234"))
    assert await writing(engine, lambda c: numbers.remove(c, DOOR, "lena", NOW))
    assert not await writing(engine, lambda c: numbers.remove(c, DOOR, "lena", NOW))
    assert not await reading(engine, lambda c: numbers.never(c, DOOR))


async def test_every_change_stands_in_the_audit(engine: AsyncEngine) -> None:
    await put(engine, DOOR, Kind.DOOR)
    await writing(engine, lambda c: numbers.remove(c, DOOR, "chief", NOW))
    wanted = sa.select(schema.audit.c.who, schema.audit.c.action, schema.audit.c.details)
    lines = await reading(engine, lambda c: c.execute(wanted).all())
    assert sorted((line.who, line.action, json.loads(line.details)["number"]) for line in lines) == [
        ("chief", "number_remove", DOOR),
        ("lena", "number_put", DOOR),
    ]


async def test_a_miss_of_such_a_number_opens_no_callback(engine: AsyncEngine) -> None:
    await put(engine, CLIENT, Kind.TEST)
    shop = Shop(engine)
    await shop.misses()
    await shop.misses("+79161234502")
    assert [row.number for row in await rows(engine, schema.callback)] == ["+79161234502"]
