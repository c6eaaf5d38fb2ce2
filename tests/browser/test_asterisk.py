"""A real Asterisk in front of the browser: a call rings, is answered, is missed and called back before one's eyes."""

import os
import re
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from pbxmonitor.web.viewer import Role
from tests.browser.clinic import Background, free_port
from tests.browser.conftest import Visitors
from tests.browser.test_live import figure, tile, was_not_reloaded, watched
from tests.e2e.conftest import go_without
from tests.rig.daemon import Daemon
from tests.rig.plan import NotHere
from tests.rig.rig import Rig, start

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(1500)]
ANNA, LINE = "101", "1005"  # the line that rings her phone
SITE = """
alerts = []
[policy]
min_ring = "3 s"
[web]
port = {port}
[people]
101 = {{ name = "Анна" }}
102 = {{ name = "Борис" }}
"""
PATIENCE_MS = 30_000


@dataclass
class Office:
    """Asterisk, the daemon beside it with its pages, and a hand on the phones; stands where a Clinic does."""

    folder: Path
    background_: Background
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "pbxmonitor.toml"

    def background(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something that must be awaited."""
        return self.background_.run(work)

    async def open(self, stack: AsyncExitStack) -> None:
        self.rig: Rig = await stack.enter_async_context(start("22"))
        await stack.enter_async_context(Daemon(self.rig, self.folder, SITE.format(port=self.port)))

    def behaves(self, what: str) -> None:
        """So Anna's phone takes calls from now on."""
        self.background(self.rig.behave(ANNA, what))

    def calls(self, number: str, stay: float) -> None:
        """A client calls Anna's line."""
        self.background(self.rig.call(LINE, number, stay))

    def client(self) -> str:
        """The number of a client nobody has heard of yet."""
        return self.rig.new_number("1")


@pytest.fixture(scope="module")
def office(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """After the browser, so that nothing is started in vain; waits for whoever stages something else."""
    background = Background(patience_s=900)
    made, stack = Office(tmp_path_factory.mktemp("asterisk"), background), AsyncExitStack()
    try:
        background.run(made.open(stack))
        yield made
    except NotHere as reason:
        go_without(str(reason), ci=os.environ.get("CI") == "true")
    finally:
        background.run(stack.aclose())
        background.close()


@pytest.fixture
def visit(browser: Browser, office: Office) -> Iterator[Callable[..., Page]]:
    visitors = Visitors(browser, office)
    yield visitors.page
    visitors.close()
    assert visitors.troubles == []


def pretty(number: str) -> str:
    """As the pages write it: the last seven digits are enough to know it by."""
    return f"{number[-7:-4]}-{number[-4:-2]}-{number[-2:]}"


def state_of(page: Page, state: str) -> None:
    expect(tile(page, ANNA)).to_have_attribute("data-state", state, timeout=PATIENCE_MS)


def test_a_call_rings_and_is_answered_before_ones_eyes(visit: Callable[..., Page], office: Office) -> None:
    page = watched(visit(Role.MANAGER))
    state_of(page, "ready")
    answered, client = figure(page, "answered"), office.client()
    office.behaves("answer:3:6")
    office.calls(client, stay=30)
    state_of(page, "ringing")
    expect(tile(page, ANNA)).to_contain_text(pretty(client))
    state_of(page, "talking")
    expect(tile(page, ANNA).locator(".lapse")).to_have_text(re.compile(r"^0:0\d$"))
    state_of(page, "ready")
    expect(page.locator('.figure[data-key="answered"] .value')).to_have_text(str(answered + 1), timeout=PATIENCE_MS)
    assert was_not_reloaded(page)


def test_a_missed_call_is_seen_everywhere_and_called_back(visit: Callable[..., Page], office: Office) -> None:
    pages = {path: visit(Role.ADMIN) for path in ("/now", "/journal", "/callbacks")}
    for path, page in pages.items():
        page.goto(path)
        page.evaluate("window.stays = true")
    now, journal, board = pages.values()
    missed, client = figure(now, "missed"), office.client()
    office.behaves("ring")
    office.calls(client, stay=8)
    state_of(now, "ringing")
    state_of(now, "ready")
    expect(now.locator('.figure[data-key="missed"] .value')).to_have_text(str(missed + 1), timeout=PATIENCE_MS)
    expect(tile(now, ANNA).locator("[data-slot=counts]")).to_contain_text("пропущено 1 из")
    expect(now.locator(".debt", has_text=pretty(client))).to_be_visible()

    row = journal.locator("table.calls tbody tr.red", has_text=pretty(client))
    expect(row).to_be_visible(timeout=PATIENCE_MS)
    expect(row).to_contain_text("Анна")

    card = board.locator("section.open article.debt", has_text=pretty(client))
    expect(card).to_be_visible(timeout=PATIENCE_MS)
    card.get_by_role("button", name="Беру").click()
    expect(board.get_by_role("status")).to_contain_text("за вами")

    office.background(office.rig.behave(client, "answer:1:8"))
    office.background(office.rig.dial(ANNA, "8" + client.removeprefix("+7")))
    state_of(now, "talking")
    closed = board.locator("section.closed article.debt", has_text=pretty(client))
    expect(closed).to_contain_text("Анна", timeout=PATIENCE_MS)
    expect(now.locator(".debt", has_text=pretty(client))).to_have_count(0, timeout=PATIENCE_MS)
    expect(journal.locator("table.calls tbody tr.green", has_text=pretty(client))).to_be_visible(timeout=PATIENCE_MS)
    assert all(was_not_reloaded(page) for page in pages.values())


def test_a_callback_is_closed_in_the_page_with_a_reason(visit: Callable[..., Page], office: Office) -> None:
    board, client = visit(Role.ADMIN), office.client()
    board.goto("/callbacks")
    office.behaves("decline:4")
    office.calls(client, stay=10)
    card = board.locator("section.open article.debt", has_text=pretty(client))
    expect(card).to_be_visible(timeout=PATIENCE_MS)
    card.get_by_text("Ещё").click()
    card.get_by_label("Перезванивать не нужно").fill("ошибся номером")
    card.get_by_role("button", name="Снять").click()
    closed = board.locator("section.closed article.debt", has_text=pretty(client))
    expect(closed).to_contain_text("ошибся номером")
    closed.locator(".client a").click()
    history = board.locator(".history li")
    expect(history.first).to_contain_text("с ним никто не поговорил")
    expect(history.last).to_contain_text("ошибся номером")
