"""Calls and stretches told by a log: the same rows as live ones, once however often told, never over what is known."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.call import Call, Direction, EndedBy, Leg, Talk
from pbxmonitor.domain.callback import Colour, State
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import Draft
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import schema
from pbxmonitor.store.importing import Imported, Importer, RollUp
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.rows import AVAILABILITY, interval_row
from pbxmonitor.store.stretches import Told, consecutive, write_stretches
from pbxmonitor.store.types import insert_new, reading, writing
from tests.domain.story import CLIENT, MONDAY_NOON, Story
from tests.store.test_recompute import (
    ALWAYS,
    USUAL,
    call_back,
    calls,
    debts,
    lived,
    miss,
    record,
    record_all,
    rows,
    stories,
    unchanged,
)

OTHER: Final = "+79160000002"
# What a log tells of, too; the source of a call is another one, though.
TOLD: Final = ("stage", "offer", "talk", "transfer", "verdict", "callback", "callback_attempt")


async def imported(
    engine: AsyncEngine,
    known: Sequence[Call | Interval],
    source: str = "queue_log",
    node: str = "main",
    *,
    policy: Policy = USUAL,
    portion: int = 3,
    roll_up: RollUp | None = None,
) -> Imported:
    importer = Importer(engine, policy, node=node, source=source, portion=portion)
    await importer.take(known)
    return await importer.finish(roll_up)


def told_by(facts: Sequence[Fact]) -> list[Call]:
    """The calls of those facts, as a log that knew everything would tell them."""
    draft = Draft(Floor(node=facts[0].node))
    found: dict[str, Call] = {}
    for fact in facts:
        for change in draft.take(fact):
            found |= {call.key: call for _, call in change.calls}
    return [call for call in found.values() if call.merged_into is None]


def calls_of(story: Story) -> list[Call]:
    return [call for call in story.calls.values() if call.merged_into is None]


async def parts(engine: AsyncEngine, table: sa.Table) -> list[sa.Row[Any]]:
    wanted = sa.select(table).order_by(table.c.call, *table.primary_key.columns)
    return list(await reading(engine, lambda connection: connection.execute(wanted).all()))


async def test_what_a_log_tells_of_every_recording_is_what_was_recorded(engine: AsyncEngine) -> None:
    """And told again it changes nothing, and judged again neither."""
    await record_all(engine, USUAL)
    live = await reading(engine, rows)
    live_calls = [row[:-2] for row in live["call"]]
    await writing(engine, emptied)
    for facts in stories():
        await imported(engine, told_by(facts), "cel", facts[0].node, portion=50)
    found = await reading(engine, rows)
    assert {name: found[name] for name in TOLD} == {name: live[name] for name in TOLD}
    assert [row[:-2] for row in found["call"]] == live_calls
    assert {row[-2] for row in found["call"]} == {"cel"}
    for facts in stories():
        again = await imported(engine, told_by(facts), "cel", facts[0].node, portion=50)
        assert (again.new, again.changed, again.left) == (0, 0, 0)
    assert await reading(engine, rows) == found
    assert unchanged(await recompute(engine, USUAL, begin=ALWAYS))


def emptied(connection: sa.Connection) -> None:
    for table in reversed(schema.METADATA.sorted_tables):
        connection.execute(sa.delete(table))


async def test_what_is_recorded_after_it_takes_its_place_whole(engine: AsyncEngine) -> None:
    """The daemon's facts waited on disk while the log was taken in, which told of one ring more."""
    told = Story().calls_in().waits_in("sales").rings("101", "102").after(12).caller_leaves()
    heard = Story().calls_in().waits_in("sales").rings("101").after(12).caller_leaves()
    assert told.key == heard.key
    await imported(engine, calls_of(told))
    assert [row.agent for row in await parts(engine, schema.offer)] == ["101", "102"]
    await lived(engine, heard)
    assert [row.agent for row in await parts(engine, schema.offer)] == ["101"]
    assert [row.source for row in await calls(engine)] == ["live"]
    assert len(await debts(engine)) == 1


async def test_over_what_was_recorded_it_changes_nothing(engine: AsyncEngine) -> None:
    story = stories()[0]
    await record(engine, story, USUAL)
    before = await reading(engine, rows)
    outcome = await imported(engine, told_by(story), "cel", story[0].node)
    assert (outcome.new, outcome.changed, outcome.same) == (0, 0, 0)
    assert outcome.left > 50
    assert await reading(engine, rows) == before


