"""One agent on two tracks: how available he is, and what keeps him busy."""

from collections.abc import Callable

import pytest

from pbxmonitor.domain.agent import AgentState
from tests.domain.story import Story


def test_somebody_first_heard_of_is_ready() -> None:
    assert Story().works_in("101", "sales").availability("101") == [("ready", None, None)]


def test_the_first_state_that_holds_wins() -> None:
    story = Story().works_in("101", "sales").after(60)
    words: tuple[Callable[[], Story], ...] = (
        lambda: story.pauses("101", "sales", reason="lunch"),
        lambda: story.dnd("101"),
        lambda: story.phone_is("101", online=False),
        lambda: story.leaves_queues("101", "sales"),
        lambda: story.works_in("101", "sales"),
        lambda: story.phone_is("101", online=True),
        lambda: story.dnd("101", on=False),
    )
    seen = []
    for word in words:
        word()
        seen.append(str(story.after(10).state("101")))
    assert seen == ["paused", "dnd", "offline", "logged_out", "offline", "dnd", "ready"]


def test_a_member_removed_from_his_last_queue_is_logged_out() -> None:
    story = Story().works_in("101", "sales", "support").after(60).leaves_queues("101", "sales")
    assert story.state("101") is AgentState.READY
    story.after(5).leaves_queues("101", "support").after(30).works_in("101", "sales")
    assert story.availability("101") == [("ready", None, 65), ("logged_out", None, 30), ("ready", None, None)]


def test_somebody_who_never_was_a_member_is_not_logged_out() -> None:
    assert Story().phone_is("106", online=True).state("106") is AgentState.READY


def test_a_pause_in_one_queue_is_a_pause_and_gathers_the_queues_it_covers() -> None:
    story = Story().works_in("101", "sales", "support", "reception").after(60)
    story.pauses("101", "support", reason="lunch").after(20).pauses("101", "sales", reason="lunch").after(20)
    story.unpauses("101", "support").after(20).unpauses("101", "sales")
    assert story.availability("101") == [("ready", None, 60), ("paused", "lunch", 60), ("ready", None, None)]
    (pause,) = [i for (_, _, _), i in story._lived.items() if i.state is AgentState.PAUSED]
    assert pause.queues == ("sales", "support")


def test_a_pause_is_split_where_its_reason_changes() -> None:
    story = Story().works_in("101", "sales").after(60).pauses("101", "sales", reason="lunch").after(600)
    story.pauses("101", "sales", reason="training").after(300).unpauses("101", "sales")
    assert story.availability("101") == [
        ("ready", None, 60),
        ("paused", "lunch", 600),
        ("paused", "training", 300),
        ("ready", None, None),
    ]


def test_a_pause_repeated_with_its_reason_goes_on() -> None:
    story = Story().works_in("101", "sales").after(60).pauses("101", "sales", reason="lunch").after(600)
    story.pauses("101", "sales", reason="lunch").after(300).unpauses("101", "sales")
    assert story.availability("101")[1] == ("paused", "lunch", 900)


def test_a_reason_told_in_the_same_moment_belongs_to_the_start() -> None:
    story = Story().works_in("101", "sales").after(60).dnd("101").after(0.02)
    story.presence("101", "dnd", "lunch", "Обед").after(1800).dnd("101", on=False).presence("101", "available")
    assert story.availability("101") == [("ready", None, 60), ("dnd", "lunch", 1800.02), ("ready", None, None)]
    assert [i.note for i in story._lived.values() if i.state is AgentState.DND] == ["Обед"]


def test_a_reason_told_much_later_begins_a_stretch_of_its_own() -> None:
    story = Story().works_in("101", "sales").dnd("101").after(600).presence("101", "dnd", "lunch").after(60)
    story.dnd("101", on=False).presence("101", "available")
    assert [(state, reason, lasted) for state, reason, lasted in story.availability("101") if state == "dnd"] == [
        ("dnd", None, 600),
        ("dnd", "lunch", 60),
    ]


@pytest.mark.parametrize("status", ["dnd", "away", "xa"])
def test_a_presence_that_is_away_is_dnd(status: str) -> None:
    assert Story().presence("101", status, "lunch").state("101") is AgentState.DND


