"""What the demo says to who started it: how far it is, and where the dashboard is with a login made for it."""

import asyncio
import secrets
import sys
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from pbxmonitor.clock import Clock
from pbxmonitor.settings import Settings
from pbxmonitor.settings_web import web_of
from pbxmonitor.simulator.live import Clinic
from pbxmonitor.store.accounts import ADMIN, Account, account, add, set_password
from pbxmonitor.store.types import connect, writing
from pbxmonitor.texts import tr
from pbxmonitor.web.passwords import Passwords

LOGIN = "demo"
_LOOK_S = 0.1


def shown_progress(stop: asyncio.Event) -> Callable[[int, int], bool]:
    """Keeps one line of a terminal up to date, and says whether to go on."""

    def told(done: int, every: int) -> bool:
        if sys.stderr.isatty():
            line = tr("demo.past", share=round(100 * done / max(every, 1)))
            print(f"\r{line}", end="\n" if done == every else "", file=sys.stderr, flush=True)
        return not stop.is_set()

    return told


async def make_account(settings: Settings, now: datetime) -> str:
    """An admin `demo` in the upgraded database, with a new password even if it was there; the password."""
    password = secrets.token_urlsafe(12)
    kept = await Passwords().hashed(password)

    def work(connection: sa.Connection) -> None:
        if account(connection, LOGIN) is None:
            add(connection, Account(name=LOGIN, role=ADMIN, language=settings.language), LOGIN, now)
        set_password(connection, LOGIN, kept, LOGIN, now)

    database = connect(settings.database.full_url)
    try:
        await writing(database, work)
    finally:
        await database.dispose()
    return password


async def welcome(settings: Settings, password: str, clock: Clock, clinic: Clinic | None) -> None:
    """Once the dashboard answers, print where it is and how to log in."""
    web = web_of(settings)
    while not await _answers(web.host, web.port):
        await clock.sleep(_LOOK_S)
    text = tr("demo.ready", url=web.address, name=LOGIN, password=password)
    if clinic is not None:
        there = clock.now().astimezone(clinic.zone)
        text += "\n" + tr("demo.clinic", time=f"{there:%H:%M}", zone=clinic.zone.key)
    print(text, flush=True)


async def _answers(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