# which source counts


async def test_a_call_whose_end_nobody_saw_is_regenerated_whole(engine: AsyncEngine) -> None:
    """Of the live one three rings are known, and then it vanished; the log tells of one ring and of the end."""
    story = Story().calls_in().after(0.1).waits_in("sales").rings("101", "102", "103").after(5)
    legs = [story.key, *story.line.phones.values()]
    for leg in legs:
        story.tell(f.LegVanished, leg=leg)
    await lived(engine, story)
    assert [row.source for row in await calls(engine)] == ["live"]
    told = miss(Story())
    outcome = await imported(engine, calls_of(told))
    assert (outcome.new, outcome.changed, outcome.left) == (0, 1, 0)
    (call,) = await calls(engine)
    assert (call.source, call.disposition, call.ended_at) == ("queue_log", "abandoned", told.now)
    assert [row.agent for row in await parts(engine, schema.offer)] == ["101"]
    assert [row.agent for row in await parts(engine, schema.verdict)] == ["101"]


async def test_a_call_that_is_open_still_is_the_daemons(engine: AsyncEngine) -> None:
    await lived(engine, Story().calls_in().after(0.1).waits_in("sales").rings("101"))
    before = await reading(engine, rows)
    assert (await imported(engine, calls_of(miss()))).left == 1
    assert await reading(engine, rows) == before


async def test_of_two_logs_the_one_that_knows_more_counts(engine: AsyncEngine) -> None:
    short, long = calls_of(miss(rang=10)), calls_of(miss(rang=20))
    for source, told, source_now in (
        ("queue_log", short, "queue_log"),
        ("cdr", long, "queue_log"),
        ("cel", long, "cel"),
        ("queue_log", short, "cel"),
        ("cel", short, "cel"),
    ):
        await imported(engine, told, source)
        assert [row.source for row in await calls(engine)] == [source_now]
    assert [row.ended_at for row in await calls(engine)] == [short[0].ended_at]


async def test_a_call_that_the_log_left_open_is_finished_by_the_next_import(engine: AsyncEngine) -> None:
    begun = Story().calls_in().after(0.1).waits_in("sales").rings("101")
    await imported(engine, calls_of(begun))
    (call,) = await calls(engine)
    assert (call.ended_at, call.lost, call.disposition) == (None, False, "unknown")
    assert (await imported(engine, calls_of(miss()))).changed == 1
    (call,) = await calls(engine)
    assert (call.lost, call.colour) == (True, Colour.RED)


# parts of other calls


def beside(story: Story, after: float, **what: Any) -> Call:
    """A call that the log has under a name of its own, so long after the story's call began."""
    at = story.call.started_at + timedelta(seconds=after)
    leg = Leg(id="x.1", endpoint="", agent=None, number=None, trunk=True, local=False, began_at=at)
    usual = {"direction": Direction.INBOUND, "caller": OTHER, "called": "1001", "ended_at": at + timedelta(seconds=9)}
    return Call(
        **{**usual, **what}, node="main", key="x.1", started_at=at, first="x.1", anchor="x.1", legs={"x.1": leg}
    )


def talked() -> Story:
    """A client's talk of a minute with 101."""
    story = Story().calls_in().after(0.1).waits_in("sales").rings("101").after(5).answers("101")
    return story.after(60).hangs_up("101")


def ringing(call: Call, agent: str) -> Call:
    talk = Talk(agent=agent, leg="x.2", began_at=call.started_at, ended_at=call.ended_at, ended_by=EndedBy.CALLER)
    return replace(call, talks=(talk,))


async def test_a_consultation_within_a_known_call_is_no_call_of_its_own(engine: AsyncEngine) -> None:
    story = talked()
    await lived(engine, story)
    consultation = beside(story, 30, direction=Direction.INTERNAL, caller="101", called="102")
    assert (await imported(engine, [consultation], "cdr")).left == 1
    assert [row.key for row in await calls(engine)] == [story.key]


@pytest.mark.parametrize("source", ["cdr", "queue_log", "cel"])
async def test_another_name_of_the_same_clients_call_is_no_call_of_its_own(engine: AsyncEngine, source: str) -> None:
    story = talked()
    await lived(engine, story)
    assert (await imported(engine, [beside(story, 3, caller=CLIENT)], source)).left == 1