@pytest.mark.parametrize("status", ["available", "chat", "unavailable", "not_set"])
def test_any_other_presence_is_not(status: str) -> None:
    assert Story().presence("101", status).state("101") is AgentState.READY


def test_dnd_lasts_until_its_last_flag_is_gone() -> None:
    story = Story().works_in("104", "fpbx").after(10).dnd("104").dnd("104", flag="DEVDND").after(60)
    story.dnd("104", on=False).after(30).dnd("104", on=False, flag="DEVDND")
    assert story.availability("104") == [("ready", None, 10), ("dnd", None, 90), ("ready", None, None)]


def test_who_has_two_devices_is_offline_when_both_are() -> None:
    story = Story().phone_is("anna", True, "PJSIP/101").phone_is("anna", True, "PJSIP/201").after(10)
    story.phone_is("anna", False, "PJSIP/101")
    assert story.state("anna") is AgentState.READY
    story.after(10).phone_is("anna", False, "PJSIP/201").after(10).phone_is("anna", True, "PJSIP/101")
    assert story.availability("anna") == [("ready", None, 20), ("offline", None, 10), ("ready", None, None)]


def test_a_fact_that_changes_nothing_leaves_no_trace() -> None:
    story = Story().works_in("101", "sales").phone_is("101", True).pauses("101", "sales", reason="lunch")
    known = len(story.changes)
    story.after(9).phone_is("101", True).pauses("101", "sales", reason="lunch").dnd("101", on=False)
    assert len(story.changes) == known


# the other track


def test_a_call_rings_talks_holds_and_is_over() -> None:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").after(4).answers("101")
    story.after(10).holds("101").after(20).unholds("101").after(5).caller_leaves()
    assert story.activity("101") == [("ringing", 4), ("talking", 10), ("hold", 20), ("talking", 5)]
    assert story.agent("101").activity is None
    assert story.availability("101") == [("ready", None, None)]


def test_wrapup_follows_a_queues_talk_for_the_queues_time() -> None:
    story = Story().works_in("101", "sales", wrapup=15).calls_in().waits_in("sales").rings("101").after(4)
    story.answers("101").after(10).caller_leaves().after(40).phone_is("101", True)
    assert story.activity("101") == [("ringing", 4), ("talking", 10), ("wrapup", 15)]


def test_a_call_that_comes_during_wrapup_ends_it() -> None:
    story = Story().works_in("101", "sales", wrapup=15).calls_in().waits_in("sales").rings("101").after(4)
    story.answers("101").after(10).caller_leaves().after(6)
    story.calls_in(line="1005").is_put_through_to("101").rings("101").after(3).caller_leaves()
    assert story.activity("101") == [("ringing", 4), ("talking", 10), ("wrapup", 6), ("ringing", 3)]


def test_a_ring_without_a_talk_has_no_wrapup() -> None:
    story = Story().works_in("101", "sales", wrapup=15).calls_in().waits_in("sales").rings("101").after(4).stops("101")
    assert story.agent("101").activity is None


def test_who_talks_while_another_call_rings_is_talking() -> None:
    story = Story().calls_in().waits_in("sales").rings("101").after(2).answers("101").after(5)
    first = story.key
    story.calls_in("+79160000002").is_put_through_to("101").rings("101").after(5).back_to(first).caller_leaves()
    assert story.activity("101") == [("ringing", 2), ("talking", 10), ("ringing", None)]


def test_intervals_overlap_only_across_the_tracks() -> None:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").after(2).answers("101")
    story.after(5).pauses("101", "sales", reason="lunch").after(5).caller_leaves().after(50).unpauses("101", "sales")
    assert story.activity("101") == [("ringing", 2), ("talking", 10)]
    assert story.availability("101") == [("ready", None, 7), ("paused", "lunch", 55), ("ready", None, None)]


def test_an_outbound_dialler_is_talking_once_the_client_answers() -> None:
    story = Story().dials("102", "+79160000002").is_put_through_to("+79160000002").rings_outside("+79160000002")
    story.after(5).answers("+79160000002").after(7).caller_leaves()
    assert story.activity("102") == [("talking", 7)]


def test_who_dumps_the_caller_is_free_again() -> None:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").after(2).dumps("101")
    assert story.agent("101").activity is None
    story.after(30).caller_leaves()
    assert story.agent("101").calls == {}
