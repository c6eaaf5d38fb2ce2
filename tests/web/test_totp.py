"""One-time codes: those of the standard, set up by their owner, good once."""

import re
from base64 import b32decode

import pytest
import sqlalchemy as sa

from pbxmonitor.clock import ManualClock
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import account, set_password
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.site import Site
from pbxmonitor.web.totp import code_of, matching_step, new_secret, step_of, uri
from tests.web.conftest import NOW, PASSWORD, Browser, audited, csrf_in, log_in

KEYS = {digest: (b"1234567890" * 7)[:length] for digest, length in (("sha1", 20), ("sha256", 32), ("sha512", 64))}


@pytest.mark.parametrize(
    ("digest", "at", "code"),
    [
        ("sha1", 59, "94287082"),
        ("sha256", 59, "46119246"),
        ("sha512", 59, "90693936"),
        ("sha1", 1111111109, "07081804"),
        ("sha256", 1111111109, "68084774"),
        ("sha512", 1111111109, "25091201"),
        ("sha1", 1111111111, "14050471"),
        ("sha256", 1111111111, "67062674"),
        ("sha512", 1111111111, "99943326"),
        ("sha1", 1234567890, "89005924"),
        ("sha256", 1234567890, "91819424"),
        ("sha512", 1234567890, "93441116"),
        ("sha1", 2000000000, "69279037"),
        ("sha256", 2000000000, "90698825"),
        ("sha512", 2000000000, "38618901"),
        ("sha1", 20000000000, "65353130"),
        ("sha256", 20000000000, "77737706"),
        ("sha512", 20000000000, "47863826"),
    ],
)
def test_codes_are_those_of_rfc_6238(digest: str, at: int, code: str) -> None:
    assert code_of(KEYS[digest], at // 30, digits=8, digest=digest) == code


def test_a_code_is_good_for_the_step_before_and_after_it() -> None:
    secret = new_secret()
    key, now = b32decode(secret), step_of(NOW)
    found = [matching_step(secret, code_of(key, now + each), NOW) for each in (-2, -1, 0, 1, 2)]
    assert found == [None, now - 1, now, now + 1, None]
    assert matching_step(secret, "код", NOW) is None
    assert uri(secret, "lena").startswith("otpauth://totp/pbxmonitor%3Alena?secret=")


async def test_codes_are_asked_for_once_the_app_has_shown_one(site: Site, browser: Browser, lena: str) -> None:
    assert isinstance(site.clock, ManualClock)
    client, other = browser(), browser()
    await log_in(client, lena)
    await log_in(other, lena)
    client.headers["X-CSRF"] = csrf_in((await client.get("/account")).text)
    offered = await client.post("/account/codes", data={"current": PASSWORD})
    secret = re.findall(r'class="secret">(\w+)<', offered.text)[0]
    assert (await client.post("/account/codes/confirm", data={"code": "000000"})).status_code == 422
    assert (await log_in(browser(), lena)).status_code == 303  # not yet
    code = _code(secret, site)
    assert (await client.post("/account/codes/confirm", data={"code": code})).status_code == 303
    assert (await client.get("/account")).status_code == 200
    assert (await other.get("/account")).status_code == 303
    assert (await log_in(browser(), lena)).status_code == 401
    assert (await log_in(browser(), lena, code=code)).status_code == 401  # used up
    site.clock.advance(30)
    assert (await log_in(browser(), lena, code=_code(secret, site))).status_code == 303
    assert (await log_in(browser(), lena, code=_code(secret, site))).status_code == 401
    await writing(site.database, lambda connection: set_password(connection, lena, "", "test", NOW))
    kept = await reading(site.database, lambda connection: account(connection, lena))
    assert kept is not None
    assert kept.totp_secret == secret  # a new password does not turn codes off


async def test_codes_are_turned_off_by_the_password_only(site: Site, browser: Browser, lena: str) -> None:
    secret = new_secret()
    change = sa.update(schema.user_account).values(totp_secret=secret)
    await writing(site.database, lambda connection: connection.execute(change))
    client = browser()
    await log_in(client, lena, code=_code(secret, site))
    client.headers["X-CSRF"] = csrf_in((await client.get("/account")).text)
    assert (await client.post("/account/codes/off", data={"current": "wrong"})).status_code == 422
    assert (await client.post("/account/codes/off", data={"current": PASSWORD})).status_code == 303
    assert (await log_in(browser(), lena)).status_code == 303
    assert await audited(site, "totp_off") == ["lena"]


def _code(secret: str, site: Site) -> str:
    return code_of(b32decode(secret), step_of(site.clock.now()))