async def test_a_talk_that_is_known_is_not_told_twice(engine: AsyncEngine) -> None:
    """The log rounds to seconds."""
    story = talked()
    await lived(engine, story)
    assert (await imported(engine, [ringing(beside(story, 6), "101")])).left == 1


@pytest.mark.parametrize(
    "what",
    [
        {"after": 30},
        {"after": 30, "direction": Direction.INTERNAL, "caller": "103", "called": "102"},
        {"after": 90, "direction": Direction.INTERNAL, "caller": "101", "called": "102"},
        {"after": -60, "caller": CLIENT},
    ],
    ids=["another client", "another agent", "the agent afterwards", "the client before"],
)
async def test_other_calls_are_calls_of_their_own(engine: AsyncEngine, what: dict[str, Any]) -> None:
    story = talked()
    await lived(engine, story)
    assert (await imported(engine, [beside(story, **what)])).new == 1


async def test_within_a_call_whose_end_was_not_seen_nothing_is_left_out(engine: AsyncEngine) -> None:
    """Nobody was listening then."""
    story = Story().calls_in().after(60)
    await lived(engine, story.tell(f.LegVanished, leg=story.key))
    assert (await imported(engine, [beside(story, 3, caller=CLIENT)])).new == 1


# callbacks


async def test_imported_misses_and_attempts_make_callbacks(engine: AsyncEngine) -> None:
    story = call_back(call_back(miss()), talks=30)
    assert (await imported(engine, calls_of(story), "cel", portion=1)).new == 3
    (debt,) = await debts(engine)
    assert (debt.state, debt.closed_by_call) == (State.REACHED, story.key)
    assert [row.result for row in await attempts(engine)] == ["no_answer", "reached"]
    assert [row.colour for row in await calls(engine)] == [Colour.GREEN, None, None]


async def attempts(engine: AsyncEngine) -> list[sa.Row[Any]]:
    wanted = sa.select(schema.callback_attempt).order_by(schema.callback_attempt.c.position)
    return list(await reading(engine, lambda connection: connection.execute(wanted).all()))


async def test_an_imported_miss_before_a_live_one_is_what_opened_the_callback(engine: AsyncEngine) -> None:
    story = miss()
    before = calls_of(story)
    miss(story.after(60))
    await record(engine, only_last(story), USUAL)
    assert [debt.call for debt in await debts(engine)] == [story.key]
    await imported(engine, before)
    (debt,) = await debts(engine)
    assert (debt.call, debt.priority, debt.opened_at) == (before[0].key, 2, before[0].ended_at)
    assert {row.callback for row in await calls(engine)} == {before[0].key}


def only_last(story: Story) -> list[Fact]:
    """What the daemon heard, which was started before the last call only."""
    return [fact for fact in story.facts if fact.at >= story.call.started_at]


async def test_an_imported_talk_closes_a_live_callback(engine: AsyncEngine) -> None:
    story = miss()
    await lived(engine, story)
    talk = Story(at=story.now + timedelta(minutes=3), node="branch").calls_in().after(0.1).waits_in("sales")
    talk.rings("201").after(2).answers("201").after(30).caller_leaves()
    await imported(engine, calls_of(talk), node="branch")
    (debt,) = await debts(engine)
    assert (debt.node, debt.state, debt.rescuer) == ("main", State.CLIENT_RETURNED, "201")
    assert [row.colour for row in await calls(engine)] == [Colour.GREEN, Colour.GREEN]


async def test_an_import_that_broke_off_is_completed_by_the_next_one(engine: AsyncEngine) -> None:
    """The calls were written, the callbacks not yet."""
    told = calls_of(miss(miss().after(60), OTHER))
    broken = Importer(engine, USUAL, node="main", source="queue_log", portion=1)
    await broken.take(told)
    assert (len(await calls(engine)), await debts(engine)) == (2, [])
    assert (await imported(engine, told)).same == 2
    assert {debt.number for debt in await debts(engine)} == {CLIENT, OTHER}
    assert {row.callback for row in await calls(engine)} == {call.key for call in told}


async def test_a_dismissed_callback_stays_so_however_often_its_call_is_told(engine: AsyncEngine) -> None:
    told = calls_of(miss())
    await imported(engine, told)
    dismissed = sa.update(schema.callback).values(state=State.DISMISSED, closed_at=MONDAY_NOON + timedelta(hours=1))
    await writing(engine, lambda connection: connection.execute(dismissed))
    await imported(engine, told)
    assert [debt.state for debt in await debts(engine)] == [State.DISMISSED]
    assert [row.colour for row in await calls(engine)] == [None]


