"""Every recording of a real Asterisk, replayed, says what its reviewed `.expected.json` says, in every field."""

import json
from pathlib import Path

import pytest

from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay
from tests.recorded import differences

HERE = Path(__file__).parent
TAPES = sorted(HERE.glob("*/*.ami"))
# Of those with receipt times beside them only stretches were heard: the queue_log knows more than they do.
WHOLE = [tape for tape in TAPES if not tape.with_name(tape.name + ".times").exists()]


def test_the_recordings_are_here() -> None:
    assert len(TAPES) >= 50


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_a_recording_replayed_says_what_was_staged(tape: Path) -> None:
    expected = json.loads(tape.with_suffix(".expected.json").read_text())
    got = json.loads(json.dumps(replay([tape], Site(node="main"), Policy())))
    assert list(differences(expected, got)) == []


@pytest.mark.parametrize("tape", WHOLE, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_the_queue_log_knows_the_same_answers_and_rings(tape: Path) -> None:
    """Asterisk's own queue_log, written by other code than the events, is the second witness."""
    calls = replay([tape], Site(node="main"), Policy())["calls"]
    log = [line.split("|") for line in tape.with_suffix(".queue_log").read_text().splitlines()]
    # a queue that an agent asks is not where the caller waits
    asked = {line[1] for line in log if line[4] == "ENTERQUEUE" and line[6].isdigit() and len(line[6]) == EXTENSION}
    log = [line for line in log if line[1] not in asked]
    left = [each["result"] for call in calls for each in call["stages"] if each["kind"] == "queue"]
    passed_on = sum(line[4] == "CONNECT" and line[3] in QUEUES for line in log) if "answered" not in left else 0
    assert left.count("answered") == sum(line[4] == "CONNECT" for line in log) - passed_on
    assert left.count("abandoned") == sum(line[4] == "ABANDON" for line in log) + passed_on


# Members that are queues themselves: what they answer is nobody's answer before somebody is talked to there.
QUEUES = {"Second line"}
EXTENSION = 3
