"""Every recording's queue_log against what its events say (`.expected.json`), by the rules of docs/import.md.

The rules are here in code: what queue_log cannot know is left out of both sides, the rest must agree.
"""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.domain.call import Call, StageKind
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json, call_view, interval_view
from tests.pbx.diary import Diary, diary, judged
from tests.recorded import is_shape

EVERY = sorted((Path(__file__).parents[1] / "scenarios").glob("*/*.queue_log"))
LOGS = [log for log in EVERY if not is_shape(log)]
WRITTEN = [log for log in LOGS if log.read_text()]
# Times of the log are whole seconds, and one moment is told in several events.
WITHIN_S = 1.05
# What the phone's own Hangup tells apart and queue_log does not.
ALIKE = {"declined": "rna", "busy": "unreachable"}
SAME_RING = {"answered", "rna", "unreachable", "caller_gave_up"}
POLICY = Policy()
each_log = pytest.mark.parametrize("log", WRITTEN, ids=lambda log: f"{log.parent.name}-{log.stem}")


def read(log: Path) -> tuple[Diary, Json]:
    return diary(log.read_text()), json.loads(log.with_suffix("").with_suffix(".expected.json").read_text())


def pairs(log: Path) -> list[tuple[Json, Json, Call]]:
    """Each call that came to a queue: as expected, as the log tells it, and as the domain has it."""
    found, expected = read(log)
    known = {call.key: call for call in found.calls}
    queued = [each for each in expected["calls"] if any(stage["kind"] == "queue" for stage in each["stages"])]
    assert [each["call"] for each in queued] == list(known)
    return [(each, viewed(known[each["call"]]), known[each["call"]]) for each in queued]


def viewed(call: Call) -> Json:
    return json.loads(json.dumps(call_view(call, judged(call), None, call.ended_at or call.started_at)))  # type: ignore[no-any-return]


def apart(one: str | None, other: str | None) -> float:
    assert one is not None
    assert other is not None
    return abs((datetime.fromisoformat(one) - datetime.fromisoformat(other)).total_seconds())


def near(pairs: list[tuple[str | None, str | None]]) -> bool:
    return all(apart(*pair) <= WITHIN_S for pair in pairs)


def queue_stages(call: Json) -> list[Json]:
    return [stage for stage in call["stages"] if stage["kind"] == StageKind.QUEUE]


def ended_in_a_queue(expected: Json) -> bool:
    """What comes after the last queue (a transfer, a mobile phone, voicemail) leaves no line."""
    return bool(expected["stages"][-1]["kind"] == StageKind.QUEUE)


def consulting(expected: Json) -> bool:
    """A call lasts to the end of its last channel, and of a colleague who is asked the log knows nothing."""
    return any(offer["queue"] is None for offer in expected["offers"])


def by_a_second(expected: Json) -> bool:
    """A talk so near to `dropped_within` that whole seconds do not tell on which side it is."""
    limit = POLICY.dropped_within.total_seconds()
    return any(abs(talk["talk_s"] - limit) <= WITHIN_S for talk in expected["talks"])


def test_the_logs_know_every_call_that_came_to_a_queue_and_no_other() -> None:
    assert len(WRITTEN) >= 70
    assert sum(len(pairs(log)) for log in LOGS) >= 90


@pytest.mark.parametrize("log", EVERY, ids=lambda log: f"{log.parent.name}-{log.stem}")
def test_every_line_of_the_log_is_read(log: Path) -> None:
    found, _ = read(log)
    assert (found.bad, found.headless) == ([], 0)


@each_log
def test_log_and_events_agree_on_who_called_and_the_stays(log: Path) -> None:
    for expected, told, _ in pairs(log):
        assert told["caller"] == expected["caller"]
        ours, theirs = queue_stages(told), queue_stages(expected)
        assert [(s["name"], s["result"]) for s in ours] == [(s["name"], s["result"]) for s in theirs]
        for key in ("entered_at", "left_at"):
            assert near([(one[key], other[key]) for one, other in zip(ours, theirs, strict=True)])


