"""What everybody may change of his own account: the password, one-time codes, where he is logged in."""

from collections.abc import Callable
from math import ceil
from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.store.accounts import Account, confirm_totp, drop_totp, offer_totp, set_password
from pbxmonitor.store.accounts import account as account_named
from pbxmonitor.store.actions import audit
from pbxmonitor.store.sessions import Session, close_session, sessions
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.auth import address_of, checked_form, known, page_viewer
from pbxmonitor.web.pages.login import Field, new_session, passwords_of, throttle_of
from pbxmonitor.web.passwords import SHORTEST, trouble_with
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.site import site_of
from pbxmonitor.web.throttle import neighbourhood
from pbxmonitor.web.totp import matching_step, new_secret, uri
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
Me = Annotated[Viewer, Depends(page_viewer)]
Sender = Annotated[Viewer, Depends(checked_form)]


@router.get("/account")
async def own(request: Request, viewer: Me) -> Response:
    """One's own account."""
    return await _shown(request, viewer)


@router.post("/account/password")
async def new_password(
    request: Request, viewer: Sender, current: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Another password: every other session ends, and this one goes on under a new secret."""
    if not await _knows_password(request, viewer, current):
        return await _shown(request, viewer, 422, trouble="web.password.wrong")
    trouble = "web.password.differ" if password != again else trouble_with(password, viewer.account)
    if trouble is not None:
        return await _shown(request, viewer, 422, trouble=trouble)
    kept, me, now = await passwords_of(request).hashed(password), viewer.account, site_of(request).clock.now()
    return await _changed(request, viewer, lambda connection: set_password(connection, me, kept, me, now))


@router.post("/account/codes")
async def offer_codes(request: Request, viewer: Sender, current: Field = "") -> Response:
    """A secret for an app that makes codes, which counts once a code of it has been given."""
    if not await _knows_password(request, viewer, current):
        return await _shown(request, viewer, 422, trouble="web.password.wrong")
    secret = new_secret()
    await writing(site_of(request).database, lambda connection: offer_totp(connection, viewer.account, secret))
    return await _shown(request, viewer, secret=secret)


@router.post("/account/codes/confirm")
async def confirm_codes(request: Request, viewer: Sender, code: Field = "") -> Response:
    """The app is set up: from now on its codes are asked for."""
    account, now = await _mine(request, viewer), site_of(request).clock.now()
    offered = account.totp_offered
    step = matching_step(offered, code, now) if offered is not None else None
    if offered is None or step is None:
        return await _shown(request, viewer, 422, trouble="web.codes.wrong", secret=offered)

    def confirm(connection: sa.Connection) -> None:
        if not confirm_totp(connection, viewer.account, offered, step, now):
            raise Problem(409, "web.error.other")

    return await _changed(request, viewer, confirm)


@router.post("/account/codes/off")
async def drop_codes(request: Request, viewer: Sender, current: Field = "") -> Response:
    """No codes any more."""
    if not await _knows_password(request, viewer, current):
        return await _shown(request, viewer, 422, trouble="web.password.wrong")
    me, now = viewer.account, site_of(request).clock.now()
    return await _changed(request, viewer, lambda connection: drop_totp(connection, me, me, now))


@router.post("/account/sessions/end")
async def end_session(request: Request, viewer: Sender, session: Field = "") -> Response:
    """Log out elsewhere."""
    site = site_of(request)

    def end(connection: sa.Connection) -> None:
        if close_session(connection, session, viewer.account):
            audit(connection, site.clock.now(), viewer.account, "session_ended", None, {"address": address_of(request)})

    await writing(site.database, end)
    return RedirectResponse(address(request, "account"), 303)


async def _shown(
    request: Request, viewer: Viewer, status: int = 200, *, trouble: str | None = None, secret: str | None = None
) -> Response:
    account, found = await _mine(request, viewer), await known(request)
    return page(
        request,
        viewer,
        "account.html",
        status,
        account=account.name,
        codes=account.totp_secret is not None,
        trouble=trouble,
        shortest=SHORTEST,
        secret=secret,
        app=uri(secret, account.name) if secret is not None else None,
        sessions=await _sessions(request, viewer),
        this=found.session.digest if found is not None and found.session is not None else "",
    )


async def _mine(request: Request, viewer: Viewer) -> Account:
    """The account as it is now."""
    found = await reading(site_of(request).database, lambda connection: account_named(connection, viewer.account))
    if found is None:
        raise Problem(404)
    return found


async def _sessions(request: Request, viewer: Viewer) -> list[Session]:
    site = site_of(request)
    now = site.clock.now()
    return await reading(site.database, lambda connection: sessions(connection, viewer.account, now))


async def _knows_password(request: Request, viewer: Viewer, current: str) -> bool:
    """Whether it is he himself: an unlocked computer is not enough. Guesses are counted as those at the login are."""
    whom = {"account": viewer.account, "address": neighbourhood(address_of(request))}
    if (wait := throttle_of(request).admit(**whom)) > 0:
        raise Problem(429, "web.login.wait", {"Retry-After": str(ceil(wait))}, n=ceil(wait))
    account, site = await _mine(request, viewer), site_of(request)
    if await passwords_of(request).fits(account.password, current):
        throttle_of(request).forgive(**whom)
        return True
    told = {"address": address_of(request), "at": "account"}
    now = site.clock.now()
    await writing(site.database, lambda c: audit(c, now, viewer.account, "login_failed", None, told))
    return False


async def _changed(request: Request, viewer: Viewer, change: Callable[[sa.Connection], None]) -> Response:
    """Make the change, which ends every session, and go on with a new one."""
    await writing(site_of(request).database, change)
    response = RedirectResponse(address(request, "account"), 303)
    await new_session(request, response, viewer.account)
    return response
