"""The callback report: how soon, by whom, what became of each; the same figures as the other reports have."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.policy import Policy, Team
from pbxmonitor.domain.view import Json
from pbxmonitor.store import agent_report, digests
from pbxmonitor.store.actions import Deed, Hand, act
from pbxmonitor.store.callback_report import callbacks
from pbxmonitor.store.digests import Asked, Fate
from pbxmonitor.store.reports import Period
from pbxmonitor.store.types import reading, writing
from tests.work.shop import NODE, NOW, POLICY, Shop

CLIENTS = [f"+7916111000{number}" for number in range(7)]
TEAMS = (
    Team(key="desk", name="Desk", members=frozenset({"101", "102"})),
    Team(key="lab", name="Lab", members=frozenset({"103"})),
)


async def a_day(engine: AsyncEngine, policy: Policy = POLICY) -> Asked:
    """Anna owes four: two tried in time, of them one reached; one late, one by nobody. Boris owes one who returned.

    Vera owes one who need not be called. One is nobody's.
    """
    shop = Shop(engine, policy=policy)
    for client in CLIENTS[:2]:
        await shop.misses(client, "101")
    shop.story.after(60)
    await shop.calls_back("101", CLIENTS[0])
    shop.story.after(100)
    await shop.calls_back("102", CLIENTS[1], talks=0, rings=15)
    await shop.misses(CLIENTS[2], "101")
    shop.story.after(900)
    await shop.calls_back("101", CLIENTS[2])
    await shop.misses(CLIENTS[3], "101")
    await shop.misses(CLIENTS[4], "102")
    await shop.answers("102", CLIENTS[4])
    vera = await shop.misses(CLIENTS[5], "103")
    deed = Deed(hand=Hand.DISMISS, who="lena", reason="a wrong number")
    at = shop.now
    await writing(engine, lambda c: act(c, shop.duties, policy, (NODE, vera), deed, at))
    shop.story.after(900)
    shop.story.calls_in(CLIENTS[6]).waits_in("sales").after(40).caller_leaves()
    await shop.recorded()
    return Asked(period=Period(begin=NOW, end=NOW + timedelta(days=1)), policy=policy, now=shop.now)


def of(report: Json, agent: str | None) -> Json:
    (found,) = [each for each in report["owners"] if each["agent"] == agent]
    return dict(found)


async def test_each_has_one_fate_and_the_times_are_those_of_the_first_try_and_of_the_talk(engine: AsyncEngine) -> None:
    asked = await a_day(engine)
    found = await reading(engine, lambda c: callbacks(c, asked))
    anna = of(found, "101")
    assert {fate: anna[fate] for fate in Fate} == {
        Fate.IN_NORM: 2,
        Fate.LATE: 1,
        Fate.LOST: 1,
        Fate.RETURNED: 0,
        Fate.DISMISSED: 0,
        Fate.WAITING: 0,
    }
    assert (anna["opened"], anna["in_norm_share"], anna["reached"]) == (4, 0.5, 2)
    delays = sorted([anna["tried_median_s"], anna["tried_p90_s"]])
    assert delays[0] < 600 < delays[1] < 1000
    assert anna["reached_median_s"] < anna["reached_p90_s"] == anna["tried_p90_s"]
    assert [of(found, "102")[fate] for fate in (Fate.RETURNED, Fate.LOST)] == [1, 0]
    assert of(found, "103")["dismissed"] == 1
    assert (of(found, None)["waiting"], of(found, None)["tried_median_s"]) == (1, None)
    assert found["owners"][-1]["agent"] is None
    assert found["total"]["opened"] == sum(each["opened"] for each in found["owners"]) == len(CLIENTS)
    assert sum(found["total"][fate] for fate in Fate) == len(CLIENTS)
    assert sum(found["steps"].values()) == 3


async def test_the_figures_are_those_of_the_other_reports(engine: AsyncEngine) -> None:
    asked = await a_day(engine)

    def both(connection: Connection) -> tuple[Json, list[Json], digests.Debts]:
        question = agent_report.Question(period=asked.period, policy=asked.policy)
        return (
            callbacks(connection, asked),
            agent_report.agents(connection, question),
            digests.debts(connection, asked, asked.period),
        )

    found, agents, debts = await reading(engine, both)
    for row in agents:
        if row["owned"]:
            mine = of(found, row["agent"])
            assert (mine["opened"], mine["in_norm"]) == (row["owned"], row["in_norm"])
            assert mine["tried_median_s"] == row["callback_median_s"]
            assert mine["in_norm_share"] == row["goals"]["callback"]["in_norm_share"]
    told = {key[1] if key else None: dict(fates) for key, fates in debts.by_owner.items()}
    assert {each["agent"]: {fate: each[fate] for fate in Fate if each[fate]} for each in found["owners"]} == told


async def test_teams_are_counted_together_and_each_sees_only_his(engine: AsyncEngine) -> None:
    asked = await a_day(engine, replace(POLICY, teams=TEAMS))
    found = await reading(engine, lambda c: callbacks(c, asked))
    assert [(each["team"], each["opened"]) for each in found["teams"]] == [("Desk", 5), ("Lab", 1), (None, 1)]
    his = replace(asked, agents=frozenset({"102"}))
    found = await reading(engine, lambda c: callbacks(c, his))
    assert [each["agent"] for each in found["owners"]] == ["102"]
    assert (found["total"]["opened"], found["total"]["returned"]) == (1, 1)


async def test_a_period_without_callbacks_has_nothing_to_share(engine: AsyncEngine) -> None:
    empty = Asked(period=Period(begin=NOW, end=NOW + timedelta(days=1)), policy=POLICY, now=NOW)
    found = await reading(engine, lambda c: callbacks(c, empty))
    assert (found["owners"], found["teams"], found["steps"]) == ([], [], {})
    assert (found["total"]["opened"], found["total"]["in_norm_share"], found["total"]["reached_p90_s"]) == (
        0,
        None,
        None,
    )
