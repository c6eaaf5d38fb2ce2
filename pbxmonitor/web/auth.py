"""Who asks: the viewer of a page or of the API, what his role lets him do, and that he himself sent the form.

`page_viewer`, `api_viewer`, `require(role)` and `checked_form` are dependencies. Each of them refuses a request that
changes something and does not carry the session's CSRF token, as the field `csrf` or the header `X-CSRF`.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from math import ceil
from secrets import token_bytes
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from pbxmonitor.domain.roster import Role as Rank
from pbxmonitor.domain.roster import Roster
from pbxmonitor.settings_web import WebSettings, web_of
from pbxmonitor.store.accounts import Account
from pbxmonitor.store.actions import audit
from pbxmonitor.store.debts import Key
from pbxmonitor.store.sessions import ACT, NOTED_EVERY, READ, Session, Token, session_of, token_of, token_used, touch
from pbxmonitor.store.types import reading, writing
from pbxmonitor.web.limits import Limits
from pbxmonitor.web.problems import LoginNeeded, Problem, asks_api
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.throttle import neighbourhood
from pbxmonitor.web.viewer import Role, Viewer

COOKIE: Final = "pbxmonitor_session"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Whom a request comes from: an account, by its session or by a token."""

    account: Account
    session: Session | None = None
    token: Token | None = None


async def page_viewer(request: Request) -> Viewer:
    """Who looks at a page; who is not logged in is sent to the login page."""
    found = await known(request)
    if found is None or found.session is None:
        raise LoginNeeded
    return await _checked(request, found)


async def api_viewer(request: Request) -> Viewer:
    """Whom a program or a page's script asks for: by session, or by a token with the scope for it."""
    return await _api_viewer(request)


async def checked_form(request: Request) -> Viewer:
    """Who sent a form, by itself: its CSRF token is that of the session, whatever the method."""
    viewer = await page_viewer(request)
    await _check_csrf(request)
    return viewer


def require(role: Role, scope: str | None = None) -> Callable[[Request], Awaitable[Viewer]]:
    """A dependency, for pages and the API alike: the viewer, who has at least that role, or 403.

    A token needs that scope, where one is named, in place of those for looking and changing.
    """

    async def viewer_with_role(request: Request) -> Viewer:
        viewer = await (_api_viewer(request, scope) if asks_api(request) else page_viewer(request))
        if not viewer.at_least(role):
            raise Problem(403)
        return viewer

    return viewer_with_role


async def viewer_again(request: Request) -> Viewer | None:
    """The viewer as he is now, None once he is logged out: what lasts (a stream) asks this from time to time."""
    request.state.known = None
    found = await known(request)
    return viewer_of(site_of(request), found, request) if found is not None else None


async def note(request: Request, viewer: Viewer, action: str, key: Key | None = None, **details: object) -> None:
    """A line in the audit: what that viewer did, or which personal data he was shown."""
    site = site_of(request)
    whole = {"address": address_of(request), **details}
    await writing(site.database, lambda c: audit(c, site.clock.now(), viewer.account, action, key, whole))


async def known(request: Request) -> Known | None:
    """Whom the request comes from, if we know him; asked for once a request."""
    before: Known | None = getattr(request.state, "known", None)
    if before is not None:
        return before
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    found = await (_by_token(request, secret.strip()) if scheme.lower() == "bearer" else _by_session(request))
    request.state.known = found
    request.state.viewer = viewer_of(site_of(request), found, request) if found is not None else None
    return found


def viewer_of(site: Site, found: Known, request: Request) -> Viewer:
    """What that account may see. A supervisor whom nobody knows as one sees his own things only."""
    account, roster = found.account, site.duties.roster
    person = roster.people.get(account.person or "")
    return Viewer(
        account=account.name,
        role=_role_of(account, roster),
        person=account.person,
        teams=(person.leads if person is not None else frozenset()) | account.leads,
        language=account.language,
        whole_numbers=account.whole_numbers,
        csrf=csrf_of(request.cookies.get(COOKIE, "")) if found.session is not None else "",
    )


def csrf_of(secret: str) -> str:
    """The session's CSRF token, another text every time: pages are compressed, which would tell what stays the same."""
    pad = token_bytes(32)
    return urlsafe_b64encode(pad + _xor(pad, _csrf_key(secret))).decode()


def log_in(response: Response, request: Request, secret: str) -> None:
    """Give the browser that session."""
    web = web_of(site_of(request).settings)
    response.set_cookie(
        COOKIE,
        secret,
        max_age=int(web.session_longest.total_seconds()),
        path=cookie_path(request),
        secure=_secure(web, request),
        httponly=True,
        samesite="lax",
    )


def log_out(response: Response, request: Request) -> None:
    """Make the browser forget its session."""
    web = web_of(site_of(request).settings)
    response.delete_cookie(
        COOKIE, path=cookie_path(request), secure=_secure(web, request), httponly=True, samesite="lax"
    )


