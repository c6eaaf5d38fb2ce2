"""Each queue's numbers, counted by hand from written calls and by another way from real recordings."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Leg,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
)
from pbxmonitor.domain.judge import judge
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay
from pbxmonitor.store import queue_report, schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import roll_up_day
from pbxmonitor.store.rows import call_row, interval_row, part_rows
from pbxmonitor.store.types import insert_new, reading, write, writing
from tests.store.test_ledger import ALWAYS, record

SCENARIOS = Path(__file__).parents[1] / "scenarios"
TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)  # a Monday
DAY = Period(begin=TEN.replace(hour=0), end=TEN.replace(hour=0) + timedelta(days=1))
ALL = Period(begin=ALWAYS[0], end=ALWAYS[1])


class Story:
    """A written call: seconds count from its beginning."""

    def __init__(
        self,
        key: str,
        at: datetime = TEN,
        *,
        caller: str | None = "+74951234567",
        line: str = "1001",
        node: str = "main",
    ) -> None:
        self.key, self.at, self.caller, self.line, self.node = key, at, caller, line, node
        self.stages: list[Stage] = []
        self.offers: list[Offer] = []
        self.talks: list[Talk] = []
        self.dumped: tuple[str, ...] = ()

    def _after(self, seconds: float) -> datetime:
        return self.at + timedelta(seconds=seconds)

    def stage(self, kind: str, name: str, entered: float, left: float, result: str) -> "Story":
        stage = Stage(
            kind=StageKind(kind),
            name=name,
            entered_at=self._after(entered),
            left_at=self._after(left),
            result=StageResult(result),
        )
        self.stages.append(stage)
        return self

    def queue(self, name: str, entered: float, left: float, result: str) -> "Story":
        return self.stage("queue", name, entered, left, result)

    def answer(
        self, agent: str, queue: str | None, rang: float, at: float, until: float, by: str = "caller"
    ) -> "Story":
        return self.ring(agent, queue, rang, at, "answered").talk(at, until, by)

    def leave(self, agent: str, queue: str | None, rang: float, at: float) -> Call:
        """The caller gives up while it rings."""
        return self.ring(agent, queue, rang, at, "caller_gave_up").end(at, left=True)

    def ring(self, agent: str, queue: str | None, began: float, ended: float, result: str) -> "Story":
        offer = Offer(
            agent=agent,
            queue=queue,
            began_at=self._after(began),
            ended_at=self._after(ended),
            leg=f"leg-{len(self.offers)}",
            result=OfferResult(result),
        )
        self.offers.append(offer)
        return self

    def talk(self, began: float, ended: float, by: str = "caller") -> "Story":
        """The talk that the last ring came to."""
        offer = self.offers[-1]
        talk = Talk(
            agent=offer.agent,
            leg=offer.leg,
            began_at=self._after(began),
            ended_at=self._after(ended),
            ended_by=EndedBy(by),
        )
        self.talks.append(talk)
        return self

    def end(self, after: float, *, left: bool = False, direction: Direction = Direction.INBOUND) -> Call:
        ended_at = self._after(after)
        leg = Leg(
            id=self.key,
            endpoint="",
            agent=None,
            number=self.caller,
            trunk=True,
            local=False,
            began_at=self.at,
            asked_at=ended_at if left else None,
            ended_at=ended_at,
        )
        return Call(
            node=self.node,
            key=self.key,
            direction=direction,
            caller=self.caller,
            called=self.line,
            started_at=self.at,
            first=self.key,
            anchor=self.key,
            ended_at=ended_at,
            legs={self.key: leg},
            stages=tuple(self.stages),
            offers=tuple(self.offers),
            talks=tuple(self.talks),
            dumped=self.dumped,
            connected_s=sum((t.ended_at - t.began_at).total_seconds() for t in self.talks if t.ended_at),
        )


async def keep(engine: AsyncEngine, policy: Policy, *calls: Call) -> None:
    """Write the calls as the daemon would."""
    rows: dict[Any, list[Any]] = {schema.call: []}
    for call in calls:
        judged = judge(call, policy, call.ended_at or call.started_at)
        rows[schema.call].append(call_row(call, judged, None))
        for table, row in part_rows(call, judged, policy):
            rows.setdefault(table, []).append(row)
    nodes = [{"name": name} for name in sorted({call.node for call in calls})]
    await writing(engine, lambda connection: insert_new(connection, schema.node, nodes))
    for table, each in rows.items():
        await writing(engine, lambda connection, table=table, each=each: write(connection, table, each))  # type: ignore[misc]


async def queues(engine: AsyncEngine, period: Period = DAY, policy: Policy | None = None) -> Any:
    return await reading(engine, lambda connection: queue_report.queues(connection, period, policy or Policy()))


async def hours(engine: AsyncEngine, period: Period, policy: Policy) -> list[Any]:
    return await reading(engine, lambda connection: queue_report.hours(connection, period, policy))


def picked(row: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


def day_of_sales() -> list[Call]:
    """Ten calls that entered `sales`, each in its own way."""
    at = [TEN + timedelta(minutes=minute) for minute in range(10)]
    return [
        Story("1", at[0]).queue("sales", 0, 10, "answered").answer("101", "sales", 2, 10, 70).end(70),
        Story("2", at[1]).queue("sales", 5, 35, "answered").answer("102", "sales", 6, 35, 65).end(65),
        Story("3", at[2]).queue("sales", 0, 4, "abandoned").leave("101", "sales", 1, 4),
        Story("4", at[3]).queue("sales", 0, 5, "abandoned").leave("101", "sales", 1, 5),
        Story("5", at[4]).queue("sales", 0, 45, "abandoned").leave("101", "sales", 1, 45),
        Story("6", at[5]).queue("sales", 0, 60, "timeout").ring("101", "sales", 1, 21, "rna").end(61),
        Story("7", at[6]).queue("sales", 0, 0, "full").end(1),
        Story("8", at[7]).queue("sales", 0, 0, "empty").end(1),
        Story("9", at[8]).queue("sales", 0, 30, "key").end(32, left=True),
        Story("10", at[9]).queue("sales", 0, 20, "transferred").end(32, left=True),
    ]


async def test_every_visit_is_in_exactly_one_column(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), *day_of_sales())
    (row,) = (await queues(engine))["queues"]
    assert {name: row[name] for name in ("received", *queue_report.ENDS)} == {
        "received": 10,
        "answered": 2,
        "abandoned": 2,
        "short_abandoned": 1,
        "timeout": 1,
        "full": 1,
        "empty": 1,
        "key": 1,
        "transferred": 1,
        "other": 0,
    }
    assert picked(row, "node", "queue") == ("main", "sales")


async def test_shares_leave_out_who_hung_up_at_once(engine: AsyncEngine) -> None:
    """Of ten one left after 4 s: two answered of nine; one of the two within 20 s, both within 30 s."""
    await keep(engine, Policy(), *day_of_sales())
    policy = Policy(service_levels=(timedelta(seconds=10), timedelta(seconds=29.9), timedelta(seconds=30)))
    (row,) = (await queues(engine, policy=policy))["queues"]
    assert row["answered_share"] == 0.2222
    assert row["service_levels"] == [
        {"within_s": 10.0, "answered": 1, "of_answered": 0.5, "of_all": 0.1111},
        {"within_s": 29.9, "answered": 1, "of_answered": 0.5, "of_all": 0.1111},
        {"within_s": 30.0, "answered": 2, "of_answered": 1.0, "of_all": 0.2222},
    ]


async def test_waits_and_talks_are_of_those_who_had_them(engine: AsyncEngine) -> None:
    """Waits 10, 30, 4, 5, 45, 60, 0, 0, 30 and 20 s; talks of 60 and 30 s."""
    await keep(engine, Policy(), *day_of_sales())
    (row,) = (await queues(engine))["queues"]
    assert picked(row, "wait_mean_s", "wait_max_s") == (20.4, 60.0)
    assert picked(row, "answered_wait_mean_s", "answered_wait_max_s") == (20.0, 30.0)
    assert picked(row, "abandoned_wait_mean_s", "abandoned_wait_max_s") == (25.0, 45.0)
    assert row["talk_mean_s"] == 45.0


async def test_a_queue_has_its_own_idea_of_a_short_abandon(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), *day_of_sales())
    policy = Policy(queues={"sales": {"short_abandon": timedelta(seconds=6)}})
    (row,) = (await queues(engine, policy=policy))["queues"]
    assert picked(row, "abandoned", "short_abandoned") == (1, 2)


async def test_nobody_answered_is_no_wait_and_nobody_came_is_no_row(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), Story("1").queue("sales", 0, 0, "full").end(1))
    (row,) = (await queues(engine))["queues"]
    names = ("answered_wait_mean_s", "answered_wait_max_s", "abandoned_wait_max_s", "talk_mean_s", "occupancy")
    assert picked(row, *names) == (None,) * 5
    assert row["service_levels"] == [{"within_s": 20.0, "answered": 0, "of_answered": None, "of_all": 0.0}]
    nothing = await queues(engine, Period(begin=DAY.end, end=DAY.end + timedelta(days=1)))
    assert nothing["queues"] == []
    assert picked(nothing["total"], "calls", "visits", "answered_share", "wait_mean_s") == (0, 0, None, None)


async def test_one_journey_over_several_queues_is_one_call(engine: AsyncEngine) -> None:
    """Twice in `sales`, then answered in `reception`: three visits, one call that waited 90 s."""
    through = (
        Story("1")
        .queue("sales", 0, 30, "timeout")
        .ring("101", "sales", 1, 20, "rna")
        .queue("sales", 30, 60, "timeout")
        .ring("101", "sales", 31, 50, "rna")
        .queue("reception", 60, 90, "answered")
        .answer("106", "reception", 70, 90, 100)
        .end(100)
    )
    lost = Story("2").queue("sales", 0, 30, "timeout").queue("reception", 30, 50, "abandoned")
    short = Story("3").queue("sales", 0, 2, "abandoned").end(2, left=True)
    await keep(engine, Policy(), through, lost.end(50, left=True), short)
    found = await queues(engine)
    assert [picked(row, "queue", "received", "answered") for row in found["queues"]] == [
        ("reception", 2, 1),
        ("sales", 4, 0),
    ]
    total = found["total"]
    assert picked(total, "calls", "visits", "answered", "lost", "short_abandoned") == (3, 6, 1, 1, 1)
    assert picked(total, "answered_share", "answered_wait_max_s", "lost_wait_max_s") == (0.5, 90.0, 50.0)
    assert total["talk_mean_s"] == 10.0


async def test_a_talk_belongs_to_the_visit_that_it_came_of(engine: AsyncEngine) -> None:
    """Answered in `sales`, sent to `reception` and answered there, and then back to `sales`."""
    call = (
        Story("1")
        .queue("sales", 0, 5, "answered")
        .answer("101", "sales", 1, 5, 15, "transfer")
        .queue("reception", 15, 20, "answered")
        .answer("106", "reception", 16, 20, 40, "transfer")
        .queue("sales", 40, 50, "answered")
        .answer("102", "sales", 41, 50, 80)
        .end(80)
    )
    await keep(engine, Policy(), call)
    found = await queues(engine)
    assert [picked(row, "queue", "answered", "talk_mean_s") for row in found["queues"]] == [
        ("reception", 1, 20.0),
        ("sales", 2, 20.0),
    ]


async def test_only_inbound_calls_that_are_over_are_counted(engine: AsyncEngine) -> None:
    inside = Story("1").queue("sales", 0, 9, "answered").end(20, direction=Direction.INTERNAL)
    running = replace(Story("2").queue("sales", 0, 9, "answered").end(20), ended_at=None)
    await keep(engine, Policy(), inside, running)
    assert (await queues(engine))["queues"] == []


async def test_a_stay_whose_end_nobody_saw_has_no_wait(engine: AsyncEngine) -> None:
    seen = Story("1").queue("sales", 0, 9, "timeout").end(20)
    unseen = Story("2").queue("sales", 0, 9, "timeout").end(20)
    stage = replace(unseen.stages[0], left_at=None, result=None)
    await keep(engine, Policy(), seen, replace(unseen, stages=(stage,), vanished=True))
    (row,) = (await queues(engine))["queues"]
    assert picked(row, "received", "timeout", "other", "wait_mean_s") == (2, 1, 1, 9.0)


BERLIN, NEW_YORK, KOLKATA = "Europe/Berlin", "America/New_York", "Asia/Kolkata"


@pytest.mark.parametrize(
    ("zone", "entered_at", "day", "hour"),
    [
        ("UTC", datetime(2026, 3, 2, 9, 59, 59, tzinfo=UTC), "2026-03-02", 9),
        (BERLIN, datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC), "2026-03-29", 1),
        (BERLIN, datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "2026-03-29", 3),
        (BERLIN, datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25", 2),
        (NEW_YORK, datetime(2026, 11, 1, 5, 30, tzinfo=UTC), "2026-11-01", 1),
        (NEW_YORK, datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "2026-11-01", 1),
        (KOLKATA, datetime(2026, 3, 2, 18, 29, tzinfo=UTC), "2026-03-02", 23),
        (KOLKATA, datetime(2026, 3, 2, 18, 30, tzinfo=UTC), "2026-03-03", 0),
    ],
)
async def test_a_visit_belongs_to_the_hour_of_its_entering(
    engine: AsyncEngine, zone: str, entered_at: datetime, day: str, hour: int
) -> None:
    """The call began 40 s before, and was answered and ended in later hours."""
    call = (
        Story("1", entered_at - timedelta(seconds=40))
        .stage("ivr", "main", 0, 40, "passed")
        .queue("sales", 40, 4000, "answered")
        .answer("101", "sales", 3990, 4000, 9000)
        .end(9000)
    )
    policy = Policy(hours=WorkingHours(zone=ZoneInfo(zone)))
    await keep(engine, policy, call)
    (row,) = await hours(engine, Period(begin=entered_at, end=entered_at + timedelta(seconds=1)), policy)
    assert picked(row, "day", "hour", "received", "answered", "talk_mean_s") == (day, hour, 1, 1, 5000.0)


@pytest.mark.parametrize("cut_s", [1, 40, 60, 121, 300, 512])
async def test_cutting_the_period_loses_and_doubles_nothing(engine: AsyncEngine, cut_s: int) -> None:
    """Also where the cut falls into a journey: between its two queues, or between its menu and its queue."""
    journey = Story("0", TEN - timedelta(seconds=20)).queue("sales", 30, 70, "timeout")
    await keep(engine, Policy(), *day_of_sales(), journey.queue("reception", 70, 90, "abandoned").end(90, left=True))
    cut = TEN + timedelta(seconds=cut_s)
    whole, first, second = [
        await queues(engine, period)
        for period in (DAY, Period(begin=DAY.begin, end=cut), Period(begin=cut, end=DAY.end))
    ]
    assert counts(whole) == counts(first) + counts(second)


def counts(found: Any) -> Counter[tuple[str, str]]:
    names = ("received", *queue_report.ENDS)
    sums = Counter({(row["queue"], name): row[name] for row in found["queues"] for name in names})
    sums.update({("", name): found["total"][name] for name in ("calls", "visits", "answered", "lost")})
    return +sums


async def test_occupancy_is_work_of_whom_the_queue_rang(engine: AsyncEngine) -> None:
    """101 talked 15 of 60 min, 102 wrapped up 15 of 30; 103 was never offered a call of `sales`."""
    calls = (
        Story("1").queue("sales", 0, 9, "answered").answer("101", "sales", 1, 9, 909).end(909),
        Story("2").queue("sales", 0, 9, "timeout").ring("102", "sales", 1, 9, "rna").end(9),
        Story("3").queue("other", 0, 9, "timeout").ring("103", "other", 1, 9, "rna").end(9),
    )
    await keep(engine, Policy(), *calls)

    def stretch(agent: str, track: str, state: AgentState, minutes: int) -> Any:
        lived = Interval(agent=agent, state=state, began_at=TEN, ended_at=TEN + timedelta(minutes=minutes))
        return interval_row("main", track, lived)

    rows = [
        stretch("101", "availability", AgentState.READY, 60),
        stretch("101", "activity", AgentState.TALKING, 15),
        stretch("102", "availability", AgentState.READY, 30),
        stretch("102", "activity", AgentState.WRAPUP, 15),
        stretch("103", "availability", AgentState.READY, 60),
    ]
    await writing(engine, lambda connection: write(connection, schema.agent_interval, rows))
    found = await queues(engine)
    assert [picked(row, "queue", "agents", "occupancy") for row in found["queues"]] == [
        ("other", 1, 0.0),
        ("sales", 2, 0.3333),
    ]
    assert picked(found["total"], "agents", "occupancy") == (3, 0.2)
    await writing(engine, lambda connection: roll_up_day(connection, "main", TEN.date(), Policy()))
    assert await queues(engine) == found


@pytest.mark.parametrize("name", ["flood", "linear_rna_decline_answer", "no_members_paused", "wrapup_after_auto"])
async def test_the_report_counts_what_the_recording_shows(engine: AsyncEngine, name: str) -> None:
    tape = SCENARIOS / "22" / f"{name}.ami"
    await record(engine, tape)
    calls = [call for call in replay([tape], Site(node="main"), Policy())["calls"] if call["direction"] == "inbound"]
    found = await queues(engine, ALL)
    stays = [stage | {"call": c["call"]} for c in calls for stage in c["stages"] if stage["kind"] == "queue"]
    assert stays
    assert {row["queue"]: row["received"] for row in found["queues"]} == Counter(stay["name"] for stay in stays)
    for row in found["queues"]:
        mine = [stay for stay in stays if stay["name"] == row["queue"]]
        ends = Counter(stay["result"] for stay in mine)
        assert row["answered"] == ends["answered"]
        assert row["abandoned"] + row["short_abandoned"] == ends["abandoned"]
        waits = [_seconds(stay["left_at"]) - _seconds(stay["entered_at"]) for stay in mine]
        assert row["wait_max_s"] == pytest.approx(max(waits), abs=0.001)
    assert found["total"]["calls"] == len({stay["call"] for stay in stays})
    queued = [call for call in calls if any(stage["kind"] == "queue" for stage in call["stages"])]
    assert found["total"]["lost"] == sum(call["lost"] for call in queued)


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
