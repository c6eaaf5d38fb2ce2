"""CDR of a real Asterisk alone: what they tell agrees with the live truth; what they leave out is named below.

The rules are those of docs/import-cdr-cel.md: no `ended_by` of a talk and no short hangup, anywhere. What a story loses
beyond that stands in LOST, value by value, so that a rule which is no longer needed fails.
"""

import json
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.cdr import Cdr, CdrRow, rows_of_csv
from pbxmonitor.pbx.asterisk.history import BadLine
from pbxmonitor.pbx.asterisk.naming import Site
from tests.pbx.judged import at, judged
from tests.recorded import is_shape

HERE = Path(__file__).parent
EVERY = sorted((HERE.parent / "scenarios").glob("*/*.cdr.csv"))
SCENARIOS = [path for path in EVERY if not is_shape(path)]
MORE = sorted((HERE / "cdr").glob("*/*.csv"))
SECOND = 1.5  # a CDR's times are cut to whole seconds

Lost = dict[str, dict[str, Any]]
# 1. A queue's own phone that refuses looks like one that rang out; at 0 s it counts for nothing.
THREE = ("101", "102", "103")
RANG_OUT: Lost = {
    "agent_hangs_during_ring_then_second_rings": {"rings": {"101": {"rna"}}},
    "linear_rna_decline_answer": {"rings": {"102": {"rna"}}, "verdicts": {"102": "not_counted"}},
    "busy_member": {"rings": {"101": {"rna"}}, "verdicts": {"101": "not_counted"}},
    "all_busy_queue": {
        "rings": {agent: {"rna", "caller_gave_up"} for agent in THREE},
        "verdicts": dict.fromkeys(THREE, "not_counted"),
        "cause": "caller_gave_up",
    },
}
# 2. Who could have answered is not told.
UNSTAFFED: Lost = {
    name: {"cause": "caller_gave_up"} for name in ("dnd_all_fpbx", "no_members_paused", "offline_queue_call")
}
# 3. A queue that did not let the caller in leaves no row of its own.
NOT_LET_IN: Lost = {name: {"cause": "ivr", "stages": []} for name in ("queue_full", "queue_empty")}
# 4. A queue that waits without ringing writes nothing after the last ring.
WAITED_ON: Lost = {"autopause": {"rings": {"103": {"caller_gave_up"}}, "ended_at": -5.0}}
# 5. A menu before a queue or a dial leaves no row, and a menu or another context hides the line first called.
HIDDEN: Lost = {
    "ivr_choice": {"stages": [("queue", "reception", "answered")]},
    "ivr_then_choice": {"stages": [("queue", "reception1", "answered")], "called": "1"},
    "escalation_to_mobile": {"called": "s"},
    "escalation_missed": {"called": "s"},
}
# 6. A blind transfer rewrites the line of the rows before it; where no other row tells it, it is unknown.
REWRITTEN: Lost = {
    name: {"called": ""}
    for name in (
        "16-more-blind_transfer",
        "16-more-blind_transfer_to_nobody",
        "22-more-blind_transfer",
        "22-more-blind_transfer_to_nobody",
        "22-more-blind_transfer_by_the_phone",
    )
}
# 7. Who ended a ring is not told: an early end with nothing after it is the caller's, the full time is the PBX's.
OUT = {"stages": [("external", "+79161234513", "abandoned")], "disposition": "abandoned"}
WHO_ENDED: Lost = {
    "queue_missed_callback_8_format": OUT,
    "16-two_misses_join": OUT | {"stages": [("external", "+79161230016", "abandoned")]},
    "admin_hangup": {
        "disposition": "abandoned",
        "stages": [("queue", "sales1", "abandoned")],
        "rings": {agent: {"caller_gave_up"} for agent in THREE},
    },
    "22-more-mailbox": {
        "disposition": "abandoned",
        "stages": [("dial", "101", "no_answer"), ("voicemail", "101", "abandoned")],
    },
    "voicemail": {
        "disposition": "no_answer",
        "stages": [("dial", "101", "no_answer")],
        "rings": {"101": {"rna"}},
    },
}
# 8. A call that the PBX itself made to a customer looks as if he had called.
PLACED: Lost = {
    "originate_customer_first": {
        "direction": "inbound",
        "caller": "+79161700002",
        "called": "101",
        "answered_by": "101",
        "verdicts": {"101": "answered"},
    }
}
# 9. A caller who leaves while he is on hold: his last row ended as the hold began.
ON_HOLD: Lost = {"atx_caller_leaves": {"talk_ended": -7.0}}
# 10. A phone that forwards at once (302) looks like one that rang out; at 0 s it counts for nothing.
SENT_ON: Lost = {"forward_to_mobile": {"rings": {"101": {"rna"}}}}
LOST = (RANG_OUT, UNSTAFFED, NOT_LET_IN, WAITED_ON, HIDDEN, REWRITTEN, WHO_ENDED, PLACED, ON_HOLD, SENT_ON)


def named(path: Path) -> str:
    more = "more-" if path in MORE else ""
    return f"{path.parent.name}-{more}{path.name.split('.')[0]}"


def lost(path: Path) -> dict[str, Any]:
    """What that recording's rows do not tell, and what they say instead."""
    story = path.name.split(".")[0]
    return {
        field: value for rule in LOST for name in (story, named(path)) for field, value in rule.get(name, {}).items()
    }


