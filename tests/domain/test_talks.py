"""Talks, short hangups, transfers; outbound, internal and outside parties."""

from datetime import timedelta

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.policy import Policy
from tests.domain.story import CLIENT, MOBILE, Story


def talking(policy: Policy | None = None) -> Story:
    story = Story(policy).works_in("101", "sales").calls_in().waits_in("sales")
    return story.rings("101", "102").after(3).answers("101")


def talks(story: Story) -> list[tuple[str, float, str]]:
    """(agent, seconds, ended by) of every ended talk."""
    return [
        (t.agent, (t.ended_at - t.began_at).total_seconds(), str(t.ended_by)) for t in story.call.talks if t.ended_at
    ]


def test_a_talk_lasts_from_the_bridge_to_the_end_hold_included() -> None:
    story = talking().after(10).holds("101").after(20).unholds("101").after(5).caller_leaves()
    assert talks(story) == [("101", 35, "caller")]
    assert story.call.talks[0].hold_s == 20
    assert (story.judged.wait_s, story.judged.talk_s) == (3, 35)


def test_a_caller_who_leaves_while_on_hold_was_on_hold_to_the_end() -> None:
    story = talking().after(10).holds("101").after(20).caller_leaves()
    assert talks(story) == [("101", 30, "caller")]
    assert story.call.talks[0].hold_s == 20


def test_a_talk_ended_by_the_pbx_itself_is_the_systems() -> None:
    story = talking().after(10).pbx_ends()
    assert talks(story) == [("101", 10, "system")]


@pytest.mark.parametrize(("first", "by"), [("101", "agent"), ("caller", "caller")])
@pytest.mark.parametrize("both", [True, False], ids=["both-leave", "one-is-hung-up-at-once"])
def test_who_presses_a_disconnect_code_leaves_the_bridge_first(first: str, by: str, both: bool) -> None:
    """No channel asks for its hangup, AgentComplete says `caller` whoever it was; 16 hangs up before both have left."""
    story = talking().after(4)
    phone, bridge = story.line.phones["101"], story.line.bridge
    legs = (phone, story.key) if first == "101" else (story.key, phone)
    story.parts(legs[0], bridge)
    if both:
        story.after(0.001).parts(legs[1], bridge)
    story.tell(f.LegEnded, leg=legs[0], cause=16).parts(legs[1], bridge).tell(f.HangupOrdered, leg=story.key)
    story.tell(f.AgentCompleted, leg=story.key, dest=phone, queue="sales", agent="101", reason="caller")
    story.tell(f.LegEnded, leg=legs[1], cause=16)
    assert (story.judged.ended_by, story.judged.short_hangup) == (by, by == "agent")


def test_who_is_hung_up_by_the_pbx_left_nobody() -> None:
    story = talking().after(4)
    phone = story.line.phones["101"]
    story.tell(f.HangupOrdered, leg=phone).parts(phone, story.line.bridge).tell(f.LegEnded, leg=phone, cause=16)
    assert talks(story) == [("101", 4, "system")]


def test_a_disconnect_whose_bridge_was_not_seen_is_told_by_the_queue() -> None:
    story = talking().after(4).pbx_ends()
    assert story.judged.ended_by == "system"
    story.after(0.2).tell(f.AgentCompleted, leg=story.key, dest="", queue="sales", agent="101", reason="agent")
    assert (story.judged.ended_by, story.judged.short_hangup) == ("agent", True)


# short hangups


@pytest.mark.parametrize(("talked", "short"), [(1, True), (6, True), (6.1, False), (60, False)])
def test_an_agent_who_ends_the_talk_soon_made_a_short_hangup(talked: float, short: bool) -> None:
    story = talking().after(talked).hangs_up("101")
    assert talks(story) == [("101", talked, "agent")]
    assert story.judged.short_hangup is short


def test_a_caller_who_ends_the_talk_soon_is_never_held_against_the_agent() -> None:
    assert talking().after(1).caller_leaves().judged.short_hangup is False


def test_a_talk_ended_by_a_transfer_is_never_a_short_hangup() -> None:
    story = talking().after(1).sends_blind("101", "103").rings("103").after(2).answers("103").after(30).caller_leaves()
    assert talks(story) == [("101", 1, "transfer"), ("103", 30, "caller")]
    assert story.judged.short_hangup is False


