"""How ARI is asked over HTTP: the login, the four ways it says no, one request."""

import json
import ssl
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")
# Asterisk's HTTP server closes an idle connection after 15 s (http.conf, session_keep_alive): leave it before that.
IDLE = httpx.Limits(max_connections=10, max_keepalive_connections=4, keepalive_expiry=5.0)
ANSWER_LIMIT = 32 << 20
NOT_SERVED = "set enabled = yes in ari.conf, check the prefix in http.conf"


@dataclass(frozen=True, slots=True, kw_only=True)
class AriLogin:
    """Where ARI is and who asks; every time in seconds; a bad address or name raises ValueError.

    `base_url` is that of Asterisk's HTTP server (http.conf: with its prefix, with or without `/ari`).
    """

    base_url: str
    username: str
    password: str = field(repr=False)
    app: str = "pbxmonitor"
    timeout: float = 10.0
    watchdog: float = 30.0
    ca_file: Path | None = None
    tls_insecure: bool = False
    backoff_first: float = 1.0
    backoff_cap: float = 60.0
    refused_retry: float = 60.0

    def __post_init__(self) -> None:
        if "@" in self.base_url:
            raise ValueError("ARI address: take the user name and password out of it, they have settings of their own")
        if not _is_address(self.base_url):
            raise ValueError(f"ARI address {self.base_url!r}: write it as http://HOST:8088 or https://HOST:8089")
        if not self.username or ":" in self.username:
            raise ValueError(f"ARI user name {self.username!r}: it must not be empty or hold a colon")

    @property
    def rest_url(self) -> str:
        """The address of the REST resources, without a slash at the end."""
        return self.base_url.rstrip("/").removesuffix("/ari") + "/ari"

    @property
    def events_url(self) -> str:
        """The address of the event stream (`/ari/events`, all sources); it holds no secret."""
        return f"ws{self.rest_url.removeprefix('http')}/events?app={quote(self.app, safe='')}&subscribeAll=true"

    def tls(self) -> ssl.SSLContext | None:
        """What to trust, or None without TLS; a CA file that cannot be read raises ValueError."""
        if not self.base_url.startswith("https"):
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ca_file) if self.ca_file else None)
        except OSError as error:
            raise ValueError(f"ARI ca_file {self.ca_file}: {error.strerror or 'no certificate in it'}") from None
        if self.tls_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def authorization(self) -> str:
        """The value of the Authorization header (Basic), for REST and for the websocket handshake alike."""
        return "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host, _port = (parts.hostname or "").encode("idna"), parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not parts.query and not parts.fragment


class AriError(Exception):
    """ARI said no: `status` of HTTP (0 when no answer came) and one clear line; never a password."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class AriRefused(AriError):  # noqa: N818
    """Not with this login (401), or not with these rights (403)."""


class AriNotFound(AriError):  # noqa: N818
    """No such channel, bridge, endpoint, recording or application (404)."""


class AriDown(AriError):  # noqa: N818
    """No answer: the network, TLS or the time allowed."""


class Rest:
    """One connection pool to one ARI; close it with `aclose`."""

    def __init__(self, login: AriLogin) -> None:
        self.login = login
        self._http = httpx.AsyncClient(
            headers={"Authorization": login.authorization()},
            timeout=login.timeout,
            verify=login.tls() or False,  # nothing to verify without TLS, and no redirect is followed
            limits=IDLE,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask(self, shape: type[T], path: str, method: str = "GET", body: object = None, **params: Any) -> T:
        """The answer in that shape; AriError (and its kinds) otherwise. A parameter that is None is not sent."""
        text = await self.send(method, path, body, **params)
        try:
            return TypeAdapter(shape).validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "the answer"
            raise AriError(200, f"ARI {method} {path}: {where}: {first['msg']}; is this Asterisk's ARI?") from None

    async def send(self, method: str, path: str, body: object = None, **params: Any) -> bytes:
        """The bytes of the answer; AriError (and its kinds) otherwise."""
        async with self._answer(method, path, body, params) as answer:
            return await self._whole(answer)

    async def pieces(self, path: str) -> AsyncGenerator[bytes, None]:
        """The bytes of a long answer as they come; AriError (and its kinds) otherwise."""
        async with self._answer("GET", path, None, {}) as answer:
            with _network(self.login):
                async for piece in answer.aiter_bytes(1 << 16):
                    yield piece

    async def _whole(self, answer: httpx.Response) -> bytes:
        whole = bytearray()
        with _network(self.login):
            async for piece in answer.aiter_bytes():
                whole += piece
                if len(whole) > ANSWER_LIMIT:
                    raise AriError(
                        answer.status_code, f"ARI at {self.login.rest_url}: an answer of over {ANSWER_LIMIT} bytes"
                    )
        return bytes(whole)

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: object, params: Mapping[str, Any]
    ) -> AsyncIterator[httpx.Response]:
        sent = {name: value for name, value in params.items() if value is not None}
        request = self._http.build_request(method, self.login.rest_url + path, json=body, params=sent)
        with _network(self.login):
            answer = await self._http.send(request, stream=True)
        try:
            if not answer.is_success:
                raise _said_no(self.login, f"ARI {method} {path}", answer, _message(await self._whole(answer)))
            yield answer
        finally:
            await answer.aclose()


@contextmanager
def _network(login: AriLogin) -> Iterator[None]:
    """Turn the network's errors into AriDown; without their chain, which holds the request and its password."""
    try:
        yield
    except httpx.HTTPError as error:
        raise AriDown(0, f"ARI at {login.rest_url} does not answer: {_why(error)}") from None


def _why(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "the time allowed is over"
    return " ".join(str(error).split()) or type(error).__name__


def _said_no(login: AriLogin, what: str, answer: httpx.Response, said: str) -> AriError:
    status = answer.status_code
    match status:
        case 401:
            return AriRefused(status, f"ARI refused user {login.username!r}: check the name and password in ari.conf")
        case 403:
            rights = f"set read_only = no for {login.username!r} in ari.conf"
            return AriRefused(status, f"{what}: not allowed ({said}); {rights}")
        case 404 if said:
            return AriNotFound(status, f"{what}: {said}")
        case 404:
            return AriNotFound(status, f"no ARI at {login.rest_url}: {NOT_SERVED}")
        case 500 if "record" in what:
            return AriError(status, f"{what}: {said} (500); is Asterisk's spool folder `recording` there and writable?")
        case _:
            return AriError(status, f"{what}: {said or answer.reason_phrase} ({status})")


def _message(body: bytes) -> str:
    """What Asterisk wrote: `message`, or `error` (22: a missing recording folder); '' when it was not ARI speaking."""
    try:
        decoded = json.loads(body)
    except ValueError:
        return ""
    said = decoded.get("message") or decoded.get("error") if isinstance(decoded, dict) else None
    return " ".join(str(said or "").split())[:300]


def segment(value: str) -> str:
    """A name as one segment of a path; ValueError for what would walk out of it."""
    if value in ("", ".", "..") or any(ord(sign) < 32 for sign in value):
        raise ValueError(f"ARI: {value!r} cannot be a name in an address")
    return quote(value, safe="")
