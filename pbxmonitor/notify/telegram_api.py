"""One call of Telegram's Bot API, and its ways of saying no: https://core.telegram.org/bots/api#making-requests"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Refused
from pbxmonitor.notify.http import Answer, Http, Reach, WebAddress
from pbxmonitor.settings_sources import secret_from_file

_TOKEN = re.compile(r"\d+:[A-Za-z0-9_-]{20,}")
Files = Mapping[str, tuple[str, bytes, str]]


def _as_botfather_gives_it(value: SecretStr) -> SecretStr:
    if _TOKEN.fullmatch(value.get_secret_value()) is None:
        raise ValueError("must be a token such as @BotFather gives: a number, a colon, letters")
    return value


class BotSettings(Reach):
    """The bot; `url` is a Bot API server of one's own, `proxy` for where Telegram is blocked."""

    token: Annotated[SecretStr, AfterValidator(_as_botfather_gives_it)]
    token_file: Path | None = None
    url: WebAddress = "https://api.telegram.org"

    @model_validator(mode="before")
    @classmethod
    def _read_token(cls, values: Any) -> Any:
        return secret_from_file(values, "token", required=True)


class Conflict(Later):
    """Somebody else reads the bot's updates (409): another daemon, or a webhook."""


class Moved(Refused):
    """The group became a supergroup, with an id of its own."""

    def __init__(self, reason: str, chat: int) -> None:
        super().__init__(reason)
        self.chat = chat


class BotApi:
    """The methods of one bot."""

    def __init__(self, settings: BotSettings, clock: Clock) -> None:
        self._base = f"{settings.url}/bot{settings.token.get_secret_value()}"
        self._http = Http("Telegram", settings, clock, settings.token)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, method: str, *, files: Files | None = None, within: float = 0.0, **asked: Any) -> Any:
        """What the method returned; Refused, Moved, Later or Conflict. What is None is not sent; seconds."""
        given = {name: value for name, value in asked.items() if value is not None}
        if files:
            answer = await self._post(method, within, data=_as_form(given), files=files)
        else:
            answer = await self._post(method, within, json=given)
        told = answer.table()
        if told.get("ok") is True and "result" in told:
            return told["result"]
        raise _said_no(answer, told, self._http.hidden(str(told.get("description") or "")))

    async def _post(self, method: str, within: float, **parts: Any) -> Answer:
        return await self._http.post(f"{self._base}/{method}", within=within, **parts)


def _as_form(asked: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in asked.items()}


def _said_no(answer: Answer, told: Mapping[str, Any], said: str) -> Later | Refused:
    """What an answer without `ok` means, by its error_code and parameters."""
    code = told.get("error_code", answer.status)
    extra = told.get("parameters")
    extra = extra if isinstance(extra, dict) else {}
    reason = f"Telegram: {said or 'no reason given'} ({code})"
    match code, extra:
        case 429, {"retry_after": int(seconds)}:
            return Later(reason, float(seconds))
        case 400, {"migrate_to_chat_id": int(chat)}:
            return Moved(reason, chat)
        case 409, _:
            return Conflict(reason)
        case 401 | 404, _:
            return Refused(f"{reason}; check the bot's token in the settings")
        case int(), _ if 400 <= code < 500 and code != 429:
            return Refused(reason)
    return Later(reason, answer.retry_after)
