"""Disposition, lost, and the first cause that fits."""

from datetime import UTC, datetime, time, timedelta

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.judge import Cause, Disposition, Verdict
from pbxmonitor.domain.policy import Policy, WorkingHours
from tests.domain.story import MOBILE, Story

NINE_TO_SIX = WorkingHours(week=(((time(9), time(18)),),) * 5 + ((), ()))
NIGHT = datetime(2026, 3, 2, 22, 0, tzinfo=UTC)


def queued(*agents: str, policy: Policy | None = None) -> Story:
    story = Story(policy)
    for agent in agents or ("101", "102"):
        story.works_in(agent, "sales")
    return story.calls_in().waits_in("sales")


# disposition


def test_a_talk_makes_the_call_answered() -> None:
    story = queued().rings("101").after(3).answers("101").after(20).caller_leaves()
    assert (story.disposition, story.judged.lost, story.cause) == (Disposition.ANSWERED, False, None)


def test_a_caller_who_hangs_up_first_abandoned() -> None:
    story = queued().rings("101").after(8).caller_leaves()
    assert (story.disposition, story.judged.ended_by) == (Disposition.ABANDONED, "caller")
    assert story.stages == [("queue", "sales", "abandoned")]


def test_phones_that_all_refused_are_busy() -> None:
    story = Story().calls_in().is_put_through_to("101", "102").rings("101", "102", heard=False)
    story.declines("101", 17).after(4).declines("102", 21).dial_ends("BUSY").pbx_ends(17)
    assert (story.disposition, story.judged.ended_by) == (Disposition.BUSY, "system")


def test_phones_that_could_not_be_reached_are_unreachable() -> None:
    story = Story().calls_in().is_put_through_to("101").dial_ends("CHANUNAVAIL").pbx_ends(3)
    assert story.disposition is Disposition.UNREACHABLE


def test_unreachable_only_if_no_phone_rang() -> None:
    story = Story().calls_in().is_put_through_to("101", "102").rings("101").after(9).dial_ends("NOANSWER").pbx_ends()
    assert story.disposition is Disposition.NO_ANSWER


def test_a_busy_dial_before_the_queue_does_not_make_the_call_busy() -> None:
    story = Story().calls_in().is_put_through_to("103").rings("103").declines("103", 17).dial_ends("BUSY")
    story.waits_in("sales").rings("101").after(9).queue_ends().pbx_ends()
    assert story.disposition is Disposition.NO_ANSWER


def test_a_call_that_the_pbx_ends_had_no_answer() -> None:
    story = queued().rings("101").after(20).queue_ends("TIMEOUT").pbx_ends()
    assert (story.disposition, story.judged.ended_by) == (Disposition.NO_ANSWER, "system")
    assert story.stages == [("queue", "sales", "timeout")]


def test_a_call_whose_end_nobody_saw_is_unknown() -> None:
    story = queued().rings("101").after(8)
    for leg in tuple(story.call.legs):
        story.tell(f.LegVanished, leg=leg)
    assert story.disposition is Disposition.UNKNOWN
    assert story.call.ended_at == story.now


def test_an_open_call_has_no_end_no_loss_and_no_cause() -> None:
    story = queued().rings("101").after(30)
    assert (story.judged.ended_by, story.judged.lost, story.cause) == (None, False, None)
    assert story.judged.wait_s == 30


# the causes, in order


def test_after_hours_comes_first() -> None:
    story = Story(Policy(hours=NINE_TO_SIX), at=NIGHT).calls_in().waits_in("sales").after(2).caller_leaves()
    assert (story.cause, story.judged.lost) == (Cause.AFTER_HOURS, True)


def test_an_answered_call_has_no_cause_even_at_night() -> None:
    story = Story(Policy(hours=NINE_TO_SIX), at=NIGHT).calls_in().waits_in("sales").rings("101").after(2)
    story.answers("101").after(30).caller_leaves()
    assert (story.cause, story.judged.lost) == (None, False)


def test_a_caller_gone_within_seconds_is_not_lost() -> None:
    story = queued().rings("101").after(4.9).caller_leaves()
    assert (story.cause, story.judged.lost) == (Cause.SHORT_ABANDON, False)
    assert story.colour() is None
    assert story.debts == ()


def test_a_short_abandon_is_measured_from_the_first_queue_not_from_the_menu() -> None:
    story = Story().calls_in().hears_menu().after(40).waits_in("sales").rings("101").after(4).caller_leaves()
    assert (story.cause, story.judged.wait_s) == (Cause.SHORT_ABANDON, 4)


