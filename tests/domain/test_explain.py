"""Each word of the judgement names its rule, with values that bear it out; and the journey told in order."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Leg,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
    Transfer,
)
from pbxmonitor.domain.callback import Callback, Colour, State, colour_of, settle
from pbxmonitor.domain.explain import Reason, explain
from pbxmonitor.domain.judge import Cause, Judgement, Verdict, judge
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.domain.timeline import Moment, journey
from pbxmonitor.texts import LANGUAGES, tr
from tests.domain.story import CLIENT, MOBILE, MONDAY_NOON, Story
from tests.domain.tapes import TAPES, facts_on
from tests.domain.told import Told

NINE_TO_SIX = WorkingHours(week=(((time(9), time(18)),),) * 5 + ((), ()))
NIGHT = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)
SUNDAY = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


def reasons(told: Told, key: str | None = None) -> tuple[Reason, ...]:
    """Why the story's call (the last one told) is judged as it is."""
    call = told.calls[key or told.key]
    debt = next((each for each in told.debts if call.key in each.missed_calls), None)
    return explain(call, judge(call, told.policy, told.now), debt, told.colour(call.key), told.policy)


def said(told: Told, family: str, key: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """(the rest of the key, values) of every reason of that family."""
    prefix = f"why.{family}."
    return [(r.key.removeprefix(prefix), dict(r.values)) for r in reasons(told, key) if r.key.startswith(prefix)]


@cache
def recorded(tape: Path) -> Told:
    """What a recording tells."""
    told = Told()
    for fact in facts_on(tape):
        told.at(fact.at).take(fact)
    return told


def queued(*agents: str, policy: Policy | None = None) -> Story:
    story = Story(policy)
    for agent in agents or ("101", "102"):
        story.works_in(agent, "sales")
    return story.calls_in().waits_in("sales")


def missed(story: Story | None = None, line: str = "1001") -> Story:
    story = (story or Story()).calls_in(CLIENT, line).waits_in("sales").rings("101")
    return story.after(10).caller_leaves()


def call_back(story: Story, agent: str = "103") -> Story:
    return story.after(60).dials(agent, CLIENT).is_put_through_to(CLIENT).rings_outside(CLIENT)


# what bears a reason out

AT_LEAST = {
    "why.cause.ignored": ("rang_s", "min_ring_s"),
    "why.verdict.missed.rna": ("rang_s", "min_ring_s"),
    "why.verdict.missed.caller_gave_up": ("rang_s", "min_ring_s"),
    "why.attempt.reached": ("talk_s", "min_reached_talk_s"),
    "why.attempt.no_answer": ("rang_s", "min_attempt_ring_s"),
}
AT_MOST = {
    "why.short_hangup.agent": ("talk_s", "short_hangup_s"),
    "why.short_hangup.caller": ("talk_s", "short_hangup_s"),
    "why.cause.dropped": ("talk_s", "dropped_within_s"),
    "why.lost.dropped": ("talk_s", "dropped_within_s"),
}
LESS = {
    "why.cause.short_abandon": ("wait_s", "short_abandon_s"),
    "why.kept.short_abandon": ("wait_s", "short_abandon_s"),
    "why.cause.caller_gave_up.short_ring": ("rang_s", "min_ring_s"),
    "why.verdict.not_counted.short_ring": ("rang_s", "min_ring_s"),
    "why.attempt.answered": ("talk_s", "min_reached_talk_s"),
    "why.attempt.too_short": ("rang_s", "min_attempt_ring_s"),
}
COLOURS = {
    Colour.GREEN: {"talk", "open", "reached", "client_returned"},
    Colour.YELLOW: {"tried"},
    Colour.RED: {"untried", "fakes", "withheld", "never_called"},
    None: {"not_inbound", "short_abandon", "dismissed", "vanished"},
}


def borne_out(reason: Reason) -> bool:
    """Whether the two values that the rule compared stand as it says."""
    values: dict[str, Any] = dict(reason.values)
    for table, holds in ((AT_LEAST, float.__ge__), (AT_MOST, float.__le__), (LESS, float.__lt__)):
        if reason.key in table:
            one, other = table[reason.key]
            return bool(holds(values[one], values[other]))
    return True


def whole(found: tuple[Reason, ...], judged: Judgement, colour: Colour | None) -> None:
    """One reason for each word of the judgement, and each says that word."""
    keys = [reason.key for reason in found]
    assert sum(key.startswith("why.disposition.") for key in keys) == 1
    assert sum(key.startswith("why.lost.") for key in keys) == judged.lost
    assert sum(key.startswith("why.kept.") for key in keys) == (not judged.lost)
    causes = [key for key in keys if key.startswith("why.cause.")]
    assert len(causes) == (judged.cause is not None)
    assert all(key.split(".")[2] == judged.cause for key in causes)
    verdicts = [(r.subject, r.key.split(".")[2]) for r in found if r.key.startswith("why.verdict.")]
    assert [subject for subject, _ in verdicts] == [f"agent:{agent}" for agent in judged.verdicts]
    for (_, word), verdict in zip(verdicts, judged.verdicts.values(), strict=True):
        assert word == verdict or (verdict is Verdict.ANSWERED and word in ("picked_up", "untalked"))
    (why,) = [key.removeprefix("why.colour.") for key in keys if key.startswith("why.colour.")]
    assert why in COLOURS[colour]
    assert judged.short_hangup is any(key in ("why.short_hangup.agent", "why.short_hangup.dumped") for key in keys)
    assert all(map(borne_out, found))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_every_word_said_of_a_recorded_call_has_its_reason(tape: Path) -> None:
    told = recorded(tape)
    standing = [call for call in told.calls.values() if call.merged_into is None]
    assert standing or "pause" in tape.stem, "only the pause was recorded"
    for call in standing:
        whole(reasons(told, call.key), judge(call, told.policy, told.now), told.colour(call.key))


# causes


def stories_by_cause() -> Iterator[tuple[str, Story, dict[str, Any]]]:
    """The end of the key, the story, and some of the values."""
    office = Policy(hours=NINE_TO_SIX)
    night, sunday = (Story(office, at=at).calls_in().waits_in("sales").after(9) for at in (NIGHT, SUNDAY))
    nine, six = datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 18, tzinfo=UTC)
    yield "after_hours", night.caller_leaves(), {"at": NIGHT, "opens_at": nine, "closes_at": six}
    yield "after_hours.day_off", sunday.caller_leaves(), {"at": SUNDAY}
    short = queued().rings("101").after(4.9).caller_leaves()
    yield "short_abandon", short, {"wait_s": 4.9, "short_abandon_s": 5.0}
    menu = Story().calls_in().hears_menu("1010").after(30).pbx_ends()
    yield "ivr", menu, {"name": "1010", "wait_s": 30.0}
    yield "ivr.nowhere", Story().calls_in().after(7).caller_leaves(), {"wait_s": 7.0}
    nobody = Story().works_in("101", "sales").dnd("101").calls_in().waits_in("sales").after(60).caller_leaves()
    yield "no_agents", nobody, {"queue": "sales"}
    dead = Story().calls_in().is_put_through_to("101", "102").dial_ends("CHANUNAVAIL").after(8).pbx_ends(3)
    yield "technical", dead, {"n": 2, "agents": "101, 102"}
    away = Story().works_in("101", "sales").phone_is("101", online=False).calls_in().waits_in("sales")
    yield "technical.offline", away.after(60).caller_leaves(), {"queue": "sales", "n": 1}
    busy = queued().rings("101", "102", heard=False).after(0.2).declines("101", 17).declines("102", 17)
    yield "refused", busy.after(30).caller_leaves(), {"n": 2, "agents": "101, 102"}
    load = Story().works_in("101", "sales").calls_in("+79160000009").waits_in("sales").rings("101").after(1)
    load.answers("101").after(5).calls_in().waits_in("sales").after(40).caller_leaves()
    yield "overload", load, {"queue": "sales", "n": 1}
    sent = queued().rings("101").after(2).answers("101").after(30).sends_blind("101", "103").rings("103").after(8)
    yield "transfer_failed", sent.caller_leaves(), {"agent": "101", "to": "103", "at": MONDAY_NOON + timedelta(0, 32)}
    dropped = queued().rings("101").after(2).answers("101").after(2.5).hangs_up("101")
    yield "dropped", dropped, {"agent": "101", "talk_s": 2.5, "dropped_within_s": 3.0}
    dumped = queued("101").rings("101").after(2).dumps("101").after(10).caller_leaves()
    yield "dropped.before_the_talk", dumped, {"agent": "101"}
    declined = queued().rings("101", "102").after(2).declines("101").after(10).stops("102").caller_leaves()
    yield "declined", declined, {"agent": "101", "rang_s": 2.0}
    ignored = queued().rings("101").after(4).rings("102").after(8).caller_leaves()
    yield "ignored", ignored, {"agent": "101", "rang_s": 12.0, "min_ring_s": 3.0}
    yield "caller_gave_up", queued("101").after(40).caller_leaves(), {"wait_s": 40.0}
    late = queued().after(20).rings("101").after(2).caller_leaves()
    yield "caller_gave_up.short_ring", late, {"agent": "101", "rang_s": 2.0, "min_ring_s": 3.0}
    outside = Story().calls_in().is_put_through_to(MOBILE).rings_outside().after(20).caller_leaves()
    yield "caller_gave_up.outside", outside, {"number": MOBILE, "wait_s": 20.0}
    full = Story().calls_in().waits_in("sales").after(1).queue_ends("FULL").pbx_ends()
    yield "caller_gave_up.full", full, {"queue": "sales"}


