"""Each agent's numbers, from rows that real recordings left."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor import reporting
from pbxmonitor.domain import facts as f
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay
from tests.store.test_ledger import ALWAYS, record, record_facts

SCENARIOS = Path(__file__).parents[1] / "scenarios"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def test_every_number_of_the_report_can_be_counted_in_the_journal(engine: AsyncEngine, url: str) -> None:
    tape = SCENARIOS / "22" / "flood.ami"
    await record(engine, tape)
    calls = [call for call in replay([tape], Site(node="main"), Policy())["calls"] if call["direction"] == "inbound"]
    report = {row["agent"]: row for row in await reporting.agents(url, *ALWAYS)}
    assert {agent for call in calls for agent in call["verdicts"]} == report.keys()
    assert len(report) >= 3
    for agent, row in report.items():
        assert counted(agent, calls) == {key: row[key] for key in counted(agent, calls)}


def counted(agent: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    verdicts = [call["verdicts"].get(agent) for call in calls]
    talks = [talk["talk_s"] for call in calls for talk in call["talks"] if talk["agent"] == agent]
    rings = [o["ring_s"] for c in calls for o in c["offers"] if o["agent"] == agent and o["result"] == "answered"]
    answered, missed = verdicts.count("answered"), verdicts.count("missed")
    return {
        "offered": answered + missed,
        "answered": answered,
        "missed": missed,
        "missed_share": round(missed / (answered + missed), 4) if answered + missed else None,
        "answered_elsewhere": verdicts.count("answered_elsewhere"),
        "refused": verdicts.count("refused"),
        "not_counted": verdicts.count("not_counted"),
        "pickup_mean_s": round(sum(rings) / len(rings), 3) if rings else None,
        "talk_s": round(sum(talks), 3),
    }


async def test_a_short_hangup_is_the_agents_who_did_it(engine: AsyncEngine, url: str) -> None:
    await record(engine, SCENARIOS / "22" / "short_hangup_agent.ami")
    calls = await reporting.journal(url, *ALWAYS)
    hasty = {talk["agent"] for call in calls if call["short_hangup"] for talk in call["talks"]}
    report = await reporting.agents(url, *ALWAYS)
    assert hasty
    assert {row["agent"] for row in report if row["short_hangups"]} == hasty


async def test_time_away_counts_only_inside_the_period(engine: AsyncEngine, url: str) -> None:
    await record_facts(
        engine,
        [
            f.DndChanged(node="main", at=NOON, key="1", agent="101", flag="DND", on=True),
            f.DndChanged(node="main", at=NOON + timedelta(minutes=50), key="2", agent="101", flag="DND", on=False),
            f.DeviceSeen(node="main", at=NOON, key="3", agent="102", endpoint="PJSIP/102", online=False),
            f.MemberAdded(node="main", at=NOON + timedelta(minutes=59), key="4", agent="103", queue="sales"),
        ],
    )
    report = await reporting.agents(url, NOON + timedelta(minutes=10), NOON + timedelta(minutes=30))
    assert [(row["agent"], row["dnd_s"], row["paused_s"], row["offline_s"]) for row in report] == [
        ("101", 1200.0, 0.0, 0.0),
        ("102", 0.0, 0.0, 1200.0),
    ]


async def test_what_is_still_open_lasts_until_the_last_word_of_the_pbx(engine: AsyncEngine, url: str) -> None:
    await record_facts(
        engine,
        [
            f.DeviceSeen(node="main", at=NOON, key="1", agent="102", endpoint="PJSIP/102", online=False),
            f.MemberAdded(node="main", at=NOON + timedelta(minutes=5), key="2", agent="103", queue="sales"),
        ],
    )
    report = await reporting.agents(url, NOON, NOON + timedelta(days=1))
    assert [row["offline_s"] for row in report] == [300.0]


async def test_the_same_extension_on_two_pbxs_is_two_people(engine: AsyncEngine, url: str) -> None:
    for node in ("main", "branch"):
        await record_facts(engine, [f.DndChanged(node=node, at=NOON, key="1", agent="101", flag="DND", on=True)])
    both = await reporting.agents(url, NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    one = await reporting.agents(url, NOON - timedelta(hours=1), NOON + timedelta(hours=1), node="branch")
    assert [row["node"] for row in both] == ["branch", "main"]
    assert [row["node"] for row in one] == ["branch"]


async def test_what_changed_nothing_is_still_told_only_once(engine: AsyncEngine, url: str) -> None:
    """The flag that was off is told to be off, then on; both told again, the old word must not end the DND."""
    off = f.DndChanged(node="main", at=NOON, key="1", agent="101", flag="DND", on=False)
    on = f.DndChanged(node="main", at=NOON + timedelta(seconds=9), key="2", agent="101", flag="DND", on=True)
    seen = f.MemberAdded(node="main", at=NOON - timedelta(seconds=9), key="0", agent="101", queue="sales")
    await record_facts(engine, [seen, off, on])
    await record_facts(engine, [off, on])
    assert [(each["state"], each["ended_at"]) for each in await reporting.intervals(url, *ALWAYS)] == [("dnd", None)]
