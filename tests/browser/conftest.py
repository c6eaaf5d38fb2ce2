"""A Chromium in front of the clinic. Where there is none that is a skip with the command (a failure where CI=true)."""

import os
import re
import shutil
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Response, expect, sync_playwright

from pbxmonitor.clock import SystemClock
from pbxmonitor.settings import load
from pbxmonitor.store.accounts import Account
from pbxmonitor.store.types import connect, writing
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.viewer import Role
from tests.browser.clinic import Clinic, clinic_in
from tests.web.conftest import logged_in

PASSWORD: Final = "a horse and a battery"
_ARGUMENTS: Final = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"),
    *("--disable-component-update", "--disable-sync"),
)
# What the browser says when a page is left while its stream runs, or when we pull the plug.
_LEFT: Final = ("net::ERR_ABORTED", "net::ERR_INCOMPLETE_CHUNKED_ENCODING", "net::ERR_INTERNET_DISCONNECTED")
_COMMAND: Final = "apt-get install -y chromium (or set PBXMONITOR_TEST_CHROMIUM to its path)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.chromium)


def chromium() -> str | None:
    """Where a Chromium is."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("PBXMONITOR_TEST_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser, until left."""
    with sync_playwright() as playwright:
        # its own fields (dates) speak the language of its environment
        speaking: dict[str, str | float | bool] = {**os.environ, "LANGUAGE": "ru", "LC_ALL": "C.UTF-8"}
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(_ARGUMENTS), env=speaking)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if chromium() is None:
        reason = f"no Chromium; as root: {_COMMAND}"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    with browsing() as made:
        yield made


@pytest.fixture(scope="package")
def clinic(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    """After the browser, so that nothing is started in vain."""
    with clinic_in(tmp_path_factory.mktemp("clinic")) as made:
        yield made


class Served(Protocol):
    """Where pages are served: their address, the settings file, and a loop for what must be awaited."""

    @property
    def url(self) -> str: ...
    @property
    def config(self) -> Path: ...
    def background(self, work: Coroutine[Any, Any, Any]) -> Any: ...


@dataclass
class Visitors:
    """Makes windows of people who are logged in, and remembers what went wrong in them."""

    browser: Browser
    clinic: Served
    troubles: list[str] = field(default_factory=list)
    _secrets: dict[str, str] = field(default_factory=dict)
    _contexts: dict[str, BrowserContext] = field(default_factory=dict)

    def page(
        self, role: Role | None = Role.ADMIN, person: str | None = None, language: str = "ru", **more: Any
    ) -> Page:
        """A window of somebody of that role; None is nobody."""
        whose = repr((role, person, language, more))
        if role is None or whose not in self._contexts:
            self._contexts[whose] = self._context(role, person, language, **more)
        page = self._contexts[whose].new_page()
        page.on("console", self._said)
        page.on("pageerror", self._broke)
        page.on("response", self._answered)
        return page

    def _context(self, role: Role | None, person: str | None, language: str, **more: Any) -> BrowserContext:
        made = self.browser.new_context(base_url=self.clinic.url, **{"locale": "ru-RU", **more})
        made.set_default_timeout(5_000)
        if role is not None:
            made.add_cookies([{"name": COOKIE, "value": self._secret(role, person, language), "url": self.clinic.url}])
        return made

    def _answered(self, answer: Response) -> None:
        if answer.status >= 400:
            self.troubles.append(f"{answer.status} {answer.url}")

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(each in message.text for each in _LEFT):
            self.troubles.append(f"{message.location['url']}: {message.text}")

    def _broke(self, error: Error) -> None:
        self.troubles.append(str(error))

    def _secret(self, role: Role, person: str | None, language: str) -> str:
        """The session of the account of that role, person and language, which is made when first wanted."""
        name = "-".join((role, *filter(None, (person,)), *((language,) if language != "ru" else ())))
        if name not in self._secrets:
            account = Account(name=name, role=role, person=person, language=language)
            self._secrets[name] = self.clinic.background(session_of(self.clinic.config, account))
        return self._secrets[name]

    def close(self) -> None:
        """Close the windows; who is logged in stays so, and what the browser has kept is kept."""
        for context in self.browser.contexts:
            for page in context.pages:
                page.close()


async def session_of(config: Path, account: Account) -> str:
    """What the browser of that account holds."""
    database = connect(load(config).database.full_url)
    try:
        return await writing(database, lambda connection: logged_in(connection, account, SystemClock().now()))
    finally:
        await database.dispose()


@pytest.fixture(scope="package")
def everybody(browser: Browser, clinic: Clinic) -> Visitors:
    return Visitors(browser, clinic)


@pytest.fixture
def visit(everybody: Visitors) -> Iterator[Callable[..., Page]]:
    """`visit(Role.EMPLOYEE, "101")` is a window of his; at the end no window may have complained of anything."""
    everybody.troubles.clear()
    yield everybody.page
    everybody.close()
    assert everybody.troubles == []


def one_time_link(printed: str) -> str:
    """The link in what `pbxmonitor user` printed."""
    found = re.search(r"http\S+/setup\?code=\S+", printed)
    assert found is not None, printed
    return found[0]


def set_up(page: Page, link: str) -> None:
    """Choose a password by that link."""
    page.goto(link)
    for each in page.locator("input[type=password]").all():
        each.fill(PASSWORD)
    page.locator("main button.main").click()
    expect(page).not_to_have_url(re.compile("/setup"))
