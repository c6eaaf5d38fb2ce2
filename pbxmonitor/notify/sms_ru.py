"""SMS through SMS.ru: https://sms.ru/api/send (parameters, the answer with a status of each number, the codes)."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.http import Http, Reach, Token, WebAddress
from pbxmonitor.notify.sending import logged
from pbxmonitor.notify.sms_text import digits, wording
from pbxmonitor.settings_sources import secret_from_file

ACCEPTED: Final = 100
# Codes that pass by themselves, or when the account is paid, and the seconds to wait.
PASSING: Final = {201: 600.0, 206: 3600.0, 220: 60.0, 231: 60.0, 500: 60.0}
MEANING: Final = {
    200: "the api_id is wrong",
    201: "the account has no money left",
    202: "the recipient is not a number that can be sent to",
    203: "the text is empty",
    204: "the sender's name is not approved",
    205: "the text is too long",
    206: "the account's limit for the day is reached",
    207: "there is no way to this number",
    208: "the time is wrong",
    209: "the number is on the account's stop list",
    210: "it wants POST",
    211: "there is no such method",
    212: "the text is not UTF-8",
    220: "the service is out of order just now",
    230: "the limit of messages to this number for the day is reached",
    231: "the limit of equal messages to this number in a minute is reached",
    232: "the limit of equal messages to this number for the day is reached",
    300: "the token is wrong or has expired",
    301: "the password is wrong, or there is no such user",
    302: "the account is not confirmed",
    500: "the service failed",
}


class SmsRu:
    """Sends to `Message.to`, a phone in E.164; `token` is the account's api_id."""

    kind: ClassVar[str] = "sms_ru"
    limits: ClassVar[Limits] = Limits(per_second=5, per_address_per_minute=4)

    class Settings(Reach):
        """The account; `sender` is a name that SMS.ru has approved; `test` sends nothing and costs nothing."""

        token: Token
        token_file: Path | None = None
        sender: str | None = None
        parts: Annotated[int, Field(ge=1, le=8)] = 2
        test: bool = False
        url: WebAddress = "https://sms.ru"

        @model_validator(mode="before")
        @classmethod
        def _read_token(cls, values: Any) -> Any:
            return secret_from_file(values, "token", required=True)

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._http = Http("SMS.ru", settings, clock, settings.token)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @logged
    async def send(self, message: Message) -> Receipt:
        """Hand it over; the reference is SMS.ru's own id of the message."""
        phone = digits(message.to)
        answer = await self._http.post(f"{self._settings.url}/sms/send", data=self._form(phone, message))
        answer.check()
        told = answer.table()
        _accepted(told)
        numbers = told.get("sms")
        status = numbers.get(phone) if isinstance(numbers, dict) else None
        if not isinstance(status, dict):
            raise Later("SMS.ru did not say what became of the message")
        _accepted(status)
        return Receipt(reference=str(status.get("sms_id") or "") or None)

    def _form(self, phone: str, message: Message) -> dict[str, str]:
        settings = self._settings
        form = {"api_id": settings.token.get_secret_value(), "to": phone, "json": "1"}
        form["msg"] = wording(message, settings.parts)
        if settings.sender:
            form["from"] = settings.sender
        if settings.test:
            form["test"] = "1"
        return form


def _accepted(told: dict[str, Any]) -> None:
    """Nothing when that status is 100; what the code means otherwise."""
    code = told.get("status_code")
    if not isinstance(code, int) or isinstance(code, bool):
        raise Later("SMS.ru answered without a status")
    if code == ACCEPTED:
        return
    reason = f"SMS.ru: {MEANING.get(code, 'it does not take the message')} ({code})"
    if code in PASSING:
        raise Later(reason, PASSING[code])
    raise Refused(reason)