BY_CAUSE = list(stories_by_cause())


@pytest.mark.parametrize(("word", "story", "values"), BY_CAUSE, ids=[word for word, *_ in BY_CAUSE])
def test_a_cause_names_what_gave_it(word: str, story: Story, values: dict[str, Any]) -> None:
    assert said(story, "cause") == [(word, values)]
    whole(reasons(story), story.judged, story.colour())


def test_no_cause_is_left_without_a_story() -> None:
    assert {word.split(".")[0] for word, *_ in BY_CAUSE} == set(Cause)


def test_a_queue_of_its_own_patience_is_named_with_it() -> None:
    policy = Policy(queues={"sales": {"min_ring": timedelta(seconds=20), "short_abandon": timedelta(seconds=8)}})
    story = queued(policy=policy).rings("101").after(12).caller_leaves()
    assert said(story, "cause") == [("caller_gave_up.short_ring", {"agent": "101", "rang_s": 12.0, "min_ring_s": 20.0})]
    story = queued(policy=policy).rings("101").after(7).caller_leaves()
    assert said(story, "cause") == [("short_abandon", {"wait_s": 7.0, "short_abandon_s": 8.0})]


def test_a_real_talk_leaves_no_cause_and_says_who_talked() -> None:
    story = queued().rings("101").after(3).answers("101").after(20).caller_leaves()
    assert said(story, "cause") == []
    assert said(story, "kept") == [("talk", {"agent": "101", "talk_s": 20.0})]


