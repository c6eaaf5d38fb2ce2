"""`python -m pbxmonitor.simulator.demo`: the daemon itself beside a simulated PBX, its dashboard, a report at the end.

The PBX is a clinic with some days behind it and a lively present, or plays recordings.
"""

import argparse
import asyncio
import secrets
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from pbxmonitor import logs, periods, reporting
from pbxmonitor.app import run, spare_the_collector
from pbxmonitor.clock import Clock, SystemClock
from pbxmonitor.domain.policy import Policy
from pbxmonitor.exhibits.agents import agents
from pbxmonitor.pbx.asterisk.tape import TapeError
from pbxmonitor.periods import Stretch
from pbxmonitor.screen import show
from pbxmonitor.settings import Settings, load
from pbxmonitor.simulator.live import PACE, Clinic
from pbxmonitor.simulator.mailbox import Mailbox
from pbxmonitor.simulator.past import write_past
from pbxmonitor.simulator.pbx import Login, SimulatedPbx, simulated_pbx
from pbxmonitor.simulator.recordings import Recording, bundled, recording
from pbxmonitor.simulator.welcome import make_account, shown_progress, welcome
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.texts import speak

log = structlog.get_logger()
NODE: Final = "demo"
# After the last event of the tapes, before the end: what was told is on its way to the rows.
GRACE: Final = 1.0
# The thresholds that are lengths of what a tape shows: at another speed they shrink with it, so that verdicts stay.
_SCALED: Final = ("min_ring", "short_abandon", "short_hangup", "dropped_within", "min_attempt_ring", "min_reached_talk")
_DATABASE: Final = "demo.sqlite3"
_SETTINGS: Final = """\
{site}
[database]
url = "sqlite:///{directory}/{database}"
spool = "{directory}/spool"

[[pbx]]
node = "{node}"

[pbx.ami]
port = {ami_port}
username = "{username}"
secret = "{secret}"

[pbx.ari]
url = "{ari_url}"
username = "{username}"
password = "{secret}"

[web]
port = {web_port}
"""
# Where the dashboard is shown, unless something else stands there.
WEB_PORT: Final = 8080


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to play: no `tapes` is the clinic; `seconds` None is until stopped; `once` ends after the last tape."""

    tapes: tuple[Recording, ...]
    directory: Path
    speed: float = 1.0
    seconds: float | None = None
    once: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C (or as told); 0, or 2 with one line on stderr when a tape cannot be played."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logs.set_up(options.log_level or _level(clinic=not (options.tapes or options.recordings)))
    try:
        tapes = tuple(recording(path) for path in options.tapes) or (bundled() if options.recordings else ())
    except TapeError as error:
        parser.exit(2, f"{error}\n")
    with ExitStack() as folders:
        directory = options.directory or Path(folders.enter_context(TemporaryDirectory(prefix="pbxmonitor-demo-")))
        plan = Plan(
            tapes=tapes,
            directory=directory,
            speed=options.speed,
            seconds=options.seconds,
            once=options.once,
        )
        asyncio.run(demo(plan, SystemClock()))
    return 0


def _level(*, clinic: bool) -> str:
    """On a terminal the clinic's calls would push the dashboard's address out of sight."""
    return "warning" if clinic and sys.stderr.isatty() else "info"


async def demo(plan: Plan, clock: Clock) -> None:
    """The daemon on the simulated PBX, then the agent report of what it has recorded, on standard output."""
    began, stop = clock.now(), asyncio.Event()
    _obey_signals(stop)
    login = Login(username="demo", secret=secrets.token_urlsafe(16))
    clinic = None if plan.tapes else Clinic(now=began, pace=PACE * plan.speed)
    async with simulated_pbx(clock, login) as pbx, Mailbox().serve() as mailbox:
        settings = load(_write_settings(plan, clinic, pbx, login, mailbox))
        speak(settings.language)
        log.info("demo_began", recordings=len(plan.tapes), speed=plan.speed, directory=str(plan.directory))
        await _run(plan, clinic, settings, pbx, stop)
    now = clock.now()
    await _report(
        settings, periods.named("today", now, settings.zone) if clinic else periods.between(began, now, settings.zone)
    )


async def _run(plan: Plan, clinic: Clinic | None, settings: Settings, pbx: SimulatedPbx, stop: asyncio.Event) -> None:
    """What lies behind is written down, then the daemon follows what is played until `stop`."""
    spare_the_collector()
    fresh = not (plan.directory / _DATABASE).exists()
    await upgrade(settings.database.full_url)
    if clinic is not None and fresh:
        await write_past(settings, NODE, tuple(clinic.past()), shown_progress(stop))
    if stop.is_set():
        return
    password = await make_account(settings, pbx.clock.now())
    async with asyncio.TaskGroup() as tasks:
        others = [
            tasks.create_task(_play(pbx, plan, clinic, stop)),
            tasks.create_task(_limit(plan.seconds, pbx.clock, stop)),
            tasks.create_task(welcome(settings, password, pbx.clock, clinic)),
        ]
        await run(settings, stop=stop)
        for task in others:
            task.cancel()


async def _report(settings: Settings, stretch: Stretch) -> None:
    """The agents' tables, as `pbxmonitor report agents` prints them."""
    rows = await reporting.agents(
        settings, stretch.begin, stretch.end, None, (stretch.before_begin, stretch.before_end)
    )
    tables = agents(rows, stretch).tables
    for table in [table for table in tables if table.rows] or tables[:1]:
        show(table)


