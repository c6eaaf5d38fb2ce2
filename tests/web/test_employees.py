"""Employees in a browser and by the API: the table, its order, one person's page, and who may see whom."""

import re
from datetime import date, timedelta

import httpx
import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.web.drawing import Stack, columns, day_lanes, height_of, level, shares
from pbxmonitor.web.people import in_order
from pbxmonitor.web.site import Site
from pbxmonitor.web.sparks import HIGH, slots_of
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, ClientOf
from tests.work.shop import Shop, rows

NAMES = re.compile(r'<th scope="row"><a href="/employees/([^"?]+)')


async def a_morning(site: Site) -> Shop:
    """Anna misses two of three, Boris answers both of his, Vera misses her only one."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    for number in range(2):
        await shop.misses(f"+7916123400{number}", "101")
    await shop.answers("101", "+79161234010")
    await shop.answers("102", "+79161234011")
    await shop.answers("102", "+79161234012")
    await shop.misses("+79161234013", "103")
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return shop


def shown(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, page.text
    return NAMES.findall(page.text)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", ("Сотрудники", "Анна", "67 %", "мало звонков", "Цель: пропущено не больше 12 %", "Регистратура")),
        ("en", ("Employees", "Анна", "67%", "Goal: at most 12% missed")),
    ],
)
async def test_the_table_speaks_both_languages(
    site: Site, client_of: ClientOf, language: str, words: tuple[str, ...]
) -> None:
    await a_morning(site)
    page = (await (await client_of(Role.MANAGER, language=language)).get("/employees")).text
    assert [word for word in words if word not in page] == []
    assert "style=" not in page


async def test_the_table_is_sorted_by_the_server(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    client = await client_of(Role.MANAGER)
    assert shown(await client.get("/employees")) == ["103", "101", "102"]
    assert shown(await client.get("/employees?sort=missed_share&order=asc")) == ["102", "101", "103"]
    assert shown(await client.get("/employees?sort=agent")) == ["101", "102", "103"]
    assert shown(await client.get("/employees?sort=offered")) == ["101", "102", "103"]
    assert shown(await client.get("/employees?sort=nonsense&period=today")) == ["103", "101", "102"]
    page = (await client.get("/employees?sort=offered&period=today")).text
    assert page.count('aria-sort="descending"') == 1
    assert "sort=offered&amp;order=asc" in page


def test_who_has_no_value_comes_last_either_way() -> None:
    some = [{"agent": a, "name": a, "norm": norm} for a, norm in (("a", None), ("b", 0.5), ("c", 0.1))]
    assert [row["agent"] for row in in_order(some, "norm", descending=True)] == ["b", "c", "a"]
    assert [row["agent"] for row in in_order(some, "norm", descending=False)] == ["c", "b", "a"]


async def test_each_role_sees_only_its_people(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    seen = {Role.EMPLOYEE: {"101"}, Role.SUPERVISOR: {"101", "102"}, Role.MANAGER: {"101", "102", "103"}}
    for role, wanted in seen.items():
        client = await client_of(role)
        assert set(shown(await client.get("/employees"))) == wanted
        answer = (await client.get("/api/v1/agents")).json()
        assert {row["agent"] for row in answer["agents"]} == wanted
        for agent in ("101", "102", "103"):
            status = 200 if agent in wanted else 404
            assert (await client.get(f"/employees/{agent}")).status_code == status
            assert (await client.get(f"/api/v1/agents/{agent}")).status_code == status
    for path in ("/employees/ghost", "/api/v1/agents/ghost", "/employees/a%00b", "/api/v1/agents/a%00b"):
        assert (await (await client_of(Role.MANAGER)).get(path)).status_code == 404
    page = (await (await client_of(Role.EMPLOYEE)).get("/employees/101")).text
    assert "Борис" not in page
    assert "Вера" not in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", ("Анна", "Коллеги в среднем", "67 %", "0 %", "По часам недели", "не взяли трубку", "2/3", "Вт")),
        ("en", ("Анна", "Colleagues, on average", "67%", "By hour of the week", "2/3", "The last missed calls")),
    ],
)
async def test_a_persons_page_shows_him_beside_his_team(
    site: Site, client_of: ClientOf, language: str, words: tuple[str, ...]
) -> None:
    await a_morning(site)
    client = await client_of(Role.SUPERVISOR, language=language)
    answer = await client.get("/employees/101")
    assert answer.status_code == 200
    assert [word for word in words if word not in answer.text] == []
    assert answer.text.count('href="/journal/main/') == 2
    assert answer.text.count('href="/callbacks/main/') == 2
    assert "style=" not in answer.text
    (line,) = await rows(site.database, schema.audit, action="view_person")
    assert '"101"' in line.details


async def test_the_api_tells_the_same_numbers(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    client = await client_of(Role.MANAGER)
    answer = await client.get("/api/v1/agents/101")
    told = answer.json()
    assert (told["numbers"]["missed"], told["numbers"]["offered"], told["team"]["missed_share"]) == (2, 3, 0.0)
    assert told["days"] == [{"day": "2026-11-24", "missed": 2, "offered": 3}]
    assert told["hours"] == [{"weekday": 1, "hour": 12, "missed": 2, "offered": 3}]
    assert told["causes"] == [{"cause": "ignored", "calls": 2}]
    again = await client.get("/api/v1/agents/101", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    assert (await client.get("/api/v1/agents?period=someday")).status_code == 400
    assert (await client.get("/employees?period=someday")).status_code == 400
    assert (await client.get("/employees/101?from=x")).status_code == 400
    empty = await client.get("/api/v1/agents/lena")
    assert empty.json()["numbers"] is None


async def test_his_day_is_drawn_with_what_he_was_away(site: Site, client_of: ClientOf) -> None:
    shop = await a_morning(site)
    story = shop.story
    story.dnd("101").after(1800).dnd("101", on=False)
    await shop.recorded()
    assert isinstance(site.clock, ManualClock)
    site.clock.advance(1900)
    client = await client_of(Role.EMPLOYEE)
    page = (await client.get("/employees/101")).text
    drawn = re.search(r'<rect x="([\d.]+)%" y="18" width="([\d.]+)%" height="16" class="dnd">', page)
    assert drawn is not None
    assert float(drawn[2]) == pytest.approx(100 * 0.5 / 24, abs=0.02)
    assert "режим DND: 30 мин" in page
    month = (await client.get("/employees/101?period=this-month")).text
    assert "12:00 — DND 30 мин" in month


async def test_hidden_numbers_are_hidden_on_a_persons_page(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    page = (await (await client_of(Role.MANAGER, whole_numbers=False)).get("/employees/101")).text
    assert re.search(r"9161234\d{3}|916 123-4\d-\d\d", page) is None
    assert "***" in page


def test_columns_are_in_scale_with_the_highest() -> None:
    few = [Stack("9", [("load", 1.0)], ""), Stack("10", [("load", 3.0), ("lost", 1.0)], "", "4")]
    low, high = columns(few)
    assert (low.parts, high.parts) == ([("load", 78.5, 21.5)], [("load", 35.5, 64.5), ("lost", 14.0, 21.5)])
    assert (high.head, high.value, height_of(4.0, few), height_of(2.0, few)) == (14.0, "4", 14.0, 57.0)
    assert columns(few, least=8.0)[1].head == height_of(4.0, few, least=8.0) == 57.0


def test_few_columns_leave_room_for_others() -> None:
    (only,) = columns([Stack("9", [("load", 1.0)], "")])
    assert (only.x, only.width) == pytest.approx((100 / 7 * 0.1, 100 / 7 * 0.8), abs=0.01)
    assert columns([]) == []


def test_a_bar_is_shared_by_its_parts() -> None:
    found = shares([("good", 3, "a"), ("none", 0, "b"), ("bad", 1, "c")])
    assert [(each.x, each.width, each.look) for each in found] == [(0.0, 75.0, "good"), (75.0, 25.0, "bad")]
    assert shares([("good", 0, "")]) == []


SPARK = re.compile(r'<svg class="spark"[^>]* aria-label="([^"]+)">.*?<polyline points="([^"]+)"')


async def test_each_has_a_line_of_how_his_share_went_and_its_words(site: Site, client_of: ClientOf) -> None:
    shop = await a_morning(site)
    shop.story.after(3600)
    await shop.answers("101", "+79161234014")
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    client = await client_of(Role.MANAGER, language="en")
    (told, points) = SPARK.findall((await client.get("/employees")).text)[0]
    assert told == "Missed share: 12:00 — 67%, 13:00 — 0%"
    (first, last) = (tuple(map(float, point.split(","))) for point in points.split())
    assert first[0] < last[0]
    assert first[1] < last[1] == HIGH - 2
    month = (await client.get("/employees?period=this-month")).text
    assert SPARK.findall(month) == []  # one day of calls is no line


def test_many_days_share_fourteen_points() -> None:
    days = [date(2026, 1, 1) + timedelta(days=ahead) for ahead in range(31)]
    told = [(("main", "101"), day, 1, 2) for day in days]
    found = slots_of([*told, (("main", "101"), date(2025, 12, 31), 9, 9)], days, "%d.%m")
    counts = found.counts["main", "101"]
    assert (len(counts), len(found.labels), found.labels[0]) == (14, 14, "01.01")
    assert {offered for _, offered in counts} == {4, 6}
    assert sum(missed for missed, _ in counts) == 31


def test_shades_grow_with_the_value_and_nothing_has_none() -> None:
    assert [level(value, 1.0) for value in (0, 0.1, 0.3, 0.6, 0.9, 1.0)] == [0, 1, 2, 3, 4, 4]
    assert level(0.0, 0.0) == 0


def test_a_day_without_stretches_has_no_lanes() -> None:
    assert day_lanes([], NOW, NOW + timedelta(days=1), lambda key, **_: key, NOW) == []
