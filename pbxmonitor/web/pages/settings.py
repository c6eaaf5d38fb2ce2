"""Everything that is set, as it stands; codes for the bot and the test message are an administrator's."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.in_force import Arranged, arranged, kind_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.settings_fixed import SITE, is_fixed, place_of, usual_rule
from pbxmonitor.settings_overlay import Stored
from pbxmonitor.store import links, numbers
from pbxmonitor.store.strangers import strangers
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import tr
from pbxmonitor.web import arrangement
from pbxmonitor.web.auth import checked_form, note, require
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.setting_faults import fault_text
from pbxmonitor.web.setting_texts import about, values
from pbxmonitor.web.sight import Sight, sight_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.trial_message import Fate, address_for, bot_link, send_test
from pbxmonitor.web.viewer import Role, Viewer
from pbxmonitor.work.linking import CannotLink, Linking

router = APIRouter()
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
Text = Annotated[str, Form(max_length=300)]
_DONE: Final = frozenset({"unlinked", "number_put", "number_removed", "setting_put", "setting_removed", "setting_off"})


@router.get("/settings")
async def settings(request: Request, viewer: Manager) -> Response:
    """All groups, and a word about what was just done."""
    done = request.query_params.get("done")
    told = tr(f"web.settings.done.{done}", language=viewer.language) if done in _DONE else None
    return await shown(request, viewer, done=told)


@router.post("/settings/link", dependencies=FORM)
async def link(request: Request, viewer: Admin, channel: Text = "", person: Text = "") -> Response:
    """A code by which that person presents himself to the bot, shown this once; earlier ones work no more."""
    site = site_of(request)
    _check_linkable(site.settings, channel)
    try:
        code = await Linking(site.database, site.settings.people, site.clock).new_code(channel, person, viewer.account)
    except CannotLink as cannot:
        raise Problem(404, cannot.key, None, **cannot.values) from None
    try:
        touch = await bot_link(site, channel, code)
    except SettingsError as error:
        return await shown(request, viewer, 409, trouble=str(error))
    name = site.settings.people[person].name or person
    return await shown(request, viewer, code={"code": code, "name": name, "channel": channel, "touch": touch})


@router.post("/settings/unlink", dependencies=FORM)
async def unlink(request: Request, viewer: Admin, channel: Text = "", person: Text = "") -> Response:
    """Messages do not go to that account of the channel any more."""
    site = site_of(request)
    now = site.clock.now()
    if not is_plain(channel) or not is_plain(person):
        raise Problem(404)
    found = await writing(site.database, lambda c: links.unlink(c, channel, person, viewer.account, now))
    if not found:
        raise Problem(404)
    return RedirectResponse(address(request, "settings", {"done": "unlinked"}) + "#people", 303)


@router.post("/settings/test", dependencies=FORM)
async def try_channel(
    request: Request, viewer: Admin, channel: Text = "", person: Text = "", to: Text = ""
) -> Response:
    """Send the test message to a person, or to an address that was typed; what became of it is shown."""
    site, said = site_of(request), to.strip() or person
    if channel not in site.settings.notify:
        raise Problem(404)
    where = await address_for(site, channel, said) if is_plain(said) else None
    if where is None:
        return await shown(request, viewer, 422, trouble=tr("web.settings.test.nowhere", language=viewer.language))
    try:
        tried = await send_test(site, channel, where, viewer.language)
    except SettingsError as error:
        return await shown(request, viewer, 409, trouble=str(error))
    whom = {"person": said} if said in site.settings.people else {}
    await note(request, viewer, "channel_tested", None, channel=channel, result=tried.fate.value, **whom)
    text = tr(f"cli.notify.{tried.fate}", language=viewer.language, channel=channel, reason=tried.reason)
    sent = tried.fate is Fate.SENT
    return await shown(request, viewer, done=text if sent else None, trouble=None if sent else text)


async def shown(
    request: Request,
    viewer: Viewer,
    status: int = 200,
    *,
    done: str | None = None,
    trouble: str | None = None,
    code: dict[str, Any] | None = None,
) -> Response:
    """The page, with what is to be said first."""
    site, language = site_of(request), viewer.language
    found, linked, rules = await reading(
        site.database, lambda c: (arranged(site.settings, c), links.links(c), numbers.rules(c))
    )
    settings = found.settings
    unknown = await reading(site.database, lambda c: strangers(c, settings.people, _phones(settings)))
    return page(
        request,
        viewer,
        "settings.html",
        status,
        done=done,
        trouble=trouble,
        code=code,
        rules=rules,
        kinds=[(kind.value, tr(f"number.kind.{kind}", language=language)) for kind in numbers.Kind],
        may=viewer.at_least(Role.ADMIN),
        about=lambda key: about(key, language),
        strangers=unknown,
        left_out=[(each, fault_text(each.fault, language)) for each in found.effective.left_out],
        kept={(each.section, each.key): each for each in found.kept.entries},
        off=[each.key for each in found.kept.entries if _is_off(settings, each)],
        lists_fixed={name: is_fixed(settings, *place_of(name, SITE)) for name in ("steps", "digests")},
        **_groups(found, sight_of(site, viewer), linked),
    )


def _groups(found: Arranged, sight: Sight, linked: list[links.Link]) -> dict[str, Any]:
    settings, language = found.settings, sight.language
    channels, channels_wrong = arrangement.parts(settings, "notify")
    crms, crms_wrong = arrangement.parts(settings, "crm")
    policy = settings.policy
    return {
        "people": list(arrangement.people(settings, linked, sight)),
        "teams": list(arrangement.teams(settings)),
        "policy": values(policy, "policy.", ("hours", "queues"), lambda name: is_fixed(settings, "policy", name)),
        "queues": {name: values(own, without=("hours",)) for name, own in policy.queues.items()},
        "queues_fixed": {name: is_fixed(settings, "policy", "queues", name) for name in policy.queues},
        "week": arrangement.week(policy.hours, language),
        "queue_weeks": {
            name: arrangement.week(own.hours, language) for name, own in policy.queues.items() if own.hours
        },
        "holidays": sorted(policy.hours.holidays),
        "zone": settings.timezone,
        "messages": values(
            settings.messages, "messages.", ("templates",), lambda name: is_fixed(settings, "messages", name)
        ),
        "channels": {name: (kind_of(settings, name), rows) for name, rows in channels.items()},
        "crms": crms,
        "wrong": channels_wrong or crms_wrong,
        "steps": arrangement.steps(settings, language),
        "callbacks": values(
            settings.callbacks, "callbacks.", ("steps",), lambda name: is_fixed(settings, "callbacks", name)
        ),
        "alerts": arrangement.rules(settings, language),
        "digests": arrangement.digests(settings, _digest_keys(found), language),
        "fixed_numbers": [(kind, number) for kind, listed in settings.numbers for number in listed],
    }


def _is_off(settings: Settings, each: Stored) -> bool:
    return each.section == "alerts" and each.value is None and usual_rule(settings, each.key)


def _digest_keys(found: Arranged) -> list[str]:
    left = {each.key for each in found.effective.left_out if each.section == "digests"}
    keys = [each.key for each in found.kept.entries if each.section == "digests" and each.key not in left]
    return sorted(keys, key=lambda key: int(key) if key.isdecimal() else 0)


def _phones(settings: Settings) -> list[str]:
    return [line for person in settings.people.values() for line in (*person.devices, *person.mobiles)]


def _check_linkable(settings: Settings, channel: str) -> None:
    if channel not in settings.notify or kind_of(settings, channel) != arrangement.LINKED:
        raise Problem(404)
