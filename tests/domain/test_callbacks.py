"""Our debt to a missed caller: opened, joined, tried, closed; its owner, and the journal's colours."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from pbxmonitor.domain.callback import AttemptResult, Colour, State
from pbxmonitor.domain.policy import Policy, WorkingHours
from tests.domain.story import CLIENT, MONDAY_NOON, Story


def miss(story: Story | None = None, *agents: str, number: str | None = CLIENT, line: str = "1001") -> Story:
    """A caller whom those agents let ring for 10 s."""
    story = (story or Story()).calls_in(number, line).after(0.1).waits_in("sales").rings(*(agents or ("101",)))
    return story.after(10).caller_leaves()


def call_back(story: Story, agent: str = "101", number: str = CLIENT) -> Story:
    """The agent dials the client, whose phone begins to ring."""
    return story.after(60).dials(agent, number).after(0.1).is_put_through_to(number).rings_outside(number)


# opened, joined


def test_a_lost_call_opens_a_callback_at_its_end() -> None:
    story = miss()
    debt = story.debt
    assert (debt.node, debt.number, debt.line, debt.state) == ("main", CLIENT, "1001", State.OPEN)
    assert (debt.opened_at, debt.due_at) == (story.now, story.now + timedelta(minutes=10))
    assert (debt.missed_calls, debt.owner, debt.attempts) == ((story.key,), "101", ())


@pytest.mark.parametrize("number", [None, "anonymous", "sip-user"])
def test_who_cannot_be_called_opens_none(number: str | None) -> None:
    story = miss(number=number)
    assert story.judged.lost is True
    assert story.debts == ()
    assert story.colour() is Colour.RED


def test_numbers_that_settings_name_open_none() -> None:
    story = miss(Story(Policy(never_call_back=frozenset({CLIENT}))))
    assert (story.debts, story.judged.lost) == ((), True)


def test_the_next_miss_joins_and_raises_the_priority() -> None:
    story = miss()
    first, due = story.key, story.debt.due_at
    story = miss(story.after(120), "102")
    assert story.debt.missed_calls == (first, story.key)
    assert (story.debt.priority, story.debt.due_at) == (2, due)
    assert story.debt.owner == "101", "the opening call's owner stays"


def test_a_miss_on_another_line_is_another_callback() -> None:
    story = miss(miss().after(120), line="1002")
    assert {debt.line for debt in story.debts} == {"1001", "1002"}


def test_another_client_is_another_callback() -> None:
    story = miss(miss().after(120), number="+79160000002")
    assert {debt.number for debt in story.debts} == {CLIENT, "+79160000002"}


def test_a_number_closed_and_missed_again_opens_a_new_one() -> None:
    story = call_back(miss()).after(5).answers(CLIENT).after(30).hangs_up(CLIENT)
    story = miss(story.after(300))
    assert [debt.state for debt in story.debts] == [State.REACHED, State.OPEN]
    assert story.debts[1].missed_calls == (story.key,)


def test_a_settled_miss_told_again_changes_nothing() -> None:
    story = miss()
    known = story.debts
    story._settle(story.call)
    assert story.debts == known


# whose it is


def test_the_owner_is_who_missed_and_was_rung_last() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(10).stops("101").after(2)
    assert story.rings("102").after(10).caller_leaves().debt.owner == "102"


def test_rings_begun_within_a_second_are_one_ring_and_its_first_is_the_owner() -> None:
    story = Story().calls_in().waits_in("sales").rings("103").after(0.4).rings("101").after(0.6).rings("102")
    assert story.after(10).caller_leaves().debt.owner == "103"


def test_who_was_rung_last_but_did_not_miss_owns_nothing() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(10).stops("101").after(2)
    story.rings("102", heard=False).after(0.1).declines("102", 17).after(4).caller_leaves()
    assert story.debt.owner == "101"


def test_who_dropped_the_caller_owns_the_callback() -> None:
    story = Story().calls_in().waits_in("sales").rings("101", "102").after(2).answers("101").after(1).hangs_up("101")
    assert story.debt.owner == "101"


def test_when_nobody_missed_nobody_owns() -> None:
    assert Story().calls_in().hears_menu().after(30).caller_leaves().debt.owner is None


# attempts


def attempt(ring: float, cause: int | None, asked: bool) -> Story:
    """An attempt that the other side ended after that long with that cause; None: our side gave up."""
    story = call_back(miss()).after(ring)
    if cause is None:
        return story.caller_leaves()
    story = story.declines(CLIENT, cause) if asked else story.stops(CLIENT, cause)
    return story.dial_ends("NOANSWER").pbx_ends()


@pytest.mark.parametrize(
    ("ring", "cause", "asked", "result"),
    [
        (12, None, False, AttemptResult.NO_ANSWER),
        (30, 0, False, AttemptResult.NO_ANSWER),
        (0.3, 17, True, AttemptResult.BUSY),
        (25, 17, True, AttemptResult.BUSY),
        (0.5, 38, True, AttemptResult.BUSY),
        (20, 38, True, AttemptResult.NO_ANSWER),
        (4, None, False, AttemptResult.TOO_SHORT),
    ],
)
def test_an_attempt_without_an_answer_is_what_it_was(
    ring: float, cause: int | None, asked: bool, result: AttemptResult
) -> None:
    story = attempt(ring, cause, asked)
    (tried,) = story.debt.attempts
    assert (tried.agent, tried.call, tried.rang_s, tried.talk_s, tried.result) == ("101", story.key, ring, 0, result)


@pytest.mark.parametrize(
    ("talk", "result", "state"),
    [(5, AttemptResult.REACHED, State.REACHED), (4.9, AttemptResult.ANSWERED, State.ATTEMPTED)],
)
def test_only_a_talk_long_enough_has_reached_him(talk: float, result: AttemptResult, state: State) -> None:
    story = call_back(miss(), "102").after(2).answers(CLIENT).after(talk).hangs_up(CLIENT)
    (tried,) = story.debt.attempts
    assert (tried.agent, tried.rang_s, tried.talk_s, tried.result) == ("102", 2, talk, result)
    assert story.debt.state is state


def test_owner_and_rescuer_are_both_on_record_with_the_evidence() -> None:
    story = call_back(miss(), "102").after(2).answers(CLIENT).after(20).hangs_up(CLIENT)
    debt = story.debt
    assert (debt.owner, debt.rescuer, debt.closed_by_call, debt.closed_at) == ("101", "102", story.key, story.now)


def test_a_fake_attempt_is_listed_and_changes_neither_state_nor_colour() -> None:
    story = miss()
    missed = story.key
    story = call_back(story).after(2).caller_leaves()
    assert [tried.result for tried in story.debt.attempts] == [AttemptResult.TOO_SHORT]
    assert (story.debt.state, story.colour(missed)) == (State.OPEN, Colour.RED)


def test_a_call_that_never_got_out_is_no_attempt() -> None:
    story = miss().after(60).dials("101", CLIENT).is_put_through_to(CLIENT).dial_ends("CHANUNAVAIL").pbx_ends(38)
    assert story.debt.attempts == ()


def test_a_call_to_another_client_is_no_attempt() -> None:
    story = call_back(miss(), number="+79160000002").after(2).answers("+79160000002").after(30).caller_leaves()
    assert (story.debt.attempts, story.debt.state) == ((), State.OPEN)


def test_a_click_to_call_is_an_attempt_like_any_other() -> None:
    story = miss().after(60).is_clicked_for("102").is_put_through_to(CLIENT).after(0.1).rings_outside(CLIENT)
    story.after(3).answers(CLIENT).after(20).hangs_up(CLIENT)
    assert (story.debt.state, story.debt.rescuer) == (State.REACHED, "102")
    assert story.debt.attempts[0].rang_s == 3


def test_an_attempt_is_recognised_by_the_number_that_really_rang() -> None:
    """The employee dials a prefix for the outside line, the trunk gets the client's number."""
    story = miss().after(60).dials("101", "9989161234501").after(0.1).is_put_through_to(CLIENT).rings_outside(CLIENT)
    story.after(12).caller_leaves()
    assert [tried.result for tried in story.debt.attempts] == [AttemptResult.NO_ANSWER]


