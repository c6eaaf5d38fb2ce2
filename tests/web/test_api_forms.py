"""What the API answers is what its description says, to the field; each viewer sees what the pages show him."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.domain.alerts import Kind
from pbxmonitor.store import schema
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.alerts import save
from pbxmonitor.store.sessions import new_token
from pbxmonitor.store.types import upsert, writing
from pbxmonitor.web import api
from pbxmonitor.web.app import API
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, Browser, ClientOf
from tests.web.routes import _in
from tests.work.shop import CLIENT, Shop

OTHER = "+78121112233"
# Answered by others than a GET: tests/web/test_api_webhooks.py, test_callbacks_page.py; endless: test_stream.py.
FILLED = {"{key}": "101", "{node}": "main"}


@pytest.fixture
async def day(site: Site) -> dict[str, str]:
    """A day with something of everything; keys of calls by what they are."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    story = shop.story
    story.works_in("101", "sales").works_in("102", "sales")
    keys = {"missed": await shop.misses(), "answered": await shop.answers("102", "+79161234777")}
    keys["other"] = await shop.misses(OTHER)
    story.dnd("101").after(1800).dnd("101", on=False)
    keys["tried"] = await shop.calls_back("102", OTHER, talks=0, rings=20)
    keys["again"] = await shop.misses("+79161110000", "102")
    deed = Deed(hand=Hand.DISMISS, who="102", reason="a wrong number")
    work = lambda c: act(c, site.duties, site.policy, ("main", keys["again"]), deed, shop.now)  # noqa: E731
    await writing(site.database, work)
    trouble = Alert(
        rule="link", kind=Kind.LINK_LOST, node="main", subject="main", began_at=NOW, since=NOW, state=AlertState.FIRING
    )
    digest = {"kind": "daily", "person": "chief", "begin": NOW.date(), "made_at": NOW, "delivery": None}
    await writing(site.database, lambda c: save(c, [trouble], []))
    await writing(site.database, lambda c: upsert(c, schema.digest, [digest]))
    await shop.recorded()
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return keys


def described() -> Iterator[tuple[str, Any]]:
    """Each path that answers a GET with a form, and the form."""
    for router in _in(api):
        for route in router.routes:
            assert isinstance(route, APIRoute)
            if "GET" in (route.methods or ()) and route.response_model is not None:
                yield API + route.path, route.response_model


def test_every_answer_of_the_api_has_a_form(app: FastAPI) -> None:
    for path, methods in app.openapi()["paths"].items():
        for method, told in methods.items():
            content = next(answer for code, answer in told["responses"].items() if code.startswith("2"))
            for kind, form in content.get("content", {}).items():
                assert form["schema"], (method, path)
                assert kind == "text/event-stream" or "$ref" in form["schema"], (method, path)


@pytest.mark.parametrize(("path", "form"), list(described()), ids=[path for path, _ in described()])
async def test_an_answer_says_what_its_form_says_and_nothing_else(
    site: Site, client_of: ClientOf, day: dict[str, str], path: str, form: Any
) -> None:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    if "{webhook}" in path:
        new = {"name": "CRM", "url": "https://crm.example/", "events": ["call.ended"]}
        hook = (await client.post(f"{API}/webhooks", json=new)).json()["id"]
        await client.post(f"{API}/webhooks/{hook}/test")
        path = path.replace("{webhook}", hook)
    for name, value in FILLED.items():
        path = path.replace(name, value)
    for call in ("missed", "other", "again", "answered"):
        answer = await client.get(path.replace("{call}", day[call]), params={"limit": 500} if "audit" in path else {})
        if answer.status_code == 404 and "/callbacks/main" in path and call == "answered":
            continue
        assert answer.status_code == 200, answer.text
        told = answer.json()
        read = TypeAdapter(form).validate_python(told)
        assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == told


async def test_the_filters_of_the_pages_hold(client_of: ClientOf, day: dict[str, str]) -> None:
    client = await client_of(Role.MANAGER)

    async def keys(path: str, **query: str) -> list[str]:
        answer = await client.get(f"{API}/{path}", params=query)
        assert answer.status_code == 200, answer.text
        return sorted(each["call"] for each in answer.json()[path])

    assert await keys("callbacks", agent="101") == sorted([day["missed"], day["other"]])
    assert await keys("callbacks", agent="102") == [day["again"]]
    assert await keys("callbacks", column="closed") == [day["again"]]
    assert await keys("callbacks", agent="102", column="open") == []
    assert await keys("calls", agent="101", colour="red") == sorted({day["missed"]})
    assert await keys("calls", colour="yellow") == [day["other"]]


async def test_the_callback_report_counts_each_once(client_of: ClientOf, day: dict[str, str]) -> None:
    client = await client_of(Role.MANAGER)
    told = (await client.get(f"{API}/callbacks/report", params={"period": "today"})).json()
    fates = ("in_norm", "late", "returned", "dismissed", "waiting", "lost")
    assert told["total"]["opened"] == sum(told["total"][fate] for fate in fates) == 3
    assert (told["total"]["dismissed"], {each["agent"] for each in told["owners"]}) == (1, {"101", "102"})
    anna = (await (await client_of(Role.EMPLOYEE)).get(f"{API}/callbacks/report")).json()
    assert (anna["total"]["opened"], [each["agent"] for each in anna["owners"]]) == (2, ["101"])


async def test_an_employees_time_away_is_his_and_his_supervisors_to_see(
    client_of: ClientOf, day: dict[str, str]
) -> None:
    path = f"{API}/agents/101/intervals"
    anna = await client_of(Role.EMPLOYEE)
    told = (await anna.get(path, params={"period": "today"})).json()
    [lunch] = told["intervals"]
    assert (lunch["state"], lunch["agent"]) == ("dnd", "101")
    assert (await anna.get(f"{API}/agents/102/intervals")).status_code == 404
    assert (await (await client_of(Role.SUPERVISOR)).get(f"{API}/agents/103/intervals")).status_code == 404
    far = await anna.get(path, params={"from": "2026-01-01", "to": "2026-11-01"})
    assert (far.status_code, "31" in far.json()["detail"]) == (400, True)


async def test_who_asks_is_told_whom_he_is_and_whom_he_sees(
    site: Site, client_of: ClientOf, browser: Browser, day: dict[str, str]
) -> None:
    lena = await client_of(Role.SUPERVISOR)
    told = (await lena.get(f"{API}/me")).json()
    assert (told["account"], told["role"], told["teams"], told["scopes"]) == (
        "supervisor-lena",
        "supervisor",
        ["desk"],
        None,
    )
    people = (await lena.get(f"{API}/people")).json()["people"]
    assert [each["key"] for each in people] == ["101", "102", "lena"]
    work = lambda c: new_token(c, told["account"], "screen", frozenset({"read"}), "test", NOW)  # noqa: E731
    token = await writing(site.database, work)
    robot = browser(headers={"Authorization": f"Bearer {token}"})
    assert (await robot.get(f"{API}/me")).json()["scopes"] == ["read"]


async def test_masked_numbers_are_masked_everywhere(client_of: ClientOf, day: dict[str, str]) -> None:
    client = await client_of(Role.MANAGER, whole_numbers=False)
    for path, _ in described():
        if "webhook" not in path:
            for name, value in {**FILLED, "{call}": day["missed"]}.items():
                path = path.replace(name, value)
            answer = await client.get(path)
            assert CLIENT not in answer.text, path
