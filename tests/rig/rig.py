"""The rig in motion: two Asterisks of one version, and the hand that plays customers, phones and mobiles on them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.rig.build import build
from tests.rig.plan import DEPARTMENTS, PHONES_IN_DEPARTMENT, NotHere, Plan, extensions
from tests.rig.process import running, start_process, stop_process
from tests.rig.wire import Refused, Wire

LOGS = {"queue_log": "queue_log", "cdr.csv": "cdr-csv/Master.csv", "cel.csv": "cel-custom/Master.csv"}


class Rig:
    """A running rig. `start` makes one; every method may be used by several scenarios at once."""

    def __init__(self, plan: Plan, pbx: Wire, phones: Wire) -> None:
        self.plan, self.pbx, self.phones = plan, pbx, phones

    @property
    def version(self) -> str:
        """The major version: "22" or "16"."""
        return self.plan.version

    async def behave(self, who: str, what: str) -> None:
        """Tell a phone (101) or an outside number (+7...) how to take calls; docker/asterisk/etc/phones/extensions.conf lists the ways."""
        await self.phones.ask("DBPut", Family="beh", Key=who, Val=what)

    async def call(self, did: str, number: str, stay: float = 60, name: str = "", press: str = "") -> None:
        """A customer calls DID and stays so many seconds after the PBX answers (or rings so long unanswered)."""
        await self._originate(f"PJSIP/pbx/sip:{did}@127.0.0.1:{self.plan.pbx_sip}", f'"{name}" <{number}>', stay, stay, press)

    async def dial(self, agent: str, number: str, stay: float = 30, press: str = "") -> None:
        """A phone dials a number; it waits 40 s for an answer and hangs up so many seconds after it."""
        channel = f"PJSIP/phone{agent}/sip:{number}@127.0.0.1:{self.plan.pbx_sip}"
        await self._originate(channel, f"{agent} <{agent}>", stay, 40, press)

    async def try_dial(self, agent: str, number: str, patience: float, stay: float = 30) -> None:
        """A phone dials a number and gives up when nobody has answered within patience seconds."""
        channel = f"PJSIP/phone{agent}/sip:{number}@127.0.0.1:{self.plan.pbx_sip}"
        await self._originate(channel, f"{agent} <{agent}>", stay, patience, "")

    async def _originate(self, channel: str, caller: str, stay: float, patience: float, press: str) -> None:
        await self.phones.ask(
            "Originate",
            variables={"STAY_DTMF": press} if press else None,
            Channel=channel,
            CallerID=caller,
            Context="caller",
            Exten=f"{stay:g}" if "." in f"{stay:g}" else f"{int(stay):03d}",
            Priority="1",
            Timeout=str(int(patience * 1000)),
            Async="true",
        )

    async def cli(self, side: str, command: str) -> str:
        """What the console of "pbx" or "phones" answers."""
        return await (self.pbx if side == "pbx" else self.phones).command(command)

    async def unplug(self, agent: str) -> None:
        """The phone unregisters."""
        await self.phones.command(f"pjsip send unregister reg{agent}")

    async def plug(self, agent: str) -> None:
        """The phone registers again; returns when the PBX sees it."""
        await self.phones.command(f"pjsip send register reg{agent}")
        async with asyncio.timeout(20):
            while f"{agent}/sip:" not in await self.pbx.command("pjsip show contacts"):
                await asyncio.sleep(0.2)

    async def presence(self, agent: str, state: str) -> None:
        """Set the phone's presence from the server: "dnd,lunch,Обед" or "available"."""
        await self.pbx.ask("Setvar", Variable=f"PRESENCE_STATE(CustomPresence:{agent})", Value=state)

    async def pause(self, agent: str, paused: bool, reason: str = "", queue: str = "") -> None:
        """Pause or unpause a member by hand, in one queue or in all."""
        values = {"Interface": f"PJSIP/{agent}", "Paused": "true" if paused else "false"}
        values |= {"Reason": reason} if reason else {}
        values |= {"Queue": queue} if queue else {}
        await self.pbx.ask("QueuePause", **values)

    async def open_channels(self, words: tuple[str, ...] = ()) -> list[str]:
        """Names of open channels of the PBX, of those that mention one of the words if any are given."""
        shown = (await self.pbx.command("core show channels concise")).splitlines()
        return [line.split("!")[0] for line in shown if "!" in line and (not words or any(w in line for w in words))]

    async def quiet(self) -> None:
        """Hang everything up, reset every phone and wait until nothing is open and every phone is there."""
        for wire in (self.phones, self.pbx):
            with contextlib.suppress(Refused):
                await wire.ask("Hangup", Channel="/.*/")
        await self.phones.command("database deltree beh")
        async with asyncio.timeout(30):
            while await self.open_channels() or await self.phones_here() < len(extensions()):
                await asyncio.sleep(0.3)

    async def phones_here(self) -> int:
        """How many phones are registered and answer."""
        shown = await self.pbx.command("pjsip show contacts")
        return sum(" Avail " in line and "trunk" not in line for line in shown.splitlines())

    def log(self, kind: str) -> Path:
        """The PBX's own diary: kind is queue_log, cdr.csv or cel.csv."""
        return self.plan.folder("pbx") / "log" / LOGS[kind]

    def queue_log(self) -> list[str]:
        """The lines of queue_log."""
        return _lines(self.log("queue_log"))

    def cdr(self) -> list[str]:
        """The lines of the CDR."""
        return _lines(self.log("cdr.csv"))

    def desk(self, department: str) -> "Desk":
        """The hand that plays in one department only."""
        return Desk(self, department)


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


