"""Every page in a real browser: light and dark, on a phone, in both languages, for those who hear it read aloud."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from pbxmonitor.simulator.clinic.cast import PEOPLE
from pbxmonitor.web.viewer import Role
from tests.browser.axe import violations
from tests.browser.clinic import DAY, Clinic
from tests.browser.conftest import PASSWORD, Visitors, one_time_link, set_up
from tests.web.routes import routes

Visit = Callable[..., Page]
ACCESSIBLE: Final = (Path(__file__).parent / "accessible.js").read_text("utf-8")
# What answers a browser with something else than a page.
NO_PAGES: Final = (
    *("/", "/healthz", "/readyz", "/metrics", "/manifest.webmanifest", "/stream", "/callbacks/stream", "/setup"),
    *("/login/oidc", "/login/oidc/back"),
    *("/journal/export.{form}", "/callbacks/report/export.{form}"),
)
PAGES: Final = [
    route.path
    for route in routes()
    if route.method == "GET" and not route.path.startswith("/api/") and route.path not in NO_PAGES
]
# Where a link to one of them stands.
LISTS: Final = {
    "/journal/{node}/{call}": "/journal?lost=1",
    "/settings/edit": "/settings",
    "/settings/remove": "/settings",
    "/users/account": "/users",
    "/webhooks/one": "/webhooks",
}
KNOBS: Final = 15
PHONE: Final[ViewportSize] = {"width": 390, "height": 800}
CYRILLIC: Final = r"[А-Яа-яЁё]+"
NAMES: Final = (*(person.name for person in PEOPLE.values()), "Елена Смирнова", "Регистратура", "Запись по телефону")
AT_WORK: Final = [shift.agent for shift in DAY.shifts]


def opened(page: Page, path: str) -> Page:
    """The page at that path; of many, the first that the page before it links to."""
    listed = LISTS.get(path, path.partition("/{")[0])
    page.goto(listed)
    if "{" in path or path in LISTS:
        pattern = re.compile("^" + re.sub(r"\{\w+\}", "[^/?]+", path) + r"(\?|$)")
        if path == "/webhooks/one" and not any(map(pattern.match, hrefs(page, "main a[href]"))):
            add_webhook(page)
        page.goto(next(filter(pattern.match, hrefs(page, "main a[href]"))))
    expect(page.locator("main")).to_be_visible()
    return page


def add_webhook(page: Page) -> None:
    """One that hears of nothing that happens here."""
    page.locator("main input[name=name]").fill("CRM")
    page.locator("main input[name=url]").fill("https://crm.example.com/pbx")
    page.locator("main input[value='alert.raised']").check()
    page.locator("main button.main").click()
    page.goto("/webhooks")


def faults(page: Page, *, colours_only: bool = False) -> list[str]:
    """What axe-core finds, and what it does not ask; `colours_only` is enough where only the theme has changed."""
    found: list[str] = page.evaluate(ACCESSIBLE)
    return violations(page, colours_only=colours_only) + found


def too_wide(page: Page) -> int:
    """By how many pixels the page is wider than the window."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_clean_by_keyboard_in_the_dark_and_on_a_phone(visit: Visit, path: str) -> None:
    page = opened(visit(None if path == "/login" else Role.ADMIN), path)
    assert faults(page) == []
    assert too_wide(page) == 0
    assert walk(page) == ""
    page.emulate_media(color_scheme="dark")
    assert faults(page, colours_only=True) == []
    page.set_viewport_size(PHONE)
    assert too_wide(page) == 0
    assert faults(page) == []
    page.emulate_media(color_scheme="light")
    assert faults(page, colours_only=True) == []


def walk(page: Page) -> str:
    """What is wrong with the way of the focus through the page, by Tab."""
    for _ in range(page.evaluate(BEFORE_THE_FIRST, KNOBS)):
        page.keyboard.press("Tab")
        if (found := page.evaluate(FOCUSED)) != "seen":
            return str(found)
    return ""


# How many presses of Tab come to another control, from the first on.
BEFORE_THE_FIRST: Final = """most => {
    const wanted = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    window.knobs = [...document.querySelectorAll(wanted)].filter(each => each.checkVisibility() && !each.disabled);
    window.knobs[0].focus();
    return Math.min(window.knobs.length - 1, most);
}"""
# Fields for dates have several stops inside.
FOCUSED: Final = """() => {
    const focused = document.activeElement;
    if (focused.type === "date") return "seen";
    const place = window.knobs.indexOf(focused);
    if (place < 0) return `the focus is on ${focused.outerHTML.slice(0, 200)}`;
    if (place < (window.before ?? 0)) return `the focus goes back to ${focused.outerHTML.slice(0, 200)}`;
    window.before = place;
    const box = focused.getBoundingClientRect(), style = getComputedStyle(focused);
    const what = focused.outerHTML.slice(0, 200);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return `no sign of the focus: ${what}`;
    const outside = box.right < 0 || box.bottom < 0 || box.left > innerWidth || box.top > innerHeight;
    if (outside) return `out of sight: ${what}`;
    return "seen";
}"""


