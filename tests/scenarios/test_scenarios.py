"""Every recording of a real Asterisk, replayed, says what its reviewed `.expected.json` says, in every field."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay

HERE = Path(__file__).parent
TAPES = sorted(HERE.glob("*/*.ami"))
# Asterisk tells one moment in several events, milliseconds apart; which of them counts is nobody's business.
SAME_MOMENT = 0.05


def differences(expected: Any, got: Any, path: str = "") -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for key in sorted(expected.keys() | got.keys()):
            yield from differences(expected.get(key, "absent"), got.get(key, "absent"), f"{path}/{key}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for number, pair in enumerate(zip(expected, got, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif not same(expected, got):
        yield f"{path}: expected {expected!r}, got {got!r}"


def same(expected: Any, got: Any) -> bool:
    if isinstance(expected, bool) or isinstance(got, bool):
        return bool(expected is got)
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return abs(expected - got) <= SAME_MOMENT
    if isinstance(expected, str) and isinstance(got, str) and expected.endswith("Z") and got.endswith("Z"):
        return abs((datetime.fromisoformat(expected) - datetime.fromisoformat(got)).total_seconds()) <= SAME_MOMENT
    return bool(expected == got)


def test_the_recordings_are_here() -> None:
    assert len(TAPES) >= 50


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_a_recording_replayed_says_what_was_staged(tape: Path) -> None:
    expected = json.loads(tape.with_suffix(".expected.json").read_text())
    got = json.loads(json.dumps(replay([tape], Site(node="main"), Policy())))
    assert list(differences(expected, got)) == []


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_the_queue_log_knows_the_same_answers_and_rings(tape: Path) -> None:
    """Asterisk's own queue_log, written by other code than the events, is the second witness."""
    log = [line.split("|") for line in tape.with_suffix(".queue_log").read_text().splitlines()]
    calls = replay([tape], Site(node="main"), Policy())["calls"]
    connects = sum(line[4] == "CONNECT" for line in log)
    answered = sum(1 for call in calls for stage in call["stages"] if (stage["kind"], stage["result"]) == QUEUE_ANSWER)
    assert answered == connects
    abandons = sum(line[4] == "ABANDON" for line in log)
    assert sum(1 for call in calls for s in call["stages"] if s["result"] == "abandoned" and s["kind"] == "queue") == (
        abandons
    )


QUEUE_ANSWER = ("queue", "answered")
