"""Logging in and out, the one-time link by which a password is chosen, and the language."""

from datetime import datetime
from math import ceil
from typing import Annotated, Final
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.settings_web import web_of
from pbxmonitor.store.accounts import Account, account_of_code, change, redeem, rehash, use_step
from pbxmonitor.store.accounts import account as account_named
from pbxmonitor.store.actions import audit
from pbxmonitor.store.identities import proof_of, prove
from pbxmonitor.store.sessions import close_session, digest_of, open_session
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import LANGUAGES
from pbxmonitor.web.auth import (
    address_of,
    checked_form,
    cookie_path,
    known,
    log_in,
    log_out,
    own_form,
)
from pbxmonitor.web.id_tokens import OidcError
from pbxmonitor.web.passwords import LONGEST, SHORTEST, Passwords, trouble_with
from pbxmonitor.web.problems import Problem, path_of
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.site import site_of
from pbxmonitor.web.throttle import Throttle, neighbourhood
from pbxmonitor.web.totp import matching_step
from pbxmonitor.web.viewer import Viewer

log = structlog.get_logger()
router = APIRouter()
_START: Final = "now"
# What the audit calls whoever gave a name that no account has: people type their passwords there.
_NOBODY: Final = "?"
_YEAR_S: Final = 365 * 86400
Field = Annotated[str, Form(max_length=LONGEST)]


@router.get("/login")
async def login_page(request: Request, wanted: Annotated[str, Query(alias="next")] = "") -> Response:
    """The form; who is logged in goes on."""
    if await known(request) is not None:
        return wanted_page(request, wanted)
    return login_form(request, wanted=wanted)


@router.post("/login", dependencies=[Depends(own_form)])
async def login(
    request: Request,
    name: Field = "",
    password: Field = "",
    code: Field = "",
    wanted: Annotated[str, Form(alias="next")] = "",
) -> Response:
    """A new session for whoever knows the password and, where one is set up, the code; else the form again."""
    name = name.strip().lower()
    wait = throttle_of(request).admit(account=name, address=neighbourhood(address_of(request)))
    if wait > 0:
        return login_form(request, 429, wanted=wanted, login=name, trouble="web.login.wait", wait=wait)
    account = await _proven(request, name, password, code)
    if account is None:
        return login_form(request, 401, wanted=wanted, login=name, trouble="web.login.wrong")
    throttle_of(request).forgive(account=name, address=neighbourhood(address_of(request)))
    response = wanted_page(request, wanted)
    await new_session(request, response, account.name, "login")
    return response


@router.post("/logout")
async def logout(request: Request, viewer: Annotated[Viewer, Depends(checked_form)]) -> Response:
    """End this session, and that at the identity provider by which it began, where it offers that."""
    site, found = site_of(request), await known(request)
    digest = found.session.digest if found is not None and found.session is not None else ""

    def end(connection: sa.Connection) -> str | None:
        proof = proof_of(connection, digest)
        close_session(connection, digest, viewer.account)
        audit(connection, site.clock.now(), viewer.account, "logout", None, {"address": address_of(request)})
        return proof

    proof = await writing(site.database, end)
    elsewhere = await _logout_address(request, proof) if proof is not None else None
    response = RedirectResponse(elsewhere or address(request, "login"), 303)
    log_out(response, request)
    return response


@router.get("/setup")
async def setup_page(request: Request, code: str = "") -> Response:
    """The form in which the bearer of a one-time link chooses his password."""
    account = await _whose(request, code)
    return page(request, None, "setup.html", code=code, login=account.name, trouble=None, shortest=SHORTEST)


@router.post("/setup", dependencies=[Depends(own_form)])
async def setup(request: Request, code: Field = "", password: Field = "", again: Field = "") -> Response:
    """The password is chosen, and the link is used up; he logs in with it."""
    site, account = site_of(request), await _whose(request, code)
    trouble = "web.password.differ" if password != again else trouble_with(password, account.name)
    if trouble is not None:
        return page(request, None, "setup.html", 422, code=code, login=account.name, trouble=trouble, shortest=SHORTEST)
    kept = await passwords_of(request).hashed(password)
    now = site.clock.now()
    if await writing(site.database, lambda connection: redeem(connection, code, kept, now)) is None:
        raise Problem(404, "web.setup.gone")
    return RedirectResponse(address(request, "login"), 303)


@router.post("/language", dependencies=[Depends(own_form)])
async def language(request: Request, language: Annotated[str, Form(max_length=2)] = "") -> Response:
    """The other language, for the account of whoever is logged in and for this browser."""
    if language not in LANGUAGES:
        raise Problem(422)
    if await known(request) is not None:
        site, viewer = site_of(request), await checked_form(request)
        me, now = viewer.account, site.clock.now()
        await writing(site.database, lambda connection: change(connection, me, me, now, language=language))
    response = RedirectResponse(address(request, _came_from(request)), 303)
    response.set_cookie("language", language, _YEAR_S, path=cookie_path(request), samesite="lax", httponly=True)
    return response


