"""Numbers that never open a callback: a manager adds and takes out those that the settings file does not fix."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from pbxmonitor.pbx.asterisk.naming import canonical
from pbxmonitor.store import numbers as store
from pbxmonitor.store.numbers import Kind
from pbxmonitor.store.types import writing
from pbxmonitor.texts import tr
from pbxmonitor.web.auth import checked_form, require
from pbxmonitor.web.filtering import is_plain
from pbxmonitor.web.pages.settings import shown
from pbxmonitor.web.problems import Problem
from pbxmonitor.web.rendering import address
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role, Viewer

router = APIRouter()
Manager = Annotated[Viewer, Depends(require(Role.MANAGER))]
FORM: Final = [Depends(checked_form)]
Text = Annotated[str, Form(max_length=160)]
_LONGEST: Final = 20


@router.post("/settings/numbers", dependencies=FORM)
async def put(
    request: Request, viewer: Manager, kind: Annotated[Kind, Form()], number: Text = "", reason: Text = ""
) -> Response:
    """Nobody needs to call this number back."""
    site = site_of(request)
    now, found = site.clock.now(), _canonical(number, site.settings.region)
    if found is None or not is_plain(reason):
        return await shown(request, viewer, 422, trouble=tr("web.settings.numbers.wrong", language=viewer.language))
    await writing(site.database, lambda c: store.put(c, found, kind, reason, viewer.account, now))
    return RedirectResponse(address(request, "settings", {"done": "number_put"}) + "#numbers", 303)


@router.post("/settings/numbers/remove", dependencies=FORM)
async def remove(request: Request, viewer: Manager, number: Text = "") -> Response:
    """Calls from this number open callbacks again."""
    site = site_of(request)
    now = site.clock.now()
    gone = is_plain(number) and await writing(site.database, lambda c: store.remove(c, number, viewer.account, now))
    if not gone:
        raise Problem(404)
    return RedirectResponse(address(request, "settings", {"done": "number_removed"}) + "#numbers", 303)


def _canonical(number: str, region: str) -> str | None:
    """The number as calls have it; None when it is none."""
    found = canonical(number, region) if is_plain(number) else ""
    return found if found.removeprefix("+").isdecimal() and len(found) <= _LONGEST else None
