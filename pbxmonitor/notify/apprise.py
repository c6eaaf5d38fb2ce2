"""Everything that Apprise knows (Slack, Matrix, Mattermost, Signal…): https://github.com/caronc/apprise/wiki

Needs the extra `apprise`. It is imported at the first message, in a thread: that takes a second.
"""

import asyncio
import importlib
import logging
import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, ClassVar, Final

from pydantic import Field, SecretStr

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Image, Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.http import Patience
from pbxmonitor.notify.sending import logged
from pbxmonitor.settings_values import Table

# The services of Apprise log the HTTP status that they were answered with so.
ANSWERED: Final = re.compile(r"\berror=(\d{3})\b")
FOR_GOOD: Final = frozenset({"400", "401", "403", "404", "410"})


class Apprise:
    """Sends to the service that `Message.to` names: a name of the settings, for Apprise's addresses hold secrets."""

    kind: ClassVar[str] = "apprise"
    limits: ClassVar[Limits] = Limits(per_second=5, per_address_per_minute=10)

    class Settings(Table):
        """Apprise's addresses by a name of one's own; every one of them is a secret."""

        urls: dict[str, SecretStr] = Field(min_length=1)
        timeout: Patience = timedelta(seconds=30)

    def __init__(self, settings: Settings, clock: Clock) -> None:  # noqa: ARG002 - every channel is given a clock
        self._settings = settings
        self._services: dict[str, Any] = {}
        self._making = asyncio.Lock()

    async def aclose(self) -> None:
        """Nothing stays open between messages."""

    @logged
    async def send(self, message: Message) -> Receipt:
        """Hand it to that service, text and pictures; what Apprise cannot tell apart is Later."""
        patience = self._settings.timeout.total_seconds()
        async with self._making:
            service = await asyncio.to_thread(self._service, message.to)
        try:
            async with asyncio.timeout(patience):
                sent = await service.async_notify(
                    title=message.subject,
                    body=message.text or message.subject,
                    body_format="text",
                    attach=_attached(message.images),
                )
        except TimeoutError:
            raise Later(f"Apprise: {message.to} did not answer within {patience:g} s") from None
        if not sent:
            raise _failure(message.to, sent)
        return Receipt()

    def _service(self, name: str) -> Any:
        """Apprise with that one service, made when it is first asked for."""
        if name not in self._settings.urls:
            raise Refused("Apprise: no such name; give one of " + ", ".join(self._settings.urls))
        if name not in self._services:
            library = _library()
            service = library.Apprise(asset=library.AppriseAsset(app_id="pbxmonitor"))
            if not service.add(self._settings.urls[name].get_secret_value()):
                raise Refused(f"Apprise cannot read the address of {name}")
            self._services[name] = service
        return self._services[name]


def _library() -> Any:
    # Their own lines name addresses, and at some levels tokens.
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).propagate = False
    try:
        return importlib.import_module("apprise")
    except ImportError:
        raise Refused("Apprise is not installed: pip install 'pbxmonitor[apprise]'") from None


def _attached(images: Iterable[Image]) -> Any:
    memory = importlib.import_module("apprise.attachment.memory")
    pictures = _library().AppriseAttachment()
    for image in images:
        pictures.add(memory.AttachMemory(content=image.png, name=image.name, mimetype="image/png"))
    return pictures or None


def _failure(name: str, sent: Any) -> Later | Refused:
    """By the status of HTTP that its service logged, where it did."""
    logs = sent.logs() if hasattr(sent, "logs") else ()
    codes = [found[1] for entry in logs if (found := ANSWERED.search(entry.message))]
    reason = f"Apprise: {name} {f'answered {codes[-1]}' if codes else 'did not take the message'}"
    return Refused(reason) if codes and codes[-1] in FOR_GOOD else Later(reason)
