"""Where calls get stuck, counted by hand from written calls and by another way from real recordings."""

from collections import Counter
from datetime import time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay
from pbxmonitor.store import funnel
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import reading
from tests.store.test_ledger import record
from tests.store.test_queue_report import ALL, DAY, TEN, Story, keep, picked

SCENARIOS = Path(__file__).parents[1] / "scenarios"


async def stages(engine: AsyncEngine, policy: Policy | None = None, period: Period = DAY) -> Any:
    return await reading(engine, lambda connection: funnel.stages(connection, period, policy or Policy()))


async def test_each_call_is_lost_at_the_last_step_that_it_reached(engine: AsyncEngine) -> None:
    """One lost at each step, and one that was really talked to."""
    dumped = Story("4").queue("sales", 0, 30, "abandoned").ring("101", "sales", 2, 9, "answered")
    dumped.dumped = ("101",)
    await keep(
        engine,
        Policy(),
        Story("1").stage("ivr", "menu", 0, 12, "abandoned").end(12, left=True),
        Story("2").stage("ivr", "menu", 0, 10, "passed").queue("sales", 10, 40, "empty").end(41),
        Story("3").queue("sales", 0, 20, "timeout").ring("101", "sales", 4, 20, "rna").end(21),
        dumped.end(30, left=True),
        Story("5").queue("sales", 0, 8, "answered").answer("101", "sales", 2, 8, 10, "agent").end(10),
        Story("6")
        .queue("sales", 0, 9, "answered")
        .answer("101", "sales", 3, 9, 60, "transfer")
        .stage("dial", "102", 60, 80, "no_answer")
        .ring("102", None, 60, 80, "rna")
        .end(81),
        Story("7").queue("sales", 0, 7, "answered").answer("101", "sales", 5, 7, 90).end(90),
    )
    found = await stages(engine)
    names = ("step", "reached", "reached_share", "lost", "lost_share", "wait_mean_s")
    assert [picked(step, *names) for step in found["funnel"]] == [
        ("ivr", 7, 1.0, 1, 0.1429, 0.0),
        ("queue", 6, 0.8571, 1, 0.1667, 1.667),
        ("ring", 5, 0.7143, 1, 0.2, 3.2),
        ("pickup", 4, 0.5714, 1, 0.25, 8.0),
        ("first_seconds", 3, 0.4286, 1, 0.3333, 8.0),
        ("talk", 2, 0.2857, 1, 0.5, 8.0),
    ]
    assert picked(found, "calls", "answered", "lost") == (7, 1, 6)
    assert found["causes"] == {
        "dropped": 2,
        "caller_gave_up": 1,
        "ignored": 1,
        "ivr": 1,
        "transfer_failed": 1,
    }


async def test_what_nobody_was_to_answer_stands_apart(engine: AsyncEngine) -> None:
    morning = WorkingHours(week=((((time(9), time(18)),),) * 7))
    policy = Policy(hours=morning)
    await keep(
        engine,
        policy,
        Story("1", TEN - timedelta(hours=3))
        .queue("sales", 0, 30, "timeout")
        .ring("101", "sales", 1, 20, "rna")
        .end(30),
        Story("2").queue("sales", 0, 2, "abandoned").leave("101", "sales", 1, 2),
        Story("3").queue("sales", 0, 30, "timeout").ring("101", "sales", 1, 20, "rna").end(30),
    )
    found = await stages(engine, policy)
    assert picked(found, "calls", "after_hours", "short_abandoned", "answered", "lost") == (3, 1, 1, 0, 1)
    assert found["funnel"][0]["reached"] == 1
    assert [picked(step, "name", "entered", "lost") for step in found["steps"]] == [("sales", 1, 1)]
    assert found["causes"] == {"after_hours": 1, "ignored": 1}


def escalated(key: str, until: str) -> Any:
    """sales 20 s → reception 30 s → 106 15 s → a mobile 20 s → voicemail, as far as `until`."""
    story = Story(key).queue("sales", 0, 20, "timeout").ring("101", "sales", 1, 19, "rna")
    story.queue("reception", 20, 50, "timeout").ring("103", "reception", 21, 35, "declined")
    story.ring("104", "reception", 21, 49, "rna")
    story.stage("dial", "106", 50, 65, "no_answer").ring("106", None, 50, 65, "rna")
    if until == "106":
        return story.end(66)
    story.stage("external", "+79161234567", 65, 85, "answered" if until == "mobile" else "no_answer")
    if until == "mobile":
        return story.answer("+79161234567", None, 66, 85, 200).end(200)
    return story.stage("voicemail", "100", 85, 110, "no_answer").end(110, left=True)


