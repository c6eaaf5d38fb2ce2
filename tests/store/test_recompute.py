"""Judging again gives what recording under the policy from the start would have given; what people did stands."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.callback import Colour, State
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import schema
from pbxmonitor.store.leases import acquire
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.outcome import Outcome
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, reading, writing
from tests.domain.story import CLIENT, MONDAY_NOON, Story
from tests.recorded import is_shape
from tests.store.test_ledger import TAPES

Rows = dict[str, list[tuple[Any, ...]]]
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
USUAL: Final = Policy()
# The recordings were made on a Monday morning: an hour of it is left open.
HOURS: Final = WorkingHours(zone=ZoneInfo("Europe/Moscow"), week=(((time(10), time(11)),),) * 7)
POLICIES: Final = {
    "patient": replace(USUAL, min_ring=timedelta(seconds=8), short_abandon=timedelta(seconds=20)),
    "strict": replace(
        USUAL,
        short_hangup=timedelta(seconds=1),
        dropped_within=timedelta(seconds=10),
        min_reached_talk=timedelta(seconds=2),
    ),
    "closed": replace(
        USUAL,
        min_attempt_ring=timedelta(seconds=1),
        callback_norm=timedelta(hours=1),
        never_call_back=frozenset({"+79161234501"}),
        hours=HOURS,
    ),
    "queue": replace(USUAL, queues={"sales": {"min_ring": timedelta(seconds=20), "short_hangup": timedelta()}}),
}
# What each of them must at least change: else it would prove nothing.
TOUCHED: Final = {
    "patient": {"cause", "lost", "colour", "verdict", "callback"},
    "strict": {"cause", "lost", "colour", "short_hangup", "short_hangups", "caller_hangups", "callback"},
    "closed": {"cause", "colour", "callback"},
    "queue": {"verdict", "short_hangups", "cause"},
}


@cache
def recordings() -> tuple[tuple[Fact, ...], ...]:
    """The recordings made one after the other, in the order of time: parts of the stories of the two PBXs.

    Not the shapes of docs/call-shapes.md: those were recorded in several labs at once, with the same customers in each.
    """
    alone = [tape for tape in TAPES if not is_shape(tape)]
    told = (facts_of(frames_of(tape), Site(node=f"v{tape.parent.name}")) for tape in alone)
    return tuple(sorted((tuple(facts) for facts in told), key=lambda facts: facts[0].at))


def stories() -> list[list[Fact]]:
    """What either PBX tells, whole."""
    return [[fact for facts in recordings() if facts[0].node == node for fact in facts] for node in ("v16", "v22")]


async def record(engine: AsyncEngine, facts: Sequence[Fact], policy: Policy, ledger: Ledger | None = None) -> None:
    """What a daemon does with them."""
    ledger = ledger or Ledger(engine, facts[0].node, policy)
    floor = await ledger.floor()
    for start in range(0, len(facts), 100):
        told = await ledger.unseen(facts[start : start + 100])
        floor, changes = play(floor, told)
        await ledger.record(changes, floor, told)


async def record_all(engine: AsyncEngine, policy: Policy) -> None:
    for facts in recordings():
        await record(engine, facts, policy)


def rows(connection: sa.Connection) -> Rows:
    """The whole database but which days are rolled up, and how far callbacks have come: that is not derived."""
    tables = [table for table in METADATA.sorted_tables if table is not schema.rollup]
    return {t.name: sorted((tuple(row) for row in connection.execute(derived(t))), key=repr) for t in tables}


def derived(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(column for column in table.columns if column.name not in ("step", "next_at")))


async def emptied(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            await connection.execute(sa.delete(table))


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Rows]:
    """By policy the rows of all recordings, recorded under it from the start."""

    async def lived(policy: Policy) -> Rows:
        engine = connect(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'rows.sqlite3'}")
        await writing(engine, METADATA.create_all)
        await record_all(engine, policy)
        found = await reading(engine, rows)
        await engine.dispose()
        return found

    return {name: asyncio.run(lived(policy)) for name, policy in {"usual": USUAL, **POLICIES}.items()}


async def test_every_policy_in_turn_gives_the_rows_of_recording_under_it(
    engine: AsyncEngine, expected: dict[str, Rows]
) -> None:
    """Dry first, which writes nothing and tells the same; once more, which changes nothing; the usual one at last."""
    await record_all(engine, USUAL)
    before = await reading(engine, rows)
    assert before == expected["usual"]
    for name, policy in [*POLICIES.items(), ("usual", USUAL)]:
        told = await recompute(engine, policy, begin=ALWAYS, dry_run=True)
        assert await reading(engine, rows) == before
        outcome = await recompute(engine, policy, begin=ALWAYS, portion=40)
        before = await reading(engine, rows)
        assert before == expected[name], name
        assert told == outcome
        assert {move.field for move in outcome.moves} >= TOUCHED.get(name, set())
        assert unchanged(await recompute(engine, policy, begin=ALWAYS))


def unchanged(outcome: Outcome) -> bool:
    return (outcome.changed, outcome.callbacks_changed, outcome.moves, outcome.listed) == (0, 0, (), ())


async def test_the_same_policy_changes_nothing_from_whichever_moment_on(
    engine: AsyncEngine, expected: dict[str, Rows]
) -> None:
    await record_all(engine, USUAL)
    marks = await reading(engine, lambda connection: connection.execute(sa.select(schema.rollup)).all())
    ended = sorted(row.ended_at for row in await calls(engine) if row.ended_at is not None)
    for begin in [ALWAYS, *ended[:: len(ended) // 12]]:
        assert unchanged(await recompute(engine, USUAL, begin=begin))
    assert await reading(engine, rows) == expected["usual"]
    assert await reading(engine, lambda connection: connection.execute(sa.select(schema.rollup)).all()) == marks


class PowerCut(Exception):  # noqa: N818 - what happens
    """Somewhere between two transactions."""


def power_cut(after: int) -> Callable[[int, int], None]:
    left = iter(range(after))

    def progress(_done: int, _total: int) -> None:
        if next(left, None) is None:
            raise PowerCut

    return progress


@pytest.mark.parametrize("portions", [2, 7])
async def test_a_run_that_breaks_off_is_finished_by_the_next_one(
    engine: AsyncEngine, expected: dict[str, Rows], portions: int
) -> None:
    await record_all(engine, USUAL)
    with pytest.raises(PowerCut):
        await recompute(engine, POLICIES["strict"], begin=ALWAYS, portion=30, progress=power_cut(portions))
    halfway = await reading(engine, rows)
    assert halfway != expected["strict"]
    await recompute(engine, POLICIES["strict"], begin=ALWAYS)
    assert await reading(engine, rows) == expected["strict"]


async def test_beside_daemons_that_record_no_update_is_lost(engine: AsyncEngine, expected: dict[str, Rows]) -> None:
    """The first half of either story is there; the rest comes while all is judged again."""
    policy = POLICIES["patient"]
    for story in stories():
        await record(engine, story[: len(story) // 2], USUAL)

    async def go_on() -> None:
        for story in stories():
            node = story[0].node
            lease = await acquire(engine, node, "daemon", MONDAY_NOON, timedelta(hours=1))
            await record(engine, story[len(story) // 2 :], policy, Ledger(engine, node, policy, lease))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(go_on())
        for _ in range(4):
            await recompute(engine, policy, begin=ALWAYS, portion=10)
    await recompute(engine, policy, begin=ALWAYS)
    found = await reading(engine, rows)
    for kept in ("fact", "lease", "checkpoint"):
        # The batches were others, and so the numbers of facts and the places of checkpoints.
        del found[kept]
    assert found == {name: table for name, table in expected["patient"].items() if name in found}


# small stories


def miss(story: Story | None = None, number: str = CLIENT, rang: float = 10) -> Story:
    """A caller whom 101 let ring."""
    story = (story or Story()).calls_in(number).after(0.1).waits_in("sales").rings("101")
    return story.after(rang).caller_leaves()


def call_back(story: Story, dialled: str = CLIENT, rang: float = 12, talks: float = 0) -> Story:
    """101 dials the client; with `talks` they talk that long."""
    story = story.after(60).dials("101", dialled).after(0.1).is_put_through_to(CLIENT).rings_outside(CLIENT)
    story = story.after(rang)
    return story.answers(CLIENT).after(talks).hangs_up(CLIENT) if talks else story.caller_leaves()


async def lived(engine: AsyncEngine, story: Story, policy: Policy = USUAL) -> None:
    await record(engine, story.facts, policy)


async def calls(engine: AsyncEngine) -> list[sa.Row[Any]]:
    wanted = sa.select(schema.call).order_by(schema.call.c.started_at)
    return list(await reading(engine, lambda connection: connection.execute(wanted).all()))


async def debts(engine: AsyncEngine) -> list[sa.Row[Any]]:
    wanted = sa.select(schema.callback).order_by(schema.callback.c.opened_at)
    return list(await reading(engine, lambda connection: connection.execute(wanted).all()))


async def by_hand(engine: AsyncEngine, call: str, state: State, at: datetime) -> None:
    """What a person, or time, does with a callback."""
    this = sa.update(schema.callback).where(schema.callback.c.call == call).values(state=state, closed_at=at)
    await writing(engine, lambda connection: connection.execute(this))


IMPATIENT: Final = replace(USUAL, short_abandon=timedelta(seconds=30))


async def test_the_outcome_tells_old_against_new(engine: AsyncEngine) -> None:
    story = miss()
    first, second = story.key, miss(story.after(60), rang=40).key
    await lived(engine, story)
    outcome = await recompute(engine, IMPATIENT, begin=ALWAYS)
    assert (outcome.calls, outcome.changed, outcome.callbacks_changed) == (2, 2, 2)
    assert outcome.totals["lost"] == (2, 1)
    assert outcome.totals["red"] == (2, 1)
    assert outcome.totals["missed"] == (2, 2)
    assert outcome.totals["callbacks"] == (1, 1)
    assert {(m.field, m.old, m.new, m.count) for m in outcome.moves if m.field in ("cause", "lost", "colour")} == {
        ("cause", Cause.IGNORED, Cause.SHORT_ABANDON, 1),
        ("lost", True, False, 1),
        ("colour", Colour.RED, None, 1),
    }
    assert [each.call for each in outcome.listed] == [first, second]
    assert outcome.listed[0].changes["cause"] == (Cause.IGNORED, Cause.SHORT_ABANDON)
    assert outcome.listed[1].changes == {"callback": (first, second)}


async def test_verdicts_are_told_by_agent(engine: AsyncEngine) -> None:
    await lived(engine, miss())
    outcome = await recompute(engine, replace(USUAL, min_ring=timedelta(seconds=20)), begin=ALWAYS, dry_run=True)
    assert ("verdict", "101", "missed", "not_counted", 1) in [
        (move.field, move.agent, move.old, move.new, move.count) for move in outcome.moves
    ]
    assert outcome.totals["missed"] == (1, 0)


async def test_calls_before_the_beginning_stay_as_they_were_judged(engine: AsyncEngine) -> None:
    story = miss()
    begin = story.now + timedelta(seconds=30)
    miss(story.after(60), "+79160000002")
    await lived(engine, story)
    await recompute(engine, IMPATIENT, begin=begin)
    assert [row.cause for row in await calls(engine)] == [Cause.IGNORED, Cause.SHORT_ABANDON]


async def test_a_call_that_went_on_at_the_beginning_is_judged_again(engine: AsyncEngine) -> None:
    story = miss()
    await lived(engine, story)
    await recompute(engine, IMPATIENT, begin=story.now - timedelta(seconds=5))
    assert [row.lost for row in await calls(engine)] == [False]
    assert await debts(engine) == []


async def test_a_callback_opened_before_the_beginning_is_carried_in(engine: AsyncEngine) -> None:
    """Tried before it, reached after it: the talk of 3 s counts under the new policy only."""
    story = call_back(miss())
    begin = story.now + timedelta(seconds=30)
    call_back(story, talks=3)
    await lived(engine, story)
    assert [debt.state for debt in await debts(engine)] == [State.ATTEMPTED]
    await recompute(engine, replace(USUAL, min_reached_talk=timedelta(seconds=2)), begin=begin)
    (debt,) = await debts(engine)
    assert (debt.state, debt.closed_by_call, debt.rescuer) == (State.REACHED, story.key, "101")
    assert [row.colour for row in await calls(engine)] == [Colour.GREEN, None, None]
    await recompute(engine, USUAL, begin=begin)
    (debt,) = await debts(engine)
    assert (debt.state, debt.closed_by_call, debt.closed_at, debt.rescuer) == (State.ATTEMPTED, None, None, None)
    assert [row.colour for row in await calls(engine)] == [Colour.YELLOW, None, None]


async def test_an_attempt_by_another_number_than_the_dialled_one_counts(engine: AsyncEngine) -> None:
    """The way out is chosen by a digit in front."""
    story = call_back(miss(), dialled=f"9{CLIENT[2:]}", rang=5)
    await lived(engine, story)
    policy = replace(USUAL, min_attempt_ring=timedelta(seconds=4))
    await recompute(engine, policy, begin=ALWAYS)
    changed = await reading(engine, rows)
    assert [debt.state for debt in await debts(engine)] == [State.ATTEMPTED]
    await emptied(engine)
    await lived(engine, story, policy)
    assert await reading(engine, rows) == changed


async def test_a_talk_on_another_pbx_closes_the_callback_again(engine: AsyncEngine) -> None:
    story = miss()
    other = Story(at=story.now + timedelta(minutes=5), node="branch")
    other.calls_in(CLIENT).after(0.1).waits_in("sales").rings("201").after(2).answers("201").after(30).hangs_up("201")
    await lived(engine, story)
    await lived(engine, other)
    (debt,) = before = await debts(engine)
    assert (debt.node, debt.state) == ("main", State.CLIENT_RETURNED)
    assert unchanged(await recompute(engine, USUAL, begin=ALWAYS, node="main"))
    assert unchanged(await recompute(engine, USUAL, begin=ALWAYS))
    assert await debts(engine) == before


async def test_of_one_node_alone_the_rows_of_others_stay(engine: AsyncEngine) -> None:
    await lived(engine, miss())
    await lived(engine, miss(Story(node="branch")))
    await recompute(engine, IMPATIENT, begin=ALWAYS, node="branch")
    assert {row.node: row.cause for row in await calls(engine)} == {
        "main": Cause.IGNORED,
        "branch": Cause.SHORT_ABANDON,
    }
    assert [debt.node for debt in await debts(engine)] == ["main"]


@pytest.mark.parametrize("state", [State.DISMISSED, State.EXPIRED])
async def test_what_was_closed_by_hand_stays_closed(engine: AsyncEngine, state: State) -> None:
    story = miss(rang=40)
    first, at = story.key, story.now + timedelta(minutes=5)
    miss(story.after(600), rang=40)
    await lived(engine, story)
    await emptied_of_joins(engine, first, story.key, state, at)
    before = await reading(engine, rows)
    await recompute(engine, IMPATIENT, begin=ALWAYS)
    after = await debts(engine)
    assert [(debt.state, debt.closed_at) for debt in after] == [(state, at), (State.OPEN, None)]
    assert [row.colour for row in await calls(engine)] == [None if state is State.DISMISSED else Colour.RED, Colour.RED]
    await recompute(engine, USUAL, begin=ALWAYS)
    assert await reading(engine, rows) == before


async def emptied_of_joins(engine: AsyncEngine, first: str, second: str, state: State, at: datetime) -> None:
    """As the daemon would have left it: closed by hand in between, so that the second miss opened one of its own."""
    await by_hand(engine, first, state, at)
    await recompute(engine, USUAL, begin=ALWAYS)
    assert [debt.call for debt in await debts(engine)] == [first, second]


async def test_a_dismissed_callback_is_kept_though_its_call_is_lost_no_more(engine: AsyncEngine) -> None:
    story = miss()
    await lived(engine, story)
    await by_hand(engine, story.key, State.DISMISSED, story.now + timedelta(minutes=1))
    before = await debts(engine)
    await recompute(engine, IMPATIENT, begin=ALWAYS)
    assert await debts(engine) == before
    (call,) = await calls(engine)
    assert (call.lost, call.colour, call.callback) == (False, None, None)
    assert unchanged(await recompute(engine, IMPATIENT, begin=ALWAYS))
    await recompute(engine, USUAL, begin=ALWAYS)
    (call,) = await calls(engine)
    assert (call.lost, call.colour, call.callback) == (True, None, story.key)


async def test_a_dismissal_goes_over_to_the_callback_that_holds_the_miss_now(engine: AsyncEngine) -> None:
    """The first of two misses opens nothing any more: the second is what was dismissed."""
    story = miss()
    first = story.key
    miss(story.after(60), rang=40)
    await lived(engine, story)
    await by_hand(engine, first, State.DISMISSED, story.now + timedelta(minutes=5))
    await recompute(engine, IMPATIENT, begin=ALWAYS)
    assert [(debt.call, debt.state) for debt in await debts(engine)] == [(story.key, State.DISMISSED)]
    assert unchanged(await recompute(engine, IMPATIENT, begin=ALWAYS))


@pytest.mark.parametrize(("state", "stands"), [(State.DISMISSED, State.DISMISSED), (State.EXPIRED, State.REACHED)])
async def test_a_persons_word_stands_against_a_talk_that_counts_only_now_but_time_does_not(
    engine: AsyncEngine, state: State, stands: State
) -> None:
    story = miss()
    missed = story.key
    call_back(story, talks=3)
    await lived(engine, story)
    await by_hand(engine, missed, state, story.now + timedelta(hours=1))
    await recompute(engine, replace(USUAL, min_reached_talk=timedelta(seconds=2)), begin=ALWAYS)
    assert [debt.state for debt in await debts(engine)] == [stands]


async def test_the_days_of_what_changes_are_marked_in_the_sites_zone(engine: AsyncEngine) -> None:
    """Late in the evening in London it is the next day in Moscow."""
    evening = datetime(2026, 3, 2, 22, 30, tzinfo=UTC)
    story = miss(Story(at=evening - timedelta(days=3)), "+79160000002", rang=40)
    await lived(engine, miss(story.at(evening)))
    await writing(engine, lambda connection: connection.execute(sa.delete(schema.rollup)))
    hours = WorkingHours(zone=ZoneInfo("Europe/Moscow"))
    await recompute(engine, replace(IMPATIENT, hours=hours), begin=ALWAYS)
    found = await reading(engine, lambda connection: connection.execute(sa.select(schema.rollup)).all())
    assert [(row.node, row.day, row.fresh) for row in found] == [("main", date(2026, 3, 3), False)]


async def test_progress_ends_at_its_total(engine: AsyncEngine) -> None:
    story = miss()
    miss(story.after(60), "+79160000002")
    await lived(engine, story)
    heard: list[tuple[int, int]] = []
    await recompute(engine, USUAL, begin=ALWAYS, dry_run=True, progress=lambda done, of: heard.append((done, of)))
    assert heard[-1] == (4, 4), "two calls, and two clients"
    assert all(done <= of for done, of in heard)


async def test_an_empty_database_has_nothing_to_judge(engine: AsyncEngine) -> None:
    outcome = await recompute(engine, USUAL, begin=ALWAYS)
    assert (outcome.calls, unchanged(outcome)) == (0, True)
