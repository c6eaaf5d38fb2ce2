"""Any other system that takes JSON over HTTP: three addresses, headers with secrets, an optional signature.

The bodies, the headers and the answers are described in docs/crm.md.
"""

import hashlib
import hmac
import json
import string
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.crm import CallbackClosed, CallbackOpened, CallEnded, CrmSettings, Found, Memory, Reference
from pbxmonitor.crm.link import Answer, Link
from pbxmonitor.crm.once import Once
from pbxmonitor.crm.values import is_address
from pbxmonitor.crm.words import CLOSING, closing, task_title
from pbxmonitor.settings_sources import secret_from_file

PLACES = ("id", "number", "line", "reference")
SHORTEST_SECRET = 16


def _address(value: str) -> str:
    """An address with no other places in it than we can fill."""
    if not is_address(value):
        raise ValueError("must be an address such as https://crm.example.org/calls/{id}, without a password in it")
    try:
        places = {name for _, name, _, _ in string.Formatter().parse(value) if name is not None}
    except ValueError:
        places = {"{"}
    if not places <= set(PLACES):
        raise ValueError(f"may have in braces only {', '.join(PLACES)}")
    return value


Address = Annotated[str, AfterValidator(_address)]


class Named(BaseModel):
    """What an answer may say: the id of what was made, or whose number it is; and a page for people."""

    id: str | int | None = None
    url: str | None = None
    kind: str = "contact"
    name: str | None = None


class Rest:
    """A system that is told by POST (or PUT); an address that is not set is not told."""

    kind = "rest"

    class Settings(CrmSettings):
        """Where and how; `headers` are secrets, `secret` signs."""

        default_user: str = ""
        report_url: Address | None = None
        open_url: Address | None = None
        close_url: Address | None = None
        contact_url: Address | None = None
        method: Literal["POST", "PUT"] = "POST"
        headers: dict[str, SecretStr] = Field(default_factory=dict)
        secret: SecretStr | None = None
        secret_file: Path | None = None

        @model_validator(mode="before")
        @classmethod
        def _read_secret(cls, values: Any) -> Any:
            return secret_from_file(values, "secret")

        @model_validator(mode="after")
        def _check(self) -> Self:
            if not any(self.urls):
                raise ValueError("needs report_url, open_url, close_url or contact_url")
            if self.secret and len(self.secret.get_secret_value()) < SHORTEST_SECRET:
                raise ValueError(f"secret must be at least {SHORTEST_SECRET} characters that nobody guesses")
            for name, value in self.headers.items():
                if not (name + value.get_secret_value()).isascii() or not value.get_secret_value().isprintable():
                    raise ValueError(f"headers: {name} must be one line of plain ASCII")
            return self

        @property
        def urls(self) -> tuple[str, ...]:
            """The addresses that are set."""
            return tuple(filter(None, (self.report_url, self.open_url, self.close_url, self.contact_url)))

    def __init__(self, settings: Settings, clock: Clock, memory: Memory) -> None:
        self._settings = settings
        self._clock = clock
        self._memory = memory
        self._once = Once(clock, memory)
        self._headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._secret = settings.secret.get_secret_value() if settings.secret else ""
        secure = any(url.startswith("https") for url in settings.urls)
        secrets = (*self._headers.values(), *(value.rpartition(" ")[2] for value in self._headers.values()))
        self._link = Link("the CRM", settings, secure=secure, secrets=(self._secret, *secrets))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._link.aclose()

    async def report(self, call: CallEnded) -> Reference | None:
        """Send the call, once for its id."""
        user = self._settings.user(call.agent, call.user)
        body = {"call": call.id, **_rest(call), "user": user or None}
        url = self._settings.report_url if self._settings.calls else None
        return await self._told("call", url, call.id, body, number=call.number, line=call.line)

    async def open_task(self, callback: CallbackOpened) -> Reference | None:
        """Send the callback, once for its id."""
        user = self._settings.user(callback.owner, callback.user)
        title = task_title(callback)
        body = {"callback": callback.id, **_rest(callback), "user": user or None, "title": title}
        places = {"number": callback.number, "line": callback.line}
        url = self._settings.open_url if self._settings.tasks else None
        return await self._told("open", url, callback.id, body, **places)

    async def close_task(self, callback: CallbackClosed, reference: Reference | None) -> None:
        """Send how the callback was closed, once for its id; here an expired one is told as well."""
        made = await self._once.made(f"open:{callback.id}")
        opened = reference.id if reference else json.loads(made)[0] if made else None
        user = self._settings.user(callback.rescuer, callback.user)
        text = closing(callback) if callback.state in CLOSING else None
        told = {"user": user or None, "text": text, "reference": opened}
        body = {"callback": callback.id, **_rest(callback), **told}
        url = self._settings.close_url if self._settings.tasks else None
        await self._told("close", url, callback.id, body, reference=opened or callback.id)

    async def contact(self, number: str) -> Found | None:
        """Ask by GET; 404 or nothing in the answer is nobody."""
        if self._settings.contact_url is None:
            return None
        answer = await self._link.exchange(
            "GET", _filled(self._settings.contact_url, number=number), headers=self._headers
        )
        if answer.status == 404 or (answer.fine and not answer.body):
            return None
        named = self._named("contact", answer)
        return Found(kind=named.kind, id=str(named.id), name=named.name, url=named.url) if named.id else None

    async def _told(
        self, event: str, url: str | None, told: str, body: dict[str, Any], **places: str
    ) -> Reference | None:
        if url is None:
            return None
        key = f"{event}:{told}"
        places = {"id": told, "reference": told, **places}

        async def make() -> str:
            named = self._named(event, await self._send(_filled(url, **places), {"id": key, "event": event, **body}))
            return json.dumps([told if named.id is None else str(named.id), named.url])

        # A retold key is for the other side to recognise: there is nothing to look in.
        made, page = json.loads(await self._once.make(key, _nowhere, make))
        return Reference(id=made, url=page)

    async def _send(self, url: str, body: dict[str, Any]) -> Answer:
        content = json.dumps(body, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {**self._headers, "Content-Type": "application/json", "Idempotency-Key": body["id"]}
        if self._secret:
            headers |= signature(self._secret, body["id"], int(self._clock.now().timestamp()), content)
        return await self._link.exchange(self._settings.method, url, content=content, headers=headers)

    def _named(self, what: str, answer: Answer) -> Named:
        if not 200 <= answer.status < 300:
            said = answer.body.get("detail") or answer.body.get("error") if isinstance(answer.body, dict) else ""
            raise self._link.trouble(what, answer, said)
        if answer.garbled:
            raise self._link.trouble(what, answer)
        return self._link.shaped(Named, what, answer.body if isinstance(answer.body, dict) else {})


def signature(secret: str, told: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that prove the sender and the moment: HMAC-SHA256 of `timestamp.body`, in hex."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Pbxmonitor-Id": told, "X-Pbxmonitor-Timestamp": str(timestamp), "X-Pbxmonitor-Signature": mac}


def _rest(value: CallEnded | CallbackOpened | CallbackClosed) -> dict[str, Any]:
    """All but the id, which has another name in a body: there `id` is the message's."""
    return {key: each for key, each in asdict(value).items() if key != "id"}


def _filled(url: str, **places: str) -> str:
    empty = dict.fromkeys(PLACES, "")
    return url.format_map({**empty, **{name: quote(value, safe="") for name, value in places.items()}})


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a body")


async def _nowhere(_since: datetime) -> None:
    return None
