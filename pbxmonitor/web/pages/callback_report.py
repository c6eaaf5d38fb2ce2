"""The callback report: of those opened in a period, who called in time, how soon, with whom nobody talked; as files."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pbxmonitor.domain.view import Json
from pbxmonitor.exhibits.callbacks import FATES, step_name
from pbxmonitor.exhibits.callbacks import callbacks as exhibit
from pbxmonitor.store import callback_report, digests, reports
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import board, people
from pbxmonitor.web.auth import note, page_viewer
from pbxmonitor.web.drawing import Share, shares
from pbxmonitor.web.export import report_of
from pbxmonitor.web.filtering import BadQuery, cursor_of, cursor_text, tidied
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.timing import asked, time_words
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
PAGE: Final = 50
Looks = Annotated[Viewer, Depends(page_viewer)]


@router.get("/callbacks/report")
async def callback_figures(request: Request, viewer: Looks) -> Response:
    """The figures by person and by team, at which step clients were saved, and the callbacks themselves."""
    if (elsewhere := tidied(request, "callbacks/report")) is not None:
        return elsewhere
    site = site_of(request)
    sight, now, (wanted, bad) = sight_of(site, viewer), site.clock.now(), asked(request, site)
    try:
        after = cursor_of(request.query_params.get("after"))
    except BadQuery as wrong:
        bad, after = wrong, None
    span = (wanted.stretch.begin, wanted.stretch.end)
    listed = board.Wanted(span=span, node=wanted.node, limit=PAGE, after=after)
    figures, (cards, more) = await reading(
        site.database,
        lambda c: (
            callback_report.callbacks(c, _asked(site, sight, wanted)),
            board.listed(c, sight, now, listed),
        ),
    )
    says = partial(tr, language=viewer.language)
    return page(
        request,
        viewer,
        "callback_report.html",
        400 if bad else 200,
        current="callbacks",
        total=figures["total"],
        owners=_piles(figures["owners"], "agent", sight.full_name, says("digest.no_owner"), says),
        teams=_piles(figures["teams"], "team", str, says("report.callbacks.no_team"), says),
        saved=[(step_name(step, _chain(site), viewer.language), n) for step, n in figures["steps"].items()],
        fates=FATES,
        least=site.policy.min_in_norm_share,
        cards=cards,
        called=sight.full_name,
        masked=sight.text,
        next=cursor_text(more),
        later=after is not None,
        now=now,
        **time_words(request, viewer, wanted, bad),
    )


@router.get("/callbacks/report/export.{form}")
async def export(request: Request, form: str, viewer: Looks) -> Response:
    """The same as a file, one line for each callback; who took it is in the audit."""
    site = site_of(request)
    sight, (wanted, bad) = sight_of(site, viewer), asked(request, site)
    if form not in ("csv", "xlsx"):
        raise Problem(404)
    if bad is not None:
        raise Problem(400, bad.key, None, **bad.values)
    await note(request, viewer, "export_callbacks", None, form=form, period=_told(request))
    rows, figures = await reading(
        site.database,
        lambda c: (_rows(c, wanted, sight), callback_report.callbacks(c, _asked(site, sight, wanted))),
    )
    zone, chain = site.settings.zone, _chain(site)

    def made() -> Any:
        return exhibit(rows, wanted.stretch, zone, sight.full_name, chain, figures)

    return await report_of(made, form, "callbacks", wanted.stretch, viewer.language)


def _asked(site: Site, sight: Sight, wanted: people.Wanted) -> digests.Asked:
    agents = sight.agents
    return digests.Asked(
        period=wanted.period,
        policy=wanted.policy,
        now=site.clock.now(),
        people=wanted.people,
        agents=None if agents is None else frozenset(agents),
    )


def _rows(connection: sa.Connection, wanted: people.Wanted, sight: Sight) -> Sequence[Json]:
    """The callbacks of those whom the viewer sees, as `report callbacks` has them, numbers as he may see them."""
    seen = (row for row in reports.callbacks(connection, wanted.period) if sight.agents is None or _his(row, sight))
    return [
        row
        | {name: sight.number(row[name]) for name in ("number", "line")}
        | {"reason": sight.text(row["reason"]) if row["reason"] else None}
        for row in seen
    ]


def _his(row: Json, sight: Sight) -> bool:
    return sight.sees(row["owner"])


def _chain(site: Site) -> Sequence[Sequence[str]]:
    return [step.to for step in site.settings.callbacks.chain]


def _told(request: Request) -> Mapping[str, str]:
    return {name: value for name, value in request.query_params.items() if name in ("period", "from", "to", "node")}


def _piles(found: Sequence[Json], key: str, named: Any, nobody: str, says: Any) -> list[Json]:
    """The lines of a table: each with its name and the bar of what became of its callbacks."""
    return [
        each | {"name": named(each[key]) if each[key] else nobody, "key": each[key], "bar": _bar(each, says)}
        for each in found
    ]


def _bar(row: Json, says: Any) -> Sequence[Share]:
    return shares([(fate, row[fate], f"{says(f'report.column.fate.{fate}')}: {row[fate]}") for fate in FATES])
