"""What every page is made with: the settings, the rows, the floors as they are now; one for a running daemon."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.policy import Policy
from pbxmonitor.feed import Feed
from pbxmonitor.settings import Settings
from pbxmonitor.work.dialling import Dialling


def _none() -> Mapping[str, datetime]:
    return {}


async def _nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Site:
    """`feeds` hold the floors by node, `lost_links` says since when a PBX is not heard, `ring` wakes the outbox.

    `settle` makes the daemon go by settings that were just changed; the next request has another Site then.
    """

    settings: Settings
    database: AsyncEngine
    policy: Policy
    duties: Duties
    clock: Clock
    feeds: Mapping[str, Feed] = field(default_factory=dict)
    lost_links: Callable[[], Mapping[str, datetime]] = _none
    ring: Callable[[], None] = lambda: None
    dialling: Dialling | None = None
    settle: Callable[[], Awaitable[None]] = _nothing

    def nodes(self) -> Sequence[str]:
        """The PBXs that are followed."""
        return sorted(self.settings.pbx)


def site_of(request: Request) -> Site:
    """The site that this request is served by."""
    site: Site = request.app.state.site
    return site