def test_a_real_talk_after_a_dropped_one_is_the_one_that_saved_the_call() -> None:
    story = queued().rings("101").after(2).answers("101").after(2.9)
    story.tell(f.HangupAsked, leg=story.line.phones["101"]).parts(story.key, story.line.bridge)
    story.tell(f.LegEnded, leg=story.line.phones["101"], cause=16).line.talking.clear()
    story.is_put_through_to("102").rings("102").after(3).answers("102").after(1).caller_leaves()
    assert said(story, "kept") == [("talk", {"agent": "102", "talk_s": 1.0})]
    whole(reasons(story), story.judged, story.colour())


# verdicts


def verdict_of(story: Story, agent: str = "101") -> tuple[str, dict[str, Any]]:
    (found,) = [each for each in said(story, "verdict") if each[1]["agent"] == agent]
    return found


def test_who_answered_is_told_with_his_ring_and_his_talk() -> None:
    story = queued().rings("101").after(3).answers("101").after(20).caller_leaves()
    assert verdict_of(story) == ("answered", {"agent": "101", "rang_s": 3.0, "talk_s": 20.0})


def test_who_is_still_talking_has_no_length_yet() -> None:
    story = queued().rings("101").after(3).answers("101").after(20)
    assert verdict_of(story) == ("answered.talking", {"agent": "101", "rang_s": 3.0})
    whole(reasons(story), story.judged, story.colour())


