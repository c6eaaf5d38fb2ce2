"""However the facts of a real recording are cut, repeated or mixed with others, they say the same."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.view import Json
from tests.domain.tapes import TAPES, elsewhere, facts_on, raw_facts_on, told

QUICK: Final = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
# Each of these is one more of its kind when told again; the ledger tells by the key that it is not.
COUNTED: Final = (
    f.TransferredBlind,
    f.TransferredAttended,
    f.AgentDumped,
    f.StepReached,
    f.CallParked,
)
tapes = st.sampled_from(TAPES)


def name(tape: Path) -> str:
    return f"{tape.parent.name}-{tape.stem}"


def unseen(facts: Iterable[f.Fact]) -> Iterator[f.Fact]:
    """What a ledger lets through: each key once."""
    known: set[str] = set()
    for fact in facts:
        if fact.key not in known:
            known.add(fact.key)
            yield fact


@pytest.mark.parametrize("tape", TAPES, ids=name)
def test_no_two_facts_of_a_recording_share_a_key(tape: Path) -> None:
    facts = raw_facts_on(tape)
    assert len({fact.key for fact in facts}) == len(facts)


@pytest.mark.parametrize("tape", TAPES, ids=name)
def test_every_fact_told_twice_in_a_row_says_the_same(tape: Path) -> None:
    facts = facts_on(tape)
    twice = [again for fact in facts for again in (fact,) * (1 if isinstance(fact, COUNTED) else 2)]
    assert told(twice) == told(facts)


@QUICK
@given(tape=tapes, data=st.data())
def test_a_story_begun_again_from_its_start_is_told_once(tape: Path, data: st.DataObject) -> None:
    facts = raw_facts_on(tape)
    until = data.draw(st.integers(0, len(facts)), label="told until")
    assert told(unseen((*facts[:until], *facts[:until], *facts[until:]))) == told(facts)


@QUICK
@given(tape=tapes, data=st.data())
def test_batches_of_any_size_say_the_same(tape: Path, data: st.DataObject) -> None:
    facts = raw_facts_on(tape)
    cuts = data.draw(st.lists(st.integers(0, len(facts)), max_size=20), label="cuts")
    whole_floor, whole = play(Floor(node="main"), facts)
    floor, changes = Floor(node="main"), list[Change]()
    for begin, end in pairwise(sorted({0, len(facts), *cuts})):
        floor, more = play(floor, facts[begin:end])
        changes.extend(more)
    assert tuple(changes) == whole
    assert floor == whole_floor


@QUICK
@given(tape=tapes)
def test_one_by_one_is_as_good_as_all_at_once(tape: Path) -> None:
    facts = raw_facts_on(tape)
    floor = Floor(node="main")
    for fact in facts:
        floor, _ = play(floor, (fact,))
    assert floor == play(Floor(node="main"), facts)[0]


@QUICK
@given(here=tapes, there=tapes, later=st.integers(-40, 40), turns=st.lists(st.integers(1, 60), max_size=60))
def test_unrelated_calls_in_between_change_nothing(here: Path, there: Path, later: int, turns: list[int]) -> None:
    ours = facts_on(here)
    apart = ours[0].at - facts_on(there)[0].at + timedelta(seconds=later)
    theirs = elsewhere(facts_on(there), apart)
    both = told(mixed(ours, theirs, turns))
    for facts in (ours, theirs):
        alone = told(facts)
        assert same_people(both, alone) == everything(alone)


def mixed(ours: tuple[f.Fact, ...], theirs: tuple[f.Fact, ...], turns: list[int]) -> Iterator[f.Fact]:
    """Both stories, each in its own order, taking turns of those lengths."""
    sides = [iter(ours), iter(theirs)]
    for turn, length in enumerate(turns):
        yield from islice(sides[turn % 2], length)
    for side in sides:
        yield from side


Told = tuple[dict[str, Json], dict[tuple[str, str], Json], dict[tuple[str, str], Json]]


def everything(said: Json) -> Told:
    calls = {call["call"]: call for call in said["calls"]}
    lived = {(each["agent"], each["began_at"]): each for each in said["intervals"]}
    return calls, lived, {(debt["number"], debt["opened_at"]): debt for debt in said["callbacks"]}


def same_people(both: Json, alone: Json) -> Told:
    """What both stories together say of those that one of them tells of."""
    agents = {each["agent"] for each in alone["intervals"]}
    numbers = {debt["number"] for debt in alone["callbacks"]}
    calls = {call["call"] for call in alone["calls"]}
    return everything(
        {
            "calls": [call for call in both["calls"] if call["call"] in calls],
            "intervals": [each for each in both["intervals"] if each["agent"] in agents],
            "callbacks": [debt for debt in both["callbacks"] if debt["number"] in numbers],
        }
    )
