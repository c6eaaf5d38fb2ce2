"""SIPp (Debian's sip-tester) in the place of a phone or a provider, for what an Asterisk in their place cannot do."""

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.rig.build import APT_LOCK, alone, apt
from tests.rig.plan import NotHere, Plan

SCENARIOS = Path(__file__).parent
TWINS = {path.stem for path in SCENARIOS.glob("*_twin.xml")}
PATIENCE_S = 90
AFTERWARDS_S = 10
# From the port that SIPp listens on to its others: a phone's second line, how the two lines talk, who calls, sound.
SECOND_LINE, BETWEEN, CALLING, MEDIA = 2000, 2010, 2020, 4000


def installed() -> str:
    """Where SIPp is; installs it once, as root on Debian. Raises NotHere."""
    with alone(APT_LOCK):
        if shutil.which("sipp") is None:
            apt("update")
            apt("install", "-y", "--no-install-recommends", "sip-tester")
    found = shutil.which("sipp")
    if found is None:
        raise NotHere("these stories need SIPp: apt-get install sip-tester")
    return found


@asynccontextmanager
async def sipp(
    plan: Plan, place: str, name: str, words: Mapping[str, str], line: str = "", stay: float = 0
) -> AsyncIterator[None]:
    """Play NAME.xml for one call: as the seventh phone of department `place`, or as a customer who calls its `line`.

    `stay` is its <pause/>, in seconds; `words` those in its [brackets]; NAME_twin.xml plays the phone's second line.
    Raises RuntimeError when the call did not go as it says.
    """
    program, folder = await asyncio.to_thread(installed), plan.folder("phones") / "log/sipp"
    port, media = plan.sipp_port(place), plan.sipp + MEDIA + 8 * int(place)
    if line:
        port, media = port + CALLING, media + 1000
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    pbx = f"127.0.0.1:{plan.pbx_sip}"
    words = {"pbx": pbx, "me": f"{place}07", **words}
    calls = ["-d", str(int(stay * 1000)), "-s", line, pbx] if line else []
    commands = [_options(name, folder / f"{place}-{name}", port, media, words) + calls]
    twin = f"{name}_twin"
    if twin in TWINS:
        other = [*_options(twin, folder / f"{place}-{twin}", port + SECOND_LINE, media + 4, words), pbx]
        between = ["-3pcc", f"127.0.0.1:{port + BETWEEN}"]
        commands = [other + between, commands[0] + between]
    playing: list[Process] = []
    try:
        for options in commands:
            playing.append(await _start(program, options, folder))  # noqa: PERF401 - each ends, however the next begins
        yield
        await _ended(name, playing[-1], folder / f"{place}-{name}.err")
    finally:
        for process in playing:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _options(name: str, log: Path, port: int, media: int, words: Mapping[str, str]) -> list[str]:
    options = ["-sf", str(SCENARIOS / f"{name}.xml"), "-m", "1", "-nostdin", "-timeout", f"{PATIENCE_S}s"]
    # what comes while it sends is dropped, and comes again
    options += ["-default_behaviors", "all,-abortunexp"]
    options += ["-i", "127.0.0.1", "-p", str(port), "-mp", str(media)]
    options += ["-trace_shortmsg", "-shortmessage_file", f"{log}.csv", "-shortmessage_overwrite", "true"]
    options += ["-trace_err", "-error_file", f"{log}.err", "-error_overwrite", "true"]
    return options + [part for word, value in words.items() for part in ("-key", word, value)]


async def _start(program: str, options: Sequence[str], folder: Path) -> Process:
    process = await asyncio.create_subprocess_exec(program, *options, cwd=folder, stdout=DEVNULL, stderr=DEVNULL)
    await asyncio.sleep(0.3)  # it says nothing when it listens
    return process


async def _ended(name: str, process: Process, errors: Path) -> None:
    try:
        code = await asyncio.wait_for(process.wait(), AFTERWARDS_S)
    except TimeoutError:
        raise RuntimeError(f"SIPp still plays {name}; see {errors.with_suffix('.csv')}") from None
    if code:
        raise RuntimeError(f"SIPp ended {name} with {code}; see {errors}")


def stretches(log: Iterable[str], phone: str) -> list[dict[str, Any]]:
    """When that phone was on the line, from SIPp's short messages: its own 200 and the BYE, epoch seconds."""
    seen: dict[str, dict[str, Any]] = {}
    for line in log:
        _, _, at, way, call, number, said = [*line.split("\t"), "", "", "", "", "", ""][:7]
        if way == "S" and said.startswith("SIP/2.0 200") and number.endswith("INVITE"):
            seen.setdefault(call, {"phone": phone, "calls": False, "answered_at": float(at)})
        elif call in seen and (said.startswith("BYE") or (said.startswith("SIP/2.0 200") and number.endswith("BYE"))):
            seen[call]["ended_at"] = float(at)
    return [each for each in seen.values() if "ended_at" in each]
