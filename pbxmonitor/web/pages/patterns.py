"""When and from where calls come and are lost: the week by hour, lines, regions, and who was away meanwhile.

For those who see everybody's calls (pbxmonitor.web.api.stages.overseer): it is counted of the whole site.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response

from pbxmonitor.columns import decimal
from pbxmonitor.domain.view import Json
from pbxmonitor.store import absences
from pbxmonitor.store import patterns as rows
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web.api.stages import Oversees
from pbxmonitor.web.filtering import given, is_plain, tidied
from pbxmonitor.web.heat import WEEKDAYS, Heat, days_of, heat, worst
from pbxmonitor.web.people import Wanted
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.timing import asked, time_words

router = APIRouter()
OF: Final = ("line", "queue")
# Costly hours and regions beyond these stand in the API and in the reports.
LISTED: Final = 30
_HOUR: Final = timedelta(hours=1)


@router.get("/patterns")
async def patterns(request: Request, viewer: Oversees) -> Response:
    """The heat maps, of one line or queue if the address says so; lines, regions, costly absences of all calls."""
    if (elsewhere := tidied(request, "patterns")) is not None:
        return elsewhere
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), asked(request, site)
    of = {name: value for name, value in given(request.query_params).items() if name in OF} if bad is None else {}
    week, lines, regions, (away, all_away) = await reading(
        site.database, lambda c: _read(c, wanted, of, viewer.language)
    )
    days, zone = days_of(wanted.stretch.begin, wanted.stretch.end, site.settings.zone), site.settings.zone
    says = partial(tr, language=viewer.language)
    return page(
        request,
        viewer,
        "patterns.html",
        400 if bad else 200,
        maps=_maps(week, days, zone),
        worst=worst(week),
        weekdays=[says(f"value.weekday.{day}") for day in WEEKDAYS],
        of={name: sight.number(value) for name, value in of.items()},
        chosen=of,
        mean=partial(_decimal, language=viewer.language),
        lines=[_line(row, sight) for row in lines],
        regions=regions[:LISTED],
        several=len({row["node"] for row in lines}) > 1,
        away=[_absence(row, sight, zone) for row in away],
        all_away=all_away,
        hour_of=_hour_of,
        **time_words(request, viewer, wanted, bad),
    )


def _read(
    connection: sa.Connection, wanted: Wanted, of: Mapping[str, str], language: str
) -> tuple[list[Json], list[Json], list[Json], tuple[list[Json], int]]:
    period, policy = wanted.period, wanted.policy
    return (
        rows.heat(connection, period, policy, **of),
        rows.lines(connection, period, policy),
        rows.regions(connection, period, policy, language),
        absences.costliest(connection, period, policy, LISTED),
    )


def _maps(week: list[Json], days: Mapping[int, date], zone: Any) -> list[tuple[str, Heat]]:
    """Load and share lost; nothing without calls."""
    if not any(row["calls"] for row in week):
        return []
    load = heat(week, lambda row: row["calls_mean"], days, zone)
    lost = heat(week, lambda row: row["lost_share"], days, zone)
    return [("load", load), ("lost", lost)]


def _line(row: Json, sight: Sight) -> Json:
    """A line as the viewer may see it; `filter` is None where its number is hidden from him."""
    shown = sight.number(row["line"])
    known = shown == row["line"] and bool(row["line"]) and is_plain(row["line"])
    return row | {"line": shown, "filter": row["line"] if known else None}


def _absence(row: Json, sight: Sight, zone: Any) -> Json:
    """An hour in which somebody was away: whose and which, how much of it, and where in time it lies."""
    day = date.fromisoformat(row["day"])
    began = datetime(day.year, day.month, day.day, row["hour"], tzinfo=zone)
    words = "paused_for" if row["state"] == "paused" and row["reason"] else row["state"]
    minutes = round(row["away_s"] / 60)
    return row | {"name": sight.name(row["agent"]), "date": day, "words": words, "minutes": minutes, "began": began}


def _hour_of(began: datetime, **more: object) -> str:
    """The journal's address for the calls of that hour."""
    parts: Iterable[tuple[str, object]] = {
        "from": f"{began:%Y-%m-%dT%H:%M}",
        "to": f"{began + _HOUR:%Y-%m-%dT%H:%M}",
        **more,
    }.items()
    return urlencode({name: value for name, value in parts if value is not None})


def _decimal(value: float | None, language: str) -> str:
    """A mean with one digit after the point, or the comma, where it is not whole."""
    if value is None:
        return ""
    return decimal(f"{value:.1f}".removesuffix(".0"), language)
