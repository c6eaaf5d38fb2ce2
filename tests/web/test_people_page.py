"""People merged and renamed in a browser: shown first, then done; settings that are kept in the program follow."""

import httpx
import pytest
import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.stored_settings import Wish, change, kept
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.store.test_merging import both_in_one_call, first_day, record
from tests.web.conftest import NOW, ClientOf, audited

PAGE = "/settings/people/merge"


@pytest.fixture
async def admin(client_of: ClientOf, site: Site) -> httpx.AsyncClient:
    """An administrator's browser; the history is that of 204, anna and boris."""
    await record(site.database, both_in_one_call(first_day()).facts)
    client: httpx.AsyncClient = await client_of(Role.ADMIN, language="en")
    return client


async def agents(site: Site) -> set[str]:
    wanted = sa.select(schema.agent.c.agent)
    return set(await reading(site.database, lambda connection: connection.execute(wanted).scalars().all()))


async def put(site: Site, section: str, key: str, value: object) -> None:
    wish = Wish(section=section, key=key, value=value)
    await writing(site.database, lambda connection: change(connection, wish, "test", NOW))


async def test_what_would_follow_is_shown_and_nothing_is_done_yet(admin: httpx.AsyncClient, site: Site) -> None:
    everybody = await admin.get(PAGE)
    assert everybody.status_code == 200
    assert "Merge with…" in everybody.text
    choice = await admin.get(PAGE, params={"old": "204", "how": "merge"})
    assert '<option value="101">Анна (101)</option>' in choice.text
    shown = await admin.get(PAGE, params={"old": "204", "new": "anna", "how": "merge"})
    assert "7 calls follow" in shown.text
    assert "5 of them rang both" in shown.text
    assert "cannot be taken apart again" in shown.text
    assert await agents(site) == {"204", "anna", "boris"}


async def test_it_is_done_and_told_in_the_audit(admin: httpx.AsyncClient, site: Site) -> None:
    done = await admin.post(PAGE, data={"old": "204", "new": "anna", "how": "merge"})
    assert done.status_code == 303
    assert "204 is anna now" in (await admin.get(done.headers["location"])).text
    assert await agents(site) == {"anna", "boris"}
    assert await audited(site, "person_renamed") == ["admin-nobody"]
    again = await admin.post(PAGE, data={"old": "anna", "new": "204", "how": "merge"})
    assert again.status_code == 409
    assert "cannot be taken apart" in again.text


async def test_a_person_of_the_settings_file_is_fixed(admin: httpx.AsyncClient, site: Site) -> None:
    refused = await admin.post(PAGE, data={"old": "101", "new": "102", "how": "merge"})
    assert refused.status_code == 409
    assert "the settings still name 101" in refused.text
    assert await agents(site) == {"204", "anna", "boris"}


async def test_a_person_who_is_kept_in_the_program_is_renamed_there_too(admin: httpx.AsyncClient, site: Site) -> None:
    await put(site, "people", "anna", {"name": "Анна К.", "devices": ["PJSIP/anna"]})
    await put(site, "teams", "night", {"name": "Ночь", "people": ["anna", "boris"], "supervisors": ["anna"]})
    done = await admin.post(PAGE, data={"old": "anna", "new": "anna.k", "how": "rename"})
    assert done.status_code == 303, done.text
    now = await reading(site.database, kept)
    person, team = now.of("people", "anna.k"), now.of("teams", "night")
    assert person is not None
    assert team is not None
    assert person.value["devices"] == ["PJSIP/anna"]
    assert (team.value["people"], team.value["supervisors"]) == (["anna.k", "boris"], ["anna.k"])
    assert now.of("people", "anna") is None
    assert await agents(site) == {"204", "anna.k", "boris"}


async def test_of_two_who_are_kept_in_the_program_one_stays_with_the_phones_of_both(
    admin: httpx.AsyncClient, site: Site
) -> None:
    await put(site, "people", "anna", {"name": "Анна К.", "devices": ["PJSIP/anna"]})
    await put(site, "people", "204", {"name": "Аня", "devices": ["204"], "mobiles": ["+79990000001"]})
    await put(site, "teams", "night", {"people": ["anna", "204"]})
    done = await admin.post(PAGE, data={"old": "204", "new": "anna", "how": "merge"})
    assert done.status_code == 303, done.text
    now = await reading(site.database, kept)
    person, team = now.of("people", "anna"), now.of("teams", "night")
    assert person is not None
    assert team is not None
    assert person.value == {"name": "Анна К.", "devices": ["PJSIP/anna", "204"], "mobiles": ["+79990000001"]}
    assert team.value["people"] == ["anna"]
    assert await agents(site) == {"anna", "boris"}


async def test_the_audit_finds_what_was_done_under_an_old_name(admin: httpx.AsyncClient, site: Site) -> None:
    row = {"id": "1", "at": NOW, "who": "204", "action": "take", "node": None, "subject": None, "details": "{}"}
    await writing(site.database, lambda c: c.execute(sa.insert(schema.audit).values(**row)))
    await admin.post(PAGE, data={"old": "204", "new": "anna", "how": "merge"})
    found = await admin.get("/audit", params={"who": "anna"})
    assert "Took" in found.text or "take" in found.text.lower()
    lines = (await admin.get("/api/v1/audit", params={"who": "anna"})).json()
    assert [line["who"] for line in lines["audit"] if line["action"] == "take"] == ["204"]


async def test_only_an_administrator_may(client_of: ClientOf) -> None:
    for role in (Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER):
        client = await client_of(role)
        assert (await client.get(PAGE)).status_code == 403
        assert (await client.post(PAGE, data={"old": "204", "new": "anna"})).status_code == 403