async def test_a_number_told_otherwise_by_a_better_log_takes_its_callback_along(engine: AsyncEngine) -> None:
    """Also one that was dismissed, and one that was joined."""
    story = miss(rang=20)
    first = story.key
    second = miss(story.after(60), rang=20).key
    told = calls_of(story)
    await imported(engine, told, "cdr")
    assert [(debt.call, debt.number, debt.priority) for debt in await debts(engine)] == [(first, CLIENT, 2)]
    await imported(engine, [replace(told[0], caller=OTHER)], "cel")
    assert {(debt.call, debt.number, debt.priority) for debt in await debts(engine)} == {
        (first, OTHER, 1),
        (second, CLIENT, 1),
    }
    dismissed = sa.update(schema.callback).values(state=State.DISMISSED, closed_at=story.now + timedelta(hours=1))
    await writing(engine, lambda connection: connection.execute(dismissed))
    await imported(engine, [replace(told[1], caller=OTHER)], "cel")
    assert {(debt.number, debt.state) for debt in await debts(engine)} == {(OTHER, State.DISMISSED)}
    assert [row.colour for row in await calls(engine)] == [None, None]
    assert unchanged(await recompute(engine, USUAL, begin=ALWAYS))


async def test_a_call_that_is_no_more_lost_by_a_better_log_has_no_callback(engine: AsyncEngine) -> None:
    await imported(engine, calls_of(miss()), "cdr")
    assert len(await debts(engine)) == 1
    answered = Story().calls_in().after(0.1).waits_in("sales").rings("101").after(2).answers("101").after(30)
    await imported(engine, calls_of(answered.caller_leaves()), "cel")
    assert await debts(engine) == []
    assert [(row.lost, row.colour, row.callback) for row in await calls(engine)] == [(False, Colour.GREEN, None)]


# what else is written


async def test_people_nodes_and_days_are_known_afterwards(engine: AsyncEngine) -> None:
    rolled: list[str] = []

    async def roll_up() -> None:
        rolled.append("days")

    hours = WorkingHours(zone=UTC)
    await imported(engine, calls_of(miss()), node="main", policy=replace(USUAL, hours=hours), roll_up=roll_up)
    agents = await reading(engine, lambda connection: connection.execute(sa.select(schema.agent)).all())
    nodes = await reading(engine, lambda connection: connection.execute(sa.select(schema.node)).all())
    days = await reading(engine, lambda connection: connection.execute(sa.select(schema.rollup)).all())
    assert [tuple(row) for row in agents] == [("main", "101", None, None)]
    assert [tuple(row) for row in nodes] == [("main",)]
    assert [(row.node, row.day, row.fresh) for row in days] == [("main", date(2026, 3, 2), False)]
    assert rolled == ["days"]


async def test_nothing_told_is_nothing_written(engine: AsyncEngine) -> None:
    before = await reading(engine, rows)
    assert await imported(engine, []) == Imported()
    assert await reading(engine, rows) == before


# stretches


def stretch(begin: float, end: float, state: AgentState = AgentState.PAUSED, agent: str = "101") -> Interval:
    """Minutes after noon."""
    began_at, ended_at = (MONDAY_NOON + timedelta(minutes=minutes) for minutes in (begin, end))
    return Interval(agent=agent, state=state, began_at=began_at, ended_at=ended_at)


async def known(engine: AsyncEngine, intervals: Sequence[Interval], source: str = "live") -> None:
    values = [interval_row("main", AVAILABILITY, each, source) for each in intervals]
    await writing(engine, lambda connection: insert_new(connection, schema.agent_interval, values))


async def stretches(engine: AsyncEngine) -> list[tuple[str, float, float | None]]:
    """Source, begin and end in minutes after noon."""
    table = schema.agent_interval.c
    wanted = sa.select(table.source, table.began_at, table.ended_at).order_by(table.agent, table.began_at)
    found = await reading(engine, lambda connection: connection.execute(wanted).all())
    return [(source, minutes(begin) or 0.0, minutes(end)) for source, begin, end in found]


def minutes(at: datetime | None) -> float | None:
    return (at - MONDAY_NOON).total_seconds() / 60 if at is not None else None


