"""The clinic's month, its settings and its bytes, made once."""

from pathlib import Path

import pytest

from pbxmonitor.settings import Settings, load
from pbxmonitor.simulator.clinic import SETTINGS, Day, Month, plan, stream

NODE = "clinic"


@pytest.fixture(scope="session")
def month() -> Month:
    return plan(2026, 10)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    path = tmp_path_factory.mktemp("settings") / "pbxmonitor.toml"
    path.write_text(SETTINGS, "utf-8")
    return load(path)


@pytest.fixture(scope="session")
def tape(month: Month, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(month, tmp_path_factory.mktemp("tape"))


def written(script: Month | Day, folder: Path) -> Path:
    path = folder / "clinic.ami"
    with path.open("wb") as file:
        file.writelines(stream(script))
    return path
