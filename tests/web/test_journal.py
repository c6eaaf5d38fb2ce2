"""The journal in a browser and by the API: the filter in the address, pages, colours, one call's story, files."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

import httpx
import openpyxl
import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.web.filtering import BadQuery, asked, cursor_of, cursor_text
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, ClientOf
from tests.work.shop import CLIENT, Shop, rows

OTHER = "+79161234777"
LINK = re.compile(r'href="/journal/main/([^"/?]+)"')

FILTERS: tuple[tuple[str, set[str]], ...] = (
    ("missed_control=1", {"missed"}),
    ("colour=green", {"answered", "boris", "vera"}),
    ("agent=101", {"missed", "answered"}),
    ("agent=102&colour=green", {"boris"}),
    ("direction=outbound", {"back"}),
    ("line=1002", {"boris"}),
    ("cause=ignored", {"missed", "boris"}),
    ("number=8 916 123-47-77", {"answered"}),
    ("min_talk=10&direction=inbound", {"answered", "vera"}),
    ("max_wait=5&queue=sales", {"answered", "vera"}),
    ("stage=queue:sales", {"missed", "answered", "boris", "vera"}),
    ("short_hangups=1", set()),
    ("period=yesterday", set()),
    ("from=2026-11-24&to=2026-11-24&lost=1", {"missed", "boris"}),
)
NONSENSE = (
    *("colour=blue", "cause=laziness", "min_talk=long", "max_wait=nan", "period=someday", "from=tomorrow"),
    *("from=2026-11-24&to=2026-11-20", "from=0001-01-01", "to=9999-12-31", "stage=attic", "lost=perhaps"),
    *("queue=a%00b", f"agent={'x' * 500}"),
)


def shop_of(site: Site) -> Shop:
    return Shop(site.database, duties=site.duties, policy=site.policy)


def later(site: Site, shop: Shop) -> None:
    """The site's clock says what the story's does."""
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())


async def busy_day(site: Site) -> dict[str, str]:
    """Anna misses a client and answers another, Boris misses one and calls him back, Vera answers one."""
    shop = shop_of(site)
    told = {"missed": await shop.misses(CLIENT, "101")}
    shop.story.after(60)
    told["answered"] = await shop.answers("101", OTHER)
    shop.story.after(60)
    told["boris"] = await shop.misses("+79161234778", "102", "1002")
    shop.story.after(60)
    told["back"] = await shop.calls_back("102", "+79161234778")
    shop.story.after(60)
    told["vera"] = await shop.answers("103", "+79161234779")
    later(site, shop)
    return told


def shown(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return LINK.findall(page.text)


async def listed(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"/api/v1/calls?{query}")
    assert answer.status_code == 200, answer.text
    return [call["call"] for call in answer.json()["calls"]]


def named(told: dict[str, str], keys: Iterable[str]) -> set[str]:
    names = {key: name for name, key in told.items()}
    return {names[key] for key in keys}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", ("Журнал", "красный", "не взяли трубку", "Контроль пропущенных", "пропустили: Анна")),
        ("en", ("Journal", "red", "Missed control", "missed by Анна")),
    ],
)
async def test_the_journal_speaks_both_languages(
    site: Site, client_of: ClientOf, language: str, words: tuple[str, ...]
) -> None:
    told = await busy_day(site)
    page = await (await client_of(Role.MANAGER, language=language)).get("/journal")
    assert set(shown(page)) == set(told.values())
    assert [word for word in words if word not in page.text] == []
    assert "style=" not in page.text
    assert "<script>" not in page.text


async def test_the_address_filters_page_and_answer_alike(site: Site, client_of: ClientOf) -> None:
    told = await busy_day(site)
    client = await client_of(Role.MANAGER)
    for query, wanted in FILTERS:
        assert named(told, shown(await client.get(f"/journal?{query}"))) == wanted, query
        assert named(told, await listed(client, query)) == wanted, query


async def test_an_address_that_makes_no_sense_says_what_does(client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER)
    for query in NONSENSE:
        page, answer = await client.get(f"/journal?{query}"), await client.get(f"/api/v1/calls?{query}")
        assert (page.status_code, answer.status_code) == (400, 400), query
        assert 'role="alert"' in page.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["detail"]) > 10


async def test_a_cursor_that_nobody_gave_is_refused(client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER)
    for cursor in ("x", "WyJhIl0", "WzEsMiwzXQ", "Wy", "é", cursor_text(None) or "bnVsbA"):
        assert (await client.get("/api/v1/calls", params={"cursor": cursor})).status_code == 400
        assert (await client.get("/journal", params={"after": cursor})).status_code == 400


async def test_empty_fields_of_the_form_are_taken_out_of_the_address(client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER)
    answer = await client.get("/journal?period=today&agent=&number=&colour=red")
    assert (answer.status_code, answer.headers["location"]) == (303, "/journal?period=today&colour=red")


@pytest.mark.parametrize("role", [Role.MANAGER, Role.SUPERVISOR, Role.EMPLOYEE])
async def test_pages_follow_each_other_with_the_filter_kept_and_nothing_twice(
    site: Site, client_of: ClientOf, role: Role
) -> None:
    shop = shop_of(site)
    expected = []
    for number in range(7):
        expected.append(await shop.answers("101", f"+7916123480{number}"))
        expected.append(await shop.misses(f"+7916123490{number}", "101"))
    later(site, shop)
    client, found, cursor = await client_of(role), [], None
    while True:
        asked_for = {"direction": "inbound", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        answer = (await client.get("/api/v1/calls", params=asked_for)).json()
        found += [call["call"] for call in answer["calls"]]
        cursor = answer["next"]
        if cursor is None:
            break
        assert len(answer["calls"]) == 3
    assert found == expected[::-1]


async def test_the_pages_next_link_keeps_the_filter(site: Site, client_of: ClientOf) -> None:
    shop = shop_of(site)
    keys = [await shop.misses(f"+7916123{number:04}", "101") for number in range(53)]
    await shop.answers("101", OTHER)
    later(site, shop)
    client = await client_of(Role.MANAGER)
    first = await client.get("/journal?agent=101&colour=red")
    link = re.search(r'rel="next" href="([^"]+)"', first.text)
    assert link is not None
    assert "colour=red" in link[1]
    second = await client.get(link[1].replace("&amp;", "&"))
    assert shown(first) + shown(second) == keys[::-1]
    assert 'rel="next"' not in second.text


async def test_each_role_sees_only_the_calls_of_its_people(site: Site, client_of: ClientOf) -> None:
    told = await busy_day(site)
    seen = {
        Role.EMPLOYEE: {"missed", "answered"},
        Role.SUPERVISOR: {"missed", "answered", "boris", "back"},
        Role.MANAGER: set(told),
    }
    for role, wanted in seen.items():
        client = await client_of(role)
        assert named(told, shown(await client.get("/journal"))) == wanted
        assert named(told, await listed(client)) == wanted
        for name, key in told.items():
            status = 200 if name in wanted else 404
            assert (await client.get(f"/journal/main/{key}")).status_code == status
            assert (await client.get(f"/api/v1/calls/main/{key}")).status_code == status
    nobody = await client_of(Role.EMPLOYEE, person="nobody")
    assert await listed(nobody) == []
    anna = await client_of(Role.EMPLOYEE)
    assert await listed(anna, "agent=102") == []
    assert named(told, await listed(anna, "colour=red")) == {"missed"}


async def test_a_red_call_that_his_busy_phone_refused_is_his_too(site: Site, client_of: ClientOf) -> None:
    shop = shop_of(site)
    story = shop.story.calls_in().waits_in("sales").rings("101", heard=False).declines("101", cause=17).after(8)
    key = story.caller_leaves().key
    await shop.recorded()
    later(site, shop)
    for role in (Role.EMPLOYEE, Role.SUPERVISOR, Role.MANAGER):
        assert await listed(await client_of(role), "missed_control=1") == [key]
    assert await listed(await client_of(Role.MANAGER), "missed_control=1&agent=101") == []


async def test_a_colleagues_part_in_ones_call_has_no_name(site: Site, client_of: ClientOf) -> None:
    shop = shop_of(site)
    story = shop.story.calls_in().waits_in("sales").rings("101", "103").after(12)
    key = story.answers("103").after(30).caller_leaves().key
    await shop.recorded()
    later(site, shop)
    anna, chief = await client_of(Role.EMPLOYEE), await client_of(Role.MANAGER)
    for address in ("/journal", f"/journal/main/{key}", f"/api/v1/calls/main/{key}", "/api/v1/calls"):
        his, all_of_it = (await anna.get(address)).text, (await chief.get(address)).text
        name = '"103"' if "api" in address else "Вера"
        assert name not in his
        assert name in all_of_it
    form = (await anna.get(f"/api/v1/calls/main/{key}")).json()
    assert form["verdicts"] == {"101": "answered_elsewhere"}
    assert [offer["agent"] for offer in form["offers"]] == ["101", None]
    assert "коллега" in (await anna.get(f"/journal/main/{key}")).text


@pytest.mark.parametrize(
    ("language", "because", "word"),
    [
        ("ru", "Красный: потерян, и никто не перезванивал.", "Почему такой цвет"),
        ("en", "Red: lost, and nobody called back.", "Why this colour"),
    ],
)
async def test_a_call_tells_its_story_and_why_its_colour(
    site: Site, client_of: ClientOf, language: str, because: str, word: str
) -> None:
    told = await busy_day(site)
    client = await client_of(Role.MANAGER, language=language)
    page = (await client.get(f"/journal/main/{told['missed']}")).text
    assert because in page
    assert word in page
    form = (await client.get(f"/api/v1/calls/main/{told['missed']}")).json()
    assert form["colour_because"] == because
    assert len(form["journey"]) >= 4
    assert "Анна" in " ".join(form["why"])
    drawn = re.findall(r"<rect x=\"([\d.]+)%\" y=\"\d+\" width=\"([\d.]+)%\"[^>]*class=\"([^\"]+)\"", page)
    assert {look for _, _, look in drawn} == {"stage queue", "ring missed"}
    assert all(float(x) >= 0 and float(x) + float(width) <= 100.01 for x, width, _ in drawn)
    assert "style=" not in page
    (line,) = await rows(site.database, schema.audit, action="view_call")
    assert (line.who, line.subject) == ("manager-chief", told["missed"])


async def test_numbers_are_masked_everywhere_for_whom_they_are_hidden(site: Site, client_of: ClientOf) -> None:
    told = await busy_day(site)
    client = await client_of(Role.MANAGER, whole_numbers=False)
    whole = re.compile(r"9161234\d{3}|916 123-4\d-\d\d")
    for address in (
        *("/journal", "/api/v1/calls", "/journal/export.csv"),
        *(f"/{kind}/main/{key}" for kind in ("journal", "api/v1/calls") for key in told.values()),
    ):
        text = (await client.get(address)).text
        assert whole.search(text) is None, address
        assert "***" in text
    assert named(told, await listed(client, "number=%2B79161234501")) == {"missed"}
    assert (await client.get("/api/v1/calls?number=12345")).status_code == 400


async def test_a_file_holds_exactly_the_calls_of_the_filter(site: Site, client_of: ClientOf) -> None:
    told = await busy_day(site)
    client = await client_of(Role.SUPERVISOR)
    for query in ("", "colour=green", "agent=101", "period=yesterday"):
        expected = sorted(await listed(client, query))
        answer = await client.get(f"/journal/export.csv?{query}")
        assert "attachment" in answer.headers["content-disposition"]
        lines = list(csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))
        assert lines[0][-1] == "Звонок"
        assert sorted(line[-1] for line in lines[1:]) == expected
        book = await client.get(f"/journal/export.xlsx?{query}")
        sheet = openpyxl.load_workbook(io.BytesIO(book.content)).active
        keys = [str(row[-1]) for row in sheet.iter_rows(min_row=2, values_only=True) if row[-1]]
        assert sorted(keys) == expected
    assert told["vera"] not in (await client.get("/journal/export.csv")).text
    taken = await rows(site.database, schema.audit, action="export_calls")
    assert {line.who for line in taken} == {"supervisor-lena"}
    assert (await client.get("/journal/export.exe")).status_code == 404
    assert (await client.get("/journal/export.csv?colour=blue")).status_code == 400


async def test_a_formula_in_a_file_is_text(site: Site, client_of: ClientOf) -> None:
    shop = shop_of(site)
    await shop.misses("=cmd|' /C calc'!A0")
    later(site, shop)
    client = await client_of(Role.MANAGER)
    (line,) = list(csv.reader(io.StringIO((await client.get("/journal/export.csv")).text), delimiter=";"))[1:]
    assert line[2].startswith("'=cmd")
    sheet = openpyxl.load_workbook(io.BytesIO((await client.get("/journal/export.xlsx")).content)).active
    assert sheet["C2"].data_type == "s"


async def test_what_has_not_changed_is_not_sent_again(site: Site, client_of: ClientOf) -> None:
    told = await busy_day(site)
    client = await client_of(Role.MANAGER)
    for address in ("/api/v1/calls", f"/api/v1/calls/main/{told['missed']}"):
        first = await client.get(address)
        again = await client.get(address, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    fresh = await client.get("/api/v1/calls?colour=red", headers={"If-None-Match": first.headers["etag"]})
    assert fresh.status_code == 200


async def test_nobody_sees_anything_without_a_login(browser: Any) -> None:
    client = browser()
    for address in ("/journal", "/journal/main/1.0", "/journal/export.csv", "/journal/export.xlsx"):
        answer = await client.get(address)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
    for address in ("/api/v1/calls", "/api/v1/calls/main/1.0"):
        assert (await client.get(address)).status_code == 401


def test_a_query_makes_the_same_address_again(site: Site) -> None:
    query = {"period": "last-week", "number": "+7916", "agent": "102", "missed_control": "1"}
    what = asked(query | {"queue": "", "foreign": "x"}, site.settings, NOW)
    assert what.link() == "period=last-week&agent=102&number=%2B7916&missed_control=1"
    assert what.link(agent=None, colour="red") == "period=last-week&number=%2B7916&missed_control=1&colour=red"
    assert (what.wanted.agent, what.wanted.missed_control, what.wanted.number) == ("102", True, "+7916")


def test_bad_words_are_told_in_both_languages() -> None:
    bad = BadQuery("web.filter.bad_seconds", name="min_talk")
    assert bad.text("ru") != bad.text("en")
    with pytest.raises(BadQuery):
        cursor_of("not a cursor")
