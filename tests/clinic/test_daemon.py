"""The clinic's month through the daemon's own link, engine and ledger: what the reports say of it."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from pbxmonitor import reporting
from pbxmonitor.clock import SystemClock
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.kpi import peak_hours
from pbxmonitor.domain.view import Json
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.pbx import Batch
from pbxmonitor.pbx.asterisk.ami import Ami, AmiLogin
from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
from pbxmonitor.pbx.asterisk.node import AsteriskNode
from pbxmonitor.settings import DatabaseSettings, Settings
from pbxmonitor.simulator.clinic import Month
from pbxmonitor.simulator.clinic.cast import PEOPLE, ZONE
from pbxmonitor.store.doctor import examine
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.recompute import recompute
from pbxmonitor.store.rollups import roll_up
from pbxmonitor.store.types import connect, reading
from tests.clinic.conftest import NODE

# The month is some hundred thousand messages, and the machine may have others to serve.
pytestmark = pytest.mark.timeout(400)
ANNA = "101"
BEGIN, END = datetime(2026, 10, 1, tzinfo=ZONE), datetime(2026, 11, 1, tzinfo=ZONE)


class Asterisk:
    """Lets the daemon log in, and tells it the month once it has asked for its first lists."""

    def __init__(self, tape: Path) -> None:
        self._tape = tape

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        try:
            while True:
                asked = (await reader.readuntil(b"\r\n\r\n")).decode()
                fields = dict(re.findall(r"([^:\r\n]+): (.*)\r\n", asked))
                challenge = "Challenge: 1\r\n" if fields["Action"] == "Challenge" else ""
                writer.write(f"Response: Success\r\nActionID: {fields['ActionID']}\r\n{challenge}\r\n".encode())
                if fields["Action"] == "CoreShowChannels":
                    await self._tell(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        with self._tape.open("rb") as file:
            while piece := file.read(256 * 1024):
                writer.write(piece)
                await writer.drain()


async def recorded_by_the_daemon(url: str, tape: Path, settings: Settings, calls: int) -> None:
    """Link, translation, engine and ledger, until that many calls have ended and are committed."""
    server = await asyncio.start_server(Asterisk(tape).serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # A month in one breath: what waits for the rows is no sign that the daemon has fallen behind.
    place = {"host": "127.0.0.1", "port": port, "watchdog": 300, "queue_limit": 256 * 1024 * 1024}
    login = AmiLogin(username="clinic", secret=SecretStr("clinic"), **place)
    ami = Ami(login, SystemClock())
    node = AsteriskNode(site=site_of(settings, NODE), ami=ami, clock=SystemClock(), resync_every=36000)
    database = connect(url)
    engine = Engine(Ledger(database, NODE, policy_of(settings)), Feed(Floor(node=NODE)))
    batches: asyncio.Queue[Batch] = asyncio.Queue(8)
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(node.follow(batches.put))
        ended = 0
        while ended < calls:
            batch = await batches.get()
            assert isinstance(batch, tuple)
            for change in await engine.take(batch):
                ended += sum(1 for was, now in change.calls if now.ended_at and was and not was.ended_at)
        listening.cancel()
    server.close()
    await server.wait_closed()
    await database.dispose()


@pytest.fixture(scope="module")
def recorded(tape: Path, month: Month, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The clinic's settings with a database that holds the month."""
    url = f"sqlite:///{tmp_path_factory.mktemp('clinic') / 'clinic.sqlite3'}"
    calls = sum(1 for _ in first_channels(tape))

    async def live() -> None:
        await upgrade(url)
        await recorded_by_the_daemon(url, tape, settings, calls)

    asyncio.run(live())
    return settings.model_copy(update={"database": DatabaseSettings(url=SecretStr(url))})


def first_channels(tape: Path) -> Iterator[str]:
    """Every call's first channel: the one whose linkedid is its own."""
    for message in tape.read_bytes().decode().split("\r\n\r\n"):
        if message.startswith("Event: Newchannel"):
            fields = dict(line.split(": ", 1) for line in message.split("\r\n") if ": " in line)
            if fields["Uniqueid"] == fields["Linkedid"]:
                yield fields["Uniqueid"]


@pytest.fixture(scope="module")
def rows(recorded: Settings) -> dict[str, Json]:
    return {row["agent"]: row for row in asyncio.run(reporting.agents(recorded, BEGIN, END))}


def test_the_daemon_reports_the_storys_numbers(rows: dict[str, Json], month: Month) -> None:
    assert set(rows) == set(PEOPLE)
    for agent, truth in month.truth.items():
        row = rows[agent]
        kinds = ("offered", "answered", "missed", "short_hangups", "called_back", "forgotten")
        assert {kind: row[kind] for kind in kinds} == {kind: getattr(truth, kind) for kind in kinds}
        assert (row["returned"], row["missed"] - row["lost"]) == (truth.returned, truth.passed)
        assert row["missed_share"] == round(truth.missed / truth.offered, 4)
        assert row["pickup_mean_s"] == pytest.approx(truth.pickup_mean_s, abs=0.001)
        assert row["dnd_s"] == pytest.approx(truth.dnd_s, abs=0.01)


