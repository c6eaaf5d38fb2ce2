"""Webhooks by the API: an administrator, or a token of his with the scope for it, keeps them."""

import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from pbxmonitor.store import outbox, webhook_keeping
from pbxmonitor.store import webhooks as store
from pbxmonitor.store.accounts import Account, add
from pbxmonitor.store.sessions import new_token
from pbxmonitor.store.types import reading, writing
from pbxmonitor.store.webhooks import Webhook
from pbxmonitor.web.app import API
from pbxmonitor.web.problems import PROBLEM_JSON
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, Browser, ClientOf, audited
from tests.work.shop import Shop

HOOKS = f"{API}/webhooks"
URL = "https://crm.example/pbx?key=ours"
NEW: dict[str, Any] = {"name": "CRM", "url": URL, "events": ["call.missed", "call.ended"]}


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def made(client: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    answer = await client.post(HOOKS, json=NEW | more)
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == f"{HOOKS}/{told['id']}"
    return told


async def kept(site: Site) -> list[Webhook]:
    return await reading(site.database, store.webhooks)


async def test_a_webhook_is_made_and_its_secret_is_shown_once(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin, queues=["sales"])
    [hook] = await kept(site)
    secret = told.pop("secret")
    assert (secret, len(secret) > 40) == (hook.secret, True)
    assert told["events"] == ["call.ended", "call.missed"]  # in the order of the description
    assert (told["queues"], told["enabled"], told["stopped"], told["made_by"]) == (
        ["sales"],
        True,
        None,
        "admin-nobody",
    )
    [again] = (await admin.get(HOOKS)).json()["webhooks"]
    one = (await admin.get(f"{HOOKS}/{told['id']}")).json()
    assert again == one == told
    assert await audited(site, "webhook_added") == ["admin-nobody"]


async def test_what_is_changed_is_changed_and_the_rest_stays(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin)
    answer = await admin.patch(f"{HOOKS}/{told['id']}", json={"events": ["agent.state"], "enabled": False})
    secret = told.pop("secret")
    assert answer.json() == {**told, "events": ["agent.state"], "enabled": False}
    [hook] = await kept(site)
    assert (hook.name, [*hook.events], hook.enabled, hook.url) == ("CRM", ["agent.state"], False, URL)
    assert hook.secret == secret


async def test_another_secret_is_shown_once_too(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin)
    answer = (await admin.post(f"{HOOKS}/{told['id']}/secret")).json()
    [hook] = await kept(site)
    assert hook.secret == answer["secret"] != told["secret"]


async def test_a_removed_one_is_gone(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin)
    path = f"{HOOKS}/{told['id']}"
    assert (await admin.delete(path)).status_code == 204
    answers = [
        await admin.get(path),
        await admin.delete(path),
        await admin.patch(path, json={"name": "x"}),
        await admin.post(f"{path}/secret"),
        await admin.post(f"{path}/test"),
        await admin.get(f"{path}/deliveries"),
        await admin.post(f"{path}/deliveries/0/again"),
    ]
    assert [(each.status_code, each.headers["content-type"]) for each in answers] == [(404, PROBLEM_JSON)] * 7
    assert await kept(site) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 81},
        {"name": "a\nb"},
        {"events": []},
        {"events": ["ping"]},
        {"events": ["call.began"]},
        {"url": "crm.example"},
        {"url": "https://user:word@crm.example/"},
        {"url": "http://127.0.0.1:8080/"},
        {"url": "http://[::1]/"},
        {"url": "http://localhost/"},
        {"queues": ["x" * 81]},
        {"queues": ["a\0b"]},
        {"secret": "of my own"},
    ],
)
async def test_what_makes_no_sense_is_refused_with_its_reason(
    admin: httpx.AsyncClient, site: Site, wrong: dict[str, Any]
) -> None:
    answer = await admin.post(HOOKS, json=NEW | wrong)
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM_JSON)
    assert answer.json()["detail"]
    told = await made(admin)
    changed = await admin.patch(f"{HOOKS}/{told['id']}", json=wrong)
    assert changed.status_code == 422
    [hook] = await kept(site)
    assert hook.name == "CRM"


async def test_there_are_not_endlessly_many(admin: httpx.AsyncClient, site: Site) -> None:
    def work(connection: Any) -> None:
        for number in range(100):
            store_add(connection, number)

    await writing(site.database, work)
    assert (await admin.post(HOOKS, json=NEW)).status_code == 409


