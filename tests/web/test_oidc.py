"""Logging in by an identity provider: the whole way there and back, and all that must not be believed."""

import hmac
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import ValidationError

from pbxmonitor.settings_oidc import OidcSettings
from pbxmonitor.settings_web import WebSettings
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import Account, account, add, change
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.app import make_app
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.site import Site
from tests.notify.loopback import Said
from tests.web.conftest import NOW, csrf_in, settings_of
from tests.web.fake_provider import CLIENT, SECRET, Claims, FakeProvider, provider

RULES: dict[str, Any] = {
    "role_claim": "groups",
    "roles": {"pbx-admins": "admin", "pbx-leads": "supervisor", "pbx": "employee"},
    "teams": {"desk-leads": "desk"},
    "create": True,
}


@pytest.fixture
async def there(site: Site) -> AsyncIterator[FakeProvider]:
    """The provider."""
    async with provider(site.clock.now) as made:
        yield made


class Here:
    """The application as those settings make it, and browsers at it."""

    def __init__(self, site: Site, there: FakeProvider, passwords: Passwords, opened: AsyncExitStack) -> None:
        self.site, self.there, self._passwords, self._opened = site, there, passwords, opened
        self.use()

    def use(self, **more: Any) -> None:
        """Other settings."""
        table = {"issuer": self.there.issuer, "client_id": CLIENT, "client_secret": SECRET, **RULES, **more}
        web = WebSettings(oidc=OidcSettings(**table), public_url="https://pbx.example/calls", root_path="/calls")
        self.site = replace(self.site, settings=settings_of(self.site.settings.database.full_url, web=web))
        self.app = make_app(self.site, passwords=self._passwords)

    def browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=("192.0.2.1", 5000))
        made = httpx.AsyncClient(transport=transport, base_url="https://pbx.example")
        self._opened.push_async_callback(made.aclose)
        return made

    async def sent(self, client: httpx.AsyncClient, wanted: str = "") -> str:
        """Where the button leads to."""
        answer = await client.get("/calls/login/oidc", params={"next": wanted})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def enters(self, client: httpx.AsyncClient | None = None, wanted: str = "", **claims: Any) -> httpx.Response:
        """The whole way; what is answered at its end."""
        client = client or self.browser()
        back = self.there.logs_in(await self.sent(client, wanted), **claims)
        assert back.startswith("https://pbx.example/calls/login/oidc/back?")
        return await client.get(back)

    async def account(self, name: str) -> Account:
        found = await reading(self.site.database, lambda connection: account(connection, name))
        assert found is not None
        return found


@pytest.fixture
async def here(site: Site, there: FakeProvider, passwords: Passwords) -> AsyncIterator[Here]:
    async with AsyncExitStack() as opened:
        yield Here(site, there, passwords, opened)


def anna(*groups: str, **more: Any) -> Claims:
    return {"preferred_username": "101", "groups": list(groups or ("pbx",)), **more}


def is_in(answer: httpx.Response) -> bool:
    return answer.status_code == 303 and COOKIE in answer.cookies


async def audit_of(site: Site, action: str) -> list[dict[str, Any]]:
    wanted = sa.select(schema.audit.c.details).where(schema.audit.c.action == action)
    rows = await reading(site.database, lambda connection: connection.execute(wanted).scalars().all())
    return [json.loads(row) for row in rows]


async def test_who_logs_in_there_is_in_here_with_an_account_of_his_own(here: Here) -> None:
    client = here.browser()
    form = await client.get("/calls/login")
    assert 'href="/calls/login/oidc"' in form.text
    answer = await here.enters(client, wanted="journal?day=today", **anna())
    assert is_in(answer)
    assert answer.headers["location"] == "/calls/journal?day=today"
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith(f"{COOKIE}="))
    assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax", "Path=/calls"))
    assert (await client.get("/calls/account")).status_code == 200
    made = await here.account("101")
    assert (made.role, made.person, made.password) == ("employee", "101", None)
    assert [each["via"] for each in await audit_of(here.site, "login")] == ["oidc"]
    assert len(await audit_of(here.site, "identity_linked")) == 1
    again = await here.enters(**anna())
    assert is_in(again)
    assert len(await audit_of(here.site, "account_added")) == 1


async def test_the_policy_of_a_page_lets_its_forms_end_at_the_provider(here: Here) -> None:
    policy = (await here.browser().get("/calls/login")).headers["content-security-policy"]
    assert f"form-action 'self' {here.there.issuer};" in policy
    assert "script-src 'self';" in policy


