"""The live page, the wallboard for a television, and the stream that keeps both up to date."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, Response

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.web.auth import api_viewer, page_viewer
from pbxmonitor.web.channel import Channel, kind_of
from pbxmonitor.web.now_words import countdown, lapse, page_words
from pbxmonitor.web.rendering import page
from pbxmonitor.web.site import site_of
from pbxmonitor.web.stream import live_of, streamed
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
PageViewer = Annotated[Viewer, Depends(page_viewer)]


class _Blank(dict[str, str]):
    """An item with nothing in any slot: what the script makes new items of."""

    def __missing__(self, slot: str) -> str:
        return ""


@router.get("/now")
async def now(request: Request, viewer: PageViewer) -> HTMLResponse:
    """Everybody and everything as it is, kept up to date by the script."""
    channel = await live_of(request).look(kind_of(viewer, said=True))
    return _shown(request, viewer, "now.html", channel, stream="stream")


@router.get("/wallboard")
async def wallboard(request: Request, viewer: PageViewer) -> HTMLResponse:
    """The same, large, for a television that many can see: clients' numbers are never whole."""
    channel = await live_of(request).look(kind_of(viewer, said=True, masked=True))
    return _shown(request, viewer, "wallboard.html", channel, stream="stream?wall=1")


@router.get("/stream")
async def stream(request: Request, viewer: Annotated[Viewer, Depends(api_viewer)], wall: bool = False) -> Response:
    """What changes on either page, in the words of the viewer; a script asks, so nobody is sent to the login page."""
    return streamed(request, kind_of(viewer, said=True, masked=wall))


def _shown(request: Request, viewer: Viewer, name: str, channel: Channel, stream: str) -> HTMLResponse:
    moment = site_of(request).clock.now()
    return page(
        request,
        viewer,
        name,
        view={section: ordered(items) for section, items in channel.view.items()},
        event_id=channel.id,
        stream=stream,
        moment=stamp(moment),
        words=page_words(viewer.language),
        lapse=lambda since: lapse(since, moment, viewer.language),
        countdown=lambda due: countdown(due, moment, viewer.language),
        blank=_Blank(),
        zone=site_of(request).settings.timezone,
        can_call=site_of(request).dialling is not None and viewer.person is not None,
    )


def ordered(items: Mapping[str, Json]) -> Sequence[Json]:
    """The items as they stand on the page; the script puts them in the same order."""
    return sorted(items.values(), key=lambda item: (item["order"], item["key"]))
