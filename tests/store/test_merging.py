"""History told under two names and merged is the history of a daemon that knew from the beginning."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any, Final

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.domain.alerts import Kind
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.renaming import Names, NamesChanged, renamed_fact
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import Account
from pbxmonitor.store.accounts import add as add_account
from pbxmonitor.store.alerts import row_of
from pbxmonitor.store.aliases import names_of
from pbxmonitor.store.importing import Importer
from pbxmonitor.store.leases import acquire
from pbxmonitor.store.ledger import Ledger, write_checkpoint
from pbxmonitor.store.merging import Renaming, rename_agent
from pbxmonitor.store.outbox import Delivery, put
from pbxmonitor.store.people import CannotRename, check, preview
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.rows import AVAILABILITY
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, reading, upsert, writing
from pbxmonitor.texts import speak
from tests.domain.story import MONDAY_NOON, Story
from tests.store.test_recompute import derived, emptied, stories

USUAL: Final = Policy()
ALWAYS: Final = datetime(2000, 1, 1, tzinfo=UTC)
NOW: Final = MONDAY_NOON + timedelta(days=3)
HOUR: Final = timedelta(hours=1)
# Words of the journal itself stay as they were told; who renamed whom is only told where it was done.
APART: Final = frozenset({"fact", "alias", "audit", "lease", "checkpoint"})
Rows = dict[str, list[tuple[Any, ...]]]


async def record(engine: AsyncEngine, facts: Sequence[Fact], names: Names | None = None) -> Floor:
    """What a daemon does with them, that knew those names from the beginning."""
    told = [renamed_fact(fact, names or {}) for fact in facts]
    ledger = Ledger(engine, told[0].node, USUAL)
    floor = await ledger.floor()
    for start in range(0, len(told), 50):
        fresh = await ledger.unseen(told[start : start + 50])
        floor, changes = play(floor, fresh)
        await ledger.record(changes, floor, fresh)
    return floor


def rows(connection: sa.Connection) -> Rows:
    """Every table but those apart; sums are compared by what they would be made of."""
    left = {*APART, "rollup", "agent_day", "journey_day", "visit_hour", "caller_day"}
    tables = [table for table in METADATA.sorted_tables if table.name not in left]
    return {t.name: sorted((tuple(row) for row in connection.execute(derived(t))), key=repr) for t in tables}


def merging(old: str, new: str, *nodes: str) -> Renaming:
    return Renaming(old=old, new=new, nodes=nodes or ("main",), whole=True, by="admin")


async def merge(engine: AsyncEngine, old: str, new: str, *nodes: str, **how: Any) -> None:
    await rename_agent(engine, USUAL, merging(old, new, *nodes), NOW, **how)


async def lived(facts: Sequence[Fact], names: Names, tmp_path_factory: pytest.TempPathFactory) -> tuple[Rows, Floor]:
    """The rows and the floor of a daemon that knew from the beginning."""
    engine = connect(f"sqlite:///{tmp_path_factory.mktemp('known') / 'rows.sqlite3'}")
    await writing(engine, METADATA.create_all)
    floor = await record(engine, facts, names)
    found = await reading(engine, rows)
    await engine.dispose()
    return found, floor


def first_day() -> Story:
    """204 and anna are two phones of one person: hers, and one that nobody had told the program of."""
    story = Story()
    story.phone_is("anna", True, "PJSIP/anna").works_in("anna", "sales", wrapup=10)
    story.after(5).phone_is("204", True, "PJSIP/204").works_in("204", "support").works_in("boris", "sales")
    story.after(60).calls_in().waits_in("sales").rings("anna", "boris").after(7).answers("boris").after(30)
    story.hangs_up("boris").after(20)
    story.calls_in("+79161234502").waits_in("support").rings("204").after(12).caller_leaves().after(30)
    story.pauses("anna", "sales", reason="lunch").after(600).unpauses("anna", "sales").after(30)
    story.dials("204", "+79161234502").rings_outside("+79161234502").after(15).stops("+79161234502").pbx_ends()
    story.after(60).dnd("204").after(900).dnd("204", on=False).after(10)
    story.phone_is("anna", False, "PJSIP/anna").after(300).phone_is("anna", True, "PJSIP/anna").after(5)
    return story


def both_in_one_call(story: Story) -> Story:
    """Both phones ring for one caller, in one Dial and one after the other; one gets through to the other."""
    story.calls_in("+79161234503").is_put_through_to("204", "anna").rings("204", "anna").after(9)
    story.answers("anna").after(45).hangs_up("anna").after(40)
    story.calls_in("+79161234504").is_put_through_to("204", "anna").rings("anna").after(9)
    story.stops("anna").dial_ends("NOANSWER").after(1).pbx_ends().after(40)
    story.calls_in("+79161234505").waits_in("sales").rings("anna").after(8).stops("anna").after(2)
    story.queue_ends().after(1).is_put_through_to("204").rings("204").after(2).answers("204").after(50)
    story.caller_leaves().after(30)
    story.calls_in("+79161234506").waits_in("support").rings("204").after(1).stops("204").after(1)
    story.rings("boris").after(6).stops("boris").queue_ends().waits_in("sales").rings("anna").after(9)
    story.caller_leaves().after(30)
    story.dials("204", "anna").is_put_through_to("anna").rings("anna").after(4).answers("anna").after(20)
    return story.hangs_up("anna").after(60)


def two_at_once(story: Story) -> Story:
    """She talks on one phone, and the other rings."""
    story.calls_in("+79161234507").waits_in("sales").rings("anna").after(4).answers("anna").after(20)
    first = story.key
    story.calls_in("+79161234508").waits_in("support").rings("204").after(15).caller_leaves().after(10)
    story.calls_in("+79161234509").waits_in("support").rings("204").after(5).answers("204").after(20)
    second = story.key
    story.back_to(first).caller_leaves().after(10).back_to(second).caller_leaves().after(3)
    return story.calls_in("+79161234507").waits_in("sales").rings("anna").after(30).caller_leaves().after(100)


def handed_over(story: Story) -> Story:
    story.calls_in("+79161234510").waits_in("sales").rings("anna").after(4).answers("anna").after(20)
    story.consults("anna", "boris").after(5).is_consulted("boris").after(10).hands_over("anna", "boris").after(30)
    story.caller_leaves().after(10)
    story.calls_in("+79161234510").waits_in("sales").rings("boris").after(4).answers("boris").after(20)
    story.consults("boris", "204").after(5).is_consulted("204").after(10).hands_over("boris", "204").after(30)
    story.caller_leaves().after(10)
    story.calls_in("+79161234511").waits_in("sales").rings("boris").after(4).answers("boris").after(10)
    story.sends_blind("boris", "204").is_put_through_to("204").rings("204").after(20).caller_leaves().after(10)
    story.calls_in("+79161234512").waits_in("support").rings("204").after(3).dumps("204").rings("204").after(3)
    return story.answers("204").after(1).hangs_up("204").after(400)


STORIES: Final = {
    "a day": [],
    "both in one call": [both_in_one_call],
    "two at once": [two_at_once],
    "handed over": [handed_over],
    "all of it": [both_in_one_call, two_at_once, handed_over, two_at_once],
}


def told(name: str) -> Story:
    story = first_day()
    for part in STORIES[name]:
        part(story)
    return story


@pytest.mark.parametrize("name", STORIES)
async def test_what_was_told_of_two_is_merged_as_if_it_had_been_told_of_one(
    engine: AsyncEngine, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts = told(name).facts
    known, floor = await lived(facts, {"204": "anna"}, tmp_path_factory)
    await record(engine, facts)
    await merge(engine, "204", "anna")
    merged = await reading(engine, rows)
    for table, found in known.items():
        assert [r for r in merged[table] if r not in found] == [] == [r for r in found if r not in merged[table]], table
    assert await Ledger(engine, "main", USUAL).floor() == floor
    outcome = await recompute(engine, USUAL, begin=ALWAYS)
    assert (outcome.changed, outcome.callbacks_changed) == (0, 0)
    assert await reading(engine, rows) == merged


async def test_a_name_becomes_another_in_every_recording(
    engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for facts in stories():
        known, floor = await lived(facts, {"101": "anna"}, tmp_path_factory)
        await emptied(engine)
        await record(engine, facts)
        await merge(engine, "101", "anna", facts[0].node)
        assert await reading(engine, rows) == known
        assert await Ledger(engine, facts[0].node, USUAL).floor() == floor


async def test_two_phones_of_one_queue_merged_in_every_recording(
    engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What stays as it was noted: how many could have answered, and the steps of a call passed on to himself."""
    for facts in stories():
        known, _ = await lived(facts, {"101": "102"}, tmp_path_factory)
        await emptied(engine)
        await record(engine, facts)
        await merge(engine, "101", "102", facts[0].node)
        merged = await reading(engine, rows)
        for table in known.keys() - {"stage", "agent_interval"}:
            assert merged[table] == known[table], table
        noted = len(schema.stage.columns) - 3
        passed_on = {row[1] for row in known["transfer"] if row[4] == "102" and row[5] in ("101", "102")}
        one, other = ([row[:noted] for row in each["stage"] if row[1] not in passed_on] for each in (merged, known))
        assert one == other
        assert len(passed_on) < len(known["call"]) / 10
        apart = [row for row in merged["agent_interval"] if row not in known["agent_interval"]]
        assert {row[5] for row in apart} <= {"hold", "talking"}
        assert len(apart) < len(known["agent_interval"]) / 50
        again = await recompute(engine, USUAL, begin=ALWAYS)
        assert (again.changed, again.callbacks_changed) == (0, 0)


