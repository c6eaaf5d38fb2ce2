"""The first look at the live page costs little: what is sent, compressed, and how long it takes on the loopback."""

from collections.abc import Callable
from typing import Any, Final

from playwright.sync_api import Page

from pbxmonitor.web.viewer import Role

Visit = Callable[..., Page]
MOST_BYTES: Final = 60_000
MOST_MS: Final = 300.0
MOST_REQUESTS: Final = 10
# What else the machine does at the moment is none of the page's doing: the best of so many first looks counts.
TRIES: Final = 5


def test_the_first_load_is_small_and_quick(visit: Visit) -> None:
    page = visit(Role.MANAGER)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sent: dict[str, float] = {}
    network.on("Network.loadingFinished", lambda told: _note(sent, told))
    took, sizes = [], []
    for _ in range(TRIES):
        sent.clear()
        page.goto("/now", wait_until="load")
        timing: dict[str, float] = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
        took.append(timing["loadEventStart"])
        sizes.append(sum(sent.values()))
    assert 5_000 < sizes[0] <= MOST_BYTES
    assert len(sent) <= MOST_REQUESTS
    assert min(took) <= MOST_MS
    assert page.locator(".tile").count() > 0


def _note(sent: dict[str, float], told: dict[str, Any]) -> None:
    sent[told["requestId"]] = told["encodedDataLength"]
