"""After every connection the PBX says what is so; what differs from the floor becomes ordinary facts."""

from dataclasses import replace
from typing import Any

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.judge import Cause, Disposition, Verdict, judge
from pbxmonitor.domain.resync import reconcile
from tests.domain.story import Story
from tests.domain.truth import snapshot_of


def staffed() -> Story:
    story = Story().works_in("101", "sales", wrapup=10).works_in("102", "sales", "support")
    return story.phone_is("101", True).phone_is("102", False).dnd("102").presence("102", "dnd", "lunch", "Обед")


def seen(story: Story, **changes: Any) -> Story:
    """The link was lost, and the snapshot after it shows the floor with those differences."""
    return story.after(60).take(replace(snapshot_of(story.floor, story.now), **changes))


def test_a_snapshot_equal_to_the_floor_tells_nothing() -> None:
    story = staffed().pauses("101", "sales", reason="lunch")
    story.calls_in().waits_in("sales").rings("101").after(3).answers("101").after(4)
    story.dials("102", "105").is_put_through_to("105").rings("105")
    snapshot = snapshot_of(story.floor, story.now)
    assert snapshot.legs
    assert snapshot.members
    assert reconcile(story.floor, snapshot) == ()


def test_a_part_that_was_not_asked_for_changes_nothing() -> None:
    story = staffed().pauses("101", "sales").calls_in().waits_in("sales").rings("101")
    empty = f.Snapshot(node="main", at=story.now, key="s")
    assert reconcile(story.floor, empty) == ()
    known = len(story.changes)
    assert len(story.after(60).take(empty).changes) == known


def test_a_queue_reload_that_removed_a_member_logs_him_out() -> None:
    story = staffed()
    members = tuple(m for m in snapshot_of(story.floor, story.now).members or () if m.agent != "101")
    seen(story, members=members)
    assert story.state("101") is AgentState.LOGGED_OUT
    assert story.floor.queues["sales"] == ("102",)


def test_a_member_removed_from_one_of_his_queues_stays_in_the_other() -> None:
    story = staffed()
    members = tuple(m for m in snapshot_of(story.floor, story.now).members or () if m.queue != "sales")
    seen(story, members=members)
    assert set(story.agent("102").memberships) == {"support"}


def test_a_member_added_while_we_were_away_is_here() -> None:
    story = staffed()
    members = snapshot_of(story.floor, story.now).members or ()
    fresh = f.SeenMember(queue="sales", agent="105", paused=False, reason=None, wrapup=0)
    seen(story, members=(*members, fresh))
    assert story.floor.queues["sales"] == ("101", "102", "105")
    assert story.state("105") is AgentState.READY


def test_a_pause_made_while_we_were_away_begins_when_it_is_seen() -> None:
    story = staffed()
    members = snapshot_of(story.floor, story.now).members or ()
    paused = tuple(replace(m, paused=m.agent == "101", reason="lunch") for m in members)
    seen(story, members=paused).after(30)
    availability = story.agent("101").availability
    assert (availability.state, availability.reason, availability.began_at) == (
        AgentState.PAUSED,
        "lunch",
        story.facts[-1].at,
    )


def test_a_pause_ended_while_we_were_away_is_over() -> None:
    story = staffed().after(10).pauses("101", "sales", reason="lunch").after(20)
    members = snapshot_of(story.floor, story.now).members or ()
    seen(story, members=tuple(replace(m, paused=False, reason=None) for m in members))
    assert story.availability("101") == [("ready", None, 10), ("paused", "lunch", 80), ("ready", None, None)]


def test_a_pause_whose_reason_changed_while_we_were_away_is_split() -> None:
    story = staffed().pauses("101", "sales", reason="lunch").after(20)
    members = snapshot_of(story.floor, story.now).members or ()
    seen(story, members=tuple(replace(m, reason="training") if m.paused else m for m in members))
    assert story.agent("101").availability.reason == "training"


def test_phones_flags_and_presence_are_what_the_pbx_says_now() -> None:
    story = staffed()
    at: dict[str, Any] = {"node": "main", "at": story.now, "key": "k"}
    seen(
        story,
        devices=(f.DeviceSeen(**at, agent="101", endpoint="PJSIP/101", online=False),),
        flags=(f.DndChanged(**at, agent="101", flag="DEVDND", on=True),),
        presences=(f.PresenceChanged(**at, agent="102", status="available"),),
    )
    assert story.agent("101").devices == {"PJSIP/101": False}
    assert story.agent("101").flags == {"DEVDND"}
    assert story.agent("102").flags == frozenset()
    assert story.agent("102").presence == "available"


def test_flags_that_were_not_asked_for_stay() -> None:
    story = staffed()
    seen(story, flags=None)
    assert story.agent("102").flags == {"DND"}


def test_a_call_whose_channels_are_gone_ended_unseen() -> None:
    story = staffed().calls_in().waits_in("sales").rings("101").after(3).answers("101").after(4)
    seen(story, legs=(), answered=frozenset(), bridges=())
    assert story.call.ended_at == story.now
    assert (story.call.vanished, list(story.floor.open_calls())) == (True, [])
    assert story.agent("101").calls == {}
    assert story.call.talks[0].ended_at == story.now


def test_an_unanswered_call_whose_channels_are_gone_is_unknown() -> None:
    story = staffed().calls_in().waits_in("sales").rings("101").after(3)
    seen(story, legs=(), answered=frozenset(), bridges=())
    assert story.disposition is Disposition.UNKNOWN
    assert story.results == [("101", "cancelled")]


