"""Callbacks as a board: who is owed a call, until when, by whom; and what people do about it by hand."""

from secrets import token_hex
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from pbxmonitor.store.actions import CannotAct
from pbxmonitor.store.types import reading
from pbxmonitor.texts import catalogue, tr
from pbxmonitor.web import acting, board
from pbxmonitor.web.acting import Action
from pbxmonitor.web.auth import api_viewer, checked_form, page_viewer
from pbxmonitor.web.channel import kind_of
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.history import history_of
from pbxmonitor.web.live_board import MOST, card_words, cards_of
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.stream import live_of, streamed
from pbxmonitor.web.viewer import Viewer
from pbxmonitor.work.dialling import CannotCall

router = APIRouter()
# A script that posts a form says that it wants no page for it.
_SCRIPT: Final = "application/json"
_WORDS: Final = ("web.now.script.", "web.callbacks.script.")


@router.get("/callbacks")
async def callbacks(request: Request, viewer: Annotated[Viewer, Depends(page_viewer)]) -> Response:
    """The board, kept up to date by the script, and a word about what was just done."""
    done = request.query_params.get("done")
    return await _board(request, viewer, done=done if done in set(Action) else None)


@router.get("/callbacks/stream")
async def stream(request: Request, viewer: Annotated[Viewer, Depends(api_viewer)]) -> Response:
    """What changes on the board: by column and key the HTML of a card, null for what has left it."""
    return streamed(request, kind_of(viewer, said=True, board=True))


@router.get("/callbacks/{node}/{call}")
async def one_callback(
    request: Request, node: str, call: str, viewer: Annotated[Viewer, Depends(page_viewer)]
) -> Response:
    """One callback alone, with everything that became of it."""
    site = site_of(request)
    sight, now, zone = sight_of(site, viewer), site.clock.now(), site.settings.zone
    if not is_plain(node) or not is_plain(call):
        raise Problem(404)
    found = await reading(site.database, lambda c: board.card(c, sight, (node, call), now))
    if found is None:
        raise Problem(404)
    return page(
        request,
        viewer,
        "callback.html",
        current="callbacks",
        card=found,
        order="",
        history=await reading(site.database, lambda c: history_of(c, found, sight, zone, now)),
        **card_words(site, sight, now, viewer.csrf, token_hex(8), heading="h2"),
    )


@router.post("/callbacks/{node}/{call}/{action}")
async def act_on(
    request: Request, node: str, call: str, action: str, viewer: Annotated[Viewer, Depends(checked_form)]
) -> Response:
    """Do it, and back to the board; why not, if it cannot be done. A script is told in one line of JSON."""
    if not is_plain(node) or not is_plain(call) or action not in set(Action):
        raise Problem(404)
    site, form = site_of(request), await request.form()
    said = {name: str(form[name]) for name in ("reason", "call", "once") if form.get(name)}
    asked, by_script = acting.Asked(action=Action(action), **said), request.headers.get("accept") == _SCRIPT
    try:
        await acting.do(site, sight_of(site, viewer), (node, call), asked)
        live_of(request).touch()
    except (CannotAct, CannotCall) as cannot:
        if cannot.key == "callback.cannot.unknown":
            raise Problem(404, cannot.key) from None
        why = acting.why_not(cannot, viewer.language)
        return JSONResponse({"said": why}, 409) if by_script else await _board(request, viewer, trouble=why)
    if by_script:
        return JSONResponse({"said": tr(f"web.callbacks.done.{action}", language=viewer.language)})
    return RedirectResponse(f"{address(request, 'callbacks')}?done={action}", 303)


async def _board(request: Request, viewer: Viewer, *, done: str | None = None, trouble: str | None = None) -> Response:
    channel, once = await live_of(request).look(kind_of(viewer, said=True, board=True)), token_hex(8)
    return page(
        request,
        viewer,
        "callbacks.html",
        409 if trouble else 200,
        columns=cards_of(channel.view, viewer.csrf, once),
        event_id=channel.id,
        words=_words(viewer.language),
        now=site_of(request).clock.now(),
        done=done,
        trouble=trouble,
        most=MOST,
        once=once,
    )


def _words(language: str) -> dict[str, Any]:
    """What the script itself says, by key; the values of a span stay open."""
    found = catalogue(language)
    own = {key.removeprefix(start): found[key] for key in found for start in _WORDS if key.startswith(start)}
    spans = {name: found[f"message.duration.{name}"] for name in ("seconds", "minutes", "hours", "days")}
    return own | spans | {name: found[f"web.callbacks.{name}"] for name in ("left", "late")}
