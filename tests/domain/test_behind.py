"""Local channels, one in another, as FreePBX makes them: whose ring it is, and what is no answer."""

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.call import StageResult
from tests.domain.story import CLIENT, MOBILE, Story


def following() -> tuple[Story, str]:
    """Follow Me of 101 has rung 101's phone, and is about to ring the mobile behind that channel."""
    story = Story().calls_in().is_put_through_to("101")
    story.phone(story.local(story.key, "FMPR-101@from-internal", "101"), "101")
    far = story.local(story.key, "FMGL-101#@from-internal", "101")
    return story.after(3), story.local(far, f"{MOBILE}@from-internal")


def test_a_mobile_behind_somebodys_follow_me_is_his_second_phone() -> None:
    story, far = following()
    story.phone(far, MOBILE, trunk=True)
    story.after(5).dial_ends("NOANSWER").stop_ringing().pbx_ends()
    began = [(offer.agent, (story.now - offer.began_at).seconds) for offer in story.call.offers]
    assert began == [("101", 8), ("101", 5)]
    assert story.verdicts == {"101": "missed"}


def test_follow_me_that_never_came_to_the_mobile_rang_one_phone() -> None:
    story, _ = following()
    near = story.call.offers[1].leg
    story.dial_ends("NOANSWER").stop_ringing().tell(f.LegEnded, leg=near, cause=0).pbx_ends()
    assert story.results == [("101", "rna")]


def test_whoever_picks_up_and_is_asked_for_a_key_has_not_answered() -> None:
    story, far = following()
    mobile = story.phone(far, MOBILE, trunk=True)
    asked = next(leg.id for leg in story.call.legs.values() if leg.partner == far)
    story.after(1).tell(f.LegAnswered, leg=mobile).tell(f.StepReached, leg=asked, step=f.Step.IVR, name="macro-confirm")
    assert story.results == [("101", "None"), ("101", "None")]
    assert story.agent("101").calls == {story.key: AgentState.RINGING}


def test_a_key_that_was_pressed_is_the_answer() -> None:
    story, far = following()
    mobile = story.phone(far, MOBILE, trunk=True)
    story.after(1).tell(f.LegAnswered, leg=mobile).tell(
        f.StepReached, leg=mobile, step=f.Step.IVR, name="macro-confirm"
    )
    story.after(2).enters(mobile, "talk").enters(story.key, "talk")
    assert story.results == [("101", "None"), ("101", "answered")]
    assert story.judged.answered_by == "101"


def test_a_call_that_goes_on_asking_after_the_caller_waits_no_longer() -> None:
    story, far = following()
    mobile = story.phone(far, MOBILE, trunk=True)
    story.after(1).tell(f.LegAnswered, leg=mobile).tell(
        f.StepReached, leg=mobile, step=f.Step.IVR, name="macro-confirm"
    )
    story.line.ringing.remove(MOBILE)
    story.caller_leaves().after(20).tell(f.LegEnded, leg=mobile, cause=16)
    for leg in list(story.call.live()):
        story.tell(f.LegEnded, leg=leg.id, cause=16)
    assert story.judged.wait_s == 4
    assert story.cause == "short_abandon"


def test_a_ring_group_that_is_a_member_is_nobody() -> None:
    story = Story().calls_in().waits_in("sales")
    far = story.local(story.key, "600@from-queue/n", "600")
    near = story.call.offers[0].leg
    story.tell(f.AgentOffered, leg=story.key, dest=near, queue="sales", agent="600")
    targets = (f.Target(agent="101"), f.Target(agent="102"))
    story.tell(f.StepReached, leg=far, step=f.Step.DIAL, name="101&102", targets=targets)
    assert story.results == []
    story.phone(far, "101")
    story.phone(far, "102")
    assert [(offer.agent, offer.queue) for offer in story.call.offers] == [("101", "sales"), ("102", "sales")]


