"""Where calls get stuck and when: the pages and the API, their numbers, their links, and who may see them."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.store import absences, funnel, patterns, queue_report
from pbxmonitor.store.accounts import Account
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import tr
from pbxmonitor.web.app import make_app
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.heat import days_of, heat, worst
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.sankey import PARTS, WIDEST, sankey, stop_bar
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import PEOPLE, Browser, ClientOf, logged_in, settings_of
from tests.work.shop import Shop

MOSCOW = ZoneInfo("Europe/Moscow")
# Midnight to midnight of the clinic's day.
TODAY = Period(begin=datetime(2026, 11, 24, tzinfo=MOSCOW), end=datetime(2026, 11, 25, tzinfo=MOSCOW))
PAGES = ("/stuck", "/patterns")
ANSWERS = ("stages", "queues", "hours", "lines", "regions", "away")
LINK = re.compile(r'href="(/journal\?[^"]+)"')
ROW = re.compile(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', re.DOTALL)


async def a_morning(site: Site) -> Shop:
    """Anna's phone is in DND from 12:00 to 12:43; five calls lost and four answered, by two lines.

    Lost: two in the menu, two at Anna's phone, one that Boris picked up and dropped.
    """
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    story = shop.story
    story.works_in("101", "sales").dnd("101")
    for number in range(2):
        story.calls_in(f"+7495111223{number}", "1001").hears_menu().after(20).caller_leaves()
        await shop.recorded()
    for number in range(3):
        await shop.answers("102", f"+7916123401{number}")
    await shop.answers("102", "+79161234019", line="1002")
    await shop.misses("+79161234020", "101")
    await shop.misses("+79161234021", "101", line="1002")
    story.calls_in("+79161234022", "1001").waits_in("sales").rings("102").after(2).answers("102")
    story.after(1).hangs_up("102")
    await shop.recorded()
    story.after((datetime(2026, 11, 24, 9, 43, tzinfo=UTC) - shop.now).total_seconds()).dnd("101", on=False)
    story.after(60).calls_in("+79161234030", "1001").waits_in("sales").rings("102").after(2).answers("102")
    story.after(20).caller_leaves()
    await shop.recorded()
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return shop


async def read(site: Site, what: Any, *more: Any) -> Any:
    return await reading(site.database, lambda connection: what(connection, TODAY, *more))


def table_of(page: str, region: str) -> dict[str, list[str]]:
    """The rows of the table below that heading: their cells as plain text by the row's heading."""
    (found,) = re.findall(rf'role="group" aria-labelledby="{region}">(.*?)</table>', page, re.DOTALL)
    return {plain(name): [plain(cell) for cell in re.split(r"</td>", cells)[:-1]] for name, cells in ROW.findall(found)}


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


@pytest.mark.parametrize(
    ("language", "path", "words"),
    [
        ("ru", "/stuck", ("Где застревают звонки", "Зазвонил телефон", "потеряны 2", "очередь sales", "Анна (2)")),
        ("en", "/stuck", ("Where calls get stuck", "2 lost", "cause: ", "Queues")),
        ("ru", "/patterns", ("Закономерности", "Вт, 12–13: потеряно 5 из ", "Москва", "Анна: DND 43 из 60 минут")),
        ("en", "/patterns", ("Patterns", "Tue, 12–13: 5 of ", "Moscow", "DND for 43 of 60 minutes")),
    ],
)
async def test_the_pages_speak_both_languages(
    site: Site, client_of: ClientOf, language: str, path: str, words: tuple[str, ...]
) -> None:
    await a_morning(site)
    answer = await (await client_of(Role.MANAGER, language=language)).get(path)
    assert answer.status_code == 200
    assert [word for word in words if word not in answer.text] == []
    assert "style=" not in answer.text
    assert "<script>" not in answer.text


