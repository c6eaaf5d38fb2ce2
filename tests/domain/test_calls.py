"""What opens a call, what is still told of it after its end, and what is told too late."""

from dataclasses import replace

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.play import play
from tests.domain.story import CLIENT, Story


def answered(story: Story | None = None, number: str = CLIENT) -> Story:
    story = (story or Story()).calls_in(number).waits_in("sales").rings("101").after(3).answers("101").after(9)
    return story.caller_leaves()


def test_only_a_birth_fact_opens_a_call() -> None:
    story = Story()
    for kind, what in (
        (f.LegAnswered, {}),
        (f.CallQueued, {"queue": "sales"}),
        (f.HangupAsked, {}),
        (f.LegEnded, {"cause": 16}),
        (f.BridgeEntered, {"bridge": "b"}),
    ):
        story.tell(kind, leg="nobody", **what)
    assert (story.calls, story.changes) == ({}, [])


def test_a_second_channel_whose_first_was_never_seen_opens_nothing() -> None:
    story = Story()
    story._start("leg-2", "leg-1", endpoint="PJSIP/101", agent="101")
    assert story.calls == {}


def test_a_late_word_of_the_queue_still_finds_its_ended_call() -> None:
    story = answered()
    key = story.key
    answered(story.after(14 * 60), "+79160000002").back_to(key)
    assert story.key in story.floor.calls
    known = story.call
    story.tell(f.AgentDumped, leg=story.key, dest="", queue="sales", agent="101")
    assert (known.dumped, story.call.dumped) == ((), ("101",))


def test_a_late_word_never_moves_the_end() -> None:
    story = answered()
    ended, phone = story.call.ended_at, story.line.phones["101"]
    story.after(1)
    for leg in (phone, story.key):
        story.tell(f.HangupAsked, leg=leg).tell(f.HangupOrdered, leg=leg).tell(f.LegEnded, leg=leg, cause=16)
    assert (story.call.ended_at, story.call.talks[0].ended_at) == (ended, ended)


def test_a_call_is_forgotten_a_quarter_of_an_hour_after_its_end() -> None:
    story = answered()
    old = story.key
    legs = tuple(story.call.legs)
    answered(story.after(17 * 60), "+79160000002")
    assert old not in story.floor.calls
    assert not any(leg in story.floor.legs for leg in legs)


def test_late_facts_about_a_forgotten_call_change_nothing() -> None:
    story = answered()
    old = story.facts[:]
    answered(story.after(17 * 60), "+79160000002")
    late = [fact for fact in old if isinstance(fact, f.LegFact) and not isinstance(fact, f.LegStarted)]
    floor, changes = play(story.floor, late)
    assert len(late) > 10
    assert changes == ()
    assert floor.calls == story.floor.calls


def test_what_is_forgotten_leaves_nothing_behind() -> None:
    story = Story()
    for number in range(30):
        answered(story.after(600), f"+7916000{number:04}")
    assert len(story.floor.calls) <= 3
    assert len(story.floor.legs) <= 6
    assert len(story.floor.bridges) == 0


def test_calls_at_the_same_time_do_not_know_of_each_other() -> None:
    story = Story().calls_in(CLIENT).waits_in("sales").rings("101").after(2)
    first = story.key
    story.calls_in("+79160000002").waits_in("sales").rings("102").after(2)
    second = story.key
    story.back_to(first).answers("101").after(5).back_to(second).answers("102").after(5).caller_leaves()
    story.back_to(first).caller_leaves()
    assert [story.calls[key].talks[0].agent for key in (first, second)] == ["101", "102"]
    assert [story.calls[key].connected_s for key in (first, second)] == [10, 5]


def test_two_nodes_may_name_their_channels_alike() -> None:
    here, there = answered(Story(node="moscow")), answered(Story(node="kazan"))
    assert here.call.node == "moscow"
    assert there.call.node == "kazan"
    assert replace(here.call, node="kazan").started_at == there.call.started_at


def test_a_played_floor_is_left_as_it_was() -> None:
    story = Story().calls_in().waits_in("sales").rings("101")
    before = story.floor
    known = {key: before.calls[key] for key in before.calls}
    story.after(3).answers("101").after(5).caller_leaves()
    assert {key: before.calls[key] for key in before.calls} == known
    assert [call.key for call in before.open_calls()] == [story.key]
    assert list(story.floor.open_calls()) == []
