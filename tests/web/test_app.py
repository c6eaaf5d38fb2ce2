"""The frame: headers on every answer, errors that give nothing away, below a path, files, health."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Form, Query
from sqlalchemy.exc import OperationalError

from pbxmonitor.metrics import Metrics
from pbxmonitor.store.types import connect
from pbxmonitor.web.app import make_app
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.headers import CSP, SECURITY
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import PASSWORD, Browser, ClientOf, csrf_in, log_in, settings_of

SECRET = "s3cret-in-the-error"


@pytest.fixture
def breaking(app: FastAPI) -> None:
    """Addresses at which things go wrong."""

    async def broken() -> None:
        raise RuntimeError(SECRET)

    async def away() -> None:
        raise OperationalError("SELECT", {}, Exception(f"no server; {SECRET}"))

    async def picky(n: Annotated[int, Query(ge=1)]) -> int:
        return n

    async def takes(text: Annotated[str, Form()]) -> int:
        return len(text)

    for root in ("", "/api/v1"):
        app.add_api_route(f"{root}/broken", broken)
        app.add_api_route(f"{root}/unreachable", away)
        app.add_api_route(f"{root}/picky", picky)
        app.add_api_route(f"{root}/takes", takes, methods=["POST"])


def quiet(app: FastAPI) -> httpx.AsyncClient:
    """A browser for which an error is an answer 500, as it is behind a real server."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://pbx.example")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 303),
        ("/login", 200),
        ("/account", 303),
        ("/nothing", 404),
        ("/logout", 405),
        ("/broken", 500),
        ("/unreachable", 503),
        ("/picky", 422),
        ("/api/v1/nothing", 404),
        ("/api/v1/broken", 500),
        ("/api/v1/openapi.json", 200),
        ("/static/site.css", 200),
        ("/static/nothing.css", 404),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/healthz", 200),
        ("/manifest.webmanifest", 200),
        ("/docs", 404),
        ("/redoc", 404),
    ],
)
async def test_every_answer_keeps_the_browser_safe(app: FastAPI, breaking: None, path: str, status: int) -> None:
    async with quiet(app) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in SECURITY} == SECURITY
    assert "unsafe" not in CSP
    assert answer.headers["cache-control"] in ("no-store", "no-cache")
    assert "strict-transport-security" not in answer.headers
    assert SECRET not in answer.text


async def test_over_tls_the_browser_is_told_to_stay_there(browser: Browser) -> None:
    answer = await browser(base="https://pbx.example").get("/login")
    assert "max-age=" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/login", "/setup", "/account", "/nothing"])
async def test_pages_have_no_script_or_style_in_them(client_of: ClientOf, path: str) -> None:
    text = (await (await client_of(Role.ADMIN)).get(path)).text
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text) == []


async def test_an_error_says_nothing_of_what_was_asked_for(browser: Browser) -> None:
    for path in ("/no-such-thing-77", "/api/v1/no-such-thing-77"):
        answer = await browser().get(f"{path}?code=no-such-thing-77")
        assert "no-such-thing-77" not in answer.text


@pytest.mark.parametrize(
    ("path", "status"), [("nothing", 404), ("broken", 500), ("unreachable", 503), ("picky?n=0", 422), ("takes", 405)]
)
async def test_the_api_tells_problems_as_json(app: FastAPI, breaking: None, path: str, status: int) -> None:
    async with quiet(app) as client:
        answer = await client.get(f"/api/v1/{path}")
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["type"]) == (status, status, "about:blank")
    assert problem["detail"]
    assert SECRET not in answer.text


async def test_what_was_wrong_is_named_but_not_repeated(browser: Browser, breaking: None) -> None:
    problem = (await browser().get("/api/v1/picky", params={"n": "eighty-eight"})).json()
    assert [each["at"] for each in problem["errors"]] == ["query.n"]
    assert "eighty-eight" not in str(problem)


async def test_too_much_is_refused_before_it_is_read(browser: Browser, breaking: None) -> None:
    client = browser()
    assert (await client.post("/takes", data={"text": "x" * 1000})).json() == 1000
    assert (await client.post("/takes", data={"text": "x" * (1 << 20)})).status_code == 413
    assert (await log_in(client, "lena", "x" * 1000)).status_code == 422

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"text=" + b"x" * 100_000

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/takes", content=parts(), headers=form)).status_code == 413


