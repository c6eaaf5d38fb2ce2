"""The audit, alerts and digests by pages, on every database."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.domain.alerts import Kind
from pbxmonitor.store import alerts, told
from pbxmonitor.store import audit as read
from pbxmonitor.store.actions import audit
from pbxmonitor.store.audit import Wanted
from pbxmonitor.store.digests import Made, make
from pbxmonitor.store.types import reading, writing

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Page = Callable[..., Any]


async def walked(engine: AsyncEngine, page: Page, name: str) -> list[Any]:
    """What all pages of two have, one after another."""
    found: list[Any] = []
    after = None
    while True:
        got = await reading(engine, lambda c: page(c, limit=2, after=after))  # noqa: B023
        found += getattr(got, name)
        after = got.next
        if after is None:
            return found


async def test_every_line_of_the_audit_is_on_one_page(engine: AsyncEngine) -> None:
    for number in range(7):
        at = NOW + number // 3 * MINUTE
        await writing(engine, lambda c: audit(c, at, f"w{number % 2}", "deed", None, {"number": number}))  # noqa: B023
    lines = await walked(engine, lambda c, **more: read.page(c, Wanted(), **more), "lines")
    assert sorted(line.details["number"] for line in lines) == list(range(7))
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    wanted = Wanted(who="w1", action="deed", begin=NOW + MINUTE, end=NOW + 2 * MINUTE)
    lines = await walked(engine, lambda c, **more: read.page(c, wanted, **more), "lines")
    assert sorted(line.details["number"] for line in lines) == [3, 5]


async def test_every_alert_that_is_over_is_on_one_page(engine: AsyncEngine) -> None:
    def alert(number: int, state: AlertState) -> Alert:
        at = NOW - number // 3 * MINUTE
        more: dict[str, Any] = {"began_at": at, "since": at, "state": state}
        return Alert(rule="away", kind=Kind.AWAY, node="main", subject=f"a{number}", **more)

    states = [AlertState.RESOLVED] * 6 + [AlertState.COOLING, AlertState.PENDING, AlertState.FIRING]
    kept = [alert(number, state) for number, state in enumerate(states)]
    await writing(engine, lambda c: alerts.save(c, kept, ()))
    found = await walked(engine, lambda c, **more: told.alerts(c, told.PAST, **more), "alerts")
    assert sorted(each.subject for _, each in found) == [f"a{number}" for number in range(7)]
    assert [each.began_at for _, each in found] == sorted((each.began_at for _, each in found), reverse=True)
    (firing,) = await walked(engine, lambda c, **more: told.alerts(c, (AlertState.FIRING,), **more), "alerts")
    assert firing[1] == kept[8]


async def test_every_digest_is_on_one_page(engine: AsyncEngine) -> None:
    all_of_them = [
        Made(kind=kind, person=person, begin=date(2026, 11, day))
        for kind in ("daily", "weekly")
        for person in ("anna", "Anna")
        for day in (22, 23)
    ]
    for made in all_of_them:
        await writing(engine, lambda c: make(c, made, None, NOW))  # noqa: B023
    found = await walked(engine, told.digests, "digests")
    assert {Made(each.kind, each.person, each.begin) for each in found} == set(all_of_them)
    assert len(found) == len(all_of_them)
