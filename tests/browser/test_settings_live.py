"""Settings changed in a real browser while the daemon runs: whoever looks at the live page sees it without a reload."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from pbxmonitor.web.viewer import Role
from tests.browser.test_live import tile, was_not_reloaded, watched
from tests.browser.test_pages import PHONE, faults, too_wide

Visit = Callable[..., Page]
FORMS = {
    "person": "section=people",
    "team": "section=teams&key=desk",
    "queue": "section=queues",
    "goals": "section=policy",
    "hours": "section=hours",
    "messages": "section=messages",
    "callbacks": "section=callbacks",
    "steps": "section=steps",
    "alert": "section=alerts&key=away",
    "kinds of alerts": "section=alerts",
    "digest": "section=digests",
}


@pytest.mark.parametrize("asked", FORMS.values(), ids=FORMS)
def test_every_form_is_clean_on_a_desk_and_on_a_phone(visit: Visit, asked: str) -> None:
    page = visit(Role.ADMIN)
    page.goto(f"/settings/edit?{asked}")
    assert faults(page) == []
    page.set_viewport_size(PHONE)
    page.emulate_media(color_scheme="dark")
    assert faults(page) == []
    assert too_wide(page) == 0


def test_a_person_who_is_made_stands_on_the_live_page_at_once_and_goes_when_removed(visit: Visit) -> None:
    live, page = watched(visit(Role.MANAGER)), visit(Role.ADMIN)
    expect(tile(live, "olga")).to_have_count(0)
    page.goto("/settings")
    page.get_by_role("link", name="Добавить человека").click()
    page.get_by_label("Ключ человека").fill("olga")
    page.get_by_label("Имя", exact=True).fill("Ольга")
    page.get_by_label("Телефоны АТС").fill("PJSIP/777")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.get_by_role("status")).to_contain_text("Сохранено")
    expect(tile(live, "olga")).to_contain_text("Ольга")
    page.get_by_role("link", name="Изменить: Ольга", exact=True).click()
    page.get_by_label("Имя", exact=True).fill("Ольга Котова")
    page.keyboard.press("Enter")
    expect(tile(live, "olga")).to_contain_text("Ольга Котова")
    page.get_by_role("link", name="Удалить: Ольга Котова", exact=True).click()
    page.get_by_role("button", name="Удалить").click()
    expect(page).to_have_url(re.compile("done=setting_removed"))
    expect(tile(live, "olga")).to_have_count(0)
    assert was_not_reloaded(live)


def test_what_the_file_says_has_a_lock_and_no_field(visit: Visit) -> None:
    page = visit(Role.ADMIN)
    page.goto("/settings")
    row = page.locator("tr", has_text="PJSIP/101")
    expect(row.get_by_text("из файла настроек")).to_be_visible()
    row.get_by_role("link", name=re.compile("Изменить")).click()
    expect(page.locator("textarea[name='f.devices']")).to_have_count(0)
    expect(page.get_by_label("Мобильные, на которые переводят звонки")).to_be_visible()
