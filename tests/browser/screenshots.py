"""`make screenshots`: what people see, drawn from the clinic in its evening rush into docs/."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Page, expect

from pbxmonitor.web.viewer import Role
from tests.browser.clinic import MISSES, clinic_in, missed
from tests.browser.conftest import Visitors, browsing, chromium

DOCS: Final = Path(__file__).parents[2] / "docs"
LARGEST: Final = 150_000
# Pages have few; smooth edges of letters need the most of them.
COLOURS: Final = 128
WIDE: Final = {"viewport": {"width": 1280, "height": 860}}
SCREEN: Final = {"viewport": {"width": 1600, "height": 900}, "color_scheme": "dark"}
PHONE: Final = {"viewport": {"width": 390, "height": 780}, "color_scheme": "dark"}
# What is clicked first.
INSIDE: Final = {"call": "table.calls tbody a"}
# File, page, and how it is looked at.
SHOTS: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("now", "/now", WIDE),
    ("journal", "/journal", WIDE),
    ("call", "/journal?missed_control=1", WIDE),
    ("callbacks", "/callbacks", WIDE),
    ("callback-report", "/callbacks/report", WIDE),
    ("employees", "/employees", WIDE),
    ("employee", "/employees/101", WIDE),
    ("stuck", "/stuck", WIDE),
    ("patterns", "/patterns", WIDE),
    ("alerts", "/alerts", WIDE),
    ("wallboard", "/wallboard", SCREEN),
    ("now-phone", "/now", PHONE),
    ("journal-phone", "/journal?missed_control=1", PHONE),
    ("callbacks-phone", "/callbacks", PHONE),
    ("employees-phone", "/employees", PHONE),
)


def main() -> int:
    """Draw them all; 0, or 1 with a line on stderr about what is too large or cannot be drawn."""
    if chromium() is None:
        print("screenshots: no Chromium; as root: apt-get install -y chromium", file=sys.stderr)
        return 1
    too_large = [path.name for path in drawn() if path.stat().st_size > LARGEST]
    print(*(f"screenshots: {name} is over {LARGEST} bytes" for name in too_large), sep="\n", end="", file=sys.stderr)
    return 1 if too_large else 0


def drawn() -> Iterator[Path]:
    """Each of them once it is written."""
    with browsing() as browser, TemporaryDirectory(prefix="pbxmonitor-") as folder, clinic_in(Path(folder)) as clinic:
        visitors = Visitors(browser, clinic)
        clinic.play(missed("79161234517", MISSES))
        for name, path, look in SHOTS:
            page = visitors.page(Role.ADMIN, **look)
            yield shot(page, path, DOCS / f"{name}.png", INSIDE.get(name))
            page.close()


def shot(page: Page, path: str, into: Path, inside: str | None = None) -> Path:
    """The page, or the one that the first such link of it leads to, once everything on it is in its place."""
    page.goto(path)
    if inside is not None:
        page.locator(inside).first.click()
    expect(page.locator("main h1")).to_be_visible()
    page.wait_for_timeout(1_500)  # the animation of what is fresh, and the first tick of the clocks
    taken = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    taken.quantize(COLOURS, dither=Image.Dither.NONE).save(into, optimize=True)
    return into


if __name__ == "__main__":
    sys.exit(main())
