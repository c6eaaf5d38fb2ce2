"""Where calls get stuck, by the API: the funnel, the stops of the journey, the causes.

Who may ask for what is counted of the whole site is decided here for its pages too (`overseer`): those who may see
everybody's calls, which are managers, admins and supervisors without teams. A supervisor of some teams may not: a stop,
a queue, an hour has no team, and a stop of one phone would tell what its owner missed.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.store import funnel
from pbxmonitor.store.types import reading
from pbxmonitor.web import people
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.api.figure_forms import Stages
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["figures"])


async def overseer(viewer: Annotated[Viewer, Depends(require(Role.SUPERVISOR))]) -> Viewer:
    """A dependency, for pages and the API alike: the viewer, who may see everybody's calls, or 403."""
    if not viewer.sees_all():
        raise Problem(403)
    return viewer


Oversees = Annotated[Viewer, Depends(overseer)]


def wanted(request: Request) -> people.Wanted:
    """The time and the PBX that the address asks for; a Problem in one line."""
    try:
        return people.wanted_of(request.query_params, site_of(request))
    except BadQuery as bad:
        raise problem_of(bad) from None


def within(asked: people.Wanted, **parts: Any) -> Json:
    """The answer with the time that it is about."""
    return {"from": stamp(asked.stretch.begin), "to": stamp(asked.stretch.end), **parts}


@router.get(
    "/stages",
    summary="The funnel from the menu to the talk, each stop of the journey, the causes of the lost",
    response_model=Stages,
)
async def list_stages(request: Request, _query: Annotated[Time, Query()], viewer: Oversees) -> Response:
    """`{"from", "to", "calls", "funnel": […], "steps": […], "causes": {…}}`; the numbers stand in docs/metrics.md."""
    site, asked = site_of(request), wanted(request)
    found = await reading(site.database, lambda c: funnel.stages(c, asked.period, asked.policy))
    sight = sight_of(site, viewer)
    return answer(request, within(asked, **found | {"steps": [seen_step(step, sight) for step in found["steps"]]}))


def seen_step(step: Mapping[str, Any], sight: Sight) -> Json:
    """A stop as the viewer may see it: a phone outside may be hidden from him."""
    return dict(step) | {"name": sight.number(step["name"])}