def test_a_queue_may_have_a_short_hangup_of_its_own() -> None:
    clinic = Policy(queues={"sales": {"short_hangup": timedelta(seconds=3)}})
    assert talking(clinic).after(5).hangs_up("101").judged.short_hangup is False
    assert talking(clinic).after(2).hangs_up("101").judged.short_hangup is True


def test_a_local_members_hangup_is_his_own() -> None:
    story = (
        Story().calls_in().waits_in("fpbx").rings_behind_local("104").after(3).answers("104").after(5).hangs_up("104")
    )
    assert talks(story) == [("104", 5, "agent")]
    assert story.judged.short_hangup is True


def test_a_dump_rings_everybody_again_and_is_a_short_hangup() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(2).dumps("101").after(1)
    story.rings("102").after(4).answers("102").after(30).caller_leaves()
    assert talks(story) == [("102", 30, "caller")]
    assert (story.judged.short_hangup, story.judged.lost) == (True, False)
    assert story.verdicts == {"101": Verdict.ANSWERED, "102": Verdict.ANSWERED}


# transfers


def test_a_blind_transfer_goes_on_as_one_call() -> None:
    story = talking().after(10).sends_blind("101", "103").rings("103").after(2).answers("103").after(8).hangs_up("103")
    assert story.stages == [("queue", "sales", "answered"), ("dial", "103", "answered")]
    assert [(t.kind, t.frm, t.to) for t in story.call.transfers] == [("blind", "101", "103")]
    assert story.results[-1] == ("103", "answered")
    assert (story.judged.answered_by, story.judged.talk_s) == ("101", 18)
    assert len(story.calls) == 1


def test_a_cancelled_attended_transfer_leaves_no_trace_but_hold() -> None:
    story = talking().after(10).consults("101", "103").after(4).takes_back("101", "103").after(6).caller_leaves()
    assert talks(story) == [("101", 20, "caller")]
    assert story.call.talks[0].hold_s == 4
    assert story.call.transfers == ()
    assert story.verdicts == {"101": Verdict.ANSWERED, "102": Verdict.ANSWERED_ELSEWHERE}
    assert story.stages == [("queue", "sales", "answered")]


def test_a_cancelled_consultation_that_was_answered_is_no_talk_with_the_caller() -> None:
    story = talking().after(10).consults("101", "103").after(4).is_consulted("103").after(9)
    story.takes_back("101", "103").after(6).caller_leaves()
    assert talks(story) == [("101", 29, "caller")]
    assert "103" not in story.verdicts
    assert story.call.talks[0].hold_s == 13


def test_a_completed_attended_transfer_adds_a_dial_entered_at_the_transfer() -> None:
    story = talking().after(10).consults("101", "103").after(2).is_consulted("103").after(5)
    story.hands_over("101", "103")
    moved = story.now
    story.after(12).hangs_up("103")
    assert talks(story) == [("101", 17, "transfer"), ("103", 12, "agent")]
    assert story.stages == [("queue", "sales", "answered"), ("dial", "103", "answered")]
    assert (story.judged.stages[1].entered_at, story.judged.stages[1].left_at) == (moved, moved)
    assert [(t.kind, t.frm, t.to, t.at) for t in story.call.transfers] == [("attended", "101", "103", moved)]
    assert story.verdicts["103"] is Verdict.ANSWERED


def test_a_transfer_handed_over_while_it_rings_gives_the_target_a_verdict() -> None:
    story = talking().after(10).consults("101", "103").after(2).hands_over("101", "103").after(9)
    story.stops("103").line.talking.clear()
    for half in story.line.halves["103"]:
        story.tell(f.LegEnded, leg=half, cause=16)
    story.pbx_ends()
    assert story.verdicts["103"] is Verdict.MISSED
    assert story.stages[-1] == ("dial", "103", "no_answer")
    assert (story.cause, story.judged.lost) == ("transfer_failed", True)


