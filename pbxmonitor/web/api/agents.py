"""Employees' numbers by the API."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from pbxmonitor.domain.view import stamp
from pbxmonitor.periods import Stretch
from pbxmonitor.store.types import reading
from pbxmonitor.web import people
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.auth import api_viewer
from pbxmonitor.web.filtering import BadQuery, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter(tags=["agents"])


@router.get("/agents", summary="Each employee's numbers beside his team, his goals and the period before")
async def list_agents(
    request: Request, _query: Annotated[Time, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """`{"from", "to", "agents": […]}`; what each number means stands in docs/metrics.md."""
    site = site_of(request)
    wanted, sight = _wanted(request, site), sight_of(site, viewer)
    rows = await reading(site.database, lambda c: people.report(c, wanted, sight))
    return answer(request, _span(wanted.stretch) | {"agents": rows})


@router.get("/agents/{key}", summary="One employee: his numbers, days, hours of the week, causes, time away")
async def one_agent(
    request: Request, key: str, _query: Annotated[Time, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """The employee of that key, as the rows of /agents name him in `agent`."""
    site = site_of(request)
    wanted, sight = _wanted(request, site), sight_of(site, viewer)
    found = await reading(site.database, lambda c: people.person(c, wanted, sight, key)) if is_plain(key) else None
    if found is None:
        raise Problem(404)
    return answer(request, _span(wanted.stretch) | people.person_json(found))


def _wanted(request: Request, site: Site) -> people.Wanted:
    try:
        return people.wanted_of(request.query_params, site)
    except BadQuery as bad:
        raise problem_of(bad) from None


def _span(stretch: Stretch) -> dict[str, object]:
    return {"from": stamp(stretch.begin), "to": stamp(stretch.end)}
