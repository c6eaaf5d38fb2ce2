"""The clinic in the evening rush: the daemon as its own process beside a simulated PBX that has told the day so far."""

import asyncio
import re
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from itertools import takewhile
from pathlib import Path
from threading import Condition, Thread
from typing import Any, Final, TypeVar

from pbxmonitor.clock import SystemClock
from pbxmonitor.simulator.clinic import Day, lists, plan_day, recorded
from pbxmonitor.simulator.clinic.cast import PEOPLE
from pbxmonitor.simulator.clinic.script import Inbound, Ring, RingEnd
from pbxmonitor.simulator.pbx import Login, SimulatedPbx, simulated_pbx
from pbxmonitor.simulator.shift import Shift

T = TypeVar("T")
NODE: Final = "clinic"
PATIENCE_S: Final = 60.0
# A Tuesday on which Anna works. At that second she is in DND while a client waits, a phone rings and two people talk.
DAY: Final = plan_day(date(2026, 11, 24))
MOMENT_S: Final = 65_276
MOMENT: Final = DAY.midnight.timestamp() + MOMENT_S
# Who is free at that moment.
ANSWERS, MISSES = "104", "106"
LOGIN: Final = Login(username="clinic", secret="of-the-simulated-pbx")
_CHANNEL: Final = re.compile(rb"^Event: (Newchannel|Hangup)\r$.*?^Linkedid: ([\d.]+)", re.MULTILINE | re.DOTALL)
_SETTINGS: Final = """\
language = "ru"
timezone = "{zone}"

[database]
url = "sqlite:///{folder}/clinic.sqlite3"
spool = "{folder}/spool"

[policy]
min_ring = "1 s"
short_abandon = "1 s"
short_hangup = "3 s"
callback_norm = "10 min"

[log]
format = "json"

[web]
port = {port}

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

[people.lena]
name = "Елена Смирнова"
role = "supervisor"

[teams.desk]
name = "Регистратура"
people = ["101", "102", "103", "104", "105"]
supervisors = ["lena"]

[teams.phones]
name = "Запись по телефону"
people = ["106", "107", "108", "109", "110"]
""" + "".join(
    f'\n[people.{extension}]\nname = "{person.name}"\ndevices = ["PJSIP/{extension}"]\n'
    for extension, person in PEOPLE.items()
)


class Background:
    """A loop in a thread of its own: the tests themselves wait for the browser."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What that gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(self._patience_s)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Daemon:
    """`pbxmonitor run` with that settings file; what it logs can be waited for."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "pbxmonitor", "--config", str(config), "run"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._more = Condition()
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._more:
                self.lines.append(line)
                self._more.notify_all()

    def logs(self, event: str, times: int = 1) -> None:
        """Wait until it has logged that so often."""

        def done() -> bool:
            return sum(f'"{event}"' in line for line in self.lines) >= times or self._process.poll() is not None

        with self._more:
            if not self._more.wait_for(done, PATIENCE_S) or self._process.poll() is not None:
                raise RuntimeError(f"the daemon did not log {event} {times} times: {''.join(self.lines[-20:])}")

    def close(self) -> None:
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(15)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reading.join()
        assert self._process.stderr is not None
        self._process.stderr.close()


