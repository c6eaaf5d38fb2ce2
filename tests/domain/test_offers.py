"""How one ringing ended, and the one verdict of an agent about a call."""

from datetime import timedelta

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.policy import Policy
from tests.domain.story import Story


def queued(policy: Policy | None = None) -> Story:
    return Story(policy).works_in("101", "sales").works_in("102", "sales").calls_in().waits_in("sales")


def test_a_phone_that_is_answered_is_answered() -> None:
    story = queued().rings("101").after(3).answers("101")
    assert story.results == [("101", "answered")]
    assert story.call.offers[0].ended_at == story.now


@pytest.mark.parametrize("cause", [17, 21])
def test_a_refusal_after_a_second_of_ringing_was_a_hand_on_the_button(cause: int) -> None:
    story = queued().rings("101").after(1).declines("101", cause)
    assert story.results == [("101", "declined")]


@pytest.mark.parametrize("cause", [17, 21])
def test_a_refusal_sooner_than_any_hand_is_a_busy_phone(cause: int) -> None:
    story = queued().rings("101", heard=False).after(0.9).declines("101", cause)
    assert story.results == [("101", "busy")]


def test_a_phone_rung_to_the_end_of_its_time_rang_out() -> None:
    story = queued().rings("101").after(15).stops("101")
    assert story.results == [("101", "rna")]


def test_the_end_of_the_queues_time_is_a_ring_without_answer_too() -> None:
    story = queued().rings("101").after(15).queue_ends("TIMEOUT").after(1).pbx_ends()
    assert story.results == [("101", "rna")]


def test_a_phone_that_says_nothing_of_ringing_still_rang_out() -> None:
    story = queued().rings("101", heard=False).after(15).stops("101")
    assert story.results == [("101", "rna")]


def test_a_caller_who_leaves_while_phones_ring_gave_up_on_all_of_them() -> None:
    story = queued().rings("101", "102").after(8).caller_leaves()
    assert story.results == [("101", "caller_gave_up"), ("102", "caller_gave_up")]


def test_a_hangup_request_after_the_pbx_ended_the_channel_is_no_leaving() -> None:
    story = queued().rings("101").after(8).stops("101").after(2).tell(f.CallUnqueued, leg="main.3", queue="sales")
    story.tell(f.HangupOrdered, leg=story.key).after(0.01).tell(f.HangupAsked, leg=story.key)
    story.tell(f.LegEnded, leg=story.key, cause=16)
    assert story.results == [("101", "rna")]
    assert story.disposition == "no_answer"
    assert story.judged.ended_by == "system"


def test_cause_26_means_that_a_colleague_picked_up() -> None:
    story = queued().rings("101", "102").after(4).answers("102", others=26)
    assert story.results == [("101", "answered_elsewhere"), ("102", "answered")]


@pytest.mark.parametrize("cause", [0, 16])
def test_a_cancel_at_the_moment_of_a_colleagues_answer_means_the_same(cause: int) -> None:
    story = queued().rings("101", "102").after(4).answers("102", others=cause)
    assert story.results == [("101", "answered_elsewhere"), ("102", "answered")]


def test_a_ring_that_ran_out_before_the_colleague_answered_stays_a_miss() -> None:
    story = queued().rings("101").after(10).stops("101").rings("102").after(0.5).answers("102")
    assert story.results == [("101", "rna"), ("102", "answered")]
    assert story.verdicts == {"101": Verdict.MISSED, "102": Verdict.ANSWERED}


def test_a_refusal_at_the_moment_of_a_colleagues_answer_stays_a_refusal() -> None:
    story = queued().rings("101", "102").after(4).picks_up("102").declines("101")
    assert story.results == [("101", "declined"), ("102", "answered")]


@pytest.mark.parametrize("cause", [3, 18, 20, 34, 38, 127])
def test_a_phone_that_fails_without_a_ring_was_unreachable(cause: int) -> None:
    story = queued().rings("101", heard=False).stops("101", cause)
    assert story.results == [("101", "unreachable")]
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_an_unregistered_phone_makes_a_ring_of_no_length() -> None:
    story = Story().calls_in(line="1005").is_put_through_to("101").after(0.1).dial_ends("CHANUNAVAIL").pbx_ends(3)
    (offer,) = story.call.offers
    assert (offer.agent, offer.result, offer.began_at) == ("101", "unreachable", offer.ended_at)
    assert story.stages == [("dial", "101", "unreachable")]


def test_of_a_ring_group_only_the_phones_that_are_not_there_are_unreachable() -> None:
    story = Story().calls_in().is_put_through_to("101", "102").rings("102").after(20).dial_ends("NOANSWER")
    story.stop_ringing().pbx_ends()
    assert sorted(story.results) == [("101", "unreachable"), ("102", "rna")]
    assert story.stages == [("dial", "101&102", "no_answer")]


def test_a_phone_hung_up_by_the_administrator_was_cancelled() -> None:
    story = queued().rings("101").after(5)
    story.tell(f.HangupOrdered, leg=story.line.phones["101"]).stops("101", 16)
    assert story.results == [("101", "cancelled")]
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_a_caller_hung_up_by_the_administrator_cancels_the_rings() -> None:
    story = queued().rings("101").after(5).tell(f.HangupOrdered, leg="main.3").stop_ringing()
    assert story.results == [("101", "cancelled")]


