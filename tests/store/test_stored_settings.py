"""Settings kept in the rows: counted up, changed by one at a time, each change in the audit."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.settings_fixed import SITE
from pbxmonitor.settings_overlay import Stored
from pbxmonitor.store import migrate, schema
from pbxmonitor.store.stored_settings import ChangedMeanwhile, Kept, Wish, change, kept, version
from pbxmonitor.store.strangers import strangers
from pbxmonitor.store.types import connect, reading, writing

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
ANNA = Wish(section="people", key="anna", value={"name": "Анна", "devices": ["PJSIP/101"], "may_call_any": True})


async def do(engine: AsyncEngine, wish: Wish, by: str = "boss", *, after: int = 0, **more: Any) -> int:
    at = NOW + timedelta(minutes=after)
    return await writing(engine, lambda connection: change(connection, wish, by, at, **more))


async def all_of(engine: AsyncEngine) -> Kept:
    return await reading(engine, kept)


async def audited(engine: AsyncEngine) -> list[tuple[str, str, dict[str, Any]]]:
    table = schema.audit.c
    asked = sa.select(table.who, table.action, table.details).order_by(table.at, table.id)
    rows = await reading(engine, lambda connection: connection.execute(asked).all())
    return [(row.who, row.action, json.loads(row.details)) for row in rows]


async def test_what_is_kept_comes_back_as_it_was_with_its_revision(engine: AsyncEngine) -> None:
    assert await all_of(engine) == Kept(version=0, entries=[])
    assert await do(engine, ANNA) == 1
    assert await do(engine, Wish(section="alerts", key="offline", value=None)) == 2
    found = await all_of(engine)
    assert found.version == await reading(engine, version) == 2
    assert found.of("people", "anna") == Stored(
        section="people", key="anna", value=ANNA.value, revision=1, by="boss", at=NOW
    )
    off = found.of("alerts", "offline")
    assert off is not None
    assert off.value is None
    assert found.of("people", "boris") is None


async def test_every_change_is_seen_by_the_version_removals_too(engine: AsyncEngine) -> None:
    await do(engine, ANNA)
    await do(engine, Wish(section="people", key="anna", value={}, revision=1))
    assert await do(engine, Wish(section="people", key="anna", remove=True, revision=2)) == 3
    assert await all_of(engine) == Kept(version=3, entries=[])
    # Whoever still has the page of the first one open does not bring it back unawares.
    with pytest.raises(ChangedMeanwhile):
        await do(engine, Wish(section="people", key="anna", value={}, revision=2))


async def test_who_read_an_older_one_is_told_who_changed_it(engine: AsyncEngine) -> None:
    await do(engine, ANNA, by="lena")
    for wish in (ANNA, Wish(section="people", key="anna", remove=True)):
        with pytest.raises(ChangedMeanwhile) as told:
            await do(engine, wish)
        assert told.value.by == "lena"
    assert await reading(engine, version) == 1
    with pytest.raises(ChangedMeanwhile):
        await do(engine, Wish(section="people", key="nobody", remove=True))


async def test_what_does_not_fit_leaves_no_trace(engine: AsyncEngine) -> None:
    def refuse(before: Sequence[Stored], after: Sequence[Stored]) -> None:
        assert (len(before), [each.key for each in after]) == (0, ["anna"])
        raise LookupError("no")

    with pytest.raises(LookupError):
        await do(engine, ANNA, fits=refuse)
    assert await all_of(engine) == Kept(version=0, entries=[])
    assert await audited(engine) == []


async def test_the_audit_has_what_was_and_what_is(engine: AsyncEngine) -> None:
    await do(engine, ANNA, address="192.0.2.1")
    await do(engine, Wish(section="people", key="anna", value={"name": "Аня"}, revision=1), after=1)
    await do(engine, Wish(section="people", key="anna", remove=True, revision=2), "lena", after=2)
    key = {"section": "people", "key": "anna"}
    after = {"name": "Аня"}
    assert await audited(engine) == [
        ("boss", "setting_put", {"address": "192.0.2.1", **key, "after": ANNA.value}),
        ("boss", "setting_put", {"address": "", **key, "before": ANNA.value, "after": after}),
        ("lena", "setting_removed", {"address": "", **key, "before": after}),
    ]


async def test_of_two_at_once_one_is_kept_and_one_is_told(engine: AsyncEngine) -> None:
    wishes = [Wish(section="policy", key=SITE, value={"min_ring": f"{seconds} s"}) for seconds in range(1, 5)]
    done = await asyncio.gather(*(do(engine, wish) for wish in wishes), return_exceptions=True)
    assert sum(isinstance(each, ChangedMeanwhile) for each in done) == 3
    assert await reading(engine, version) == 1
    assert len((await all_of(engine)).entries) == 1


async def test_many_at_once_are_counted_each(engine: AsyncEngine) -> None:
    wishes = [Wish(section="people", key=f"p{number}", value={}) for number in range(8)]
    versions = await asyncio.gather(*(do(engine, wish) for wish in wishes))
    assert sorted(versions) == list(range(1, 9))
    assert sorted(each.revision for each in (await all_of(engine)).entries) == list(range(1, 9))


async def test_a_database_that_is_older_keeps_nothing(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
    await migrate.upgrade(url, "0005")
    engine = connect(url)
    assert await all_of(engine) == Kept(version=0)
    await engine.dispose()


async def test_phones_that_nobody_has_are_found_those_that_are_there_first(engine: AsyncEngine) -> None:
    rows = [
        {"node": "main", "endpoint": endpoint, "agent": agent, "online": online}
        for endpoint, agent, online in (
            ("PJSIP/101", "101", True),
            ("PJSIP/102", "boris", True),
            ("PJSIP/103", "103", False),
            ("PJSIP/104", "104", True),
            ("PJSIP/105", "105", True),
        )
    ]
    await writing(engine, lambda connection: connection.execute(sa.insert(schema.agent_device), rows))
    # 101 is a person by his key, 102 is Boris's, 105 was just given to somebody.
    found = await reading(engine, lambda connection: strangers(connection, {"101", "boris"}, ["pjsip/105"]))
    assert [(each.endpoint, each.online) for each in found] == [("PJSIP/104", True), ("PJSIP/103", False)]
