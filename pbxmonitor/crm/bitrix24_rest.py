"""Bitrix24's REST: one method with its parameters, the two ways to prove who asks, what its errors mean.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/, /error-codes.html, /limits.html,
/settings/oauth/auto-renewal.html, /settings/oauth/error-codes.html
"""

from typing import Any, TypeVar, get_origin

from pydantic import BaseModel, Field

from pbxmonitor.crm import Later, Refused
from pbxmonitor.crm.link import DOWN, SOON, Answer, Link
from pbxmonitor.crm.oauth import Pair, Tokens
from pbxmonitor.crm.pace import Pace

T = TypeVar("T")
# The bucket holds 50 requests and leaks 2 a second; other applications on this machine's address share it.
PER_SECOND, BURST = 2.0, 20
STALE = frozenset({"expired_token", "invalid_token"})
# Seconds to wait, by the error's code: an overload is lifted by hand, an operation limit by the minute.
PASSING = {
    "QUERY_LIMIT_EXCEEDED": SOON,
    "OPERATION_TIME_LIMIT": 60.0,
    "OVERLOAD_LIMIT": 3600.0,
    "PAYMENT_REQUIRED": 3600.0,
    "INTERNAL_SERVER_ERROR": DOWN,
    "ERROR_UNEXPECTED_ANSWER": DOWN,
}
HINTS = {
    "WRONG_AUTH_TYPE": "this portal lets only an application do it: give client_id, client_secret and refresh_token",
    "insufficient_scope": "give the webhook or the application the rights crm, task and telephony",
    "NO_AUTH_FOUND": "check the webhook",
    "expired_token": "authorise the application anew and give its refresh_token",
    "invalid_grant": "authorise the application anew and give its refresh_token",
}


class SaidNo(Refused):
    """Bitrix24's own refusal, with the words that it gave."""

    def __init__(self, reason: str, code: str, description: str) -> None:
        super().__init__(reason)
        self.code = code
        self.description = description


class Renewed(BaseModel):
    """What the authorisation server gives for a refresh token."""

    access_token: str = Field(min_length=1)
    refresh_token: str = Field(min_length=1)


class Portal:
    """The methods at one address: a webhook's, or with `tokens` a portal's."""

    def __init__(self, link: Link, address: str, pace: Pace, tokens: Tokens | None = None) -> None:
        self._link = link
        self._address = address.rstrip("/")
        self._pace = pace
        self._tokens = tokens

    async def call(self, method: str, shape: type[T], **parameters: Any) -> T:
        """The method's `result` in that shape; PHP writes an empty object as an empty list."""
        token = await self._tokens.access() if self._tokens else None
        answer = await self._ask(method, parameters, token)
        if self._tokens and token and code_of(answer)[0] in STALE:
            answer = await self._ask(method, parameters, await self._tokens.renewed(token))
        if code_of(answer)[0] is not None or not answer.fine or not isinstance(answer.body, dict):
            raise trouble(self._link, method, answer)
        result = answer.body.get("result")
        if result == [] and get_origin(shape) is not list:
            result = {}
        return self._link.shaped(shape, method, result)

    async def _ask(self, method: str, parameters: dict[str, Any], token: str | None) -> Answer:
        await self._pace.turn()
        proof = {"auth": token} if token else {}
        return await self._link.exchange("POST", f"{self._address}/{method}", json={**parameters, **proof})


async def renewed(link: Link, url: str, client_id: str, client_secret: str, refresh: str) -> Pair:
    """The next pair of tokens; the secrets travel in the body, which no server logs."""
    form = {
        "grant_type": "refresh_token",
        "client_id": client_id,
        "client_secret": client_secret,
        "refresh_token": refresh,
    }
    answer = await link.exchange("POST", url, data=form)
    if not answer.fine or code_of(answer)[0] is not None:
        raise trouble(link, "renewing the tokens", answer)
    fresh = link.shaped(Renewed, "renewing the tokens", answer.body)
    return Pair(access=fresh.access_token, refresh=fresh.refresh_token)


def code_of(answer: Answer) -> tuple[str | None, str]:
    """The error's code and description; None when it is no error. The code may be empty, or a number."""
    body = answer.body if isinstance(answer.body, dict) else {}
    if "error" not in body:
        return None, ""
    error = body["error"]
    if isinstance(error, dict):  # REST 3.0
        return str(error.get("code") or ""), str(error.get("message") or "")
    return str(error or ""), str(body.get("error_description") or "")


def trouble(link: Link, method: str, answer: Answer) -> Later | Refused:
    """What an error means: wait, or do not ask again, and then what to do about it."""
    code, description = code_of(answer)
    said = ": ".join(filter(None, (code, description)))
    if code in PASSING:
        return Later(f"{link.name}: {method}: {link.said(said)}", answer.wait or PASSING[code])
    error = link.trouble(method, answer, said)
    if isinstance(error, Later):
        return error
    hint = HINTS.get(code or "")
    return SaidNo(f"{error.reason}; {hint}" if hint else error.reason, code or "", description)
