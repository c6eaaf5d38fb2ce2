"""The settings by the API: an administrator reads what holds, keeps and forgets; no secret is told."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from pbxmonitor.settings_domain import to_duties
from pbxmonitor.store.stored_settings import Kept, kept
from pbxmonitor.store.types import reading
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import ClientOf, audited, settings_of
from tests.web.test_settings_edit import FILE

API = "/api/v1/settings"


@pytest.fixture
def site(site: Site) -> Site:
    settings = settings_of(site.settings.database.full_url, **FILE)
    return replace(site, settings=settings, duties=to_duties(settings))


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def entry(client: httpx.AsyncClient, section: str, key: str = "site") -> dict[str, Any]:
    answer = await client.get(API)
    assert answer.status_code == 200
    (found,) = [each for each in answer.json()["settings"] if (each["section"], each["key"]) == (section, key)]
    return dict(found)


async def rows(site: Site) -> Kept:
    return await reading(site.database, kept)


async def test_everything_that_holds_is_told_with_what_the_file_fixes_and_no_secret(admin: httpx.AsyncClient) -> None:
    policy, hours = await entry(admin, "policy"), await entry(admin, "hours")
    assert (policy["value"]["callback_norm"], policy["fixed"]) == ("15 min", ["callback_norm"])
    assert (hours["value"]["mon"], hours["fixed"]) == (["09:00-20:00"], ["mon"])
    boris = await entry(admin, "people", "102")
    assert boris["value"]["addresses"] == {"hook": "***"}
    assert set(boris["fixed"]) == {"name", "devices", "addresses"}
    assert (await entry(admin, "crm_users", "bitrix24"))["value"] == {"101": "17"}
    text = (await admin.get(API)).text
    for secret in ("tg-secret-token", "hook-secret", "crm-code", "of no use", "topic-of-boris"):
        assert secret not in text


async def test_an_entry_is_kept_changed_and_forgotten(admin: httpx.AsyncClient, site: Site) -> None:
    value = {"name": "Ольга", "devices": ["PJSIP/105"]}
    made = await admin.put(f"{API}/people/olga", json={"value": value})
    assert (made.status_code, made.json()) == (200, {"revision": 1})
    told = await entry(admin, "people", "olga")
    assert (told["value"]["devices"], told["revision"], told["changed_by"]) == (["PJSIP/105"], 1, "admin-nobody")
    stale = await admin.put(f"{API}/people/olga", json={"value": {}})
    assert (stale.status_code, "изменил кто-то другой" in stale.json()["detail"]) == (409, True)
    changed = await admin.put(f"{API}/people/olga", json={"value": {"name": "Оля"}, "revision": 1})
    assert changed.json() == {"revision": 2}
    assert (await admin.delete(f"{API}/people/olga", params={"revision": 1})).status_code == 409
    assert (await admin.delete(f"{API}/people/olga", params={"revision": 2})).status_code == 200
    assert (await admin.delete(f"{API}/people/olga", params={"revision": 2})).status_code == 404
    assert (await rows(site)).entries == []
    assert await audited(site, "setting_put") == ["admin-nobody"] * 2


async def test_lists_and_switches_are_kept_too(admin: httpx.AsyncClient, site: Site) -> None:
    steps = [{"after": "norm", "to": ["owner"]}]
    for path, value in (
        ("steps/site", steps),
        ("alerts/offline", None),
        ("digests/1", {"kind": "daily"}),
        ("crm_users/bitrix24", {"102": 18}),
        ("queues/sales", {"min_ring": "5 s", "hours": {"mon-fri": "09:00-18:00"}}),
    ):
        assert (await admin.put(f"{API}/{path}", json={"value": value})).status_code == 200, path
    told = (await admin.get(API)).json()
    assert told["left_out"] == []
    assert "offline" not in [each["key"] for each in told["settings"] if each["section"] == "alerts"]
    assert (await entry(admin, "queues", "sales"))["value"]["hours"]["wed"] == ["09:00-18:00"]
    assert [each["to"] for each in (await entry(admin, "steps"))["value"]] == [["owner"]]
    assert (await entry(admin, "digests", "1"))["value"]["at"] == "08:30"


async def test_what_does_not_fit_is_said_with_its_place(admin: httpx.AsyncClient, site: Site) -> None:
    answer = await admin.put(f"{API}/people/olga", json={"value": {"role": "emperor"}})
    assert (answer.status_code, answer.json()["at"]) == (422, "people.olga.role")
    assert "emperor" in answer.json()["detail"]
    for path, value in (
        ("people/olga", []),
        ("steps/site", {}),
        ("alerts/night", None),
        ("messages/site", {"quiet_hours": "a\0b"}),
        ("teams/x", {"name": "\ud800"}),
        ("policy/site", {"min_ring": float("1e309")}),
        ("people/102", {"addresses": {"hook": "https://hook.example/other"}}),
    ):
        body: dict[str, Any] = {"value": value}
        sent = await admin.put(f"{API}/{path}", content=json.dumps(body), headers={"content-type": "application/json"})
        assert sent.status_code == 422, (path, sent.text)
    for path in ("moon/site", "policy/other", "crm_users/pigeon", "digests/x", "people/a%2Fb"):
        assert (await admin.put(f"{API}/{path}", json={"value": {}})).status_code == 404, path
    assert (await rows(site)).entries == []


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER])
async def test_it_is_an_administrators(client_of: ClientOf, site: Site, role: Role) -> None:
    client = await client_of(role)
    assert (await client.get(API)).status_code == 403
    assert (await client.put(f"{API}/people/olga", json={"value": {}})).status_code == 403
    assert (await client.delete(f"{API}/people/101")).status_code == 403
    assert (await rows(site)).entries == []


async def test_who_sees_no_numbers_is_told_none_and_changes_no_person(client_of: ClientOf, site: Site) -> None:
    admin, other = await client_of(Role.ADMIN), await client_of(Role.ADMIN, person="lena", whole_numbers=False)
    await admin.put(f"{API}/people/olga", json={"value": {"mobiles": ["+79161234577"]}})
    text = (await other.get(API)).text
    assert "4577" in text
    assert "79161234577" not in text
    assert (await other.put(f"{API}/people/olga", json={"value": {}, "revision": 1})).status_code == 403
