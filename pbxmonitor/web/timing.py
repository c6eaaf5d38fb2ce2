"""The time that a page is about: what its address asks for, and what its period picker is drawn from."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from fastapi import Request

from pbxmonitor.periods import NAMES as PERIODS
from pbxmonitor.periods import Stretch
from pbxmonitor.web import people
from pbxmonitor.web.filtering import TIME, BadQuery, link
from pbxmonitor.web.site import Site
from pbxmonitor.web.viewer import Viewer

_DAY: Final = timedelta(days=1)


def asked(request: Request, site: Site) -> tuple[people.Wanted, BadQuery | None]:
    """What the address asks for; today, and why not, if it cannot be had."""
    try:
        return people.wanted_of(request.query_params, site), None
    except BadQuery as bad:
        return people.wanted_of({}, site), bad


def time_words(
    request: Request, viewer: Viewer, wanted: people.Wanted, bad: BadQuery | None, *more: str
) -> dict[str, Any]:
    """What the template's period picker and its ways to other pages need; `more` are parts of its own address."""
    query = {name: request.query_params[name] for name in (*TIME, *more) if name in request.query_params}
    timed = {name: value for name, value in query.items() if name in TIME and bad is None}
    return {
        "bad": bad.text(viewer.language) if bad is not None else None,
        "query": query,
        "link": partial(link, query),
        "same_time": link(timed),
        "journal_of": partial(link, timed),
        "periods": PERIODS,
        "begin": wanted.stretch.begin,
        "last": wanted.stretch.end - _DAY if _whole(wanted.stretch) else wanted.stretch.end,
    }


def one_day(stretch: Stretch) -> bool:
    """Whether it is no longer than a day."""
    return stretch.end - stretch.begin <= _DAY


def _whole(stretch: Stretch) -> bool:
    return all((edge.hour, edge.minute) == (0, 0) for edge in (stretch.begin, stretch.end))