async def test_each_escalation_step_has_its_counts_waits_and_persons(engine: AsyncEngine) -> None:
    await keep(
        engine,
        Policy(),
        *(
            escalated(key, until)
            for key, until in (("1", "106"), ("2", "mobile"), ("3", "voicemail"), ("4", "voicemail"))
        ),
        Story("5").queue("sales", 0, 4, "answered").answer("101", "sales", 1, 4, 60).end(60),
    )
    found = await stages(engine)
    names = ("step", "kind", "name", "entered", "answered", "passed", "lost", "wait_mean_s", "wait_max_s")
    assert [picked(step, *names) for step in found["steps"]] == [
        (1, "queue", "sales", 5, 1, 4, 0, 16.8, 20.0),
        (2, "queue", "reception", 4, 0, 4, 0, 30.0, 30.0),
        (3, "dial", "106", 4, 0, 3, 1, 15.0, 15.0),
        (4, "external", "+79161234567", 3, 1, 2, 0, 20.0, 20.0),
        (5, "voicemail", "100", 2, 0, 0, 2, 25.0, 25.0),
    ]
    assert [step["missed_most"] for step in found["steps"]] == [
        [{"agent": "101", "calls": 3}],
        [{"agent": "103", "calls": 3}, {"agent": "104", "calls": 3}],
        [{"agent": "106", "calls": 3}],
        [],
        [],
    ]
    assert [step["rang_last"] for step in found["steps"]] == [[], [], [{"agent": "106", "calls": 3}], [], []]
    assert picked(found, "answered", "lost") == (2, 3)


async def test_a_menu_before_the_first_queue_is_step_0_and_one_after_it_keeps_its_place(engine: AsyncEngine) -> None:
    story = (
        Story("1")
        .stage("ivr", "menu", 0, 5, "passed")
        .queue("sales", 5, 15, "key")
        .stage("ivr", "menu", 15, 30, "abandoned")
    )
    await keep(engine, Policy(), story.end(30, left=True))
    assert [picked(step, "step", "kind", "passed", "lost") for step in (await stages(engine))["steps"]] == [
        (0, "ivr", 1, 0),
        (1, "ivr", 0, 1),
        (1, "queue", 1, 0),
    ]


async def test_no_more_persons_than_three_are_named_the_worst_first(engine: AsyncEngine) -> None:
    def lost(key: int, *agents: str) -> Any:
        story = Story(str(key)).queue("sales", 0, 20, "timeout")
        for second, agent in enumerate(agents):
            story.ring(agent, "sales", 2 * second, 2 * second + 5, "rna")
        return story.end(20)

    calls = [lost(1, "101", "102", "103", "104"), lost(2, "102", "103", "104"), lost(3, "103", "104"), lost(4, "104")]
    await keep(engine, Policy(), *calls)
    (step,) = (await stages(engine))["steps"]
    assert step["missed_most"] == [
        {"agent": "104", "calls": 4},
        {"agent": "103", "calls": 3},
        {"agent": "102", "calls": 2},
    ]
    assert step["rang_last"] == [{"agent": "104", "calls": 4}]


async def test_a_ring_too_short_to_be_a_miss_is_nobodys_unless_there_is_no_other(engine: AsyncEngine) -> None:
    """102 rang last, but for 2 s only; of a call in which nobody rang longer he is still whom it rang last."""
    both = (
        Story("1")
        .queue("sales", 0, 20, "timeout")
        .ring("101", "sales", 0, 12, "rna")
        .ring("102", "sales", 14, 16, "rna")
    )
    one = Story("2").queue("sales", 0, 20, "timeout").ring("102", "sales", 14, 16, "rna")
    await keep(engine, Policy(), both.end(20), one.end(20))
    (step,) = (await stages(engine))["steps"]
    assert step["missed_most"] == [{"agent": "101", "calls": 1}]
    assert step["rang_last"] == [{"agent": "101", "calls": 1}, {"agent": "102", "calls": 1}]
    shorter = Policy(queues={"sales": {"min_ring": timedelta(seconds=2)}})
    (step,) = (await stages(engine, shorter))["steps"]
    assert step["missed_most"] == [{"agent": "102", "calls": 2}, {"agent": "101", "calls": 1}]


async def test_no_calls_are_no_shares(engine: AsyncEngine) -> None:
    found = await stages(engine)
    assert picked(found, "calls", "answered", "lost", "steps", "causes") == (0, 0, 0, [], {})
    assert {picked(step, "reached", "reached_share", "lost_share", "wait_mean_s") for step in found["funnel"]} == {
        (0, None, None, None)
    }


TAPES = [
    "flood",
    "ivr_abandon",
    "overflow_to_mobile_answered",
    "blind_nobody",
    "ringgroup_abandon",
    "short_hangup_agent",
]


@pytest.mark.parametrize("name", TAPES)
async def test_the_funnel_loses_and_doubles_no_call_of_a_recording(engine: AsyncEngine, name: str) -> None:
    tape = SCENARIOS / "22" / f"{name}.ami"
    await record(engine, tape)
    calls = [call for call in replay([tape], Site(node="main"), Policy())["calls"] if call["direction"] == "inbound"]
    counted = [call for call in calls if call["cause"] not in ("after_hours", "short_abandon")]
    found = await stages(engine, period=ALL)
    steps = found["funnel"]
    assert steps[0]["reached"] == len(counted)
    for step, following in pairwise(steps):
        assert following["reached"] == step["reached"] - step["lost"]
    assert steps[-1]["reached"] - steps[-1]["lost"] == found["answered"] == sum(c["cause"] is None for c in counted)
    assert found["causes"] == Counter(call["cause"] for call in calls if call["lost"])
    stops = Counter((stage["kind"], stage["name"]) for call in counted for stage in call["stages"])
    entered: Counter[tuple[str, str]] = Counter()
    for step in found["steps"]:
        entered[step["kind"], step["name"]] += step["entered"]
        assert step["entered"] == sum(step[name] for name in ("answered", "passed", "lost", "other"))
    assert entered == stops
