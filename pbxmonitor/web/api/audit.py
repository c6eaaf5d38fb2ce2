"""The audit by the API, for managers and administrators."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pbxmonitor.store import audit as store
from pbxmonitor.store.types import reading
from pbxmonitor.web import deeds
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.office_forms import AuditLines
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["office"])
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]


class AuditQuery(BaseModel):
    """Which lines: those that fit all that is given."""

    who: str | None = Field(None, description="An account, a person, or pbxmonitor itself.")
    action: str | None = Field(None, description="What was done: login, view_call, account_changed …")
    day: str | None = Field(None, description="A day of the site: a date, today or yesterday.")
    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)


@router.get("/audit", summary="Who did what, and who was shown whose data; the latest first", response_model=AuditLines)
async def list_lines(request: Request, query: Annotated[AuditQuery, Query()], viewer: Manager) -> Response:
    """`{"audit": […], "next": cursor or null}`."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    try:
        asked, after = deeds.asked(request.query_params, site), deeds.place_of(query.cursor)
    except BadQuery as bad:
        raise problem_of(bad) from None
    found = await reading(site.database, lambda c: store.page(c, asked.wanted, limit=query.limit, after=after))
    lines = [deeds.line_json(line, sight) for line in found.lines]
    return answer(request, {"audit": lines, "next": deeds.place_text(found.next)})
