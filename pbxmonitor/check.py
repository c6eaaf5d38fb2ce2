"""`pbxmonitor check`: what is wrong, and the line to put where. Each finding is a sentence in the reader's language."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from pbxmonitor.clock import SystemClock
from pbxmonitor.pbx.asterisk.ami import Ami, LinkDown, LinkLost, LinkUp, Refused
from pbxmonitor.pbx.asterisk.ari import Ari, AriError
from pbxmonitor.pbx.asterisk.connect import ami_login, ari_login
from pbxmonitor.pbx.asterisk.frames import FOLLOWED, Cutter, Frame, parse
from pbxmonitor.settings import PbxSettings, Settings
from pbxmonitor.store.migrate import current, head
from pbxmonitor.store.types import connect
from pbxmonitor.texts import tr

PATIENCE = 15.0
# Toggling a device state of our own makes Asterisk send one event that every filter lets through.
PROBE = "Custom:pbxmonitor-check"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: `level` is ok, warning or error; `fix` the line to put where."""

    level: str
    text: str
    fix: str = ""

    @property
    def ok(self) -> bool:
        return self.level != "error"


def _ok(key: str, **values: object) -> Finding:
    return Finding(level="ok", text=tr(f"check.{key}", **values))


def _bad(key: str, level: str = "error", **values: object) -> Finding:
    return Finding(level=level, text=tr(f"check.{key}", **values), fix=tr(f"check.{key}.fix", **values))


async def check(settings: Settings) -> list[Finding]:
    """Everything that the daemon needs, looked at once; nothing is changed but one custom device state."""
    found = [await _database(settings)]
    if not settings.pbx:
        found.append(_bad("no_pbx"))
    for pbx in settings.pbx.values():
        found += await _manager(pbx)
        found.append(await _rest(pbx))
    return found


async def _database(settings: Settings) -> Finding:
    url, safe = settings.database.full_url, settings.database.safe_url
    engine = connect(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        now = await current(url)
        if now != head():
            return _bad("database_old", level="warning", url=safe, revision=now or "-", head=head())
        return _ok("database_fine", url=safe, revision=now)
    except (SQLAlchemyError, OSError) as error:
        return _bad("database_away", url=safe, reason=str(error).splitlines()[0])
    finally:
        await engine.dispose()


async def _manager(pbx: PbxSettings) -> list[Finding]:
    strangers: set[str] = set()
    cutter = Cutter()

    def tap(data: bytes, received_at: float) -> None:
        strangers.update(_unfollowed(cutter, data, received_at))

    ami = Ami(ami_login(pbx.ami), SystemClock(), tap=tap)
    where = f"{pbx.ami.host}:{pbx.ami.port}"
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            heard = _Heard(ami.listen())
            listening = tasks.create_task(heard.run())
            await heard.up.wait()
            found = await _probe(ami, heard, strangers) if heard.lost is None else []
            listening.cancel()
    except TimeoutError:
        return [_bad("ami_silent", node=pbx.node, where=where)]
    if heard.lost is not None:
        return [_bad("ami_refused", node=pbx.node, where=where, reason=heard.lost.reason)]
    return [_ok("ami_fine", node=pbx.node, where=where), *found]


class _Heard:
    """What came over the link so far."""

    def __init__(self, stream: AsyncIterator[LinkUp | LinkLost | list[Frame]]) -> None:
        self._stream = stream
        self.up = asyncio.Event()
        self.lost: LinkLost | None = None
        self.probe: Frame | None = None
        self.probed = asyncio.Event()

    async def run(self) -> None:
        async for heard in self._stream:
            if isinstance(heard, LinkUp | LinkLost):
                self.lost = heard if isinstance(heard, LinkLost) else None
                self.up.set()
                continue
            for frame in heard:
                if frame.event == "DeviceStateChange" and frame["Device"] == PROBE:
                    self.probe = frame
                    self.probed.set()


def _unfollowed(cutter: Cutter, data: bytes, received_at: float) -> set[str]:
    raws = cutter.feed(data)
    return {"unfollowed"} if any(parse(raw, received_at, FOLLOWED) is None for raw in raws) else set()


_NEEDS = ("QueueStatus", "DeviceStateList", "PresenceStateList", "CoreShowChannels")


async def _probe(ami: Ami, heard: _Heard, strangers: set[str]) -> list[Finding]:
    found = [finding for action in _NEEDS if (finding := await _permission(ami, action)) is not None]
    if found:
        return found
    for state in ("INUSE", "NOT_INUSE"):
        await _quietly(lambda state=state: ami.ask("Setvar", Variable=f"DEVICE_STATE({PROBE})", Value=state))
    try:
        async with asyncio.timeout(2.0):
            await heard.probed.wait()
    except TimeoutError:
        found.append(_bad("ami_no_events", level="warning"))
    if heard.probe is not None:
        stamped = heard.probe.timestamp is not None
        found.append(_ok("timestamps_fine") if stamped else _bad("timestamps_absent", level="warning"))
    found.append(_bad("filters_absent", level="warning") if strangers else _ok("filters_fine"))
    return found


async def _permission(ami: Ami, action: str) -> Finding | None:
    try:
        await ami.ask(action)
    except Refused as refused:
        return _bad("ami_permission", action=action, reason=str(refused))
    except (LinkDown, TimeoutError):
        return _bad("ami_permission", action=action, reason="no answer")
    return None


async def _quietly(ask: Callable[[], Awaitable[object]]) -> None:
    try:
        await ask()
    except (Refused, LinkDown, TimeoutError):
        return


async def _rest(pbx: PbxSettings) -> Finding:
    if pbx.ari is None:
        return _bad("ari_absent", level="warning", node=pbx.node)
    ari = Ari(ari_login(pbx.ari))
    try:
        info = await ari.asterisk.info()
        return _ok("ari_fine", node=pbx.node, url=pbx.ari.url, version=info.system.version)
    except AriError as error:
        return _bad("ari_away", node=pbx.node, url=pbx.ari.url, reason=str(error))
    finally:
        await ari.aclose()
