"""The table of shapes is what the tests generate, and every shape in it says what happened."""

import pytest

from tests.doctored import DOCTORED
from tests.rig.paper import on_paper
from tests.rig.scenarios import STORIES, Story
from tests.shapes import PAGE, page


def test_the_table_of_shapes_is_what_the_tests_generate() -> None:
    assert PAGE.read_text() == page(), "python -m tests.shapes"


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_a_story_says_what_happens_and_tells_its_truth_without_a_pbx(story: Story) -> None:
    assert story.told.endswith(".")
    for version in story.versions:
        truth = on_paper(story, version)
        assert truth.calls or truth.intervals


@pytest.mark.parametrize("name", DOCTORED)
def test_a_doctored_stream_is_not_the_tape_it_was_made_of(name: str) -> None:
    made = DOCTORED[name]
    for version in made.versions:
        original = made.path(version).read_bytes()
        assert made.told
        assert made.stream(version) != original
