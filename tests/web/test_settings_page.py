"""The settings in a browser: all that is set and no secret, codes, the test message, numbers, other thresholds."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from pbxmonitor.settings_domain import to_duties
from pbxmonitor.store import links, numbers, schema
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.trial import CannotTry, changes_of, tried
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, PEOPLE, ClientOf, audited, settings_of
from tests.work.shop import Shop, rows

HIDDEN = (
    "tg-secret-token",
    "hook-secret-of-32-letters-and-more",
    "crm-code",
    "of no use",
    "topic-of-chief",
    "proxypass",
)
MORE: dict[str, Any] = {
    "people": PEOPLE
    | {
        "101": PEOPLE["101"]
        | {"channels": ["telegram", "hook"], "addresses": {"hook": "http://127.0.0.1:9/topic-of-chief"}},
        "102": PEOPLE["102"] | {"channels": ["telegram"], "mobiles": ["+79161234501"]},
    },
    "notify": {
        "telegram": {
            "token": "1234567890:tg-secret-token_of_35_letters_and_mo",
            "proxy": "http://me:proxypass@127.0.0.1:1",
        },
        "hook": {"kind": "webhook", "secret": "hook-secret-of-32-letters-and-more"},
    },
    "crm": {
        "bitrix24": {
            "webhook": "https://portal.example/rest/1/crm-code/",
            "default_user": 1,
            "users": {"101": 17},
        }
    },
    "policy": {"callback_norm": "15 min", "hours": {"mon-fri": "09:00-20:00", "holidays": ["2027-01-01"]}},
    "digests": [{"kind": "weekly", "on": "mon", "to": ["chief", "team:desk"]}],
    "numbers": {"fax": ["+78121112233"]},
}


@pytest.fixture
def site(site: Site) -> Site:
    settings = settings_of(site.settings.database.full_url, **MORE)
    return replace(site, settings=settings, duties=to_duties(settings))


@pytest.fixture
async def admin(client_of: ClientOf) -> httpx.AsyncClient:
    client: httpx.AsyncClient = await client_of(Role.ADMIN)
    return client


async def linked(site: Site, person: str = "102") -> None:
    def work(connection: Any) -> None:
        code = links.new_code(connection, "telegram", person, "test", NOW)
        links.redeem(connection, "telegram", code, "5550001", "5550001", NOW)

    await writing(site.database, work)


@asynccontextmanager
async def hook(status: str = "200 OK") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that answers every request so, and remembers what it was sent."""
    got: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        got.append(await reader.readexactly(int(length[1]) if length else 0))
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in", got


async def test_all_groups_stand_on_the_page_and_no_secret_does(admin: httpx.AsyncClient) -> None:
    text = (await admin.get("/settings")).text
    for wanted in (
        *("Анна", "PJSIP/101", "Регистратура", "15 min", "09:00-20:00", "01.01.2027", "telegram", "webhook"),
        *("«перезвоните»", "Много пропущенных", "за неделю", "08:30, Пн", "Шеф", "101 = 17", "+7 812 111-22-33"),
    ):
        assert wanted in text, wanted
    for secret in HIDDEN:
        assert secret not in text, secret


async def test_what_the_file_says_is_told_from_what_holds_by_default(admin: httpx.AsyncClient) -> None:
    text = (await admin.get("/settings")).text
    rows = dict(re.findall(r'<code class="faint">(policy\.\w+)</code></th>.*?<td>(.*?)</td>', text))
    assert "из файла настроек" in rows["policy.callback_norm"]
    assert "по умолчанию" in rows["policy.min_ring"]


async def test_a_table_that_is_wrong_is_said_in_one_line(site: Site, client_of: ClientOf, app: Any) -> None:
    wrong = settings_of(
        site.settings.database.full_url, **MORE | {"notify": MORE["notify"] | {"hook": {"kind": "fax"}}}
    )
    client = await client_of(Role.ADMIN)
    app.state.site = replace(site, settings=wrong)
    page = await client.get("/settings")
    assert page.status_code == 200
    assert "notify.hook.kind: there is no" in page.text


@pytest.mark.parametrize("role", [Role.EMPLOYEE, Role.SUPERVISOR])
async def test_settings_are_not_for_everybody(client_of: ClientOf, role: Role) -> None:
    client = await client_of(role)
    for path in ("/settings", "/settings/policy"):
        assert (await client.get(path)).status_code == 403
    for path in ("link", "unlink", "test", "numbers", "numbers/remove", "policy"):
        sent = {"channel": "telegram", "person": "101", "number": "+79161234501", "kind": "fax"}
        assert (await client.post(f"/settings/{path}", data=sent)).status_code == 403, path


