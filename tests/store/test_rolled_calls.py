"""The same numbers of calls from roll-ups as from rows, whatever the calls and wherever the period is cut."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.domain.policy import Policy, WorkingHours
from pbxmonitor.store import funnel, patterns, queue_report, schema
from pbxmonitor.store.call_days import TABLES, rules_of
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rollups import fresh_days, mark_stale, roll_up_day, stale_days
from pbxmonitor.store.types import reading, writing
from tests.store.test_queue_report import Story, keep

# The night of 29 March has no hour from two to three there.
ZONE = ZoneInfo("Europe/Berlin")
POLICY = Policy(
    hours=WorkingHours(zone=ZONE),
    service_levels=(timedelta(seconds=20), timedelta(minutes=5)),
    queues={"sales": {"short_abandon": timedelta(seconds=40), "min_ring": timedelta(seconds=10)}},
)
FIRST = date(2026, 3, 27)
DAYS = 4
QUEUES = ("sales", "reception", "lab")
CALLERS = (None, "105", "+74951234567", "+78432345678", "+79211234567", "+4930123456")


def midnight(day: date) -> datetime:
    return POLICY.hours.day_span(day)[0]


def history(seed: int, calls: int = 60) -> list[Call]:
    """Calls of two PBXs through menus, queues and phones, many of them over midnight."""
    draw = Random(seed)
    return [written(draw, str(number)) for number in range(calls)]


def written(draw: Random, key: str) -> Call:
    day = FIRST + timedelta(days=draw.randrange(DAYS))
    at = midnight(day) + timedelta(seconds=draw.choice((-600, -30, 0, draw.randrange(86_400))) + draw.random())
    story = Story(key, at.astimezone(UTC), caller=draw.choice(CALLERS), node=draw.choice(("main", "main", "branch")))
    seconds = 0.0
    if draw.random() < 0.3:
        seconds = draw.choice((3.0, 12.5))
        story.stage("ivr", "menu", 0, seconds, "passed")
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        seconds, answered = visited(draw, story, seconds)
        if answered:
            break
    outbound = draw.random() < 0.1
    direction = Direction.OUTBOUND if outbound else Direction.INBOUND
    return story.end(seconds + 1, left=draw.random() < 0.5, direction=direction)


def visited(draw: Random, story: Story, entered: float) -> tuple[float, bool]:
    """One stop of the journey; when it was left, and whether somebody answered."""
    left, queue = entered + draw.choice((2.0, 30.0, 61.3, 4000.0)), draw.choice((*QUEUES, None))
    place = ("queue", queue) if queue else ("dial", "106")
    for agent in draw.sample(("101", "102", "103"), draw.randrange(3)):
        began = draw.uniform(entered, left)
        story.ring(agent, queue, began, draw.uniform(began, left), draw.choice(("rna", "declined", "busy")))
    if draw.random() < 0.4:
        story.stage(*place, entered, left, "answered").ring("104", queue, (entered + left) / 2, left, "answered")
        until = left + draw.choice((1.0, 75.5, 3000.0))
        story.talk(left, until, draw.choice(("agent", "caller")))
        return until, True
    story.stage(*place, entered, left, draw.choice(("timeout", "abandoned", "key") if queue else ("no_answer", "busy")))
    return left, False


def numbers(connection: sa.Connection, period: Period, policy: Policy = POLICY) -> tuple[Any, ...]:
    """All that is counted of calls in that period."""
    return (
        funnel.stages(connection, period, policy),
        queue_report.queues(connection, period, policy),
        queue_report.hours(connection, period, policy),
        patterns.regions(connection, period, policy, "en"),
    )


def periods(draw: Random) -> Sequence[Period]:
    """Whole days, pieces of them, more than there is; of one PBX and of all."""
    days = [midnight(FIRST + timedelta(days=ahead)) for ahead in range(-1, DAYS + 2)]
    spans = [*pairwise(days), (days[0], days[-1]), (days[1], days[3]), (days[2], days[5])]
    for _ in range(2):
        begin = days[1] + timedelta(seconds=draw.uniform(0, 3 * 86_400))
        spans += [(begin, begin + timedelta(hours=draw.uniform(1, 60))), (begin, days[5]), (days[1], begin)]
    return [
        Period(begin=begin, end=end, node=node)
        for begin, end in draw.sample(spans, 7)
        for node in (("main", None) if draw.random() < 0.5 else (None,))
    ]


async def roll_up(engine: AsyncEngine, days: Sequence[int], policy: Policy = POLICY) -> None:
    for node in ("main", "branch"):
        for ahead in days:
            day = FIRST + timedelta(days=ahead)
            await writing(engine, lambda c, node=node, day=day: roll_up_day(c, node, day, policy))  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(3))
async def test_roll_ups_tell_what_the_rows_tell(engine: AsyncEngine, seed: int) -> None:
    draw = Random(seed)
    await keep(engine, POLICY, *history(seed))
    asked = periods(draw)
    plain = await reading(engine, lambda c: [numbers(c, period) for period in asked])
    assert any(stages["steps"] and of["queues"] and hours and callers for stages, of, hours, callers in plain)
    for days in (draw.sample(range(-1, DAYS), 2), range(-1, DAYS + 1)):
        await roll_up(engine, days)
        told = await reading(engine, lambda c: [numbers(c, period) for period in asked])
        for period, one, other in zip(asked, plain, told, strict=True):
            assert one == other, period


async def test_a_period_cut_into_days_adds_up_to_the_whole(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *history(11))
    await roll_up(engine, range(-1, DAYS + 1))
    whole = Period(begin=midnight(FIRST - timedelta(days=2)), end=midnight(FIRST + timedelta(days=DAYS + 2)))
    edges = [midnight(FIRST + timedelta(days=ahead)) for ahead in range(-2, DAYS + 3)]
    pieces = [Period(begin=begin, end=end) for begin, end in pairwise(edges)]
    (stages, queues, hours, _), *parts = await reading(
        engine, lambda c: [numbers(c, each) for each in (whole, *pieces)]
    )
    assert stages["calls"] == sum(part["calls"] for part, *_ in parts)
    assert queues["total"]["calls"] == sum(part["total"]["calls"] for _, part, *_ in parts)
    assert queues["total"]["visits"] == sum(row["received"] for row in hours)
    assert hours == sorted((row for _, _, part, _ in parts for row in part), key=lambda r: (r["node"], r["queue"]))


async def test_other_rules_are_counted_from_rows_until_the_days_are_rolled_up_again(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *history(3))
    other = Policy(hours=POLICY.hours, service_levels=(timedelta(seconds=31),))
    period = Period(begin=midnight(FIRST), end=midnight(FIRST + timedelta(days=DAYS)))
    plain = await reading(engine, lambda c: numbers(c, period, other))
    await roll_up(engine, range(DAYS))
    assert await reading(engine, lambda c: numbers(c, period, other)) == plain
    far = midnight(FIRST + timedelta(days=DAYS + 9))
    stale = await reading(engine, lambda c: stale_days(c, other, far))
    assert ("main", FIRST) in stale
    assert ("main", FIRST) not in await reading(engine, lambda c: stale_days(c, POLICY, far))
    await roll_up(engine, range(DAYS), other)
    assert await reading(engine, lambda c: numbers(c, period, other)) == plain
    rules = (rules_of(POLICY), rules_of(other))
    zone = str(ZONE)
    fresh = await reading(engine, lambda c: [FIRST in fresh_days(c, "main", zone, each) for each in rules])
    assert fresh == [False, True]


async def test_a_touched_day_is_counted_from_rows(engine: AsyncEngine) -> None:
    """What is kept of it is wrong on purpose: nobody may read it."""
    await keep(engine, POLICY, *history(5))
    period = Period(begin=midnight(FIRST), end=midnight(FIRST + timedelta(days=DAYS)))
    plain = await reading(engine, lambda c: numbers(c, period))
    await roll_up(engine, range(DAYS))
    day = FIRST + timedelta(days=1)

    def spoil(connection: sa.Connection) -> None:
        mark_stale(connection, "main", [day])
        for table in TABLES:
            connection.execute(sa.delete(table).where(table.c.node == "main", table.c.day == day))

    await writing(engine, spoil)
    assert await reading(engine, lambda c: numbers(c, period)) == plain


async def test_a_day_rolled_up_twice_is_there_once(engine: AsyncEngine) -> None:
    await keep(engine, POLICY, *history(6))
    counts = [sa.select(sa.func.count()).select_from(table) for table in TABLES]

    async def rows() -> list[int]:
        return await reading(engine, lambda c: [c.execute(each).scalar_one() for each in counts])

    await roll_up(engine, range(DAYS))
    once = await rows()
    assert min(once) > 0
    await roll_up(engine, range(DAYS))
    assert await rows() == once
    await writing(engine, lambda c: c.execute(sa.delete(schema.call)))
    await roll_up(engine, range(DAYS))
    assert await rows() == [0, 0, 0]
