"""Employees: everybody's numbers beside the norm, and one person's page."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.domain.kpi import share
from pbxmonitor.periods import NAMES as PERIODS
from pbxmonitor.periods import Stretch
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import board, calls, drawing, people
from pbxmonitor.web.auth import note, page_viewer
from pbxmonitor.web.filtering import TIME, BadQuery, is_plain, link, tidied
from pbxmonitor.web.pages.journal import row_of
from pbxmonitor.web.people import Person, Wanted
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
LISTED: Final = 20
_DAY: Final = timedelta(days=1)
Looks = Annotated[Viewer, Depends(page_viewer)]
AWAY: Final = ("dnd", "paused", "offline")
# What a person's page compares: the number, how it is written, whether the period before is known.
COMPARED: Final = (
    ("missed_share", "percent", True),
    ("offered", "number", True),
    ("pickup_mean_s", "seconds", True),
    ("short_hangups", "number", True),
    ("forgotten", "number", True),
    ("callbacks_made", "number", False),
    ("talk_s", "duration", False),
    ("dnd_s", "duration", False),
    ("paused_s", "duration", False),
    ("offline_s", "duration", False),
)


@router.get("/employees")
async def employees(request: Request, viewer: Looks) -> Response:
    """The table of those whom the viewer sees, sorted as the address says: who misses most first."""
    query = request.query_params
    if (elsewhere := tidied(request, "employees")) is not None:
        return elsewhere
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), _wanted(request, site)
    by = query.get("sort", "missed_share")
    by = by if by in people.SORTED_BY else "missed_share"
    descending = query.get("order", "asc" if by == "agent" else "desc") != "asc"
    rows = await reading(site.database, lambda c: people.report(c, wanted, sight)) if bad is None else []
    return page(
        request,
        viewer,
        "employees.html",
        400 if bad else 200,
        rows=people.in_order(rows, by, descending=descending),
        several=len({row["node"] for row in rows}) > 1,
        worst=max((row["missed_share"] or 0 for row in rows), default=0) or 1,
        limit=site.policy.max_missed_share,
        sort=by,
        descending=descending,
        **_time_words(request, wanted, bad),
    )


@router.get("/employees/{key}")
async def employee(request: Request, key: str, viewer: Looks) -> Response:
    """One person beside his team and the period before, and what he should look at."""
    if any(not value for value in request.query_params.values()):
        return RedirectResponse(f"{request.url.path}?{link(request.query_params)}", 303)
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), _wanted(request, site)
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
            people.away_that_day(c, period, key) if _one_day(wanted.stretch) else ([], now),
        ),
    )
    says = partial(tr, language=viewer.language)
    return page(
        request,
        viewer,
        "employee.html",
        400 if bad else 200,
        current="employees",
        found=found,
        compared=_compared(found),
        missed=[row_of(form, sight) for form in missed],
        short=[row_of(form, sight) for form in short],
        cards=cards,
        lanes=drawing.day_lanes(lived, *span, says, reach),
        one_day=_one_day(wanted.stretch),
        day=_day(found, says, whole=_one_day(wanted.stretch)),
        trend=_trend(found, says),
        heat=_heat(found),
        called=sight.full_name,
        now=now,
        listed=LISTED,
        **_time_words(request, wanted, bad),
    )


def _wanted(request: Request, site: Site) -> tuple[Wanted, BadQuery | None]:
    """What the address asks for; today, and why not, if it cannot be had."""
    try:
        return people.wanted_of(request.query_params, site), None
    except BadQuery as bad:
        return people.wanted_of({}, site), bad


def _time_words(request: Request, wanted: Wanted, bad: BadQuery | None) -> dict[str, Any]:
    viewer: Viewer = request.state.viewer
    query = {name: request.query_params[name] for name in (*TIME, "sort", "order") if name in request.query_params}
    timed = {name: value for name, value in query.items() if name in TIME}
    last = wanted.stretch.end - _DAY if _whole(wanted.stretch) else wanted.stretch.end
    return {
        "bad": bad.text(viewer.language) if bad is not None else None,
        "query": query,
        "link": partial(link, query),
        "same_time": link(timed),
        "journal_of": partial(link, timed),
        "periods": PERIODS,
        "begin": wanted.stretch.begin,
        "last": last,
    }


def _whole(stretch: Stretch) -> bool:
    return all((edge.hour, edge.minute) == (0, 0) for edge in (stretch.begin, stretch.end))


def _one_day(stretch: Stretch) -> bool:
    return stretch.end - stretch.begin <= _DAY


def _compared(found: Person) -> list[Mapping[str, Any]]:
    """Each number beside that of the team and of the period before."""
    if found.row is None:
        return []
    before = found.row["before"] or {}
    return [
        {
            "key": key,
            "how": how,
            "value": found.row[key],
            "team": found.team.get(key),
            "before": before.get(key) if known else None,
            "compares_before": known,
        }
        for key, how, known in COMPARED
    ]


def _day(found: Person, says: drawing.Says, *, whole: bool) -> Mapping[str, Sequence[drawing.Column]] | None:
    """The day by hour, in two charts over the same hours: all calls, and his mean time away; None of nothing."""
    away = {each["hour"]: each for each in found.profile}
    hours = sorted({*(hour for hour, count in found.load.items() if count), *away})
    if not hours:
        return None
    shown = range(24) if whole else range(hours[0], hours[-1] + 1)
    load, absent = [], []
    for hour in shown:
        count, gone = found.load.get(hour, 0), [(state, away.get(hour, {}).get(f"{state}_s", 0.0)) for state in AWAY]
        load.append((str(hour), [("load", float(count))], says("web.person.load", hour=hour, n=count)))
        minutes = {state: round(seconds / 60) for state, seconds in gone}
        absent.append((str(hour), gone, says("web.person.away", hour=hour, **minutes)))
    return {"load": drawing.columns(load), "away": drawing.columns(absent) if away else []}


def _trend(found: Person, says: drawing.Says) -> Sequence[drawing.Column]:
    values = []
    for day, missed, offered in found.days:
        part = share(missed, offered) or 0.0
        title = says("web.person.day", day=f"{day:%d.%m}", missed=missed, offered=offered)
        values.append((f"{day:%d.%m}", [("missed", part)], title))
    return drawing.columns(values)


def _heat(found: Person) -> Mapping[str, Any] | None:
    """The week by hour: (missed, offered, shade) of each cell; None without calls."""
    if not found.heat:
        return None
    hours = [hour for _, hour in found.heat]
    most = max((share(*cell) or 0.0 for cell in found.heat.values()), default=0.0)
    cells = {
        place: (missed, offered, drawing.level(share(missed, offered) or 0.0, most))
        for place, (missed, offered) in found.heat.items()
    }
    return {"hours": range(min(hours), max(hours) + 1), "cells": cells}
