"""The page of the callback report and its files: the figures of the store, each viewer's part of them."""

import csv
import io

import httpx
import openpyxl
import pytest

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Role
from tests.web.conftest import ClientOf
from tests.work.shop import Shop, rows


@pytest.fixture
async def a_morning(site: Site) -> Site:
    """Anna owes two, of whom one was reached in time and one by nobody; Boris one, late; Vera one, who returned."""
    shop = Shop(site.database, duties=site.duties, policy=site.policy)
    for number in (1, 2):
        await shop.misses(f"+791612345{number:02}", "101")
    await shop.calls_back("101", "+79161234501")
    await shop.misses("+79161234503", "102")
    shop.story.after(900)
    await shop.calls_back("102", "+79161234503")
    await shop.misses("+79161234504", "103")
    await shop.answers("103", "+79161234504")
    assert isinstance(site.clock, ManualClock)
    site.clock.advance((shop.now - site.clock.now()).total_seconds())
    return site


async def page_of(client: httpx.AsyncClient, query: str = "") -> str:
    answer = await client.get(f"/callbacks/report{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", ("Отчёт по перезвонам", "Анна", "25 %", "Никто не перезвонил", "клиент вернулся", "Регистратура")),
        ("en", ("Callback report", "Анна", "25%", "Nobody called", "Goal: at least 80% in time")),
    ],
)
async def test_the_report_speaks_both_languages(
    a_morning: Site, client_of: ClientOf, language: str, words: tuple[str, ...]
) -> None:
    page = await page_of(await client_of(Role.MANAGER, language=language))
    assert [word for word in words if word not in page] == []
    assert "style=" not in page
    assert page.count('href="/callbacks/main/') == 4


async def test_each_role_sees_its_own(a_morning: Site, client_of: ClientOf) -> None:
    seen = {Role.EMPLOYEE: {"Анна"}, Role.SUPERVISOR: {"Анна", "Борис"}, Role.MANAGER: {"Анна", "Борис", "Вера"}}
    for role, names in seen.items():
        client = await client_of(role)
        shown = await page_of(client)
        told = (await client.get("/callbacks/report/export.csv")).text
        for text in (shown, told):
            assert {name for name in ("Анна", "Борис", "Вера") if name in text} == names


async def test_another_period_has_other_callbacks(a_morning: Site, client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER)
    assert "перезванивать было некому" in await page_of(client, "?period=yesterday")
    assert (
        (await client.get("/callbacks/report?period=&from=2026-11-24"))
        .headers["location"]
        .endswith("/callbacks/report?from=2026-11-24")
    )
    for wrong in ("?period=someday", "?after=x"):
        assert (await client.get(f"/callbacks/report{wrong}")).status_code == 400
    assert (await client.get("/callbacks/report/export.csv?period=someday")).status_code == 400
    assert (await client.get("/callbacks/report/export.pdf")).status_code == 404


async def test_the_files_hold_what_the_page_shows_and_who_took_them_is_known(
    a_morning: Site, client_of: ClientOf
) -> None:
    client = await client_of(Role.MANAGER)
    answer = await client.get("/callbacks/report/export.csv")
    assert 'filename="callbacks_2026-11-24_2026-11-25.csv"' in answer.headers["content-disposition"]
    heading, *lines = csv.reader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";")
    assert (heading[1], {line[1] for line in lines}) == ("Клиент", {f"+7916123450{number}" for number in (1, 2, 3, 4)})
    book = openpyxl.load_workbook(io.BytesIO((await client.get("/callbacks/report/export.xlsx")).content))
    names = [name[:24] for name in book.sheetnames]
    assert names == [
        "Перезвоны",
        "Перезвоны по сотрудникам"[:24],
        "Перезвоны по командам"[:24],
        "На каком шаге с клиентом",
    ]
    table = [[cell.value for cell in row] for row in book.worksheets[1].iter_rows()]
    (anna,) = [row for row in table if row[0] == "Анна"]
    assert anna[1:3] == [2, 0.5]
    taken = await rows(a_morning.database, schema.audit, action="export_callbacks")
    assert [line.who for line in taken] == ["manager-chief"] * 2


async def test_hidden_numbers_are_hidden_there_too(a_morning: Site, client_of: ClientOf) -> None:
    client = await client_of(Role.MANAGER, whole_numbers=False)
    for path in ("/callbacks/report", "/callbacks/report/export.csv"):
        text = (await client.get(path)).text
        assert "916123" not in text.replace(" ", "").replace("-", "")
        assert "***" in text