async def test_a_manager_looks_and_only_an_administrator_links_and_tests(client_of: ClientOf, site: Site) -> None:
    await linked(site)
    chief = await client_of(Role.MANAGER)
    text = (await chief.get("/settings")).text
    assert "привязан 24.11.2026" in text
    for path in ("link", "unlink", "test"):
        assert f'action="/settings/{path}"' not in text
        assert (await chief.post(f"/settings/{path}", data={"channel": "telegram", "person": "102"})).status_code == 403
    assert len(await reading(site.database, links.links)) == 1


async def test_a_code_links_the_person_that_it_was_made_for(admin: httpx.AsyncClient, site: Site) -> None:
    page = await admin.post("/settings/link", data={"channel": "telegram", "person": "101"})
    code = re.search(r'<code class="secret">(\w{8})</code>', page.text)
    assert code is not None
    person = await writing(site.database, lambda c: links.redeem(c, "telegram", code[1], "77", "77", NOW))
    assert person == "101"
    assert await audited(site, "link_code") == ["admin-nobody"]
    assert code[1] not in (await admin.get("/settings")).text


async def test_codes_are_for_known_people_and_for_the_bot_alone(admin: httpx.AsyncClient) -> None:
    for channel, person in (("telegram", "999"), ("hook", "101"), ("pigeon", "101"), ("telegram", "a\0b")):
        answer = await admin.post("/settings/link", data={"channel": channel, "person": person})
        assert answer.status_code == 404


async def test_who_is_unlinked_is_there_no_more(admin: httpx.AsyncClient, site: Site) -> None:
    await linked(site)
    answer = await admin.post("/settings/unlink", data={"channel": "telegram", "person": "102"})
    assert answer.headers["location"] == "/settings?done=unlinked#people"
    assert await reading(site.database, links.links) == []
    assert (await admin.post("/settings/unlink", data={"channel": "telegram", "person": "102"})).status_code == 404


async def test_the_test_message_goes_out_and_it_is_said(admin: httpx.AsyncClient, site: Site) -> None:
    async with hook() as (url, got):
        page = await admin.post("/settings/test", data={"channel": "hook", "to": url})
    assert "Отправлено: hook." in page.text
    assert len(got) == 1
    assert "hook" in got[0].decode()
    assert await audited(site, "channel_tested") == ["admin-nobody"]


async def test_why_the_test_message_did_not_go_out_is_said(admin: httpx.AsyncClient) -> None:
    async with hook("410 Gone") as (url, _):
        page = await admin.post("/settings/test", data={"channel": "hook", "to": url})
    assert "Канал hook отказал" in page.text
    # Anna's own address, where nobody listens.
    page = await admin.post("/settings/test", data={"channel": "hook", "person": "101"})
    assert "Канал hook сейчас не принял" in page.text
    assert "topic-of-chief" not in page.text


async def test_who_has_no_address_is_not_sent_to(admin: httpx.AsyncClient) -> None:
    for whom in ({"person": "102"}, {"person": ""}, {"to": "a\0b"}):
        answer = await admin.post("/settings/test", data={"channel": "hook"} | whom)
        assert (answer.status_code, "нет адреса в этом канале" in answer.text) == (422, True)
    assert (await admin.post("/settings/test", data={"channel": "pigeon", "to": "x"})).status_code == 404


async def test_numbers_are_listed_and_taken_out_by_a_manager(client_of: ClientOf, site: Site) -> None:
    chief = await client_of(Role.MANAGER)
    added = await chief.post(
        "/settings/numbers", data={"number": "8 916 123-45-09", "kind": "door", "reason": "домофон <b>"}
    )
    assert added.headers["location"] == "/settings?done=number_put#numbers"
    (rule,) = await reading(site.database, numbers.rules)
    assert (rule.number, rule.kind, rule.by) == ("+79161234509", numbers.Kind.DOOR, "manager-chief")
    text = (await chief.get("/settings")).text
    assert "+7 916 123-45-09" in text
    assert "домофон &lt;b&gt;" in text
    await chief.post("/settings/numbers/remove", data={"number": rule.number})
    assert await reading(site.database, numbers.rules) == []
    assert await audited(site, "number_put") + await audited(site, "number_remove") == ["manager-chief"] * 2
    assert (await chief.post("/settings/numbers/remove", data={"number": rule.number})).status_code == 404


