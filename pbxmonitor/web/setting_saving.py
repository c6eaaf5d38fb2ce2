"""A setting is kept or removed: what does not fit is refused, the audit is told, the daemon goes by it at once."""

from fastapi import Request

from pbxmonitor.in_force import fits
from pbxmonitor.store import stored_settings as store
from pbxmonitor.store.stored_settings import Wish
from pbxmonitor.store.types import writing
from pbxmonitor.web.auth import address_of
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Viewer


async def save(request: Request, viewer: Viewer, wish: Wish) -> int:
    """Do it, and let the daemon go by it; the version then. DoesNotFit or ChangedMeanwhile, and nothing is done."""
    site = site_of(request)
    now, check = site.clock.now(), fits(site.settings)
    version = await writing(
        site.database,
        lambda c: store.change(c, wish, viewer.account, now, fits=check, address=address_of(request)),
    )
    await site.settle()
    return version
