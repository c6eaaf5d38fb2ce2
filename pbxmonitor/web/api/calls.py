"""The journal by the API: pages of calls as the page filters them, and one call with its story and its reasons."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pbxmonitor.store.types import reading
from pbxmonitor.web import calls
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.call_forms import Calls, CallStory
from pbxmonitor.web.auth import api_viewer
from pbxmonitor.web.filtering import BadQuery, asked, cursor_of, cursor_text, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter(tags=["calls"])


class Time(BaseModel):
    """Which time: a named period, or from and to; site time where no offset is given."""

    period: str | None = Field(None, description="today, yesterday, this- or last- and week, month, quarter, year")
    begin: str | None = Field(None, alias="from", description="A date, or a moment in ISO 8601.")
    end: str | None = Field(None, alias="to", description="A date (that day whole), or a moment.")
    node: str | None = Field(None, description="One PBX; all of them if not given.")


class CallsQuery(Time):
    """Which calls: those that fit all that is given."""

    agent: str | None = Field(None, description="His calls; of red ones, those he missed.")
    queue: str | None = Field(None, description="Calls that entered this queue.")
    line: str | None = Field(None, description="The number first called (DID).")
    colour: str | None = Field(None, description="red, yellow or green.")
    cause: str | None = Field(None, description="Why it was lost: ignored, declined, overload …")
    direction: str | None = Field(None, description="inbound, outbound or internal.")
    number: str | None = Field(None, description="The other side's number in any format, or a part of it.")
    stage: str | None = Field(None, description="A stop of the journey: ivr, queue:sales, voicemail …")
    min_talk: str | None = Field(None, description="Talked at least so many seconds.")
    max_talk: str | None = Field(None, description="Talked at most so many seconds.")
    min_wait: str | None = Field(None, description="Waited at least so many seconds.")
    max_wait: str | None = Field(None, description="Waited at most so many seconds.")
    short_hangups: str | None = Field(None, description="1: dropped by the agent at once.")
    transferred: str | None = Field(None, description="1: transferred calls.")
    lost: str | None = Field(None, description="1: nobody really talked to the client.")
    missed_control: str | None = Field(None, description="1: lost, and nobody called back yet.")
    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)


@router.get("/calls", summary="Calls, the newest first", response_model=Calls)
async def list_calls(
    request: Request, query: Annotated[CallsQuery, Query()], viewer: Annotated[Viewer, Depends(api_viewer)]
) -> Response:
    """`{"calls": […], "next": cursor or null}`; each call in the form of docs/replay.md with node, queue, callback."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    try:
        what = asked(request.query_params, site.settings, site.clock.now(), whole_numbers=viewer.whole_numbers)
        after = cursor_of(query.cursor)
    except BadQuery as bad:
        raise problem_of(bad) from None
    found = await reading(site.database, lambda c: calls.page(c, what.wanted, sight, limit=query.limit, after=after))
    return answer(request, {"calls": found.calls, "next": cursor_text(found.next)})


@router.get(
    "/calls/{node}/{call}", summary="One call: its journey, and which rule decided what", response_model=CallStory
)
async def one_call(request: Request, node: str, call: str, viewer: Annotated[Viewer, Depends(api_viewer)]) -> Response:
    """The call's form with `journey`, `colour_because` and `why` in the language of the account."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    if not is_plain(node) or not is_plain(call):
        raise Problem(404)
    found = await reading(site.database, lambda c: calls.case(c, sight, node, call))
    if found is None:
        raise Problem(404)
    words = calls.told(found, site.policy, sight, site.settings.zone)
    return answer(request, calls.call_json(found, words, sight))