def test_a_short_abandon_is_measured_from_the_first_queue_not_from_the_second() -> None:
    story = queued().rings("101").after(30).queue_ends().waits_in("reserve").after(2).caller_leaves()
    assert (story.cause, story.judged.wait_s) == (Cause.IGNORED, 32)


def test_a_short_abandon_is_measured_from_the_first_dial() -> None:
    story = Story().calls_in().hears_menu().after(40).is_put_through_to("101").rings("101").after(4).caller_leaves()
    assert story.cause is Cause.SHORT_ABANDON


def test_who_reaches_neither_queue_nor_dial_is_measured_from_the_start() -> None:
    assert Story().calls_in().hears_menu().after(4).caller_leaves().cause is Cause.SHORT_ABANDON
    assert Story().calls_in().hears_menu().after(6).caller_leaves().cause is Cause.IVR


def test_a_caller_thrown_out_at_once_by_the_pbx_did_not_abandon() -> None:
    story = Story().calls_in().waits_in("sales").after(1).queue_ends("FULL").pbx_ends()
    assert (story.cause, story.judged.lost) == (Cause.CALLER_GAVE_UP, True)


def test_a_menu_that_leads_nowhere_is_its_own_cause() -> None:
    story = Story().calls_in().hears_menu("1010").after(30).pbx_ends()
    assert (story.cause, story.disposition) == (Cause.IVR, Disposition.NO_ANSWER)


def test_a_queue_of_paused_and_disturbed_people_has_no_agents() -> None:
    story = Story().works_in("101", "sales").works_in("102", "sales").pauses("101", "sales").dnd("102")
    story.calls_in().waits_in("sales").after(60).caller_leaves()
    assert story.cause is Cause.NO_AGENTS


def test_a_queue_whose_last_member_went_home_has_no_agents() -> None:
    story = Story().works_in("101", "sales").leaves_queues("101", "sales")
    story.calls_in().waits_in("sales").after(60).caller_leaves()
    assert story.cause is Cause.NO_AGENTS


def test_pausing_in_another_queue_keeps_the_agent_here() -> None:
    story = Story().works_in("101", "sales", "support").pauses("101", "support")
    assert story.calls_in().waits_in("sales").call.stages[0].available == 1


def test_a_queue_whose_phones_are_all_unregistered_is_technical() -> None:
    story = (
        Story().works_in("101", "sales").phone_is("101", online=False).works_in("102", "sales").pauses("102", "sales")
    )
    story.calls_in().waits_in("sales").after(60).caller_leaves()
    assert story.cause is Cause.TECHNICAL


def test_phones_that_all_failed_are_technical() -> None:
    story = Story().calls_in().is_put_through_to("101").dial_ends("CHANUNAVAIL").after(8).pbx_ends(3)
    assert story.cause is Cause.TECHNICAL


def test_phones_that_all_said_busy_at_once_are_refused() -> None:
    story = queued().rings("101", "102", heard=False).after(0.2).declines("101", 17).declines("102", 17)
    story.after(30).caller_leaves()
    assert story.cause is Cause.REFUSED
    assert story.verdicts == {"101": Verdict.REFUSED, "102": Verdict.REFUSED}


def test_one_phone_that_rang_is_enough_not_to_be_refused() -> None:
    story = queued().rings("101", "102", heard=False).after(0.2).declines("101", 17).after(10).stops("102")
    assert story.after(1).caller_leaves().cause is Cause.IGNORED


def test_everybody_talking_from_entry_to_end_is_overload() -> None:
    story = Story().works_in("101", "sales").calls_in("+79160000009").waits_in("sales").rings("101").after(1)
    busy = story.answers("101").key
    story.after(5).calls_in().waits_in("sales").after(40).caller_leaves()
    assert story.cause is Cause.OVERLOAD
    assert story.back_to(busy).after(5).caller_leaves().cause is None


def test_a_free_agent_who_was_never_rung_is_no_overload() -> None:
    story = queued("101").after(40).caller_leaves()
    assert story.cause is Cause.CALLER_GAVE_UP


def test_an_agent_who_became_free_meanwhile_is_no_overload() -> None:
    story = Story().works_in("101", "sales").calls_in("+79160000009").waits_in("sales").rings("101").after(1)
    busy = story.answers("101").key
    waiting = story.after(5).calls_in().waits_in("sales").key
    story.after(5).back_to(busy).caller_leaves().back_to(waiting).after(40).caller_leaves()
    assert story.cause is Cause.CALLER_GAVE_UP


