"""Addresses that others tell us to ask: looked up, looked at, and asked at the very address that was looked at.

Who may register a webhook must not reach through us what only this machine or its network can (SSRF). The name is
resolved here and the connection goes to the address that was found to be fine, so that a name that means something else
a moment later (DNS rebinding) changes nothing. Proxies are not used: they would look the name up themselves.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

import httpx

from pbxmonitor.notify import Later, Refused
from pbxmonitor.notify.http import trust

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
# IPv4 inside IPv6, which the machine or its network would unwrap (RFC 6052, RFC 8215).
_NAT64: Final = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_ALONE: Final = httpx.Limits(max_connections=20, max_keepalive_connections=0)
_WHO: Final = "the webhook"
LONGEST: Final = 2_000
_LAST_PORT: Final = 65_535


def trouble_with(url: str, *, private: bool) -> str | None:
    """Why nothing can be posted there, as a key of the catalogue; names are looked up only when something is posted."""
    try:
        asked = httpx.URL(url)
        host = asked.raw_host.decode("ascii")
    except (httpx.InvalidURL, TypeError, ValueError):
        return "web.hooks.cannot.url"
    plain = url.isascii() and not any(map(str.isspace, url)) and url.isprintable() and len(url) <= LONGEST
    reachable = (
        asked.scheme in ("http", "https") and host and 0 < (443 if asked.port is None else asked.port) <= _LAST_PORT
    )
    if not reachable or asked.userinfo or asked.fragment or not plain:
        return "web.hooks.cannot.url"
    if host == "localhost" or host.endswith(".localhost") or _is_address(host):
        address = host if _is_address(host) else "127.0.0.1"
        return None if is_fine(address, private=private) else "web.hooks.cannot.inner"
    return None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def resolved(host: str, port: int) -> Sequence[str]:
    """The addresses of that name, in the order in which they are to be tried; OSError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


def is_fine(address: str, *, private: bool) -> bool:
    """Whether we let ourselves be sent there; `private` allows this machine and its network, never a link's own."""
    try:
        inner = _inner(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    if inner.is_unspecified or inner.is_multicast or inner.is_link_local:
        return False
    return inner.is_global or private


def _inner(address: Address) -> Address:
    """The address that is meant: of IPv6 that only wraps IPv4, that."""
    if isinstance(address, IPv4Address):
        return address
    if any(address in network for network in _NAT64):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo is not None else address)


class Outer(httpx.AsyncBaseTransport):
    """Asks what `is_fine` only: Refused for anything else, Later where a name is not known now.

    The certificate is still that of the name: only the connection goes to the address. No connection is used twice,
    for two names may share an address.
    """

    def __init__(self, *, private: bool = False, resolve: Resolve = resolved) -> None:
        self._private = private
        self._resolve = resolve
        self._inner = httpx.AsyncHTTPTransport(verify=trust(None), limits=_ALONE, trust_env=False)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer from the address that the name has now."""
        host = request.url.raw_host.decode("ascii")
        address = await self._address(host, request.url.port or (443 if request.url.scheme == "https" else 80))
        asked = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._inner.handle_async_request(asked)

    async def _address(self, host: str, port: int) -> str:
        try:
            found = await self._resolve(host, port)
        except (OSError, UnicodeError):
            raise Later(f"{_WHO}: nobody knows its name now") from None
        fine = next((each for each in found if is_fine(each, private=self._private)), None)
        if fine is None:
            raise Refused(f"{_WHO} is inside our own network, or nowhere; see webhooks_to_private in [web]")
        return fine