def test_a_caller_who_sends_his_agent_on_has_ended_the_talk() -> None:
    story = talking().after(10)
    story.tell(f.TransferredBlind, leg=story.key, to="103").tell(f.HangupOrdered, leg=story.key)
    story.tell(f.LegEnded, leg=story.key, cause=16).after(20).hangs_up("101")
    assert talks(story) == [("101", 10, "caller")]
    assert (story.judged.lost, story.judged.ended_by) == (False, "caller")


def test_who_brings_a_colleague_in_talks_on_until_he_leaves() -> None:
    story = talking().after(10).consults("101", "103").after(2).is_consulted("103").after(1)
    leg, near = story.line.phones["101"], story.line.halves["103"][0]
    for each in (near, leg):
        story.parts(each, f"consult-{near}").enters(each, story.line.bridge)
    story.tell(f.TransferredAttended, leg=leg, second=leg, target=near, stays=True).after(7)
    story.tell(f.HangupAsked, leg=leg).parts(leg, story.line.bridge).tell(f.LegEnded, leg=leg, cause=16)
    story.after(5).caller_leaves()
    assert talks(story) == [("101", 20, "agent"), ("103", 12, "caller")]
    assert story.judged.verdicts["103"] == "answered"


def test_two_blind_transfers_in_a_row_are_both_told() -> None:
    story = talking().after(10).sends_blind("101", "103").rings("103").after(2).answers("103").after(8)
    story.sends_blind("103", "104").rings("104").after(3).answers("104").after(9).caller_leaves()
    assert [(t.frm, t.to) for t in story.call.transfers] == [("101", "103"), ("103", "104")]
    assert talks(story) == [("101", 10, "transfer"), ("103", 8, "transfer"), ("104", 9, "caller")]
    assert [name for _, name, _ in story.stages] == ["sales", "103", "104"]


def test_a_parked_caller_waits_in_a_stage_of_its_own() -> None:
    story = talking().after(10).sends_blind("101", "700").is_parked("701").after(20)
    hand = story.key
    story.dials("105", "701").tell(f.LegAnswered, leg=story.key)
    taker = story.key
    story.back_to(hand).enters(taker, "b").enters(hand, "b").after(15)
    story.tell(f.HangupAsked, leg=taker).parts(taker, "b").parts(hand, "b").tell(f.LegEnded, leg=taker, cause=16)
    story.tell(f.LegEnded, leg=hand, cause=16)
    assert story.stages == [("queue", "sales", "answered"), ("parked", "701", "answered")]
    assert talks(story) == [("101", 10, "transfer"), ("105", 15, "agent")]


# outside parties


def test_a_mobile_that_answers_is_a_number_without_a_verdict() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(10).queue_ends().is_put_through_to(MOBILE)
    story.rings_outside().after(4).answers(MOBILE).after(20).caller_leaves()
    assert story.stages == [("queue", "sales", "timeout"), ("external", MOBILE, "answered")]
    assert (story.judged.answered_by, talks(story)) == (MOBILE, [(MOBILE, 20, "caller")])
    assert story.verdicts == {"101": Verdict.MISSED}
    assert story.results == [("101", "rna")]
    assert story.judged.lost is False


def test_a_mobile_known_to_be_somebodys_answers_by_his_name() -> None:
    story = Story().calls_in().is_put_through_to(MOBILE).rings_outside(MOBILE, person="anna")
    story.after(4).answers(MOBILE).after(20).caller_leaves()
    assert (story.judged.answered_by, talks(story)) == ("anna", [("anna", 20, "caller")])
    assert story.verdicts == {}


def test_a_mobile_that_hangs_up_at_once_dropped_the_caller_like_anybody() -> None:
    story = Story().calls_in().is_put_through_to(MOBILE).rings_outside().after(4).answers(MOBILE).after(2)
    story.hangs_up(MOBILE)
    assert (story.cause, story.judged.short_hangup, story.judged.lost) == ("dropped", True, True)


@pytest.mark.parametrize(
    ("heard", "cause", "result"), [(False, 17, "busy"), (False, 38, "unreachable"), (True, 0, "no_answer")]
)
def test_a_mobile_that_is_not_reached_gives_the_stage_its_result(heard: bool, cause: int, result: str) -> None:
    story = Story().calls_in().after(0.1).is_put_through_to(MOBILE).rings_outside(heard=heard)
    story.after(10 if heard else 0.3).stops(MOBILE, cause).dial_ends("CHANUNAVAIL").pbx_ends()
    assert story.stages == [("external", MOBILE, result)]


