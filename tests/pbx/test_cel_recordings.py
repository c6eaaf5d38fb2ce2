"""CEL of a real Asterisk alone says what the replay of its AMI stream says; what CEL cannot know is a rule below."""

import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.cel import Cel, CelRow, rows_of_csv
from pbxmonitor.pbx.asterisk.history import BadLine
from pbxmonitor.pbx.asterisk.naming import Site
from tests.pbx.judged import differences, judged

HERE = Path(__file__).parent / "cel"
EXACT = sorted(path for version in ("16", "22") for path in (HERE / version).glob("*.csv"))
BARE = sorted(path for version in ("16-bare", "22-bare") for path in (HERE / version).glob("*.csv"))
SAME_MOMENT = 0.05
WHOLE_SECONDS = 1.1


def named(path: Path) -> str:
    return f"{path.parent.name}-{path.stem}"


def told(path: Path) -> Json:
    cel = Cel(Site(node="main"), UTC)
    rows = list(rows_of_csv(path.read_text().splitlines()))
    assert not [row for row in rows if isinstance(row, BadLine)]
    return judged([*(call for row in rows if isinstance(row, CelRow) for call in cel.take(row)), *cel.finish()])


def truth(path: Path) -> Json:
    return dict(json.loads(path.with_suffix(".expected.json").read_text()))


def no_staffing(call: Json) -> Json:
    """Who could have answered is not in CEL: nobody there and everybody busy look like a caller who gave up."""
    return call | {"cause": "caller_gave_up"} if call["cause"] in ("no_agents", "overload") else call


def full_is_empty(call: Json) -> Json:
    """Why a queue did not let somebody in is not in CEL."""
    stages = [stage | {"result": "empty"} if stage["result"] == "full" else stage for stage in call["stages"]]
    return call | {"stages": stages}


def no_menus(call: Json) -> Json:
    """A menu is in CEL only if `apps` of cel.conf lists background, waitexten and read (the `menu_` recordings)."""
    return call | {"stages": [stage for stage in call["stages"] if stage["kind"] != "ivr"]}


RULES: tuple[Callable[[Json], Json], ...] = (no_staffing, full_is_empty)


def knowable(path: Path) -> Json:
    expected = truth(path)
    for rule in RULES if path.stem.startswith("menu_") else (*RULES, no_menus):
        expected["calls"] = [rule(call) for call in expected["calls"]]
    return expected


def test_the_recordings_are_here() -> None:
    assert len(EXACT) >= 100
    assert len(BARE) >= 20


@pytest.mark.parametrize("path", EXACT, ids=named)
def test_cel_alone_says_in_every_field_what_the_live_stream_said(path: Path) -> None:
    assert list(differences(knowable(path), told(path), SAME_MOMENT)) == []


# Whole seconds and not one APP_START: cel.conf with `dateformat = %F %T` and no `apps`, as many tables of FreePBX are.
# A queue whose callers nobody reached has no name then, and rings of 6.5 s may count as 6.
TOLD_BY_LITTLE = (
    "call",
    "direction",
    "caller",
    "called",
    "disposition",
    "lost",
    "cause",
    "answered_by",
    "ended_by",
    "verdicts",
)


@pytest.mark.parametrize("path", BARE, ids=named)
def test_whole_seconds_and_no_applications_still_tell_who_rang_and_who_answered(path: Path) -> None:
    expected = [{name: call[name] for name in TOLD_BY_LITTLE} | parts(call) for call in truth(path)["calls"]]
    got = [{name: call[name] for name in TOLD_BY_LITTLE} | parts(call) for call in told(path)["calls"]]
    assert list(differences(expected, got, WHOLE_SECONDS)) == []


def parts(call: Json) -> Json:
    names = ("started_at", "answered_at", "ended_at", "talk_s", "wait_s", "talks", "transfers")
    offers = [(offer["agent"], offer["began_at"], offer["ended_at"], offer["result"]) for offer in call["offers"]]
    return {name: call[name] for name in names} | {"offers": [list(offer) for offer in offers]}


@pytest.mark.parametrize("path", EXACT, ids=named)
def test_the_newest_row_first_is_the_same_story(path: Path) -> None:
    cel = Cel(Site(node="main"), UTC)
    rows = [row for row in rows_of_csv(path.read_text().splitlines()) if isinstance(row, CelRow)]
    calls = [*(call for row in reversed(rows) for call in cel.take(row)), *cel.finish()]
    assert list(differences(knowable(path)["calls"], judged(calls)["calls"], SAME_MOMENT)) == []
