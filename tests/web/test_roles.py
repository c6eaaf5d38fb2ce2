"""What a role, a session and a token open, on pages and in the API."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI

from pbxmonitor.store.sessions import new_token
from pbxmonitor.store.types import writing
from pbxmonitor.web.auth import api_viewer, require
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role, Viewer
from tests.web.conftest import NOW, Browser, ClientOf


async def test_a_token_does_what_its_scopes_say(site: Site, browser: Browser, guarded: None, lena: str) -> None:
    def made(connection: Any) -> tuple[str, str]:
        read = new_token(connection, lena, "screen", frozenset({"read"}), "test", NOW)
        return read, new_token(connection, lena, "robot", frozenset({"read", "act"}), "test", NOW)

    read, act = await writing(site.database, made)
    client = browser()
    by = {name: {"Authorization": f"Bearer {token}"} for name, token in (("read", read), ("act", act))}
    assert (await client.get("/api/v1/probe", headers=by["read"])).json() == {"account": "lena", "role": "supervisor"}
    assert (await client.post("/api/v1/probe", headers=by["read"])).status_code == 403
    assert (await client.post("/api/v1/probe", headers=by["act"])).status_code == 200
    assert (await client.get("/account", headers=by["act"])).status_code == 303  # tokens are for programs
    bad = await client.get("/api/v1/probe", headers={"Authorization": "Bearer wrong"})
    assert (bad.status_code, bad.headers["content-type"]) == (401, "application/problem+json")
    assert bad.headers["www-authenticate"] == "Bearer"


@pytest.fixture
def guarded(app: FastAPI) -> None:
    """Addresses of the API and of a page, for the tests of who may ask."""

    async def probe(viewer: Annotated[Viewer, Depends(api_viewer)]) -> dict[str, str]:
        return {"account": viewer.account, "role": viewer.role}

    async def only(viewer: Annotated[Viewer, Depends(require(Role.MANAGER))]) -> dict[str, str]:
        return {"account": viewer.account}

    app.add_api_route("/api/v1/probe", probe, methods=["GET", "POST"])
    app.add_api_route("/api/v1/managers", only)
    app.add_api_route("/managers", only, methods=["GET", "POST"])


async def test_a_script_of_a_page_needs_the_token_to_change_something(client_of: ClientOf, guarded: None) -> None:
    client = await client_of(Role.EMPLOYEE)
    assert (await client.post("/api/v1/probe")).status_code == 200
    client.headers.pop("X-CSRF")
    assert (await client.get("/api/v1/probe")).status_code == 200
    refused = await client.post("/api/v1/probe")
    assert (refused.status_code, refused.json()["status"]) == (403, 403)


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_opens_what_it_should(client_of: ClientOf, guarded: None, role: Role) -> None:
    client = await client_of(role)
    wanted = 200 if role in (Role.MANAGER, Role.ADMIN) else 403
    assert (await client.get("/managers")).status_code == wanted
    assert (await client.get("/api/v1/managers")).status_code == wanted
    client.headers.pop("X-CSRF")
    assert (await client.post("/managers")).status_code == 403


async def test_nobody_opens_nothing(browser: Browser, guarded: None) -> None:
    client = browser()
    assert (await client.get("/managers?day=today")).headers["location"] == "/login?next=managers%3Fday%3Dtoday"
    assert (await client.post("/managers")).headers["location"] == "/login"
    assert (await client.get("/api/v1/managers")).status_code == 401


async def test_a_supervisor_whom_the_settings_do_not_know_sees_only_himself(
    site: Site, client_of: ClientOf, guarded: None
) -> None:
    roles = {}
    for person in ("lena", "101", "gone"):
        client = await client_of(Role.SUPERVISOR, person)
        roles[person] = (await client.get("/api/v1/probe")).json()["role"]
    assert roles == {"lena": "supervisor", "101": "employee", "gone": "employee"}
