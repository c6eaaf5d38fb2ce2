"""The live tests: what was selected is staged once, both versions at once, and each test looks at its own story."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rig.performance import Performance, play_through
from tests.rig.plan import VERSIONS, NotHere
from tests.rig.scenarios import STORIES

Shown = Callable[[str], Performance]


@pytest.fixture(scope="session")
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """Give the performance of a version: of every story that this session will look at."""
    wanted = _wanted(request.session.items)
    running: dict[str, Future[Performance]] = {}
    with ThreadPoolExecutor(len(VERSIONS)) as stages:
        for version, names in wanted.items():
            folder: Path = tmp_path_factory.mktemp(f"asterisk-{version}-")
            stories = [STORIES[name] for name in sorted(names)]
            running[version] = stages.submit(play_through, version, stories, folder)

    def performance(version: str) -> Performance:
        try:
            return running[version].result()
        except NotHere as reason:
            pytest.skip(str(reason))

    return performance


def _wanted(items: list[pytest.Item]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if "version" in parameters and "shown" in getattr(item, "fixturenames", ()):
            names = wanted.setdefault(parameters["version"], set())
            names |= {parameters["name"]} & STORIES.keys() if "name" in parameters else set()
    return wanted
