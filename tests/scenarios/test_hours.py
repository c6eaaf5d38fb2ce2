"""Callers who came when the site was closed, as the settings know its hours: recordings of a closed door."""

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay

HERE = Path(__file__).parent
# The recordings are of a Tuesday; this site works on Mondays only.
MONDAYS = Policy(hours=WorkingHours(zone=UTC, week=(((time(9), time(20)),), (), (), (), (), (), ())))
ALWAYS = Policy()


def the_call(version: str, name: str, policy: Policy) -> dict[str, Any]:
    (call,) = replay([HERE / version / f"{name}.ami"], Site(node="main"), policy)["calls"]
    assert datetime.fromisoformat(call["started_at"]).weekday() == 1
    return dict(call)


@pytest.mark.parametrize("version", ["22", "16"])
def test_whoever_hears_that_it_is_closed_is_lost_after_hours_and_not_in_a_menu(version: str) -> None:
    assert the_call(version, "closed_by_time", ALWAYS)["cause"] == "ivr"
    closed = the_call(version, "closed_by_time", MONDAYS)
    assert (closed["lost"], closed["cause"], closed["colour"]) == (True, "after_hours", "red")


@pytest.mark.parametrize("version", ["22", "16"])
def test_whoever_is_let_into_the_queue_all_the_same_and_answered_is_not_lost(version: str) -> None:
    answered = the_call(version, "menu_wrong_choice_first", MONDAYS)
    assert (answered["lost"], answered["cause"]) == (False, None)
