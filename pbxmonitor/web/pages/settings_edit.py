"""Settings changed in the browser by an administrator: one entry at a time, what the file says stays as it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.domain.alerts import Kind
from pbxmonitor.in_force import Arranged, DoesNotFit, arranged_of
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.settings_fixed import usual_rule
from pbxmonitor.settings_overlay import LeftOut, Stored, overlaid
from pbxmonitor.store.stored_settings import ChangedMeanwhile, Wish
from pbxmonitor.store.strangers import strangers
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web import trial
from pbxmonitor.web.arrangement import title_of
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.setting_entries import (
    JUDGED,
    NAMED,
    SINGLE,
    Entry,
    digest_of,
    entry_of,
    is_there,
    new_key,
    storable,
)
from pbxmonitor.web.setting_faults import fault_text
from pbxmonitor.web.setting_fields import Field
from pbxmonitor.web.setting_forms import Said, said_of
from pbxmonitor.web.setting_saving import save
from pbxmonitor.web.sight import sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.trial import CannotTry, Tried
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
# Where on the page of all settings a section stands.
ANCHORS: Final = {"policy": "policy", "queues": "policy", "callbacks": "chain", "steps": "chain", "crm_users": "crm"}
_DAYS: Final = 3


@router.get("/settings/edit")
async def edit(
    request: Request, viewer: Admin, section: str = "", key: str = "", kind: str = "", device: str = ""
) -> Response:
    """The form of one entry; a new alert rule is asked first of which kind it is."""
    if section == "alerts" and not key and kind not in set(Kind):
        kinds = [(each.value, tr(f"alert.{each}.title", language=viewer.language)) for each in Kind]
        return page(request, viewer, "settings_kinds.html", current="settings", kinds=kinds)
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    entry = entry_of(found, section, key, viewer, kind=kind, device=device)
    return await _shown(request, viewer, entry)


@router.post("/settings/edit", dependencies=FORM)
async def change(request: Request, viewer: Admin) -> Response:
    """Keep what was filled in, or show what it would change; the form again, with what is wrong, where it cannot be."""
    said = said_of((await request.form()).multi_items())
    site = site_of(request)
    section, key, kind = (_one(said, name) for name in ("section", "key", "kind"))
    found = await arranged_of(site.settings, site.database)
    entry = entry_of(found, section, key, viewer, kind=kind)
    # A key with nothing behind it any more: somebody has removed it since, which `save` will see.
    name = new_key(found, section, _one(said, "name").strip()) if entry.new and not key else key
    if entry.locked:
        raise Problem(404)
    if trouble := _trouble(entry, name, said):
        return await _shown(request, viewer, entry, said, 422, trouble=trouble)
    wish = entry.wish(name or "", entry.said(said), _revision(said))
    try:
        if section in JUDGED and (_one(said, "step") == "try" or _one(said, "tried") != digest_of(wish.value)):
            tried = await _tried(request, found, wish)
            if tried is not None:
                return await _shown(request, viewer, entry, said, tried=tried, proof=digest_of(wish.value))
        await save(request, viewer, wish)
    except DoesNotFit as error:
        return await _refused(request, viewer, entry, said, error.left)
    except CannotTry as error:
        return await _shown(request, viewer, entry, said, 422, trouble=error.text(viewer.language))
    except ChangedMeanwhile as error:
        return await _again(request, viewer, entry, said, error)
    return _back(request, section, "setting_put")


@router.get("/settings/remove")
async def ask(request: Request, viewer: Admin, section: str = "", key: str = "") -> Response:
    """Whether that shall really be removed."""
    return await _asked(request, viewer, section, key)


@router.post("/settings/remove", dependencies=FORM)
async def remove(request: Request, viewer: Admin) -> Response:
    """Forget what is kept of that entry; one of the usual alert rules is switched off instead, or is as usual again."""
    said = said_of((await request.form()).multi_items())
    section, key, site = _one(said, "section"), _one(said, "key"), site_of(request)
    found = await arranged_of(site.settings, site.database)
    entry = entry_of(found, section, key, viewer)
    off = section == "alerts" and _one(said, "how") == "off" and usual_rule(found.settings, entry.key)
    if not off and entry.stored is None:
        raise Problem(404)
    wish = Wish(section=section, key=entry.key, remove=not off, revision=_revision(said))
    try:
        await save(request, viewer, wish)
    except DoesNotFit as error:
        return await _asked(request, viewer, section, key, 422, trouble=_told(error.left[0], viewer.language))
    except ChangedMeanwhile as error:
        return await _asked(request, viewer, section, key, 409, trouble=_meanwhile(error, viewer.language))
    return _back(request, section, "setting_off" if off else "setting_removed")


def _one(said: Said, name: str) -> str:
    return next(iter(said.get(name, ())), "")


def _revision(said: Said) -> int:
    text = _one(said, "revision")
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 18 else -1


def _trouble(entry: Entry, name: str | None, said: Said) -> str | None:
    """Why the form is not even looked at; a key of the catalogue."""
    if not storable(said):
        return "web.fault.text"
    if entry.new and (not name or not is_plain(name)):
        return "web.fault.name"
    if entry.new and is_there(entry.settings, entry.section, name or ""):
        return "web.fault.taken"
    return None


async def _tried(request: Request, found: Arranged, wish: Wish) -> Tried | None:
    """What the new policy would have judged otherwise; None where it is the same. DoesNotFit, CannotTry."""
    site = site_of(request)
    others = [each for each in found.kept.entries if (each.section, each.key) != (wish.section, wish.key)]
    new = [] if wish.remove else [Stored(section=wish.section, key=wish.key, value=wish.value)]
    laid = overlaid(site.settings, [*others, *new])
    if wrong := [each for each in laid.left_out if (each.section, each.key) == (wish.section, wish.key)]:
        raise DoesNotFit(wrong)
    policy = policy_of(laid.settings)
    if policy == policy_of(found.settings):
        return None
    return await trial.judged(site, policy, _DAYS, trial.turn_of(request.app))


async def _refused(request: Request, viewer: Viewer, entry: Entry, said: Said, left: Sequence[LeftOut]) -> Response:
    """The form again, with the fault beside its field, or above all where it is no field's."""
    first, language = left[0], viewer.language
    at = first.fault.at if first.leaf is None else (first.leaf, *first.fault.at)
    field = _field_at(entry.every, at)
    mine = field is not None and first.section == entry.section
    text = fault_text(first.fault, language) if mine else _told(first, language)
    faults = {field.name: text} if field is not None and mine else {}
    return await _shown(request, viewer, entry, said, 422, faults=faults, told=None if faults else text)


