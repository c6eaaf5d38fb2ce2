"""Alerts, messages that did not arrive, and digests, in a browser and by the API."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.domain.alerts import Kind
from pbxmonitor.store import alerts, digests, outbox, schema
from pbxmonitor.store.digests import Made
from pbxmonitor.store.outbox import Delivery, DeliveryState
from pbxmonitor.store.types import writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, ClientOf, audited
from tests.work.shop import rows

HOUR = timedelta(hours=1)
SHARE = Alert(
    rule="missed_share",
    kind=Kind.MISSED_SHARE,
    node="main",
    subject="101",
    agent="101",
    state=AlertState.FIRING,
    began_at=NOW - HOUR,
    since=NOW - HOUR,
    told_at=NOW - HOUR,
    value=0.4,
    threshold=0.12,
    words={"part": 8, "whole": 20, "window": HOUR, "share": 0.4, "limit": 0.12},
)
OVER = replace(SHARE, subject="102", agent="102", state=AlertState.RESOLVED, ended_at=NOW - HOUR / 2)


async def seen(site: Site, *found: Alert) -> None:
    await writing(site.database, lambda c: alerts.save(c, found, ()))


async def owed(site: Site, name: str, state: DeliveryState = DeliveryState.FAILED, **more: Any) -> Delivery:
    given: dict[str, Any] = {"channel": "email", "template": "digest", "recipient": "chief"} | more
    made = Delivery(id=name, due_at=NOW, created_at=NOW, **given)
    await writing(site.database, lambda c: outbox.put(c, [made], state))
    return made


@pytest.fixture
async def chief(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.MANAGER)
    return client


def section(text: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', text, re.DOTALL)
    assert found is not None
    return found[1]


async def test_alerts_that_fire_are_told_from_those_that_are_over(chief: httpx.AsyncClient, site: Site) -> None:
    await seen(site, SHARE, OVER, replace(SHARE, subject="103", state=AlertState.PENDING))
    text = (await chief.get("/alerts")).text
    assert "Анна" in section(text, "active")
    assert "Пропущено 8 из 20 за 1 ч — 40 %, порог 12 %." in section(text, "active")
    assert "Борис" in section(text, "past")
    assert "30 мин" in section(text, "past")
    assert "Борис" not in section(text, "active")
    assert "Вера" not in text


async def test_when_nothing_fires_the_page_says_so(chief: httpx.AsyncClient) -> None:
    text = (await chief.get("/alerts")).text
    assert "предупреждений нет" in section(text, "active")
    assert "Все сообщения дошли" in section(text, "undelivered")


async def test_an_alert_of_a_rule_that_is_no_more_is_told_of_by_its_kind(chief: httpx.AsyncClient, site: Site) -> None:
    await seen(site, replace(OVER, rule="my own rule"))
    assert "Много пропущенных" in (await chief.get("/alerts")).text


async def test_past_alerts_come_by_pages(chief: httpx.AsyncClient, site: Site) -> None:
    # Three begin in each moment: the id decides their order.
    many = [replace(OVER, subject=f"q{n}", agent=None, began_at=NOW - HOUR - n // 3 * HOUR) for n in range(70)]
    await seen(site, *many)
    first = (await chief.get("/alerts")).text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = (await chief.get(following[1])).text
    assert (section(first, "past").count("<tr>"), section(second, "past").count("<tr>")) == (51, 21)
    assert 'rel="next"' not in second
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await chief.get("/api/v1/alerts", params={"state": "past", "limit": 16, "cursor": cursor})).json()
        ids += [each["id"] for each in page["alerts"]]
        cursor = page["next"]
    assert (len(ids), len(set(ids))) == (70, 70)


async def test_the_api_says_what_the_page_does(chief: httpx.AsyncClient, site: Site) -> None:
    await seen(site, SHARE, OVER)
    (active,) = (await chief.get("/api/v1/alerts")).json()["alerts"]
    told = {name: active[name] for name in ("rule", "state", "agent", "value", "threshold", "ended_at", "who")}
    assert told == {
        "rule": "missed_share",
        "state": "firing",
        "agent": "101",
        "value": 0.4,
        "threshold": 0.12,
        "ended_at": None,
        "who": "Анна",
    }
    (past,) = (await chief.get("/api/v1/alerts?state=past")).json()["alerts"]
    assert (past["agent"], past["state"]) == ("102", "resolved")
    assert len((await chief.get("/api/v1/alerts?state=all")).json()["alerts"]) == 2


async def test_what_did_not_arrive_is_sent_again(site: Site, client_of: ClientOf, app: Any) -> None:
    rung: list[bool] = []
    chief = await client_of(Role.MANAGER)
    app.state.site = replace(site, ring=lambda: rung.append(True))
    await owed(site, "late", DeliveryState.EXPIRED)
    await owed(site, "sent", DeliveryState.SENT)
    text = section((await chief.get("/alerts")).text, "undelivered")
    assert ("сводка" in text, "Шеф" in text, "опоздало" in text) == (True, True, True)
    assert 'value="sent"' not in text
    answer = await chief.post("/alerts/retry", data={"message": "late"})
    assert answer.headers["location"] == "/alerts?done=retried"
    (row,) = await rows(site.database, schema.delivery, id="late")
    assert (row.state, row.expires_at, rung) == ("waiting", None, [True])
    assert await audited(site, "delivery_retried") == ["manager-chief"]


async def test_what_was_sent_or_is_not_there_is_not_sent_again(chief: httpx.AsyncClient, site: Site) -> None:
    await owed(site, "sent", DeliveryState.SENT)
    for name in ("sent", "unknown", "", "a\0b"):
        assert (await chief.post("/alerts/retry", data={"message": name})).status_code == 404
    assert await audited(site, "delivery_retried") == []


async def test_without_the_csrf_token_nothing_is_sent_again(chief: httpx.AsyncClient, site: Site) -> None:
    await owed(site, "failed")
    chief.headers.pop("X-CSRF")
    assert (await chief.post("/alerts/retry", data={"message": "failed"})).status_code == 403
    assert (await rows(site.database, schema.delivery))[0].state == "failed"


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR])
async def test_alerts_and_digests_are_for_managers(client_of: ClientOf, site: Site, role: Role) -> None:
    await owed(site, "failed")
    client = await client_of(role)
    for path in ("/alerts", "/api/v1/alerts", "/api/v1/digests"):
        assert (await client.get(path)).status_code == 403, path
    assert (await client.post("/alerts/retry", data={"message": "failed"})).status_code == 403


async def test_the_api_lists_digests_and_what_became_of_them(chief: httpx.AsyncClient, site: Site) -> None:
    sent = Delivery(id="d", channel="email", template="digest", recipient="chief", due_at=NOW, created_at=NOW)
    for number in range(5):
        made = Made(kind="daily", person="chief" if number % 2 else "lena", begin=date(2026, 11, 18 + number))
        at = NOW + timedelta(hours=number // 2)
        delivery = replace(sent, id="last") if number == 4 else None
        await writing(site.database, lambda c: digests.make(c, made, delivery, at))  # noqa: B023
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await chief.get("/api/v1/digests", params={"limit": 2, "cursor": cursor})).json()
        found += page["digests"]
        cursor = page["next"]
    assert [each["begin"][-2:] for each in found] == ["22", "21", "20", "19", "18"]
    assert (found[0]["name"], found[0]["state"], found[0]["channel"]) == ("Лена", "waiting", "email")
    assert (found[1]["name"], found[1]["state"]) == ("Шеф", None)


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/digests"])
async def test_a_cursor_of_nowhere_is_refused(chief: httpx.AsyncClient, path: str) -> None:
    for cursor in ("x", "WyIyMDI2LTExLTI0VDA5OjAwOjAwKzAwOjAwIiwibWFpbiIsIngiXQ"):
        answer = await chief.get(path, params={"cursor": cursor})
        assert answer.status_code in ((400,) if path.endswith("digests") or cursor == "x" else (200,))
    assert (await chief.get("/alerts?after=x")).status_code == 400