def test_who_picked_up_anothers_ring_had_none_of_his_own() -> None:
    story = queued().rings("101").after(3).answers("101").after(20).caller_leaves()
    call = replace(story.call, offers=())
    judged = judge(call, story.policy, story.now)
    found = explain(call, judged, None, Colour.GREEN, story.policy)
    assert {"agent": "101", "talk_s": 20.0} in [dict(r.values) for r in found if r.key == "why.verdict.picked_up"]
    whole(found, judged, Colour.GREEN)


def test_who_dropped_the_caller_before_the_bridge_answered_without_a_talk() -> None:
    story = queued("101").rings("101").after(2).dumps("101").after(10).caller_leaves()
    assert verdict_of(story) == ("untalked", {"agent": "101", "rang_s": 2.0})


def test_a_refusal_by_hand_is_a_miss_whatever_else_rang() -> None:
    story = queued().rings("101").after(9).stops("101").after(1).rings("101").after(2).declines("101").caller_leaves()
    assert verdict_of(story) == ("missed.declined", {"agent": "101", "rang_s": 2.0})


def test_the_longest_ring_is_the_one_that_is_held_against_him() -> None:
    story = queued().rings("101").after(4).stops("101").after(1).rings("101").after(9).caller_leaves()
    assert verdict_of(story) == ("missed.caller_gave_up", {"agent": "101", "rang_s": 9.0, "min_ring_s": 3.0})
    story = queued().rings("101").after(9).stops("101").after(1).rings("101").after(4).caller_leaves()
    assert verdict_of(story) == ("missed.rna", {"agent": "101", "rang_s": 9.0, "min_ring_s": 3.0})


def test_a_colleague_who_took_the_call_is_named() -> None:
    story = queued().rings("101", "102").after(5).answers("102").after(30).caller_leaves()
    assert verdict_of(story) == ("answered_elsewhere", {"agent": "101", "rang_s": 5.0, "colleague": "102"})


def test_the_colleague_is_who_took_that_ring_not_an_earlier_one() -> None:
    story = queued("103").rings("103").after(2).answers("103").after(30).sends_blind("103", "101&102")
    story.is_put_through_to("101", "102").rings("101", "102").after(5).answers("102").after(30).caller_leaves()
    assert verdict_of(story)[1]["colleague"] == "102"


def test_a_ring_taken_by_nobody_we_know_names_nobody() -> None:
    story = queued().rings("101").after(5).stops("101", 26).after(10).caller_leaves()
    assert verdict_of(story) == ("answered_elsewhere.somebody", {"agent": "101", "rang_s": 5.0})


def test_a_busy_phone_refused() -> None:
    story = queued().rings("101", heard=False).after(0.2).declines("101", 17).after(30).caller_leaves()
    assert verdict_of(story) == ("refused", {"agent": "101", "rang_s": 0.2})


