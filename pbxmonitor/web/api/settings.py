"""The settings by the API, for administrators: what holds, what the file fixes, and what is kept in the program."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from pbxmonitor.domain.view import stamp
from pbxmonitor.in_force import OPEN_KINDS, Arranged, DoesNotFit, arranged_of, kind_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_fixed import SECTIONS, SITE, is_fixed, place_of, usual_rule
from pbxmonitor.store.stored_settings import ChangedMeanwhile, Wish
from pbxmonitor.web import problems
from pbxmonitor.web.answers import answer
from pbxmonitor.web.auth import require
from pbxmonitor.web.deeds import masked_values
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.setting_entries import storable, well_named
from pbxmonitor.web.setting_faults import fault_text
from pbxmonitor.web.setting_saving import save
from pbxmonitor.web.setting_texts import told
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter(tags=["office"])
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
SectionName = Annotated[str, Path(description="people, teams, queues, policy, hours … as the list names them.")]
Key = Annotated[str, Path(max_length=80, description="The entry's name; `site` where there is only one.")]


class SettingForm(BaseModel):
    """One entry as it holds; `fixed` are the keys that the settings file says, `revision` 0: nothing is kept of it."""

    section: str
    key: str
    value: Any
    fixed: list[str]
    revision: int
    changed_at: str | None
    changed_by: str | None


class LeftOutForm(BaseModel):
    """What is kept and does not hold, wholly or one key of it, and why."""

    section: str
    key: str
    leaf: str | None
    why: str


class SettingsForm(BaseModel):
    """Everything that can be set in the program; passwords, tokens and addresses that are secrets are not in it."""

    version: int
    settings: list[SettingForm]
    left_out: list[LeftOutForm]


class Kept(BaseModel):
    """The revision to give with the next change."""

    revision: int


class SettingWish(BaseModel):
    """What the entry shall be, as the settings file would have it; null switches one of the usual alert rules off."""

    value: dict[str, Any] | list[dict[str, Any]] | None = Field(description="As in the settings file.")
    revision: int = Field(0, ge=0, description="The one that was read; 0 if nothing was kept.")


@router.get("/settings", summary="The settings that hold, and what the file fixes", response_model=SettingsForm)
async def list_settings(request: Request, viewer: Admin) -> Response:
    """`{"version", "settings": […], "left_out": […]}`."""
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    forms = [_form(found, section, key, value) for section, key, value in _entries(found)]
    left = [
        LeftOutForm(section=each.section, key=each.key, leaf=each.leaf, why=fault_text(each.fault, viewer.language))
        for each in found.effective.left_out
    ]
    data = SettingsForm(version=found.kept.version, settings=forms, left_out=left).model_dump()
    return answer(request, data if viewer.whole_numbers else masked_values(data))


@router.put("/settings/{section}/{key}", summary="Keep one entry", response_model=Kept)
async def put_setting(request: Request, section: SectionName, key: Key, wish: SettingWish, viewer: Admin) -> Response:
    """It holds within seconds; what the file says stays. 409: somebody has changed it since; 422: it does not fit."""
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    if section not in SECTIONS or not well_named(found, section, key):
        raise Problem(404)
    if section == "people" and not viewer.whole_numbers:
        raise Problem(403)
    off = wish.value is None and section == "alerts" and usual_rule(found.settings, key)
    shape = list if section == "steps" else dict
    if not storable(wish.value) or not (off or isinstance(wish.value, shape)):
        raise Problem(422)
    return await _saved(request, viewer, Wish(section=section, key=key, value=wish.value, revision=wish.revision))


@router.delete("/settings/{section}/{key}", summary="Forget what is kept of one entry", response_model=Kept)
async def delete_setting(
    request: Request,
    section: SectionName,
    key: Key,
    viewer: Admin,
    revision: Annotated[int, Query(ge=0, description="The one that was read.")] = 0,
) -> Response:
    """Then it is as the file says, or as by default."""
    site = site_of(request)
    found = await arranged_of(site.settings, site.database)
    if section not in SECTIONS or found.kept.of(section, key) is None:
        raise Problem(404)
    return await _saved(request, viewer, Wish(section=section, key=key, remove=True, revision=revision))


async def _saved(request: Request, viewer: Viewer, wish: Wish) -> Response:
    try:
        revision = await save(request, viewer, wish)
    except DoesNotFit as error:
        left = error.left[0]
        where = ".".join((*left.name, *left.fault.at))
        return problems.answer(request, 422, fault_text(left.fault, viewer.language), at=where)
    except ChangedMeanwhile:
        raise Problem(409, "web.settings.meanwhile") from None
    return JSONResponse(Kept(revision=revision).model_dump())


def _entries(found: Arranged) -> Iterator[tuple[str, str, Any]]:
    """Every entry that holds, in the order of the sections."""
    settings = found.settings
    yield from (("people", key, _person(settings, told(each))) for key, each in settings.people.items())
    yield from (("teams", key, told(each)) for key, each in settings.teams.items())
    policy = told(settings.policy)
    yield "hours", SITE, policy.pop("hours")
    yield from (("queues", key, each) for key, each in policy.pop("queues").items())
    yield "policy", SITE, policy
    yield "messages", SITE, {key: each for key, each in told(settings.messages).items() if key != "templates"}
    callbacks = told(settings.callbacks)
    yield "steps", SITE, callbacks.pop("steps")
    yield "callbacks", SITE, callbacks
    yield from (("alerts", each.key, told(each)) for each in settings.alerts)
    yield from (("digests", key, told(each)) for key, each in zip(_digests(found), settings.digests, strict=True))
    users = {name: table.get("users") or {} for name, table in settings.crm.items()}
    yield from (("crm_users", name, {who: str(user) for who, user in known.items()}) for name, known in users.items())


def _digests(found: Arranged) -> list[str]:
    if is_fixed(found.settings, "digests"):
        return [f"file-{number}" for number in range(1, len(found.settings.digests) + 1)]
    left = {each.key for each in found.effective.left_out if each.section == "digests"}
    keys = [each.key for each in found.kept.entries if each.section == "digests" and each.key not in left]
    return sorted(keys, key=int)


def _person(settings: Settings, entry: dict[str, Any]) -> dict[str, Any]:
    """Without the addresses that are keys to something."""
    known = entry["addresses"].items()
    shown = {name: to if kind_of(settings, name) in OPEN_KINDS else "***" for name, to in known}
    return entry | {"addresses": shown}


def _form(found: Arranged, section: str, key: str, value: Any) -> SettingForm:
    kept = found.kept.of(section, key)
    leaves = list(value) if isinstance(value, Mapping) else ["steps"] if value else []
    return SettingForm(
        section=section,
        key=key,
        value=value,
        fixed=[leaf for leaf in leaves if is_fixed(found.settings, *place_of(section, key, leaf))],
        revision=kept.revision if kept is not None else 0,
        changed_at=stamp(kept.at) if kept is not None and kept.at is not None else None,
        changed_by=kept.by if kept is not None else None,
    )