def _field_at(fields: Sequence[Field], at: Sequence[str]) -> Field | None:
    """The field that a fault is at, or inside of."""
    found = [each for each in fields if tuple(at[: len(each.path)]) == each.path]
    return max(found, key=lambda each: len(each.path), default=None)


def _told(left: LeftOut, language: str) -> str:
    """A fault of something else, with its name."""
    return f"{tr(f'web.settings.section.{left.section}', language=language)} {left.key}: " + fault_text(
        left.fault, language
    )


def _meanwhile(error: ChangedMeanwhile, language: str) -> str:
    key = "web.settings.meanwhile.by" if error.by else "web.settings.meanwhile"
    return tr(key, language=language, **({"by": error.by} if error.by else {}))


async def _again(request: Request, viewer: Viewer, entry: Entry, said: Said, error: ChangedMeanwhile) -> Response:
    """The form with what was filled in, which the next try would keep over what somebody else has kept meanwhile."""
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    name = entry.key or _one(said, "name").strip()
    fresh = entry_of(found, entry.section, name, viewer, kind=entry.kind or "")
    return await _shown(request, viewer, fresh, said, 409, told=_meanwhile(error, viewer.language))


async def _shown(
    request: Request,
    viewer: Viewer,
    entry: Entry,
    said: Said | None = None,
    status: int = 200,
    *,
    faults: Mapping[str, str] | None = None,
    trouble: str | None = None,
    told: str | None = None,
    tried: Tried | None = None,
    proof: str = "",
) -> Response:
    site, language = site_of(request), viewer.language
    shown = entry.shown() if said is None else {**entry.shown(), **_blank(entry, said)}
    found = await reading(site.database, lambda c: strangers(c, entry.settings.people, _phones(entry)))
    return page(
        request,
        viewer,
        "settings_edit.html",
        status,
        current="settings",
        entry=entry,
        title=_title(entry, language),
        called=_one(said, "name") if said is not None else entry.key,
        named=entry.new and entry.section in NAMED,
        shown=shown,
        faults=faults or {},
        trouble=tr(trouble, language=language) if trouble else told,
        revision=entry.stored.revision if entry.stored is not None else 0,
        phones=found if entry.section == "people" else [],
        tried=tried,
        moves=trial.moves(tried.outcome, sight_of(site, viewer)) if tried is not None else [],
        proof=proof,
        judged=entry.section in JUDGED,
        anchor=ANCHORS.get(entry.section, entry.section),
    )


def _blank(entry: Entry, said: Said) -> dict[str, Sequence[str]]:
    """What was filled in; what was emptied is empty again."""
    return {each.name: said.get(each.name, [""]) for each in entry.every if not entry.fixed(each)}


def _phones(entry: Entry) -> list[str]:
    people = entry.settings.people.values()
    return [device for person in people for device in (*person.devices, *person.mobiles)]


def _title(entry: Entry, language: str) -> str:
    """What is changed, in words."""
    kind = "new" if entry.new else "one"
    return tr(f"web.settings.{kind}.{entry.section}", language=language, name=_called(entry, language))


def _called(entry: Entry, language: str) -> str:
    settings, key = entry.settings, entry.key
    if entry.section == "people" and key in settings.people:
        return settings.people[key].name or key
    if entry.section == "teams" and key in settings.teams:
        return settings.teams[key].name or key
    if entry.section == "alerts":
        rules = {rule.name: rule for rule in to_rules(settings.alerts)}
        return title_of(rules[key], language) if key in rules else tr(f"alert.{entry.kind}.title", language=language)
    return key


async def _asked(
    request: Request, viewer: Viewer, section: str, key: str, status: int = 200, *, trouble: str | None = None
) -> Response:
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    entry = entry_of(found, section, key, viewer)
    usual = section == "alerts" and usual_rule(found.settings, entry.key)
    if entry.stored is None and not usual:
        raise Problem(404)
    return page(
        request,
        viewer,
        "settings_remove.html",
        status,
        current="settings",
        entry=entry,
        title=_title(replace(entry, new=False), viewer.language),
        revision=entry.stored.revision if entry.stored is not None else 0,
        usual=usual,
        off=entry.stored is not None and entry.stored.value is None,
        rest=section not in SINGLE and is_there(found.settings.file, section, entry.key),
        trouble=trouble,
        anchor=ANCHORS.get(section, section),
    )


def _back(request: Request, section: str, done: str) -> Response:
    return RedirectResponse(address(request, "settings", {"done": done}) + f"#{ANCHORS.get(section, section)}", 303)