def test_an_attempt_closes_the_clients_callbacks_on_every_line() -> None:
    story = call_back(miss(miss().after(120), line="1002")).after(2).answers(CLIENT).after(30).hangs_up(CLIENT)
    assert [debt.state for debt in story.debts] == [State.REACHED, State.REACHED]


# the client calls again


def test_a_client_who_calls_again_on_another_line_and_is_talked_to_has_returned() -> None:
    story = miss().after(300).calls_in(CLIENT, "1002").waits_in("support").rings("105").after(3).answers("105")
    story.after(30).caller_leaves()
    debt = story.debt
    assert (debt.state, debt.rescuer, debt.closed_by_call) == (State.CLIENT_RETURNED, "105", story.key)


def test_a_returned_clients_talk_too_short_closes_nothing() -> None:
    story = miss().after(300).calls_in().waits_in("support").rings("105").after(3).answers("105")
    assert story.after(4).caller_leaves().debt.state is State.OPEN


def test_a_client_who_returns_and_is_lost_again_has_not_returned() -> None:
    story = miss().after(300).calls_in().waits_in("sales").rings("105").after(3).answers("105").after(20)
    story.sends_blind("105", "106").rings("106").after(20).dial_ends("NOANSWER").stop_ringing().pbx_ends()
    assert (story.debt.state, story.debt.priority) == (State.OPEN, 2)


