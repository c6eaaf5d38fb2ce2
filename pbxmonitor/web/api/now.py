"""The live state for programs: whole, or as a stream of changes."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from pbxmonitor.domain.view import stamp
from pbxmonitor.web.auth import api_viewer
from pbxmonitor.web.channel import kind_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.stream import live_of, streamed
from pbxmonitor.web.viewer import Viewer

router = APIRouter(tags=["now"])
ApiViewer = Annotated[Viewer, Depends(api_viewer)]


class Tile(BaseModel):
    """An employee: what he is at, with whom, since when, and his day."""

    key: str
    node: str | None
    agent: str
    name: str
    team: str | None
    state: str = Field(description="unknown, or one of the states of docs/replay.md")
    availability: str
    reason: str | None
    note: str | None
    since: str | None
    call: str | None
    peer: str | None
    direction: str | None
    queue: str | None
    queues: list[str]
    urgency: int = Field(description="smaller is more urgent")
    answered: int
    missed: int
    missed_share: float | None
    missed_too_much: bool
    open_callbacks: int


class Caller(BaseModel):
    """Somebody who waits in a queue; null for what the viewer may not see."""

    call: str | None
    caller: str | None
    since: str
    ringing: list[str]


class Queue(BaseModel):
    """A queue: who waits, who could answer."""

    key: str
    node: str
    queue: str
    waiting: int
    longest_since: str | None
    callers: list[Caller]
    agents: list[str]
    members: int
    available: int
    free: int


class OpenCallback(BaseModel):
    """A client who is to be called back; `missed` times missed."""

    key: str
    node: str
    call: str
    number: str
    line: str
    queue: str | None
    state: str
    owner: str | None
    taken_by: str | None
    who: str | None
    opened_at: str
    due_at: str
    overdue: bool
    snoozed_until: str | None
    missed: int
    attempts: int


class FiringAlert(BaseModel):
    """A rule that sees trouble now."""

    key: str
    rule: str
    kind: str
    node: str
    subject: str
    agent: str | None
    since: str
    value: float
    threshold: float


class Flag(BaseModel):
    """Why what is shown may not be so: link_lost, not_followed, numbers_stale, gap; `calls` of a gap_repaired."""

    key: str
    kind: str
    node: str | None
    since: str | None
    until: str | None
    calls: int | None


class Figure(BaseModel):
    """A key figure of the day; what stands beside the value depends on the figure."""

    key: str
    order: int = Field(description="their order on the page")
    value: int
    bad: bool
    share: float | None = None
    seconds: float | None = None
    since: str | None = None
    of: int | None = None
    busy: int | None = None
    away: int | None = None
    overdue: int | None = None


class Now(BaseModel):
    """Everything that goes on, each section's items by key; `id` continues it as a stream."""

    id: str
    now: str
    flags: dict[str, Flag]
    figures: dict[str, Figure]
    alerts: dict[str, FiringAlert]
    tiles: dict[str, Tile]
    queues: dict[str, Queue]
    callbacks: dict[str, OpenCallback]


@router.get("/now", response_model=Now, summary="The live state")
async def now(request: Request, viewer: ApiViewer, if_none_match: Annotated[str | None, Header()] = None) -> Response:
    """Employees, queues, callbacks, alerts and figures as they are; only what the viewer may see."""
    channel = await live_of(request).look(kind_of(viewer, said=False))
    headers = {"ETag": f'W/"{channel.id}"', "Cache-Control": "private, no-cache"}
    if if_none_match is not None and headers["ETag"] in if_none_match:
        return Response(status_code=304, headers=headers)
    body = {"id": channel.id, "now": stamp(site_of(request).clock.now()), **channel.view}
    return JSONResponse(body, headers=headers)


@router.get(
    "/stream",
    summary="The live state, as it changes",
    response_class=Response,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def stream(
    request: Request,
    viewer: ApiViewer,
    after: Annotated[str | None, Query(description="the `id` of the state that is known already")] = None,  # noqa: ARG001 - read with the header's
) -> Response:
    """Server-sent events: `view` is the state whole, `patch` what has changed (null: gone), `beat` every 15 s.

    `Last-Event-ID`, or `after`, continues where the stream broke off.
    """
    return streamed(request, kind_of(viewer, said=False))