async def test_what_is_no_number_is_not_listed(admin: httpx.AsyncClient, site: Site) -> None:
    for number in ("", "call me", "+7\x00916", "1" * 40):
        answer = await admin.post("/settings/numbers", data={"number": number, "kind": "fax"})
        assert (answer.status_code, "не номер телефона" in answer.text) == (422, True)
    assert (await admin.post("/settings/numbers", data={"number": "+79161234509", "kind": "ufo"})).status_code == 422
    assert await reading(site.database, numbers.rules) == []


async def test_who_sees_no_numbers_sees_none_here(client_of: ClientOf, site: Site) -> None:
    await writing(site.database, lambda c: numbers.put(c, "+79161234509", numbers.Kind.FAX, None, "x", NOW))
    client = await client_of(Role.ADMIN, whole_numbers=False)
    text = (await client.get("/settings")).text
    for number in ("79161234509", "123-45-09", "79161234501", "111-22-33"):
        assert number not in text
    assert "4509" in text


@pytest.fixture
async def shop(site: Site) -> Shop:
    """Two clients whom nobody called back: the phone of Anna rang for each of them for twelve seconds."""
    made = Shop(site.database, duties=site.duties, policy=site.policy)
    await made.misses()
    await made.misses("+79161234509")
    return made


def totals_in(text: str) -> dict[str, tuple[int, int]]:
    """What, before and after, of the table of the outcome."""
    found = re.findall(r'<th scope="row">([^<]+)</th><td class="number">(\d+)</td><td class="number">(\d+)</td>', text)
    return {what: (int(was), int(now)) for what, was, now in found}


async def test_other_thresholds_are_tried_and_nothing_is_written(client_of: ClientOf, site: Site, shop: Shop) -> None:
    before = await rows(site.database, schema.verdict), await rows(site.database, schema.call)
    chief = await client_of(Role.MANAGER)
    page = await chief.post("/settings/policy", data={"min_ring": "20 s", "callback_norm": "15 min", "days": "7"})
    assert totals_in(page.text)["Пропущено сотрудниками"] == (2, 0)
    assert "Пересчитаны 2 звонка с 18.11.2026" in page.text
    assert "[policy]\nmin_ring = &#34;20 s&#34;\ncallback_norm = &#34;15 min&#34;</pre>" in page.text
    assert "recompute --from 2026-11-18" in page.text
    assert (await rows(site.database, schema.verdict), await rows(site.database, schema.call)) == before
    assert await audited(site, "policy_tried") == ["manager-chief"]


async def test_the_form_shows_what_holds_and_the_line_leaves_that_out(client_of: ClientOf, shop: Shop) -> None:
    chief = await client_of(Role.MANAGER)
    page = (await chief.get("/settings/policy")).text
    fields = dict(re.findall(r'name="(\w+)" value="([^"]+)" maxlength', page))
    assert fields["callback_norm"] == "10 min"
    answer = await chief.post("/settings/policy", data=fields | {"min_ring": "90", "days": "1"})
    assert "[policy]\nmin_ring = &#34;90 s&#34;</pre>" in answer.text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"min_ring": "soon"}, "min_ring: нужна длительность"),
        ({"min_ring": "1000 d"}, "min_ring: нужна длительность"),
        ({"min_ring": "-3"}, "min_ring: нужна длительность"),
        ({"min_ring": "3 s"}, "Пороги те же"),
        ({"min_ring": "4 s", "days": "8"}, "Выберите число дней"),
    ],
)
async def test_what_cannot_be_tried_is_said(admin: httpx.AsyncClient, said: dict[str, str], why: str) -> None:
    answer = await admin.post("/settings/policy", data={"days": "1"} | said)
    assert (answer.status_code, why in answer.text) == (422, True)


async def test_too_many_calls_or_two_at_once_are_refused(site: Site, shop: Shop) -> None:
    changes = changes_of(site.policy, {"min_ring": "20 s"})
    turn = asyncio.Lock()
    with pytest.raises(CannotTry) as many:
        await tried(site, changes, 7, turn, most=1)
    assert (many.value.key, many.value.values["calls"]) == ("web.policy.cannot.many", 2)
    async with turn:
        with pytest.raises(CannotTry, match="busy"):
            await tried(site, changes, 7, turn)
    assert (await tried(site, changes, 7, turn)).outcome.calls == 2
