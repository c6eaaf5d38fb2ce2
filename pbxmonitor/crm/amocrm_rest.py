"""amoCRM's API v4: one request, the two ways to prove who asks, what its errors mean.

https://www.amocrm.ru/developers/content/oauth/step-by-step, /developers/content/crm_platform/error-codes,
/developers/content/api/recommendations (7 requests a second)
"""

from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from pbxmonitor.crm import Later, Refused
from pbxmonitor.crm.link import Answer, Link
from pbxmonitor.crm.oauth import Pair, Tokens
from pbxmonitor.crm.pace import Pace

T = TypeVar("T")
# Seven a second are allowed, and requests do not arrive as evenly as they leave.
PER_SECOND = 6.0
NOTHING = 204
# Seconds for which an address stays away that was shut out for asking too often.
SHUT_OUT = 900.0
PAGE = 250


class SaidNo(Refused):
    """amoCRM's own refusal, with its status and body."""

    def __init__(self, reason: str, answer: Answer) -> None:
        super().__init__(reason)
        self.status = answer.status
        self.body = answer.body


class Renewed(BaseModel):
    """What an authorisation code or a refresh token is good for."""

    access_token: str = Field(min_length=1)
    refresh_token: str = Field(min_length=1)


class CardField(BaseModel):
    """A field of a card; its values are `{"value": …}`."""

    field_code: str | None = None
    values: list[dict[str, Any]] = []


class Row(BaseModel):
    """A contact, company, call, note or task, as far as we look at it."""

    id: int
    name: str | None = None
    custom_fields_values: list[CardField] | None = None
    entity_id: int | None = None
    entity_type: str | None = None
    text: str | None = None
    is_completed: bool = False
    params: Any = None


class Page(BaseModel):
    """An answer that holds rows, by their name."""

    embedded: dict[str, list[Row]] = Field(alias="_embedded")

    def first(self, name: str) -> Row | None:
        """The first row of that name."""
        return next(iter(self.embedded.get(name, ())), None)


class Account:
    """The API of one account, asked with `token` for ever or with the `tokens` of an integration."""

    def __init__(self, link: Link, url: str, pace: Pace, token: str, tokens: Tokens | None) -> None:
        self._link = link
        self._url = url.rstrip("/")
        self._pace = pace
        self._token = token
        self._tokens = tokens

    async def ask(
        self, method: str, path: str, shape: type[T], body: object = None, params: Mapping[str, Any] | None = None
    ) -> T | None:
        """The answer in that shape; None when amoCRM has nothing (204)."""
        token = await self._tokens.access() if self._tokens else self._token
        answer = await self._ask(method, path, body, params, token)
        if answer.status == 401 and self._tokens:
            answer = await self._ask(method, path, body, params, await self._tokens.renewed(token))
        if answer.status == NOTHING:
            return None
        if not answer.fine:
            raise trouble(self._link, f"{method} {path}", answer)
        return self._link.shaped(shape, f"{method} {path}", answer.body)

    async def find(self, path: str, name: str, match: Callable[[Row], bool], **params: Any) -> Row | None:
        """The first row that matches, page after page."""
        for number in count(1):
            page = await self.ask("GET", path, Page, params={**params, "limit": PAGE, "page": number})
            rows = page.embedded.get(name, []) if page else []
            found = next((row for row in rows if match(row)), None)
            if found is not None or len(rows) < PAGE:
                return found
        return None

    async def _ask(self, method: str, path: str, body: object, params: Mapping[str, Any] | None, token: str) -> Answer:
        await self._pace.turn()
        headers = {"Authorization": f"Bearer {token}"}
        return await self._link.exchange(method, self._url + path, json=body, params=params, headers=headers)


async def renewed(link: Link, url: str, integration: Mapping[str, str]) -> Pair:
    """The next pair of tokens; both old ones are worth nothing afterwards."""
    answer = await link.exchange("POST", f"{url.rstrip('/')}/oauth2/access_token", json=dict(integration))
    if not answer.fine:
        error = trouble(link, "renewing the tokens", answer)
        if isinstance(error, SaidNo):
            raise Refused(f"{error.reason}; authorise the integration anew and give its code or refresh_token")
        raise error
    fresh = link.shaped(Renewed, "renewing the tokens", answer.body)
    return Pair(access=fresh.access_token, refresh=fresh.refresh_token)


def trouble(link: Link, what: str, answer: Answer) -> Later | Refused:
    """What an error means: wait, or do not ask again."""
    body = answer.body if isinstance(answer.body, dict) else {}
    words = (body.get("detail") or body.get("title"), body.get("hint"), _invalid(body))
    said = ": ".join(str(word) for word in words if word)
    if answer.status == 403 and not body:
        return Later(f"{link.name}: {what}: this machine is shut out for asking too often (403)", SHUT_OUT)
    error = link.trouble(what, answer, said)
    if isinstance(error, Later):
        return error
    hint = "; the token is not valid: give another one" if answer.status == 401 else ""
    return SaidNo(error.reason + hint, answer)


def _invalid(body: Mapping[str, Any]) -> str:
    """The first field that is wrong: `validation-errors` of a 400."""
    try:
        first = body["validation-errors"][0]["errors"][0]
        return f"{first['path']}: {first['detail']}"
    except (KeyError, IndexError, TypeError):
        return ""
