"""How channels ask over HTTP: one pool, a time for the whole answer, and errors that tell now from never."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from pydantic import AfterValidator, SecretStr

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Refused
from pbxmonitor.settings_values import Seconds, Table

ANSWER_LIMIT = 1 << 20
LONGEST_WAIT = 86400.0
IDLE = httpx.Limits(max_connections=20, max_keepalive_connections=5, keepalive_expiry=30.0)
PROXIES = ("http", "https", "socks5", "socks5h")
# What a server says when it cannot just now: the request took too long, came too early, too often.
NOT_NOW = frozenset({408, 425, 429})
# What a login that is not good is told.
LOGIN = frozenset({401, 403, 407})


def web_address(value: str) -> str:
    """An address of a server, without a login in it and without a slash at the end."""
    parts = _split(value)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address such as https://HOST or http://HOST:PORT")
    if parts.username or parts.password:
        raise ValueError("must have no user name or password in it")
    return value.rstrip("/")


def _split(value: str) -> Any:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _proxy_address(value: SecretStr) -> SecretStr:
    parts = _split(value.get_secret_value())
    if parts is None or parts.scheme not in PROXIES or not parts.hostname:
        raise ValueError("must be http://HOST:PORT or socks5://HOST:PORT")
    return value


def _authority(value: Path) -> Path:
    try:
        trust(value)
    except OSError as error:
        raise ValueError(f"must be a file of certificates: {error.strerror or 'there is none in it'}") from None
    return value


def _some_time(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be longer than nothing")
    return value


def _plain(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().isascii() or any(map(str.isspace, value.get_secret_value())):
        raise ValueError("must be plain letters and digits without spaces")
    return value


WebAddress = Annotated[str, AfterValidator(web_address)]
Token = Annotated[SecretStr, AfterValidator(_plain)]
Patience = Annotated[Seconds, AfterValidator(_some_time)]
Authority = Annotated[Path, AfterValidator(_authority)]


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Whom to believe in TLS: the authorities of that file, or those that everybody does."""
    return ssl.create_default_context(cafile=str(ca_file)) if ca_file else httpx.create_ssl_context()


# Reading all authorities takes a while; httpx changes its context (ALPN), so none but HTTP may share it.
_shared_trust = cache(trust)


class Reach(Table):
    """How a server is reached: the time for an answer, the proxy (a secret: it may hold a login), whom to trust."""

    timeout: Patience = timedelta(seconds=15)
    proxy: Annotated[SecretStr, AfterValidator(_proxy_address)] | None = None
    ca_file: Authority | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    who: str
    status: int
    body: bytes = field(repr=False)
    retry_after: float | None

    def table(self) -> dict[str, Any]:
        """The JSON object in it; Later when there is none (a proxy's page, an answer cut short)."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise Later(f"{self.who} answered {self.status} with something that is not JSON", self.retry_after)
        return found

    def check(self, said: str = "") -> None:
        """Nothing when the request succeeded; Later when it may yet, else Refused. `said` is the server's own word."""
        if 200 <= self.status < 300:
            return
        reason = f"{self.who} answered {self.status}{f': {said}' if said else ''}"
        if self.status >= 500 or self.status in NOT_NOW:
            raise Later(reason, self.retry_after)
        if self.status in LOGIN:
            reason += "; check the login in the settings"
        if 300 <= self.status < 400:
            reason += "; it has moved, set its new address"
        raise Refused(reason)


class Http:
    """One connection pool to a channel's server; nothing that it raises holds one of its secrets."""

    def __init__(
        self,
        who: str,
        reach: Reach,
        clock: Clock,
        *secrets: SecretStr | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`transport` in place of the usual way to the network; it then decides whom to trust."""
        self._who = who
        self._clock = clock
        self._patience = reach.timeout.total_seconds()
        hidden = (secret.get_secret_value() for secret in (*secrets, reach.proxy) if secret is not None)
        self._secrets = tuple(filter(None, hidden))
        self._http = httpx.AsyncClient(
            timeout=httpx.Timeout(None),
            limits=IDLE,
            proxy=reach.proxy.get_secret_value() if reach.proxy else None,
            verify=_shared_trust(reach.ca_file),
            headers={"User-Agent": "pbxmonitor", "Accept-Encoding": "identity"},
            trust_env=False,
            transport=transport,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def hidden(self, text: str) -> str:
        """The text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def post(self, url: str, *, within: float = 0.0, **parts: Any) -> Answer:
        """The answer to a POST, whatever its status; Later when none came in time, Refused for what is no address.

        `within` is in seconds, the settings' `timeout` unless given; `parts` are those of httpx (json, data, files…).
        """
        patience = within or self._patience
        try:
            async with asyncio.timeout(patience):
                return await self._whole(url, parts)
        except TimeoutError:
            raise Later(f"{self._who} did not answer within {patience:g} s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Refused(f"{self._who}: this is no address that can be asked") from None
        except httpx.HTTPError as error:
            why = self.hidden(str(error)) or type(error).__name__
            raise Later(f"{self._who} cannot be reached: {why}") from None

    async def _whole(self, url: str, parts: Mapping[str, Any]) -> Answer:
        body = bytearray()
        async with self._http.stream("POST", url, **parts) as answer:
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > ANSWER_LIMIT:
                    raise Later(f"{self._who} answered with more than {ANSWER_LIMIT >> 20} MB")
        wait = self._wait(answer.headers.get("Retry-After", ""))
        return Answer(who=self._who, status=answer.status_code, body=bytes(body), retry_after=wait)

    def _wait(self, said: str) -> float | None:
        """Seconds of a Retry-After header, which are a number or a date."""
        if said.strip().isdecimal():
            return min(float(said), LONGEST_WAIT)
        try:
            until = parsedate_to_datetime(said)
            return min(max((until - self._clock.now()).total_seconds(), 0.0), LONGEST_WAIT)
        except (ValueError, TypeError):
            return None