async def test_rights_are_those_of_the_last_login(here: Here) -> None:
    client = here.browser()
    await here.enters(client, **anna("pbx"))
    await here.enters(**anna("pbx", "pbx-leads", "desk-leads"))
    assert (await client.get("/calls/account")).status_code == 303  # other rights begin with a new login
    promoted = await here.account("101")
    assert (promoted.role, promoted.leads) == ("supervisor", frozenset({"desk"}))
    await here.enters(client, **anna("pbx-leads", "desk-leads"))
    assert (await client.get("/calls/employees/102")).status_code == 200
    assert (await client.get("/calls/employees/103")).status_code in (403, 404)
    await here.enters(**anna("pbx"))
    demoted = await here.account("101")
    assert (demoted.role, demoted.leads) == ("employee", frozenset())


async def test_who_has_no_role_any_more_does_not_come_in(here: Here) -> None:
    await here.enters(**anna("pbx"))
    answer = await here.enters(**anna("other"))
    assert answer.status_code == 403
    assert not is_in(answer)
    here.use(default_role="employee")
    assert is_in(await here.enters(**anna("other")))


async def test_the_last_administrator_stays_one(here: Here) -> None:
    await here.enters(**{**anna("pbx-admins"), "preferred_username": "root"})
    assert (await here.account("root")).role == "admin"
    answer = await here.enters(**{**anna("pbx", "pbx-leads"), "preferred_username": "root"})
    assert is_in(answer)
    assert (await here.account("root")).role == "admin"


async def test_a_disabled_account_stays_out(here: Here) -> None:
    await here.enters(**anna())
    await writing(here.site.database, lambda c: change(c, "101", "test", NOW, disabled=True))
    answer = await here.enters(**anna())
    assert answer.status_code == 403
    assert not is_in(answer)
    assert [each["reason"] for each in await audit_of(here.site, "login_failed")] == ["oidc.cannot.disabled"]


async def test_an_account_is_its_subjects_whatever_he_is_called(here: Here) -> None:
    await here.enters(**anna(sub="1"))
    renamed = await here.enters(**{**anna(sub="1"), "preferred_username": "anna.new"})
    assert is_in(renamed)
    names = await reading(
        here.site.database, lambda c: c.execute(sa.select(schema.user_account.c.name)).scalars().all()
    )
    assert set(names) == {"101"}
    impostor = await here.enters(**anna(sub="2"))
    assert impostor.status_code == 403
    assert not is_in(impostor)
    here.use(adopt=True)
    assert not is_in(await here.enters(**anna(sub="2")))


async def test_an_account_that_was_made_here_is_taken_over_only_where_the_settings_say_so(here: Here) -> None:
    made = Account(name="101", role="manager", person="101", password="a hash")
    await writing(here.site.database, lambda c: add(c, made, "test", NOW))
    here.use(roles={}, teams={}, role_claim=None, create=False)
    assert (await here.enters(**anna())).status_code == 403
    here.use(roles={}, teams={}, role_claim=None, create=False, adopt=True)
    assert is_in(await here.enters(**anna()))
    assert (await here.account("101")).role == "manager"


async def test_a_stranger_is_refused_where_accounts_are_not_made(here: Here) -> None:
    here.use(create=False)
    answer = await here.enters(**anna())
    assert (answer.status_code, is_in(answer)) == (403, False)
    assert "101" not in str(await audit_of(here.site, "account_added"))


@pytest.mark.parametrize("name", ["", "a b", "x" * 81, "<script>"])
async def test_a_login_that_could_be_no_accounts_is_refused(here: Here, name: str) -> None:
    answer = await here.enters(**{**anna(), "preferred_username": name})
    assert (answer.status_code, is_in(answer)) == (403, False)


async def test_who_would_see_nothing_is_told_so(here: Here) -> None:
    answer = await here.enters(**{**anna(), "preferred_username": "stranger"})
    assert (answer.status_code, is_in(answer)) == (403, False)
    here.use(person_claim="employee")
    assert is_in(await here.enters(**{**anna(employee="102"), "preferred_username": "stranger"}))
    assert (await here.account("stranger")).person == "102"