class Desk:
    """One department of six phones: desk(3) is its third phone, desk.line(5) its fifth number. Departments do not meet."""

    def __init__(self, rig: Rig, department: str) -> None:
        self.rig, self.department = rig, department
        self._customers = 0

    def __call__(self, phone: int) -> str:
        return f"{self.department}0{phone}"

    def line(self, number: int) -> str:
        """What a customer dials for line 1 to 14 of the department."""
        return f"{self.department}0{number:02d}"

    def queue(self, kind: str) -> str:
        """The department's own queue: sales -> sales1."""
        return f"{kind}{self.department}"

    @property
    def mobile(self) -> str:
        """The manager's mobile of the department."""
        return f"+7999000000{self.department}"

    async def behave(self, phone: int | str, what: str) -> None:
        """As Rig.behave; a phone by its place."""
        await self.rig.behave(self(phone) if isinstance(phone, int) else phone, what)

    async def call(self, line: int, number: str, stay: float = 60, name: str = "", press: str = "") -> None:
        """A customer calls a line of this department."""
        await self.rig.call(self.line(line), number, stay, name, press)

    async def dial(self, phone: int, number: str, stay: float = 30, press: str = "") -> None:
        """A phone of this department dials."""
        await self.rig.dial(self(phone), number, stay, press)

    async def clear(self) -> None:
        """Wait until no call of the department is open and put its phones back to ringing."""
        words = (*(self(n) for n in range(1, PHONES_IN_DEPARTMENT + 1)), *(self.line(n) for n in range(1, 15)))
        for n in range(1, PHONES_IN_DEPARTMENT + 1):
            await self.behave(n, "ring")
        async with asyncio.timeout(120):
            while await self.rig.open_channels(words):
                await asyncio.sleep(0.2)


def up(version: str) -> Plan:
    """Build if needed and start both Asterisks of a version in the background. Raises NotHere."""
    here = build(version)
    for side in ("pbx", "phones"):
        start_process(here, side)
    return here


def down(here: Plan) -> None:
    """Stop both Asterisks of a version, if they are ours and run."""
    for side in ("phones", "pbx"):
        stop_process(here, side)


@contextlib.asynccontextmanager
async def connect(here: Plan) -> AsyncIterator[Rig]:
    """A hand on a rig that runs; returns when every phone is registered (at most 60 s)."""
    if not all(running(here, side) for side in ("pbx", "phones")):
        raise NotHere(f"the rig of Asterisk {here.version} does not run: python -m tests.rig up {here.version}")
    async with await _wire(here.pbx_ami, here) as pbx, await _wire(here.phones_ami, here) as phones:
        rig = Rig(here, pbx, phones)
        await _all_phones(rig)
        yield rig


@contextlib.asynccontextmanager
async def start(version: str) -> AsyncIterator[Rig]:
    """A fresh rig for as long as the block lasts."""
    here = await asyncio.to_thread(up, version)
    try:
        async with connect(here) as rig:
            yield rig
    finally:
        await asyncio.to_thread(down, here)


async def _wire(port: int, here: Plan) -> Wire:
    async with asyncio.timeout(60):
        while True:
            wire = Wire(port, here.rig_secret)
            try:
                await wire.open()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.3)
            else:
                return wire


async def _all_phones(rig: Rig) -> None:
    try:
        async with asyncio.timeout(60):
            while await rig.phones_here() < len(extensions()):
                await asyncio.sleep(0.3)
    except TimeoutError:
        raise NotHere(f"of {len(extensions())} phones {await rig.phones_here()} registered; see {rig.plan.folder('phones')}/log/full") from None


__all__ = ["DEPARTMENTS", "Desk", "Rig", "connect", "down", "start", "up"]
