"""Logging in by an identity provider: there and back again. What a browser must remember is one word in a cookie."""

from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Any, Final

import structlog
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.settings_oidc import OidcSettings
from pbxmonitor.settings_web import web_of
from pbxmonitor.store.actions import audit
from pbxmonitor.store.identities import CannotEnter, Entering, enter
from pbxmonitor.store.types import writing
from pbxmonitor.web.auth import address_of, cookie_path, is_secure
from pbxmonitor.web.id_tokens import Claims, OidcError, claim_of, words_of
from pbxmonitor.web.pages.login import login_form, new_session, throttle_of, wanted_page
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address
from pbxmonitor.web.site import site_of
from pbxmonitor.web.throttle import neighbourhood
from pbxmonitor.web.viewer import Role

if TYPE_CHECKING:
    from pbxmonitor.web.oidc import Attempt, Provider

log = structlog.get_logger()
router = APIRouter()
COOKIE: Final = "pbxmonitor_oidc"
BACK: Final = "login/oidc/back"
KEPT_S: Final = 600
# So many people may be on their way at once; the first of more have to begin again.
_MOST: Final = 5_000
Word = Annotated[str, Query(max_length=4096)]


class Begun:
    """Logins that have begun and are not over, each good once and for ten minutes."""

    def __init__(self) -> None:
        self._attempts: OrderedDict[str, tuple[float, Attempt]] = OrderedDict()

    def put(self, attempt: "Attempt", now: float) -> None:
        self._attempts[attempt.state] = now, attempt
        while len(self._attempts) > _MOST:
            self._attempts.popitem(last=False)

    def take(self, state: str, now: float) -> "Attempt | None":
        """The one of that state, which is over then."""
        at, found = self._attempts.pop(state, (0.0, None))
        return found if now - at <= KEPT_S else None


@router.get("/login/oidc")
async def begin(request: Request, wanted: Annotated[str, Query(alias="next", max_length=2048)] = "") -> Response:
    """To the provider, and the way back is remembered."""
    from pbxmonitor.web import oidc

    provider, site = provider_of(request), site_of(request)
    begun = oidc.attempt(_back(request), wanted)
    try:
        there = await provider.address(begun)
    except OidcError as error:
        return _refused(request, error.key, error.reason)
    begun_of(request).put(begun, site.clock.monotonic())
    response = RedirectResponse(there, 303)
    path = cookie_path(request)
    secure = is_secure(request)
    response.set_cookie(COOKIE, begun.state, KEPT_S, path=path, secure=secure, httponly=True, samesite="lax")
    return response


@router.get("/login/oidc/back")
async def back(request: Request, code: Word = "", state: Word = "", iss: Word = "", error: Word = "") -> Response:
    """A session for whoever the provider says that it is, if this browser has begun it and the account may come in."""
    site, provider, settings = site_of(request), provider_of(request), oidc_of(request)
    where = {"address": neighbourhood(address_of(request))}
    if (wait := throttle_of(request).admit(**where)) > 0:
        return login_form(request, 429, trouble="web.login.wait", wait=wait)
    begun = _begun(request, state)
    try:
        if begun is None:
            raise OidcError("oidc.cannot.state", "this browser has begun no such login")
        if error or not code:
            raise OidcError("oidc.cannot.refused", f"the provider refused: {_plain(error) or 'no code'}")
        if iss and iss != settings.issuer:
            raise OidcError("oidc.cannot.token", "the answer is another issuer's")
        proof = await provider.proof(begun, code)
        coming = _entering(request, settings, proof.claims)
        found = await writing(site.database, lambda connection: enter(connection, coming, site.clock.now()))
    except OidcError as wrong:
        return await _failed(request, wrong.key, wrong.reason, None)
    except CannotEnter as cannot:
        return await _failed(request, cannot.key, cannot.key, cannot.account)
    throttle_of(request).forgive(account=found.name, **where)
    response = wanted_page(request, begun.wanted)
    await new_session(request, response, found.name, "login", via="oidc", proof=proof.id_token)
    response.delete_cookie(COOKIE, path=cookie_path(request))
    return response


def provider_of(request: Request) -> "Provider":
    """The provider of the settings; a page that is not there where they name none."""
    settings, state = oidc_of(request), request.app.state
    known: tuple[OidcSettings, Provider] | None = getattr(state, "oidc", None)
    if known is None or known[0] != settings:
        from pbxmonitor.web import oidc

        known = state.oidc = settings, oidc.Provider(settings, site_of(request).clock)
    return known[1]


def oidc_of(request: Request) -> OidcSettings:
    """The table of the settings."""
    settings = web_of(site_of(request).settings).oidc
    if settings is None:
        raise Problem(404)
    return settings


def begun_of(request: Request) -> Begun:
    """Who is on his way."""
    found: Begun | None = getattr(request.app.state, "oidc_begun", None)
    if found is None:
        found = request.app.state.oidc_begun = Begun()
    return found


def _begun(request: Request, state: str) -> "Attempt | None":
    """The login of that state, if this very browser has begun it."""
    if not state or request.cookies.get(COOKIE) != state:
        return None
    return begun_of(request).take(state, site_of(request).clock.monotonic())


def _back(request: Request) -> str:
    """Where the provider sends the browser back to: it must be registered there, letter for letter."""
    public = web_of(site_of(request).settings).public_url
    return f"{public}/{BACK}" if public else f"{request.url.scheme}://{request.url.netloc}{address(request, BACK)}"


def _entering(request: Request, settings: OidcSettings, claims: Claims) -> Entering:
    """What the claims mean by the settings."""
    site = site_of(request)
    words = words_of(claim_of(claims, settings.role_claim)) if settings.role_claim is not None else ()
    roles = [Role(settings.roles[word]) for word in words if word in settings.roles]
    role = max(roles, key=list(Role).index).value if roles else settings.default_role
    if settings.roles and role is None:
        raise CannotEnter("oidc.cannot.role")
    login = claim_of(claims, settings.login_claim)
    if not isinstance(login, str) or not login:
        raise CannotEnter("oidc.cannot.login")
    teams = sorted({settings.teams[word] for word in words if word in settings.teams})
    return Entering(
        issuer=settings.issuer,
        subject=claims["sub"],
        login=login,
        role=role if settings.roles or settings.create else None,
        person=_person(site.settings.people, settings, claims, login.strip().lower()),
        teams="\n".join(teams) if settings.teams else None,
        create=settings.create,
        adopt=settings.adopt,
        language=site.settings.language,
    )


def _person(people: Any, settings: OidcSettings, claims: Claims, login: str) -> str | None:
    """Who it is among the people of the settings: by the claim that says so, else by the login; None for nobody."""
    if settings.person_claim is None:
        return login if login in people else None
    said = claim_of(claims, settings.person_claim)
    return said if isinstance(said, str) and said in people else ""


def _plain(word: str) -> str:
    """The provider's word for what went wrong, or nothing where it is none."""
    return word if len(word) <= 60 and word.replace("_", "").isalnum() else ""


def _refused(request: Request, key: str, reason: str) -> Response:
    log.warning("oidc_failed", reason=reason)
    return login_form(request, 502 if key == "oidc.cannot.provider" else 403, trouble=key)


async def _failed(request: Request, key: str, reason: str, who: str | None) -> Response:
    """The login page says why, and so does the audit."""
    site = site_of(request)
    told = {"address": address_of(request), "at": "oidc", "reason": reason}
    await writing(site.database, lambda c: audit(c, site.clock.now(), who or "?", "login_failed", None, told))
    response = _refused(request, key, reason)
    response.delete_cookie(COOKIE, path=cookie_path(request))
    return response
