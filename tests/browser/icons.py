"""`python -m tests.browser.icons`: the icons that telephones want as PNG, drawn by Chromium from static/icon.svg."""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Browser

from pbxmonitor.web import app
from tests.browser.conftest import browsing, chromium

STATIC: Final = Path(app.__file__).parent / "static"
GROUND: Final = "#0b5d52"
COLOURS: Final = 64
# File, size, and which part of its width the drawing takes. Of a maskable icon only the middle circle is sure to be
# seen (W3C, manifest: a safe zone of 40 % of its width around the centre), and an apple-touch-icon is cut by iOS.
ICONS: Final = (
    ("icon-192.png", 192, None),
    ("icon-512.png", 512, None),
    ("icon-maskable-512.png", 512, 0.8),
    ("apple-touch-icon.png", 180, 0.9),
)


def main() -> int:
    """Draw them all; 0, or 1 with a line on stderr when there is no Chromium."""
    if chromium() is None:
        print("icons: no Chromium; as root: apt-get install -y chromium", file=sys.stderr)
        return 1
    with browsing() as browser:
        for name, picture in drawn(browser):
            picture.save(STATIC / name, optimize=True)
    return 0


def drawn(browser: Browser) -> Iterator[tuple[str, Image.Image]]:
    """Each of them by its file's name; one with a part is filled to the edges, the others keep their round corners."""
    svg = (STATIC / "icon.svg").read_text("utf-8")
    for name, size, part in ICONS:
        page = browser.new_page(viewport={"width": size, "height": size})
        ground, side = (GROUND, round(size * part)) if part is not None else ("transparent", size)
        page.set_content(
            f"<style>body {{ margin: 0; background: {ground}; height: 100vh; display: grid; place-items: center }}"
            f"svg {{ width: {side}px; height: {side}px }}</style>{svg}"
        )
        picture = Image.open(BytesIO(page.screenshot(omit_background=True)))
        page.close()
        mode = "RGBA" if part is None else "RGB"
        yield name, picture.convert(mode).quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    sys.exit(main())
