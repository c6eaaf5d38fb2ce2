"""Recordings changed as a network, a busy Asterisk or an odd version changes them: what is said of them holds."""

import json
from pathlib import Path

import pytest

from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay
from tests.doctored import DOCTORED, Doctored
from tests.recorded import differences

EACH = [
    pytest.param(made, version, id=f"{version}-{name}") for name, made in DOCTORED.items() for version in made.versions
]


@pytest.mark.parametrize(("made", "version"), EACH)
def test_a_doctored_recording_says_what_it_should(made: Doctored, version: str, tmp_path: Path) -> None:
    tape = tmp_path / "doctored.ami"
    tape.write_bytes(made.stream(version))
    got = json.loads(json.dumps(replay([tape], Site(node="main"), Policy())))
    assert list(differences(made.truth(version), got)) == []
