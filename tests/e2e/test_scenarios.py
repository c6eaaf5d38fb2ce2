"""Every story staged live on a real Asterisk: what the journal says of it is what was staged, to the digit."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

from tests.e2e.conftest import Shown, go_without
from tests.rig.plan import VERSIONS, NotHere
from tests.rig.scenarios import STORIES
from tests.rig.stage import Staged
from tests.rig.truth import UNTOLD, Interval, Row, compare

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(1500)]
EACH_STORY = [
    pytest.param(version, s.name, marks=[] if s.short else [pytest.mark.full], id=f"{version}-{s.name}")
    for s in STORIES.values()
    for version in s.versions
]


@pytest.mark.parametrize(("version", "name"), EACH_STORY)
def test_a_staged_story_is_written_as_it_was(version: str, name: str, shown: Shown) -> None:
    performance = shown(version)
    staged = performance.staged[name]
    if isinstance(staged.error, NotHere):
        go_without(str(staged.error), ci=os.environ.get("CI") == "true")
    if staged.error:
        raise staged.error
    assert staged.truth is not None
    wrong = compare(staged.truth.calls, performance.journal)
    wrong += [line for told in staged.truth.intervals for line in _missing(told, staged, performance.intervals)]
    assert not wrong, f"{staged.story.told}\n" + "\n".join(wrong)


def _missing(told: Interval, staged: Staged, rows: Sequence[Row]) -> list[str]:
    window = (staged.began.isoformat(" ")[:19], staged.ended.isoformat(" "))
    found = [row for row in rows if row["agent"] == told.agent and window[0] <= row["began_at"] <= window[1]]
    return [] if any(_is(told, row) for row in found) else [f"no interval {told}; there are {found}"]


def _is(told: Interval, row: Row) -> bool:
    pairs: list[tuple[Any, Any]] = [(told.state, row["state"]), (told.reason, row["reason"]), (told.note, row["note"])]
    pairs.append((told.queues, frozenset(row["queues"])))
    return all(mine is UNTOLD or mine == theirs for mine, theirs in pairs) and row["ended_at"] is not None


@pytest.mark.parametrize("version", VERSIONS)
def test_the_agents_report_adds_up_to_the_journal(version: str, shown: Shown) -> None:
    performance = shown(version)
    verdicts = [v for row in performance.journal if row["direction"] == "inbound" for v in row["verdicts"].items()]
    for agent in performance.agents:
        for column in ("answered", "missed"):
            assert agent[column] == verdicts.count((agent["agent"], column)), (agent["agent"], column)
    counted = {agent["agent"] for agent in performance.agents}
    assert {agent for agent, _ in verdicts} <= counted


@pytest.mark.parametrize("version", VERSIONS)
def test_no_call_is_left_open_when_the_pbx_is_silent(version: str, shown: Shown) -> None:
    assert [row["call"] for row in shown(version).journal if row["ended_at"] is None] == []
