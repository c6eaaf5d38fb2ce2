"""What a recording of a story is expected to say, by the program's rules, is what whoever staged it wrote by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rig.scenarios import STORIES

HERE = Path(__file__).parent
TOLD = [
    path
    for path in sorted(HERE.glob("*/*.json"))
    if path.stem in STORIES and "calls" in (json.loads(path.read_text())["truth"] or {})
    if not STORIES[path.stem].heard  # of which the recording knows less than was told
]
TOLD = [path for path in TOLD if isinstance(json.loads(path.read_text())["truth"]["calls"], list)]
PLAIN = ("disposition", "lost", "cause", "colour", "answered_by", "ended_by", "short_hangup", "verdicts")
PAIRS = {
    "stages": ("kind", "name", "result"),
    "offers": ("agent", "result"),
    "talks": ("agent", "ended_by"),
    "transfers": ("kind", "from", "to"),
}
# A story tells seconds as it set them; the phones take up to half a second more, and a queue up to one.
WITHIN_S = 1.5


def test_there_are_recordings_whose_truth_was_told() -> None:
    assert len(TOLD) >= 100


@pytest.mark.parametrize("path", TOLD, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recording_says_what_its_story_told(path: Path) -> None:
    told: list[dict[str, Any]] = json.loads(path.read_text())["truth"]["calls"]
    expected: list[dict[str, Any]] = json.loads(path.with_suffix(".expected.json").read_text())["calls"]
    for one in told:
        same = [c for c in expected if all(c[name] == one[name] for name in ("caller", "called", "direction"))]
        assert same, one
        assert any(not list(wrong(one, call)) for call in same), [list(wrong(one, call)) for call in same]


def wrong(told: dict[str, Any], call: dict[str, Any]) -> list[str]:
    found = [name for name in PLAIN if name in told and told[name] != call[name]]
    for name, keys in PAIRS.items():
        rows = [[row[key] for key in keys] for row in call[name]]
        if name in told and sorted(map(str, told[name])) != sorted(map(str, rows)):
            found.append(f"{name}: {rows}")
    return found + [n for n in ("wait_s", "talk_s") if n in told and abs(told[n] - call[n]) > WITHIN_S]