@each_log
def test_log_and_events_agree_on_the_talks_of_the_queues(log: Path) -> None:
    for expected, told, _ in pairs(log):
        answered = sum(stage["result"] == "answered" for stage in queue_stages(expected))
        theirs = expected["talks"][:answered]
        assert [(t["agent"], t["ended_by"]) for t in told["talks"]] == [(t["agent"], t["ended_by"]) for t in theirs]
        for one, other in zip(told["talks"], theirs, strict=True):
            assert abs(one["talk_s"] - other["talk_s"]) <= WITHIN_S
            assert near([(one["began_at"], other["began_at"])])
        assert answered == 0 or told["answered_by"] == expected["answered_by"]


@each_log
def test_log_and_events_agree_on_the_rings(log: Path) -> None:
    for expected, told, _ in pairs(log):
        ours, theirs = (rung(each) for each in (told, expected))
        assert Counter(who for who, _ in ours) == Counter(who for who, _ in theirs)
        for (_, one), (_, other) in zip(sorted(ours), sorted(theirs), strict=True):
            assert abs(one - other) <= WITHIN_S


@each_log
def test_log_and_events_agree_on_the_outcome_where_the_queue_was_the_end(log: Path) -> None:
    for expected, told, call in pairs(log):
        if not ended_in_a_queue(expected):
            continue
        assert not call.vanished
        assert near([(told["ended_at"], expected["ended_at"])]) or consulting(expected)
        assert (told["disposition"], told["ended_by"]) == (expected["disposition"], expected["ended_by"])
        assert told["lost"] == expected["lost"] or by_a_second(expected)


@each_log
def test_log_and_events_differ_on_what_the_log_has_not_seen(log: Path) -> None:
    for expected, told, call in pairs(log):
        if ended_in_a_queue(expected):
            continue
        assert call.vanished == bool(expected["transfers"])
        assert told["disposition"] == ("answered" if told["talks"] else "no_answer")


@each_log
def test_log_and_events_agree_on_the_verdicts_of_those_who_rang_long(log: Path) -> None:
    for expected, told, _ in pairs(log):
        for agent, verdict in told["verdicts"].items():
            if plain(expected, agent):
                assert verdict == expected["verdicts"][agent]


@each_log
def test_log_and_events_agree_on_the_pauses(log: Path) -> None:
    found, expected = read(log)
    ours = pauses([interval_view(each) for each in found.intervals])
    theirs = pauses(expected["intervals"])
    assert [each[:3] for each in ours] == [each[:3] for each in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert near(list(zip(one[3:], other[3:], strict=True)))


def rung(call: Json) -> list[tuple[tuple[str, str, str], float]]:
    """The rings of its queues: who, where, what came of it, and how long; a colleague's answer leaves no line."""
    told = [(each, ALIKE.get(each["result"], each["result"])) for each in call["offers"] if each["queue"]]
    return [((o["agent"], o["queue"], result), o["ring_s"]) for o, result in told if result in SAME_RING]


def plain(expected: Json, agent: str) -> bool:
    """Whether his rings are told whole: none refused, none taken by a colleague, none near the shortest miss."""
    mine = [each for each in expected["offers"] if each["agent"] == agent]
    limit = POLICY.min_ring.total_seconds()
    odd = {"declined", "busy", "answered_elsewhere", "cancelled"}
    return not any(
        each["queue"] is None or each["result"] in odd or (each["result"] == "rna" and abs(each["ring_s"] - limit) < 1)
        for each in mine
    )


def pauses(intervals: list[Json]) -> list[tuple[Any, ...]]:
    """DND and offline come from devices, which queue_log does not know."""
    mine = [each for each in intervals if each["state"] == "paused"]
    told = [(i["agent"], i["reason"], i["queues"], i["began_at"], i["ended_at"]) for i in mine]
    return sorted(told, key=lambda each: (each[0], each[3]))