def test_the_check_finds_what_is_wrong(visit: Visit) -> None:
    page = opened(visit(), "/employees")
    page.evaluate(
        """() => { const main = document.querySelector("main");
        main.append(Object.assign(document.createElement("button"), { className: "icon" }));
        const faint = Object.assign(document.createElement("h4"), { textContent: "faint" });
        faint.style.color = "#999";
        main.append(faint);
        document.querySelector("th").removeAttribute("scope");
        main.insertAdjacentHTML("beforeend", '<svg><text y="9" fill="#ddd">faint</text></svg>'); }"""
    )
    found = [re.split(r"[ :]", each)[0] if " (" in each else each.partition(":")[0] for each in faults(page)]
    assert {"button-name", "color-contrast", "heading-order"} <= set(found)
    assert {"a header without scope", "a drawing that is neither hidden nor named"} <= set(found)
    assert any(each.startswith("contrast 1.") for each in found)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_in_english_has_no_russian_words_but_names(visit: Visit, clinic: Clinic, path: str) -> None:
    page = visit(None if path == "/login" else Role.ADMIN, language="en")
    page.context.add_cookies([{"name": "language", "value": "en", "url": clinic.url}])
    opened(page, path)
    assert page.locator("html").get_attribute("lang") == "en"
    names = re.findall(CYRILLIC, " ".join((*NAMES, "Русский")))
    assert set(re.findall(CYRILLIC, page.locator("html").inner_text())) - set(names) == set()
    assert faults(page) == []
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(PHONE)
    assert too_wide(page) == 0
    assert faults(page) == []


def test_the_language_is_changed_where_one_stands(visit: Visit) -> None:
    page = visit(Role.MANAGER, "lena")
    page.goto("/journal?lost=1")
    expect(page.locator("h1")).to_have_text("Журнал")
    page.get_by_role("button", name="English").click()
    expect(page.locator("h1")).to_have_text("Journal")
    assert page.url.endswith("/journal?lost=1")
    page.goto("/now")
    expect(page).to_have_title(re.compile("Now"))
    page.get_by_role("button", name="Русский").click()
    expect(page).to_have_title(re.compile("Сейчас"))


def test_the_one_time_link_and_the_password_let_in(visit: Visit, clinic: Clinic) -> None:
    link = one_time_link(clinic.pbxmonitor("user", "add", "olga", "--role", "manager"))
    page = visit(None)
    page.goto(link)
    assert faults(page) == []
    set_up(page, link)
    page.context.clear_cookies()
    page.goto("/callbacks")
    expect(page).to_have_url(re.compile(r"/login\?next=callbacks$"))
    page.get_by_label("Логин").fill("olga")
    page.get_by_label("Пароль").fill(PASSWORD)
    page.locator("main button.main").click()
    expect(page).to_have_url(re.compile("/callbacks$"))
    expect(page.locator("h1")).to_have_text("Перезвоны")
    page.get_by_role("button", name="Выйти").click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/now")
    expect(page).to_have_url(re.compile("/login"))


def test_the_journal_is_filtered_and_its_address_says_how(visit: Visit) -> None:
    page = visit(Role.MANAGER)
    page.goto("/journal")
    rows = page.locator("table.calls tbody tr")
    expect(rows).to_have_count(50)
    page.get_by_role("link", name="Контроль пропущенных").click()
    expect(page).to_have_url(re.compile("missed_control=1"))
    expect(rows).not_to_have_count(50)
    colours = {row.get_attribute("class") for row in rows.all()}
    assert colours == {"red"}
    page.locator("select[name=agent]").select_option("101")
    page.get_by_role("button", name="Показать").click()
    expect(page).to_have_url(re.compile(r"agent=101"))
    assert "colour" not in page.url
    for row in rows.all():
        expect(row).to_contain_text(PEOPLE["101"].name)
    shared = visit(Role.MANAGER)
    shared.goto(page.url)
    assert shared.locator("table.calls tbody tr").all_inner_texts() == rows.all_inner_texts() != []


def test_the_journal_goes_on_for_further_pages(visit: Visit) -> None:
    page = visit(Role.MANAGER)
    page.goto("/journal")
    first = page.locator("table.calls tbody tr").all_inner_texts()
    page.locator("a[rel=next]").click()
    expect(page).to_have_url(re.compile("after="))
    assert page.locator("table.calls tbody tr").all_inner_texts()[0] not in first


def test_a_row_of_the_journal_opens_why_it_has_its_colour(visit: Visit) -> None:
    page = visit(Role.MANAGER)
    page.goto("/journal?missed_control=1")
    page.locator("table.calls tbody tr a").first.click()
    expect(page.get_by_role("heading", name="Почему")).to_be_visible()
    expect(page.locator(".because")).to_contain_text(re.compile("красн", re.IGNORECASE))
    expect(page.locator("svg.timeline rect.ring").first).to_be_visible()


@pytest.mark.parametrize(
    ("role", "person", "seen"),
    [
        (Role.EMPLOYEE, "106", {"106"}),
        (Role.SUPERVISOR, "lena", {"101", "102", "104", "105"}),
        (Role.MANAGER, None, set(AT_WORK)),
    ],
)
def test_each_role_sees_its_own(visit: Visit, role: Role, person: str | None, seen: set[str]) -> None:
    page = visit(role, person)
    hidden = [PEOPLE[each].name for each in AT_WORK if each not in seen]
    page.goto("/employees")
    keys = {link.split("/")[-1].partition("?")[0] for link in hrefs(page, "table.people tbody th a")}
    assert keys & set(AT_WORK) == seen
    for path in ("/now", "/employees", "/journal"):
        page.goto(path)
        text = page.locator("main").inner_text()
        assert [name for name in hidden if name in text] == []


def test_what_is_anothers_is_not_there(visit: Visit, everybody: Visitors) -> None:
    manager = visit(Role.MANAGER)
    manager.goto("/journal?agent=101&missed_control=1")
    call = hrefs(manager, "table.calls tbody a")[0]
    page = visit(Role.EMPLOYEE, "106")
    for path in (call, "/employees/101"):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 404
        assert PEOPLE["101"].name not in page.content()
    everybody.troubles.clear()  # the browser tells of every 404


def hrefs(page: Page, selector: str) -> list[str]:
    """Where those links lead."""
    return [link.get_attribute("href") or "" for link in page.locator(selector).all()]