def told(path: Path) -> dict[str, Json]:
    cdr = Cdr(Site(node="main"), UTC)
    rows = list(rows_of_csv(path.read_text(errors="replace").splitlines()))
    assert not [row for row in rows if isinstance(row, BadLine)]
    calls = [*(call for row in rows if isinstance(row, CdrRow) for call in cdr.take(row)), *cdr.finish()]
    return {call["call"]: call for call in judged(calls)["calls"]}


def truth(path: Path) -> dict[str, Json]:
    beside = path.with_name(path.name.replace(".cdr.csv", ".expected.json"))
    expected = beside if path in SCENARIOS else HERE / "cel" / path.parent.name / f"{path.stem}.expected.json"
    return {call["call"]: call for call in json.loads(expected.read_text())["calls"]}


def shape(call: Json) -> Json:
    """What CDR can tell of a call, comparable."""
    dropped = call["cause"] == "dropped"
    same = {name: call[name] for name in ("direction", "caller", "called", "disposition", "answered_by", "verdicts")}
    rings = sorted((offer["agent"], offer["queue"] or "", offer["result"]) for offer in call["offers"])
    return same | {
        "lost": call["lost"] and not dropped,
        "cause": None if dropped else call["cause"],
        "stages": [(stage["kind"], stage["name"], stage["result"]) for stage in call["stages"]],
        "offers": rings,
        "talks": [talk["agent"] for talk in call["talks"]],
        "transfers": [(each["kind"], each["from"], each["to"]) for each in call["transfers"]],
    }


def test_the_recordings_are_here() -> None:
    assert len(SCENARIOS) >= 100
    assert len(MORE) >= 40


@pytest.mark.parametrize("path", SCENARIOS + MORE, ids=named)
def test_cdr_tell_the_same_calls(path: Path) -> None:
    assert told(path).keys() == truth(path).keys()


@pytest.mark.parametrize("path", EVERY + MORE, ids=named)
def test_nobody_is_accused_of_hanging_up(path: Path) -> None:
    for call in told(path).values():
        assert call["short_hangup"] is False
        assert {talk["ended_by"] for talk in call["talks"]} <= {None, "transfer"}
        assert not call["talks"] or call["ended_by"] in (None, "transfer")


def instead(expected: Json, got: Json, other: dict[str, Any]) -> Json:
    """The truth with what CDR loses of it replaced by what they say instead."""
    plain = {name: value for name, value in other.items() if name in expected and name != "verdicts"}
    verdicts = expected["verdicts"] | other.get("verdicts", {})
    rings: dict[str, set[str]] = other.get("rings", {})
    offers = [ring for ring in expected["offers"] if ring[0] not in rings]
    offers += [ring for ring in got["offers"] if ring[2] in rings.get(ring[0], ())]
    return expected | plain | {"verdicts": verdicts, "offers": sorted(offers)}


@pytest.mark.parametrize("path", SCENARIOS + MORE, ids=named)
def test_cdr_agree_with_the_live_truth_in_all_that_they_tell(path: Path) -> None:
    expected, got, other = truth(path), told(path), lost(path)
    for key, call in expected.items():
        known, seen = shape(call), shape(got[key])
        assert seen == known or seen == instead(known, seen, other)


@pytest.mark.parametrize("path", [path for path in SCENARIOS + MORE if lost(path)], ids=named)
def test_what_a_recording_loses_is_really_lost(path: Path) -> None:
    expected, got = truth(path), told(path)
    wrong = {name for key, call in expected.items() for name in ends_wrong(call, got[key], SECOND)}
    wrong |= {
        name for key, call in expected.items() for name, value in shape(call).items() if shape(got[key])[name] != value
    }
    assert {"offers" if name == "rings" else name for name in lost(path)} <= wrong


def ends_wrong(call: Json, got: Json, slack: float) -> Iterator[str]:
    if abs((at(got["ended_at"]) - at(call["ended_at"])).total_seconds()) > slack:
        yield "ended_at"
    pairs = zip(call["talks"], got["talks"], strict=False)
    if any(abs((at(b["ended_at"]) - at(a["ended_at"])).total_seconds()) > slack for a, b in pairs):
        yield "talk_ended"


@pytest.mark.parametrize("path", SCENARIOS + MORE, ids=named)
def test_times_are_those_of_the_live_truth_to_the_second(path: Path) -> None:
    for key, call in truth(path).items():
        got = told(path)[key]
        assert abs((at(got["started_at"]) - at(call["started_at"])).total_seconds()) <= SECOND
        assert set(ends_wrong(call, got, SECOND)) <= lost(path).keys()


@pytest.mark.parametrize("path", SCENARIOS + MORE, ids=named)
def test_a_pick_up_is_told_right_or_not_at_all(path: Path) -> None:
    """Where no row tells when the phone was picked up, the ring has no end: no pick-up time is made up."""
    for key, call in truth(path).items():
        right = {(o["agent"], o["queue"]): o["ended_at"] for o in call["offers"] if o["result"] == "answered"}
        for offer in told(path)[key]["offers"]:
            if offer["result"] == "answered" and offer["ended_at"] is not None:
                expected = right[offer["agent"], offer["queue"]]
                assert abs((at(offer["ended_at"]) - at(expected)).total_seconds()) <= SECOND


@pytest.mark.parametrize("path", SCENARIOS + MORE, ids=named)
def test_a_talk_never_begins_later_than_it_did(path: Path) -> None:
    for key, call in truth(path).items():
        for talk, seen in zip(call["talks"], told(path)[key]["talks"], strict=True):
            assert (at(seen["began_at"]) - at(talk["began_at"])).total_seconds() <= SECOND