@pytest.mark.parametrize("word", ["short_ring", "cancelled", "unreachable"])
def test_what_does_not_count_says_why(word: str) -> None:
    if word == "short_ring":
        story = queued().after(20).rings("101").after(2).caller_leaves()
        values: dict[str, Any] = {"agent": "101", "rang_s": 2.0, "min_ring_s": 3.0}
    elif word == "cancelled":
        story = queued().rings("101").after(7)
        story.tell(f.HangupOrdered, leg=story.line.phones["101"]).stops("101", 16).after(9).caller_leaves()
        values = {"agent": "101", "rang_s": 7.0}
    else:
        story = Story().calls_in().is_put_through_to("101").dial_ends("CHANUNAVAIL").after(8).pbx_ends(3)
        values = {"agent": "101"}
    assert verdict_of(story) == (f"not_counted.{word}", values)


# short hangups


def test_a_short_hangup_is_told_of_who_hung_up() -> None:
    mine = queued().rings("101").after(3).answers("101").after(5).hangs_up("101")
    assert said(mine, "short_hangup") == [("agent", {"agent": "101", "talk_s": 5.0, "short_hangup_s": 6.0})]
    his = queued().rings("101").after(3).answers("101").after(5).caller_leaves()
    assert said(his, "short_hangup") == [("caller", {"agent": "101", "talk_s": 5.0, "short_hangup_s": 6.0})]
    long = queued().rings("101").after(3).answers("101").after(7).hangs_up("101")
    assert said(long, "short_hangup") == []


def test_a_dump_is_a_short_hangup() -> None:
    story = queued("101").rings("101").after(2).dumps("101").after(10).caller_leaves()
    assert said(story, "short_hangup") == [("dumped", {"agent": "101"})]


# colours and callbacks


def test_a_lost_call_that_nobody_tried_to_make_good_is_red() -> None:
    story = missed()
    assert said(story, "colour") == [("untried", {})]
    due_at = story.now + timedelta(minutes=10)
    assert said(story, "callback") == [("opened", {"at": story.now, "due_at": due_at, "norm_s": 600.0})]
    assert said(story, "state") == [("open", {"due_at": due_at})]


def test_a_red_call_without_a_number_says_that_nobody_can_call_back() -> None:
    story = Story().calls_in(None).waits_in("sales").rings("101").after(10).caller_leaves()
    assert said(story, "colour") == [("withheld", {})]
    assert said(story, "callback") == [("withheld", {})]


def test_a_number_that_is_never_called_back_says_so() -> None:
    story = missed(Story(Policy(never_call_back=frozenset({CLIENT}))))
    assert said(story, "colour") == [("never_called", {})]
    assert said(story, "callback") == [("never_called", {})]


def test_a_fake_attempt_leaves_red_and_is_counted() -> None:
    story = missed()
    key = story.key
    story = call_back(story).after(4).caller_leaves()
    assert said(story, "colour", key) == [("fakes", {"n": 1, "min_attempt_ring_s": 10.0})]
    ((word, values),) = said(story, "attempt", key)
    assert (word, values["rang_s"], values["min_attempt_ring_s"]) == ("too_short", 4.0, 10.0)


def test_yellow_names_the_last_who_tried() -> None:
    story = missed()
    key = story.key
    story = call_back(call_back(story).after(12).caller_leaves(), "104").after(15).caller_leaves()
    tried = story.call
    assert story.colour(key) is Colour.YELLOW
    assert said(story, "colour", key) == [("tried", {"n": 2, "agent": "104", "at": tried.started_at})]
    assert [word for word, _ in said(story, "attempt", key)] == ["no_answer", "no_answer"]
    assert [word for word, _ in said(story, "state", key)] == ["attempted"]


def test_a_reached_client_makes_green_and_names_who_reached_him() -> None:
    story = missed()
    key = story.key
    story = call_back(story).after(5).answers(CLIENT).after(30).hangs_up(CLIENT)
    evidence = {"agent": "103", "at": story.now, "call": story.key}
    assert said(story, "colour", key) == [("reached", evidence)]
    assert said(story, "state", key) == [("reached", evidence)]
    whole(reasons(story, key), judge(story.calls[key], story.policy, story.now), Colour.GREEN)


