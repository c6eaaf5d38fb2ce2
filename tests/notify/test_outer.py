"""Addresses that others give us: what is inside our network is not asked, however it is written or looked up."""

import ssl
from collections.abc import Sequence

import httpx
import pytest

from pbxmonitor.notify import Later, Refused
from pbxmonitor.notify.outer import Outer, is_fine, trouble_with
from tests.notify.loopback import Said, serving

INSIDE = (
    *("127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "192.0.2.1", "198.18.0.1"),
    *("::1", "fc00::1", "fd12:3456::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:a00:1::"),
    *("2001:db8::1", "2001:0:4136:e378:8000:63bf:80ff:fffe"),
)
NEVER = ("0.0.0.0", "::", "169.254.169.254", "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "::ffff:169.254.1.1")
OUTSIDE = ("93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808")


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_inside_needs_leave(address: str) -> None:
    assert (is_fine(address, private=False), is_fine(address, private=True)) == (False, True)


@pytest.mark.parametrize("address", [*NEVER, "", "no address", "127.1"])
def test_what_belongs_to_a_link_or_to_nobody_is_never_asked(address: str) -> None:
    assert (is_fine(address, private=False), is_fine(address, private=True)) == (False, False)


@pytest.mark.parametrize("address", OUTSIDE)
def test_the_outer_world_may_be_asked(address: str) -> None:
    assert is_fine(address, private=False)


@pytest.mark.parametrize(
    "url",
    [
        *("", "crm", "ftp://crm.example/", "file:///etc/passwd", "https://", "https://user:word@crm.example/"),
        *("https://crm.example/#part", "https://crm example/", "https://crm.example/\n", "http://crm.example:0/"),
        *("http://crm.example:70000/", "http://пример.рф/", "javascript:alert(1)", "//crm.example/", "http://[::1/"),
        f"https://crm.example/{'x' * 2_000}",
    ],
)
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    assert trouble_with(url, private=True) == "web.hooks.cannot.url"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "deep.localhost", "[::1]", "10.0.0.1:8080", "192.168.1.1"])
def test_what_is_plainly_inside_is_said_at_once(host: str) -> None:
    assert trouble_with(f"https://{host}/pbx", private=False) == "web.hooks.cannot.inner"
    assert trouble_with(f"https://{host}/pbx", private=True) is None


def test_an_address_of_the_outer_world_is_taken() -> None:
    for url in ("https://crm.example", "http://crm.example:8080/pbx?key=1", "https://xn--e1afmkfd.xn--p1ai/"):
        assert trouble_with(url, private=False) is None


def told(*addresses: str) -> "Names":
    return Names(list(addresses))


class Names:
    """What a name server says, each time the next thing."""

    def __init__(self, said: list[str]) -> None:
        self.said = said
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return [self.said.pop(0)] if len(self.said) > 1 else self.said


async def get(url: str, transport: Outer) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport) as client:
        return await client.get(url)


async def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    names = told("127.0.0.1", "10.0.0.1")  # a name that means something else a moment later
    async with serving(Said(200)) as web:
        answer = await get(f"http://crm.example:{web.port}/pbx", Outer(private=True, resolve=names))
        assert (answer.status_code, names.asked) == (200, [("crm.example", web.port)])
        assert web.asked[0].headers["host"] == f"crm.example:{web.port}"


async def test_a_name_that_leads_inside_is_refused_and_nothing_is_asked() -> None:
    async with serving(Said(200)) as web:
        with pytest.raises(Refused, match="webhooks_to_private"):
            await get(f"http://crm.example:{web.port}/", Outer(resolve=told("127.0.0.1")))
        with pytest.raises(Refused):
            await get(f"http://2130706433:{web.port}/", Outer())  # 127.0.0.1 as one number, as the machine reads it
        assert web.asked == []


async def test_a_name_that_nobody_knows_is_tried_again() -> None:
    async def nobody(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(Later, match="nobody knows its name"):
        await get("http://crm.example/", Outer(resolve=nobody))


async def test_the_certificate_must_be_that_of_the_name(tls: ssl.SSLContext) -> None:
    async with serving(Said(200), tls=tls) as web:
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            await get(f"https://crm.example:{web.port}/", Outer(private=True, resolve=told("127.0.0.1")))
        assert web.asked == []
