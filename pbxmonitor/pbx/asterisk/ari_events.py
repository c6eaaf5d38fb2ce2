"""ARI's event stream (`/ari/events`, a websocket), followed for ever."""

import json
import logging
import ssl
from collections.abc import AsyncGenerator
from socket import gaierror

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from pbxmonitor.clock import Clock
from pbxmonitor.pbx.asterisk.ari import Ari
from pbxmonitor.pbx.asterisk.ari_presence import AriEvent, AriLost, AriUp, EndpointState, to_event
from pbxmonitor.pbx.asterisk.ari_rest import NOT_SERVED, AriDown, AriError, AriLogin, AriNotFound, AriRefused
from pbxmonitor.pbx.asterisk.backoff import Backoff

log = structlog.get_logger()
# At DEBUG websockets writes every header of the handshake, the password's too: its logger is kept above that.
quiet = logging.getLogger("pbxmonitor.ari.websocket")
quiet.setLevel(logging.INFO)

MESSAGE_LIMIT = 1 << 20
WAITING_LIMIT = 256
REPLACED = "ApplicationReplaced"
PRESENCE = frozenset({"ContactStatusChange", "EndpointStateChange", "PeerStatusChange", "DeviceStateChanged"})
STASIS = frozenset({"StasisStart", "StasisEnd", "RecordingStarted", "RecordingFinished", "RecordingFailed"})
FOLLOWED = PRESENCE | STASIS


class _Door(connect):
    """A handshake that follows no redirect: our password is for this PBX only."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class AriEvents:
    """The stream of one Asterisk; `ari` is the REST side of the same login."""

    def __init__(self, login: AriLogin, clock: Clock, follow: frozenset[str] = FOLLOWED) -> None:
        self.ari = Ari(login)
        self._login, self._clock, self._follow = login, clock, follow
        self._backoff = Backoff(login.backoff_first, login.backoff_cap)
        self._tls = login.tls()
        self._trouble = ""

    async def events(self) -> AsyncGenerator[AriUp | AriLost | AriEvent, None]:
        """Connect, yield AriUp, then every followed event in order; after a break AriLost, wait, and again, for ever.

        Cancel the task that iterates to stop; the socket closes with it. Leaving the loop early: `contextlib.aclosing`.
        """
        while True:
            up_at: float | None = None
            try:
                async with self._door() as stream:
                    up = AriUp(at=self._clock.now(), presence=await self._begin())
                    up_at, self._trouble = self._clock.monotonic(), ""
                    yield up
                    while True:
                        yield await self._next(stream)
            except (AriError, WebSocketException, OSError) as error:
                reason, slow = _reason(error, self._login)
            # Only an outage leads here: the loop above has no other end.
            if up_at is not None:
                yield AriLost(at=self._clock.now(), reason=reason)
            await self._clock.sleep(self._pause(reason, slow, up_at))

    async def aclose(self) -> None:
        """Close the REST side; the stream ends with the task that iterates it."""
        await self.ari.aclose()

    async def _begin(self) -> tuple[EndpointState, ...]:
        """Ask for the followed events only, then how every endpoint is: what changes from now on is an event."""
        try:
            await self.ari.applications.filter(self._login.app, self._follow | {REPLACED})
        except AriDown:
            raise
        except AriError as error:
            log.info("ari_filter_absent", reason=error.message, note="all events come, the rest is dropped here")
        return await self.ari.presence()

    async def _next(self, stream: ClientConnection) -> AriEvent:
        while True:
            event = _event(await stream.recv(decode=False))
            if event is not None and event.type == REPLACED:
                # Measured on 16 and 22: the old socket stays open, answers pings and hears nothing any more.
                raise AriTaken(
                    0, f"another client has taken the ARI application {self._login.app!r}: give each its own"
                )
            if event is not None and event.type in self._follow:
                return event

    def _pause(self, reason: str, slow: bool, up_at: float | None) -> float:
        """Seconds until the next attempt; tells the log once for each new reason."""
        lived = self._clock.monotonic() - up_at if up_at is not None else 0.0
        if lived >= self._login.backoff_cap:
            self._backoff.reset()
        pause = max(self._login.refused_retry if slow else 0.0, self._backoff.delay())
        if up_at is not None:
            log.warning("ari_lost", url=self._login.rest_url, reason=reason, retry_in_s=round(pause, 1))
        elif reason != self._trouble:
            log.error("ari_unreachable", url=self._login.rest_url, reason=reason, retry_in_s=round(pause, 1))
        self._trouble = reason
        return pause

    def _door(self) -> connect:
        login = self._login
        return _Door(
            login.events_url,
            additional_headers={"Authorization": login.authorization()},
            ssl=self._tls,
            proxy=None,
            open_timeout=login.timeout,
            ping_interval=login.watchdog / 2,
            ping_timeout=login.watchdog / 2,
            close_timeout=2,
            max_size=MESSAGE_LIMIT,
            max_queue=WAITING_LIMIT,
            logger=quiet,
        )


class AriTaken(AriError):  # noqa: N818
    """Another client opened a stream for the same application: from then on Asterisk sends ours nothing."""


def _event(raw: bytes) -> AriEvent | None:
    """A message as an event; one that is not is put aside with a warning."""
    try:
        return to_event(json.loads(_text(raw)))
    except (ValueError, RecursionError) as error:
        log.warning("ari_event_put_aside", reason=str(error), size=len(raw), begins=_text(raw[:80]))
        return None


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("cp1251", "replace")


def _reason(error: Exception, login: AriLogin) -> tuple[str, bool]:
    """One clear line, and whether to try again slowly because a person has to mend it."""
    match error:
        case InvalidStatus():
            return _refusal(error.response.status_code, login)
        case AriRefused() | AriNotFound() | AriTaken():
            return error.message, True
        case AriError():
            return error.message, False
        case ConnectionClosed():
            return _closing(error), False
        case gaierror():
            return f"unknown host in {login.rest_url}: check the ARI address", True
        case ssl.SSLCertVerificationError():
            return f"the certificate of {login.rest_url} is not trusted ({error.verify_message}): set ca_file", True
        case TimeoutError():
            return f"{login.rest_url} does not answer within {login.timeout:g} s", False
        case OSError():
            return f"{login.rest_url} cannot be reached: {error.strerror or error}", False
        case _:
            return f"{login.rest_url} does not speak websocket: {error}", False


def _refusal(status: int, login: AriLogin) -> tuple[str, bool]:
    match status:
        case 401 | 403:
            return f"ARI refused user {login.username!r}: check the name and password in ari.conf", True
        case 404:
            return f"no ARI at {login.rest_url}: {NOT_SERVED}", True
        case _:
            return f"{login.rest_url} answered the event stream with status {status}", False


def _closing(error: ConnectionClosed) -> str:
    if error.sent is not None and not error.rcvd_then_sent:
        return f"we closed the event stream: {error.sent.reason or error.sent.code}"
    if error.rcvd is not None:
        return f"Asterisk closed the event stream ({error.rcvd.code})"
    return "the event stream broke off"
