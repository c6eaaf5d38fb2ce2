"""Recordings for tests: each story alone in department 1, the bytes a monitor would hear, the PBX's own diaries."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.rig.plan import NotHere, plan
from tests.rig.process import running
from tests.rig.rig import LOGS, Rig, connect, start
from tests.rig.scenarios import STORIES, Story
from tests.rig.stage import Staged, play
from tests.rig.tap import Tap
from tests.rig.truth import UNTOLD


async def record(folder: Path, version: str, names: Sequence[str]) -> None:
    """Stage the named stories (or all) one by one; keep NAME.ami, .ami.times, .queue_log, .cdr.csv, .cel.csv, .json."""
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
    tape = folder / f"{story.name}.ami"
    async with Tap(rig.plan.pbx_ami, "recorder", rig.plan.rig_secret, tape):
        staged = await play(rig, story, "1")
        await rig.quiet()
    for kind, size in before.items():
        text = rig.log(kind).read_bytes()[size:] if rig.log(kind).exists() else b""
        (folder / f"{story.name}.{kind}").write_bytes(text)
    (folder / f"{story.name}.json").write_text(json.dumps(_told(staged), ensure_ascii=False, indent=1) + "\n")
    print(f"{story.name}: {tape.read_bytes().count(b'Event: ')} events, {staged.error or 'staged'}", flush=True)


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


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