class Clinic:
    """The whole of it: `url` of the pages, `config` of the daemon, `play` for what happens next."""

    def __init__(self, pbx: SimulatedPbx, background: Background, folder: Path) -> None:
        self._pbx, self._background = pbx, background
        self.folder, self.config = folder, folder / "pbxmonitor.toml"
        self.url: str = f"http://127.0.0.1:{(port := free_port())}"
        self.config.touch(mode=0o600)
        self.config.write_text(
            _SETTINGS.format(
                zone=zone_of_the_evening(datetime.now(UTC).hour),
                folder=folder,
                port=port,
                node=NODE,
                ami_port=pbx.ami.port,
                ari_url=pbx.ari.url,
                username=LOGIN.username,
                secret=LOGIN.secret,
            ),
            "utf-8",
        )
        self._playings = 0

    @contextmanager
    def running(self) -> Iterator["Clinic"]:
        """With the daemon, which has heard the day up to this moment."""
        self._pbx.board.begin(lists())
        self.daemon = Daemon(self.config)
        try:
            self.daemon.logs("ami_link_up")
            self.daemon.logs("agent_state", len(PEOPLE))  # its first look at the PBX is over
            began, ended = self._background.run(self._tell_the_day())
            self.daemon.logs("call_began", began)
            self.daemon.logs("call_ended", ended)
            yield self
        finally:
            self.daemon.close()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Without the daemon, which comes again afterwards."""
        self.daemon.close()
        yield
        self.daemon = Daemon(self.config)
        self.daemon.logs("ami_link_up")

    async def _tell_the_day(self) -> tuple[int, int]:
        """All of it in one breath, ending now; how many calls began, and how many of them are over."""
        shift = Shift(began=MOMENT, start=self._pbx.clock.now().timestamp())
        born: Counter[bytes] = Counter()
        gone: Counter[bytes] = Counter()
        for _, raw in takewhile(lambda event: event[0] <= MOMENT, recorded(DAY).events):
            if found := _CHANNEL.search(raw):
                (born if found[1] == b"Newchannel" else gone)[found[2]] += 1
            told = shift(raw)
            self._pbx.ari.tell(self._pbx.board.take(told))
            await self._pbx.ami.tell(told)
        return len(born), sum(born[call] == gone[call] for call in born)

    def play(self, *calls: Inbound) -> None:
        """Those calls happen, from now on and as long as they last; returns when the last event has been told."""
        self._playings += 1
        self._background.run(self._play(Day(date=DAY.date, inbound=calls), self._playings))

    async def _play(self, day: Day, playing: int) -> None:
        events = recorded(day).events
        shift = Shift(began=events[0][0], start=self._pbx.clock.now().timestamp(), playing=playing)
        for at, raw in events:
            await self._pbx.clock.sleep(max(shift.moment(at) - self._pbx.clock.now().timestamp(), 0))
            told = shift(raw)
            self._pbx.ari.tell(self._pbx.board.take(told))
            await self._pbx.ami.tell(told)

    def start(self, *calls: Inbound) -> Callable[[], None]:
        """The same beside what the test does; what is returned waits for the end."""
        thread = Thread(target=self.play, args=calls)
        thread.start()
        return thread.join

    def background(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something that must be awaited."""
        return self._background.run(work)

    def pbxmonitor(self, *arguments: str) -> str:
        """What a command prints."""
        command = [sys.executable, "-m", "pbxmonitor", "--config", str(self.config), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout


@contextmanager
def clinic_in(folder: Path) -> Iterator[Clinic]:
    """The clinic, its settings and its rows in that folder."""
    background = Background()
    around = simulated_pbx(SystemClock(), LOGIN)
    pbx = background.run(around.__aenter__())
    try:
        with Clinic(pbx, background, folder).running() as clinic:
            yield clinic
    finally:
        background.run(around.__aexit__(None, None, None))
        background.close()


def answered(number: str, agent: str = ANSWERS, rings_s: float = 1.5, talks_s: float = 2.0) -> Inbound:
    """A client who is talked to."""
    ring = Ring(agent=agent, after_s=0.2, lasts_s=rings_s, end=RingEnd.ANSWERED)
    return Inbound(at=40_000.0, number=number, line="74951200305", wait_s=rings_s + 0.2, rings=(ring,), talk_s=talks_s)


def missed(number: str, agent: str = MISSES, rings_s: float = 2.5) -> Inbound:
    """A client whom nobody answers."""
    ring = Ring(agent=agent, after_s=0.2, lasts_s=rings_s, end=RingEnd.GAVE_UP)
    return Inbound(at=40_000.0, number=number, line="74951200305", wait_s=rings_s + 0.2, rings=(ring,))


def zone_of_the_evening(hour: int) -> str:
    """A time zone in which it is about 18:00 while it is `hour` in UTC: the day so far is one day there too."""
    east = 18 - hour if hour >= 4 else -6 - hour
    return f"Etc/GMT{-east:+d}" if east else "Etc/GMT"


def free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        found: int = tried.getsockname()[1]
        return found