async def test_files_are_kept_by_the_browser_while_they_stay_the_same(browser: Browser) -> None:
    client = browser()
    first = await client.get("/static/site.css")
    assert (first.headers["content-encoding"], first.headers["cache-control"]) == ("gzip", "no-cache")
    again = await client.get("/static/site.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("kept", [True, False])
async def test_everything_works_below_a_path(
    site: Site, passwords: Passwords, browser: Browser, lena: str, kept: bool
) -> None:
    """Whether the proxy leaves its path in what it asks for, or takes it away."""
    settings = settings_of(site.settings.database.full_url, web={"root_path": "/pbx"})
    served = make_app(replace(site, settings=settings), passwords=passwords)
    client, before = browser(to=served), "/pbx" if kept else ""
    assert (await client.get(f"{before}/")).headers["location"] == "/pbx/now"
    assert (await client.get(f"{before}/account")).headers["location"] == "/pbx/login?next=account"
    page = await client.get(f"{before}/login")
    assert 'action="/pbx/login"' in page.text
    assert 'href="/pbx/static/site.css"' in page.text
    assert (await client.get(f"{before}/static/site.css")).status_code == 200
    there = await client.post(f"{before}/login", data={"name": lena, "password": PASSWORD})
    assert there.headers["location"] == "/pbx/now"
    cookie = there.headers["set-cookie"]
    assert "Path=/pbx;" in cookie
    known = browser(to=served, cookies={COOKIE: cookie.partition(";")[0].removeprefix(f"{COOKIE}=")})
    assert csrf_in((await known.get(f"{before}/account")).text)
    assert (await known.get(f"{before}/nothing")).status_code == 404
    manifest = (await client.get(f"{before}/manifest.webmanifest")).json()
    assert (manifest["start_url"], manifest["scope"]) == ("/pbx/now", "/pbx/")
    assert (await client.get(f"{before}/api/v1/nothing")).headers["content-type"] == "application/problem+json"
    assert (await client.get(f"{before}/api/v1/openapi.json")).json()["info"]["title"] == "pbxmonitor"


async def test_a_path_that_only_begins_alike_is_another(site: Site, passwords: Passwords, browser: Browser) -> None:
    settings = settings_of(site.settings.database.full_url, web={"root_path": "/pbx"})
    client = browser(to=make_app(replace(site, settings=settings), passwords=passwords))
    assert (await client.get("/pbxlogin")).status_code == 404
    assert (await client.get("/pbx")).headers["location"] == "/pbx/now"


async def test_the_description_of_the_api_names_its_keys_and_problems(browser: Browser) -> None:
    described = (await browser().get("/api/v1/openapi.json")).json()
    assert set(described["components"]["securitySchemes"]) == {"token", "session"}
    assert described["paths"]
    for path, methods in described["paths"].items():
        assert path.startswith("/api/v1/")
        for method in methods.values():
            assert "application/problem+json" in method["responses"]["422"]["content"]


async def test_readiness_is_the_databases(site: Site, passwords: Passwords, browser: Browser) -> None:
    assert (await browser().get("/readyz")).json() == {"ready": True, "database": True, "pbx": 1, "pbx_lost": 0}
    gone = connect("sqlite:////nowhere/rows.sqlite3")
    client = browser(to=make_app(replace(site, database=gone), passwords=passwords))
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert (await client.get("/healthz")).text == "ok\n"
    assert (await log_in(client, "lena")).status_code == 503
    await gone.dispose()


async def test_prometheus_may_ask_from_this_machine_and_managers_from_elsewhere(
    site: Site, app: FastAPI, client_of: ClientOf
) -> None:
    app.state.metrics = metrics = Metrics()
    metrics.facts.labels("main").inc()
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 5000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as here:
        assert 'pbxmonitor_facts_total{node="main"} 1.0' in (await here.get("/metrics")).text
        through = await here.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"})
        assert through.status_code in (303, 401)
    assert (await (await client_of(Role.MANAGER)).get("/metrics")).status_code == 200
    assert (await (await client_of(Role.EMPLOYEE)).get("/metrics")).status_code == 403
