"""A page of the journal is what reading the whole of it and leaving out the rest would give."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import reporting
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import Colour, State
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import facts_of, frames_of
from pbxmonitor.store import schema
from pbxmonitor.store.filters import full_number
from pbxmonitor.store.journal import Case, Cursor, Filter, Page, cases, page
from pbxmonitor.store.types import reading, writing
from tests.store.test_ledger import record_facts

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "22"
# Every cause but the night's, every colour, transfers inside and out, all three directions, short hangups, a menu.
TAPES = (
    *("ringall_nobody", "direct_missed_callback_ok", "callback_dropped_at_once", "blind_of_blind", "blind_to_mobile"),
    *("outbound_transferred", "internal_call", "ivr_choice", "short_hangup_agent", "anonymous_abandon", "dnd_all_fpbx"),
    *("mobile_no_answer", "linear_rna_decline_answer", "client_calls_again"),
)
BEGIN, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
Wanted = Callable[[Json], bool]


async def record_all(engine: AsyncEngine) -> None:
    """Each recording at `main`, and the first three at `branch` too: the same calls at the same moments."""
    for number, name in enumerate(TAPES):
        for node in ("main", "branch") if number < 3 else ("main",):
            await record_facts(engine, list(facts_of(frames_of(SCENARIOS / f"{name}.ami"), Site(node=node))))


async def one_page(engine: AsyncEngine, limit: int, after: Cursor | None = None, **wanted: Any) -> Page:
    newest_first = wanted.pop("newest_first", True)
    asked = Filter(**({"begin": BEGIN, "end": END} | wanted))
    return await reading(engine, lambda c: page(c, asked, limit=limit, after=after, newest_first=newest_first))


async def all_pages(engine: AsyncEngine, limit: int, **wanted: Any) -> list[Json]:
    """Page after page of that many calls."""
    found: list[Json] = []
    after = None
    while True:
        got = await one_page(engine, limit, after, **wanted)
        assert len(got.calls) <= limit
        found += got.calls
        if got.next is None:
            return found
        assert len(got.calls) == limit
        after = got.next


def names(calls: list[Json]) -> list[tuple[str, str]]:
    return [(call["node"], call["call"]) for call in calls]


def has_stage(kind: str, name: str | None = None) -> Wanted:
    return lambda call: any(s["kind"] == kind and name in (None, s["name"]) for s in call["stages"])


def is_agents(agent: str) -> Wanted:
    def wanted(call: Json) -> bool:
        dialled = call["direction"] != "inbound" and call["caller"] == agent
        return dialled or agent in call["verdicts"] or any(t["agent"] == agent for t in call["talks"])

    return wanted


def with_number(part: str) -> Wanted:
    return lambda call: part in (call["caller"] or "") or part in call["called"]


def missed_by(agent: str) -> Wanted:
    return lambda call: call["colour"] == "red" and call["verdicts"].get(agent) == "missed"


FILTERS: list[tuple[dict[str, Any], Wanted]] = [
    ({}, lambda call: True),
    ({"node": "branch"}, lambda call: call["node"] == "branch"),
    *(({"direction": each}, lambda call, each=each: call["direction"] == each) for each in Direction),
    *(({"colour": each}, lambda call, each=each: call["colour"] == each) for each in Colour),
    *(
        ({"cause": each}, lambda call, each=each: call["cause"] == each)
        for each in (Cause.IGNORED, Cause.TRANSFER_FAILED, Cause.DROPPED, Cause.NO_AGENTS)
    ),
    *(({"agent": each}, is_agents(each)) for each in ("101", "102", "103", "105", "+79990000001", "nobody")),
    ({"agent": "101", "direction": Direction.OUTBOUND}, lambda c: is_agents("101")(c) and c["direction"] == "outbound"),
    *(({"agent": each, "missed_control": True}, missed_by(each)) for each in ("101", "102", "103")),
    ({"agent": "101", "colour": Colour.RED}, missed_by("101")),
    ({"missed_control": True}, lambda call: call["colour"] == "red"),
    ({"queue": "sales"}, has_stage("queue", "sales")),
    ({"queue": "reception"}, has_stage("queue", "reception")),
    ({"line": "1005"}, lambda call: call["direction"] == "inbound" and call["called"] == "1005"),
    ({"line": "102"}, lambda call: False),
    ({"lost": True}, lambda call: call["lost"]),
    ({"short_hangups": True}, lambda call: call["short_hangup"]),
    ({"transferred": True}, lambda call: call["transfers"] != []),
    ({"stage": "ivr"}, has_stage("ivr")),
    ({"stage": "external"}, has_stage("external")),
    ({"stage": "dial:101"}, has_stage("dial", "101")),
    ({"stage": "dial:"}, has_stage("dial")),
    ({"min_talk_s": 3.0}, lambda call: call["talk_s"] >= 3.0),
    ({"max_talk_s": 3.0}, lambda call: call["talk_s"] <= 3.0),
    ({"min_wait_s": 4.0, "max_wait_s": 9.0}, lambda call: 4.0 <= call["wait_s"] <= 9.0),
    ({"number": "+79161234512"}, with_number("+79161234512")),
    ({"number": "8 (916) 123-45-12"}, with_number("+79161234512")),
    ({"number": "8 (916) 123-45-12", "agent": "101"}, lambda c: with_number("+79161234512")(c) and is_agents("101")(c)),
    (
        {"number": "+79161234502", "agent": "101", "colour": Colour.RED},
        lambda c: with_number("+79161234502")(c) and missed_by("101")(c),
    ),
    ({"number": "1234512"}, with_number("1234512")),
    ({"number": "8 916 123"}, with_number("916123")),
    ({"number": "7 916 1234"}, with_number("9161234")),
    ({"number": "+7 812 111-22-33"}, with_number("+78121112233")),
    ({"number": "812"}, with_number("812")),
    ({"number": "*78"}, with_number("78")),
    ({"number": "no such number"}, lambda call: False),
    ({"number": "%"}, lambda call: False),
    (
        {"lost": True, "queue": "sales", "agent": "102"},
        lambda c: c["lost"] and is_agents("102")(c) and has_stage("queue", "sales")(c),
    ),
]


async def test_pages_of_any_filter_are_the_whole_journal_without_the_rest(engine: AsyncEngine) -> None:
    await record_all(engine)
    everything = await all_pages(engine, 1000)
    assert len(everything) > 20
    for newest_first in (True, False):
        whole = sorted(everything, key=lambda c: (c["started_at"], c["node"], c["call"]), reverse=newest_first)
        for wanted, fits in FILTERS:
            expected = names([call for call in whole if fits(call)])
            assert names(await all_pages(engine, 3, newest_first=newest_first, **wanted)) == expected, wanted
    empty = [wanted for wanted, fits in FILTERS if not any(map(fits, everything))]
    assert empty == [{"agent": "nobody"}, {"line": "102"}, {"number": "no such number"}, {"number": "%"}]


async def test_a_page_ends_with_its_period(engine: AsyncEngine) -> None:
    await record_all(engine)
    everything = await all_pages(engine, 1000, newest_first=False)
    third, fifth = (datetime.fromisoformat(everything[n]["started_at"]) for n in (8, 14))
    found = await all_pages(engine, 2, begin=third, end=fifth, newest_first=False)
    moments = [call["started_at"] for call in everything]
    assert [c["started_at"] for c in found] == [m for m in moments if third <= datetime.fromisoformat(m) < fifth]
    assert found


async def test_a_call_of_the_page_is_the_one_that_replay_prints_and_its_evidence(engine: AsyncEngine, url: str) -> None:
    await record_all(engine)
    plain = {(c["call"], c["started_at"]): c for c in await reporting.journal(url, BEGIN, END, "main")}
    for call in await all_pages(engine, 7, node="main"):
        stable = plain[call["call"], call["started_at"]]
        assert call.items() >= stable.items()
        assert call.keys() - stable.keys() == {"node", "queue", "callback"}


async def test_the_evidence_of_a_colour_is_the_callback_with_its_attempts(engine: AsyncEngine) -> None:
    await record_facts(
        engine, list(facts_of(frames_of(SCENARIOS / "direct_missed_callback_ok.ami"), Site(node="main")))
    )
    outbound, missed = await all_pages(engine, 10)
    assert outbound["callback"] is None
    evidence = missed["callback"]
    assert (evidence["state"], evidence["owner"], evidence["rescuer"]) == ("reached", "101", "101")
    assert evidence["closed_by_call"] == outbound["call"]
    assert [(a["agent"], a["call"], a["result"]) for a in evidence["attempts"]] == [
        ("101", outbound["call"], "reached")
    ]
    assert evidence["attempts"][0]["at"] == outbound["started_at"]
    assert datetime.fromisoformat(evidence["due_at"]) == datetime.fromisoformat(missed["ended_at"]) + timedelta(0, 600)
    assert evidence.keys() == {"state", "owner", "rescuer", "due_at", "attempts", "closed_by_call"}


async def test_a_call_still_going_on_lasts_until_the_last_word_of_its_pbx(engine: AsyncEngine) -> None:
    facts = list(facts_of(frames_of(SCENARIOS / "ringall_nobody.ami"), Site(node="main")))
    known = next(number for number, fact in enumerate(facts) if type(fact).__name__ == "AgentOffered")
    await record_facts(engine, facts[: known + 3])
    ((call,), last) = ((await one_page(engine, 5)).calls, facts[known + 2].at)
    began = datetime.fromisoformat(call["offers"][0]["began_at"])
    assert call["ended_at"] is None
    assert call["offers"][0]["ring_s"] == pytest.approx((last - began).total_seconds(), abs=0.002)


async def test_a_page_without_calls_is_the_last(engine: AsyncEngine) -> None:
    assert await one_page(engine, 50) == Page(calls=[], next=None)


async def test_one_call_is_had_whole_by_its_key(engine: AsyncEngine) -> None:
    await record_all(engine)
    (missed,) = [
        c for c in await all_pages(engine, 50, node="main", number="+79161234512") if c["direction"] == "inbound"
    ]

    def read(node: str | None) -> Callable[[sa.Connection], list[Case]]:
        return lambda connection: cases(connection, missed["call"], node)

    (case,) = await reading(engine, read("main"))
    assert (case.call.key, case.colour, case.form) == (missed["call"], Colour.GREEN, missed)
    assert case.debt is not None
    assert (case.debt.state, case.debt.missed_calls) == (State.REACHED, (missed["call"],))
    assert [each.call.node for each in await reading(engine, read(None))] == ["branch", "main"]
    assert await reading(engine, read("elsewhere")) == []


async def test_calls_of_one_instant_are_neither_repeated_nor_left_out(engine: AsyncEngine) -> None:
    await record_all(engine)
    together = sa.update(schema.call).values(started_at=datetime(2026, 3, 2, tzinfo=UTC))
    verdicts = sa.update(schema.verdict).values(started_at=datetime(2026, 3, 2, tzinfo=UTC))
    await writing(engine, lambda connection: (connection.execute(together), connection.execute(verdicts)))
    for wanted in ({}, {"agent": "101"}, {"number": "+79161234512"}):
        found = names(await all_pages(engine, 3, **wanted))
        assert len(found) == len(set(found)) == len(await all_pages(engine, 1000, **wanted)) > 3


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+7 916 123-45-01", "+79161234501"),
        ("8 (916) 123-45-01", "+79161234501"),
        ("89161234501", "+79161234501"),
        ("79161234501", "+79161234501"),
        ("9161234501", "+79161234501"),
        ("8-495-123-45-67", "+74951234567"),
        ("+49 30 901820", "+4930901820"),
        ("8 10 49 30 901820", "+4930901820"),
        ("tel:+7-916-123-45-01", "+79161234501"),
        ("1001", None),
        ("1234501", None),
        ("8 916 123", None),
        ("anonymous", None),
        ("", None),
    ],
)
def test_a_whole_number_is_known_in_any_way_it_is_written(text: str, number: str | None) -> None:
    assert full_number(text, "RU") == number