def login_form(
    request: Request,
    status: int = 200,
    *,
    wanted: str = "",
    login: str = "",
    trouble: str | None = None,
    wait: float = 0,
) -> Response:
    """The form, with what is wrong; who came too often is told how many seconds to wait."""
    oidc = web_of(site_of(request).settings).oidc
    words = {"next": wanted, "login": login, "trouble": trouble, "wait": ceil(wait)}
    shown = page(request, None, "login.html", status, provider=oidc.name if oidc is not None else None, **words)
    if status == 429:
        shown.headers["Retry-After"] = str(ceil(wait))
    return shown


async def _logout_address(request: Request, proof: str) -> str | None:
    """Where the provider ends its own session; None where there is none, or it cannot be asked."""
    oidc = web_of(site_of(request).settings).oidc
    if oidc is None or not oidc.logout:
        return None
    from pbxmonitor.web.pages.oidc import provider_of

    public = web_of(site_of(request).settings).public_url
    back = f"{public}/login" if public else f"{request.url.scheme}://{request.url.netloc}{address(request, 'login')}"
    try:
        return await provider_of(request).logout_address(proof, back)
    except OidcError as error:
        log.warning("oidc_failed", reason=error.reason)
        return None


async def new_session(
    request: Request,
    response: Response,
    name: str,
    action: str | None = None,
    *,
    via: str | None = None,
    proof: str | None = None,
) -> None:
    """A session that nobody knew of before, in place of the browser's old one; `action` is told to the audit.

    `via` says by whose word it begins, if not by a password's; `proof` is kept until it ends.
    """
    site, found = site_of(request), await known(request)
    old = found.session if found is not None else None
    now, longest = site.clock.now(), web_of(site.settings).session_longest
    where, device = address_of(request), request.headers.get("user-agent", "")

    def begin(connection: sa.Connection) -> str:
        if old is not None:
            close_session(connection, old.digest, old.account)
        if action is not None:
            audit(connection, now, name, action, None, {"address": where} | ({"via": via} if via else {}))
        secret = open_session(connection, name, now, longest, address=where, device=device)
        if proof is not None:
            prove(connection, digest_of(secret), proof)
        return secret

    log_in(response, request, await writing(site.database, begin))


def throttle_of(request: Request) -> Throttle:
    """Who guesses, and must wait."""
    throttle: Throttle = request.app.state.throttle
    return throttle


def passwords_of(request: Request) -> Passwords:
    """How passwords are hashed here."""
    passwords: Passwords = request.app.state.passwords
    return passwords


async def _proven(request: Request, name: str, password: str, code: str) -> Account | None:
    """The account, if password and code are right; the failure is in the audit."""
    site, passwords = site_of(request), passwords_of(request)
    now = site.clock.now()
    account = await reading(site.database, lambda connection: account_named(connection, name))
    fits = await passwords.fits(account.password if account is not None else None, password)
    stale = fits and account is not None and passwords.stale(account.password or "")
    again = await passwords.hashed(password) if stale else None

    def check(connection: sa.Connection) -> bool:
        if account is not None and fits and not account.disabled and _code_fits(connection, account, code, now):
            if again is not None:
                rehash(connection, name, account.password or "", again)
            return True
        who = account.name if account is not None else _NOBODY
        audit(connection, now, who, "login_failed", None, {"address": address_of(request)})
        return False

    return account if await writing(site.database, check) else None


def _code_fits(connection: sa.Connection, account: Account, code: str, now: datetime) -> bool:
    """Whether the code is right, where codes are asked for; each is good once."""
    if account.totp_secret is None:
        return True
    step = matching_step(account.totp_secret, code, now)
    return step is not None and use_step(connection, account.name, step)


async def _whose(request: Request, code: str) -> Account:
    site = site_of(request)
    now = site.clock.now()
    found = await reading(site.database, lambda connection: account_of_code(connection, code, now))
    if found is None:
        raise Problem(404, "web.setup.gone")
    return found


def wanted_page(request: Request, wanted: str) -> Response:
    """To where he wanted to go, which is a page of ours whatever was written there."""
    plain = "".join(sign for sign in wanted if sign.isprintable() and sign != "\\").lstrip("/ ")
    return RedirectResponse(address(request, plain or _START), 303)


def _came_from(request: Request) -> str:
    """The page that the form was on."""
    parts = urlsplit(request.headers.get("referer", ""))
    if parts.netloc != request.headers.get("host"):
        return _START
    root = str(request.scope.get("root_path", ""))
    inside = parts.path.removeprefix(root).lstrip("/") + (f"?{parts.query}" if parts.query else "")
    return inside if path_of(request).lstrip("/") != inside else _START