def test_a_client_who_called_again_makes_green_and_names_who_talked_to_him() -> None:
    story = missed()
    key = story.key
    story = story.after(60).calls_in(CLIENT, "1001").waits_in("sales").rings("102").after(2).answers("102").after(30)
    story.caller_leaves()
    assert said(story, "colour", key) == [("client_returned", {"agent": "102", "at": story.now, "call": story.key})]


def test_a_dismissed_callback_takes_the_colour_away() -> None:
    story = missed()
    debt = replace(story.debt, state=State.DISMISSED)
    found = explain(story.call, story.judged, debt, colour_of(story.call, story.judged, debt), story.policy)
    assert "why.colour.dismissed" in [reason.key for reason in found]
    assert "why.state.dismissed" in [reason.key for reason in found]


def test_an_expired_callback_says_for_how_long_it_was_kept() -> None:
    story = missed()
    debt = replace(story.debt, state=State.EXPIRED)
    found = explain(story.call, story.judged, debt, colour_of(story.call, story.judged, debt), story.policy)
    assert [dict(r.values) for r in found if r.key == "why.state.expired"] == [{"n": 7}]


@pytest.mark.parametrize("colour", [Colour.GREEN, Colour.YELLOW, None])
def test_a_colour_that_nothing_bears_out_was_given_by_earlier_rules(colour: Colour | None) -> None:
    story = missed()
    found = explain(story.call, story.judged, story.debt, colour, story.policy)
    assert [reason.key for reason in found if reason.subject == "colour"] == ["why.colour.stored"]


def test_the_owner_is_explained_by_his_miss_his_ring_or_his_drop() -> None:
    assert said(missed(), "owner") == [("missed", {"agent": "101", "at": MONDAY_NOON})]
    two = queued().rings("101").after(10).stops("101").rings("102").after(10).caller_leaves()
    assert said(two, "owner") == [("rung_last", {"agent": "102", "at": MONDAY_NOON + timedelta(seconds=10)})]
    dropped = queued().rings("101").after(2).answers("101").after(1).hangs_up("101")
    assert said(dropped, "owner") == [("dropped", {"agent": "101"})]
    menu = Story().calls_in().hears_menu().after(30).pbx_ends()
    assert said(menu, "owner") == [("nobody", {})]


def test_a_joined_miss_keeps_the_owner_of_the_first() -> None:
    story = missed()
    first = story.key
    story = missed(story.after(60))
    assert said(story, "callback") == [("joined", {"n": 2, "call": first})]
    assert said(story, "owner") == [("opening_call", {"agent": "101", "call": first})]


def test_an_owner_whom_no_rule_gives_was_assigned() -> None:
    story = missed()
    found = explain(story.call, story.judged, replace(story.debt, owner="109"), Colour.RED, story.policy)
    assert [dict(reason.values) for reason in found if reason.key == "why.owner.assigned"] == [{"agent": "109"}]


# whatever happened

AGENTS = st.sampled_from(["101", "102", "103"])
SPANS = st.integers(0, 20_000).map(lambda ms: timedelta(milliseconds=ms))
MOMENTS = SPANS.map(lambda span: MONDAY_NOON + span)


@st.composite
def offers(draw: st.DrawFn) -> Offer:
    began_at, result = draw(MOMENTS), draw(st.none() | st.sampled_from(OfferResult))
    return Offer(
        agent=draw(AGENTS),
        queue=draw(st.sampled_from([None, "sales", "support"])),
        began_at=began_at,
        leg=f"leg{draw(st.integers(1, 4))}",
        ended_at=began_at + draw(SPANS) if result is not None else None,
        result=result,
        consultation=draw(st.booleans()),
        completed=draw(st.booleans()),
    )


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    began_at, by = draw(MOMENTS), draw(st.none() | st.sampled_from(EndedBy))
    return Talk(
        agent=draw(AGENTS),
        leg=f"leg{draw(st.integers(1, 4))}",
        began_at=began_at,
        ended_at=began_at + draw(SPANS) if by is not None else None,
        ended_by=by,
        hold_s=draw(st.sampled_from([0.0, 1.5])),
        external=draw(st.booleans()),
    )


