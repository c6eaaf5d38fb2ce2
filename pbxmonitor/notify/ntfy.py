"""Push to the phone by ntfy: https://docs.ntfy.sh/publish/ (publishing as JSON, action buttons, limits).

JSON rather than headers, so that titles in any alphabet arrive whole. Who knows the topic can read it, so it is kept
out of logs and reasons, as every address is.
"""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Button, Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.http import Answer, Http, Reach, Token, WebAddress
from pbxmonitor.notify.sending import logged
from pbxmonitor.notify.signature import SharedSecret, signed
from pbxmonitor.settings_sources import secret_from_file

TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}")
TEXT_BYTES: Final = 4096
TITLE_BYTES: Final = 1024
MOST_BUTTONS: Final = 3
QUIET: Final = 2


class Ntfy:
    """Publishes to the topic in `Message.to`; a repeat of a message replaces it (server 2.16 and newer)."""

    kind: ClassVar[str] = "ntfy"
    limits: ClassVar[Limits] = Limits(per_second=5, per_address_per_minute=12)

    class Settings(Reach):
        """The server and the login there; `action_url` is where presses are posted, signed as webhooks are."""

        url: WebAddress = "https://ntfy.sh"
        token: Token | None = None
        token_file: Path | None = None
        username: str | None = None
        password: SecretStr | None = None
        password_file: Path | None = None
        priority: Annotated[int, Field(ge=1, le=5)] = 4
        tags: tuple[str, ...] = ("telephone_receiver",)
        action_url: WebAddress | None = None
        action_secret: SharedSecret | None = None
        action_secret_file: Path | None = None

        @model_validator(mode="before")
        @classmethod
        def _read_secrets(cls, values: Any) -> Any:
            for key in ("token", "password", "action_secret"):
                values = secret_from_file(values, key)
            return values

        @model_validator(mode="after")
        def _check_pairs(self) -> Self:
            if (self.username is None) != (self.password is None) or (self.token and self.username):
                raise ValueError("needs token, or username and password, or neither")
            if (self.action_url is None) != (self.action_secret is None):
                raise ValueError("needs action_url and action_secret together")
            return self

        @property
        def authorization(self) -> dict[str, str]:
            """The header that says who publishes; empty for an open topic."""
            if self.token is not None:
                return {"Authorization": f"Bearer {self.token.get_secret_value()}"}
            if self.username is None or self.password is None:
                return {}
            pair = f"{self.username}:{self.password.get_secret_value()}".encode()
            return {"Authorization": f"Basic {b64encode(pair).decode()}"}

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._http = Http("ntfy", settings, clock, settings.token, settings.password, settings.action_secret)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @logged
    async def send(self, message: Message) -> Receipt:
        """Publish it; the reference is ntfy's own id. Pictures are left out: ntfy takes one, and not as JSON."""
        if TOPIC.fullmatch(message.to) is None:
            raise Refused("the topic must be up to 64 letters, digits, - and _")
        answer = await self._http.post(
            self._settings.url, json=self._publication(message), headers=self._settings.authorization
        )
        answer.check(_said(answer))
        name = answer.table().get("id")
        if not isinstance(name, str):
            raise Later("ntfy did not say what became of the message; is this an ntfy server?")
        return Receipt(reference=name)

    def _publication(self, message: Message) -> dict[str, Any]:
        settings = self._settings
        buttons = [action for button in message.buttons if (action := self._action(button, message))]
        return {
            "topic": message.to,
            "sequence_id": message.id.replace(".", "_"),
            "title": shortened(message.subject, TITLE_BYTES),
            "message": shortened(message.text, TEXT_BYTES),
            "priority": min(QUIET, settings.priority) if message.silent else settings.priority,
            "tags": list(settings.tags),
            "actions": buttons[:MOST_BUTTONS],
        }

    def _action(self, button: Button, message: Message) -> dict[str, Any] | None:
        """A page to open, or a signed request that the phone makes; nothing where presses have nowhere to go."""
        if button.link:
            return {"action": "view", "label": button.text, "url": button.value}
        settings = self._settings
        if settings.action_url is None or settings.action_secret is None:
            return None
        body = json.dumps({"id": message.id, "action": button.action, "value": button.value})
        headers = signed(settings.action_secret.get_secret_value(), message.id, body.encode(), self._clock.now())
        asked = {"action": "http", "label": button.text, "url": settings.action_url, "method": "POST", "clear": True}
        return {**asked, "headers": {"Content-Type": "application/json", **headers}, "body": body}


def shortened(text: str, size: int) -> str:
    """The text, cut to that many bytes of UTF-8 with an ellipsis at the end."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= size:
        return text
    return whole[: size - len("…".encode())].decode("utf-8", "ignore").rstrip() + "…"


def _said(answer: Answer) -> str:
    """The server's own word for what is wrong."""
    try:
        return str(answer.table().get("error") or "")
    except Later:
        return ""
