"""The rig in motion: two Asterisks of one version, and the hand that plays customers, phones and mobiles on them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from itertools import count
from pathlib import Path

import httpx

from tests.rig.build import alone, build
from tests.rig.buttons import Buttons
from tests.rig.desk import Desk, until
from tests.rig.members import Members, moved, renamed, struck, untouched
from tests.rig.plan import HOME, LAB, NotHere, Plan, extensions
from tests.rig.process import running, start_process, stop_process
from tests.rig.sipp import sipp
from tests.rig.wire import Refused, Wire

LOGS = {"queue_log": "queue_log", "cdr.csv": "cdr-csv/Master.csv", "cel.csv": "cel-custom/Master.csv"}


class Rig:
    """A running rig. `start` makes one; every method may be used by several scenarios at once."""

    def __init__(self, plan: Plan, pbx: Wire, phones: Wire) -> None:
        self.plan, self.pbx, self.phones = plan, pbx, phones
        self._members = Members(plan.folder("pbx") / "etc/queues.conf", pbx)
        self._numbers = count(100001)

    @property
    def version(self) -> str:
        """The major version: "22" or "16"."""
        return self.plan.version

    async def behave(self, who: str, what: str) -> None:
        """Tell a phone (101) or an outside number (+7...) how to take calls (see the phones' extensions.conf)."""
        await self.phones.ask("DBPut", Family="beh", Key=who, Val=what)

    async def call(
        self,
        did: str,
        number: str,
        stay: float = 60,
        name: str = "",
        press: str = "",
        patience: float | None = None,
    ) -> None:
        """A customer calls DID and stays so many seconds after the PBX answers; unanswered, `patience` (as long)."""
        channel = f"PJSIP/pbx/sip:{did}@127.0.0.1:{self.plan.pbx_sip}"
        await self._originate(channel, f'"{name}" <{number}>', stay, stay if patience is None else patience, press)

    async def dial(self, agent: str, number: str, stay: float = 30, patience: float = 40, press: str = "") -> None:
        """A phone dials a number; it waits so long for an answer and hangs up so many seconds after it."""
        channel = f"PJSIP/phone{agent}/sip:{number}@127.0.0.1:{self.plan.pbx_sip}"
        await self._originate(channel, f"{agent} <{agent}>", stay, patience, press)

    async def _originate(self, channel: str, caller: str, stay: float, patience: float, press: str = "") -> None:
        await self.phones.ask(
            "Originate",
            Variable=[f"STAY_DTMF={press}"] if press else [],
            Channel=channel,
            CallerID=caller,
            Context="caller",
            Exten=f"{stay:g}" if "." in f"{stay:g}" else f"{int(stay):03d}",
            Priority="1",
            Timeout=str(int(patience * 1000)),
            Async="true",
        )

    async def originate(self, channel: str, caller: str, exten: str, context: str, patience: float = 15) -> None:
        """The PBX itself calls somebody, over AMI, and leads who answers to an extension, shown as `caller`."""
        await self.pbx.ask(
            "Originate",
            Channel=channel,
            CallerID=caller,
            Exten=exten,
            Context=context,
            Priority="1",
            Timeout=str(int(patience * 1000)),
            Async="true",
        )

    def sipp(
        self, place: str, name: str, words: Mapping[str, str], line: str = "", stay: float = 0
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """SIPp for one call: as a department's seventh phone, or as who calls its line through the second provider."""
        return sipp(self.plan, place, name, words, line, stay)

    async def black_list(self, number: str) -> None:
        """The dialplan turns that caller away from now on (line 32)."""
        await self.pbx.ask("DBPut", Family="blacklist", Key=number, Val="1")

    async def cli(self, side: str, command: str) -> str:
        """What the console of "pbx" or "phones" answers."""
        return await (self.pbx if side == "pbx" else self.phones).command(command)

    async def unplug(self, agent: str) -> None:
        """The phone unregisters."""
        await self.phones.command(f"pjsip send unregister reg{agent}")

    async def plug(self, agent: str) -> None:
        """The phone registers again; returns when the PBX sees it."""
        await self.phones.command(f"pjsip send register reg{agent}")
        await until(lambda: self.registered(agent), 20, f"phone {agent} to register")

    async def registered(self, agent: str) -> bool:
        """Whether the PBX knows where the phone is."""
        return f"{agent}/sip:" in await self.pbx.command("pjsip show contacts")

    async def presence(self, agent: str, state: str) -> None:
        """Set the phone's presence from the server: "dnd,lunch,Обед" or "available"."""
        await self.pbx.ask("Setvar", Variable=f"PRESENCE_STATE(CustomPresence:{agent})", Value=state)

    async def pause(self, agent: str, paused: bool, reason: str = "", queue: str = "") -> None:
        """Pause or unpause a member by hand, in one queue or in all."""
        more: dict[str, str | list[str]] = {
            name: value for name, value in (("Reason", reason), ("Queue", queue)) if value
        }
        await self.pbx.ask("QueuePause", Interface=f"PJSIP/{agent}", Paused=str(paused).lower(), **more)

    async def open_channels(self, words: tuple[str, ...] = ()) -> list[str]:
        """Names of open channels of the PBX, of those whose line mentions one of the words if any are given."""
        shown = [line for line in (await self.pbx.command("core show channels concise")).splitlines() if "!" in line]
        return [line.split("!")[0] for line in shown if not words or any(word in line for word in words)]

    async def ringing(self, agent: str) -> bool:
        """Whether the phone rings now."""
        shown = (await self.pbx.command("core show channels concise")).splitlines()
        fields = [line.split("!") for line in shown if line.startswith(f"PJSIP/{agent}-")]
        return any(len(field) > 4 and field[4] == "Ringing" for field in fields)

    async def join(self, queue: str, agent: str) -> None:
        """The phone becomes a member of the queue, as if it had logged in."""
        await self.pbx.ask("QueueAdd", Queue=queue, Interface=f"PJSIP/{agent}", MemberName=agent)

    async def leave(self, queue: str, agent: str) -> None:
        """The phone is no member of the queue any longer, as if it had logged off."""
        await self.pbx.ask("QueueRemove", Queue=queue, Interface=f"PJSIP/{agent}")

    async def strike_member(self, queue: str, agent: str) -> None:
        """Take a member out of queues.conf and reload the queue; Asterisk sends no event for it."""
        await self._members.edit(queue, struck(agent))

    async def rename_member(self, queue: str, agent: str, name: str) -> None:
        """Give a member another name in queues.conf and reload the queue."""
        await self._members.edit(queue, renamed(agent, name))

    async def move_member(self, queue: str, agent: str, other: str) -> None:
        """Give a member another phone in queues.conf and reload the queue."""
        await self._members.edit(queue, moved(agent, other))

    async def restore_members(self, queue: str) -> None:
        """Give the queue the members back as they were."""
        await self._members.edit(queue, untouched)

    async def click(self, agent: str, number: str) -> None:
        """Click-to-call over ARI, as a CRM does it: the phone rings first, the dialplan dials the number for it."""
        channel = {"endpoint": f"PJSIP/{agent}", "context": "from-internal", "extension": number, "priority": 1}
        login = ("pbxmonitor", self.plan.ari_secret)
        async with httpx.AsyncClient(auth=login, trust_env=False) as http:
            url = f"http://127.0.0.1:{self.plan.pbx_ari}/ari/channels"
            (await http.post(url, json=channel)).raise_for_status()

    def buttons(self) -> Buttons:
        """Somebody who presses the hold button of the phones that are told to hold."""
        return Buttons(self.plan)

    async def quiet(self) -> None:
        """Hang everything up, reset every phone and wait until nothing is open and every phone is there."""
        for wire in (self.phones, self.pbx):
            with contextlib.suppress(Refused):
                await wire.ask("Hangup", Channel="/.*/")
        await self.phones.command("database deltree beh")
        await until(self._still, 30, "every call to end and every phone to be there")

    async def _still(self) -> bool:
        return not await self.open_channels() and await self.all_phones_here()

    async def all_phones_here(self) -> bool:
        """Whether every phone is registered and answers."""
        return await self.phones_here() >= len(extensions())

    async def phones_here(self) -> int:
        """How many phones are registered and answer."""
        shown = await self.pbx.command("pjsip show contacts")
        return sum(" Avail " in line and "trunk" not in line for line in shown.splitlines())

    def log(self, kind: str) -> Path:
        """The PBX's own diary: kind is queue_log, cdr.csv or cel.csv."""
        return self.plan.folder("pbx") / "log" / LOGS[kind]

    @property
    def phones_saw(self) -> Path:
        """The phones' own diary: when each was on the line (tests.rig.phones)."""
        return self.plan.folder("phones") / "log/cel-custom/Master.csv"

    def queue_log(self) -> list[str]:
        """The lines of queue_log."""
        return _lines(self.log("queue_log"))

    def cdr(self) -> list[str]:
        """The lines of the CDR."""
        return _lines(self.log("cdr.csv"))

    def desk(self, department: str) -> Desk:
        """The hand that plays in one department only."""
        return Desk(self, department)

    def new_number(self, department: str) -> str:
        """A customer's number that was not used on this rig before: +7 916 D NNNNNN."""
        return f"+7916{department}{next(self._numbers):06d}"


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def up(version: str, instance: str = LAB) -> Plan:
    """Build if needed and start both Asterisks of a version in the background. Raises NotHere."""
    here = build(version, instance)
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
    """A fresh rig of the tests for as long as the block lasts; who comes second waits. Raises NotHere."""
    await asyncio.to_thread(build, version)
    with alone(HOME / f"{version}.test.lock"):
        async with _started(version) as rig:
            yield rig


@contextlib.asynccontextmanager
async def _started(version: str) -> AsyncIterator[Rig]:
    here = await asyncio.to_thread(up, version, "test")
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
    await rig.cli("pbx", "core waitfullybooted")
    try:
        await until(rig.all_phones_here, 60, "every phone to register")
    except TimeoutError:
        here, log = await rig.phones_here(), rig.plan.folder("phones") / "log/full"
        raise NotHere(f"of {len(extensions())} phones {here} registered; see {log}") from None


__all__ = ["Desk", "Rig", "connect", "down", "start", "up"]