def test_a_queue_within_a_queue_is_a_stage_in_it_and_nobodys_answer() -> None:
    story = Story().calls_in().waits_in("outer")
    far = story.local(story.key, "inner@from-queue/n", "inner")
    member = {"leg": story.key, "dest": story.call.offers[0].leg, "queue": "outer", "agent": "inner"}
    story.tell(f.AgentOffered, **member)
    story.tell(f.CallUnqueued, leg=story.key, queue="outer").tell(f.AgentConnected, **member)
    step = {"step": f.Step.QUEUE, "name": "inner"}
    story.tell(f.StepReached, leg=far, **step).tell(f.CallQueued, leg=far, queue="inner")
    assert [(stage.name, stage.result) for stage in story.call.stages] == [("outer", None), ("inner", None)]
    phone = story.phone(far, "101")
    ring = {"leg": far, "dest": phone, "queue": "inner", "agent": "101"}
    story.tell(f.AgentOffered, **ring).after(4).tell(f.LegAnswered, leg=phone)
    story.tell(f.CallUnqueued, leg=far, queue="inner").tell(f.AgentConnected, **ring)
    assert [stage.result for stage in story.call.stages] == [StageResult.ANSWERED, StageResult.ANSWERED]
    assert [(offer.agent, offer.queue) for offer in story.call.offers] == [("101", "inner")]


def test_a_queue_that_is_a_member_is_not_among_the_agents() -> None:
    members = tuple(
        f.SeenMember(queue=queue, agent=agent, paused=False, reason=None, wrapup=0)
        for queue, agent in (("144", "140"), ("140", "111"))
    )
    story = Story().tell(f.Snapshot, members=members)
    assert list(story.floor.agents) == ["111"]


def test_an_extension_in_dnd_is_refused_though_nothing_was_dialled() -> None:
    story = Story().calls_in().tell(f.ExtensionSought, leg="main.1", agent="101")
    story.dial_ends("BUSY").after(0.1).pbx_ends(17)
    assert story.results == [("101", "busy")]
    assert (story.disposition, story.cause, story.verdicts) == ("busy", "refused", {"101": "refused"})


def test_an_extension_without_a_phone_is_unreachable_though_nothing_was_dialled() -> None:
    story = Story().calls_in().tell(f.ExtensionSought, leg="main.1", agent="101")
    story.dial_ends("CHANUNAVAIL").pbx_ends()
    assert (story.disposition, story.cause, story.verdicts) == ("unreachable", "technical", {"101": "not_counted"})


def test_a_mobile_to_which_an_extension_is_forwarded_is_its_owners() -> None:
    story = Story().calls_in().tell(f.ExtensionSought, leg="main.1", agent="101").is_put_through_to(MOBILE)
    story.phone(story.local(story.key, f"{MOBILE}@from-internal/n"), MOBILE, trunk=True)
    story.after(15).dial_ends("NOANSWER").stop_ringing().pbx_ends()
    assert [(stage.kind.value, stage.name) for stage in story.call.stages] == [("external", MOBILE)]
    assert story.verdicts == {"101": "missed"}


def test_a_mobile_dialled_after_the_extension_had_rung_is_not_the_extensions() -> None:
    story = Story().calls_in().tell(f.ExtensionSought, leg="main.1", agent="101").is_put_through_to("101").rings("101")
    story.after(5).dial_ends("NOANSWER").stop_ringing().is_put_through_to(MOBILE)
    story.phone(story.local(story.key, f"{MOBILE}@from-internal/n"), MOBILE, trunk=True)
    assert [offer.agent for offer in story.call.offers] == ["101"]


def test_a_ring_group_with_nobody_to_dial_had_nobody_there() -> None:
    story = Story().calls_in().tell(f.StepReached, leg="main.1", step=f.Step.DIAL, name="600").after(1).pbx_ends()
    assert [(stage.name, stage.result) for stage in story.judged.stages] == [("600", "unreachable")]
    assert (story.disposition, story.cause) == ("unreachable", "no_agents")


def test_a_ring_groups_number_gives_way_to_whom_it_dials() -> None:
    story = Story().calls_in(CLIENT).tell(f.StepReached, leg="main.1", step=f.Step.DIAL, name="600")
    story.is_put_through_to("101", "102")
    assert [stage.name for stage in story.call.stages] == ["101&102"]


def test_who_forwards_his_extension_is_ready_elsewhere() -> None:
    story = Story().works_in("101", "sales").tell(f.DndChanged, agent="101", flag="CF", on=True)
    assert (story.agent("101").availability.state, story.agent("101").availability.reason) == ("ready", "forwarded")
    assert story.agent("101").available_in("sales")
    story.after(60).tell(f.DndChanged, agent="101", flag="CF", on=False)
    assert story.agent("101").availability.reason is None
