"""Common to all tests: the log is left as it was, and in CI a missing service is a failure."""

import logging
import os
import sys
from collections.abc import Generator, Iterator

import pytest
import structlog

from pbxmonitor.logs import NOISY
from pbxmonitor.texts import speak, spoken

SERVICES = ("asterisk", "postgresql", "mariadb", "chromium")
# A suite that Debian's mirror no longer carries cannot be had by anybody: that skip stays one, with its reason.
EXCUSED = "left the mirror"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a test that skips for want of a service has failed."""
    report = yield
    needed = [name for name in SERVICES if item.get_closest_marker(name)]
    if os.environ.get("CI") == "true" and report.skipped and needed and EXCUSED not in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} needs {', '.join(needed)}: {report.longrepr}"
    return report


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """What the test does to the logging of the process ends with it."""
    root, hook = logging.getLogger(), sys.excepthook
    handlers, level = root.handlers[:], root.level
    noisy = {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    for name, before in noisy.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()


@pytest.fixture
def language_restored() -> Iterator[None]:
    """What the test says in another language, it alone says."""
    before = spoken()
    yield
    speak(before)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two processes share the suite file by file; what is staged on the real Asterisk stays with one of them."""
    for item in items:
        group = "asterisk" if item.get_closest_marker("asterisk") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
