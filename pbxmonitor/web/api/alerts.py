"""Alerts by the API, for managers and administrators."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pbxmonitor.store import told
from pbxmonitor.store.types import reading
from pbxmonitor.web import warnings
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.office_forms import Alerts
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["office"])
_STATES = {"active": warnings.ACTIVE, "past": told.PAST, "all": told.FIRED}


class AlertsQuery(BaseModel):
    """Which alerts: those that fire now, those that are over, or both."""

    state: Literal["active", "past", "all"] = Field("active", description="active, past or all.")
    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)


@router.get("/alerts", summary="Alerts, the last begun first", response_model=Alerts)
async def list_alerts(
    request: Request,
    query: Annotated[AlertsQuery, Query()],
    viewer: Annotated[Viewer, Depends(require(Role.MANAGER))],
) -> Response:
    """`{"alerts": […], "next": cursor or null}`; title, who and detail in the language of the account."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    try:
        after = warnings.place_of(query.cursor)
    except BadQuery as bad:
        raise problem_of(bad) from None
    states = _STATES[query.state]
    found = await reading(site.database, lambda c: told.alerts(c, states, limit=query.limit, after=after))
    rows = [warnings.alert_json(item, sight) for item in warnings.shown(found.alerts, site, sight)]
    return answer(request, {"alerts": rows, "next": warnings.place_text(found.next)})
