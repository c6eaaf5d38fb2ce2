"""`python -m pbxmonitor.simulator.demo`: the daemon itself beside a simulated PBX, and the agent report at the end."""

import argparse
import asyncio
import secrets
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import structlog

from pbxmonitor import logs
from pbxmonitor.app import run
from pbxmonitor.clock import Clock, SystemClock
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.tape import TapeError
from pbxmonitor.reporting import agents
from pbxmonitor.settings import load
from pbxmonitor.simulator.pbx import Login, SimulatedPbx, simulated_pbx
from pbxmonitor.simulator.recordings import Recording, bundled, recording
from pbxmonitor.tables import agents_table, show
from pbxmonitor.texts import speak

log = structlog.get_logger()
NODE: Final = "demo"
# After the last event of the tapes, before the end: what was told is on its way to the rows.
GRACE: Final = 1.0
# The thresholds that are lengths of what a tape shows: at another speed they shrink with it, so that verdicts stay.
_SCALED: Final = ("min_ring", "short_abandon", "short_hangup", "dropped_within", "min_attempt_ring", "min_reached_talk")
_SETTINGS: Final = """\
[database]
url = "sqlite:///{directory}/demo.sqlite3"
spool = "{directory}/spool"

[policy]
{policy}

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
"""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to play: `seconds` None is until stopped; `once` ends after the last tape."""

    tapes: tuple[Recording, ...]
    directory: Path
    speed: float = 1.0
    seconds: float | None = None
    once: bool = False


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo until Ctrl-C (or as told); 0, or 2 with one line on stderr when a tape cannot be played."""
    parser = _parser()
    options = parser.parse_args(arguments)
    logs.set_up(options.log_level)
    try:
        tapes = tuple(recording(path) for path in options.tapes) or bundled()
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


async def demo(plan: Plan, clock: Clock) -> None:
    """The daemon on the simulated PBX, then the agent report of what it has recorded, on standard output."""
    began, stop = clock.now(), asyncio.Event()
    _obey_signals(stop)
    login = Login(username="demo", secret=secrets.token_urlsafe(16))
    async with simulated_pbx(clock, login) as pbx:
        settings = load(_write_settings(plan, pbx, login))
        log.info("demo_began", recordings=len(plan.tapes), speed=plan.speed, directory=str(plan.directory))
        async with asyncio.TaskGroup() as tasks:
            others = [tasks.create_task(_play(pbx, plan, stop)), tasks.create_task(_limit(plan.seconds, clock, stop))]
            await run(settings, stop=stop)
            for task in others:
                task.cancel()
    speak(settings.language)
    show(agents_table(await agents(settings, began, clock.now())))


async def _play(pbx: SimulatedPbx, plan: Plan, stop: asyncio.Event) -> None:
    await pbx.play(plan.tapes, speed=plan.speed, loop=not plan.once)
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


def _write_settings(plan: Plan, pbx: SimulatedPbx, login: Login) -> Path:
    """The settings as an operator would write them, for that PBX and a database of its own."""
    plan.directory.mkdir(parents=True, exist_ok=True)
    path = plan.directory / "pbxmonitor.toml"
    lengths = {name: getattr(Policy(), name).total_seconds() / plan.speed for name in _SCALED}
    text = _SETTINGS.format(
        directory=plan.directory.resolve(),
        policy="\n".join(f"{name} = {seconds:g}" for name, seconds in lengths.items()),
        node=NODE,
        ami_port=pbx.ami.port,
        ari_url=pbx.ari.url,
        username=login.username,
        secret=login.secret,
    )
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pbxmonitor.simulator.demo", description=__doc__)
    parser.add_argument("tapes", nargs="*", type=Path, metavar="TAPE", help="recordings to play instead of the bundled")
    parser.add_argument("--speed", type=_positive, default=1.0, help="times as fast as recorded (default 1)")
    parser.add_argument("--seconds", type=_positive, help="end after so many seconds (default: at Ctrl-C)")
    parser.add_argument("--once", action="store_true", help="end when every recording has been played once")
    parser.add_argument("--directory", type=Path, help="keep settings and database here (default: thrown away)")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
