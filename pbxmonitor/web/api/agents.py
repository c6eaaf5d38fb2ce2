"""Employees' numbers by the API."""

from datetime import datetime, timedelta
from typing import Annotated, Final

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.view import interval_view, stamp
from pbxmonitor.periods import Stretch
from pbxmonitor.store.types import reading
from pbxmonitor.web import people
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.agent_forms import Agents, Intervals, PersonReport
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.auth import api_viewer
from pbxmonitor.web.filtering import BadQuery, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter(tags=["agents"])
LONGEST: Final = timedelta(days=31, hours=1)


@router.get(
    "/agents",
    summary="Each employee's numbers beside his team, his goals and the period before",
    response_model=Agents,
)
async def list_agents(
    request: Request, _query: Annotated[Time, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """`{"from", "to", "agents": […]}`; what each number means stands in docs/metrics.md."""
    site = site_of(request)
    wanted, sight = _wanted(request, site), sight_of(site, viewer)
    rows = await reading(site.database, lambda c: people.report(c, wanted, sight))
    return answer(request, _span(wanted.stretch) | {"agents": rows})


@router.get(
    "/agents/{key}",
    summary="One employee: his numbers, days, hours of the week, causes, time away",
    response_model=PersonReport,
)
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


@router.get(
    "/agents/{key}/intervals",
    summary="One employee's stretches of pause, DND and offline",
    response_model=Intervals,
)
async def intervals_of(
    request: Request, key: str, _query: Annotated[Time, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """Those that touch the time, in the order they began; at most 31 days at once."""
    site = site_of(request)
    wanted, sight = _wanted(request, site), sight_of(site, viewer)
    if wanted.stretch.end - wanted.stretch.begin > LONGEST:
        raise Problem(400, "web.filter.too_long", days=LONGEST.days)

    def look(connection: sa.Connection) -> tuple[list[Interval], datetime] | None:
        known = is_plain(key) and people.is_known(connection, sight, key)
        return people.away_that_day(connection, wanted.period, key) if known else None

    found = await reading(site.database, look)
    if found is None:
        raise Problem(404)
    lived, told = found
    rows = [interval_view(each) for each in lived]
    return answer(request, _span(wanted.stretch) | {"told_until": stamp(told), "intervals": rows})


def _wanted(request: Request, site: Site) -> people.Wanted:
    try:
        return people.wanted_of(request.query_params, site)
    except BadQuery as bad:
        raise problem_of(bad) from None


def _span(stretch: Stretch) -> dict[str, object]:
    return {"from": stamp(stretch.begin), "to": stamp(stretch.end)}
