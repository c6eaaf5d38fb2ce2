"""One exchange with a CRM over HTTP: an answer, or Later, or Refused; no secret is in what they say."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from pbxmonitor.crm import CrmSettings, Later, Refused
from pbxmonitor.crm.values import trust
from pbxmonitor.masking import HIDDEN, masked_text

T = TypeVar("T")
ANSWER_LIMIT = 8 << 20
LONGEST_WAIT = 3600.0
SHORTEST_SECRET = 5
# Seconds to leave a CRM alone when it does not say itself: asked too often, down, not paid for.
SOON, DOWN, UNPAID = 2.0, 30.0, 3600.0
# Old connections are what a server closes first: leave them before it does.
IDLE = httpx.Limits(max_connections=10, max_keepalive_connections=4, keepalive_expiry=5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: the JSON in it (None when empty), or `garbled`; `wait` in seconds when it asks for that."""

    status: int
    body: Any
    garbled: bool
    wait: float | None

    @property
    def fine(self) -> bool:
        return 200 <= self.status < 300 and not self.garbled


class Link:
    """One connection pool to one CRM, which reasons call by `name`; close it with `aclose`."""

    def __init__(self, name: str, settings: CrmSettings, *, secure: bool, secrets: tuple[str, ...] = ()) -> None:
        self.name = name
        self._secrets: set[str] = set()
        self.hide(*secrets)
        proxy = settings.proxy.get_secret_value() if settings.proxy else ""
        self.hide(proxy, proxy.rpartition("@")[0].rpartition(":")[2])
        self._timeout = settings.timeout.total_seconds()
        self._http = httpx.AsyncClient(
            timeout=self._timeout,
            verify=(trust(settings.ca_file) if settings.ca_file else True) if secure else False,
            proxy=proxy or None,
            limits=IDLE,
            trust_env=False,
            headers={"User-Agent": "pbxmonitor", "Accept-Encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def hide(self, *secrets: str) -> None:
        """Never show these in a reason; what is too short to be a secret is not one."""
        self._secrets.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)

    async def exchange(self, method: str, url: str, **request: Any) -> Answer:
        """The answer, whatever its status; Later when none came whole. The request is as httpx has it."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(self._http.build_request(method, url, **request))
        # Without their chain, which holds the request and the secrets in it.
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
            raise Refused(f"{self.name}: the settings give no address that can be asked") from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise Later(f"{self.name} does not answer: {self.said(_why(error))}", DOWN) from None

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._http.send(request, stream=True)
        try:
            body, garbled = _decoded(await self._whole(response))
        finally:
            await response.aclose()
        return Answer(status=response.status_code, body=body, garbled=garbled, wait=_wait(response.headers))

    async def _whole(self, response: httpx.Response) -> bytes:
        whole = bytearray()
        async for piece in response.aiter_bytes():
            whole += piece
            if len(whole) > ANSWER_LIMIT:
                raise Later(f"{self.name} answers with more than {ANSWER_LIMIT} bytes", DOWN)
        return bytes(whole)

    def said(self, text: object) -> str:
        """The other side's words as they may be shown: one line, no secret, no phone number, not long."""
        words = " ".join(str(text or "").split())
        for secret in self._secrets:
            words = words.replace(secret, HIDDEN)
        return masked_text(words)[:200]

    def trouble(self, what: str, answer: Answer, said: object = "") -> Later | Refused:
        """What an answer that is no success means: wait, or do not ask again."""
        told = self.said(said) or ("it is not JSON" if answer.garbled else "no reason given")
        words = f"{self.name}: {what}: {told} ({answer.status})"
        match answer.status:
            case 402:
                return Later(words, UNPAID)
            case 429:
                return Later(words, answer.wait or SOON)
            case status if status in (408, 409, 425) or status >= 500 or status < 300:
                return Later(words, answer.wait or DOWN)
            case status if status < 400:
                return Refused(f"{words}: it has moved to another address")
            case _:
                return Refused(words)

    def shaped(self, shape: type[T], what: str, value: object) -> T:
        """The value in that shape; Later when the CRM answers something else."""
        try:
            return TypeAdapter(shape).validate_python(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "the answer"
            raise Later(f"{self.name}: {what}: {self.said(where)}: {first['msg']}", DOWN) from None


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return "the time allowed is over"
    return str(error) or type(error).__name__


def _decoded(raw: bytes) -> tuple[Any, bool]:
    """The JSON and whether it was none; arrays in arrays without end are none."""
    try:
        return (json.loads(raw), False) if raw.strip() else (None, False)
    except (ValueError, RecursionError):
        return None, True


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds of Retry-After; its other form, a date, is left to the default."""
    asked = headers.get("retry-after", "")
    return min(float(asked), LONGEST_WAIT) if asked.isascii() and asked.isdigit() else None
