"""Every address there is, asked by everybody: nothing of others is told, nothing is changed, and nothing breaks."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import httpx
import pytest
import sqlalchemy as sa

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.store.types import reading
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import Browser, ClientOf
from tests.web.routes import Route, routes
from tests.work.shop import CLIENT, Shop

# For whoever comes, and what of it may be posted without a session (guarded by where the form came from).
PUBLIC: Final = frozenset(
    {
        *("/", "/login", "/login/oidc", "/login/oidc/back", "/setup", "/language"),
        *("/healthz", "/readyz", "/manifest.webmanifest", "/api/v1/openapi.json"),
    }
)
# Answers without an end: tests/web/test_stream.py and tests/browser read them.
ENDLESS: Final = frozenset({"/stream", "/callbacks/stream", "/api/v1/stream"})
ADMINS: Final = (
    *("/users", "/settings", "/audit", "/alerts", "/webhooks"),
    *("/api/v1/audit", "/api/v1/alerts", "/api/v1/digests", "/api/v1/webhooks"),
)
# Whose client called with which number, and who may see it.
CLIENTS: Final = {agent: f"{CLIENT[:-1]}{place}" for place, agent in enumerate(("101", "102", "103"), 1)}
SEEN: Final[Mapping[Role | None, frozenset[str]]] = {
    None: frozenset(),
    Role.EMPLOYEE: frozenset({"101"}),
    Role.SUPERVISOR: frozenset({"101", "102"}),
    Role.MANAGER: frozenset(CLIENTS),
    Role.ADMIN: frozenset(CLIENTS),
}
# Rows that a mere look may add or touch.
NOTED: Final = frozenset({"session", "audit", "api_token"})
FORM: Final = dict(
    (
        *(
            ("name", "chief"),
            ("password", "x"),
            ("again", "y"),
            ("current", "z"),
            ("code", "000000"),
            ("role", "admin"),
        ),
        *(("reason", "none"), ("session", "0"), ("language", "en"), ("number", "+79161234599"), ("person", "103")),
        ("channel", "sms"),
    )
)
ALL: Final = routes()
GETS: Final = [each for each in ALL if each.method == "GET" and each.path not in ENDLESS]
POSTS: Final = [each for each in ALL if each.method not in ("GET", "HEAD")]


@pytest.fixture
async def calls(site: Site) -> dict[str, str]:
    """The key of the call that each of them missed; the site's clock is the story's."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    keys = {agent: await shop.misses(number, agent) for agent, number in CLIENTS.items()}
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return keys


def filled(route: Route, agent: str, call: str) -> str:
    """The path, with that agent and his call."""
    values = {"key": agent, "node": "main", "call": call, "form": "csv", "action": "take"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda found: values.get(found[1], agent), route.path)


def leaked(answer: httpx.Response, role: Role | None) -> list[str]:
    """Whose clients' numbers stand in the answer though they are none of his business."""
    return [agent for agent, number in CLIENTS.items() if agent not in SEEN[role] and _stands(number, answer.text)]


def _stands(number: str, text: str) -> bool:
    """In whatever form a number is written."""
    digits = number.removeprefix("+7")
    return re.search(r"\D{0,3}".join(digits), text) is not None


def test_a_number_is_found_however_it_is_written() -> None:
    assert all(_stands("+79161234501", text) for text in ("8(916)123-45-01", "+7 916 123-45-01", "79161234501"))
    assert not _stands("+79161234501", "+7 916 123-45-02")


async def test_nobody_is_told_anything(browser: Browser, calls: dict[str, str]) -> None:
    client, open_ = browser(), []
    for route in [*ALL]:
        for agent, call in calls.items():
            path = filled(route, agent, call)
            answer = await client.request(route.method, path, data=FORM if route in POSTS else None)
            assert leaked(answer, None) == [], route
            assert answer.status_code < 500, route
            if not _refused(answer) and route.path not in PUBLIC:
                open_.append((str(route), answer.status_code))
    assert open_ == []


