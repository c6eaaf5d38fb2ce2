"""Two names that are one person, and a key that becomes another: shown first, then done; an administrator's."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.renaming import Wish, previewed, rename
from pbxmonitor.store.people import CannotRename, Known, known
from pbxmonitor.store.stored_settings import ChangedMeanwhile
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.rendering import address, page
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Admin = Annotated[Viewer, Depends(require(Role.ADMIN))]
FORM: Final = [Depends(checked_form)]
How = Literal["merge", "rename"]
Asked = Annotated[str, Query(max_length=160)]
Said = Annotated[str, Form(max_length=160)]
PATH: Final = "settings/people/merge"


@router.get("/settings/people/merge")
async def look(
    request: Request, viewer: Admin, old: Asked = "", new: Asked = "", how: How = "merge", done: Asked = ""
) -> Response:
    """Everybody in the history; with two names given, what would follow."""
    told = tr("web.people.done", language=viewer.language, old=old, new=new) if done else None
    if not old or not new or done:
        return await _shown(request, viewer, old=old if not done else "", how=how, done=told)
    wish = _wish(viewer, old, new, how)
    try:
        _check_plain(wish)
        seen = await previewed(site_of(request).settings, site_of(request).database, wish)
    except CannotRename as cannot:
        return await _shown(request, viewer, 409, old=old, how=how, trouble=cannot.text(viewer.language))
    return await _shown(request, viewer, old=old, how=how, wish=wish, seen=seen)


@router.post("/settings/people/merge", dependencies=FORM)
async def do(
    request: Request, viewer: Admin, old: Said = "", new: Said = "", how: Annotated[How, Form()] = "merge"
) -> Response:
    """Do it, or finish it."""
    site, wish = site_of(request), _wish(viewer, old, new, how)
    try:
        _check_plain(wish)
        await rename(site.settings, site.database, wish, site.clock.now())
    except CannotRename as cannot:
        return await _shown(request, viewer, 409, old=old, how=how, trouble=cannot.text(viewer.language))
    except ChangedMeanwhile:
        trouble = tr("web.people.meanwhile", language=viewer.language)
        return await _shown(request, viewer, 409, old=old, how=how, trouble=trouble)
    await site.settle()
    site.ring()
    return RedirectResponse(address(request, PATH, {"done": "1", "old": wish.old, "new": wish.new}), 303)


def _wish(viewer: Viewer, old: str, new: str, how: How) -> Wish:
    return Wish(old=old.strip(), new=new.strip(), merge=how == "merge", by=viewer.account)


def _check_plain(wish: Wish) -> None:
    for name in (wish.old, wish.new):
        if not is_plain(name):
            raise CannotRename("people.cannot.word", name="?", n=80)


async def _shown(request: Request, viewer: Viewer, status: int = 200, **words: object) -> Response:
    site = site_of(request)
    found = await reading(site.database, known)
    nothing = {"old": "", "how": "merge", "done": None, "trouble": None, "wish": None, "seen": None}
    return page(
        request,
        viewer,
        "people.html",
        status,
        rows=[(each, _name(site, each)) for each in found],
        targets=_targets(site, found),
        **{**nothing, **words},
    )


def _name(site: Site, each: Known) -> str | None:
    """How people call him; None of whom the settings do not know."""
    person = site.settings.people.get(each.agent)
    return (person.name or each.agent) if person is not None else None


def _targets(site: Site, found: list[Known]) -> list[tuple[str, str]]:
    """Whom others may be merged with: first the people of the settings, by name."""
    people = sorted((key, entry.name or key) for key, entry in site.settings.people.items())
    named = [(key, f"{name} ({key})" if name != key else key) for key, name in people]
    return [*named, *((each.agent, each.agent) for each in found if each.agent not in site.settings.people)]