def test_annas_numbers_are_those_of_the_story_to_the_digit(rows: dict[str, Json]) -> None:
    anna = rows[ANNA]
    assert (anna["name"], anna["offered"], anna["answered"], anna["missed"]) == ("Анна Иванова", 214, 135, 79)
    assert (f"{anna['missed_share']:.0%}", anna["pickup_mean_s"], anna["short_hangups"]) == ("37%", 28.0, 42)
    assert (anna["lost"], anna["called_back"], anna["forgotten"], anna["returned"]) == (79, 11, 68, 0)
    assert f"{anna['called_back'] / anna['missed']:.0%}" == "14%"


def test_the_team_misses_8_to_11_percent_and_picks_up_in_8_to_12_seconds(rows: dict[str, Json]) -> None:
    for agent, row in rows.items():
        if agent != ANNA:
            assert 0.08 <= row["missed_share"] <= 0.11
            assert 8 <= row["pickup_mean_s"] <= 12


def test_exactly_the_right_person_stands_apart(rows: dict[str, Json]) -> None:
    flagged = {agent: set(row["flags"]) for agent, row in rows.items() if row["flags"]}
    assert flagged == {ANNA: {"missed", "short_hangups", "forgotten", "slow", "dnd_in_peak"}}
    assert {agent: row["standing"] for agent, row in rows.items()} == {
        agent: "worse" if agent == ANNA else "as_team" for agent in rows
    }
    assert (rows[ANNA]["rank"], rows[ANNA]["ranked"]) == (10, 10)


def test_the_goal_of_12_percent_is_missed_by_anna_alone_and_all_month(rows: dict[str, Json]) -> None:
    goals = {agent: row["goals"]["missed_share"] for agent, row in rows.items()}
    assert {agent for agent, goal in goals.items() if goal["met"] is False} == {ANNA}
    assert goals[ANNA]["lately"] is False
    assert date.fromisoformat(goals[ANNA]["since"]) <= date(2026, 10, 3)
    assert rows[ANNA]["goals"]["callback"]["met"] is False


def test_her_dnd_is_in_the_peak_hours(rows: dict[str, Json], recorded: Settings) -> None:
    load = asyncio.run(reporting.hours(recorded, BEGIN, END))
    by_hour: Counter[int] = Counter()
    for cell in load:
        by_hour[cell["hour"]] += cell["calls"]
    assert {10, 11, 12, 17, 18} <= peak_hours(by_hour)
    assert rows[ANNA]["peak"]["dnd_s"] > 0.5 * rows[ANNA]["dnd_s"]
    assert max(row["peak"]["dnd_s"] for agent, row in rows.items() if agent != ANNA) < rows[ANNA]["peak"]["dnd_s"] / 10


def test_the_red_rows_of_anna_are_her_68_forgotten_clients(recorded: Settings) -> None:
    wanted = reporting.journal_filter(recorded, BEGIN, END, None, {"missed_control": True, "agent": ANNA})
    page = asyncio.run(reporting.journal_page(recorded, wanted, None))
    assert len(page.calls) == 68
    assert all(call["colour"] == "red" and call["verdicts"][ANNA] == "missed" for call in page.calls)
    assert all(not call["callback"]["attempts"] for call in page.calls)


def test_she_was_away_while_clients_were_lost(recorded: Settings) -> None:
    hours = asyncio.run(reporting.away(recorded, BEGIN, END))["hours"]
    mine = [row for row in hours if row["agent"] == ANNA and row["state"] == "dnd"]
    assert len(mine) > 10
    assert all(row["lost"] > 0 and row["away_s"] >= 1200 for row in mine)
    assert {row["hour"] for row in mine} <= {10, 11, 12, 17, 18, 19}


def test_the_funnel_loses_nobody(recorded: Settings) -> None:
    found = asyncio.run(reporting.stages(recorded, BEGIN, END))
    assert found["funnel"][0]["reached"] == found["calls"] - found["after_hours"] - found["short_abandoned"]
    assert sum(step["lost"] for step in found["funnel"]) == found["lost"]
    journal = asyncio.run(reporting.journal(recorded, BEGIN, END))
    assert sum(call["lost"] for call in journal) == sum(found["causes"].values())


def test_rolled_up_or_not_the_report_is_the_same(rows: dict[str, Json], recorded: Settings) -> None:
    async def again() -> list[Json]:
        database = connect(recorded.database.full_url)
        await roll_up(database, policy_of(recorded), END + timedelta(days=1))
        await database.dispose()
        return await reporting.agents(recorded, BEGIN, END)

    assert {row["agent"]: row for row in asyncio.run(again())} == rows


async def test_the_doctor_finds_nothing_and_judging_again_changes_nothing(recorded: Settings) -> None:
    database, policy = connect(recorded.database.full_url), policy_of(recorded)
    try:
        assert await reading(database, lambda connection: examine(connection, policy)) == []
        outcome = await recompute(database, policy, begin=BEGIN, dry_run=True)
        assert (outcome.changed, outcome.callbacks_changed) == (0, 0)
        assert outcome.calls > 4000
    finally:
        await database.dispose()