# colours


def test_a_call_that_was_not_lost_is_green() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(3).answers("101").after(9).caller_leaves()
    assert story.colour() is Colour.GREEN


def test_a_lost_call_nobody_tried_is_red_then_yellow_then_green() -> None:
    story = miss()
    missed = story.key
    seen = [story.colour(missed)]
    call_back(story).after(15).caller_leaves()
    seen.append(story.colour(missed))
    call_back(story).after(3).answers(CLIENT).after(20).hangs_up(CLIENT)
    seen.append(story.colour(missed))
    assert seen == [Colour.RED, Colour.YELLOW, Colour.GREEN]
    assert story.colour() is None, "outbound calls have no colour"


def test_every_missed_call_of_a_callback_has_its_colour() -> None:
    story = miss()
    first = story.key
    second = miss(story.after(60)).key
    story.after(60).calls_in().waits_in("sales").rings("101").after(2).answers("101").after(30).caller_leaves()
    assert [story.colour(first), story.colour(second), story.colour()] == [Colour.GREEN] * 3


def test_a_dismissed_callback_has_no_colour_and_an_expired_one_keeps_its_own() -> None:
    story = miss()
    story.debts = (replace(story.debt, state=State.DISMISSED),)
    assert story.colour() is None
    story.debts = (replace(story.debt, state=State.EXPIRED),)
    assert story.colour() is Colour.RED


@pytest.mark.parametrize("state", [State.REACHED, State.CLIENT_RETURNED, State.DISMISSED, State.EXPIRED])
def test_a_closed_callback_is_never_joined(state: State) -> None:
    story = miss()
    story.debts = (replace(story.debt, state=state),)
    assert len(miss(story.after(60)).debts) == 2


# the deadline, in working time


def test_a_deadline_passes_over_the_night_and_the_sunday() -> None:
    clinic = WorkingHours(week=(((time(9), time(20)),),) * 6 + ((),))
    saturday = datetime(2026, 3, 7, 19, 55, tzinfo=UTC)
    story = miss(Story(Policy(hours=clinic), at=saturday))
    assert saturday + timedelta(seconds=10.1) == story.debt.opened_at
    assert story.debt.due_at == datetime(2026, 3, 9, 9, 5, 10, 100000, tzinfo=UTC)


def test_an_after_hours_miss_is_due_in_the_morning() -> None:
    clinic = WorkingHours(week=(((time(9), time(20)),),) * 7)
    story = miss(Story(Policy(hours=clinic), at=MONDAY_NOON.replace(hour=23)))
    assert (story.cause, story.debt.due_at) == ("after_hours", datetime(2026, 3, 3, 9, 10, tzinfo=UTC))
