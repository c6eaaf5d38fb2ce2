"""Webhooks by the API, for administrators and for tokens of theirs with the scope `hooks` (docs/api.md)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response

from pbxmonitor.store import webhook_keeping, webhook_queue
from pbxmonitor.store import webhooks as store
from pbxmonitor.store.sessions import HOOKS
from pbxmonitor.store.types import reading
from pbxmonitor.store.webhooks import CannotHook, Event, Webhook
from pbxmonitor.web import hooking
from pbxmonitor.web.answers import answer, problem_of
from pbxmonitor.web.api.webhook_forms import (
    DeliveriesQuery,
    NewWebhook,
    WebhookChange,
    WebhookDeliveries,
    WebhookDelivery,
    Webhooks,
    WebhookSecret,
    WebhookState,
)
from pbxmonitor.web.auth import require
from pbxmonitor.web.filtering import BadQuery, is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["webhooks"])
Admin = Annotated[Viewer, Depends(require(Role.ADMIN, HOOKS))]
Key = Annotated[str, Path(max_length=24, description="The webhook's id.")]
_STATUS: Final = {
    "web.hooks.cannot.unknown": 404,
    "web.hooks.cannot.no_delivery": 404,
    "web.hooks.cannot.waiting": 409,
    "web.hooks.cannot.many": 409,
}


@router.get("/webhooks", summary="Webhooks and how they go", response_model=Webhooks)
async def list_webhooks(request: Request, _viewer: Admin) -> Response:
    """`{"webhooks": […]}`, in the order in which they were made."""
    found = await reading(site_of(request).database, store.webhooks)
    return answer(request, {"webhooks": [hooking.webhook_json(each) for each in found]})


@router.post("/webhooks", summary="A new webhook", status_code=201, response_model=WebhookSecret)
async def add_webhook(request: Request, viewer: Admin, new: Annotated[NewWebhook, Body()]) -> Response:
    """The webhook with its `secret`, which is shown this once."""
    events, where = [Event(each) for each in new.events], site_of(request)
    try:
        made = await hooking.added(where, viewer.account, name=new.name, url=new.url, events=events, queues=new.queues)
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return JSONResponse(_with_secret(made), 201, {"Location": f"{request.url.path}/{made.id}"})


@router.get("/webhooks/{webhook}", summary="One webhook", response_model=WebhookState)
async def one_webhook(request: Request, webhook: Key, _viewer: Admin) -> Response:
    """How it is set and how it goes."""
    found = await reading(site_of(request).database, lambda c: store.webhook(c, _plain(webhook)))
    if found is None:
        raise Problem(404, "web.hooks.cannot.unknown")
    return answer(request, hooking.webhook_json(found))


@router.patch("/webhooks/{webhook}", summary="Change, stop or go on with a webhook", response_model=WebhookState)
async def change_webhook(
    request: Request, webhook: Key, viewer: Admin, change: Annotated[WebhookChange, Body()]
) -> Response:
    """The webhook as it is then."""
    values: dict[str, Any] = change.model_dump(exclude_none=True)
    if "events" in values:
        values["events"] = [Event(each) for each in values["events"]]
    try:
        done = await hooking.changed(site_of(request), viewer.account, _plain(webhook), **values)
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return JSONResponse(hooking.webhook_json(done))


@router.delete("/webhooks/{webhook}", summary="Remove a webhook", status_code=204, response_class=Response)
async def remove_webhook(request: Request, webhook: Key, viewer: Admin) -> Response:
    """What waited for it is not sent any more."""
    key, by = _plain(webhook), viewer.account
    try:
        await hooking.kept(site_of(request), lambda c, now: webhook_keeping.remove(c, key, by, now))
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return Response(status_code=204)


@router.post("/webhooks/{webhook}/secret", summary="Another secret", response_model=WebhookSecret)
async def new_secret(request: Request, webhook: Key, viewer: Admin) -> Response:
    """The webhook with its new `secret`; from now on it is signed with that one."""
    key, by = _plain(webhook), viewer.account
    try:
        made = await hooking.kept(site_of(request), lambda c, now: webhook_keeping.new_secret(c, key, by, now))
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return JSONResponse(_with_secret(made))


@router.post("/webhooks/{webhook}/test", summary="Send a ping", status_code=202, response_model=WebhookDelivery)
async def ping_webhook(request: Request, webhook: Key, viewer: Admin) -> Response:
    """The delivery that waits; how it went is told by the list of deliveries. A disabled webhook is pinged, too."""
    key, by = _plain(webhook), viewer.account
    try:
        owed = await hooking.kept(site_of(request), lambda c, now: webhook_queue.ping(c, key, by, now))
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return JSONResponse(hooking.sent_json(owed), 202)


@router.get(
    "/webhooks/{webhook}/deliveries", summary="What a webhook was and is to be sent", response_model=WebhookDeliveries
)
async def list_deliveries(
    request: Request, webhook: Key, query: Annotated[DeliveriesQuery, Query()], _viewer: Admin
) -> Response:
    """`{"deliveries": […], "next": cursor or null}`, the newest first."""
    key = _plain(webhook)
    try:
        after = hooking.place_of(query.cursor)
    except BadQuery as bad:
        raise problem_of(bad) from None
    known, found = await reading(
        site_of(request).database,
        lambda c: (store.webhook(c, key), webhook_queue.page(c, key, limit=query.limit, after=after)),
    )
    if known is None:
        raise Problem(404, "web.hooks.cannot.unknown")
    rows = [hooking.sent_json(each) for each in found.deliveries]
    return answer(request, {"deliveries": rows, "next": hooking.place_text(found.next)})


@router.post(
    "/webhooks/{webhook}/deliveries/{delivery}/again",
    summary="Send a delivery again",
    status_code=202,
    response_model=WebhookDelivery,
)
async def send_again(
    request: Request, webhook: Key, delivery: Annotated[str, Path(max_length=80)], viewer: Admin
) -> Response:
    """The delivery that waits again, under the same id; 409 while it is still on its way."""
    key, name, by = _plain(webhook), _plain(delivery), viewer.account
    try:
        owed = await hooking.kept(site_of(request), lambda c, now: webhook_queue.again(c, key, name, by, now))
    except CannotHook as cannot:
        raise _problem(cannot) from None
    return JSONResponse(hooking.sent_json(owed), 202)


def _with_secret(made: Webhook) -> dict[str, Any]:
    return hooking.webhook_json(made) | {"secret": made.secret}


def _plain(text: str) -> str:
    if not is_plain(text):
        raise Problem(404)
    return text


def _problem(cannot: CannotHook) -> Problem:
    return Problem(_STATUS.get(cannot.key, 422), cannot.key)