def test_ringing_again_is_a_new_offer() -> None:
    story = queued().rings("101").after(10).stops("101").after(1).rings("101").after(4).answers("101")
    assert story.results == [("101", "rna"), ("101", "answered")]
    assert story.verdicts == {"101": Verdict.ANSWERED}


def test_the_dial_behind_a_local_member_is_neither_a_stage_nor_a_second_offer() -> None:
    story = Story().calls_in().waits_in("fpbx").rings_behind_local("104").after(3).answers("104")
    assert story.results == [("104", "answered")]
    assert story.stages == [("queue", "fpbx", "answered")]
    assert story.judged.answered_by == "104"


def test_the_ring_behind_a_local_member_ends_as_its_real_phone_did() -> None:
    story = Story().calls_in().waits_in("fpbx").rings_behind_local("104").after(3).declines("104")
    for half in story.line.halves["104"]:
        story.tell(f.LegEnded, leg=half, cause=16)
    assert story.results == [("104", "declined")]


def test_an_early_word_of_the_phone_behind_a_local_member_is_the_same_ring() -> None:
    """Asterisk may tell of the phone's DialBegin before the queue's AgentCalled."""
    story = Story().calls_in().waits_in("fpbx")
    key, phone = story.key, {"endpoint": "PJSIP/104", "number": "104", "trunk": False, "local": False}
    half = {"endpoint": "Local/104@from-queue", "number": None, "trunk": False, "local": True}
    for leg, what in (("near", half), ("far", half), ("phone", phone)):
        story.tell(f.LegStarted, leg=leg, linked=key, agent="104", exten="s", incoming=False, **what)
    story.tell(f.LocalJoined, leg="near", other="far").tell(f.DialBegan, leg="far", dest="phone", number="104")
    story.tell(f.AgentOffered, leg=key, dest="near", queue="fpbx", agent="104").after(7)
    story.tell(f.LegEnded, leg="phone", cause=0)
    assert story.results == [("104", "rna")]
    assert [offer.queue for offer in story.call.offers] == ["fpbx"]


def test_a_pickup_by_a_colleague_is_his_answer() -> None:
    story = Story().calls_in(line="1005").is_put_through_to("101").rings("101").after(4)
    key, rung = story.key, story.line.phones["101"]
    story.dials("103", "*8").tell(f.LegPicked, leg=story.key, target=rung)
    hand, _ = story.key, story.tell(f.LegAnswered, leg=story.key)
    story.back_to(key).dial_ends("ANSWER").enters(key, "b").enters(hand, "b").stops("101", 26).after(20)
    story.tell(f.HangupAsked, leg=key).parts(key, "b").tell(f.LegEnded, leg=key, cause=16)
    story.tell(f.LegEnded, leg=hand, cause=16)
    assert story.judged.answered_by == "103"
    assert story.verdicts == {"101": Verdict.ANSWERED_ELSEWHERE, "103": Verdict.ANSWERED}
    assert story.calls[hand].merged_into == key
    assert story.cause is None


# one verdict per agent and call


def test_an_answer_outweighs_an_earlier_refusal() -> None:
    story = queued().rings("101").after(3).declines("101").after(1).rings("101").after(2).answers("101")
    assert story.verdicts == {"101": Verdict.ANSWERED}


def test_a_refusal_by_hand_is_a_miss_whoever_answers_then() -> None:
    story = queued().rings("101", "102").after(1.5).declines("101").after(3).answers("102")
    assert story.verdicts == {"101": Verdict.MISSED, "102": Verdict.ANSWERED}


def test_one_long_ring_is_a_miss_though_a_colleague_answers_the_next() -> None:
    story = queued().rings("101").after(3).stops("101").after(1).rings("101", "102").after(2).answers("102")
    assert story.results[1] == ("101", "answered_elsewhere")
    assert story.verdicts["101"] is Verdict.MISSED


def test_short_rings_do_not_add_up_to_a_miss() -> None:
    story = queued().rings("101").after(2).stops("101").after(1).rings("101").after(2.9).stops("101")
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_a_ring_of_just_the_least_length_is_a_miss() -> None:
    story = queued().rings("101").after(3).stops("101")
    assert story.verdicts == {"101": Verdict.MISSED}


def test_a_colleagues_answer_outweighs_a_short_ring_and_a_busy_phone() -> None:
    story = queued().rings("101", heard=False).declines("101", 17).after(1).rings("101", "102").after(2).answers("102")
    assert story.results[0] == ("101", "busy")
    assert story.verdicts["101"] is Verdict.ANSWERED_ELSEWHERE


def test_a_busy_phone_is_refused_and_never_a_miss() -> None:
    story = queued().rings("101", heard=False).declines("101", 17).after(1).rings("101").after(2).stops("101")
    assert story.verdicts == {"101": Verdict.REFUSED}


def test_a_caller_who_gives_up_on_a_short_ring_is_nobodys_miss() -> None:
    story = queued().after(20).rings("101").after(2).caller_leaves()
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_a_queue_may_have_a_least_ring_of_its_own() -> None:
    policy = Policy(queues={"sales": {"min_ring": timedelta(seconds=10)}})
    story = queued(policy).rings("101").after(8).stops("101")
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}
    assert Story(policy).calls_in().waits_in("support").rings("101").after(8).stops("101").verdicts == {
        "101": Verdict.MISSED
    }


def test_verdicts_are_for_inbound_calls_only() -> None:
    story = Story().dials("101", "102").is_put_through_to("102").rings("102").after(10).caller_leaves()
    assert story.call.direction == "internal"
    assert story.verdicts == {}
