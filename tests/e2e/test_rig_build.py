"""How the rig is had, or is not: these need no Asterisk."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.e2e.conftest import go_without
from tests.rig.build import alone
from tests.rig.plan import REPOSITORY

NO_UNSHARE = "the Asterisk rig needs unshare: apt-get install util-linux"
LEFT = "Debian bullseye (Asterisk 16) left the mirror http://deb.debian.org/debian; try: debootstrap"
ONE_TEST = "tests/e2e/test_scenarios.py::test_no_call_is_left_open_when_the_pbx_is_silent[22]"


def test_in_ci_a_rig_that_cannot_be_had_is_a_failure() -> None:
    with pytest.raises(pytest.fail.Exception, match="needs unshare"):
        go_without(NO_UNSHARE, ci=True)


def test_elsewhere_it_is_a_skip_with_the_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="needs unshare"):
        go_without(NO_UNSHARE, ci=False)


@pytest.mark.parametrize("ci", [True, False])
def test_a_suite_that_left_the_mirror_is_a_skip_everywhere(ci: bool) -> None:
    with pytest.raises(pytest.skip.Exception, match="left the mirror"):
        go_without(LEFT, ci=ci)


@pytest.mark.parametrize(("ci", "code", "word"), [("true", 1, "1 failed"), ("", 0, "1 skipped")])
def test_a_run_on_a_machine_without_a_rig_says_so(ci: str, code: int, word: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ONE_TEST]
    env = {**os.environ, "CI": ci, "PATH": "/nowhere"}
    done = subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, word in done.stdout) == (code, True), done.stdout
    assert "the Asterisk rig needs" in done.stdout


def test_who_comes_second_to_a_lock_waits_even_within_one_process(tmp_path: Path) -> None:
    order: list[str] = []

    def come(name: str) -> None:
        with alone(tmp_path / "lock"):
            order.append(name)

    with ThreadPoolExecutor(1) as other:
        with alone(tmp_path / "lock"):
            second = other.submit(come, "second")
            wait([second], timeout=0.2)
            order.append("first")
        second.result()
    assert order == ["first", "second"]
