"""Kept among a telephone's apps: the manifest and the icons that it and iOS ask for."""

import re
import struct

import httpx
import pytest

from pbxmonitor.web.viewer import Role
from tests.web.conftest import Browser, ClientOf

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height, of the header."""
    assert png.startswith(_SIGNATURE)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def is_opaque(png: bytes) -> bool:
    """Neither an alpha channel (colour types 4 and 6) nor transparent colours of a palette."""
    return png[25] not in (4, 6) and b"tRNS" not in png


async def icons_of(client: httpx.AsyncClient) -> dict[tuple[str, str], bytes]:
    """By size and purpose, what the manifest names, fetched."""
    answer = await client.get("/manifest.webmanifest")
    assert answer.headers["content-type"].startswith("application/manifest+json")
    found = {}
    for icon in answer.json()["icons"]:
        fetched = await client.get(icon["src"])
        assert (fetched.status_code, fetched.headers["content-type"]) == (200, icon["type"])
        found[icon["sizes"], icon["purpose"]] = fetched.content
    return found


async def test_the_manifest_has_the_icons_that_browsers_install_with(browser: Browser) -> None:
    icons = await icons_of(browser())
    for side in (192, 512):
        assert size_of(icons[f"{side}x{side}", "any"]) == (side, side)
    masked = icons["512x512", "maskable"]
    assert size_of(masked) == (512, 512)
    assert is_opaque(masked)
    assert icons["any", "any"].lstrip().startswith(b"<svg")


@pytest.mark.parametrize("path", ["/login", "/now", "/wallboard"])
async def test_pages_name_the_manifest_and_the_icon_for_ios(client_of: ClientOf, path: str) -> None:
    client = await client_of(Role.MANAGER)
    text = (await client.get(path, follow_redirects=True)).text
    assert '<link rel="manifest" href="/manifest.webmanifest">' in text
    (icon,) = re.findall(r'<link rel="apple-touch-icon" href="([^"]+)">', text)
    png = (await client.get(icon)).content
    assert size_of(png) == (180, 180)
    assert is_opaque(png)


async def test_the_manifest_is_in_the_language_of_the_visitor(browser: Browser) -> None:
    clients = browser(), browser(cookies={"language": "en"})
    russian, english = [(await client.get("/manifest.webmanifest")).json() for client in clients]
    assert (russian["lang"], english["lang"]) == ("ru", "en")
    assert russian["name"] != english["name"]
    assert (english["display"], english["start_url"]) == ("standalone", "/now")
