"""A real SMTP server (aiosmtpd) on loopback, and one that misbehaves."""

import asyncio
import logging
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

# The server's side of the conversation is not ours to log.
logging.getLogger("mail").disabled = True
logging.getLogger("mail.log").disabled = True
USERNAME = "pbxmonitor"
PASSWORD = "п4ssword-for-post"


@dataclass
class PostOffice:
    """Takes letters, or answers RCPT and DATA as it is told."""

    rcpt: str = "250 OK"
    data: str = "250 Accepted"
    login: bool = False
    letters: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(  # noqa: N802 - aiosmtpd names it so
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            letter = message_from_bytes(envelope.content, policy=policy.SMTP)
            assert isinstance(letter, EmailMessage)
            self.letters.append(letter)
            self.envelopes.append(envelope)
            self.secured.append(session.ssl is not None)
        return self.data

    def let_in(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any) -> AuthResult:
        good = isinstance(auth_data, LoginPassword) and auth_data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=good)


@asynccontextmanager
async def office(
    post: PostOffice, tls: ssl.SSLContext | None = None, *, implicit: bool = False
) -> AsyncIterator[PostOffice]:
    """That office, open: plain, with STARTTLS when there is a TLS context, or in TLS from the first byte."""
    loop = asyncio.get_running_loop()

    def met() -> SMTP:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")
            return SMTP(
                post,
                hostname="post.example",
                tls_context=None if implicit else tls,
                require_starttls=tls is not None and not implicit,
                auth_required=post.login,
                auth_require_tls=False,
                authenticator=post.let_in if post.login else None,
                enable_SMTPUTF8=True,
                loop=loop,
            )

    server = await loop.create_server(met, "127.0.0.1", 0, ssl=tls if implicit else None)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()


Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def odd_office(talk: Conversation) -> AsyncIterator[int]:
    """The port of a server that talks as it likes."""
    writers: set[asyncio.StreamWriter] = set()
    tasks: set[asyncio.Task[Any] | None] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        tasks.add(asyncio.current_task())
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(meet, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def say_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"<html>Log in to the Wi-Fi</html>\r\n" * 3)
    await writer.drain()
    await reader.read()


async def hang_up_after_data(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes the letter and hangs up before it says so."""
    writer.write(b"220 post.example\r\n")
    while line := await reader.readline():
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 Go on\r\n")
            await reader.readuntil(b"\r\n.\r\n")
            return
        writer.write(b"250 OK\r\n")