async def _play(pbx: SimulatedPbx, plan: Plan, clinic: Clinic | None, stop: asyncio.Event) -> None:
    """The tapes, or the clinic at its own pace: its lengths are judged as they are."""
    if clinic is None:
        await pbx.play(plan.tapes, speed=plan.speed, loop=not plan.once)
    else:
        live = clinic.live()
        await pbx.play(live[:1] if plan.once else live, loop=not plan.once)
    await pbx.clock.sleep(GRACE)
    stop.set()


async def _limit(seconds: float | None, clock: Clock, stop: asyncio.Event) -> None:
    if seconds is not None:
        await clock.sleep(seconds)
        stop.set()


def _obey_signals(stop: asyncio.Event) -> None:
    """From the first moment, not only from when the daemon has begun."""
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)


def _write_settings(plan: Plan, clinic: Clinic | None, pbx: SimulatedPbx, login: Login, mailbox: Mailbox) -> Path:
    """The settings as an operator would write them, for that PBX and a database of its own."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    path = plan.directory / "pbxmonitor.toml"
    text = _SETTINGS.format(
        site=_scaled_policy(plan.speed) if clinic is None else clinic.settings(mailbox.url, secrets.token_urlsafe(24)),
        directory=plan.directory.resolve(),
        database=_DATABASE,
        node=NODE,
        ami_port=pbx.ami.port,
        ari_url=pbx.ari.url,
        web_port=_free_port(),
        username=login.username,
        secret=login.secret,
    )
    path.touch(mode=0o600)
    path.write_text(text, "utf-8")
    return path


def _scaled_policy(speed: float) -> str:
    lengths = {name: getattr(Policy(), name).total_seconds() / speed for name in _SCALED}
    return "\n".join(["[policy]", *(f"{name} = {seconds:g}" for name, seconds in lengths.items()), ""])


def _free_port() -> int:
    """The dashboard's usual port, or any other where that is taken."""
    for port in (WEB_PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = tried.getsockname()[1]
            return found
    return WEB_PORT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pbxmonitor.simulator.demo", description=__doc__)
    parser.add_argument("tapes", nargs="*", type=Path, metavar="TAPE", help="recordings to play instead of the clinic")
    parser.add_argument("--recordings", action="store_true", help="play the bundled recordings of a real Asterisk")
    parser.add_argument("--speed", type=_positive, default=1.0, help="times as fast (default 1)")
    parser.add_argument("--seconds", type=_positive, help="end after so many seconds (default: at Ctrl-C)")
    parser.add_argument("--once", action="store_true", help="end when all has been played once")
    parser.add_argument("--directory", type=Path, help="keep settings and database here (default: thrown away)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"))
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