async def test_claims_within_tables_and_from_the_second_place(here: Here) -> None:
    here.use(role_claim="realm_access.roles")
    assert is_in(await here.enters(preferred_username="101", realm_access={"roles": ["pbx"]}))
    here.use(role_claim="groups")
    here.there.metadata["userinfo_endpoint"] = f"{here.there.issuer}/userinfo"
    here.there.userinfo["access-code-1"] = {"sub": "sub of 101", "groups": ["pbx-leads", "desk-leads"]}
    assert is_in(await here.enters(preferred_username="101"))
    assert (await here.account("101")).role == "supervisor"
    here.there.userinfo["access-code-2"] = {"sub": "somebody else", "groups": ["pbx-admins"]}
    assert not is_in(await here.enters(preferred_username="101"))


def encoded(whole: bytes) -> str:
    return urlsafe_b64encode(whole).rstrip(b"=").decode()


def part(table: dict[str, Any]) -> str:
    return encoded(json.dumps(table).encode())


def unsigned(claims: Claims) -> str:
    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


WRONG: dict[str, dict[str, Any]] = {
    "another client": {"aud": "another"},
    "several clients": {"aud": [CLIENT, "another"]},
    "made for another": {"azp": "another"},
    "another issuer": {"iss": "https://another.example"},
    "expired": {"exp": int((NOW - timedelta(minutes=2)).timestamp())},
    "without an end": {"exp": None},
    "old": {"iat": int((NOW - timedelta(hours=1)).timestamp())},
    "of the future": {"iat": int((NOW + timedelta(hours=1)).timestamp())},
    "another login": {"nonce": "x" * 43},
    "without a nonce": {"nonce": None},
    "nobody's": {"sub": ""},
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_token_that_claims_something_else_proves_nothing(here: Here, what: str) -> None:
    answer = await here.enters(**anna(**WRONG[what]))
    assert (answer.status_code, is_in(answer)) == (403, False)
    assert len(await audit_of(here.site, "login_failed")) == 1


async def test_a_token_that_is_signed_otherwise_proves_nothing(here: Here) -> None:
    """Unsigned, with a shared secret (even the public key's text), by a stranger's key, or changed afterwards."""
    there, stranger = here.there, RSAKey.generate_key(2048, {"kid": "first"})
    (public,) = (key.as_pem(private=False) for key in there.keys.values())

    def shared(claims: Claims, secret: bytes) -> str:
        both = ".".join(map(part, ({"alg": "HS256", "kid": "first"}, claims)))
        return f"{both}.{encoded(hmac.digest(secret, both.encode(), 'sha256'))}"

    def changed(claims: Claims) -> str:
        head, _, sign = there.signed(claims).split(".")
        return f"{head}.{part({**claims, 'groups': ['pbx-admins']})}.{sign}"

    for mint in (
        unsigned,
        lambda claims: shared(claims, SECRET.encode()),
        lambda claims: shared(claims, public),
        lambda claims: jwt.encode({"alg": "RS256", "kid": "first"}, claims, stranger),
        lambda claims: there.signed(claims, kid="unheard of"),
        changed,
        lambda claims: there.signed(claims).rpartition(".")[0] + ".",
        lambda _claims: "no token at all",
    ):
        there.mint = mint
        answer = await here.enters(**anna())
        assert (answer.status_code, is_in(answer)) == (403, False)
    there.mint = None
    assert is_in(await here.enters(**anna()))


async def test_keys_are_asked_for_again_when_they_change_and_not_all_the_time(here: Here) -> None:
    assert is_in(await here.enters(**anna()))
    here.there.rotate("second")
    here.site.clock.advance(60)  # type: ignore[attr-defined]
    assert is_in(await here.enters(**anna()))
    asked = here.there.asked.count("/keys")
    assert asked == 2
    here.there.mint = lambda claims: here.there.signed(claims, kid="unheard of")
    for _ in range(3):
        assert not is_in(await here.enters(**anna()))
    assert here.there.asked.count("/keys") == asked


async def test_a_way_back_is_good_once_and_in_the_browser_that_went(here: Here) -> None:
    client, thief = here.browser(), here.browser()
    back = here.there.logs_in(await here.sent(client), **anna())
    assert (await thief.get(back)).status_code == 403
    assert is_in(await client.get(back))
    assert (await client.get(back)).status_code == 403  # the state is used up
    begun = await here.sent(client)
    state = re.search(r"state=([^&]+)", begun)
    assert state is not None
    replayed = re.sub(r"state=[^&]+", f"state={state[1]}", back)
    assert (await client.get(replayed)).status_code == 403  # and so is the code
    assert here.there.used.count("code-0") == 1


async def test_a_login_that_takes_too_long_is_begun_anew(here: Here) -> None:
    client = here.browser()
    back = here.there.logs_in(await here.sent(client), **anna())
    here.site.clock.advance(601)  # type: ignore[attr-defined]
    assert (await client.get(back)).status_code == 403


async def test_another_issuers_answer_is_refused(here: Here) -> None:
    client = here.browser()
    back = here.there.logs_in(await here.sent(client), **anna())
    mixed = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fanother.example", back)
    assert (await client.get(mixed)).status_code == 403
    assert here.there.used == []


async def test_what_the_provider_refuses_is_said_without_its_words(here: Here) -> None:
    client = here.browser()
    state = re.search(r"state=([^&]+)", await here.sent(client))
    assert state is not None
    asked = {"error": "access_denied", "error_description": "<b>evil</b>", "state": state[1]}
    answer = await client.get("/calls/login/oidc/back", params=asked)
    assert answer.status_code == 403
    assert "evil" not in answer.text


async def test_guessing_at_the_way_back_is_slowed_down(here: Here) -> None:
    client = here.browser()
    asked = {"code": "x", "state": "y"}
    found = {(await client.get("/calls/login/oidc/back", params=asked)).status_code for _ in range(25)}
    assert found == {403, 429}


async def test_a_provider_that_is_away_or_not_what_it_says_is_one_clear_line(here: Here) -> None:
    client = here.browser()
    for metadata, said in (
        ({"issuer": "https://another.example"}, "calls itself https://another.example"),
        ({"token_endpoint": "http://elsewhere.example/token"}, "token_endpoint"),
        ({"code_challenge_methods_supported": ["plain"]}, "S256"),
    ):
        here.there.metadata = metadata
        here.use()
        with structlog.testing.capture_logs() as logs:
            answer = await client.get("/calls/login/oidc")
            client = here.browser()
            answer = await client.get("/calls/login/oidc")
        assert answer.status_code == 502
        assert said in logs[-1]["reason"]
        assert (await client.get("/calls/login")).status_code == 200
    here.there.metadata = {}
    here.use(issuer="http://127.0.0.1:9")
    assert (await here.browser().get("/calls/login/oidc")).status_code == 502


async def test_no_secret_reaches_the_log(here: Here) -> None:
    here.there.answer_token = Said.json({"error": "invalid_client", "error_description": SECRET}, 401)
    with structlog.testing.capture_logs() as logs:
        answer = await here.enters(**anna())
    assert answer.status_code == 502
    assert "invalid_client" in str(logs)
    assert SECRET not in str(logs) + answer.text + str(await audit_of(here.site, "login_failed"))
    assert SECRET not in repr(here.site.settings)


async def test_who_logs_out_here_logs_out_there(here: Here) -> None:
    client = here.browser()
    await here.enters(client, **anna())
    csrf = csrf_in((await client.get("/calls/account")).text)
    answer = await client.post("/calls/logout", data={"csrf": csrf})
    assert answer.headers["location"].startswith(f"{here.there.issuer}/logout?id_token_hint=ey")
    assert "post_logout_redirect_uri=https%3A%2F%2Fpbx.example%2Fcalls%2Flogin" in answer.headers["location"]
    assert (await client.get("/calls/account")).status_code == 303
    kept = await reading(here.site.database, lambda c: c.execute(sa.select(schema.session_proof)).all())
    assert kept == []


async def test_a_logout_that_would_lead_elsewhere_ends_here(here: Here) -> None:
    here.there.metadata = {"end_session_endpoint": "https://elsewhere.example/logout"}
    here.use()
    client = here.browser()
    await here.enters(client, **anna())
    csrf = csrf_in((await client.get("/calls/account")).text)
    assert (await client.post("/calls/logout", data={"csrf": csrf})).headers["location"] == "/calls/login"


async def test_without_the_settings_there_is_no_such_page(site: Site, browser: Any) -> None:
    client = browser()
    assert (await client.get("/login/oidc")).status_code == 404
    assert (await client.get("/login/oidc/back")).status_code == 404
    assert "oidc" not in (await client.get("/login")).text


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"issuer": "http://sso.example"}, "issuer"),
        ({"issuer": "https://sso.example", "scopes": ["email"]}, "openid"),
        ({"issuer": "https://sso.example", "roles": {"a": "admin"}}, "role_claim"),
        ({"issuer": "https://sso.example", "create": True}, "default_role"),
        ({"issuer": "https://sso.example", "algorithms": ["none"]}, "algorithms"),
        ({"issuer": "https://sso.example", "algorithms": ["HS256"]}, "algorithms"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(table: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OidcSettings(**{"client_id": "x", **table})