def _refused(answer: httpx.Response) -> bool:
    to_login = answer.status_code == 303 and answer.headers["location"].startswith("/login")
    return to_login or answer.status_code in (401, 403)


@pytest.mark.parametrize("role", list(Role))
async def test_each_role_is_told_of_its_own_clients_only(
    client_of: ClientOf, calls: dict[str, str], role: Role
) -> None:
    client = await client_of(role)
    told = set()
    for route in GETS:
        for agent, call in calls.items():
            answer = await client.get(filled(route, agent, call))
            assert answer.status_code < 500, (route, answer.text[:300])
            assert leaked(answer, role) == [], (route, agent)
            if "{call}" in route.path and agent not in SEEN[role]:
                assert answer.status_code == 404, (route, agent)
            told |= {each for each, number in CLIENTS.items() if _stands(number, answer.text)}
    assert told == SEEN[role]  # and of them he is told, so the crawl has looked where it should


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR])
async def test_what_is_an_administrators_is_shut(client_of: ClientOf, calls: dict[str, str], role: Role) -> None:
    client = await client_of(role)
    shut = [route for route in ALL if route.path.startswith(ADMINS)]
    answers = {str(route): (await client.request(route.method, route.path, data=FORM)).status_code for route in shut}
    assert {route: status for route, status in answers.items() if status != 403} == {}


@pytest.mark.parametrize("role", list(Role))
async def test_a_stale_token_changes_nothing(
    site: Site, client_of: ClientOf, calls: dict[str, str], role: Role
) -> None:
    stale = (await client_of(role)).headers["X-CSRF"]
    client = await client_of(role)
    before = await rows(site)
    for token in (stale, "", "x" * 88, "ы"):
        client.headers.pop("X-CSRF", None)
        for route in POSTS:
            if route.path not in PUBLIC:
                path = filled(route, "101", calls["101"])
                answer = await client.request(route.method, path, data={**FORM, "csrf": token})
                assert answer.status_code == 403, (route, token)
    assert await rows(site) == before


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR])
async def test_what_is_anothers_cannot_be_changed(
    site: Site, client_of: ClientOf, calls: dict[str, str], role: Role
) -> None:
    client = await client_of(role)
    before = await rows(site)
    for route in POSTS:
        if "{" in route.path:
            for action in ("take", "snooze", "mobile", "dismiss", "voicemail", "call"):
                path = filled(replace(route, path=route.path.replace("{action}", action)), "103", calls["103"])
                answer = await client.request(route.method, path, **_sent(route))
                assert answer.status_code in (403, 404), (path, answer.text[:300])
    assert await rows(site) == before


@pytest.mark.parametrize("role", list(Role))
async def test_no_form_breaks_a_page(site: Site, client_of: ClientOf, calls: dict[str, str], role: Role) -> None:
    for odd in (FORM, {}, dict.fromkeys(FORM, ""), dict.fromkeys(FORM, "\0'\"<b>😀"), dict.fromkeys(FORM, "9" * 300)):
        client = await client_of(role)
        for route in sorted(POSTS, key=lambda each: each.path == "/logout"):
            answer = await client.request(route.method, filled(route, "101", calls["101"]), data=odd)
            assert answer.status_code < 500, (route, odd, answer.text[:300])
            assert leaked(answer, role) == [], route


def _sent(route: Route) -> dict[str, Any]:
    return {"json": {"reason": "none"}} if route.path.startswith("/api/") else {"data": FORM}


async def rows(site: Site) -> dict[str, Any]:
    """All that is in the tables, but what a look leaves."""

    def read(connection: sa.Connection) -> dict[str, Any]:
        tables = [table for table in schema.METADATA.sorted_tables if table.name not in NOTED]
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in tables}

    found = await reading(site.database, read)
    assert "callback" in found
    return found
