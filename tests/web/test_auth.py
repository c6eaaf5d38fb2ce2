"""Who gets in, who does not, and what a login is worth to others."""

import re

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import Account, add, first_setup, setup_code
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.site import Site
from pbxmonitor.web.throttle import Throttle
from pbxmonitor.web.totp import new_secret
from pbxmonitor.web.viewer import Role
from tests.web.conftest import NOW, PASSWORD, Browser, ClientOf, audited, csrf_in, log_in


async def test_whoever_knows_the_password_gets_in_and_out(site: Site, browser: Browser, lena: str) -> None:
    client = browser()
    there = await log_in(client, " Lena ", next="journal?colour=red")
    assert (there.status_code, there.headers["location"]) == (303, "/journal?colour=red")
    home = await client.get("/account")
    assert home.status_code == 200
    assert (await client.post("/logout", data={"csrf": csrf_in(home.text)})).headers["location"] == "/login"
    assert COOKIE not in client.cookies
    assert (await client.get("/account")).headers["location"] == "/login?next=account"
    assert await audited(site, "login") == await audited(site, "logout") == ["lena"]


async def test_a_session_that_was_logged_out_is_dead_for_whoever_kept_it(browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    kept = client.cookies[COOKIE]
    await client.post("/logout", data={"csrf": csrf_in((await client.get("/account")).text)})
    assert (await browser(cookies={COOKIE: kept}).get("/account")).status_code == 303


async def test_a_wrong_password_an_unknown_name_and_a_wrong_code_are_told_alike(
    site: Site, browser: Browser, lena: str, passwords: Passwords
) -> None:
    kept = await passwords.hashed(PASSWORD)
    guarded = Account(name="guarded", role="manager", password=kept, totp_secret=new_secret())
    unset = Account(name="unset", role="manager")
    shut = Account(name="shut", role="manager", password=kept, disabled=True)

    def made(connection: sa.Connection) -> None:
        for each in (guarded, unset, shut):
            add(connection, each, "test", NOW)

    await writing(site.database, made)
    tries = [(lena, "wrong"), ("nobody", "wrong"), ("guarded", PASSWORD), ("unset", ""), ("shut", PASSWORD)]
    answers = [await log_in(browser(), name, password) for name, password in tries]
    told = {answer.text.replace(name, "NAME") for answer, (name, _) in zip(answers, tries, strict=True)}
    assert [answer.status_code for answer in answers] == [401] * 5
    assert len(told) == 1
    assert not any(COOKIE in answer.cookies for answer in answers)
    assert sorted(await audited(site, "login_failed")) == ["?", "guarded", "lena", "shut", "unset"]


async def test_an_unknown_name_costs_as_many_hashes_as_a_known_one(app: FastAPI, browser: Browser, lena: str) -> None:
    class Counting(Passwords):
        compared: list[str]

        def _verified(self, kept: str, password: str) -> bool:
            self.compared.append(kept)
            return super()._verified(kept, password)

    counting = Counting(app.state.passwords._hasher)
    counting.compared = []
    app.state.passwords = counting
    await log_in(browser(), lena, "wrong")
    await log_in(browser(), "nobody", "wrong")
    assert len(counting.compared) == 2
    # the same parameters, so the same work
    assert len({kept.rpartition("$")[0].rpartition("$")[0] for kept in counting.compared}) == 1


async def test_whoever_guesses_waits_longer_and_longer(site: Site, browser: Browser, lena: str) -> None:
    assert isinstance(site.clock, ManualClock)
    client, waits = browser(), []
    for _ in range(8):
        answer = await log_in(client, lena, "wrong")
        if answer.status_code == 429:
            waits.append(int(answer.headers["retry-after"]))
            assert (await log_in(client, lena)).status_code == 429  # the right one too
            site.clock.advance(waits[-1])
            await log_in(client, lena, "wrong")
    assert waits == [1, 2, 4]
    site.clock.advance(8)
    assert (await log_in(client, lena)).status_code == 303
    assert (await log_in(browser(), lena, "wrong")).status_code == 401  # it begins anew


async def test_an_address_that_tries_many_names_waits_too(browser: Browser, lena: str) -> None:
    client = browser()
    answers = [(await log_in(client, f"name{number}", "wrong")).status_code for number in range(21)]
    assert answers == [401] * 20 + [429]
    assert (await log_in(client, lena)).status_code == 429


def test_guesses_that_come_at_once_are_counted_before_they_are_checked() -> None:
    throttle = Throttle(ManualClock(NOW))
    waits = [throttle.admit(account="lena", address=str(number)) for number in range(6)]
    assert waits == [0, 0, 0, 0, 0, 1]


def test_a_right_password_does_not_let_its_address_guess_others_for_ever() -> None:
    throttle = Throttle(ManualClock(NOW))
    waits = []
    for number in range(21):
        waits.append(throttle.admit(account=f"name{number}", address="192.0.2.1"))
        if throttle.admit(account="own", address="192.0.2.1") == 0:
            throttle.forgive(account="own", address="192.0.2.1")
    assert waits[:20] == [0] * 20
    assert waits[20] > 0


async def test_logging_in_takes_no_session_that_somebody_planted(browser: Browser, lena: str) -> None:
    client = browser(cookies={COOKIE: "planted"})
    await log_in(client, lena)
    assert "planted" not in [each.value for each in client.cookies.jar if each.domain == "pbx.example"]
    assert (await browser(cookies={COOKIE: "planted"}).get("/account")).status_code == 303


async def test_logging_in_again_ends_the_session_before(browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    before = client.cookies[COOKIE]
    await log_in(client, lena)
    assert client.cookies[COOKIE] != before
    assert (await browser(cookies={COOKIE: before}).get("/account")).status_code == 303


@pytest.mark.parametrize(("base", "secure"), [("http://pbx.example", False), ("https://pbx.example", True)])
async def test_no_script_and_no_other_site_gets_the_cookie(
    browser: Browser, lena: str, base: str, secure: bool
) -> None:
    cookie = (await log_in(browser(base=base), lena)).headers["set-cookie"]
    flags = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/"} <= flags
    assert ("secure" in flags) == secure


async def test_the_rows_hold_no_secret(site: Site, browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    everything = sa.select(schema.session)
    (row,) = await reading(site.database, lambda connection: connection.execute(everything).all())
    assert client.cookies[COOKIE] not in [str(value) for value in row]


async def test_a_session_ends_when_it_is_not_used_and_in_any_case(site: Site, browser: Browser, lena: str) -> None:
    assert isinstance(site.clock, ManualClock)
    client = browser()
    await log_in(client, lena)
    site.clock.advance(11 * 3600)
    assert (await client.get("/account")).status_code == 200
    site.clock.advance(13 * 3600)
    assert (await client.get("/account")).status_code == 303
    await log_in(client, lena)
    for _ in range(33):
        site.clock.advance(10 * 3600)
        assert (await client.get("/account")).status_code == 200
    site.clock.advance(10 * 3600)
    assert (await client.get("/account")).status_code == 303


@pytest.mark.parametrize("given", [None, "", "stale", "не то", "A" * 88])
async def test_a_form_without_the_sessions_token_changes_nothing(
    site: Site, browser: Browser, lena: str, given: str | None
) -> None:
    client = browser()
    await log_in(client, lena)
    data = {"current": PASSWORD, "password": "another long one", "again": "another long one"}
    answer = await client.post("/account/password", data=data if given is None else {**data, "csrf": given})
    assert answer.status_code == 403
    assert await audited(site, "password_changed") == []
    assert (await client.post("/logout")).status_code == 403
    assert (await client.get("/account")).status_code == 200


async def test_the_token_of_an_earlier_session_is_worth_nothing(browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    stale = csrf_in((await client.get("/account")).text)
    await log_in(client, lena)
    assert (await client.post("/logout", data={"csrf": stale})).status_code == 403
    assert (await client.post("/logout", headers={"X-CSRF": stale})).status_code == 403


async def test_the_token_is_written_differently_every_time(browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    tokens = {csrf_in((await client.get("/account")).text) for _ in range(3)}
    assert len(tokens) == 3
    assert (await client.post("/logout", headers={"X-CSRF": min(tokens)})).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_no_other_site_logs_anybody_in(browser: Browser, lena: str, headers: dict[str, str]) -> None:
    client = browser(headers=headers)
    answer = await log_in(client, lena)
    assert answer.status_code == 403
    assert COOKIE not in client.cookies


async def test_ones_own_login_page_does(browser: Browser, lena: str) -> None:
    assert (await log_in(browser(headers={"Origin": "http://pbx.example"}), lena)).status_code == 303
    behind = {"Origin": "https://pbx.ru", "X-Forwarded-Host": "pbx.ru"}
    assert (await log_in(browser(headers=behind), lena)).status_code == 303
    assert (await log_in(browser(headers={"Sec-Fetch-Site": "same-origin"}), lena)).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
    ],
)
async def test_the_way_after_the_login_stays_on_this_site(browser: Browser, lena: str, wanted: str) -> None:
    there = (await log_in(browser(), lena, next=wanted)).headers["location"]
    assert httpx.URL("http://pbx.example/login").join(there).host == "pbx.example"
    assert re.match(r"/(?![/\\])", there)


async def test_the_set_up_link_works_once(site: Site, browser: Browser) -> None:
    code = await writing(site.database, lambda connection: first_setup(connection, NOW))
    assert code is not None
    client = browser()
    page = await client.get("/setup", params={"code": code})
    assert (page.status_code, "admin" in page.text) == (200, True)
    data = {"code": code, "password": PASSWORD, "again": PASSWORD}
    assert (await client.post("/setup", data={**data, "again": "another one"})).status_code == 422
    assert (await client.post("/setup", data={**data, "password": "short", "again": "short"})).status_code == 422
    assert (await client.post("/setup", data=data)).headers["location"] == "/login"
    assert (await client.post("/setup", data=data)).status_code == 404
    assert (await client.get("/setup", params={"code": code})).status_code == 404
    assert (await log_in(client, "admin")).status_code == 303
    assert await writing(site.database, lambda connection: first_setup(connection, NOW)) is None


async def test_the_set_up_link_is_good_for_a_day(site: Site, browser: Browser) -> None:
    assert isinstance(site.clock, ManualClock)
    code = await writing(site.database, lambda connection: first_setup(connection, NOW))
    site.clock.advance(24 * 3600)
    assert (await browser().get("/setup", params={"code": code or ""})).status_code == 404


async def test_a_new_link_lets_one_in_again_and_everybody_else_out(site: Site, browser: Browser, lena: str) -> None:
    thief = browser()
    await log_in(thief, lena)
    code = await writing(site.database, lambda connection: setup_code(connection, lena, "test", NOW))
    assert (await thief.get("/account")).status_code == 200
    data = {"code": code, "password": "another long one", "again": "another long one"}
    await browser().post("/setup", data=data)
    assert (await thief.get("/account")).status_code == 303
    assert (await log_in(browser(), lena)).status_code == 401
    assert (await log_in(browser(), lena, "another long one")).status_code == 303


async def test_another_password_ends_the_other_sessions(site: Site, browser: Browser, lena: str) -> None:
    here, there = browser(), browser()
    await log_in(here, lena)
    await log_in(there, lena)
    before = here.cookies[COOKIE]
    csrf = csrf_in((await here.get("/account")).text)
    data = {"csrf": csrf, "current": PASSWORD, "password": "another long one", "again": "another long one"}
    assert (await here.post("/account/password", data={**data, "current": "wrong"})).status_code == 422
    assert (await there.get("/account")).status_code == 200
    assert (await here.post("/account/password", data=data)).status_code == 303
    assert (await here.get("/account")).status_code == 200
    assert here.cookies[COOKIE] != before
    assert (await there.get("/account")).status_code == 303
    assert await audited(site, "password_changed") == ["lena"]


async def test_one_can_log_out_elsewhere_but_nobody_else(browser: Browser, client_of: ClientOf, lena: str) -> None:
    here, there = browser(), browser(headers={"User-Agent": "Old phone"})
    await log_in(here, lena)
    await log_in(there, lena)
    page = (await here.get("/account")).text
    assert "Old phone" in page
    (other,) = re.findall(r'name="session" value="(\w+)"', page)
    boris = await client_of(Role.EMPLOYEE, "102")
    await boris.post("/account/sessions/end", data={"session": other})
    assert (await there.get("/account")).status_code == 200
    await here.post("/account/sessions/end", data={"session": other, "csrf": csrf_in(page)})
    assert (await there.get("/account")).status_code == 303


async def test_a_disabled_account_is_out_at_once(site: Site, browser: Browser, lena: str) -> None:
    client = browser()
    await log_in(client, lena)
    change = sa.update(schema.user_account).values(disabled=True)
    await writing(site.database, lambda connection: connection.execute(change))
    assert (await client.get("/account")).status_code == 303


async def test_the_language_is_the_accounts_and_the_browsers(site: Site, browser: Browser, lena: str) -> None:
    client = browser()
    assert 'lang="ru"' in (await client.get("/login")).text
    there = await client.post("/language", data={"language": "en"}, headers={"Referer": "http://pbx.example/login"})
    assert there.headers["location"] == "/login"
    assert "Log in" in (await client.get("/login")).text
    await log_in(client, lena)
    page = await client.get("/account")
    assert '<html lang="ru"' in page.text
    assert (await client.post("/language", data={"language": "en"})).status_code == 403
    await client.post("/language", data={"language": "en", "csrf": csrf_in(page.text)})
    assert '<html lang="en"' in (await client.get("/account")).text
    assert (await client.post("/language", data={"language": "xx", "csrf": csrf_in(page.text)})).status_code == 422
