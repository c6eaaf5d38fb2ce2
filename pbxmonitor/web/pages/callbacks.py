"""Callbacks as a board: who is owed a call, until when, by whom; and what people do about it by hand."""

from datetime import datetime
from secrets import token_hex
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.store.actions import CannotAct
from pbxmonitor.store.types import reading
from pbxmonitor.web import acting, board
from pbxmonitor.web.acting import Action
from pbxmonitor.web.auth import checked_form, page_viewer
from pbxmonitor.web.board import Card, Column
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.stream import live_of
from pbxmonitor.web.viewer import Viewer
from pbxmonitor.work.dialling import CannotCall

router = APIRouter()
# So many cards of a column are shown; whoever has more debts than that needs other help.
MOST: Final = 100


@router.get("/callbacks")
async def callbacks(request: Request, viewer: Annotated[Viewer, Depends(page_viewer)]) -> Response:
    """The board, and a word about what was just done."""
    done = request.query_params.get("done")
    return await _board(request, viewer, done=done if done in set(Action) else None)


@router.get("/callbacks/{node}/{call}")
async def one_callback(
    request: Request, node: str, call: str, viewer: Annotated[Viewer, Depends(page_viewer)]
) -> Response:
    """One callback alone."""
    site = site_of(request)
    sight, now = sight_of(site, viewer), site.clock.now()
    if not is_plain(node) or not is_plain(call):
        raise Problem(404)
    found = await reading(site.database, lambda c: board.card(c, sight, (node, call), now))
    if found is None:
        raise Problem(404)
    return _page(request, site, sight, {found.column: [found]}, now, alone=True)


@router.post("/callbacks/{node}/{call}/{action}")
async def act_on(
    request: Request, node: str, call: str, action: str, viewer: Annotated[Viewer, Depends(checked_form)]
) -> Response:
    """Do it, and back to the board; why not, if it cannot be done."""
    if not is_plain(node) or not is_plain(call) or action not in set(Action):
        raise Problem(404)
    site, form = site_of(request), await request.form()
    said = {name: str(form[name]) for name in ("reason", "call", "once") if form.get(name)}
    asked = acting.Asked(action=Action(action), **said)
    try:
        await acting.do(site, sight_of(site, viewer), (node, call), asked)
        live_of(request).touch()
    except (CannotAct, CannotCall) as cannot:
        if cannot.key == "callback.cannot.unknown":
            raise Problem(404, cannot.key) from None
        return await _board(request, viewer, trouble=acting.why_not(cannot, viewer.language))
    return RedirectResponse(f"{address(request, 'callbacks')}?done={action}", 303)


async def _board(request: Request, viewer: Viewer, *, done: str | None = None, trouble: str | None = None) -> Response:
    site = site_of(request)
    sight, now = sight_of(site, viewer), site.clock.now()
    hours = site.policy.hours
    midnight = hours.day_span(hours.day_of(now))[0]
    found = await reading(site.database, lambda c: board.board(c, sight, now, midnight, MOST))
    return _page(request, site, sight, found, now, done=done, trouble=trouble)


def _page(
    request: Request,
    site: Site,
    sight: Sight,
    found: dict[Column, list[Card]],
    now: datetime,
    *,
    done: str | None = None,
    trouble: str | None = None,
    alone: bool = False,
) -> Response:
    return page(
        request,
        sight.viewer,
        "callbacks.html",
        409 if trouble else 200,
        columns=found,
        now=now,
        done=done,
        trouble=trouble,
        alone=alone,
        most=MOST,
        called=sight.full_name,
        sees=sight.sees,
        masked=sight.text,
        snooze=site.duties.snooze,
        can_call=site.dialling is not None and sight.viewer.person is not None,
        once=token_hex(8),
    )
