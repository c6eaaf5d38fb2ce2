"""Who did what, and who was shown whose data: the audit by pages, for managers and administrators."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pbxmonitor.store import audit as store
from pbxmonitor.store.accounts import accounts
from pbxmonitor.store.types import reading
from pbxmonitor.web import deeds
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery, link, tidied
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
PAGE: Final = 100


@router.get("/audit")
async def audit(request: Request, viewer: Annotated[Viewer, Depends(require(Role.MANAGER))]) -> Response:
    """A page of lines; a form's empty fields are taken out of the address first."""
    query, site = request.query_params, site_of(request)
    if (elsewhere := tidied(request, "audit")) is not None:
        return elsewhere
    sight, bad, found = sight_of(site, viewer), None, None
    try:
        asked, after = deeds.asked(query, site), deeds.place_of(query.get("after"))
        found = await reading(site.database, lambda c: store.page(c, asked.wanted, limit=PAGE, after=after))
    except BadQuery as error:
        bad = error.text(viewer.language)
    people = await reading(site.database, accounts)
    given = {name: query[name] for name in deeds.NAMES if name in query}
    return page(
        request,
        viewer,
        "audit.html",
        400 if bad else 200,
        lines=[deeds.shown(line, sight) for line in found.lines] if found is not None else [],
        next=deeds.place_text(found.next) if found is not None else None,
        later="after" in query,
        bad=bad,
        query=given,
        link=lambda **changes: link(given, **changes),
        actions=deeds.actions(viewer.language),
        people=[each.name for each in people],
    )
