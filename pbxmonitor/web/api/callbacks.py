"""Callbacks by the API: which are owed, and what a person does with one."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from pbxmonitor.store import callback_report
from pbxmonitor.store.actions import CannotAct
from pbxmonitor.store.digests import Asked as Question
from pbxmonitor.store.types import reading
from pbxmonitor.web import acting, board
from pbxmonitor.web.acting import Action
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.callback_forms import CallbackForm, CallbackReport, Callbacks
from pbxmonitor.web.api.calls import Time
from pbxmonitor.web.api.stages import wanted, within
from pbxmonitor.web.auth import api_viewer
from pbxmonitor.web.board import Column
from pbxmonitor.web.filtering import TIME, BadQuery, cursor_of, cursor_text, given, is_plain, stretch_of
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.stream import live_of
from pbxmonitor.web.viewer import Viewer
from pbxmonitor.work.dialling import CannotCall

router = APIRouter(tags=["callbacks"])


class CallbacksQuery(Time):
    """Which callbacks: those opened in that time (at any time, when none is given) that stand in that column."""

    agent: str | None = Field(None, description="Who owns it, took it or reached the client.")
    column: Column | None = Field(None, description="overdue, open (nobody tried), attempted, closed.")
    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)


class Words(BaseModel):
    """What a deed needs beside its name."""

    reason: str | None = Field(default=None, max_length=2_000, description="dismiss: why nobody needs to call.")
    call: str | None = Field(
        default=None, max_length=160, description="voicemail: the attempt that a machine answered."
    )


@router.get("/callbacks", summary="Callbacks, the last opened first", response_model=Callbacks)
async def list_callbacks(
    request: Request, query: Annotated[CallbacksQuery, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """`{"callbacks": […], "next": cursor or null}`."""
    site = site_of(request)
    sight, now = sight_of(site, viewer), site.clock.now()
    try:
        parts, after = given(request.query_params), cursor_of(query.cursor)
        timed = any(name in parts for name in TIME if name != "node")
        stretch = stretch_of(parts, site.settings, now) if timed else None
    except BadQuery as bad:
        raise problem_of(bad) from None
    which = board.Wanted(
        column=query.column,
        span=(stretch.begin, stretch.end) if stretch is not None else None,
        node=parts.get("node"),
        agent=parts.get("agent"),
        limit=query.limit,
        after=after,
    )
    cards, more = await reading(site.database, lambda c: board.listed(c, sight, now, which))
    forms = [board.card_json(card, sight) for card in cards]
    return answer(request, {"callbacks": forms, "next": cursor_text(more)})


@router.get("/callbacks/report", summary="The report on callbacks opened in that time", response_model=CallbackReport)
async def report_callbacks(
    request: Request, _query: Annotated[Time, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """`{"from", "to", "owners": […], "teams": […], "steps": {…}, "total": {…}}`, of those whom the viewer sees."""
    site = site_of(request)
    sight, asked = sight_of(site, viewer), wanted(request)
    question = Question(
        period=asked.period,
        policy=asked.policy,
        now=site.clock.now(),
        people=asked.people,
        agents=None if sight.agents is None else frozenset(sight.agents),
    )
    found = await reading(site.database, lambda c: callback_report.callbacks(c, question))
    steps = {str(step): clients for step, clients in found["steps"].items()}
    return answer(request, within(asked, **found | {"steps": steps}))


@router.get(
    "/callbacks/{node}/{call}", summary="One callback, with its attempts and its history", response_model=CallbackForm
)
async def one_callback(
    request: Request, node: str, call: str, viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """The callback that the call opened."""
    site = site_of(request)
    sight, now, key = sight_of(site, viewer), site.clock.now(), _key(node, call)
    found = await reading(site.database, lambda c: board.card(c, sight, key, now))
    if found is None:
        raise Problem(404)
    return answer(request, board.card_json(found, sight))


@router.post(
    "/callbacks/{node}/{call}/{action}",
    summary="Take, put off, dismiss, correct or call",
    response_model=CallbackForm,
)
async def act_on(
    request: Request,
    node: str,
    call: str,
    action: Action,
    viewer: Annotated[Viewer, Depends(api_viewer)],
    words: Annotated[Words | None, Body()] = None,
) -> Response:
    """The callback as it is then. A token needs the scope `act`; with Idempotency-Key a phone is rung once only."""
    site, given_ = site_of(request), words or Words()
    sight, key = sight_of(site, viewer), _key(node, call)
    once = request.headers.get("idempotency-key")
    asked = acting.Asked(action=action, reason=given_.reason, call=given_.call, once=once)
    try:
        card = await acting.do(site, sight, key, asked)
        live_of(request).touch()
    except CannotAct as cannot:
        raise Problem(404 if cannot.key == "callback.cannot.unknown" else 409, cannot.key) from None
    except CannotCall as cannot:
        raise Problem(409, cannot.key, None, **cannot.values) from None
    return JSONResponse(board.card_json(card, sight))


def _key(node: str, call: str) -> tuple[str, str]:
    if not is_plain(node) or not is_plain(call):
        raise Problem(404)
    return node, call
