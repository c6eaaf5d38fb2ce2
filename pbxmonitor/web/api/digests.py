"""Digests by the API, for managers and administrators: which were written, for whom, and whether they arrived."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pbxmonitor.domain.view import Json, stamp
from pbxmonitor.store import told
from pbxmonitor.store.journal import Cursor
from pbxmonitor.store.told import Digest, DigestPlace
from pbxmonitor.store.types import reading
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.office_forms import Digests
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery, cursor_of, cursor_text
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["office"])


class DigestsQuery(BaseModel):
    """Which page of the digests."""

    cursor: str | None = Field(None, description="`next` of the page before.")
    limit: int = Field(50, ge=1, le=500)


@router.get("/digests", summary="Digests that were written, the latest first", response_model=Digests)
async def list_digests(
    request: Request,
    query: Annotated[DigestsQuery, Query()],
    viewer: Annotated[Viewer, Depends(require(Role.MANAGER))],
) -> Response:
    """`{"digests": […], "next": cursor or null}`; `state` null: nothing was to be said, or it is long ago."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    try:
        after = _place_of(query.cursor)
    except BadQuery as bad:
        raise problem_of(bad) from None
    found = await reading(site.database, lambda c: told.digests(c, limit=query.limit, after=after))
    rows = [_form(each, sight) for each in found.digests]
    return answer(request, {"digests": rows, "next": _place_text(found.next)})


def _form(digest: Digest, sight: Sight) -> Json:
    return {
        "kind": digest.kind,
        "person": digest.person,
        "name": sight.full_name(digest.person),
        "begin": digest.begin.isoformat(),
        "made_at": stamp(digest.made_at),
        "channel": digest.channel,
        "state": digest.state,
        "ended_at": stamp(digest.ended_at) if digest.ended_at is not None else None,
        "error": sight.text(digest.error) if digest.error is not None else None,
    }


def _place_text(place: DigestPlace | None) -> str | None:
    if place is None:
        return None
    return cursor_text(Cursor(started_at=place.made_at, node=place.kind, key=f"{place.begin} {place.person}"))


def _place_of(text: str | None) -> DigestPlace | None:
    found = cursor_of(text)
    if found is None:
        return None
    day, _, person = found.key.partition(" ")
    try:
        begin = date.fromisoformat(day)
    except ValueError:
        raise BadQuery("web.filter.bad_cursor") from None
    return DigestPlace(made_at=found.started_at, kind=found.node, person=person, begin=begin)