def test_one_phone_gone_does_not_end_the_call() -> None:
    story = staffed().calls_in().waits_in("sales").rings("101", "102").after(3)
    snapshot = snapshot_of(story.floor, story.now)
    gone = story.line.phones["102"]
    seen(story, legs=tuple(leg for leg in snapshot.legs or () if leg.leg != gone))
    assert story.call.ended_at is None
    assert story.call.legs[gone].ended_at == story.now


def test_a_call_found_in_mid_talk_is_followed_to_its_end() -> None:
    other = Story().calls_in().waits_in("sales").rings("101").after(3).answers("101").after(20)
    story = Story(at=other.now).take(snapshot_of(other.floor, other.now))
    key, phone = other.key, other.line.phones["101"]
    call = story.calls[key]
    assert (call.started_at, call.direction, len(call.legs)) == (other.call.started_at, "inbound", 2)
    assert [talk.agent for talk in call.talks] == ["101"]
    assert story.agent("101").activity is not None
    story.after(9).tell(f.HangupAsked, leg=phone).tell(f.LegEnded, leg=phone, cause=16)
    story.tell(f.LegEnded, leg=key, cause=16)
    assert story.calls[key].ended_at == story.now
    assert story.agent("101").activity is None


def test_a_channel_found_whose_first_is_gone_is_a_call_of_its_own() -> None:
    other = Story().calls_in().waits_in("sales").rings("101").after(3)
    snapshot = snapshot_of(other.floor, other.now)
    legs = tuple(leg for leg in snapshot.legs or () if leg.leg != other.key)
    story = Story(at=other.now).take(replace(snapshot, legs=legs))
    assert [call.key for call in story.floor.open_calls()] == [other.line.phones["101"]]


def test_the_same_snapshot_twice_tells_nothing_new() -> None:
    other = staffed().calls_in().waits_in("sales").rings("101").after(3).answers("101").after(20)
    snapshot = snapshot_of(other.floor, other.now)
    story = Story(at=other.now).take(snapshot)
    known = len(story.changes)
    assert known > 0
    assert len(story.after(60).take(replace(snapshot, at=story.now, key="again")).changes) == known


def test_a_phone_answered_while_we_were_away_is_answered() -> None:
    true = staffed().calls_in().waits_in("sales").rings("101").after(3)
    story = staffed().calls_in().waits_in("sales").rings("101").after(3)
    true.answers("101").after(5)
    story.after(5).take(snapshot_of(true.floor, true.now))
    assert story.results == [("101", "answered")]


def test_a_talk_begun_while_we_were_away_is_going_on() -> None:
    true = staffed().calls_in().waits_in("sales").rings("101").after(3)
    story = staffed().calls_in().waits_in("sales").rings("101").after(3)
    true.answers("101").after(5)
    story.after(5).take(snapshot_of(true.floor, true.now))
    assert [talk.agent for talk in story.call.talks if talk.ended_at is None] == ["101"]


def test_a_call_whose_first_channel_went_while_another_came_is_still_open() -> None:
    true = staffed().calls_in().waits_in("sales")
    story = staffed().calls_in().waits_in("sales")
    true.after(3).rings("101").tell(f.LegEnded, leg=true.key, cause=16)
    story.after(3).take(snapshot_of(true.floor, true.now))
    assert [call.key for call in story.floor.open_calls()] == [story.key]


def test_a_talk_first_seen_in_a_snapshot_is_nobodys_short_hangup_and_its_caller_is_not_lost() -> None:
    other = Story().calls_in().waits_in("sales").rings("101").after(3).answers("101").after(20)
    story = Story(at=other.now).take(snapshot_of(other.floor, other.now))
    key, phone = other.key, other.line.phones["101"]
    story.after(1).tell(f.HangupAsked, leg=phone).tell(f.LegEnded, leg=phone, cause=16)
    story.tell(f.LegEnded, leg=key, cause=16)
    judged = judge(story.calls[key], story.policy, story.now)
    assert (judged.lost, judged.short_hangup, judged.verdicts) == (False, False, {"101": Verdict.ANSWERED})


def test_a_caller_first_seen_in_a_snapshot_is_not_lost_in_a_menu() -> None:
    other = Story().calls_in().waits_in("sales").rings("101").after(3)
    story = Story(at=other.now).take(snapshot_of(other.floor, other.now)).after(5)
    story.tell(f.HangupAsked, leg=other.key).tell(f.LegEnded, leg=other.line.phones["101"], cause=0)
    story.tell(f.LegEnded, leg=other.key, cause=16)
    judged = judge(story.calls[other.key], story.policy, story.now)
    assert (judged.lost, judged.cause) == (True, Cause.CALLER_GAVE_UP)


def test_an_answer_in_a_gap_is_the_queues_answer() -> None:
    true = staffed().calls_in().waits_in("sales").rings("101").after(3)
    story = staffed().calls_in().waits_in("sales").rings("101").after(3)
    true.answers("101").after(5)
    story.after(5).take(snapshot_of(true.floor, true.now))
    assert [(stage.name, stage.result) for stage in story.judged.stages] == [("sales", "answered")]


def test_a_list_that_overtakes_the_event_of_the_same_moment_does_not_make_the_talk_an_old_one() -> None:
    true = staffed().calls_in().waits_in("sales").rings("101").after(3)
    story = staffed().calls_in().waits_in("sales").rings("101").after(3).picks_up("101")
    true.answers("101")
    story.take(snapshot_of(true.floor, true.now))
    assert [talk.late for talk in story.call.talks] == [False]
