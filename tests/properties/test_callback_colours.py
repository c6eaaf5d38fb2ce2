"""Over any sequence of calls and deeds: never red after a real conversation, never green without one."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import schema
from pbxmonitor.store.actions import CannotAct, Deed, Hand, act
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.schema import METADATA
from pbxmonitor.store.types import connect, writing
from tests.work.shop import DUTIES, NOW, POLICY, Shop, rows

CLIENTS = ("+79161234501", "+79161234502")
LINES = ("1001", "1002")
MIN_TALK = POLICY.min_reached_talk.total_seconds()

clients, lines, agents = st.sampled_from(CLIENTS), st.sampled_from(LINES), st.sampled_from(("101", "102"))
talks = st.sampled_from((0.0, 2.0, 4.9, 5.1, 40.0))
events = st.one_of(
    st.tuples(st.just("misses"), clients, lines),
    st.tuples(st.just("calls_back"), clients, agents, talks),
    st.tuples(st.just("answers"), clients, st.sampled_from((4.0, 5.1, 40.0))),
    st.tuples(st.just("mobile"), clients),
    st.tuples(st.just("dismiss"), clients),
    st.tuples(st.just("voicemail"), clients),
    st.tuples(st.just("judge_again"), clients),
)


@dataclass
class Truth:
    """What really happened to one client, kept apart from all that the program derives."""

    misses: dict[str, datetime] = field(default_factory=dict)
    talks: dict[str, datetime] = field(default_factory=dict)
    dismissed: set[str] = field(default_factory=set)

    def talked_after(self, at: datetime) -> bool:
        return any(end > at for end in self.talks.values())


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    url = f"sqlite:///{tmp_path_factory.mktemp('colours') / 'rows.sqlite3'}"

    async def make() -> None:
        engine = connect(url)
        await writing(engine, METADATA.create_all)
        await engine.dispose()

    asyncio.run(make())
    return url


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(events, min_size=1, max_size=10))
def test_a_client_is_green_exactly_after_a_real_conversation(database: str, story: list[tuple[object, ...]]) -> None:
    asyncio.run(lived(database, story))


async def lived(url: str, story: list[tuple[object, ...]]) -> None:
    engine = connect(url)
    try:
        await emptied(engine)
        shop, truths = Shop(engine), {client: Truth() for client in CLIENTS}
        for what, client, *more in story:
            shop.story.after(30)
            await happens(shop, str(what), str(client), truths[str(client)], more)
            await agrees(engine, truths)
    finally:
        await engine.dispose()


async def emptied(engine: AsyncEngine) -> None:
    def work(connection: sa.Connection) -> None:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(sa.delete(table))

    await writing(engine, work)


async def happens(shop: Shop, what: str, client: str, truth: Truth, more: list[object]) -> None:
    match what, more:
        case "misses", [str(line)]:
            truth.misses[await shop.misses(client, line=line)] = shop.now
        case "calls_back", [str(agent), float(seconds)]:
            call = await shop.calls_back(agent, client, talks=seconds, rings=12)
            if seconds >= MIN_TALK:
                truth.talks[call] = shop.now
        case "answers", [float(seconds)]:
            call = await shop.answers("101", client, talks=seconds)
            if seconds >= MIN_TALK:
                truth.talks[call] = shop.now
        case "judge_again", _:
            await recompute(shop.engine, POLICY, begin=NOW)
        case _:
            await by_hand(shop, what, client, truth)


async def by_hand(shop: Shop, what: str, client: str, truth: Truth) -> None:
    """Somebody says something of the client's last callback that it can be said of."""
    mine = await rows(shop.engine, schema.callback, number=client)
    for row in sorted(mine, key=lambda row: row.opened_at, reverse=True):
        call = row.closed_by_call if row.state == "reached" else None
        if not await done(shop, (row.node, row.call), Deed(hand=Hand(what), who="101", reason="spam", call=call)):
            continue
        if what == "mobile":
            truth.talks[f"mobile {shop.now}"] = shop.now
        elif call is not None:
            del truth.talks[call]
        else:
            truth.dismissed |= {key for key, at in truth.misses.items() if not truth.talked_after(at)}
        return


async def done(shop: Shop, key: tuple[str, str], deed: Deed) -> bool:
    """Whether it could be said of that callback."""
    try:
        await writing(shop.engine, lambda connection: act(connection, DUTIES, POLICY, key, deed, shop.now))
    except CannotAct:
        return False
    return True


async def agrees(engine: AsyncEngine, truths: dict[str, Truth]) -> None:
    colours = {row.key: row.colour for row in await rows(engine, schema.call, direction="inbound")}
    open_now = [(row.number, row.line) for row in await rows(engine, schema.callback) if row.closed_at is None]
    assert len(open_now) == len(set(open_now))
    for client, truth in truths.items():
        for key, at in truth.misses.items():
            if key in truth.dismissed:
                continue
            assert (colours[key] == "green") == truth.talked_after(at), (client, key, colours[key])
