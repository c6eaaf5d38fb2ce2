"""Who is who by the API: whose the token is, and the people behind the keys that answers name."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pbxmonitor.web.answers import answer
from pbxmonitor.web.api.office_forms import People, Who
from pbxmonitor.web.auth import Known, api_viewer
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter(tags=["office"])
ApiViewer = Annotated[Viewer, Depends(api_viewer)]


@router.get("/me", summary="Whose the session or the token is", response_model=Who)
async def me(request: Request, viewer: ApiViewer) -> Response:
    """The account, who it is, what it may."""
    found: Known = request.state.known
    told = {
        "account": viewer.account,
        "role": viewer.role.value,
        "person": viewer.person,
        "teams": sorted(viewer.teams),
        "language": viewer.language,
        "whole_numbers": viewer.whole_numbers,
        "scopes": sorted(found.token.scopes) if found.token is not None else None,
    }
    return answer(request, told)


@router.get("/people", summary="The people whom the viewer sees", response_model=People)
async def list_people(request: Request, viewer: ApiViewer) -> Response:
    """`{"people": […]}`, in the order of the settings."""
    sight = sight_of(site_of(request), viewer)
    mine = (person for person in sight.roster.people.values() if sight.sees(person.key))
    rows = [{"key": person.key, "name": person.name, "role": person.role.value, "team": person.team} for person in mine]
    return answer(request, {"people": rows})
