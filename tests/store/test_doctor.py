"""A healthy database has no finding; whatever is broken in it is found, and nothing else is."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import OfferResult
from pbxmonitor.domain.facts import Fact, MemberAdded
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import schema
from pbxmonitor.store.doctor import LISTED, Finding, examine
from pbxmonitor.store.form import to_text
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.types import reading, writing
from pbxmonitor.texts import LANGUAGES, tr
from tests.store.test_ledger import TAPES, record_facts

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "22"
POLICY = Policy()
CALL, OFFER, DEBT, VERDICT = schema.call.c, schema.offer.c, schema.callback.c, schema.verdict.c
Break = Callable[[sa.Connection], Any]


def facts(name: str, node: str = "main") -> list[Fact]:
    return list(facts_of(frames_of(SCENARIOS / f"{name}.ami"), Site(node=node)))


def later(at: datetime) -> Fact:
    """The PBX's word that the days before are over."""
    return MemberAdded(node="main", at=at, key="later", agent="101", queue="sales")


async def found(engine: AsyncEngine, policy: Policy = POLICY, node: str | None = None) -> list[Finding]:
    """What examining says, which can be said in both languages."""
    findings = await reading(engine, lambda connection: examine(connection, policy, node))
    for finding in findings:
        assert all(tr(finding.key, language=language, **finding.values) for language in LANGUAGES)
    return findings


async def broken(engine: AsyncEngine, tapes: Iterable[str], work: Break) -> list[tuple[str, str]]:
    """(check, key) of what is found in those recordings once that is done to their rows."""
    for name in tapes:
        await record_facts(engine, facts(name))
    assert await found(engine) == []
    await writing(engine, work)
    return [(finding.check, finding.key) for finding in await found(engine)]


def one(connection: sa.Connection, table: sa.Table, *conditions: sa.ColumnElement[bool], order: Any = None) -> Any:
    """The first such row, which must be there."""
    wanted = sa.select(table).where(*conditions).order_by(*(table.primary_key if order is None else (order,)))
    row = connection.execute(wanted.limit(1)).one_or_none()
    assert row is not None
    return row


def change(connection: sa.Connection, table: sa.Table, row: Any, **values: Any) -> None:
    """Give exactly that row those values."""
    this = sa.and_(*(column == getattr(row, column.name) for column in table.primary_key))
    assert connection.execute(sa.update(table).where(this).values(**values)).rowcount == 1


async def test_recordings_leave_a_healthy_database(engine: AsyncEngine) -> None:
    tapes = [tape for tape in TAPES[::3] if tape.stem != "flood"]
    for number, tape in enumerate(tapes):
        await record_facts(engine, list(facts_of(frames_of(tape), Site(node=f"n{number}"))), batch=500)
    assert await found(engine) == []


async def test_an_empty_database_is_healthy(engine: AsyncEngine) -> None:
    assert await found(engine) == []


# verdicts


def without_a_verdict(connection: sa.Connection) -> None:
    row = one(connection, schema.verdict)
    this = sa.and_(VERDICT.node == row.node, VERDICT.call == row.call, VERDICT.agent == row.agent)
    connection.execute(sa.delete(schema.verdict).where(this))


def verdict_of_nobody(connection: sa.Connection, *agents: str, direction: str = "inbound") -> None:
    call = one(connection, schema.call, CALL.direction == direction)
    common = {"node": call.node, "call": call.key, "started_at": call.started_at, "pickup_ms": None, "talk_ms": 0}
    common |= {"verdict": "missed", "short_hangups": 0, "caller_hangups": 0}
    connection.execute(sa.insert(schema.verdict), [common | {"agent": agent} for agent in agents or ("999",)])


async def test_who_was_rung_has_a_verdict(engine: AsyncEngine) -> None:
    assert await broken(engine, ["ringall_nobody"], without_a_verdict) == [("verdicts", "doctor.verdicts.missing")]


async def test_who_picked_up_without_a_ring_of_his_own_has_a_verdict(engine: AsyncEngine) -> None:
    """A pickup leaves a talk and no offer; here the offers are taken away."""

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.delete(schema.offer))
        connection.execute(sa.delete(schema.verdict))

    await record_facts(engine, facts("ringall_answered"))
    await writing(engine, work)
    (finding,) = await found(engine)
    assert (finding.key, finding.values["agent"]) == ("doctor.verdicts.missing", "101")


async def test_a_verdict_needs_a_ring_or_a_talk(engine: AsyncEngine) -> None:
    assert await broken(engine, ["ringall_nobody"], verdict_of_nobody) == [("verdicts", "doctor.verdicts.idle")]


async def test_only_inbound_calls_have_verdicts(engine: AsyncEngine) -> None:
    work: Break = lambda connection: verdict_of_nobody(connection, direction="internal")  # noqa: E731
    assert await broken(engine, ["internal_call"], work) == [("verdicts", "doctor.verdicts.not_inbound")]


