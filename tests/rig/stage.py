"""Stories staged side by side, one per department, the longest first."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.rig.plan import DEPARTMENTS, NotHere
from tests.rig.rig import Rig
from tests.rig.scenarios import Story
from tests.rig.truth import Truth
from tests.rig.wire import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What came of a story: its truth, or the error that broke its staging; when, and in which department."""

    story: Story
    department: str
    began: datetime
    ended: datetime
    truth: Truth | None
    error: Exception | None


async def play(rig: Rig, story: Story, department: str) -> Staged:
    """Stage one story in one department and leave it clean."""
    desk, began = rig.desk(department), datetime.now(UTC)
    truth, error = None, None
    try:
        await desk.clear()
        truth = await story.play(desk)
    except (OSError, RuntimeError, TimeoutError, Refused, NotHere) as broken:
        error = broken
    await desk.clear()
    return Staged(story=story, department=department, began=began, ended=datetime.now(UTC), truth=truth, error=error)


async def stage(rig: Rig, stories: Iterable[Story]) -> dict[str, Staged]:
    """Stage the stories in all departments at once; the outcome of each by its name."""
    waiting = sorted(stories, key=lambda story: story.seconds)
    done: dict[str, Staged] = {}

    async def work(department: str) -> None:
        while waiting:
            story = waiting.pop()
            done[story.name] = await play(rig, story, department)

    async with asyncio.TaskGroup() as departments:
        for department in DEPARTMENTS:
            departments.create_task(work(department))
    return done
