"""Whatever is owed goes out once, or again only where a crash left no other way; what is refused stops and is shown."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock, SystemClock
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.types import connect, reading, writing
from pbxmonitor.work.dispatch import HOLD, LAST_RETRY, Dispatch, Later, Refused, back_off

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


@dataclass
class Channel:
    """Does what it is told to, in order, and then delivers."""

    answers: list[Exception] = field(default_factory=list)
    per_second: float | None = None
    per_address_per_minute: float | None = None
    sent: list[str] = field(default_factory=list)

    async def send(self, delivery: Delivery) -> str | None:
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append(delivery.id)
        return f"ref-{delivery.id}"


def owed(name: str, **more: Any) -> Delivery:
    values: dict[str, Any] = {"channel": "telegram", "template": "missed", "due_at": NOW, "created_at": NOW}
    return Delivery(id=name, **{**values, **more})


async def put(engine: AsyncEngine, *deliveries: Delivery) -> None:
    await writing(engine, lambda connection: outbox.put(connection, deliveries))


async def rows(engine: AsyncEngine) -> dict[str, Any]:
    found = await reading(engine, lambda connection: connection.execute(sa.select(schema.delivery)).all())
    return {row.id: row for row in found}


def dispatch(engine: AsyncEngine, clock: ManualClock, **senders: Channel) -> Dispatch:
    return Dispatch(engine, senders, clock, rng=Random(1))


async def states(engine: AsyncEngine) -> dict[str, str]:
    return {name: row.state for name, row in (await rows(engine)).items()}


async def test_what_is_due_goes_out_once_and_the_channels_name_for_it_is_kept(engine: AsyncEngine) -> None:
    channel, clock = Channel(), ManualClock(NOW)
    await put(engine, owed("a"), owed("b"), owed("a"), owed("later", due_at=NOW + timedelta(hours=1)))
    work = dispatch(engine, clock, telegram=channel)
    assert (await work.once(), await work.once()) == (2, 0)
    assert sorted(channel.sent) == ["a", "b"]
    kept = await rows(engine)
    assert (kept["a"].state, kept["a"].reference, kept["a"].ended_at) == ("sent", "ref-a", NOW)
    assert kept["later"].state == "waiting"


async def test_a_refusal_stops_and_is_shown_and_another_channel_takes_over(engine: AsyncEngine) -> None:
    telegram, mail = Channel(answers=[Refused("blocked by the user")]), Channel()
    work = dispatch(engine, ManualClock(NOW), telegram=telegram, email=mail)
    work.instead = lambda each: owed(f"{each.id}/email", channel="email") if each.channel == "telegram" else None
    await put(engine, owed("a"))
    await work.once()
    await work.once()
    kept = await rows(engine)
    assert (kept["a"].state, kept["a"].error) == ("failed", "blocked by the user")
    assert (telegram.sent, mail.sent) == ([], ["a/email"])


async def test_what_did_not_work_is_tried_again_later_and_later(engine: AsyncEngine) -> None:
    channel, clock = Channel(answers=[Later("500"), Later("500"), OSError("reset")]), ManualClock(NOW)
    work = dispatch(engine, clock, telegram=channel)
    await put(engine, owed("a"))
    waits = []
    for _ in range(3):
        await work.once()
        row = (await rows(engine))["a"]
        assert row.state == "waiting"
        waits.append((row.due_at - clock.now()).total_seconds())
        assert await work.once() == 0
        clock.advance(waits[-1])
    await work.once()
    assert (await rows(engine))["a"].state == "sent"
    assert [2.5 * 2**n <= wait <= 7.5 * 2**n for n, wait in enumerate(waits)] == [True] * 3


async def test_a_channel_that_says_when_is_not_asked_before(engine: AsyncEngine) -> None:
    channel, clock = Channel(answers=[Later("429", after_s=300)]), ManualClock(NOW)
    work = dispatch(engine, clock, telegram=channel)
    await put(engine, owed("a"))
    await work.once()
    assert (await rows(engine))["a"].due_at >= NOW + timedelta(seconds=300)


async def test_too_late_is_never_sent(engine: AsyncEngine) -> None:
    channel, clock = Channel(), ManualClock(NOW)
    await put(engine, owed("a", expires_at=NOW + timedelta(minutes=10)))
    clock.advance(601)
    assert await dispatch(engine, clock, telegram=channel).once() == 0
    assert await writing(engine, lambda connection: outbox.expire(connection, clock.now())) == 1
    assert (channel.sent, await states(engine)) == ([], {"a": "expired"})


async def test_what_became_needless_is_not_sent(engine: AsyncEngine) -> None:
    await put(
        engine,
        owed("a", about=("main", "1.0")),
        owed("b", about=("main", "2.0")),
        owed("c", about=("main", "1.0"), template="reached"),
    )
    await writing(engine, lambda connection: outbox.cancel(connection, ("main", "1.0"), NOW, ["missed", "overdue"]))
    channel = Channel()
    await dispatch(engine, ManualClock(NOW), telegram=channel).once()
    assert sorted(channel.sent) == ["b", "c"]
    assert (await states(engine))["a"] == "cancelled"


async def test_a_claim_is_nobody_elses_until_it_ends(engine: AsyncEngine) -> None:
    await put(engine, owed("a"))
    hold = timedelta(minutes=2)
    first = await writing(engine, lambda c: outbox.claim(c, NOW, hold, ["telegram"], 9))
    second = await writing(engine, lambda c: outbox.claim(c, NOW, hold, ["telegram"], 9))
    third = await writing(engine, lambda c: outbox.claim(c, NOW + hold, hold, ["telegram"], 9))
    assert [[each.id for each in found] for found in (first, second, third)] == [["a"], [], ["a"]]
    assert [each.attempts for each in (*first, *third)] == [1, 2]
    late = await writing(engine, lambda c: outbox.sent(c, first[0], NOW, None))
    right = await writing(engine, lambda c: outbox.sent(c, third[0], NOW, None))
    assert (late, right) == (False, True)


async def test_a_channels_pace_is_held_and_nothing_is_lost_by_it(engine: AsyncEngine) -> None:
    channel, clock = Channel(per_second=1.0, per_address_per_minute=2.0), ManualClock(NOW)
    work = dispatch(engine, clock, telegram=channel)
    await put(engine, *(owed(f"{n}", recipient="anna" if n < 2 else f"x{n}") for n in range(6)))
    moments: list[tuple[str, float]] = []
    for _ in range(200):
        before = len(channel.sent)
        await work.once()
        moments += [(name, clock.monotonic()) for name in channel.sent[before:]]
        clock.advance(0.5)
    assert sorted(name for name, _ in moments) == [f"{n}" for n in range(6)]
    at = sorted(second for _, second in moments)
    assert all(later - sooner >= 1.0 for sooner, later in pairwise(at))
    annas = [second for name, second in moments if name in ("0", "1")]
    assert abs(annas[0] - annas[1]) >= 30
    assert {row.attempts for row in (await rows(engine)).values()} == {1}


async def test_a_slow_channel_does_not_hold_up_what_comes_later_on_another(engine: AsyncEngine) -> None:
    class Slow(Channel):
        async def send(self, delivery: Delivery) -> str | None:
            began.set()
            await over.wait()
            return await super().send(delivery)

    class Quick(Channel):
        async def send(self, delivery: Delivery) -> str | None:
            over.set()
            return await super().send(delivery)

    began, over, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
    slow, quick = Slow(), Quick()
    work = Dispatch(engine, {"slow": slow, "quick": quick}, SystemClock())
    await put(engine, owed("a", channel="slow"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(work.run(stop))
        await began.wait()
        await put(engine, owed("b", channel="quick"))
        work.ring()
        await over.wait()
        stop.set()
    assert (slow.sent, quick.sent) == (["a"], ["b"])


async def test_a_database_that_goes_away_ends_nothing(engine: AsyncEngine) -> None:
    class Watched(ManualClock):
        async def sleep(self, seconds: float) -> None:
            rested.set()
            await super().sleep(seconds)

    rested, stop = asyncio.Event(), asyncio.Event()
    nowhere = connect("sqlite:////nowhere/at/all/rows.sqlite3")
    work = Dispatch(nowhere, {"telegram": Channel()}, Watched(NOW))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        tasks.create_task(work.run(stop))
        await rested.wait()
        stop.set()
    await nowhere.dispose()


async def test_who_lost_the_claim_brings_no_other_channel_into_it(engine: AsyncEngine) -> None:
    class Late(Channel):
        async def send(self, delivery: Delivery) -> str | None:
            other = await writing(engine, lambda c: outbox.claim(c, NOW + timedelta(hours=1), HOLD, ["telegram"], 9))
            await writing(engine, lambda c: outbox.sent(c, other[0], NOW, "by another"))
            raise Refused("blocked")

    work = dispatch(engine, ManualClock(NOW), telegram=Late(), sms=Channel())
    work.instead = lambda each: owed(f"{each.id}/sms", channel="sms")
    await put(engine, owed("a"))
    await work.once()
    assert await states(engine) == {"a": "sent"}


async def test_a_slow_channel_holds_up_no_other(engine: AsyncEngine) -> None:
    class Slow(Channel):
        async def send(self, delivery: Delivery) -> str | None:
            await quick_is_done.wait()
            return await super().send(delivery)

    class Quick(Channel):
        async def send(self, delivery: Delivery) -> str | None:
            quick_is_done.set()
            return await super().send(delivery)

    quick_is_done = asyncio.Event()
    slow, quick = Slow(), Quick()
    await put(engine, owed("a", channel="slow"), owed("b", channel="quick"))
    async with asyncio.timeout(20):
        await dispatch(engine, ManualClock(NOW), slow=slow, quick=quick).once()
    assert (slow.sent, quick.sent) == (["a"], ["b"])


@pytest.mark.parametrize("attempts", [1, 2, 5, 9, 50])
def test_a_back_off_doubles_up_to_a_quarter_of_an_hour(attempts: int) -> None:
    waits = [back_off(attempts, Random(seed)) for seed in range(50)]
    longest = min(timedelta(seconds=5) * 2 ** min(attempts - 1, 20), LAST_RETRY)
    assert longest * 0.5 <= min(waits) < max(waits) <= longest * 1.5


async def test_the_bell_wakes_the_dispatcher_and_it_stops_when_told_to(engine: AsyncEngine) -> None:
    channel, stop = Channel(), asyncio.Event()
    work = Dispatch(engine, {"telegram": channel}, SystemClock())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(work.run(stop))
        await put(engine, owed("a", due_at=SystemClock().now()))
        work.ring()
        while not channel.sent:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        stop.set()
        await running
    assert await states(engine) == {"a": "sent"}