async def test_the_funnel_on_the_page_is_that_of_the_store(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    told = await read(site, funnel.stages, site.policy)
    assert [step["lost"] for step in told["funnel"]] == [2, 0, 2, 0, 1, 0]
    page = (await (await client_of(Role.MANAGER)).get("/stuck")).text
    shown = table_of(page, "funnel")
    wanted = {tr(f"value.step.{each['step']}"): [str(each["reached"]), str(each["lost"])] for each in told["funnel"]}
    assert {name: [cells[0], cells[2]] for name, cells in shown.items()} == wanted
    drawn = [int(count) for count in re.findall(r'class="end"[^>]*>потеряны (\d+)<', page)]
    assert drawn == [2, 2, 1]
    assert page.count('class="band lost"') == 3
    assert "10 входящих звонков: обслужены 5, потеряны 5" in page


async def test_each_stop_and_queue_is_shown_with_its_numbers(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    stages, queues = await read(site, funnel.stages, site.policy), await read(site, queue_report.queues, site.policy)
    page = (await (await client_of(Role.MANAGER)).get("/stuck")).text
    stops = table_of(page, "steps")
    (sales,) = [step for step in stages["steps"] if step["kind"] == "queue"]
    numbers = [sales["entered"], sales["answered"] - sales["dropped"], *(sales[name] for name in PARTS[1:])]
    assert stops["очередь sales"][1:7] == [str(each) for each in numbers]
    assert numbers == [8, 5, 1, 0, 2, 0]
    (queue,) = queues["queues"]
    ends = [str(queue[name]) for name in ("received", "answered", "abandoned", "short_abandoned", "timeout")]
    cells = table_of(page, "queues")["sales"]
    assert cells[:5] == ends
    assert cells[6:8] == ["75 %", "75 % всех, 100 % принятых"]


async def test_links_lead_to_the_calls_that_were_counted(site: Site, client_of: ClientOf) -> None:
    """Only the lost calls of a step without one cause lead to all lost ones, and say so."""
    await a_morning(site)
    client = await client_of(Role.MANAGER)

    async def calls(link: str) -> int:
        answer = await client.get(unescape(link).replace("/journal?", "/api/v1/calls?"))
        assert answer.status_code == 200, answer.text
        return len(answer.json()["calls"])

    page = (await client.get("/stuck?period=today")).text
    lost = {"ivr": 2, "dropped": 1}
    for cause, count in lost.items():
        found = [link for link in LINK.findall(page) if f"cause={cause}" in link]
        assert found
        assert {await calls(link) for link in found} == {count}
    (all_lost,) = {link for link in LINK.findall(page) if link.endswith("direction=inbound&amp;lost=1")}
    assert await calls(all_lost) == 5
    assert re.search(r">все потерянные</a>", page)
    stops = [link for link in LINK.findall(page) if "stage=queue%3Asales" in link]
    assert sorted([await calls(link) for link in stops]) == [3, 8]
    assert all("period=today" in link for link in LINK.findall(page))
    week = (await client.get("/patterns")).text
    (hour,) = {link for link in LINK.findall(week) if "T12" in link and "lost=1" in link}
    assert await calls(hour) == 5
    (line,) = [link for link in LINK.findall(week) if "line=1002" in link]
    assert await calls(line) == 2


async def test_the_week_is_that_of_the_store(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    found = await read(site, patterns.heat, site.policy)
    (noon,) = [row for row in found if row["calls"]]
    assert (noon["weekday"], noon["hour"], noon["calls"], noon["lost"], noon["lost_share"]) == (1, 12, 10, 5, 0.5)
    page = (await (await client_of(Role.MANAGER)).get("/patterns")).text
    assert table_of(page, "heat-lost") == {"Вт": ["50 %"]}
    assert [*table_of(page, "heat-load")] == ["Вт"]
    assert 'title="Вт 12:00 — 10 звонков, потеряны 5"' in page
    lines = {row["line"]: row for row in await read(site, patterns.lines, site.policy)}
    shown = table_of(page, "lines")
    assert {name: [*map(int, cells[:4])] for name, cells in shown.items()} == {
        name: [row["calls"], row["answered"], row["lost"], row["short_abandoned"]] for name, row in lines.items()
    }
    assert shown["1001"][0] == "8"
    regions = await read(site, patterns.regions, site.policy, "ru")
    assert {row["name"]: str(row["calls"]) for row in regions if row["name"]}.items() <= {
        name: cells[1] for name, cells in table_of(page, "regions").items()
    }.items()


async def test_the_hours_of_one_line_are_asked_for_by_the_address(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    client = await client_of(Role.MANAGER)
    page = (await client.get("/patterns?line=1002")).text
    assert 'title="Вт 12:00 — 2 звонка, потеряны 1"' in page
    assert "Линия 1002" in page
    assert 'aria-labelledby="regions"' not in page
    told = (await client.get("/api/v1/hours?line=1002")).json()["hours"]
    assert (len(told), sum(row["calls"] for row in told), sum(row["lost"] for row in told)) == (168, 2, 1)
    assert 'title="Вт 12:00 — 8 звонков' in (await client.get("/patterns?queue=sales")).text


async def test_the_api_tells_what_the_store_knows(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    client = await client_of(Role.MANAGER)

    async def told(path: str) -> Json:
        answer = await client.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        again = await client.get(f"/api/v1/{path}", headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        body: Json = answer.json()
        assert (body.pop("from"), body.pop("to")) == (stamp(TODAY.begin), stamp(TODAY.end))
        return body

    assert await told("stages") == await read(site, funnel.stages, site.policy)
    assert await told("queues") == await read(site, queue_report.queues, site.policy)
    assert await told("hours") == {"hours": await read(site, patterns.heat, site.policy)}
    assert await told("lines") == {"lines": await read(site, patterns.lines, site.policy)}
    assert await told("regions") == {"regions": await read(site, patterns.regions, site.policy, "ru")}
    assert await told("away") == await read(site, absences.away, site.policy)


async def test_only_who_sees_everybody_sees_the_whole_site(site: Site, client_of: ClientOf, browser: Browser) -> None:
    await a_morning(site)
    for role, wanted in ((Role.EMPLOYEE, 403), (Role.SUPERVISOR, 403), (Role.MANAGER, 200), (Role.ADMIN, 200)):
        client = await client_of(role)
        for path in (*PAGES, *(f"/api/v1/{each}" for each in ANSWERS)):
            answer = await client.get(path)
            assert (path, answer.status_code) == (path, wanted)
            assert wanted == 200 or "sales" not in answer.text
    nobody = browser()
    assert [(await nobody.get(path)).status_code for path in PAGES] == [303, 303]
    assert {(await nobody.get(f"/api/v1/{each}")).status_code for each in ANSWERS} == {401}


async def test_a_supervisor_without_teams_sees_the_whole_site(
    site: Site, browser: Browser, passwords: Passwords
) -> None:
    await a_morning(site)
    people = PEOPLE | {"olga": {"name": "Ольга", "role": "supervisor"}}
    settings = settings_of(site.settings.database.full_url, people=people)
    app = make_app(replace(site, settings=settings, duties=to_duties(settings)), passwords=passwords)
    olga = Account(name="olga", role=Role.SUPERVISOR, person="olga")
    secret = await writing(site.database, lambda connection: logged_in(connection, olga, site.clock.now()))
    client = browser(to=app, cookies={COOKIE: secret})
    assert {(await client.get(path)).status_code for path in PAGES} == {200}
    assert {(await client.get(f"/api/v1/{each}")).status_code for each in ANSWERS} == {200}


async def test_bad_addresses_are_told_in_a_line(site: Site, client_of: ClientOf) -> None:
    await a_morning(site)
    client = await client_of(Role.MANAGER)
    for path in PAGES:
        bad = await client.get(f"{path}?period=someday")
        assert bad.status_code == 400
        assert 'role="alert"' in bad.text
        cleaned = await client.get(f"{path}?period=&from=2026-11-24")
        assert (cleaned.status_code, cleaned.headers["location"]) == (303, f"{path}?from=2026-11-24")
    for each in ANSWERS:
        assert (await client.get(f"/api/v1/{each}?from=x")).status_code == 400
    assert (await client.get("/api/v1/hours?line=a%00b")).status_code == 400
    assert (await client.get("/patterns?line=a%00b")).status_code == 400


async def test_a_site_without_calls_says_so(client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER, language="ru")
    for path in PAGES:
        page = await client.get(path)
        assert page.status_code == 200
        assert tr("report.journal.empty") in page.text
        assert "<svg" not in page.text


async def test_hidden_numbers_are_hidden_and_lead_nowhere(site: Site, client_of: ClientOf) -> None:
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    shop.story.calls_in("+79161234000", "+74951112233").is_put_through_to("+79031234567").rings_outside("+79031234567")
    shop.story.after(15).caller_leaves()
    await shop.recorded()
    whole, hidden = await client_of(Role.MANAGER), await client_of(Role.ADMIN, whole_numbers=False)
    for path, number in (("/stuck", "9031234567"), ("/patterns", "4951112233")):
        assert number in (await whole.get(path)).text
        page = (await hidden.get(path)).text
        assert "***" in page
        assert number not in page
    for each in ("stages", "lines"):
        assert "***" in (await hidden.get(f"/api/v1/{each}")).text
        assert re.search("9031234567|4951112233", (await hidden.get(f"/api/v1/{each}")).text) is None


def says(key: str, **values: object) -> str:
    return f"{key.rpartition('.')[2]} {values.get('lost', values.get('reached', ''))}".strip()


def steps_of(*counts: tuple[int, int]) -> list[Json]:
    return [{"step": str(number), "reached": reached, "lost": lost} for number, (reached, lost) in enumerate(counts)]


def test_what_leaves_a_bar_is_as_wide_as_what_came() -> None:
    drawn = sankey(steps_of((100, 25), (75, 0), (75, 15)), says, str)
    assert drawn is not None
    widths = {look: [each.width for each in drawn.blocks if each.look == look] for look in ("kept", "lost")}
    assert widths == {"kept": [WIDEST, 54.0, 54.0, 43.2], "lost": [18.0, 10.8]}
    assert [band.look for band in drawn.bands] == ["kept", "lost", "kept", "kept", "lost"]
    assert drawn.bands[1].d == "M54 36C54 68 82 68 82 100L100 100C100 68 72 68 72 36Z"
    assert all(block.x + block.width <= 100 for block in drawn.blocks)
    assert [label.text for label in drawn.labels if label.lost] == ["lost 25", "lost 15"]


def test_nothing_is_drawn_of_no_calls_and_a_single_one_can_be_seen() -> None:
    assert sankey([], says, str) is None
    assert sankey(steps_of((0, 0)), says, str) is None
    drawn = sankey(steps_of((10_000, 1)), says, str)
    assert drawn is not None
    assert [each.width for each in drawn.blocks if each.look == "lost"] == [0.5]
    everything = sankey(steps_of((5, 5), (0, 0)), says, str)
    assert everything is not None
    assert [each.look for each in everything.blocks] == ["kept", "lost"]


def test_the_bar_of_a_stop_has_every_visit_once() -> None:
    step = {"answered": 5, "dropped": 2, "passed": 3, "lost": 1, "other": 1}
    bar = stop_bar(step, 20, says)
    assert [(each.look, each.x, each.width) for each in bar] == [
        *(("answered", 0.0, 15.0), ("dropped", 15.0, 10.0), ("passed", 25.0, 15.0)),
        *(("lost", 40.0, 5.0), ("other", 45.0, 5.0)),
    ]
    assert stop_bar(dict.fromkeys(step, 0), 0, says) == []


def a_week(*called: tuple[int, int, int, int]) -> list[Json]:
    counts = {(weekday, hour): (calls, lost) for weekday, hour, calls, lost in called}
    cells = [(weekday, hour, *counts.get((weekday, hour), (0, 0))) for weekday in range(7) for hour in range(24)]
    names = ("weekday", "hour", "calls", "lost")
    return [
        dict(zip(names, cell, strict=True)) | {"hours": float(cell[0] < 2), "lost_share": cell[3] / (cell[2] or 1)}
        for cell in cells
    ]


def test_a_heat_map_has_the_hours_with_calls_and_the_days_lived() -> None:
    week = a_week((0, 9, 4, 0), (1, 11, 8, 6))
    found = heat(week, lambda row: row["lost"], {1: date(2026, 11, 24)}, MOSCOW)
    assert (list(found.hours), [day for day, _ in found.rows]) == ([9, 10, 11], [0, 1])
    worst_cell = found.rows[1][1][2]
    assert (worst_cell.value, worst_cell.shade, worst_cell.most) == (6, 4, True)
    assert worst_cell.began == datetime(2026, 11, 24, 11, tzinfo=MOSCOW)
    assert found.rows[0][1][0].began is None
    assert not any(cell.most for cell in found.rows[0][1])
    assert [(row["weekday"], row["hour"]) for row in worst(week)] == [(1, 11)]


def test_weekdays_stand_for_dates_within_a_week_only() -> None:
    begin = datetime(2026, 11, 23, tzinfo=MOSCOW)
    assert days_of(begin, begin + timedelta(days=1), MOSCOW) == {0: date(2026, 11, 23)}
    assert len(days_of(begin, begin + timedelta(days=7), MOSCOW)) == 7
    assert days_of(begin, begin + timedelta(days=7, hours=1), MOSCOW) == {}
