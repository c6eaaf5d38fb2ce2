"""The audit in a browser and by the API: what was done is found again, by those who may read it."""

import re
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest

from pbxmonitor.store.actions import audit
from pbxmonitor.store.audit import Wanted, page
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, ClientOf

# The first is at three in the morning of the site: the day before in UTC.
NIGHT = datetime.fromisoformat("2026-11-23T22:30:00+00:00")


async def told(site: Site, who: str, action: str, at: datetime = NOW, key: Any = None, **details: Any) -> None:
    await writing(site.database, lambda c: audit(c, at, who, action, key, details))


@pytest.fixture
async def chief(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.MANAGER)
    return client


async def listed(client: httpx.AsyncClient, **query: Any) -> list[tuple[str, str]]:
    found = (await client.get("/api/v1/audit", params={"limit": 500, **query})).json()["audit"]
    return [(line["who"], line["action"]) for line in found if line["who"] != "test"]


async def test_what_was_done_is_read_in_words(chief: httpx.AsyncClient, site: Site) -> None:
    await told(site, "lena", "dismiss", key=("main", "1795.1"), reason="ошиблись номером")
    text = (await chief.get("/audit")).text
    assert "Лена" in text
    assert "снял перезвон" in text
    assert "ошиблись номером" in text
    assert 'href="/journal/main/1795.1"' in text


async def test_an_action_without_a_name_is_shown_as_it_is(chief: httpx.AsyncClient, site: Site) -> None:
    await told(site, "lena", "conjured", rabbit="white")
    text = (await chief.get("/audit")).text
    assert "conjured" in text
    assert "white" in text


async def test_lines_are_found_by_who_what_and_the_day_of_the_site(chief: httpx.AsyncClient, site: Site) -> None:
    await told(site, "lena", "take", NIGHT)
    await told(site, "lena", "login")
    await told(site, "boris", "login", NOW - timedelta(days=1))
    assert await listed(chief, who="lena") == [("lena", "login"), ("lena", "take")]
    assert await listed(chief, action="login") == [("lena", "login"), ("boris", "login")]
    assert await listed(chief, day="2026-11-24") == [("lena", "login"), ("lena", "take")]
    assert await listed(chief, day="yesterday", who="boris") == [("boris", "login")]
    assert await listed(chief, who="nobody") == []
    shown = (await chief.get("/audit?who=boris&day=2026-11-23")).text
    assert shown.count("<tr>") == 2


async def test_pages_follow_each_other_without_a_gap(site: Site) -> None:
    for number in range(7):
        # Three of them in the same moment: the name decides their order.
        await told(site, "lena", f"deed{number}", NOW + timedelta(seconds=max(number - 2, 0)))
    seen: list[str] = []
    after = None
    for _ in range(4):
        found = await reading(site.database, lambda c: page(c, Wanted(), limit=2, after=after))  # noqa: B023
        seen += [line.action for line in found.lines]
        after = found.next
    assert after is None
    assert sorted(seen) == [f"deed{number}" for number in range(7)]
    assert seen[:4] == ["deed6", "deed5", "deed4", "deed3"]


async def test_the_page_leads_to_the_next_one_and_keeps_the_filter(chief: httpx.AsyncClient, site: Site) -> None:
    for number in range(150):
        await told(site, "lena", "login", NOW + timedelta(seconds=number))
    first = (await chief.get("/audit?who=lena")).text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following is not None
    second = (await chief.get(following[1].replace("&amp;", "&"))).text
    assert (first.count("<tr>"), second.count("<tr>")) == (101, 51)
    assert 'rel="next"' not in second
    times = [re.findall(r'<time datetime="([^"]+)"', text) for text in (first, second)]
    assert all(earlier >= later for earlier, later in pairwise(times[0] + times[1]))


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR])
async def test_the_audit_is_for_managers(client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    assert (await client.get("/audit")).status_code == 403
    assert (await client.get("/api/v1/audit")).status_code == 403


async def test_who_sees_no_numbers_sees_none_in_the_audit(client_of: ClientOf, site: Site) -> None:
    await told(site, "lena", "number_put", number="+79161234501", note="звонить на 8 916 123-45-01")
    client = await client_of(Role.MANAGER, whole_numbers=False)
    for path in ("/audit", "/api/v1/audit"):
        text = (await client.get(path)).text
        assert "lena" in text or "Лена" in text
        assert "79161234501" not in text
        assert "123-45-01" not in text


@pytest.mark.parametrize("query", ["day=2026-13-45", "day=9999-01-01", "who=a%00b", "after=nonsense", "day=x"])
async def test_what_cannot_be_asked_is_said_in_one_line(chief: httpx.AsyncClient, query: str) -> None:
    answer = await chief.get(f"/audit?{query}")
    assert (answer.status_code, 'role="alert"' in answer.text) == (400, True)
    by_api = await chief.get(f"/api/v1/audit?{query.replace('after', 'cursor')}")
    assert (by_api.status_code, by_api.headers["content-type"]) == (400, "application/problem+json")


async def test_empty_fields_of_the_form_leave_the_address(chief: httpx.AsyncClient) -> None:
    assert (await chief.get("/audit?who=lena&action=&day=")).headers["location"] == "/audit?who=lena"
    assert (await chief.get("/audit?who=&action=&day=")).headers["location"] == "/audit"
