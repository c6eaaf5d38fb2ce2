"""The live page in a real browser while calls happen at the PBX: nothing is reloaded, nothing is asked for twice."""

import json
import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from pbxmonitor.web.viewer import Role
from tests.browser.clinic import ANSWERS, MISSES, Clinic, answered, missed
from tests.browser.conftest import Visitors

Visit = Callable[..., Page]
HELPED, FORGOTTEN, ABSENT = "79161110001", "79161110002", "79161110003"
WRITTEN_OF, ANOTHER = "79161110004", "79161110005"


def tile(page: Page, agent: str) -> Locator:
    return page.locator(f'.tile[data-key="{agent}"]')


def figure(page: Page, key: str) -> int:
    return int(re.findall(r"\d+", page.locator(f'.figure[data-key="{key}"] .value').inner_text())[0])


def watched(page: Page, path: str = "/now") -> Page:
    """The live page, marked so that a reload would be seen."""
    page.goto(path)
    expect(page.locator(".tile").first).to_be_visible()
    page.evaluate("window.stays = true")
    return page


def was_not_reloaded(page: Page) -> bool:
    return bool(page.evaluate("window.stays === true"))


def test_a_call_rings_is_talked_and_is_over_before_ones_eyes(visit: Visit, clinic: Clinic) -> None:
    page = watched(visit(Role.MANAGER))
    mine = tile(page, ANSWERS)
    expect(mine).to_have_attribute("data-state", "ready")
    calls = figure(page, "offered") if page.locator('.figure[data-key="offered"]').count() else None
    over = clinic.start(answered(HELPED))
    expect(mine).to_have_attribute("data-state", "ringing")
    expect(mine).to_contain_text("916")
    expect(mine).to_have_attribute("data-state", "talking")
    over()
    expect(mine).not_to_have_attribute("data-state", "talking")
    assert was_not_reloaded(page)
    assert calls is None or figure(page, "offered") == calls + 1


def card(board: Page, number: str, column: str = "") -> Locator:
    """The card of that client, in that column if one is named."""
    return board.locator(f"section.column{f'.{column}' if column else ''} article.debt", has_text=number)


def test_a_missed_call_becomes_a_callback_that_is_taken_and_closed(visit: Visit, clinic: Clinic) -> None:
    page = watched(visit(Role.MANAGER))
    board = visit(Role.EMPLOYEE, MISSES)
    board.goto("/callbacks")
    board.evaluate("window.stays = true")
    debt, mine = page.locator(".debt", has_text="916 111-00-02"), card(board, "916 111-00-02")
    expect(debt).to_have_count(0)
    expect(mine).to_have_count(0)
    over = clinic.start(missed(FORGOTTEN))
    expect(tile(page, MISSES)).to_have_attribute("data-state", "ringing")
    over()
    expect(debt).to_be_visible()
    expect(card(board, "916 111-00-02", "open")).to_be_visible()
    expect(mine.locator("time[data-due]")).to_have_text(re.compile("осталось"))

    mine.get_by_role("button", name="Беру").click()
    expect(board.get_by_role("status")).to_contain_text("за вами")
    expect(mine).to_contain_text("занимается")
    expect(mine.get_by_role("button", name="Беру")).to_have_count(0)
    expect(debt.locator("[data-slot=taken]")).to_be_visible()
    mine.get_by_text("Ещё").click()
    mine.get_by_label("Перезванивать не нужно").fill("will call again")
    mine.get_by_role("button", name="Снять").click()
    expect(card(board, "916 111-00-02", "closed")).to_contain_text("will call again")
    expect(debt).to_have_count(0)
    assert was_not_reloaded(page)
    assert was_not_reloaded(board)


def test_what_one_writes_and_the_focus_stay_while_the_board_moves(visit: Visit, clinic: Clinic) -> None:
    clinic.play(missed(WRITTEN_OF))
    board = visit(Role.MANAGER)
    board.goto("/callbacks")
    mine = card(board, "916 111-00-04", "open")
    mine.get_by_text("Ещё").click()
    reason = mine.get_by_label("Перезванивать не нужно")
    reason.press_sequentially("he wrote")
    clinic.play(missed(WRITTEN_OF), missed(ANOTHER))
    expect(card(board, "916 111-00-05")).to_be_visible()
    expect(mine).to_contain_text("звонил 2 раза")
    expect(reason).to_be_focused()
    reason.press_sequentially(" that all is well")
    expect(reason).to_have_value("he wrote that all is well")

    head = card(board, "916 111-00-05").locator(".client a")
    head.focus()
    dismiss(clinic, "+79161110005")
    expect(card(board, "916 111-00-05", "closed")).to_be_visible(timeout=20_000)
    expect(head).to_be_focused()


def dismiss(clinic: Clinic, number: str) -> None:
    """By somebody else, past the pages: from the command line."""
    (found,) = [
        each for each in json.loads(clinic.pbxmonitor("callback", "list", "--json")) if each["number"] == number
    ]
    clinic.pbxmonitor("callback", "dismiss", found["id"], "--reason", "another way")


def test_an_employee_hears_nothing_of_what_is_anothers(visit: Visit, clinic: Clinic) -> None:
    page = watched(visit(Role.EMPLOYEE, ANSWERS))
    heard: list[str] = []
    page.expose_function("heard", lambda text: heard.append(text))
    page.evaluate(
        """() => { const source = new EventSource("/stream");
        for (const kind of ["view", "patch"]) source.addEventListener(kind, message => heard(message.data)); }"""
    )
    others = watched(visit(Role.MANAGER))
    clinic.play(missed(ABSENT))
    expect(others.locator(".debt", has_text="916 111-00-03")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(1)
    page.wait_for_timeout(300)
    assert heard != []
    assert [text for text in heard if "111-00-03" in text or ABSENT in text or MISSES in text] == []


def test_the_page_says_when_it_is_cut_off_and_catches_up_by_itself(
    visit: Visit, clinic: Clinic, everybody: Visitors
) -> None:
    pages = [watched(visit(Role.MANAGER)), watched(visit(Role.MANAGER), "/wallboard")]
    live = [page.locator("[data-link-text]").inner_text() for page in pages]
    with clinic.stopped():
        for page, text in zip(pages, live, strict=True):
            expect(page.locator("[data-lost]")).to_be_visible()
            assert page.locator("[data-link-text]").inner_text() != text
    for page, text in zip(pages, live, strict=True):
        expect(page.locator("[data-link-text]")).to_have_text(text, timeout=20_000)
        expect(tile(page, ANSWERS)).to_have_attribute("data-state", "ready")
        assert was_not_reloaded(page)
    everybody.troubles.clear()  # the browser tells of every try
