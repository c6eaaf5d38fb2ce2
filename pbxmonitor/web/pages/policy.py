"""Other thresholds tried on the last days: old against new, before anybody writes them into the settings file."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final
from weakref import WeakKeyDictionary

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response

from pbxmonitor.web import trial
from pbxmonitor.web.auth import checked_form, note, require
from pbxmonitor.web.rendering import page
from pbxmonitor.web.setting_texts import about, span
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.trial import CannotTry, Tried
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]
_USUAL: Final = "3"
# Judging thousands of calls is heavy: one at a time in each application.
_TURNS: Final[WeakKeyDictionary[FastAPI, asyncio.Lock]] = WeakKeyDictionary()


@router.get("/settings/policy")
async def policy(request: Request, viewer: Manager) -> Response:
    """The thresholds that hold, to be changed."""
    return _shown(request, viewer, {"days": _USUAL})


@router.post("/settings/policy", dependencies=[Depends(checked_form)])
async def try_policy(request: Request, viewer: Manager) -> Response:
    """What those thresholds would change; nothing is saved."""
    site, form = site_of(request), await request.form()
    said = {name: str(form.get(name, ""))[:40] for name in (*trial.THRESHOLDS, "days")}
    try:
        changes = trial.changes_of(site.policy, said)
        if not changes:
            raise CannotTry("web.policy.cannot.same")
        if said["days"] not in map(str, trial.DAYS):
            raise CannotTry("web.policy.cannot.days")
        turn = _TURNS.setdefault(request.app, asyncio.Lock())
        found = await trial.tried(site, changes, int(said["days"]), turn)
    except CannotTry as cannot:
        return _shown(request, viewer, said, 422, trouble=cannot.text(viewer.language))
    written = {name: span(value) for name, value in changes.items()}
    await note(request, viewer, "policy_tried", None, days=int(said["days"]), policy=written)
    return _shown(request, viewer, said, found=found)


def _shown(
    request: Request,
    viewer: Viewer,
    said: Mapping[str, str],
    status: int = 200,
    *,
    found: Tried | None = None,
    trouble: str | None = None,
) -> Response:
    site = site_of(request)
    now = {name: span(getattr(site.policy, name)) for name in trial.THRESHOLDS}
    names = {name: about(f"policy.{name}", viewer.language) for name in trial.THRESHOLDS}
    return page(
        request,
        viewer,
        "policy.html",
        status,
        current="settings",
        thresholds=[(name, names[name], said.get(name, now[name]), now[name]) for name in trial.THRESHOLDS],
        days=[str(each) for each in trial.DAYS],
        chosen=said["days"],
        found=found,
        moves=trial.moves(found.outcome, sight_of(site, viewer)) if found else [],
        toml=trial.toml(found.changes) if found else "",
        queues=sorted(site.policy.queues),
        trouble=trouble,
    )
