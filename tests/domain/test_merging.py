"""A call that turns out to be part of another: nobody stays at work in it."""

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.judge import Verdict
from tests.domain.story import Story


def consulted_on_a_second_line() -> tuple[Story, str]:
    """101 talks to a customer, puts him aside and calls 102 from his phone's other line: two calls until now."""
    story = Story().calls_in().is_put_through_to("101").rings("101").after(2).answers("101").after(5)
    customer = story.key
    story.dials("101", "102").is_put_through_to("102").rings("102").after(2).answers("102").after(3)
    return story, customer


def transferred_by_the_phone() -> tuple[Story, str]:
    """The phone's own attended transfer (REFER with Replaces): the PBX moves 102 into the customer's bridge."""
    story, customer = consulted_on_a_second_line()
    second, colleague, between = story.key, story.line.phones["102"], story.line.bridge
    story.back_to(customer)
    first, bridge = story.line.phones["101"], story.line.bridge
    story.tell(f.TransferredAttended, leg=first, second=second, target=colleague)
    story.parts(colleague, between).enters(colleague, bridge).parts(first, bridge)
    return story.tell(f.LegEnded, leg=first, cause=16).tell(f.LegEnded, leg=second, cause=16), customer


def at_work(story: Story) -> dict[str, AgentState | None]:
    return {name: agent.activity.state if agent.activity else None for name, agent in story.floor.agents.items()}


def test_who_consults_and_who_is_consulted_are_talking() -> None:
    story, _ = consulted_on_a_second_line()
    assert at_work(story) == {"101": AgentState.TALKING, "102": AgentState.TALKING}


def test_who_took_over_the_customer_talks_on_and_who_gave_him_away_is_free() -> None:
    story, customer = transferred_by_the_phone()
    assert at_work(story) == {"101": None, "102": AgentState.TALKING}
    assert set(story.agent("102").calls) == {customer}


def test_nobody_stays_at_work_in_a_call_that_went_into_another() -> None:
    story, customer = transferred_by_the_phone()
    story.after(20).tell(f.HangupAsked, leg=customer)
    for leg in [leg.id for leg in story.call.live()]:
        story.tell(f.LegEnded, leg=leg, cause=16)
    assert at_work(story) == {"101": None, "102": None}
    assert story.verdicts == {"101": Verdict.ANSWERED, "102": Verdict.ANSWERED}


def test_the_change_of_a_merger_tells_what_the_call_was_before_it() -> None:
    story, customer = consulted_on_a_second_line()
    known, colleague, second = story.calls[customer], story.line.phones["102"], story.key
    bridge = story.back_to(customer).line.bridge
    story.enters(colleague, bridge)
    (before, _), (guest, gone) = story.changes[-1].calls
    assert before is known
    assert (guest and guest.key, gone.merged_into) == (second, customer)