def test_the_callers_own_leg_is_never_the_mobiles_answer() -> None:
    """Without timestampevents a whole chunk of events has one time of receipt."""
    story = Story().calls_in().is_put_through_to(MOBILE).rings_outside(heard=False).after(0.3)
    story.stops(MOBILE, 17).dial_ends("BUSY").pbx_ends()
    assert story.stages == [("external", MOBILE, "busy")]


# calls of our own


def test_an_outbound_talk_is_of_who_dialled() -> None:
    story = Story().dials("102", CLIENT).is_put_through_to(CLIENT).rings_outside(CLIENT).after(6).answers(CLIENT)
    story.after(2).tell(f.HangupAsked, leg=story.key).parts(story.key, story.line.bridge)._over()
    assert (story.call.direction, story.call.caller, story.call.called) == ("outbound", "102", CLIENT)
    assert (story.judged.answered_by, talks(story)) == (CLIENT, [("102", 2, "agent")])
    assert (story.judged.short_hangup, story.verdicts, story.judged.wait_s) == (False, {}, 6)
    assert story.stages == [("external", CLIENT, "answered")]


def test_the_other_side_of_an_outbound_call_is_the_caller() -> None:
    story = Story().dials("102", CLIENT).is_put_through_to(CLIENT).rings_outside(CLIENT).after(6).answers(CLIENT)
    assert talks(story.after(9).hangs_up(CLIENT)) == [("102", 9, "caller")]


def test_a_click_to_call_is_outbound_and_the_customers_ring_is_what_counts() -> None:
    story = Story().is_clicked_for("101").is_put_through_to(CLIENT).rings_outside(CLIENT).after(5)
    story.answers(CLIENT).after(12).hangs_up(CLIENT)
    assert (story.call.direction, story.call.caller, story.call.called) == ("outbound", "101", CLIENT)
    assert (talks(story), story.results) == ([("101", 12, "caller")], [])


def test_an_internal_call_has_one_talk_of_the_answerer() -> None:
    story = Story().dials("101", "102").is_put_through_to("102").rings("102").after(3).answers("102")
    assert story.activity("101") == [("talking", None)]
    story.after(7).caller_leaves()
    assert (story.call.direction, story.judged.answered_by, talks(story)) == ("internal", "102", [("102", 7, "caller")])
    assert story.verdicts == {}


@pytest.mark.parametrize("code", ["*78", "*45", "*8101"])
def test_a_feature_code_is_internal_with_no_stages_and_no_talk(code: str) -> None:
    story = Story().dials("101", code).tell(f.LegAnswered, leg="main.1").hears_menu("app-dnd").after(4).caller_leaves()
    assert (story.call.direction, story.stages, talks(story)) == ("internal", [], [])
    assert (story.disposition, story.judged.answered_by, story.judged.talk_s) == ("no_answer", None, 0)


def test_a_menu_left_at_once_or_later_is_passed() -> None:
    story = (
        Story().calls_in().hears_menu("1010").hears_menu("sub").after(10).waits_in("sales").after(20).caller_leaves()
    )
    assert story.stages == [("ivr", "1010", "passed"), ("queue", "sales", "abandoned")]
    assert story.judged.wait_s == 20


@pytest.mark.parametrize(
    ("status", "result"), [("TIMEOUT", "timeout"), ("FULL", "full"), ("JOINEMPTY", "empty"), ("LEAVEEMPTY", "empty")]
)
def test_a_queues_own_word_is_its_result(status: str, result: str) -> None:
    story = Story().calls_in().waits_in("sales").after(9).queue_ends(status).pbx_ends()
    assert story.stages == [("queue", "sales", result)]


def test_a_queue_left_by_a_key_for_another_stop_is_left_by_key() -> None:
    story = Story().calls_in().waits_in("sales").after(9).queue_ends("").hears_menu("1010").after(5).caller_leaves()
    assert [result for _, _, result in story.stages] == ["key", "abandoned"]
