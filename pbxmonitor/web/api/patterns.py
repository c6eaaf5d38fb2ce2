"""When and from where calls come and are lost, by the API: hours of the week, lines, regions, who was away."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from pbxmonitor.store import absences, patterns
from pbxmonitor.store.types import reading
from pbxmonitor.web.answers import answer
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.api.figure_forms import Away, Hours, Lines, Regions
from pbxmonitor.web.api.stages import Oversees, wanted, within
from pbxmonitor.web.filtering import given
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of

router = APIRouter(tags=["figures"])


class HoursQuery(Time):
    """Which time, and which calls."""

    line: str | None = Field(None, description="The number first called (DID).")
    queue: str | None = Field(None, description="The first queue entered.")


@router.get("/hours", summary="The hours of the week: calls, lost, for the mean hour too", response_model=Hours)
async def list_hours(request: Request, _query: Annotated[HoursQuery, Query()], _viewer: Oversees) -> Response:
    """`{"from", "to", "hours": […]}`: 168 of them, Monday 0:00 first, by the site's clock (docs/metrics.md)."""
    site, asked = site_of(request), wanted(request)
    of = {name: value for name, value in given(request.query_params).items() if name in ("line", "queue")}
    found = await reading(site.database, lambda c: patterns.heat(c, asked.period, asked.policy, **of))
    return answer(request, within(asked, hours=found))


@router.get("/lines", summary="Calls and lost calls by line (the DID first called)", response_model=Lines)
async def list_lines(request: Request, _query: Annotated[Time, Query()], viewer: Oversees) -> Response:
    """`{"from", "to", "lines": […]}`, the busiest first."""
    site, asked = site_of(request), wanted(request)
    found = await reading(site.database, lambda c: patterns.lines(c, asked.period, asked.policy))
    sight = sight_of(site, viewer)
    return answer(request, within(asked, lines=[row | {"line": sight.number(row["line"])} for row in found]))


@router.get("/regions", summary="Calls and lost calls by the callers' region", response_model=Regions)
async def list_regions(request: Request, _query: Annotated[Time, Query()], viewer: Oversees) -> Response:
    """`{"from", "to", "regions": […]}`, the busiest first, named in the language of the account."""
    site, asked = site_of(request), wanted(request)
    found = await reading(site.database, lambda c: patterns.regions(c, asked.period, asked.policy, viewer.language))
    return answer(request, within(asked, regions=found))


@router.get("/away", summary="Who was in DND, on a pause or offline while calls were lost", response_model=Away)
async def list_away(request: Request, _query: Annotated[Time, Query()], _viewer: Oversees) -> Response:
    """`{"from", "to", "hours": […], "agents": […]}`: the costly hours, and each one's mean day."""
    site, asked = site_of(request), wanted(request)
    found = await reading(site.database, lambda c: absences.away(c, asked.period, asked.policy))
    return answer(request, within(asked, **found))
