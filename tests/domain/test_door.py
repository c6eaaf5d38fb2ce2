"""What happens before or instead of an answer: queues left by a key, phones that never ring, robots that call."""

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import EndedBy, StageKind, StageResult
from pbxmonitor.domain.judge import Cause, Verdict
from tests.domain.story import CLIENT, Story


def waiting() -> Story:
    return Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101")


def stages(story: Story) -> list[tuple[str, str, str]]:
    return [(str(s.kind), s.name, str(s.result)) for s in story.judged.stages]


def key_pressed(story: Story, again: bool) -> Story:
    """22 tells the queue once more, under the key; then both say only that he left and that the phone stopped."""
    if again:
        story.tell(f.StepReached, leg=story.key, step=f.Step.QUEUE, name="sales")
    story.tell(f.CallUnqueued, leg=story.key, queue="sales").stop_ringing()
    story.line.queue = None
    return story


@pytest.mark.parametrize("again", [False, True])
def test_a_queue_left_by_a_key_for_another_phone_is_one_stage_and_the_caller_ended_its_rings(again: bool) -> None:
    story = key_pressed(waiting().after(5), again).is_put_through_to("106").rings("106").after(2).answers("106")
    assert stages(story) == [("queue", "sales", "key"), ("dial", "106", "answered")]
    assert story.results == [("101", "caller_gave_up"), ("106", "answered")]
    assert story.verdicts == {"101": Verdict.MISSED, "106": Verdict.ANSWERED}


@pytest.mark.parametrize("again", [False, True])
def test_a_queue_left_by_a_key_for_an_announcement_was_left_by_a_key(again: bool) -> None:
    story = key_pressed(waiting().after(5), again).after(2).pbx_ends()
    assert stages(story) == [("queue", "sales", "key")]
    assert (story.results, story.cause) == ([("101", "caller_gave_up")], Cause.IGNORED)


def test_a_phone_told_to_stop_after_the_next_step_was_stopped_by_the_key_too() -> None:
    story = waiting().after(5).tell(f.CallUnqueued, leg="main.1", queue="sales")
    phone = story.line.phones["101"]
    story.is_put_through_to("106").tell(f.LegEnded, leg=phone, cause=0)
    assert story.results == [("101", "caller_gave_up")]


def test_a_caller_whom_the_pbx_hangs_up_in_the_queue_pressed_no_key() -> None:
    story = waiting().after(5)
    story.tell(f.HangupOrdered, leg=story.key).tell(f.CallUnqueued, leg=story.key, queue="sales").stop_ringing()
    story.after(1).tell(f.LegEnded, leg=story.key, cause=16)
    assert stages(story) == [("queue", "sales", "no_answer")]


def unheard(story: Story, cause: int) -> Story:
    phone = story.line.phones["101"]
    story.line.ringing.remove("101")
    return story.tell(f.LegEnded, leg=phone, cause=cause, unheard=True)


def directly() -> Story:
    return Story().calls_in().is_put_through_to("101").rings("101", heard=False)


def test_a_phone_that_never_said_that_it_rings_is_nobodys_miss() -> None:
    story = unheard(directly().after(10).dial_ends("NOANSWER"), 0).pbx_ends()
    assert (story.results, story.cause) == ([("101", "unreachable")], Cause.TECHNICAL)
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_nor_is_it_when_the_caller_gives_up_waiting_for_it() -> None:
    story = directly().after(10)
    story.tell(f.HangupAsked, leg=story.key)
    unheard(story, 0).tell(f.LegEnded, leg=story.key, cause=16)
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_480_at_once_is_a_phone_that_does_not_want_to_be_disturbed() -> None:
    story = directly()
    story.tell(f.HangupAsked, leg=story.line.phones["101"])
    unheard(story, 19).dial_ends("NOANSWER").pbx_ends()
    assert (story.results, story.verdicts) == ([("101", "busy")], {"101": Verdict.REFUSED})


@pytest.mark.parametrize("cause", [23, 0])
def test_a_phone_that_sends_the_caller_on_after_a_long_ring_has_missed_nothing(cause: int) -> None:
    story = Story().calls_in().is_put_through_to("101").rings("101").after(6)
    story.tell(f.HangupAsked, leg=story.line.phones["101"]).stops("101", cause)
    story.rings_outside().after(2).answers("+79990000001")
    assert story.results == [("101", "cancelled")]
    assert story.verdicts == {"101": Verdict.NOT_COUNTED}


def test_a_call_that_the_pbx_makes_by_itself_has_no_caller_and_is_the_attempt_of_who_talks() -> None:
    story = waiting().after(8).caller_leaves()
    story._begin(trunk=True, endpoint="PJSIP/trunk", number=CLIENT, exten="s", incoming=False)
    robot = story.key
    story.tell(f.DialBegan, leg="", dest=robot, number=CLIENT).after(1).tell(f.LegAnswered, leg=robot)
    story.waits_in("sales").rings("101").after(2).answers("101").after(8).hangs_up("101")
    assert (story.call.direction, story.call.caller, story.call.called) == ("outbound", None, CLIENT)
    (debt,) = story.debts
    assert [(attempt.agent, attempt.result) for attempt in debt.attempts] == [("101", "reached")]
    assert (debt.rescuer, debt.closed) == ("101", True)


def test_a_pickup_that_crosses_the_answer_puts_the_picker_into_the_talk() -> None:
    story = waiting().after(2).answers("101")
    member, caller = story.line.phones["101"], story.key
    picker = story.dials("106", "*8").key
    story.tell(f.LegPicked, leg=picker, target=member).tell(f.LegEnded, leg=member, cause=16).after(4)
    story.tell(f.HangupAsked, leg=picker).tell(f.LegEnded, leg=picker, cause=16)
    call = story.calls[caller]
    assert [(talk.agent, talk.ended_by) for talk in call.talks] == [
        ("101", EndedBy.SYSTEM),
        ("106", EndedBy.AGENT),
    ]
    assert call.stages[0].kind is StageKind.QUEUE
    assert call.stages[0].result is StageResult.ANSWERED


def test_who_picks_up_and_is_gone_before_the_bridge_has_dropped_the_caller() -> None:
    story = Story().calls_in().is_put_through_to("101").rings("101").after(3).picks_up("101").dial_ends("ANSWER")
    phone = story.line.phones["101"]
    story.line.ringing.clear()
    story.tell(f.HangupAsked, leg=phone).tell(f.LegEnded, leg=phone, cause=16).pbx_ends()
    judged = story.judged
    assert (judged.disposition, judged.lost, judged.cause) == ("answered", True, Cause.DROPPED)
    assert (judged.short_hangup, judged.answered_by, story.verdicts) == (True, "101", {"101": Verdict.ANSWERED})