async def test_a_phone_that_never_rang_is_merged_too(
    engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    story = first_day()
    story.phone_is("carol", False).after(60).phone_is("carol", True).after(60).pauses("carol", "sales").after(60)
    known, floor = await lived(story.facts, {"carol": "boris"}, tmp_path_factory)
    await record(engine, story.facts)
    await merge(engine, "carol", "boris")
    assert await reading(engine, rows) == known
    assert await Ledger(engine, "main", USUAL).floor() == floor


async def test_names_come_and_go_in_chains(engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """204 joins anna, who is called anna.k then, and gets her old name back."""
    facts = told("all of it").facts
    known, floor = await lived(facts, {"204": "anna"}, tmp_path_factory)
    await record(engine, facts)
    await merge(engine, "204", "anna")
    await merge(engine, "anna", "anna.k")
    assert await reading(engine, partial(names_of, node="main")) == {"204": "anna.k", "anna": "anna.k"}
    await merge(engine, "anna.k", "anna")
    assert await reading(engine, partial(names_of, node="main")) == {"204": "anna", "anna.k": "anna"}
    assert await reading(engine, rows) == known
    assert await Ledger(engine, "main", USUAL).floor() == floor


@pytest.mark.parametrize("cut", [40, 90, 140, 200, 260, 330])
async def test_merged_in_mid_story_a_daemon_goes_on_as_if_it_had_always_known(
    engine: AsyncEngine, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Calls ring and talks go on; what it holds in memory is of yesterday's names until its next transaction."""
    facts = told("all of it").facts
    known, floor = await lived(facts, {"204": "anna"}, tmp_path_factory)
    lease = await acquire(engine, "main", "daemon", MONDAY_NOON, timedelta(days=9))
    running = Engine(ledger := Ledger(engine, "main", USUAL, lease), Feed(await ledger.floor()))
    for start in range(0, cut, 10):
        await running.take(facts[start : min(start + 10, cut)])
    await merge(engine, "204", "anna")
    assert running.floor.agents.keys() & {"204"}
    for start in range(cut, len(facts), 10):
        await running.take(facts[start : start + 10])
    assert running.floor == floor
    assert running.feed.floor == floor
    await merge(engine, "204", "anna")
    assert await reading(engine, rows) == known


async def test_a_batch_told_under_an_old_name_is_not_lost(engine: AsyncEngine) -> None:
    story = first_day()
    await record(engine, story.facts)
    lease = await acquire(engine, "main", "daemon", MONDAY_NOON, timedelta(days=9))
    ledger = Ledger(engine, "main", USUAL, lease)
    floor = await ledger.floor()
    await merge(engine, "204", "anna")
    before = len(story.facts)
    late = story.dnd("204").facts[before:]
    floor, changes = play(floor, late)
    with pytest.raises(NamesChanged):
        await ledger.record(changes, floor, late)
    running = Engine(ledger, Feed(floor))
    await running.take(late)
    assert running.floor.agents["anna"].dnd
    assert "204" not in running.floor.agents


class PowerCut(Exception):  # noqa: N818 - what happens
    """Somewhere between two transactions."""


@pytest.mark.parametrize("after", [1, 3])
async def test_a_run_that_breaks_off_is_finished_by_the_next_one(
    engine: AsyncEngine, after: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    facts = told("all of it").facts
    known, floor = await lived(facts, {"204": "anna"}, tmp_path_factory)
    await record(engine, facts)
    left = iter(range(after))

    def progress(_done: int, _total: int) -> None:
        if next(left, None) is None:
            raise PowerCut

    with pytest.raises(PowerCut):
        await merge(engine, "204", "anna", portion=3, progress=progress)
    assert await reading(engine, rows) != known
    with pytest.raises(CannotRename, match="204"):
        await may(engine, "204", "boris")
    await may(engine, "204", "anna")
    await merge(engine, "204", "anna", portion=3)
    assert await reading(engine, rows) == known
    assert await Ledger(engine, "main", USUAL).floor() == floor


async def may(
    engine: AsyncEngine, old: str, new: str, *, merge: bool = True, people: frozenset[str] = frozenset()
) -> None:
    await reading(engine, partial(check, wanted=merging(old, new), people=people, merge=merge))


@pytest.mark.usefixtures("language_restored")
async def test_what_cannot_be_done_is_said_with_what_to_do_instead(engine: AsyncEngine) -> None:
    speak("en")
    await record(engine, first_day().facts)
    for old, new, how, said in (
        ("204", "204", {}, "is one name"),
        ("999", "anna", {}, "nobody is told of as 999"),
        ("204", "olga", {}, "there is no olga"),
        ("204", "anna", {"merge": False}, "merge 204 with anna"),
        ("204", "an&na", {"merge": False}, "80"),
        ("anna", "204", {"people": frozenset({"anna"})}, "settings"),
    ):
        with pytest.raises(CannotRename, match=said):
            await may(engine, old, new, **how)
    await may(engine, "204", "olga", people=frozenset({"olga"}))
    await merge(engine, "204", "anna")
    for old, new, how, said in (
        ("anna", "204", {}, "cannot be taken apart"),
        ("204", "boris", {}, "is anna"),
        ("boris", "204", {}, "is anna"),
    ):
        with pytest.raises(CannotRename, match=said):
            await may(engine, old, new, **how)
    await may(engine, "anna", "204", merge=False)


async def test_before_it_is_done_it_is_said_what_would_follow(engine: AsyncEngine) -> None:
    story = both_in_one_call(first_day())
    story.calls_in("+79161234599").waits_in("support").rings("204").after(2)
    await record(engine, story.facts)
    found = await reading(engine, partial(preview, wanted=merging("204", "anna")))
    assert (found.calls, found.both, found.going_on, found.callbacks) == (8, 5, 1, 1)
    assert found.states > 5
    await merge(engine, "204", "anna")
    left = await reading(engine, partial(preview, wanted=merging("204", "anna")))
    assert (left.calls, left.states, left.callbacks) == (0, 0, 0)


async def test_sums_of_days_follow(engine: AsyncEngine, tmp_path_factory: pytest.TempPathFactory) -> None:
    facts = told("all of it").facts
    known = connect(f"sqlite:///{tmp_path_factory.mktemp('summed') / 'rows.sqlite3'}")
    await writing(known, METADATA.create_all)
    await record(known, facts, {"204": "anna"})
    await record(engine, facts)
    beyond = Story(at=MONDAY_NOON + timedelta(days=2)).works_in("boris", "sales").facts
    for each in (known, engine):
        await record(each, [replace(fact, key=f"later/{fact.key}") for fact in beyond])
        await roll_up(each, USUAL, NOW)
    assert {agent for _, agent, *_ in await days(engine)} == {"204", "anna", "boris"}
    await merge(engine, "204", "anna")
    for each in (known, engine):
        await roll_up(each, USUAL, NOW)
    assert await days(engine) == await days(known)
    await known.dispose()


async def days(engine: AsyncEngine) -> list[tuple[Any, ...]]:
    return await reading(
        engine, lambda connection: sorted(map(tuple, connection.execute(sa.select(schema.agent_day))), key=repr)
    )


async def test_where_the_journal_is_gone_the_states_are_laid_over_each_other(engine: AsyncEngine) -> None:
    """Ready on either phone is ready; a pause or DND that a person chose counts for both."""
    story = first_day()
    floor = await record(engine, story.facts)
    await writing(engine, lambda c: write_checkpoint(c, floor, len(story.facts) + 500))
    await writing(engine, lambda c: c.execute(sa.delete(schema.fact).where(schema.fact.c.seq < 20)))
    before = await states(engine, "anna", "204")
    await merge(engine, "204", "anna")
    merged = await states(engine, "anna")
    assert {row.state for row in before} - {"offline"} == {row.state for row in merged}
    for one, other in pairwise(merged):
        assert one.ended_at == other.began_at
    assert merged[-1].ended_at is None
    seconds = {state: spent(before, state) for state in ("paused", "dnd")}
    assert {state: spent(merged, state) for state in seconds} == seconds
    anna = (await Ledger(engine, "main", USUAL).floor()).agents["anna"]
    assert anna.availability.began_at == merged[-1].began_at
    assert anna.memberships.keys() == {"sales", "support"}


async def states(engine: AsyncEngine, *agents: str) -> list[Any]:
    part = schema.agent_interval.c
    mine = sa.select(part.state, part.began_at, part.ended_at).where(part.agent.in_(agents), part.track == AVAILABILITY)
    return list(await reading(engine, lambda connection: connection.execute(mine.order_by(part.began_at)).all()))


def spent(rows: Sequence[Any], state: str) -> float:
    spans = (row.ended_at - row.began_at for row in rows if row.state == state and row.ended_at)
    return float(sum(span.total_seconds() for span in spans))


async def test_what_a_log_tells_afterwards_is_told_of_the_person(engine: AsyncEngine) -> None:
    await record(engine, first_day().facts)
    await merge(engine, "204", "anna")
    story = Story(at=MONDAY_NOON - timedelta(days=30), node="main")
    story.calls_in("+79161234577").waits_in("sales").rings("204").after(9).answers("204").after(9).hangs_up("204")
    call = replace(story.call, key="1.1", first="1.1", anchor="1.1", legs={"1.1": story.call.legs[story.key]})
    away = Interval(agent="204", state=AgentState.PAUSED, began_at=story.now, ended_at=story.now + HOUR)
    importer = Importer(engine, USUAL, node="main", source="queue_log")
    await importer.take([call, away])
    await importer.finish()
    for table in (schema.offer, schema.talk, schema.verdict, schema.agent_interval, schema.agent):
        found = await reading(engine, partial(agents_in, table=table))
        assert "204" not in found, table.name
        assert "anna" in found


def agents_in(connection: sa.Connection, table: sa.Table) -> set[str]:
    return set(connection.execute(sa.select(table.c.agent)).scalars())


async def test_what_else_is_his_follows(engine: AsyncEngine) -> None:
    """Alerts, messages that wait, links and accounts; of what there can be one only, the person's own stays."""
    await record(engine, first_day().facts)
    await writing(engine, belongings)
    await merge(engine, "204", "anna")
    found = await reading(engine, rows)
    alerts = sorted((row[4], row[5], "204" in row[10]) for row in found["alert"])
    assert alerts == [("anna", "firing", False), ("anna", "resolved", False), ("sales", "firing", False)]
    assert [(row[0], row[1], row[2]) for row in found["link"]] == [("telegram", "anna", "of anna")]
    assert [row[2] for row in found["user_account"]] == ["anna"]
    assert [(row[2], '"owner":"anna"' in row[4]) for row in found["delivery"]] == [("anna", True)]
    assert [row[1] for row in found["digest"]] == ["anna"]


def belongings(connection: sa.Connection) -> None:
    alert: dict[str, Any] = {"rule": "dnd", "kind": Kind.AWAY, "node": "main", "state": AlertState.FIRING, "since": NOW}
    first = Alert(**alert, subject="204", agent="204", began_at=NOW)
    second = Alert(**alert, subject="anna", agent="anna", began_at=NOW + HOUR)
    other = Alert(**{**alert, "rule": "wait"}, subject="sales", agent="204", began_at=NOW)
    upsert(connection, schema.alert, [row_of(each) for each in (first, second, other)])
    for person in ("204", "anna"):
        row = {"channel": "telegram", "person": person, "address": f"of {person}", "account": person}
        upsert(connection, schema.link, [{**row, "linked_at": NOW}])
        one = {"kind": "day", "person": person, "begin": NOW.date(), "made_at": NOW, "delivery": None}
        upsert(connection, schema.digest, [one])
    account = Account(name="login", role="employee", person="204")
    add_account(connection, account, "admin", NOW)
    values = {"owner": "204", "id": "main/1"}
    waiting = Delivery(id="1", channel="crm", template="crm_open", due_at=NOW, created_at=NOW, values=values)
    put(connection, [replace(waiting, recipient="204", about=("main", "1"))])