def store_add(connection: Any, number: int) -> None:
    webhook_keeping.add(connection, f"n{number}", URL, [store.Event.CALL_ENDED], [], "admin", NOW)


async def test_what_was_sent_is_listed_by_pages_and_sent_again(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin)
    path = f"{HOOKS}/{told['id']}"
    key = await Shop(site.database, duties=site.duties, policy=site.policy).misses()
    ping = (await admin.post(f"{path}/test")).json()
    assert (ping["type"], ping["state"], ping["attempts"]) == ("ping", "waiting", 0)
    first = (await admin.get(f"{path}/deliveries", params={"limit": 2})).json()
    rest = (await admin.get(f"{path}/deliveries", params={"limit": 2, "cursor": first["next"]})).json()
    found = [*first["deliveries"], *rest["deliveries"]]
    assert sorted(each["type"] for each in found) == ["call.ended", "call.missed", "ping"]
    assert rest["next"] is None
    missed = next(each for each in found if each["type"] == "call.missed")
    assert (missed["data"]["call"], missed["node"]) == (key, "main")
    waits = await admin.post(f"{path}/deliveries/{ping['id']}/again")
    assert waits.status_code == 409
    assert (await admin.post(f"{path}/deliveries/nothing/again")).status_code == 404
    await writing(site.database, lambda c: ended(c, ping["id"]))
    again = await admin.post(f"{path}/deliveries/{ping['id']}/again")
    assert (again.status_code, again.json()["id"], again.json()["state"]) == (202, ping["id"], "waiting")
    assert await audited(site, "webhook_again") == ["admin-nobody"]


def ended(connection: Any, name: str) -> None:
    claimed = outbox.claim(connection, NOW + timedelta(minutes=5), timedelta(minutes=1), [store.CHANNEL], 9)
    [mine] = [each for each in claimed if each.id == name]
    assert outbox.failed(connection, mine, NOW, "no")


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER])
async def test_nobody_else_keeps_them(site: Site, client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    assert (await client.get(HOOKS)).status_code == 403
    assert (await client.post(HOOKS, json=NEW)).status_code == 403
    assert await kept(site) == []


@pytest.mark.parametrize(("scopes", "may_hook", "may_read"), [({"read", "act"}, False, True), ({"hooks"}, True, False)])
async def test_a_token_needs_the_scope_and_an_administrators_account(
    site: Site, browser: Browser, scopes: set[str], may_hook: bool, may_read: bool
) -> None:
    async def token(role: str) -> str:
        def work(connection: Any) -> str:
            add(connection, Account(name=role, role=role), "test", NOW)
            return new_token(connection, role, "x", frozenset(scopes), "test", NOW)

        return await writing(site.database, work)

    for role in ("admin", "manager"):
        robot = browser(headers={"Authorization": f"Bearer {await token(role)}"})
        allowed = may_hook and role == "admin"
        assert (await robot.get(HOOKS)).status_code == (200 if allowed else 403)
        assert (await robot.post(HOOKS, json=NEW)).status_code == (201 if allowed else 403)
        assert (await robot.get(f"{API}/calls")).status_code == (200 if may_read else 403)


async def test_without_the_csrf_token_a_session_changes_nothing(admin: httpx.AsyncClient, site: Site) -> None:
    told = await made(admin)
    admin.headers.pop("X-CSRF")
    path = f"{HOOKS}/{told['id']}"
    for answer in (await admin.post(HOOKS, json=NEW), await admin.delete(path), await admin.patch(path, json={})):
        assert answer.status_code == 403
    assert len(await kept(site)) == 1


async def test_a_token_made_on_the_page_for_webhooks_keeps_them_and_changes_nothing_else(
    admin: httpx.AsyncClient, browser: Browser
) -> None:
    form = {"name": "admin-nobody", "called": "CRM", "scope": "hooks", "days": "30"}
    found = re.search(r'<code class="secret">([^<]+)</code>', (await admin.post("/users/tokens", data=form)).text)
    assert found is not None
    robot = browser(headers={"Authorization": f"Bearer {found[1]}"})
    told = await made(robot)
    assert (await robot.delete(f"{HOOKS}/{told['id']}")).status_code == 204
    assert (await robot.get(f"{API}/me")).json()["scopes"] == ["hooks", "read"]
    assert (await robot.post(f"{API}/callbacks/main/x/take")).status_code == 403
