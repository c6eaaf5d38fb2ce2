"""Webhooks as an administrator keeps them: which programs are told of what, how it goes, what they were sent."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.settings_web import web_of
from pbxmonitor.store import webhook_keeping, webhook_queue
from pbxmonitor.store import webhooks as store
from pbxmonitor.store.types import reading
from pbxmonitor.store.webhooks import EVENTS, CannotHook, Event
from pbxmonitor.texts import tr
from pbxmonitor.web import hooking
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import BadQuery, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
LISTED: Final = 50
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
Text = Annotated[str, Form(max_length=160)]
Url = Annotated[str, Form(max_length=2_000)]
Queues = Annotated[str, Form(max_length=4_000)]
Events = Annotated[list[str] | None, Form(max_length=20)]
_DONE: Final = frozenset({"changed", "tested", "again", "removed"})
_UNKNOWN: Final = "web.hooks.cannot.unknown"


@router.get("/webhooks")
async def webhooks(request: Request, viewer: Admin) -> Response:
    """All of them, and the form for one more."""
    return await _list(request, viewer, {"name": "", "url": "", "events": (), "queues": ""})


@router.post("/webhooks", dependencies=FORM)
async def add(
    request: Request, viewer: Admin, name: Text = "", url: Url = "", events: Events = None, queues: Queues = ""
) -> Response:
    """A new one, and its secret, shown this once."""
    values = _values(name, url, events, queues)
    try:
        made = await hooking.added(site_of(request), viewer.account, **values)
    except CannotHook as cannot:
        given = {"name": name, "url": url, "events": values["events"], "queues": queues}
        return await _list(request, viewer, given, 422, cannot.key)
    return await _one(request, viewer, made.id, secret=made.secret)


@router.get("/webhooks/one")
async def one(request: Request, viewer: Admin, id: str = "") -> Response:  # noqa: A002 - the address's word
    """One webhook: how it is set, how it goes, what it was sent of late."""
    return await _one(request, viewer, id, done=request.query_params.get("done"))


@router.post("/webhooks/change", dependencies=FORM)
async def change(
    request: Request,
    viewer: Admin,
    webhook: Text = "",
    name: Text = "",
    url: Url = "",
    events: Events = None,
    queues: Queues = "",
    disabled: Annotated[bool, Form()] = False,
) -> Response:
    """Other events, another address; stopped, or going on."""
    values = _values(name, url, events, queues) | {"enabled": not disabled}
    key = _plain(webhook)
    try:
        await hooking.changed(site_of(request), viewer.account, key, **values)
    except CannotHook as cannot:
        return await _refused(request, viewer, key, cannot)
    return _back(request, key, "changed")


@router.post("/webhooks/secret", dependencies=FORM)
async def new_secret(request: Request, viewer: Admin, webhook: Text = "") -> Response:
    """Another secret, shown this once."""
    key, by = _plain(webhook), viewer.account
    try:
        made = await hooking.kept(site_of(request), lambda c, now: webhook_keeping.new_secret(c, key, by, now))
    except CannotHook as cannot:
        return await _refused(request, viewer, key, cannot)
    return await _one(request, viewer, key, secret=made.secret)


@router.post("/webhooks/test", dependencies=FORM)
async def try_out(request: Request, viewer: Admin, webhook: Text = "") -> Response:
    """A ping; how it went stands in the list a moment later."""
    key, by = _plain(webhook), viewer.account
    return await _done(request, viewer, key, "tested", lambda c, now: webhook_queue.ping(c, key, by, now))


@router.post("/webhooks/again", dependencies=FORM)
async def again(request: Request, viewer: Admin, webhook: Text = "", delivery: Text = "") -> Response:
    """Send that once more."""
    key, name, by = _plain(webhook), _plain(delivery), viewer.account
    return await _done(request, viewer, key, "again", lambda c, now: webhook_queue.again(c, key, name, by, now))


@router.post("/webhooks/remove", dependencies=FORM)
async def remove(request: Request, viewer: Admin, webhook: Text = "") -> Response:
    """Tell it nothing more, and forget it."""
    key, by = _plain(webhook), viewer.account
    return await _done(request, viewer, key, "removed", lambda c, now: webhook_keeping.remove(c, key, by, now))


async def _done(
    request: Request, viewer: Viewer, key: str, done: str, work: Callable[[sa.Connection, datetime], object]
) -> Response:
    """Do it, and back to the webhook, or to the list where it is no more; why not, if it cannot be done."""
    try:
        await hooking.kept(site_of(request), work)
    except CannotHook as cannot:
        return await _refused(request, viewer, key, cannot)
    return _back(request, key, done)


def _back(request: Request, key: str, done: str) -> Response:
    if done == "removed":
        return RedirectResponse(address(request, "webhooks", {"done": done}), 303)
    return RedirectResponse(address(request, "webhooks/one", {"id": key, "done": done}), 303)


async def _refused(request: Request, viewer: Viewer, key: str, cannot: CannotHook) -> Response:
    if cannot.key == _UNKNOWN:
        raise Problem(404, cannot.key)
    return await _one(request, viewer, key, 422, trouble=cannot.key)


def _values(name: str, url: str, events: list[str] | None, queues: str) -> dict[str, Any]:
    """What a form says; queues stand in it with commas or spaces between them."""
    known = [event for event in EVENTS if event.value in (events or ())]
    return {
        "name": " ".join(name.split())[:80],
        "url": url.strip(),
        "events": known,
        "queues": queues.replace(",", " ").split()[:100],
    }


async def _list(
    request: Request, viewer: Viewer, given: dict[str, Any], status: int = 200, trouble: str | None = None
) -> Response:
    found = await reading(site_of(request).database, store.webhooks)
    done = "removed" if request.query_params.get("done") == "removed" else None
    return page(
        request,
        viewer,
        "webhooks.html",
        status,
        found=found,
        given=given,
        names=_names(viewer.language),
        private=web_of(site_of(request).settings).webhooks_to_private,
        **_said(viewer.language, done, trouble),
    )


async def _one(
    request: Request,
    viewer: Viewer,
    key: str,
    status: int = 200,
    *,
    secret: str | None = None,
    done: str | None = None,
    trouble: str | None = None,
) -> Response:
    _plain(key)
    try:
        after = hooking.place_of(request.query_params.get("after"))
    except BadQuery:
        raise Problem(404) from None
    each, sent = await reading(
        site_of(request).database,
        lambda c: (store.webhook(c, key), webhook_queue.page(c, key, limit=LISTED, after=after)),
    )
    if each is None:
        raise Problem(404, _UNKNOWN)
    return page(
        request,
        viewer,
        "webhook.html",
        status,
        current="webhooks",
        hook=each,
        given={"name": each.name, "url": each.url, "events": each.events, "queues": ", ".join(each.queues)},
        secret=secret,
        deliveries=sent.deliveries,
        next=hooking.place_text(sent.next),
        names=_names(viewer.language),
        **_said(viewer.language, done if done in _DONE else None, trouble),
    )


def _names(language: str) -> dict[str, str]:
    """What the events are called."""
    return {event.value: tr(f"web.alerts.message.{event.value}", language=language) for event in Event}


def _said(language: str, done: str | None, trouble: str | None) -> dict[str, str | None]:
    return {
        "done": tr(f"web.hooks.done.{done}", language=language) if done else None,
        "trouble": tr(trouble, language=language) if trouble else None,
    }


def _plain(text: str) -> str:
    if not is_plain(text):
        raise Problem(404)
    return text
