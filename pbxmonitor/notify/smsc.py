"""SMS through SMSC.RU: https://smsc.ru/api/http/send/sms (parameters, the answer and its error codes)."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import Field, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.http import Http, Reach, Token, WebAddress
from pbxmonitor.notify.sending import logged
from pbxmonitor.notify.sms_text import digits, wording
from pbxmonitor.settings_sources import secret_from_file

# Codes that pass by themselves, or when the account is paid, and the seconds to wait.
PASSING: Final = {3: 600.0, 4: 300.0, 9: 60.0}
MEANING: Final = {
    1: "the parameters are wrong",
    2: "the login or password is wrong, or this address may not send",
    3: "the account has no money left",
    4: "this address is blocked for a while, after too many mistakes",
    5: "the date is wrong",
    6: "the text or the sender's name is forbidden",
    7: "the recipient is not a number that can be sent to",
    8: "the message cannot be delivered to this number",
    9: "the same message was sent within the last minute",
}


class Smsc:
    """Sends to `Message.to`, a phone in E.164; the account is a `token` (apikey), or a `login` with its `password`."""

    kind: ClassVar[str] = "smsc"
    limits: ClassVar[Limits] = Limits(per_second=5, per_address_per_minute=4)

    class Settings(Reach):
        """The account; `sender` is a name that SMSC.RU has approved."""

        token: Token | None = None
        token_file: Path | None = None
        login: str | None = None
        password: SecretStr | None = None
        password_file: Path | None = None
        sender: str | None = None
        parts: Annotated[int, Field(ge=1, le=8)] = 2
        url: WebAddress = "https://smsc.ru"

        @model_validator(mode="before")
        @classmethod
        def _read_secrets(cls, values: Any) -> Any:
            return secret_from_file(secret_from_file(values, "token"), "password")

        @model_validator(mode="after")
        def _check_account(self) -> Self:
            if (self.token is None) == (self.login is None) or (self.login is None) != (self.password is None):
                raise ValueError("needs token, or login and password")
            return self

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._http = Http("SMSC.RU", settings, clock, settings.token, settings.password)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @logged
    async def send(self, message: Message) -> Receipt:
        """Hand it over; the reference is the id under which SMSC.RU knows the message, made of ours."""
        form = self._form(digits(message.to), message)
        answer = await self._http.post(f"{self._settings.url}/sys/send.php", data=form)
        answer.check()
        told = answer.table()
        if "error_code" in told or "error" in told:
            raise _failure(told.get("error_code"))
        if "id" not in told:
            raise Later("SMSC.RU did not say what became of the message")
        return Receipt(reference=str(told["id"]))

    def _form(self, phone: str, message: Message) -> dict[str, str]:
        settings = self._settings
        form = {"phones": phone, "mes": wording(message, settings.parts), "fmt": "3", "charset": "utf-8"}
        form["id"] = f"pbx-{message.id}"
        if settings.sender:
            form["sender"] = settings.sender
        if settings.token is not None:
            return {"apikey": settings.token.get_secret_value(), **form}
        password = settings.password.get_secret_value() if settings.password else ""
        return {"login": settings.login or "", "psw": password, **form}


def _failure(code: Any) -> Later | Refused:
    if not isinstance(code, int):
        return Later("SMSC.RU answered without a code")
    reason = f"SMSC.RU: {MEANING.get(code, 'it does not take the message')} ({code})"
    return Later(reason, PASSING[code]) if code in PASSING else Refused(reason)
