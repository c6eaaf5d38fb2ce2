"""The journal: calls by a filter that stands in the address, each with its story and why its colour; and as files."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from pbxmonitor.domain.call import Direction, StageKind
from pbxmonitor.domain.callback import Colour
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.view import Json
from pbxmonitor.periods import NAMES as PERIODS
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import calls, drawing
from pbxmonitor.web.auth import note, page_viewer
from pbxmonitor.web.channel import kind_of
from pbxmonitor.web.export import csv_of, xlsx_of
from pbxmonitor.web.filtering import NAMES, BadQuery, asked, cursor_of, cursor_text, is_plain, tidied
from pbxmonitor.web.now_words import page_words
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import page
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.stream import live_of
from pbxmonitor.web.viewer import Viewer

router = APIRouter()
PAGE: Final = 50
Looks = Annotated[Viewer, Depends(page_viewer)]


@router.get("/journal")
async def journal(request: Request, viewer: Looks) -> Response:
    """A page of calls; a form's empty fields are taken out of the address first, so that it can be passed on."""
    query = request.query_params
    if (elsewhere := tidied(request, "journal")) is not None:
        return elsewhere
    site = site_of(request)
    sight, now = sight_of(site, viewer), site.clock.now()
    bad = None
    try:
        what = asked(query, site.settings, now, whole_numbers=viewer.whole_numbers)
        after = cursor_of(query.get("after"))
    except BadQuery as error:
        bad, what, after = error, asked({}, site.settings, now), None
    choices = await reading(site.database, lambda c: calls.offered(c, sight, now))
    found = None
    if bad is None:
        found = await reading(site.database, lambda c: calls.page(c, what.wanted, sight, limit=PAGE, after=after))
    # The newest page of what still goes on is kept up by its script.
    live = bad is None and after is None and what.stretch.end > now
    channel = await live_of(request).look(kind_of(viewer, said=True)) if live else None
    return page(
        request,
        viewer,
        "journal.html",
        400 if bad is not None else 200,
        rows=[row_of(form, sight) for form in found.calls] if found is not None else [],
        bad=bad.text(viewer.language) if bad is not None else None,
        query={name: query[name] for name in NAMES if name in query},
        link=what.link,
        next=cursor_text(found.next) if found is not None else None,
        later=after is not None,
        choices=_choices(choices, viewer.language),
        periods=PERIODS,
        now=now,
        stream=live,
        event_id=channel.id if channel is not None else None,
        words=page_words(viewer.language),
    )


@router.get("/journal/export.{form}")
async def export(request: Request, form: str, viewer: Looks) -> Response:
    """All calls of the filter as a file; who took it is in the audit."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    if form not in ("csv", "xlsx"):
        raise Problem(404)
    try:
        what = asked(request.query_params, site.settings, site.clock.now(), whole_numbers=viewer.whole_numbers)
    except BadQuery as bad:
        raise Problem(400, bad.key, None, **bad.values) from None
    told = {name: value for name, value in what.query.items() if name != "number"}
    await note(request, viewer, "export_calls", None, form=form, filter=told)
    return await (csv_of if form == "csv" else xlsx_of)(site, sight, what)


@router.get("/journal/{node}/{call}")
async def one_call(request: Request, node: str, call: str, viewer: Looks) -> Response:
    """One call: drawn in time, told in words, and which rule gave its colour."""
    site = site_of(request)
    sight = sight_of(site, viewer)
    if not is_plain(node) or not is_plain(call):
        raise Problem(404)
    found = await reading(site.database, lambda c: calls.case(c, sight, node, call))
    if found is None:
        raise Problem(404)
    await note(request, viewer, "view_call", (node, call))
    form, says = sight.call(found.form), partial(tr, language=viewer.language)
    words = calls.told(found, site.policy, sight, site.settings.zone)
    drawn = drawing.timeline(dict(found.form) | {"stages": form["stages"]}, sight.name, says)
    return page(
        request,
        viewer,
        "call.html",
        current="journal",
        row=row_of(form, sight),
        drawn=drawn,
        told=words,
        journey=[(at, f"{at.astimezone(site.settings.zone):%H:%M:%S}", text) for at, text in words.journey],
        debt=form["callback"],
        opener=found.debt.missed_calls[0] if found.debt is not None else None,
    )


def row_of(form: Mapping[str, Any], sight: Sight) -> Json:
    """What a line of the journal shows of that call (already in the viewer's eyes)."""
    inbound = form["direction"] == Direction.INBOUND
    missed = [sight.name(agent) for agent, verdict in form["verdicts"].items() if verdict == "missed"]
    hidden = form["answered_by"] is None and form["answered_at"] is not None
    return {
        "node": form["node"],
        "key": form["call"],
        "at": datetime.fromisoformat(form["started_at"]),
        "direction": form["direction"],
        "colour": form["colour"],
        "client": form["caller"] if inbound else form["called"],
        "line": form["called"] if inbound else None,
        "by": None if inbound else sight.name(form["caller"]),
        "queue": form["queue"],
        "disposition": form["disposition"],
        "cause": form["cause"],
        "answered": tr("web.colleague", language=sight.language) if hidden else sight.name(form["answered_by"]),
        "missed": ", ".join(missed),
        "wait_s": form["wait_s"],
        "talk_s": form["talk_s"],
        "short_hangup": form["short_hangup"],
        "transferred": bool(form["transfers"]),
        "open": form["ended_at"] is None,
    }


def _choices(found: Mapping[str, Any], language: str) -> dict[str, list[tuple[str, str]]]:
    """What the fields of the filter offer: (value, text)."""
    words = {"colour": Colour, "cause": Cause, "direction": Direction, "stage": StageKind}
    told = {
        name: [(each.value, tr(f"value.{name}.{each.value}", language=language)) for each in kind]
        for name, kind in words.items()
    }
    return dict(found) | told
