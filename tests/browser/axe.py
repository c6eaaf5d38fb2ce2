"""What axe-core finds wrong with a page; the script comes with the package axe-playwright-python."""

from functools import cache
from importlib.resources import files
from typing import Any, Final

from playwright.sync_api import Page

# WCAG 2.2 A and AA; the best practices are ours by choice.
TAGS: Final = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice")
COLOURS: Final = ("color-contrast", "link-in-text-block")
_RUN: Final = "only => axe.run(document, { runOnly: only, resultTypes: ['violations'] })"
# What is fresh is tinted for a moment; a phone that rings goes on ringing.
_AT_REST: Final = """() => Promise.all(document.getAnimations()
    .filter(each => each.effect.getTiming().iterations !== Infinity).map(each => each.finished.catch(() => 0)))"""


@cache
def script() -> str:
    """axe-core itself."""
    return (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def violations(page: Page, *, colours_only: bool = False) -> list[str]:
    """Each element that breaks a rule, as one line; of all rules, or only of those that depend on the theme."""
    page.evaluate(_AT_REST)
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(script())
    only = {"type": "rule", "values": COLOURS} if colours_only else {"type": "tag", "values": TAGS}
    found: dict[str, Any] = page.evaluate(_RUN, only)
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} — {node['failureSummary'].splitlines()[-1].strip()}"
        for each in found["violations"]
        for node in each["nodes"]
    ]