@st.composite
def stages(draw: st.DrawFn) -> Stage:
    entered_at = draw(MOMENTS)
    free = draw(st.none() | st.integers(0, 2))
    return Stage(
        kind=draw(st.sampled_from(StageKind)),
        name=draw(st.sampled_from(["sales", "support", "101"])),
        entered_at=entered_at,
        left_at=entered_at + draw(SPANS),
        result=draw(st.none() | st.sampled_from(StageResult)),
        available=free,
        reachable=free and draw(st.integers(0, free)),
        idle=free and draw(st.integers(0, free)),
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Any call at all, be it as no PBX would make it."""
    direction = draw(st.sampled_from(Direction))
    ended_at = draw(st.none() | MOMENTS.map(lambda at: at + timedelta(seconds=40)))
    asked_at = ended_at if draw(st.booleans()) else None
    common: dict[str, Any] = {"endpoint": "", "agent": None, "local": False, "began_at": MONDAY_NOON}
    first = Leg(id="1", number=CLIENT, trunk=direction is Direction.INBOUND, asked_at=asked_at, **common)
    outside = Leg(id="2", number=CLIENT, trunk=True, ended_at=ended_at, cause=draw(st.sampled_from([16, 17])), **common)
    return Call(
        node="main",
        key="1",
        direction=direction,
        caller=draw(st.sampled_from([CLIENT, None, "anonymous"])),
        called=draw(st.sampled_from(["1001", "*78", CLIENT])),
        started_at=MONDAY_NOON,
        first="1",
        anchor="1",
        ended_at=ended_at,
        legs={"1": first} | ({"2": outside} if direction is Direction.OUTBOUND else {}),
        stages=tuple(draw(st.lists(stages(), max_size=3))),
        offers=tuple(draw(st.lists(offers(), max_size=4))),
        talks=tuple(draw(st.lists(talks(), max_size=2))),
        transfers=(Transfer(kind="blind", frm="101", to="102", at=MONDAY_NOON),) * draw(st.integers(0, 1)),
        dumped=tuple(draw(st.lists(AGENTS, max_size=1))),
        vanished=draw(st.booleans()),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        min_ring=draw(SPANS),
        short_abandon=draw(SPANS),
        short_hangup=draw(SPANS),
        dropped_within=draw(SPANS),
        hours=draw(
            st.sampled_from(
                [WorkingHours(), NINE_TO_SIX, replace(NINE_TO_SIX, week=((),) * 6 + (((time(1), time(2)),),))]
            )
        ),
        queues={"sales": {"min_ring": draw(SPANS), "short_abandon": draw(SPANS)}},
    )


def debt_of(call: Call, judged: Judgement, policy: Policy) -> Callback | None:
    return next(iter(settle((), call, judged, policy)), None)


@settings(max_examples=200, deadline=None)
@given(call=calls(), policy=policies())
def test_whatever_happened_each_word_has_exactly_one_reason(call: Call, policy: Policy) -> None:
    judged = judge(call, policy, MONDAY_NOON + timedelta(minutes=5))
    debt = debt_of(call, judged, policy)
    colour = colour_of(call, judged, debt)
    whole(explain(call, judged, debt, colour, policy), judged, colour)


@settings(max_examples=100, deadline=None)
@given(call=calls(), policy=policies(), colour=st.none() | st.sampled_from(Colour))
def test_rows_of_other_days_never_break_an_explanation(call: Call, policy: Policy, colour: Colour | None) -> None:
    judged = judge(call, policy, MONDAY_NOON + timedelta(minutes=5))
    assert [each.subject for each in explain(call, judged, None, colour, policy)].count("colour") == 1


# the texts


def worded(told: Iterable[Reason | Moment]) -> None:
    """Each has a text in both languages, and all the values that it names."""
    for each in told:
        for language in LANGUAGES:
            assert tr(each.key, language=language, **each.values), each.key


@settings(max_examples=200, deadline=None)
@given(call=calls(), policy=policies())
def test_every_reason_and_moment_has_a_text_that_its_values_fill(call: Call, policy: Policy) -> None:
    now = MONDAY_NOON + timedelta(minutes=5)
    judged = judge(call, policy, now)
    debt = debt_of(call, judged, policy)
    worded(explain(call, judged, debt, colour_of(call, judged, debt), policy))
    worded(journey(call, judged, now))


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: f"{tape.parent.name}-{tape.stem}")
def test_every_callback_of_a_recording_has_its_texts(tape: Path) -> None:
    told = recorded(tape)
    worded(reason for key in told.calls for reason in reasons(told, key))


@pytest.mark.parametrize("story", [story for _, story, _ in BY_CAUSE], ids=[word for word, *_ in BY_CAUSE])
def test_every_cause_has_its_texts(story: Story) -> None:
    worded(reasons(story))


# the journey


def test_the_journey_tells_what_happened_in_order() -> None:
    story = queued().rings("101", "102").after(4).declines("101").after(2).answers("102").after(30).hangs_up("102")
    moments = journey(story.call, story.judged, story.now)
    assert [
        (round((each.at - MONDAY_NOON).total_seconds()), each.key.removeprefix("journey.")) for each in moments
    ] == [
        (0, "began.inbound"),
        (0, "entered.queue.staffed"),
        (0, "rang"),
        (0, "rang"),
        (4, "stopped.declined"),
        (6, "stopped.answered"),
        (6, "talk"),
        (36, "talk_ended.agent"),
        (36, "ended.agent"),
    ]
    assert dict(moments[4].values) == {"agent": "101", "rang_s": 4.0}
    assert dict(moments[-1].values) == {"lasted_s": 36.0}


def test_the_journey_of_an_open_call_ends_now() -> None:
    story = queued().rings("101").after(9)
    last = journey(story.call, story.judged, story.now)[-1]
    assert (last.at, last.key, dict(last.values)) == (story.now, "journey.going_on", {"lasted_s": 9.0})


def test_a_stage_without_an_answer_says_how_it_was_left() -> None:
    story = queued().rings("101").after(20).queue_ends("TIMEOUT").leaves_a_voicemail("100").after(5).caller_leaves()
    told = [each.key.removeprefix("journey.") for each in journey(story.call, story.judged, story.now)]
    assert told[3:] == ["left.timeout", "entered.voicemail", "stopped.rna", "left.abandoned", "ended.caller"]


def test_a_transfer_is_told_between_the_two_talks() -> None:
    story = queued().rings("101").after(2).answers("101").after(30).sends_blind("101", "103").after(0.1)
    story.is_put_through_to("103").rings("103").after(5).answers("103").after(9).caller_leaves()
    told = [each.key.removeprefix("journey.") for each in journey(story.call, story.judged, story.now)]
    assert told.index("talk_ended.transfer") < told.index("transfer.blind") < len(told) - 1 - told[::-1].index("talk")


@settings(max_examples=200, deadline=None)
@given(call=calls())
def test_every_moment_of_any_journey_comes_after_the_one_before(call: Call) -> None:
    judged = judge(call, Policy(), MONDAY_NOON + timedelta(minutes=5))
    moments = journey(call, judged, MONDAY_NOON + timedelta(minutes=5))
    assert [each.at for each in moments] == sorted(each.at for each in moments)
    assert sum(each.key == "journey.rang" or each.key == "journey.rang.consultation" for each in moments) == sum(
        offer.result is not OfferResult.UNREACHABLE for offer in call.offers
    )