async def test_no_more_than_some_offenders_are_listed_and_the_rest_are_counted(engine: AsyncEngine) -> None:
    await record_facts(engine, facts("ringall_nobody"))
    crowd = [str(900 + number) for number in range(LISTED + 5)]
    await writing(engine, lambda connection: verdict_of_nobody(connection, *crowd))
    *listed, last = await found(engine)
    assert [finding.values["agent"] for finding in listed] == crowd[:LISTED]
    assert (last.check, last.key, last.subject, last.values["n"]) == ("verdicts", "doctor.more", "", 5)


# what has ended


async def test_an_ended_call_has_no_open_stage(engine: AsyncEngine) -> None:
    work: Break = lambda c: change(c, schema.stage, one(c, schema.stage), left_at=None)  # noqa: E731
    assert await broken(engine, ["ringall_nobody"], work) == [("unended", "doctor.unended.stage")]


async def test_an_ended_call_has_no_ringing_phone(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        ring = one(connection, schema.offer, OFFER.result == OfferResult.ANSWERED_ELSEWHERE)
        change(connection, schema.offer, ring, ended_at=None)

    assert await broken(engine, ["ringall_answered"], work) == [("unended", "doctor.unended.offer")]


async def test_an_ended_call_has_nobody_talking(engine: AsyncEngine) -> None:
    work: Break = lambda c: change(c, schema.talk, one(c, schema.talk), ended_at=None)  # noqa: E731
    assert await broken(engine, ["internal_call"], work) == [("unended", "doctor.unended.talk")]


async def test_an_ended_call_has_nobody_connected(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        call = one(connection, schema.call)
        change(connection, schema.call, call, connected_at=call.started_at)

    assert await broken(engine, ["internal_call"], work) == [("unended", "doctor.unended.connected")]


# intervals


def two_intervals(connection: sa.Connection) -> tuple[Any, Any]:
    """One that ended and the next of the same agent and track."""
    rows = connection.execute(sa.select(schema.agent_interval).order_by(*schema.agent_interval.primary_key)).all()
    return next(
        (a, b) for a, b in pairwise(rows) if (a.node, a.agent, a.track) == (b.node, b.agent, b.track) and a.ended_at
    )


async def test_intervals_of_an_agent_do_not_overlap(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        first, second = two_intervals(connection)
        change(connection, schema.agent_interval, first, ended_at=second.began_at + timedelta(milliseconds=1))

    assert await broken(engine, ["dnd_on_off"], work) == [("intervals", "doctor.intervals.overlap")]


async def test_no_interval_is_left_open_before_another(engine: AsyncEngine) -> None:
    work: Break = lambda c: change(c, schema.agent_interval, two_intervals(c)[0], ended_at=None)  # noqa: E731
    assert await broken(engine, ["dnd_on_off"], work) == [("intervals", "doctor.intervals.open")]


async def test_no_interval_ends_before_it_begins(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        first, _ = two_intervals(connection)
        change(connection, schema.agent_interval, first, ended_at=first.began_at - timedelta(seconds=1))

    assert await broken(engine, ["dnd_on_off"], work) == [("intervals", "doctor.intervals.reversed")]


# daily sums


@pytest.mark.parametrize("name", ["answered", "missed", "short_hangups", "pickup_ms", "talk_ms"])
async def test_a_fresh_day_adds_up_to_its_verdicts(engine: AsyncEngine, name: str) -> None:
    await record_facts(engine, facts("linear_rna_decline_answer"))
    after = max(fact.at for fact in facts("linear_rna_decline_answer")) + timedelta(days=2)
    await record_facts(engine, [later(after)])
    assert await roll_up(engine, POLICY, after) > 0
    assert await found(engine) == []

    def work(connection: sa.Connection) -> None:
        row = one(connection, schema.agent_day)
        change(connection, schema.agent_day, row, **{name: getattr(row, name) + 1})

    await writing(engine, work)
    (finding,) = await found(engine)
    assert (finding.key, finding.values["field"]) == ("doctor.sums.differ", name)
    assert finding.values["rolled"] == finding.values["rows"] + 1  # type: ignore[operator]


async def test_a_stale_day_may_say_anything(engine: AsyncEngine) -> None:
    await record_facts(engine, facts("linear_rna_decline_answer"))
    after = max(fact.at for fact in facts("linear_rna_decline_answer")) + timedelta(days=2)
    await record_facts(engine, [later(after)])
    await roll_up(engine, POLICY, after)

    def work(connection: sa.Connection) -> None:
        connection.execute(sa.update(schema.agent_day).values(answered=77))
        connection.execute(sa.update(schema.rollup).values(fresh=False))

    await writing(engine, work)
    assert await found(engine) == []


# callbacks


async def test_a_lost_call_that_can_be_called_back_has_a_callback(engine: AsyncEngine) -> None:
    work: Break = lambda c: change(c, schema.call, one(c, schema.call, CALL.lost.is_(True)), callback=None)  # noqa: E731
    assert await broken(engine, ["ringall_nobody"], work) == [("callbacks", "doctor.callbacks.unowed")]


async def test_a_number_that_settings_name_needs_no_callback(engine: AsyncEngine) -> None:
    await record_facts(engine, facts("ringall_nobody"))

    def work(connection: sa.Connection) -> str:
        call = one(connection, schema.call, CALL.lost.is_(True))
        change(connection, schema.call, call, callback=None)
        connection.execute(sa.delete(schema.callback))
        return str(call.caller)

    caller = await writing(engine, work)
    assert await found(engine, Policy(never_call_back=frozenset({caller}))) == []
    assert [finding.key for finding in await found(engine)] == ["doctor.callbacks.unowed"]


async def test_a_callback_that_a_call_names_is_there(engine: AsyncEngine) -> None:
    work: Break = lambda connection: connection.execute(sa.delete(schema.callback))  # noqa: E731
    assert await broken(engine, ["ringall_nobody"], work) == [("callbacks", "doctor.callbacks.dangling")]


async def test_a_callbacks_missed_calls_are_there(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        debt = one(connection, schema.callback)
        change(connection, schema.callback, debt, missed_calls=to_text([debt.call, "1.1"]))

    assert await broken(engine, ["ringall_nobody"], work) == [("callbacks", "doctor.callbacks.gone")]


async def test_a_callbacks_missed_calls_are_lost(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        debt, call = one(connection, schema.callback), one(connection, schema.call, CALL.lost.is_(False))
        change(connection, schema.callback, debt, missed_calls=to_text([debt.call, call.key]))

    tapes = ["ringall_nobody", "ringall_answered"]
    assert await broken(engine, tapes, work) == [("callbacks", "doctor.callbacks.kept")]


async def test_a_missed_call_belongs_to_one_callback(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        first, second = connection.execute(sa.select(schema.callback).order_by(DEBT.opened_at)).all()
        change(connection, schema.callback, first, missed_calls=to_text([first.call, second.call]))

    tapes = ["ringall_nobody", "direct_abandon"]
    assert await broken(engine, tapes, work) == [("callbacks", "doctor.callbacks.astray")]


async def test_a_client_waits_for_one_callback_on_a_line(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        first, second = connection.execute(sa.select(schema.callback).order_by(DEBT.opened_at)).all()
        change(connection, schema.callback, second, number=first.number, line=first.line)

    tapes = ["ringall_nobody", "direct_abandon"]
    assert await broken(engine, tapes, work) == [("callbacks", "doctor.callbacks.double")]


async def test_a_callback_lists_every_call_that_names_it(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        debt = one(connection, schema.callback)
        change(connection, schema.callback, debt, missed_calls=to_text([debt.call]))

    assert await broken(engine, ["two_misses_join"], work) == [("callbacks", "doctor.callbacks.unlisted")]


async def test_a_colour_is_the_one_that_the_callback_gives(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        change(connection, schema.call, one(connection, schema.call, CALL.colour == "red"), colour="yellow")

    assert await broken(engine, ["ringall_nobody"], work) == [("colours", "doctor.colours.differ")]


# judging again


@pytest.mark.parametrize(
    ("name", "value"), [("wait_s", 77.0), ("disposition", "busy"), ("short_hangup", True), ("cause", "declined")]
)
async def test_a_row_that_judging_does_not_give_is_outdated(engine: AsyncEngine, name: str, value: Any) -> None:
    def work(connection: sa.Connection) -> None:
        change(connection, schema.call, one(connection, schema.call, CALL.lost.is_(True)), **{name: value})

    assert await broken(engine, ["ringall_nobody"], work) == [("outdated", "doctor.outdated.call")]


async def test_a_verdict_that_judging_does_not_give_is_outdated(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        row = one(connection, schema.verdict, VERDICT.verdict == "missed")
        change(connection, schema.verdict, row, verdict="refused")

    assert await broken(engine, ["ringall_nobody"], work) == [("outdated", "doctor.outdated.call")]


async def test_a_changed_policy_makes_rows_outdated_and_nothing_worse(engine: AsyncEngine) -> None:
    await record_facts(engine, facts("ringall_nobody"))
    findings = await found(engine, Policy(min_ring=timedelta(minutes=5)))
    assert {finding.check for finding in findings} == {"outdated"}
    assert "cause: ignored → caller_gave_up" in str(findings[0].values["changes"])


# which rows


async def test_only_the_node_that_is_asked_about_is_examined(engine: AsyncEngine) -> None:
    for node in ("main", "branch"):
        await record_facts(engine, facts("ringall_nobody", node))
    await writing(engine, lambda connection: connection.execute(sa.update(schema.call).values(wait_s=77.0)))
    assert {finding.node for finding in await found(engine, node="branch")} == {"branch"}
    assert {finding.node for finding in await found(engine)} == {"main", "branch"}


async def test_a_call_that_is_going_on_is_no_offender(engine: AsyncEngine) -> None:
    told = facts("ringall_nobody")
    known = next(number for number, fact in enumerate(told) if type(fact).__name__ == "AgentOffered")
    await record_facts(engine, told[: known + 1])
    assert await found(engine) == []
    await record_facts(engine, told)
    assert await found(engine) == []
