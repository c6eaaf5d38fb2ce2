"""The same caller and line within 3 s: the provider's second trunk, and one customer event."""

from pbxmonitor.domain.judge import Verdict
from tests.domain.story import CLIENT, Story

OTHER = "+79161234502"


def brought_twice(after: float = 1, number: str = CLIENT, line: str = "1001") -> tuple[Story, str, str]:
    story = Story().calls_in()
    first = story.key
    story.after(after).calls_in(number, line)
    return story, first, story.key


def standing(story: Story) -> list[str]:
    return [key for key, call in story.calls.items() if call.merged_into is None]


def test_the_second_is_part_of_the_first() -> None:
    story, first, second = brought_twice()
    assert standing(story) == [first]
    assert story.calls[second].merged_into == first


def test_the_one_that_is_answered_stands_and_nobody_missed_the_other() -> None:
    story, first, second = brought_twice()
    story._line = story._lines[first]
    story.is_put_through_to("101").rings("101").after(6)
    story._line = story._lines[second]
    story.is_put_through_to("102").rings("102").answers("102").after(8)
    story._line = story._lines[first]
    story.caller_leaves()
    story._line = story._lines[second]
    story.hangs_up("102")
    assert standing(story) == [second]
    assert (story.verdicts, story.judged.lost, story.debts) == ({"102": Verdict.ANSWERED}, False, ())


def test_of_two_that_nobody_answered_the_one_that_lived_longer_is_lost_once() -> None:
    story, first, second = brought_twice()
    story.is_put_through_to("101").rings("101").after(4)
    story._line = story._lines[first]
    story.caller_leaves().after(4)
    story._line = story._lines[second]
    story.caller_leaves()
    assert standing(story) == [second]
    assert (story.judged.lost, [debt.missed_calls for debt in story.debts]) == (True, [(second,)])


def test_the_second_that_ends_first_changes_nothing() -> None:
    story, first, second = brought_twice()
    story.caller_leaves().after(6)
    story._line = story._lines[first]
    story.caller_leaves()
    assert standing(story) == [first]
    assert [debt.missed_calls for debt in story.debts] == [(first,)]
    assert second not in standing(story)


def test_a_call_four_seconds_later_another_caller_and_another_line_are_calls_of_their_own() -> None:
    assert len(standing(brought_twice(after=4)[0])) == 2
    assert len(standing(brought_twice(number=OTHER)[0])) == 2
    assert len(standing(brought_twice(line="1002")[0])) == 2


def test_two_who_withhold_their_numbers_are_two() -> None:
    story = Story().calls_in(None).after(1).calls_in(None)
    assert len(standing(story)) == 2


def test_who_calls_again_at_once_after_hanging_up_calls_again() -> None:
    story = Story().calls_in().after(1).caller_leaves().after(1).calls_in()
    assert len(standing(story)) == 2
