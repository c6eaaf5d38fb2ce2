"""`evolve` does what `dataclasses.replace` does."""

from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.call import Talk
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Floor
from tests.domain.story import Story

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TALK = Talk(agent="101", leg="1", began_at=NOON)


def everything() -> list[Any]:
    story = Story().works_in("101", "sales").calls_in().waits_in("sales").rings("101").after(3).answers("101")
    call, agent = story.call, story.agent("101")
    return [
        *(call, *call.legs.values(), *call.stages, *call.offers, *call.talks),
        *(agent, agent.availability, agent.activity, agent.memberships["sales"], story.floor),
    ]


@pytest.mark.parametrize("thing", everything(), ids=lambda thing: type(thing).__name__)
def test_what_is_made_is_equal_to_what_replace_makes(thing: Any) -> None:
    for name in type(thing).__dataclass_fields__:
        made = evolve(thing, **{name: "other"})
        assert type(made) is type(thing)
        assert made == replace(thing, **{name: "other"})


def test_what_it_was_made_from_stays_as_it_was() -> None:
    assert evolve(TALK, agent="102").agent == "102"
    assert Talk(agent="101", leg="1", began_at=NOON) == TALK


def test_what_is_made_cannot_be_changed() -> None:
    made: Any = evolve(TALK, agent="102")
    with pytest.raises(FrozenInstanceError):
        made.agent = "103"


def test_a_class_that_inherits_its_fields_is_made_too() -> None:
    fact = f.LegEnded(node="main", at=NOON, key="1", leg="1", cause=16)
    assert evolve(fact, cause=17) == replace(fact, cause=17)


@pytest.mark.parametrize("thing", [TALK, Floor(node="main"), f.LegRang(node="main", at=NOON, key="1", leg="1")])
def test_an_unknown_field_is_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="colour"):
        evolve(thing, colour="red")