@pytest.mark.parametrize("cause", [17, 38])
def test_an_outside_phone_takes_technical_and_refused_out_of_the_question(cause: int) -> None:
    story = queued("101").rings("101", heard=False).stops("101", cause).after(20).queue_ends()
    story.is_put_through_to(MOBILE).rings_outside().after(20).dial_ends("NOANSWER").stop_ringing().pbx_ends()
    assert story.cause is Cause.CALLER_GAVE_UP
    assert story.stages[-1] == ("external", MOBILE, "no_answer")


def test_a_transfer_to_somebody_who_never_answers_failed() -> None:
    story = queued().rings("101").after(2).answers("101").after(30).sends_blind("101", "103")
    story.rings("103").after(20).dial_ends("NOANSWER").stop_ringing().pbx_ends()
    assert (story.cause, story.judged.lost, story.disposition) == (Cause.TRANSFER_FAILED, True, Disposition.ANSWERED)
    assert story.verdicts["103"] is Verdict.MISSED
    assert story.debt.owner == "103"


def test_a_caller_who_gives_up_on_the_transfers_target_is_lost() -> None:
    story = queued().rings("101").after(2).answers("101").after(30).sends_blind("101", "103")
    story.rings("103").after(8).caller_leaves()
    assert (story.cause, story.judged.lost) == (Cause.TRANSFER_FAILED, True)


@pytest.mark.parametrize(("talked", "cause"), [(2.9, Cause.DROPPED), (3.1, None)])
def test_an_agent_who_hangs_up_at_once_dropped_the_caller(talked: float, cause: Cause | None) -> None:
    story = queued().rings("101").after(2).answers("101").after(talked).hangs_up("101")
    assert story.cause is cause
    assert story.judged.lost is (cause is not None)
    assert (story.disposition, story.verdicts["101"]) == (Disposition.ANSWERED, Verdict.ANSWERED)


def test_a_caller_who_hangs_up_at_once_was_talked_to() -> None:
    story = queued().rings("101").after(2).answers("101").after(1).caller_leaves()
    assert (story.cause, story.judged.lost) == (None, False)


def test_a_real_talk_after_a_dropped_one_saves_the_call() -> None:
    story = queued().rings("101").after(2).answers("101").after(1)
    story.tell(f.HangupAsked, leg=story.line.phones["101"]).parts(story.key, story.line.bridge)
    story.tell(f.LegEnded, leg=story.line.phones["101"], cause=16).line.talking.clear()
    story.is_put_through_to("102").rings("102").after(3).answers("102").after(30).caller_leaves()
    assert (story.cause, story.judged.lost, story.judged.short_hangup) == (None, False, True)


def test_an_agent_who_dumps_the_caller_before_the_bridge_dropped_him() -> None:
    story = queued("101").rings("101").after(2).dumps("101").after(10).caller_leaves()
    assert (story.cause, story.judged.short_hangup, story.disposition) == (Cause.DROPPED, True, Disposition.ABANDONED)
    assert story.debt.owner == "101"


def test_a_refusal_by_hand_comes_before_an_ignored_ring() -> None:
    story = queued().rings("101", "102").after(2).declines("101").after(10).stops("102").after(1).caller_leaves()
    assert story.cause is Cause.DECLINED


def test_a_free_agents_long_ring_was_ignored() -> None:
    assert queued().rings("101").after(15).stops("101").after(1).caller_leaves().cause is Cause.IGNORED


def test_otherwise_the_caller_gave_up() -> None:
    story = queued().after(20).rings("101").after(2).caller_leaves()
    assert story.cause is Cause.CALLER_GAVE_UP


def test_a_call_with_a_voicemail_is_lost_by_what_rang_before() -> None:
    story = queued().rings("101").after(15).queue_ends().leaves_a_voicemail("100").after(30).caller_leaves()
    assert (story.cause, story.judged.lost) == (Cause.IGNORED, True)
    assert story.stages[-1][:2] == ("voicemail", "100")


def test_a_queue_may_have_a_short_abandon_of_its_own() -> None:
    policy = Policy(queues={"sales": {"short_abandon": timedelta(seconds=10)}})
    assert queued(policy=policy).rings("101").after(9).caller_leaves().cause is Cause.SHORT_ABANDON


def test_internal_and_outbound_calls_are_never_lost() -> None:
    inside = Story().dials("101", "102").is_put_through_to("102").rings("102").after(10).caller_leaves()
    outside = Story().dials("101", "+79160000001").is_put_through_to("+79160000001")
    outside.rings_outside("+79160000001").after(10).caller_leaves()
    for story in (inside, outside):
        assert (story.judged.lost, story.cause, story.colour(), story.debts) == (False, None, None, ())
