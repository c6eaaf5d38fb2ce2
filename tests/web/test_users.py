"""Accounts in a browser: an administrator makes, changes and removes them, and nobody else."""

import re
from typing import Any

import httpx
import pytest

from pbxmonitor.store.accounts import Account, account, accounts, add
from pbxmonitor.store.sessions import tokens
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, PASSWORD, Browser, ClientOf, audited, log_in

SECRET = re.compile(r'<code class="secret">([^<]+)</code>')
NEW = {"name": "Anna.S", "role": "employee", "person": "101", "language": "ru"}


async def known(site: Site, name: str) -> Account:
    found = await reading(site.database, lambda c: account(c, name))
    assert found is not None
    return found


def secret_of(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    found = SECRET.search(response.text)
    assert found is not None
    return found[1]


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def made(admin: httpx.AsyncClient, **more: Any) -> httpx.Response:
    return await admin.post("/users", data=NEW | more)


async def test_who_gets_an_account_chooses_the_password_by_the_link_and_logs_in(
    admin: httpx.AsyncClient, site: Site, browser: Browser
) -> None:
    link = secret_of(await made(admin, masked="1"))
    assert link.startswith("http://pbx.example/setup?code=")
    anna = browser()
    chosen = await anna.post("/setup", data={"code": link.split("=")[1], "password": PASSWORD, "again": PASSWORD})
    assert chosen.status_code == 303
    assert (await log_in(browser(), "anna.s")).status_code == 303
    kept = await known(site, "anna.s")
    assert (kept.role, kept.person, kept.whole_numbers) == ("employee", "101", False)
    assert "admin-nobody" in await audited(site, "account_added")


async def test_the_link_is_shown_once(admin: httpx.AsyncClient) -> None:
    link = secret_of(await made(admin))
    again = await admin.get("/users/account", params={"name": "anna.s"})
    assert link not in again.text
    assert SECRET.search(again.text) is None


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER])
async def test_nobody_but_an_administrator_keeps_accounts(site: Site, client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    assert (await client.get("/users")).status_code == 403
    assert (await client.get("/users/account?name=admin")).status_code == 403
    for path in ("", "/change", "/setup", "/remove", "/tokens", "/tokens/revoke"):
        answer = await client.post(f"/users{path}", data=NEW | {"scope": "act", "called": "x"})
        assert answer.status_code == 403, path
    assert len(await reading(site.database, accounts)) == 1


async def test_without_the_csrf_token_nothing_is_changed(admin: httpx.AsyncClient, site: Site) -> None:
    admin.headers.pop("X-CSRF")
    assert (await made(admin)).status_code == 403
    assert (await admin.post("/users/remove", data={"name": "admin-nobody", "csrf": "stale"})).status_code == 403
    assert [each.name for each in await reading(site.database, accounts)] == ["admin-nobody"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"name": "a b"}, "Логин: буквы"),
        ({"name": "x" * 81}, "Логин: буквы"),
        ({"person": ""}, "нужен человек"),
        ({"person": "999"}, "Такого человека нет"),
        ({"role": "supervisor"}, "никого не ведёт"),
    ],
)
async def test_what_is_wrong_with_a_new_account_is_said(
    admin: httpx.AsyncClient, site: Site, wrong: dict[str, str], why: str
) -> None:
    answer = await made(admin, **wrong)
    assert (answer.status_code, why in answer.text) == (422, True)
    assert len(await reading(site.database, accounts)) == 1


async def test_a_login_is_given_once(admin: httpx.AsyncClient) -> None:
    await made(admin)
    again = await made(admin, name="ANNA.S")
    assert (again.status_code, "уже есть" in again.text) == (409, True)


async def test_other_rights_end_the_sessions_of_the_account(
    admin: httpx.AsyncClient, site: Site, client_of: ClientOf
) -> None:
    anna = await client_of(Role.EMPLOYEE)
    rights = {"name": "employee-101", "role": "supervisor", "person": "lena", "language": "en", "masked": "1"}
    answer = await admin.post("/users/change", data=rights)
    assert answer.headers["location"] == "/users/account?name=employee-101&done=changed"
    kept = await known(site, "employee-101")
    assert (kept.role, kept.person, kept.language, kept.whole_numbers) == ("supervisor", "lena", "en", False)
    assert (await anna.get("/account")).status_code == 303
    assert "Сохранено" in (await admin.get(answer.headers["location"])).text


