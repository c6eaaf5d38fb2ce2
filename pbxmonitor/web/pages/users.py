"""Accounts as an administrator keeps them: who may look, as whom, by which one-time links and tokens."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal, TypeVar

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.store import accounts as store
from pbxmonitor.store import sessions
from pbxmonitor.store.accounts import Account, CannotChange
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web import enrolment
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
T = TypeVar("T")
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
Text = Annotated[str, Form(max_length=160)]
Flag = Annotated[bool, Form()]
Language = Annotated[Literal["ru", "en"], Form()]
RoleName = Annotated[Role, Form()]
_LOGIN: Final = re.compile(r"[\w.@-]{1,80}")
_DONE: Final = frozenset({"changed", "removed", "revoked"})


@router.get("/users")
async def users(request: Request, viewer: Admin) -> Response:
    """All accounts, and the form for one more."""
    given = {"name": "", "role": Role.EMPLOYEE, "person": "", "masked": False, "language": viewer.language}
    return await _list(request, viewer, given)


@router.post("/users", dependencies=FORM)
async def add(
    request: Request,
    viewer: Admin,
    role: RoleName,
    language: Language,
    name: Text = "",
    person: Text = "",
    masked: Flag = False,
) -> Response:
    """A new account, and the link by which its password is chosen, shown this once."""
    site, login = site_of(request), name.strip().lower()
    given = {"name": name, "role": role, "person": person, "masked": masked, "language": language}
    trouble = (
        "web.users.cannot.login" if not _LOGIN.fullmatch(login) else enrolment.trouble_with(site.settings, role, person)
    )
    if trouble is not None:
        return await _list(request, viewer, given, 422, trouble)
    new = Account(name=login, role=role.value, person=person or None, language=language, whole_numbers=not masked)

    def work(connection: sa.Connection, now: datetime) -> str:
        store.add(connection, new, viewer.account, now)
        return store.setup_code(connection, login, viewer.account, now)

    try:
        code = await _written(site, work)
    except CannotChange as cannot:
        return await _list(request, viewer, given, 409, cannot.key)
    return await _one(request, viewer, login, link=enrolment.link(request, code))


@router.get("/users/account")
async def one(request: Request, viewer: Admin, name: str = "") -> Response:
    """One account: its rights, its way in, its tokens."""
    return await _one(request, viewer, name, done=request.query_params.get("done"))


@router.post("/users/change", dependencies=FORM)
async def change(
    request: Request,
    viewer: Admin,
    role: RoleName,
    language: Language,
    name: Text = "",
    person: Text = "",
    masked: Flag = False,
    disabled: Flag = False,
) -> Response:
    """Other rights, which begin with a new login."""
    site, by = site_of(request), viewer.account
    trouble = enrolment.trouble_with(site.settings, role, person)
    if trouble is not None:
        return await _one(request, viewer, name, 422, trouble=trouble)
    rights: dict[str, object] = {"role": role.value, "person": person or None, "language": language}
    rights |= {"whole_numbers": not masked, "disabled": disabled}
    return await _done(request, viewer, name, "changed", lambda c, now: store.change(c, name, by, now, **rights))


@router.post("/users/setup", dependencies=FORM)
async def setup(request: Request, viewer: Admin, name: Text = "", forget_codes: Flag = False) -> Response:
    """A new one-time link; the old password works until it is used."""
    _check_plain(name)
    try:
        code = await _written(
            site_of(request),
            lambda c, now: store.setup_code(c, name, viewer.account, now, forget_totp=forget_codes),
        )
    except CannotChange as cannot:
        raise Problem(404, cannot.key) from None
    return await _one(request, viewer, name, link=enrolment.link(request, code))


@router.post("/users/remove", dependencies=FORM)
async def remove(request: Request, viewer: Admin, name: Text = "") -> Response:
    """Forget the account; what it did stays in the audit."""
    by = viewer.account
    return await _done(request, viewer, name, "removed", lambda c, now: store.remove(c, name, by, now))


@router.post("/users/tokens", dependencies=FORM)
async def new_token(
    request: Request,
    viewer: Admin,
    scope: Annotated[Literal["read", "act", "hooks"], Form()],
    name: Text = "",
    called: Text = "",
    days: Text = "365",
) -> Response:
    """A token for a program, which sees what the account sees; shown this once."""
    _check_plain(name)
    reason = " ".join(called.split())
    if not reason or not is_plain(reason) or days not in enrolment.LIVES:
        return await _one(request, viewer, name, 422, trouble="web.users.cannot.token")
    scopes = frozenset({sessions.READ, scope})

    def work(connection: sa.Connection, now: datetime) -> str:
        if store.account(connection, name) is None:
            raise CannotChange("web.account.cannot.unknown")
        until = now + timedelta(days=int(days)) if int(days) else None
        return sessions.new_token(connection, name, reason, scopes, viewer.account, now, until)

    try:
        token = await _written(site_of(request), work)
    except CannotChange as cannot:
        raise Problem(404, cannot.key) from None
    return await _one(request, viewer, name, token=token)


@router.post("/users/tokens/revoke", dependencies=FORM)
async def revoke(request: Request, viewer: Admin, name: Text = "", token: Text = "") -> Response:
    """The token works no more."""
    _check_plain(token)
    by = viewer.account
    return await _done(request, viewer, name, "revoked", lambda c, now: sessions.revoke_token(c, token, by, now, name))


async def _list(
    request: Request, viewer: Viewer, given: dict[str, object], status: int = 200, trouble: str | None = None
) -> Response:
    site = site_of(request)
    found, tokens = await reading(site.database, lambda c: (store.accounts(c), sessions.tokens(c)))
    done = "removed" if request.query_params.get("done") == "removed" else None
    return page(
        request,
        viewer,
        "users.html",
        status,
        accounts=found,
        tokens=Counter(each.account for each in tokens),
        given=given,
        **enrolment.choices(site.settings, viewer.language),
        **enrolment.said(viewer.language, done, trouble),
    )


async def _one(
    request: Request,
    viewer: Viewer,
    name: str,
    status: int = 200,
    *,
    link: str | None = None,
    token: str | None = None,
    done: str | None = None,
    trouble: str | None = None,
) -> Response:
    _check_plain(name)
    site = site_of(request)
    account, tokens = await reading(site.database, lambda c: (store.account(c, name), sessions.tokens(c, name)))
    if account is None:
        raise Problem(404, "web.account.cannot.unknown")
    return page(
        request,
        viewer,
        "user.html",
        status,
        current="users",
        account=account,
        tokens=tokens,
        link=link,
        token=token,
        now=site.clock.now(),
        lives=[(days, enrolment.life(days, viewer.language)) for days in enrolment.LIVES],
        **enrolment.choices(site.settings, viewer.language),
        **enrolment.said(viewer.language, done if done in _DONE else None, trouble),
    )


async def _done(
    request: Request, viewer: Viewer, name: str, done: str, work: Callable[[sa.Connection, datetime], object]
) -> Response:
    """Do it, and back to the account, or to the list where it is no more; why not, if it cannot be done."""
    _check_plain(name)
    try:
        await _written(site_of(request), work)
    except CannotChange as cannot:
        if cannot.key == "web.account.cannot.unknown":
            raise Problem(404, cannot.key) from None
        return await _one(request, viewer, name, 409, trouble=cannot.key)
    if done == "removed":
        return RedirectResponse(address(request, "users", {"done": done}), 303)
    return RedirectResponse(address(request, "users/account", {"name": name, "done": done}), 303)


async def _written(site: Site, work: Callable[[sa.Connection, datetime], T]) -> T:
    now = site.clock.now()
    return await writing(site.database, lambda connection: work(connection, now))


def _check_plain(name: str) -> None:
    if not is_plain(name):
        raise Problem(404)
