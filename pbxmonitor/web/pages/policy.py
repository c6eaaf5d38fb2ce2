"""Other thresholds tried on the last days: old against new, before an administrator saves them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.in_force import Arranged, DoesNotFit, arranged_of
from pbxmonitor.settings_fixed import SITE, is_fixed
from pbxmonitor.store.stored_settings import ChangedMeanwhile, Wish
from pbxmonitor.texts import tr
from pbxmonitor.web import trial
from pbxmonitor.web.auth import checked_form, note, require
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.setting_entries import digest_of
from pbxmonitor.web.setting_faults import fault_text
from pbxmonitor.web.setting_saving import save
from pbxmonitor.web.setting_texts import about, span
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.trial import CannotTry, Tried
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
_USUAL: Final = "3"


@router.get("/settings/policy")
async def policy(request: Request, viewer: Manager) -> Response:
    """The thresholds that hold, to be changed."""
    return await _shown(request, viewer, {"days": _USUAL})


@router.post("/settings/policy", dependencies=FORM)
async def try_policy(request: Request, viewer: Manager) -> Response:
    """What those thresholds would change; nothing is saved."""
    site, said = site_of(request), await _said(request)
    try:
        changes = _changes(request, said)
        if said["days"] not in map(str, trial.DAYS):
            raise CannotTry("web.policy.cannot.days")
        found = await trial.tried(site, changes, int(said["days"]), trial.turn_of(request.app))
    except CannotTry as cannot:
        return await _shown(request, viewer, said, 422, trouble=cannot.text(viewer.language))
    await note(request, viewer, "policy_tried", None, days=int(said["days"]), policy=_written(changes))
    return await _shown(request, viewer, said, found=found)


@router.post("/settings/policy/save", dependencies=FORM)
async def save_policy(request: Request, viewer: Admin) -> Response:
    """Keep the thresholds whose trial was shown; what the file sets stays as it is."""
    site, said, form = site_of(request), await _said(request), await request.form()
    found = await arranged_of(site.settings, site.database)
    try:
        changes = _written(_changes(request, said))
        if form.get("tried") != digest_of(changes):
            raise CannotTry("web.policy.cannot.untried")
        free = {name: value for name, value in changes.items() if not is_fixed(found.settings, "policy", name)}
        if not free:
            raise CannotTry("web.policy.cannot.fixed")
        await save(request, viewer, _wish(found, free, str(form.get("revision", ""))))
    except CannotTry as cannot:
        return await _shown(request, viewer, said, 422, trouble=cannot.text(viewer.language))
    except DoesNotFit as wrong:
        return await _shown(request, viewer, said, 422, trouble=fault_text(wrong.left[0].fault, viewer.language))
    except ChangedMeanwhile:
        return await _shown(request, viewer, said, 409, trouble=tr("web.settings.meanwhile", language=viewer.language))
    return RedirectResponse(address(request, "settings", {"done": "setting_put"}) + "#policy", 303)


async def _said(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: str(form.get(name, ""))[:40] for name in (*trial.THRESHOLDS, "days")}


def _changes(request: Request, said: Mapping[str, str]) -> dict[str, timedelta]:
    changes = trial.changes_of(site_of(request).policy, said)
    if not changes:
        raise CannotTry("web.policy.cannot.same")
    return changes


def _written(changes: Mapping[str, timedelta]) -> dict[str, str]:
    return {name: span(value) for name, value in changes.items()}


def _wish(found: Arranged, changes: Mapping[str, str], revision: str) -> Wish:
    """Those thresholds beside the others that are kept."""
    stored = found.kept.of("policy", SITE)
    before = stored.value if stored is not None and isinstance(stored.value, Mapping) else {}
    if not (revision.isdecimal() and revision.isascii() and len(revision) < 18):
        raise Problem(422)
    return Wish(section="policy", key=SITE, value={**before, **changes}, revision=int(revision))


async def _shown(
    request: Request,
    viewer: Viewer,
    said: Mapping[str, str],
    status: int = 200,
    *,
    found: Tried | None = None,
    trouble: str | None = None,
) -> Response:
    site = site_of(request)
    stored = (await arranged_of(site.settings, site.database)).kept.of("policy", SITE)
    now = {name: span(getattr(site.policy, name)) for name in trial.THRESHOLDS}
    names = {name: about(f"policy.{name}", viewer.language) for name in trial.THRESHOLDS}
    fixed = {name for name in trial.THRESHOLDS if is_fixed(site.settings, "policy", name)}
    changes = _written(found.changes) if found else {}
    return page(
        request,
        viewer,
        "policy.html",
        status,
        current="settings",
        thresholds=[(name, names[name], said.get(name, now[name]), now[name]) for name in trial.THRESHOLDS],
        fixed=fixed,
        days=[str(each) for each in trial.DAYS],
        chosen=said["days"],
        found=found,
        moves=trial.moves(found.outcome, sight_of(site, viewer)) if found else [],
        toml=trial.toml(found.changes) if found else "",
        changes=changes,
        may_save=viewer.at_least(Role.ADMIN) and bool(changes.keys() - fixed),
        proof=digest_of(changes),
        revision=stored.revision if stored is not None else 0,
        queues=sorted(site.policy.queues),
        trouble=trouble,
    )
