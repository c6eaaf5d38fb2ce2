"""Recordings for tests: each story alone in department 1, the bytes a monitor would hear, the PBX's own diaries."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.rig.phones import stretches
from tests.rig.plan import NotHere, plan
from tests.rig.process import running
from tests.rig.rig import LOGS, Rig, connect, start
from tests.rig.scenarios import STORIES, Story
from tests.rig.sipp import stretches as sipp_stretches
from tests.rig.stage import Staged, play
from tests.rig.tap import Tap
from tests.rig.truth import UNTOLD


async def record(folder: Path, version: str, names: Sequence[str]) -> None:
    """Stage the named stories (or all) one by one, and keep what was heard and written of each.

    NAME.ami and .ami.times (what the program's own account hears, filters and all), .queue_log, .cdr.csv, .cel.csv,
    .json (the story and its truth) and .phones.json (what the phones themselves saw).
    """
    unknown = [name for name in names if name not in STORIES]
    if unknown:
        raise NotHere(f"no such story: {', '.join(unknown)}; there are {', '.join(STORIES)}")
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    here = plan(version)
    async with connect(here) if running(here, "pbx") else start(version) as rig:
        for name in names or STORIES:
            await _keep(rig, STORIES[name], folder)


async def _keep(rig: Rig, story: Story, folder: Path) -> None:
    await rig.quiet()
    before = {kind: _size(rig.log(kind)) for kind in LOGS}
    seen, tape = _size(rig.phones_saw), folder / f"{story.name}.ami"
    for old in (tape, tape.with_name(tape.name + ".times")):
        old.unlink(missing_ok=True)
    staged = await _heard(rig, story, tape)
    await rig.quiet()
    for kind, size in before.items():
        (folder / f"{story.name}.{kind}").write_bytes(_since(rig.log(kind), size))
    phones = stretches(_since(rig.phones_saw, seen).decode().splitlines()) + _strangers(rig, staged)
    (folder / f"{story.name}.phones.json").write_text("[\n" + ",\n".join(map(json.dumps, phones)) + "\n]\n")
    (folder / f"{story.name}.json").write_text(json.dumps(_told(staged), ensure_ascii=False, indent=1) + "\n")
    print(f"{story.name}: {tape.read_bytes().count(b'Event: ')} events, {staged.error or 'staged'}", flush=True)


async def _heard(rig: Rig, story: Story, tape: Path) -> Staged:
    """The story played within hearing: of all of it, or of its stretches only, each a connection of its own."""
    time = asyncio.get_running_loop().time
    if not story.heard:
        async with _tap(rig, tape):
            return await play(rig, story, "1")
    begun, playing = time(), asyncio.ensure_future(play(rig, story, "1"))
    for begin, end in story.heard:
        await asyncio.wait({playing}, timeout=begin - (time() - begun))
        async with _tap(rig, tape):
            await asyncio.wait({playing}, timeout=end - (time() - begun))
    return await playing


def _tap(rig: Rig, tape: Path) -> Tap:
    return Tap(rig.plan.pbx_ami, "pbxmonitor", rig.plan.secret, tape)


def _strangers(rig: Rig, staged: Staged) -> list[dict[str, Any]]:
    """What SIPp saw in the place of the seventh phone."""
    logs = (rig.plan.folder("phones") / "log/sipp").glob("1-*.csv")
    mine = [log.read_text().splitlines() for log in logs if log.stat().st_mtime >= staged.began.timestamp()]
    return [seen for log in mine for seen in sipp_stretches(log, "107")]


def _told(staged: Staged) -> dict[str, Any]:
    return {
        "name": staged.story.name,
        "scenario": staged.story.told,
        "began": staged.began.timestamp(),
        "ended": staged.ended.timestamp(),
        "error": str(staged.error) if staged.error else None,
        "truth": _plain(asdict(staged.truth)) if staged.truth else None,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items() if part is not UNTOLD}
    if isinstance(value, frozenset):
        return sorted(value)
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _since(path: Path, size: int) -> bytes:
    return path.read_bytes()[size:] if path.exists() else b""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
