"""E-mail through an SMTP server: with TLS, STARTTLS or neither; RFC 5321 tells 4xx (later) from 5xx (for good)."""

import asyncio
import ssl
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import aiosmtplib
from pydantic import AfterValidator, SecretStr, model_validator

from pbxmonitor.clock import Clock
from pbxmonitor.notify import Later, Limits, Message, Receipt, Refused
from pbxmonitor.notify.email_mime import letter, mailbox
from pbxmonitor.notify.http import Authority, Patience, trust
from pbxmonitor.notify.sending import logged
from pbxmonitor.settings_sources import secret_from_file
from pbxmonitor.settings_values import Host, Port, Table

PORTS = {"tls": 465, "starttls": 587, "none": 25}
PARTING_S = 3.0


def _mailbox(value: str) -> str:
    mailbox(value)
    return value


class Email:
    """Sends to the e-mail address in `Message.to`; of the buttons only links travel by post."""

    kind: ClassVar[str] = "email"
    limits: ClassVar[Limits] = Limits(per_second=5, per_address_per_minute=30)

    class Settings(Table):
        """The server that takes the letters, who we are there, and whom they are from (`Name <name@host>`)."""

        host: Host
        port: Port | None = None
        security: Literal["starttls", "tls", "none"] = "starttls"
        username: str | None = None
        password: SecretStr | None = None
        password_file: Path | None = None
        sender: Annotated[str, AfterValidator(_mailbox)]
        ca_file: Authority | None = None
        tls_insecure: bool = False
        timeout: Patience = timedelta(seconds=30)

        @model_validator(mode="before")
        @classmethod
        def _read_password(cls, values: Any) -> Any:
            return secret_from_file(values, "password")

        @model_validator(mode="after")
        def _check(self) -> Self:
            if (self.username is None) != (self.password is None):
                raise ValueError("needs username and password together")
            if self.ca_file and self.tls_insecure:
                raise ValueError("give one of ca_file and tls_insecure")
            if self.security == "none" and (self.ca_file or self.tls_insecure):
                raise ValueError("set security to tls or starttls for ca_file or tls_insecure to mean anything")
            return self

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._sender = mailbox(settings.sender)
        self._trusted = _trusting(settings)

    async def aclose(self) -> None:
        """Nothing stays open between letters."""

    @logged
    async def send(self, message: Message) -> Receipt:
        """Hand the letter to the server; the reference is its Message-ID."""
        try:
            to = mailbox(message.to)
        except ValueError as error:
            raise Refused(f"the address {error}") from None
        post = letter(message, self._sender, to, self._clock.now())
        patience = self._settings.timeout.total_seconds()
        client = self._client(patience)
        try:
            async with asyncio.timeout(patience):
                await client.connect()
                await client.send_message(post, sender=self._sender.addr_spec, recipients=[to.addr_spec])
            await _say_goodbye(client)
        except TimeoutError:
            raise Later(f"the mail server did not answer within {patience:g} s") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise self._failure(error) from None
        finally:
            client.close()
        return Receipt(reference=str(post["Message-ID"]))

    def _client(self, patience: float) -> aiosmtplib.SMTP:
        settings = self._settings
        password = settings.password.get_secret_value() if settings.password else None
        return aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port or PORTS[settings.security],
            username=settings.username,
            password=password,
            local_hostname=self._sender.domain,
            timeout=patience,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            tls_context=self._trusted,
        )

    def _failure(self, error: Exception) -> Later | Refused:
        match error:
            case aiosmtplib.SMTPRecipientsRefused(recipients=[first, *_]):
                return self._failure(first)
            case aiosmtplib.SMTPAuthenticationError(code=code) if code >= 500:
                return Refused(f"the mail server refused the login ({code}); check username and password")
            case aiosmtplib.SMTPResponseException(code=code, message=said):
                reason = f"the mail server answered {code}: {self._hidden(said)}"
                return Refused(reason) if 500 <= code < 600 else Later(reason)
            case OSError():  # before ValueError: a certificate that is not trusted is both
                return Later(f"the mail server cannot be reached: {self._hidden(str(error)) or type(error).__name__}")
            case aiosmtplib.SMTPNotSupported() | ValueError():
                return Refused(f"the mail server cannot take this: {self._hidden(str(error))}")
        return Later(f"the mail server: {self._hidden(str(error))}")

    def _hidden(self, text: str) -> str:
        password = self._settings.password.get_secret_value() if self._settings.password else ""
        return text.replace(password, "***") if password else text


def _trusting(settings: Email.Settings) -> ssl.SSLContext:
    context = trust(settings.ca_file)
    if settings.tls_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def _say_goodbye(client: aiosmtplib.SMTP) -> None:
    """The server has the letter: whatever becomes of the goodbye is no failure."""
    with suppress(aiosmtplib.SMTPException, OSError):
        await client.quit(timeout=PARTING_S)
