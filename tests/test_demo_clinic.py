"""The clinic of the demo: a believable past up to a moment ago, a lively present, and a dashboard with a login."""

import asyncio
import re
import signal
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from pbxmonitor import reporting
from pbxmonitor.domain.view import Json
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.pbx.asterisk.frames import EVERYTHING, Frame, parse
from pbxmonitor.settings import Settings, load
from pbxmonitor.simulator.board import Board
from pbxmonitor.simulator.clinic import Day, plan_day
from pbxmonitor.simulator.clinic.live import hastened, moved, over_by
from pbxmonitor.simulator.clinic.script import Inbound, RingEnd
from pbxmonitor.simulator.live import WARM_UP, Clinic
from pbxmonitor.simulator.mailbox import Mailbox
from pbxmonitor.simulator.past import write_past
from pbxmonitor.simulator.recordings import Recording
from pbxmonitor.simulator.welcome import LOGIN, make_account
from pbxmonitor.store import schema
from pbxmonitor.store.accounts import account
from pbxmonitor.store.doctor import examine
from pbxmonitor.store.migrate import upgrade
from pbxmonitor.store.types import connect, reading
from pbxmonitor.web.passwords import Passwords

NODE = "demo"
ANNA = "101"
# A Tuesday, a quarter past two in Moscow.
NOW = datetime(2026, 11, 24, 11, 15, tzinfo=UTC)
CLINIC = Clinic(now=NOW, days_behind=2)
SUNDAY = Clinic(now=datetime(2026, 11, 22, 23, 40, tzinfo=UTC), days_behind=2)


def frames_of(tape: Recording) -> Iterator[Frame]:
    for _, raw in tape.events:
        frame = parse(raw, 0.0, EVERYTHING)
        assert frame is not None
        yield frame


def board_after(tape: Recording) -> Board:
    board = Board()
    board.begin(tape.lists)
    for _, raw in tape.events:
        board.take(raw)
    return board


def settings_at(folder: Path, clinic: Clinic) -> Settings:
    path = folder / "pbxmonitor.toml"
    path.write_text(f'{clinic.settings()}\n[database]\nurl = "sqlite:///{folder}/demo.sqlite3"\n', "utf-8")
    return load(path)


# --- when and where


@pytest.mark.parametrize("hour", range(24))
def test_whenever_the_demo_begins_the_clinic_is_open_and_has_hours_behind_it(hour: int, tmp_path: Path) -> None:
    clinic = Clinic(now=NOW.replace(hour=hour))
    assert 11 <= clinic.now.astimezone(clinic.zone).hour < 18
    settings = settings_at(tmp_path, clinic)
    assert policy_of(settings).hours.open_at(clinic.now)
    assert settings.timezone == clinic.zone.key


def test_in_moscow_it_stands_whenever_it_is_day_there() -> None:
    assert CLINIC.zone.key == "Europe/Moscow"


# --- what lies behind


@pytest.mark.parametrize("clinic", [CLINIC, SUNDAY], ids=["tuesday", "sunday"])
def test_the_past_is_whole_days_and_today_up_to_a_moment_ago(clinic: Clinic) -> None:
    days, zone = list(clinic.past()), clinic.zone
    assert len(days) == 3
    for before, tape in zip((2, 1, 0), days, strict=True):
        moments = [datetime.fromtimestamp(at, zone) for at, _ in tape.events]
        assert {each.date() for each in moments} == {clinic.today - timedelta(days=before)}
        assert moments == sorted(moments)
    last = datetime.fromtimestamp(days[-1].events[-1][0], UTC)
    assert timedelta(0) < clinic.now - last < timedelta(minutes=3)
    assert sum(frame.event == "QueueCallerJoin" for frame in frames_of(days[-1])) > 30


