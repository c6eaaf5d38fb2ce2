"""Employees: everybody's numbers beside the norm, and one person's page."""

from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.domain.view import Json
from pbxmonitor.notify.wording import filters
from pbxmonitor.store.sums import Key
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import board, calls, drawing, people, person_charts, sparks
from pbxmonitor.web.auth import note, page_viewer
from pbxmonitor.web.filtering import is_plain, link, tidied
from pbxmonitor.web.pages.journal import row_of
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.sparks import Spark
from pbxmonitor.web.timing import asked, one_day, time_words
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
LISTED: Final = 20
Looks = Annotated[Viewer, Depends(page_viewer)]


@router.get("/employees")
async def employees(request: Request, viewer: Looks) -> Response:
    """The table of those whom the viewer sees, sorted as the address says: who misses most first."""
    query = request.query_params
    if (elsewhere := tidied(request, "employees")) is not None:
        return elsewhere
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), asked(request, site)
    by = query.get("sort", "missed_share")
    by = by if by in people.SORTED_BY else "missed_share"
    descending = query.get("order", "asc" if by == "agent" else "desc") != "asc"
    rows: list[Json] = []
    lines: dict[Key, Spark] = {}
    if bad is None:
        rows, slots = await reading(site.database, lambda c: (people.report(c, wanted, sight), sparks.slots(c, wanted)))
        says, written = partial(tr, language=viewer.language), filters(viewer.language, site.settings.zone)
        lines = sparks.sparks(slots, rows, site.policy.max_missed_share, written["percent"], says)
    return page(
        request,
        viewer,
        "employees.html",
        400 if bad else 200,
        rows=people.in_order(rows, by, descending=descending),
        sparks=lines,
        several=len({row["node"] for row in rows}) > 1,
        worst=max((row["missed_share"] or 0 for row in rows), default=0) or 1,
        limit=site.policy.max_missed_share,
        sort=by,
        descending=descending,
        **time_words(request, viewer, wanted, bad, "sort", "order"),
    )


@router.get("/employees/{key}")
async def employee(request: Request, key: str, viewer: Looks) -> Response:
    """One person beside his team and the period before, and what he should look at."""
    if any(not value for value in request.query_params.values()):
        return RedirectResponse(f"{request.url.path}?{link(request.query_params)}", 303)
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), asked(request, site)
    if not is_plain(key):
        raise Problem(404)
    found = await reading(site.database, lambda c: people.person(c, wanted, sight, key))
    if found is None:
        raise Problem(404)
    await note(request, viewer, "view_person", None, person=key)
    span, now, period = (wanted.stretch.begin, wanted.stretch.end), site.clock.now(), wanted.period
    missed, short, cards, (lived, reach) = await reading(
        site.database,
        lambda c: (
            calls.of_agent(c, sight, key, *span, "missed", LISTED),
            calls.of_agent(c, sight, key, *span, "short_hangups", LISTED),
            board.of_agent(c, sight, key, *span, now, LISTED),
            people.away_that_day(c, period, key) if one_day(wanted.stretch) else ([], now),
        ),
    )
    says, written = partial(tr, language=viewer.language), filters(viewer.language, site.settings.zone)
    return page(
        request,
        viewer,
        "employee.html",
        400 if bad else 200,
        current="employees",
        found=found,
        compared=person_charts.compared(found),
        missed=[row_of(form, sight) for form in missed],
        short=[row_of(form, sight) for form in short],
        cards=cards,
        lanes=drawing.day_lanes(lived, *span, says, reach),
        one_day=one_day(wanted.stretch),
        day=person_charts.day(found, says, whole=one_day(wanted.stretch)),
        trend=person_charts.trend(found, site.policy.max_missed_share, written["percent"], says),
        limit=site.policy.max_missed_share,
        heat=person_charts.heat(found),
        called=sight.full_name,
        now=now,
        listed=LISTED,
        **time_words(request, viewer, wanted, bad, "sort", "order"),
    )
