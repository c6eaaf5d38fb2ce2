"""`pbxmonitor check`: what is wrong, and the line to put where. Each finding is a sentence in the reader's language."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import SystemClock
from pbxmonitor.in_force import arranged_of
from pbxmonitor.notify.examples import Name
from pbxmonitor.notify.templates import BadTemplate, Templates
from pbxmonitor.pbx.asterisk.ami import Ami, LinkDown, LinkUp, Refused
from pbxmonitor.pbx.asterisk.ari import Ari
from pbxmonitor.pbx.asterisk.ari_rest import AriError
from pbxmonitor.pbx.asterisk.connect import ami_login, ari_login
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.settings import PbxSettings, Settings
from pbxmonitor.settings_domain import to_roster
from pbxmonitor.settings_errors import SettingsError
from pbxmonitor.store.migrate import current, head
from pbxmonitor.store.outbox import undelivered
from pbxmonitor.store.types import connect, reading
from pbxmonitor.texts import tr
from pbxmonitor.work.office import checked

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


def _ok(key: str, **values: Any) -> Finding:
    return Finding(level="ok", text=tr(f"check.{key}", **values))


def _bad(key: str, level: str = "error", **values: Any) -> Finding:
    return Finding(level=level, text=tr(f"check.{key}", **values), fix=tr(f"check.{key}.fix", **values))


async def check(settings: Settings) -> list[Finding]:
    """Everything that the daemon needs, looked at once; nothing is changed but one custom device state."""
    found = await _database(settings)
    if all(each.ok for each in found):
        settings, left = await _kept(settings)
        found += left
    if not settings.pbx:
        found.append(_bad("no_pbx"))
    for pbx in settings.pbx.values():
        found += await _manager(pbx)
        found.append(await _rest(pbx))
        found.append(_history(pbx))
    return found + _messages(settings)


def _history(pbx: PbxSettings) -> Finding:
    """What is read for the time when nobody listened; of databases their urls only are known to be well-formed."""
    files = [Path(place) for _, place in pbx.history.sources if "://" not in place]
    for path in files:
        try:
            path.open("rb").close()
        except OSError as error:
            return _bad("history_away", level="warning", node=pbx.node, reason=f"{path}: {error.strerror}")
    if not pbx.history.sources:
        return _bad("history_absent", level="warning", node=pbx.node)
    return _ok("history_fine", node=pbx.node)


def _messages(settings: Settings) -> list[Finding]:
    """The tables of channels and CRMs, the site's own texts, and people whom nothing can reach."""
    try:
        parts = checked(settings)
    except SettingsError as error:
        return [_bad("channel_wrong", reason=str(error))]
    found = [_ok("channels_fine", names=", ".join(sorted(parts)))] if parts else [_bad("no_channels", level="warning")]
    folder = settings.messages.templates
    templates = Templates(settings.zone, Path(folder) if folder else None)
    wrong = [*(templates.check() if folder else ()), *_texts_of_steps(settings, templates)]
    found += [_bad("template_wrong", level="warning", reason=line) for line in wrong]
    silent = [key for key, person in to_roster(settings).people.items() if settings.notify and not person.channels]
    if silent:
        found.append(_bad("people_silent", level="warning", names=", ".join(silent)))
    return found


def _texts_of_steps(settings: Settings, templates: Templates) -> Iterator[str]:
    """A line for each step of the chain whose own text cannot be written."""
    for number, step in enumerate(settings.callbacks.steps):
        try:
            name = Name.ESCALATED if step.message == "task" else Name(step.message)
            templates.preview(name, settings.language, step.text)
        except BadTemplate as error:
            yield f"callbacks.steps.{number}: {error}"


async def _database(settings: Settings) -> list[Finding]:
    url, safe = settings.database.full_url, settings.database.safe_url
    engine = connect(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        now = await current(url)
        if now != head():
            return [_bad("database_old", level="warning", url=safe, revision=now or "-", head=head())]
        return [_ok("database_fine", url=safe, revision=now), *await _undelivered(engine)]
    except (SQLAlchemyError, OSError) as error:
        return [_bad("database_away", url=safe, reason=str(error).splitlines()[0])]
    finally:
        await engine.dispose()


async def _kept(settings: Settings) -> tuple[Settings, list[Finding]]:
    """The settings with what people set in the dashboard; what of it does not fit."""
    engine = connect(settings.database.full_url)
    try:
        found = (await arranged_of(settings, engine)).effective
    finally:
        await engine.dispose()
    left = [(".".join(each.name), str(each.fault)) for each in found.left_out]
    return found.settings, [_bad("setting_left_out", level="warning", name=name, reason=why) for name, why in left]


async def _undelivered(engine: AsyncEngine) -> list[Finding]:
    """What a channel or CRM has refused for good since yesterday."""
    since = SystemClock().now() - timedelta(days=1)
    failed = await reading(engine, lambda connection: undelivered(connection, since))
    return [_bad("undelivered", level="warning", channel=name, n=count) for name, count in sorted(failed.items())]


async def _manager(pbx: PbxSettings) -> list[Finding]:
    ami, where = Ami(ami_login(pbx), SystemClock()), f"{pbx.ami.host}:{pbx.ami.port}"
    heard = _Heard(ami)
    try:
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(heard.run())
            up = await heard.up
            found = [_ok("ami_fine", node=pbx.node, where=where, version=up.version), *await _probe(ami, up, heard)]
            listening.cancel()
    except TimeoutError:
        return [_bad("ami_away", node=pbx.node, where=where, reason=ami.trouble or "no answer")]
    return found


class _Heard:
    """What came over the link so far."""

    def __init__(self, ami: Ami) -> None:
        self._ami = ami
        self.up: asyncio.Future[LinkUp] = asyncio.get_running_loop().create_future()
        self.probe: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        async for heard in self._ami.listen():
            if isinstance(heard, LinkUp) and not self.up.done():
                self.up.set_result(heard)
            for frame in heard if isinstance(heard, list) else ():
                if frame.event == "DeviceStateChange" and frame["Device"] == PROBE and not self.probe.done():
                    self.probe.set_result(frame)

    @property
    def unfollowed(self) -> int:
        """How many messages came that nobody reads."""
        return self._ami.counts.messages - self._ami.counts.followed


_NEEDS = ("QueueStatus", "DeviceStateList", "PresenceStateList", "CoreShowChannels")


async def _probe(ami: Ami, up: LinkUp, heard: _Heard) -> list[Finding]:
    missing = [action for action in _NEEDS if action not in up.actions]
    if missing:
        return [_bad("ami_permission", actions=", ".join(missing))]
    for state in ("INUSE", "NOT_INUSE"):
        await _quietly(partial(ami.ask, "Setvar", Variable=f"DEVICE_STATE({PROBE})", Value=state))
    found = [await _timestamps(heard)]
    found.append(_bad("filters_absent", level="warning") if heard.unfollowed else _ok("filters_fine"))
    return found


async def _timestamps(heard: _Heard) -> Finding:
    try:
        async with asyncio.timeout(2.0):
            frame = await heard.probe
    except TimeoutError:
        return _bad("ami_no_events", level="warning")
    return _ok("timestamps_fine") if frame.timestamp is not None else _bad("timestamps_absent", level="warning")


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
