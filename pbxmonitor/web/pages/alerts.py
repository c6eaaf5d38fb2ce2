"""Alerts that fire, messages that did not arrive (to be sent again), and alerts that are over."""

from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.store import told
from pbxmonitor.store.told import AlertPlace, Digest
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import tr
from pbxmonitor.web import warnings
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import BadQuery, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]
PAGE: Final = 50
DIGESTS: Final = 20


@router.get("/alerts")
async def alerts(request: Request, viewer: Manager) -> Response:
    """The first page has everything, the others what is over."""
    query, site = request.query_params, site_of(request)
    sight, now = sight_of(site, viewer), site.clock.now()
    try:
        after = warnings.place_of(query.get("after"))
    except BadQuery as bad:
        raise Problem(400, bad.key, None, **bad.values) from None
    found = await reading(site.database, lambda c: _read(c, after))
    done = tr("web.alerts.retried", language=viewer.language) if query.get("done") == "retried" else None
    return page(
        request,
        viewer,
        "alerts.html",
        active=warnings.shown(found["active"], site, sight),
        past=warnings.shown(found["past"].alerts, site, sight),
        messages=warnings.messages(found["undelivered"], sight),
        digests=[_digest(each, sight) for each in found["digests"]],
        next=warnings.place_text(found["past"].next),
        later=after is not None,
        done=done,
        trouble=None,
        now=now,
    )


@router.post("/alerts/retry", dependencies=[Depends(checked_form)])
async def retry(
    request: Request, viewer: Manager, message: Annotated[str, Form(max_length=160)] = ""
) -> RedirectResponse:
    """Send that message again, from now on and whenever it can be."""
    site = site_of(request)
    now = site.clock.now()
    known = is_plain(message)
    if not known or not await writing(site.database, lambda c: warnings.retry(c, message, viewer.account, now)):
        raise Problem(404, "web.alerts.gone")
    site.ring()
    return RedirectResponse(address(request, "alerts", {"done": "retried"}), 303)


def _read(connection: sa.Connection, after: AlertPlace | None) -> dict[str, Any]:
    past = told.alerts(connection, told.PAST, limit=PAGE, after=after)
    if after is not None:
        return {"active": [], "undelivered": [], "digests": [], "past": past}
    active = told.alerts(connection, warnings.ACTIVE, limit=warnings.MOST).alerts
    digests = told.digests(connection, limit=DIGESTS).digests
    return {"active": active, "undelivered": warnings.undelivered(connection), "digests": digests, "past": past}


def _digest(digest: Digest, sight: Sight) -> dict[str, Any]:
    """A digest in words; one that was never owed had nothing to say, or its delivery is long gone."""
    kind, _, days = digest.kind.partition("-")
    state = {"waiting": "owed", "sent": "sent", None: "none"}.get(digest.state, "failed")
    return {
        "what": tr(f"web.alerts.digest.{kind}", language=sight.language, n=int(days or 1)),
        "to": sight.full_name(digest.person),
        "begin": digest.begin,
        "at": digest.made_at,
        "channel": digest.channel,
        "state": state,
    }