async def test_a_told_stretch_is_cut_by_what_was_seen(engine: AsyncEngine) -> None:
    await known(engine, [stretch(10, 20), replace(stretch(40, 50), ended_at=None)])
    assert (await imported(engine, [stretch(0, 60)])).intervals == 1
    assert await stretches(engine) == [
        ("queue_log", 0, 10),
        ("live", 10, 20),
        ("queue_log", 20, 40),
        ("live", 40, None),
    ]


async def test_stale_stretches_of_the_same_log_are_replaced(engine: AsyncEngine) -> None:
    await imported(engine, [stretch(0, 10), stretch(10, 30), stretch(30, 40)])
    await imported(engine, [stretch(0, 20), stretch(20, 40)])
    assert await stretches(engine) == [("queue_log", 0, 20), ("queue_log", 20, 40)]


async def test_of_an_older_file_what_reaches_out_of_the_new_one_stays(engine: AsyncEngine) -> None:
    await imported(engine, [stretch(0, 20), stretch(30, 60)])
    await imported(engine, [stretch(10, 40)])
    assert await stretches(engine) == [("queue_log", 0, 10), ("queue_log", 10, 40), ("queue_log", 40, 60)]


async def test_other_agents_stretches_are_left_alone(engine: AsyncEngine) -> None:
    await known(engine, [stretch(0, 60, agent="102")], "queue_log")
    await imported(engine, [stretch(10, 20)])
    assert len(await stretches(engine)) == 2


async def test_an_open_stretch_ends_with_the_last_that_the_log_tells(engine: AsyncEngine) -> None:
    await imported(engine, [replace(stretch(0, 1), ended_at=None), stretch(5, 50, agent="102")])
    assert await stretches(engine) == [("queue_log", 0, 50), ("queue_log", 5, 50)]


async def test_the_portions_do_not_matter(engine: AsyncEngine) -> None:
    told = [stretch(begin, begin + 5, agent=agent) for begin in range(0, 60, 5) for agent in ("101", "102")]
    await known(engine, [stretch(3, 12), stretch(33, 41, agent="102")])
    await imported(engine, told, portion=1)
    one_by_one = await stretches(engine)
    await imported(engine, told, portion=1000)
    assert await stretches(engine) == one_by_one
    assert one_by_one[:4] == [("queue_log", 0, 3), ("live", 3, 12), ("queue_log", 12, 15), ("queue_log", 15, 20)]


def test_stretches_that_overlap_in_the_log_follow_each_other() -> None:
    told = consecutive([stretch(10, 30), stretch(0, 20), stretch(12, 18), stretch(30, 40)])
    assert [(minutes(each.began_at), minutes(each.ended_at)) for each in told] == [(0, 20), (20, 30), (30, 40)]


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=8)
IMPORTS = st.lists(st.tuples(st.sampled_from(["queue_log", "cel"]), SPANS), min_size=1, max_size=4)


@given(seen=SPANS, told=IMPORTS)
@settings(max_examples=150, deadline=None)
def test_whatever_is_told_no_two_stretches_overlap_and_what_was_seen_stands(
    seen: list[tuple[int, int]], told: list[tuple[str, list[tuple[int, int]]]]
) -> None:
    engine = sa.create_engine("sqlite://")
    live = list(consecutive(stretch(begin, begin + length) for begin, length in seen))
    with engine.begin() as connection:
        schema.METADATA.create_all(connection)
        insert_new(connection, schema.agent_interval, [interval_row("main", AVAILABILITY, i) for i in live])
        for source, spans in [*told, *told]:
            mine = tuple(consecutive(stretch(begin, begin + length) for begin, length in spans))
            if mine:
                ends = {"begin": mine[0].began_at, "end": mine[-1].ended_at or mine[-1].began_at}
                write_stretches(connection, "main", source, [Told(agent="101", intervals=mine, **ends)])
        table = schema.agent_interval.c
        wanted = sa.select(table.source, table.began_at, table.ended_at).order_by(table.began_at)
        found = connection.execute(wanted).all()
    assert all(one.ended_at <= other.began_at for one, other in pairwise(found))
    assert [tuple(row[1:]) for row in found if row.source == "live"] == [(i.began_at, i.ended_at) for i in live]
    source, spans = told[-1]
    told_last = {m for begin, length in spans for m in range(begin, begin + length)}
    covered = {m for row in found for m in range(int(minutes(row.began_at) or 0), int(minutes(row.ended_at) or 0))}
    assert told_last <= covered, "nothing that was told is lost"