async def test_a_disabled_account_is_kept_out(admin: httpx.AsyncClient, site: Site, client_of: ClientOf) -> None:
    anna = await client_of(Role.EMPLOYEE)
    await admin.post("/users/change", data=NEW | {"name": "employee-101", "disabled": "1"})
    assert (await known(site, "employee-101")).disabled
    assert (await anna.get("/account")).status_code == 303
    assert "отключена" in (await admin.get("/users")).text


async def test_the_last_administrator_stays_one(admin: httpx.AsyncClient, site: Site) -> None:
    mine = {"name": "admin-nobody", "language": "ru", "person": ""}
    for path, data in (("change", {"role": "manager"}), ("change", {"role": "admin", "disabled": "1"}), ("remove", {})):
        answer = await admin.post(f"/users/{path}", data=mine | data)
        assert (answer.status_code, "последний администратор" in answer.text) == (409, True)
    assert (await known(site, "admin-nobody")).role == "admin"


async def test_a_removed_account_is_gone_with_its_tokens(
    admin: httpx.AsyncClient, site: Site, browser: Browser
) -> None:
    await made(admin)
    token = secret_of(await admin.post("/users/tokens", data={"name": "anna.s", "scope": "read", "called": "screen"}))
    assert (await admin.post("/users/remove", data={"name": "anna.s"})).headers["location"] == "/users?done=removed"
    assert (await browser().get("/api/v1/agents", headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert (await admin.get("/users/account?name=anna.s")).status_code == 404
    assert await audited(site, "account_removed") == ["admin-nobody"]


async def test_a_token_opens_the_api_until_it_is_revoked(
    admin: httpx.AsyncClient, site: Site, browser: Browser
) -> None:
    await made(admin)
    asked = {"name": "anna.s", "scope": "act", "called": " the  wallboard ", "days": "30"}
    secret = secret_of(await admin.post("/users/tokens", data=asked))
    program = browser(headers={"Authorization": f"Bearer {secret}"})
    assert (await program.get("/api/v1/agents")).status_code == 200
    (token,) = await reading(site.database, tokens)
    assert (token.name, sorted(token.scopes), token.until and (token.until - NOW).days) == (
        "the wallboard",
        ["act", "read"],
        30,
    )
    await admin.post("/users/tokens/revoke", data={"name": "anna.s", "token": token.id})
    assert (await program.get("/api/v1/agents")).status_code == 401
    assert await audited(site, "token_revoked") == ["admin-nobody"]


async def test_a_token_of_another_account_is_not_revoked_by_the_way(admin: httpx.AsyncClient, site: Site) -> None:
    await made(admin)
    await admin.post("/users/tokens", data={"name": "anna.s", "scope": "read", "called": "screen"})
    (token,) = await reading(site.database, tokens)
    await admin.post("/users/tokens/revoke", data={"name": "admin-nobody", "token": token.id})
    assert await reading(site.database, tokens) == [token]


async def test_what_no_account_is_called_is_not_there(admin: httpx.AsyncClient) -> None:
    for name in ("nobody", "", "a\0b", "x" * 161):
        assert (await admin.get("/users/account", params={"name": name})).status_code == 404
    assert (await admin.post("/users/setup", data={"name": "nobody"})).status_code == 404
    asked = {"name": "nobody", "scope": "read", "called": "x"}
    assert (await admin.post("/users/tokens", data=asked)).status_code == 404


async def test_a_new_link_can_forget_the_codes_of_a_lost_phone(admin: httpx.AsyncClient, site: Site) -> None:
    lost = Account(name="boris", role="manager", password="x", totp_secret="JBSWY3DPEHPK3PXP")
    await writing(site.database, lambda c: add(c, lost, "test", NOW))
    secret_of(await admin.post("/users/setup", data={"name": "boris"}))
    assert (await known(site, "boris")).totp_secret is not None
    secret_of(await admin.post("/users/setup", data={"name": "boris", "forget_codes": "1"}))
    assert (await known(site, "boris")).totp_secret is None


async def test_nothing_of_a_password_or_a_code_stands_in_the_pages(admin: httpx.AsyncClient, site: Site) -> None:
    lost = Account(name="boris", role="manager", password="$argon2id$of-boris", totp_secret="JBSWY3DPEHPK3PXP")
    await writing(site.database, lambda c: add(c, lost, "test", NOW))
    for path in ("/users", "/users/account?name=boris"):
        text = (await admin.get(path)).text
        assert "boris" in text
        assert "argon2" not in text
        assert "JBSWY3DPEHPK3PXP" not in text