def test_at_its_end_nobody_is_in_mid_call_and_the_shift_is_at_work() -> None:
    board = board_after(list(CLINIC.past())[-1])
    assert board.rows("CoreShowChannel") == board.rows("QueueEntry") == []
    members = {row["Location"]: row["Paused"] for row in board.rows("QueueMember")}
    assert len(members) >= 7
    assert members["PJSIP/101"] == "0"
    assert set(members.values()) == {"0"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    settings = settings_at(tmp_path_factory.mktemp("clinic"), CLINIC)

    async def work() -> None:
        await upgrade(settings.database.full_url)
        await write_past(settings, NODE, tuple(CLINIC.past()))

    asyncio.run(work())
    return settings


def callbacks_of(settings: Settings) -> list[Json]:
    return asyncio.run(reporting.callbacks(settings, NOW - timedelta(days=7), NOW))


def test_the_past_is_recorded_as_the_daemon_would_and_the_doctor_finds_nothing(written: Settings) -> None:
    async def work() -> list[object]:
        database = connect(written.database.full_url)
        try:
            return list(await reading(database, lambda connection: examine(connection, policy_of(written))))
        finally:
            await database.dispose()

    assert asyncio.run(work()) == []


def test_today_and_yesterday_have_calls_and_everybody_his_name(written: Settings) -> None:
    midnight = datetime.combine(CLINIC.today, datetime.min.time(), CLINIC.zone)
    today = asyncio.run(reporting.agents(written, midnight, NOW))
    before = asyncio.run(reporting.agents(written, midnight - timedelta(days=1), midnight))
    anna = next(row for row in today if row["agent"] == ANNA)
    assert anna["name"] == "Анна Иванова"
    assert anna["offered"] > 3
    assert anna["dnd_s"] > 1200
    assert sum(row["offered"] for row in before) > 110


def test_callbacks_are_open_overdue_attempted_and_reached_and_some_are_quite_new(written: Settings) -> None:
    found = callbacks_of(written)
    assert {"open", "attempted", "reached", "client_returned"} <= {each["state"] for each in found}
    still = [datetime.fromisoformat(each["due_at"]) for each in found if each["state"] in ("open", "attempted")]
    assert sum(due < NOW for due in still) > 5
    assert max(datetime.fromisoformat(each["opened_at"]) for each in found) > NOW - WARM_UP


def test_today_had_alerts_that_are_over_and_nobody_is_told_of_them_now(written: Settings) -> None:
    states = sa.select(schema.alert.c.state)
    count = sa.select(sa.func.count()).select_from(schema.delivery)

    def look(connection: sa.Connection) -> tuple[set[str], int | None]:
        return set(connection.execute(states).scalars()), connection.execute(count).scalar()

    async def work() -> tuple[set[str], int | None]:
        database = connect(written.database.full_url)
        try:
            return await reading(database, look)
        finally:
            await database.dispose()

    found, owed = asyncio.run(work())
    assert {"resolved", "firing"} <= found
    assert owed == 0


async def test_messages_of_the_demo_arrive_and_nowhere_else() -> None:
    async with Mailbox().serve() as mailbox, httpx.AsyncClient(trust_env=False) as http:
        assert (await http.post(mailbox.url, json={"text": "Вы пропустили…"})).status_code == 200
        assert (await http.get(mailbox.url)).status_code == 405
        assert mailbox.taken == 1
        told = tomllib.loads(CLINIC.settings(mailbox.url, "a secret of sixteen letters"))
    readers = [person for person in told["people"].values() if person["channels"] == ["webhook"]]
    assert len(readers) == len(told["people"])
    assert {person["addresses"]["webhook"] for person in readers} == {mailbox.url}
    assert [each["kind"] for each in told["digests"]] == ["daily", "callbacks"]


async def test_the_writing_ends_when_it_is_told_to(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, CLINIC)
    await upgrade(settings.database.full_url)
    heard: list[tuple[int, int]] = []

    def stops_soon(done: int, every: int) -> bool:
        heard.append((done, every))
        return len(heard) < 2

    await write_past(settings, NODE, tuple(CLINIC.past()), stops_soon)
    assert len(heard) == 2
    assert heard[0][0] == 0 < heard[1][0] < heard[1][1] == heard[0][1]


# --- what happens from now on


LIVE = CLINIC.live()


def test_the_live_part_begins_now_as_the_past_ended() -> None:
    ended = board_after(list(CLINIC.past())[-1]).rows("QueueMember")
    for tape in LIVE:
        assert 0 <= tape.began - NOW.timestamp() < 60
        board = Board()
        board.begin(tape.lists)
        assert board.rows("QueueMember") == ended


@pytest.mark.parametrize("tape", LIVE, ids=[tape.name for tape in LIVE])
def test_a_live_day_lasts_half_an_hour_to_an_hour_and_ends_as_it_began(tape: Recording) -> None:
    assert 25 * 60 < tape.seconds < 65 * 60
    board = board_after(tape)
    assert board.rows("CoreShowChannel") == board.rows("QueueEntry") == []
    assert {row["Paused"] for row in board.rows("QueueMember")} == {"0"}
    assert {row["Status"] for row in board.rows("PresenceStateChange")} <= {"available"}


def test_soon_anna_is_in_dnd_somebody_at_lunch_and_a_client_calls() -> None:
    soon = [frame for frame in frames_of(LIVE[0]) if (frame.timestamp or 0.0) < NOW.timestamp() + 60]
    assert any(f.event == "PresenceStateChange" and f["Presentity"].endswith(ANNA) for f in soon)
    assert any(f.event == "QueueMemberPause" and f["PausedReason"] == "lunch" for f in soon)
    assert any(f.event == "QueueCallerJoin" for f in soon)


def played(day: Day) -> dict[str | None, Inbound]:
    return {call.number: call for call in day.inbound if call.number is not None and call.rings}


def test_hastened_calls_ring_as_long_as_ever_and_short_hangups_stay() -> None:
    day = plan_day(NOW.date())
    quick = hastened(day, since=10 * 3600, begin=1000.0, pace=15.0)
    was, now = played(day), played(quick)
    assert len(quick.inbound) > 90
    same = [(was[number], call) for number, call in now.items() if len(was[number].rings) == len(call.rings)]
    assert all([r.lasts_s for r in before.rings] == [r.lasts_s for r in after.rings] for before, after in same)
    dropped = [call for call in quick.inbound if call.by_agent and (call.talk_s or 0.0) <= 3]
    assert len(dropped) > 0
    assert max(call.talk_s or 0.0 for call in quick.inbound) < 300


@pytest.mark.parametrize("pace", [6.0, 15.0, 120.0])
def test_hastened_nobody_is_rung_twice_at_once_nor_while_away(pace: float) -> None:
    quick = hastened(plan_day(NOW.date()), since=9.5 * 3600, begin=0.0, pace=pace)
    taken: dict[str, list[tuple[float, float]]] = {}
    for call in quick.inbound:
        for ring in call.rings:
            talk = (call.talk_s or 0.0) if ring.end is RingEnd.ANSWERED else 0.0
            span = (call.joins_at + ring.after_s, call.joins_at + ring.ends_s + talk)
            taken.setdefault(ring.agent, []).append(span)
    for out in quick.outbound:
        taken.setdefault(out.agent, []).append((out.at, out.ends_at))
    for away in quick.aways:
        taken.setdefault(away.agent, []).append((away.begin, away.end))
    for spans in taken.values():
        assert all(one[1] <= other[0] for one, other in pairwise(sorted(spans)))


def test_hastened_a_client_is_called_back_only_after_he_was_lost() -> None:
    quick = hastened(plan_day(NOW.date()), since=9.5 * 3600, begin=0.0, pace=15.0)
    lost = {call.number: call.ends_at for call in quick.inbound if call.sequel is not None}
    backs = [(lost[out.number], out.at) for out in quick.outbound if out.number in lost]
    assert len(backs) > 2
    assert all(ended < at for ended, at in backs)


def test_a_day_moved_is_the_same_day_later_and_what_is_not_over_can_be_left_out() -> None:
    day = plan_day(NOW.date())
    later = moved(day, 7200.0)
    assert [call.at - 7200 for call in later.inbound] == pytest.approx([call.at for call in day.inbound])
    noon = over_by(day, 12 * 3600)
    assert 0 < len(noon.inbound) < len(day.inbound)
    assert max(call.ends_at for call in noon.inbound) <= 12 * 3600
    assert noon.shifts == day.shifts


# --- the demo itself


async def test_the_login_made_for_the_demo_is_an_admin_and_new_each_time(tmp_path: Path) -> None:
    settings = settings_at(tmp_path, CLINIC)
    await upgrade(settings.database.full_url)
    first, second = [await make_account(settings, NOW) for _ in range(2)]
    database = connect(settings.database.full_url)
    try:
        made = await reading(database, lambda connection: account(connection, LOGIN))
    finally:
        await database.dispose()
    assert made is not None
    assert made.role == "admin"
    assert first != second
    assert await Passwords().fits(made.password, second)
    assert not await Passwords().fits(made.password, first)


async def test_the_demo_opens_on_the_live_clinic_and_prints_how_to_log_in() -> None:
    command = (sys.executable, "-m", "pbxmonitor.simulator.demo")
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=asyncio.subprocess.DEVNULL)
    assert running.stdout is not None
    said = ""
    async with asyncio.timeout(90):
        while not re.search(r"^ +\S+: +\S{16}$", said, re.MULTILINE):
            line = await running.stdout.readline()
            assert line, "the demo ended before it said where it is"
            said += line.decode()
        url = re.findall(r"http://127\.0\.0\.1:\d+", said)[0]
        async with httpx.AsyncClient(base_url=url, trust_env=False) as pages:
            assert (await pages.get("/login")).status_code == 200
            assert (await pages.get("/api/v1/now")).status_code == 401
        running.send_signal(signal.SIGINT)
        out, _ = await running.communicate()
    assert running.returncode == 0
    assert "setup?code" not in said
    assert "Анна Иванова" in out.decode()
