"""The live tests: what was selected is staged once, both versions at once, and each test looks at its own story."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import NoReturn

import pytest

from tests.conftest import EXCUSED
from tests.rig.build import build
from tests.rig.performance import Performance, play_through
from tests.rig.plan import VERSIONS, NotHere, Plan
from tests.rig.scenarios import STORIES, Story

Shown = Callable[[str], Performance]


@pytest.fixture(scope="session")
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Give the performance of a version: of every story that this session will look at."""
    wanted = _wanted(request.session.items)
    running: dict[str, Future[Performance]] = {}
    with ThreadPoolExecutor(len(VERSIONS)) as stages:
        built = {version: stages.submit(build, version, "test") for version in wanted}
        wait(built.values())  # beside a build nobody on the stage would keep time
        for version, names in wanted.items():
            folder: Path = tmp_path_factory.mktemp(f"asterisk-{version}-")
            stories = [STORIES[name] for name in sorted(names)]
            running[version] = stages.submit(_play, built[version], stories, folder)

    def performance(version: str) -> Performance:
        try:
            return running[version].result()
        except NotHere as reason:
            go_without(str(reason), ci=os.environ.get("CI") == "true")

    return performance


def _play(built: Future[Plan], stories: Sequence[Story], folder: Path) -> Performance:
    return play_through(built.result().version, stories, folder)


def go_without(reason: str, *, ci: bool) -> NoReturn:
    """Skip what needs the rig; in CI only a suite that left Debian's mirror may be skipped, all else fails."""
    if ci and EXCUSED not in reason:
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def _wanted(items: list[pytest.Item]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "version" in parameters and "shown" in getattr(item, "fixturenames", ()):
            names = wanted.setdefault(parameters["version"], set())
            names |= {parameters["name"]} & STORIES.keys() if "name" in parameters else set()
    return wanted
