"""A signed webhook: any address that takes a POST of JSON. How receivers check it: `pbxmonitor.notify.signature`."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any, ClassVar

from pydantic import model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Limits, Message, Receipt, Refused
from pbxmonitor.notify.http import Http, Reach
from pbxmonitor.notify.sending import logged
from pbxmonitor.notify.signature import SharedSecret, signed
from pbxmonitor.settings_sources import secret_from_file


class Webhook:
    """Posts a message to the url in `Message.to`; any 2xx is delivered."""

    kind: ClassVar[str] = "webhook"
    limits: ClassVar[Limits] = Limits(per_second=20)

    class Settings(Reach):
        """The shared secret that every request is signed with."""

        secret: SharedSecret
        secret_file: Path | None = None

        @model_validator(mode="before")
        @classmethod
        def _read_secret(cls, values: Any) -> Any:
            return secret_from_file(values, "secret", required=True)

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._secret = settings.secret
        self._clock = clock
        self._http = Http("the webhook", settings, clock, settings.secret)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @logged
    async def send(self, message: Message) -> Receipt:
        """Post it; 3xx and 4xx but 408, 425 and 429 are Refused, 5xx and silence are Later."""
        if not message.to.startswith(("https://", "http://")) or any(map(str.isspace, message.to)):
            raise Refused("the webhook's address must be such as https://HOST/PATH")
        body = json.dumps(_told(message), default=_plain).encode()
        headers = {"Content-Type": "application/json", **self._signed(message.id, body)}
        answer = await self._http.post(message.to, content=body, headers=headers)
        answer.check()
        return Receipt()

    def _signed(self, name: str, body: bytes) -> dict[str, str]:
        return signed(self._secret.get_secret_value(), name, body, self._clock.now())


def _plain(value: object) -> str:
    """What JSON has no form for: moments in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _told(message: Message) -> dict[str, Any]:
    """The message as machines read it; the words for people stand beside the payload."""
    return {
        "id": message.id,
        "subject": message.subject,
        "text": message.text,
        "payload": dict(message.payload),
        "buttons": [{"text": each.text, "action": each.action, "value": each.value} for each in message.buttons],
    }
