"""Hours, lines, regions and absences, counted by hand; the same numbers from rows and from roll-ups."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.agent import AgentState, Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import absences, patterns, schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import roll_up_day
from pbxmonitor.store.rows import interval_row
from pbxmonitor.store.types import insert_new, reading, write, writing
from tests.store.test_ledger import record
from tests.store.test_queue_report import ALL, DAY, TEN, Story, keep, picked

SCENARIOS = Path(__file__).parents[1] / "scenarios"
MONDAY = date(2026, 3, 2)


def in_zone(name: str, **changes: Any) -> Policy:
    return Policy(hours=WorkingHours(zone=ZoneInfo(name), **changes))


def answered(key: str, at: datetime, **changes: Any) -> Call:
    return Story(key, at, **changes).queue("sales", 0, 5, "answered").answer("101", "sales", 1, 5, 60).end(60)


def lost(key: str, at: datetime, **changes: Any) -> Call:
    return Story(key, at, **changes).queue("sales", 0, 30, "timeout").ring("101", "sales", 1, 20, "rna").end(31)


def short(key: str, at: datetime, **changes: Any) -> Call:
    return Story(key, at, **changes).queue("sales", 0, 2, "abandoned").leave("101", "sales", 1, 2)


def local(zone: str, *when: int, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[misc, arg-type]


async def heat(engine: AsyncEngine, period: Period, policy: Policy, **of: str) -> dict[tuple[int, int], Any]:
    found = await reading(engine, lambda connection: patterns.heat(connection, period, policy, **of))
    assert [(cell["weekday"], cell["hour"]) for cell in found] == [
        (day, hour) for day in range(7) for hour in range(24)
    ]
    return {(cell["weekday"], cell["hour"]): cell for cell in found}


async def roll_up(engine: AsyncEngine, policy: Policy, first: date, days: int, node: str = "main") -> None:
    for ahead in range(days):
        day = first + timedelta(days=ahead)
        await writing(engine, lambda connection, day=day: roll_up_day(connection, node, day, policy))  # type: ignore[misc]


def days(policy: Policy, first: date, last: date) -> Period:
    """From the first moment of one day of the site to that of the other."""
    return Period(begin=policy.hours.day_span(first)[0], end=policy.hours.day_span(last)[0])


async def test_a_cell_is_that_hour_of_all_such_weekdays(engine: AsyncEngine) -> None:
    """Mondays of four weeks: 3 + 1 calls at ten, two of them lost and one gone at once."""
    week = timedelta(days=7)
    await keep(
        engine,
        Policy(),
        answered("1", TEN),
        lost("2", TEN + timedelta(minutes=59, seconds=59)),
        short("3", TEN + timedelta(minutes=5)),
        lost("4", TEN + 3 * week),
        answered("5", TEN + timedelta(hours=1)),
        answered("6", TEN + 4 * week),
    )
    cells = await heat(engine, Period(begin=DAY.begin, end=DAY.begin + 4 * week), Policy())
    names = ("calls", "answered", "lost", "short_abandoned", "lost_share", "hours", "calls_mean", "lost_mean")
    assert picked(cells[0, 10], *names) == (4, 1, 2, 1, 0.6667, 4.0, 1.0, 0.5)
    assert picked(cells[0, 11], *names) == (1, 1, 0, 0, 0.0, 4.0, 0.25, 0.0)
    assert picked(cells[6, 23], *names) == (0, 0, 0, 0, None, 4.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("zone", "sunday", "cell", "hours", "moments"),
    [
        ("Europe/Berlin", date(2026, 3, 29), (6, 2), 0.0, []),
        ("Europe/Berlin", date(2026, 3, 29), (6, 3), 1.0, [(1, 30)]),
        ("Europe/Berlin", date(2026, 10, 25), (6, 2), 2.0, [(0, 30), (1, 30)]),
        ("America/New_York", date(2026, 3, 8), (6, 2), 0.0, []),
        ("America/New_York", date(2026, 11, 1), (6, 1), 2.0, [(5, 30), (6, 59)]),
        ("Asia/Kolkata", date(2026, 3, 8), (6, 10), 1.0, [(4, 30), (5, 29)]),
    ],
)
async def test_when_clocks_change_an_hour_is_missing_or_twice_as_long(
    engine: AsyncEngine,
    zone: str,
    sunday: date,
    cell: tuple[int, int],
    hours: float,
    moments: Sequence[tuple[int, int]],
) -> None:
    """Calls at those UTC times of that Sunday; followed from the Monday before to the Monday after."""
    policy = in_zone(zone)
    period = days(policy, sunday - timedelta(days=6), sunday + timedelta(days=1))
    calls = [lost(f"{at}", datetime.combine(sunday, time(*at), UTC)) for at in moments]
    await keep(engine, policy, *calls, answered("first", period.begin), answered("last", period.end))
    cells = await heat(engine, period, policy)
    assert picked(cells[cell], "hours", "calls", "lost") == (hours, len(moments), len(moments))
    assert sum(each["hours"] for each in cells.values()) == (period.end - period.begin) / timedelta(hours=1)
    assert sum(each["calls"] for each in cells.values()) == len(moments) + 1
    await roll_up(engine, policy, sunday - timedelta(days=6), 7)
    assert await heat(engine, period, policy) == cells


async def test_hours_when_nobody_listened_are_no_hours(engine: AsyncEngine) -> None:
    """The first call came on Monday at ten, the last word on Tuesday at 12:30: that Monday is known, no other."""
    await keep(engine, Policy(), answered("1", TEN), answered("2", TEN + timedelta(days=1, hours=2, minutes=30)))
    cells = await heat(
        engine, Period(begin=DAY.begin - timedelta(days=70), end=DAY.begin + timedelta(days=70)), Policy()
    )
    assert [cells[0, hour]["hours"] for hour in (0, 10, 23)] == [1.0, 1.0, 1.0]
    assert [cells[1, hour]["hours"] for hour in (11, 12, 13)] == [1.0, 0.5, 0.0]
    assert picked(cells[2, 10], "hours", "calls_mean", "lost_share") == (0.0, None, None)


async def test_no_calls_at_all_are_a_map_without_numbers(engine: AsyncEngine) -> None:
    cells = await heat(engine, DAY, Policy())
    assert {picked(cell, "calls", "hours", "calls_mean", "lost_share") for cell in cells.values()} == {
        (0, 0.0, None, None)
    }


async def test_a_map_of_one_line_or_one_queue(engine: AsyncEngine) -> None:
    other = Story("3", TEN, line="1002").queue("reception", 0, 9, "timeout").end(9)
    direct = Story("4", TEN, line="1002").stage("dial", "105", 0, 9, "no_answer").ring("105", None, 0, 9, "rna").end(9)
    await keep(engine, Policy(), lost("1", TEN), answered("2", TEN, line="1002"), other, direct)
    for _ in range(2):
        assert picked((await heat(engine, DAY, Policy(), line="1002"))[0, 10], "calls", "lost") == (3, 2)
        assert picked((await heat(engine, DAY, Policy(), queue="sales"))[0, 10], "calls", "lost") == (2, 1)
        assert (await heat(engine, DAY, Policy(), line="1002", queue="sales"))[0, 10]["calls"] == 1
        await roll_up(engine, Policy(), MONDAY, 1)


async def test_a_period_that_cuts_a_rolled_up_day_takes_the_rest_from_rows(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), *(lost(str(hour), TEN.replace(hour=hour)) for hour in range(24)))
    period = Period(begin=TEN, end=TEN + timedelta(hours=5, seconds=1))
    from_rows = await heat(engine, period, Policy())
    await roll_up(engine, Policy(), MONDAY, 1)
    assert await heat(engine, period, Policy()) == from_rows
    assert [hour for (_, hour), cell in from_rows.items() if cell["calls"]] == [10, 11, 12, 13, 14, 15]


async def test_lines_are_the_numbers_first_called_the_busiest_first(engine: AsyncEngine) -> None:
    await keep(
        engine,
        Policy(),
        answered("1", TEN, line="+74951000001"),
        lost("2", TEN, line="+74951000002"),
        short("3", TEN, line="+74951000002"),
        lost("4", TEN, line="+74951000002", node="branch"),
    )
    names = ("node", "line", "calls", "answered", "lost", "short_abandoned", "lost_share")
    for _ in range(2):
        found = await reading(engine, lambda connection: patterns.lines(connection, DAY, Policy()))
        assert [picked(row, *names) for row in found] == [
            ("main", "+74951000002", 2, 0, 1, 1, 1.0),
            ("branch", "+74951000002", 1, 0, 1, 0, 1.0),
            ("main", "+74951000001", 1, 1, 0, 0, 0.0),
        ]
        await roll_up(engine, Policy(), MONDAY, 1)


async def regions(engine: AsyncEngine, language: str, period: Period = DAY) -> list[Any]:
    return await reading(engine, lambda connection: patterns.regions(connection, period, Policy(), language))


async def test_callers_are_counted_by_region_in_either_language(engine: AsyncEngine) -> None:
    numbers = ["+74951234567", "+74991234567", "+78432345678", "+79211234567", "+79219999999", None, "105", "112"]
    calls = [lost(str(place), TEN, caller=number) for place, number in enumerate(numbers)]
    await keep(
        engine, Policy(), *calls, answered("a", TEN, caller="+74957654321"), short("b", TEN, caller="+78432000000")
    )
    names = ("region", "kind", "country", "calls", "answered", "lost", "short_abandoned", "lost_share")
    russian, english = await regions(engine, "ru"), await regions(engine, "en")
    assert [picked(row, *names) for row in russian] == [picked(row, *names) for row in english]
    assert [picked(row, *names) for row in russian] == [
        ("RU-MOW", "place", "RU", 3, 1, 2, 0, 0.6667),
        ("RU-TA", "place", "RU", 2, 0, 1, 1, 1.0),
        ("RU/MegaFon", "operator", "RU", 2, 0, 2, 0, 1.0),
        ("internal", "internal", None, 2, 0, 2, 0, 1.0),
        ("withheld", "withheld", None, 1, 0, 1, 0, 1.0),
    ]
    assert [row["name"] for row in russian] == ["Москва", "Татарстан", "МегаФон", None, None]
    assert [row["name"] for row in english] == ["Moscow", "Tatarstan", "MegaFon", None, None]
    assert [row["country_name"] for row in russian] == ["Россия"] * 3 + [None] * 2


async def test_regions_of_a_recording_add_up_to_its_calls(engine: AsyncEngine) -> None:
    await record(engine, SCENARIOS / "22" / "flood.ami")
    inbound = sa.select(sa.func.count()).where(schema.call.c.direction == "inbound")
    calls = await reading(engine, lambda connection: connection.execute(inbound).scalar_one())
    found = await regions(engine, "en", ALL)
    assert calls > 1
    assert sum(row["calls"] for row in found) == calls
    assert {row["region"] for row in found} == {"RU"}


def stretch(
    agent: str, state: AgentState, begin: datetime, end: datetime | None, reason: str | None = None, **more: Any
) -> Any:
    track = "activity" if state is AgentState.TALKING else "availability"
    lived = Interval(agent=agent, state=state, began_at=begin, ended_at=end, reason=reason, **more)
    return interval_row("main", track, lived)


async def lived(engine: AsyncEngine, *rows: Any) -> None:
    agents = [{"node": node, "agent": agent} for node, agent in sorted({(row["node"], row["agent"]) for row in rows})]
    await writing(engine, lambda connection: insert_new(connection, schema.agent, agents))
    await writing(engine, lambda connection: write(connection, schema.agent_interval, list(rows)))


async def away(engine: AsyncEngine, period: Period, policy: Policy, **more: Any) -> Any:
    return await reading(engine, lambda connection: absences.away(connection, period, policy, **more))


def at(hour: int, minute: int = 0, day: int = 2) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


async def test_anna_was_in_dnd_43_minutes_while_17_calls_were_lost(engine: AsyncEngine) -> None:
    calls = [lost(str(second), TEN + timedelta(seconds=second)) for second in range(17)]
    await keep(
        engine, Policy(), *calls, *(answered(f"a{second}", TEN + timedelta(seconds=second)) for second in range(3))
    )
    await lived(
        engine,
        stretch("anna", AgentState.DND, at(9, 50), at(10, 43)),
        stretch("anna", AgentState.READY, at(10, 43), at(18)),
        stretch("boris", AgentState.PAUSED, at(10, 10), at(10, 31), "lunch"),
        stretch("boris", AgentState.PAUSED, at(10, 31), at(10, 50), "smoke"),
    )
    found = await away(engine, DAY, Policy())
    assert found["hours"] == [
        {
            "node": "main",
            "agent": "anna",
            "day": "2026-03-02",
            "hour": 10,
            "state": "dnd",
            "reason": None,
            "away_s": 2580.0,
            "calls": 20,
            "lost": 17,
        },
        {
            "node": "main",
            "agent": "boris",
            "day": "2026-03-02",
            "hour": 10,
            "state": "paused",
            "reason": "lunch",
            "away_s": 1260.0,
            "calls": 20,
            "lost": 17,
        },
    ]
    shorter = await away(engine, DAY, Policy(), at_least=timedelta(minutes=19))
    assert [picked(row, "agent", "reason", "away_s") for row in shorter["hours"]] == [
        ("anna", None, 2580.0),
        ("boris", "lunch", 1260.0),
        ("boris", "smoke", 1140.0),
    ]
    await roll_up(engine, Policy(), MONDAY, 1)
    assert await away(engine, DAY, Policy()) == found


async def test_away_while_nobody_was_lost_is_no_matter(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), answered("1", TEN), short("2", TEN))
    await lived(engine, stretch("anna", AgentState.DND, at(10), at(11)))
    assert (await away(engine, DAY, Policy()))["hours"] == []


async def test_a_pause_in_some_of_his_queues_is_not_away(engine: AsyncEngine) -> None:
    await keep(engine, Policy(), lost("1", TEN))
    await lived(engine, stretch("anna", AgentState.PAUSED, at(10), at(11), queues=("sales",), partial=True))
    found = await away(engine, DAY, Policy())
    assert found == {"hours": [], "agents": []}


async def test_only_working_time_and_days_of_work_count(engine: AsyncEngine) -> None:
    """Open 09:30–18: of the DND 9–10 half an hour; Boris, who was not there at all that day, was not away."""
    policy = in_zone("UTC", week=((((time(9, 30), time(18))),),) * 5 + ((), ()))
    sunday = [lost("3", at(10, day=8)), lost("4", at(10, day=9))]
    await keep(engine, policy, lost("1", at(9, 45)), lost("2", at(19)), *sunday)
    await lived(
        engine,
        stretch("anna", AgentState.DND, at(9), at(10)),
        stretch("anna", AgentState.OFFLINE, at(18), at(12, day=9)),
        stretch("anna", AgentState.READY, at(12, day=9), at(18, day=9)),
        stretch("boris", AgentState.OFFLINE, at(0), at(23)),
    )
    period = Period(begin=DAY.begin, end=DAY.begin + timedelta(days=8))
    found = await away(engine, period, policy)
    assert [picked(row, "agent", "day", "hour", "state", "away_s") for row in found["hours"]] == [
        ("anna", "2026-03-09", 10, "offline", 3600.0),
        ("anna", "2026-03-02", 9, "dnd", 1800.0),
    ]
    await roll_up(engine, policy, MONDAY, 8)
    assert await away(engine, period, policy) == found


async def test_the_profile_is_the_mean_of_his_working_days(engine: AsyncEngine) -> None:
    """Two days of work: DND 60 and 0 min at ten, 30 and 30 at eleven; 3 calls at ten on the first, 2 of them lost."""
    tuesday = timedelta(days=1)
    await keep(engine, Policy(), lost("1", TEN), lost("2", TEN), answered("3", TEN), answered("4", TEN + 2 * tuesday))
    await lived(
        engine,
        stretch("anna", AgentState.READY, at(9), at(10)),
        stretch("anna", AgentState.DND, at(10), at(11, 30)),
        stretch("anna", AgentState.READY, at(9, day=3), at(11, day=3)),
        stretch("anna", AgentState.PAUSED, at(11, day=3), at(11, 30, day=3), "lunch"),
        stretch("clara", AgentState.READY, at(9), at(18)),
    )
    (profile,) = (await away(engine, Period(begin=DAY.begin, end=DAY.begin + 3 * tuesday), Policy()))["agents"]
    assert profile == {
        "node": "main",
        "agent": "anna",
        "days": 2,
        "hours": [
            {"hour": 10, "dnd_s": 1800.0, "paused_s": 0.0, "offline_s": 0.0, "calls": 1.5, "lost": 1.0},
            {"hour": 11, "dnd_s": 900.0, "paused_s": 900.0, "offline_s": 0.0, "calls": 0.0, "lost": 0.0},
        ],
    }


@pytest.mark.parametrize(
    ("zone", "begin", "end", "expected"),
    [
        (
            "Asia/Kolkata",
            (2026, 3, 2, 10, 40),
            (2026, 3, 2, 11, 25),
            [("2026-03-02", 10, 1200.0), ("2026-03-02", 11, 1500.0)],
        ),
        (
            "Europe/Berlin",
            (2026, 3, 29, 1, 30),
            (2026, 3, 29, 3, 30),
            [("2026-03-29", 1, 1800.0), ("2026-03-29", 3, 1800.0)],
        ),
        (
            "America/New_York",
            (2026, 11, 1, 0, 30),
            (2026, 11, 1, 2, 30),
            [("2026-11-01", 0, 1800.0), ("2026-11-01", 1, 7200.0), ("2026-11-01", 2, 1800.0)],
        ),
    ],
)
async def test_time_away_is_cut_at_the_hours_of_the_sites_clock(
    engine: AsyncEngine, zone: str, begin: Any, end: Any, expected: list[Any]
) -> None:
    policy = in_zone(zone)
    day = date(*begin[:3])
    moments = [local(zone, *begin[:3], hour, 59) for _, hour, _ in expected]
    await keep(engine, policy, *(lost(str(place), moment) for place, moment in enumerate(moments)))
    await lived(engine, stretch("anna", AgentState.DND, local(zone, *begin), local(zone, *end)))
    period = days(policy, day, day + timedelta(days=1))
    found = await away(engine, period, policy)
    assert sorted(picked(row, "day", "hour", "away_s") for row in found["hours"]) == expected
    await roll_up(engine, policy, day, 1)
    assert await away(engine, period, policy) == found


async def test_the_costliest_hours_are_the_first_of_all_and_a_profile_is_one_agents(engine: AsyncEngine) -> None:
    calls = [lost(f"{hour}-{place}", TEN.replace(hour=hour)) for hour in (10, 11, 12) for place in range(hour - 9)]
    await keep(engine, Policy(), *calls)
    await lived(
        engine,
        stretch("anna", AgentState.DND, at(10), at(13)),
        stretch("boris", AgentState.PAUSED, at(11), at(11, 50), "smoke"),
    )
    for _ in range(2):
        whole = await away(engine, DAY, Policy())
        first, count = await reading(engine, lambda c: absences.costliest(c, DAY, Policy(), 3))
        assert (first, count) == (whole["hours"][:3], 4)
        assert [picked(row, "agent", "hour", "lost") for row in first] == [
            ("anna", 12, 3),
            ("anna", 11, 2),
            ("boris", 11, 2),
        ]
        for each in whole["agents"]:
            mine = await reading(engine, lambda c, agent=each["agent"]: absences.profile(c, DAY, Policy(), agent))  # type: ignore[misc]
            assert mine == each["hours"]
        assert await reading(engine, lambda c: absences.profile(c, DAY, Policy(), "nobody")) == []
        await roll_up(engine, Policy(), MONDAY, 1)
