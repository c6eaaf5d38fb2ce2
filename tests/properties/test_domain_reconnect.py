"""The link is lost at any point of a real recording; the snapshot after it brings the floor to the truth."""

from pathlib import Path
from typing import Any, Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pbxmonitor.domain.agent import Agent
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from tests.domain.tapes import TAPES, facts_on
from tests.domain.truth import snapshot_of

QUICK: Final = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
tapes = st.sampled_from(TAPES)


def known(agent: Agent) -> tuple[Any, ...]:
    """What the PBX itself can say of an agent."""
    members = {queue: member.paused for queue, member in agent.memberships.items()}
    return agent.availability.state, members, dict(agent.devices), agent.flags, agent.presence, agent.subtype


def lost(tape: Path, at: int, until: int) -> tuple[Floor, Floor]:
    """The true floor, and ours, which missed some facts and then was shown a snapshot."""
    facts = facts_on(tape)
    truth, _ = play(Floor(node="main"), facts[:until])
    ours, _ = play(Floor(node="main"), facts[:at])
    ours, _ = play(ours, (snapshot_of(truth, facts[until - 1].at),))
    return truth, ours


def points(data: st.DataObject, tape: Path) -> tuple[int, int]:
    until = data.draw(st.integers(1, len(facts_on(tape))), label="restored after")
    return data.draw(st.integers(0, until), label="lost after"), until


@QUICK
@given(tape=tapes, data=st.data())
def test_after_a_gap_the_agents_are_as_they_are(tape: Path, data: st.DataObject) -> None:
    truth, ours = lost(tape, *points(data, tape))
    assert {name: known(agent) for name, agent in ours.agents.items() if name in truth.agents} == {
        name: known(agent) for name, agent in truth.agents.items() if name in ours.agents
    }
    assert {queue: set(names) for queue, names in ours.queues.items() if names} == {
        queue: set(names) for queue, names in truth.queues.items() if names
    }


@QUICK
@given(tape=tapes, data=st.data())
def test_after_a_gap_the_open_channels_are_those_that_are_there(tape: Path, data: st.DataObject) -> None:
    truth, ours = lost(tape, *points(data, tape))
    assume(all(call.first_leg.ended_at is None for call in truth.open_calls()))
    assert live(ours) == live(truth)


@QUICK
@given(tape=tapes, data=st.data())
def test_a_daemon_started_in_mid_call_sees_who_is_talking(tape: Path, data: st.DataObject) -> None:
    _, until = points(data, tape)
    truth, ours = lost(tape, 0, until)
    assume(all(call.first_leg.ended_at is None for call in truth.open_calls()))
    assume(not any(leg.local for call in truth.open_calls() for leg in call.live()))
    assert talking(truth, together=True) <= talking(ours)
    # a transfer ends the talk an instant before the channels part
    assert {leg for _, leg in talking(ours)} <= {talk.leg for call in truth.open_calls() for talk in call.talks}


@QUICK
@given(tape=tapes, data=st.data())
def test_after_a_gap_the_story_goes_on_to_its_end(tape: Path, data: st.DataObject) -> None:
    at, until = points(data, tape)
    _, ours = lost(tape, at, until)
    facts = facts_on(tape)
    ours, _ = play(ours, facts[until:])
    truth, _ = play(Floor(node="main"), facts)
    assert live(truth) == set()
    assert live(ours) == set()
    assert talking(ours) == set()


def live(floor: Floor) -> set[str]:
    return {leg.id for call in floor.open_calls() for leg in call.live()}


def talking(floor: Floor, together: bool = False) -> set[tuple[str, str]]:
    """(agent, channel) of every talk that goes on; `together`: not on hold, not in the instant of leaving."""
    talks = (talk for call in floor.open_calls() for talk in call.talks if talk.ended_at is None)
    return {(talk.agent, talk.leg) for talk in talks if talk.away_at is None or not together}