def cookie_path(request: Request) -> str:
    """Cookies are for our part of the host only."""
    return str(request.scope.get("root_path", "")) or "/"


def address_of(request: Request) -> str:
    """Where the request came from, as far as trusted proxies say."""
    return request.client.host if request.client is not None else ""


def own_form(request: Request) -> None:
    """A dependency: a form of somebody who is not logged in yet was sent from a page of ours, not from elsewhere."""
    fetched, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if fetched is not None:
        elsewhere = fetched not in ("same-origin", "none")
    else:
        elsewhere = origin is not None and urlsplit(origin).netloc not in _own_hosts(request)
    if elsewhere:
        raise Problem(403, "web.error.form")


def _own_hosts(request: Request) -> set[str]:
    """Nobody elsewhere can make a browser send another Host or X-Forwarded-Host with a form."""
    public = urlsplit(web_of(site_of(request).settings).public_url or "").netloc
    named = {request.headers.get("host", ""), request.headers.get("x-forwarded-host", ""), public}
    return {host for host in named if host}


def is_secure(request: Request) -> bool:
    """Whether cookies are for https only."""
    return _secure(web_of(site_of(request).settings), request)


def _secure(web: WebSettings, request: Request) -> bool:
    return web.secure_cookies == "always" or (web.secure_cookies == "auto" and request.url.scheme == "https")


def _role_of(account: Account, roster: Roster) -> Role:
    role = Role(account.role)
    person = roster.people.get(account.person or "")
    known = person is not None and (person.role is not Rank.EMPLOYEE or bool(person.leads))
    if role is Role.SUPERVISOR and not known and not account.leads:
        return Role.EMPLOYEE
    return role


async def _by_session(request: Request) -> Known | None:
    site, secret = site_of(request), request.cookies.get(COOKIE)
    if not secret:
        return None
    now, idle = site.clock.now(), web_of(site.settings).session_idle
    found = await reading(site.database, lambda connection: session_of(connection, secret, now, idle))
    if found is None:
        return None
    session, account = found
    if now - session.seen_at >= NOTED_EVERY:
        await writing(site.database, lambda connection: touch(connection, session.digest, now))
    return Known(account=account, session=session)


async def _by_token(request: Request, secret: str) -> Known | None:
    site = site_of(request)
    now = site.clock.now()
    found = await reading(site.database, lambda connection: token_of(connection, secret, now))
    if found is None:
        return None
    token, account = found
    if token.used_at is None or now - token.used_at >= NOTED_EVERY:
        await writing(site.database, lambda connection: token_used(connection, token.id, now))
    return Known(account=account, token=token)


async def _api_viewer(request: Request, scope: str | None = None) -> Viewer:
    found = await known(request)
    if found is None:
        _count(request, f"address {neighbourhood(address_of(request))}")
        raise Problem(401, headers={"WWW-Authenticate": "Bearer"})
    return await _checked(request, found, scope)


def key_of(found: Known) -> str:
    """Whom what is asked is counted to: a token, or a session."""
    return f"token {found.token.id}" if found.token is not None else f"session {found.session and found.session.digest}"


def holder_of(request: Request) -> str:
    """Whom a stream is counted to: a token, or an account with all its browsers."""
    found: Known = request.state.known
    return f"token {found.token.id}" if found.token is not None else f"account {found.account.name}"


def _count(request: Request, key: str) -> None:
    """Count the request, once; 429 when there were too many."""
    if hasattr(request.state, "asked"):
        return
    limits: Limits = request.app.state.limits
    asked = request.state.asked = limits.requests.take(key)
    if asked is not None and asked.wait_s:
        raise Problem(429, headers={"Retry-After": str(ceil(asked.wait_s))})


async def _checked(request: Request, found: Known, scope: str | None = None) -> Viewer:
    """The viewer, once it is sure that he may do this at all."""
    _count(request, key_of(found))
    changes = request.method not in _SAFE
    needed = scope or (ACT if changes else READ)
    if found.token is not None and needed not in found.token.scopes:
        raise Problem(403, "web.error.scope")
    if found.session is not None and changes:
        await _check_csrf(request)
    viewer: Viewer = request.state.viewer
    return viewer


async def _check_csrf(request: Request) -> None:
    given = request.headers.get("x-csrf")
    if given is None and request.headers.get("content-type", "").partition(";")[0].strip().lower() in _FORMS:
        field = (await request.form()).get("csrf")
        given = field if isinstance(field, str) else None
    if not _is_csrf(given or "", request.cookies.get(COOKIE, "")):
        raise Problem(403, "web.error.csrf")


def _is_csrf(given: str, secret: str) -> bool:
    try:
        both = urlsafe_b64decode(given.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        return False
    return len(both) == 64 and hmac.compare_digest(_xor(both[:32], both[32:]), _csrf_key(secret))


def _csrf_key(secret: str) -> bytes:
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), b"csrf", sha256)


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(one, other, strict=True))
