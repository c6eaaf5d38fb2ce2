"""The PBX that is not there: who may log in, what its lists say, and that what it plays is what was recorded."""

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta
from hashlib import md5
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from pbxmonitor.clock import ManualClock, SystemClock
from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.frames import EVERYTHING, Cutter, Frame, parse
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.tape import TapeError, TapeWriter, times_path
from pbxmonitor.replay import replay
from pbxmonitor.simulator.pbx import Login, SimulatedPbx, simulated_pbx
from pbxmonitor.simulator.recordings import Recording, bundled, recording
from pbxmonitor.simulator.shift import Shift
from pbxmonitor.simulator.wire import message

NOW = datetime(2030, 1, 2, 9, 0, tzinfo=UTC)
LOGIN = Login(username="demo", secret="s3cret-of-the-test")
SCENARIOS = Path(__file__).parent / "scenarios"
TAPES = {tape.name: tape for tape in bundled()}
UNTIMED = "03_22_ringall_abandon"
LISTS = {
    "QueueStatus": "QueueStatusComplete",
    "DeviceStateList": "DeviceStateListComplete",
    "PresenceStateList": "PresenceStateListComplete",
    "CoreShowChannels": "CoreShowChannelsComplete",
    "PJSIPShowContacts": "ContactListComplete",
}


class Client:
    """A manager that knows nothing but bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.heard = b""

    @classmethod
    async def at(cls, pbx: SimulatedPbx) -> "Client":
        client = cls(*await asyncio.open_connection("127.0.0.1", pbx.ami.port))
        client.heard += await client.reader.readline()
        return client

    def send(self, action: str, **fields: str) -> None:
        self.writer.write(message({"Action": action, **fields}))

    async def next(self) -> Frame:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)
        self.heard += raw
        return framed(raw.removesuffix(b"\r\n\r\n"))

    async def ask(self, action: str, **fields: str) -> Frame:
        self.send(action, **fields)
        while (frame := await self.next()).event:
            pass
        return frame

    async def log_in(self, **fields: str) -> Frame:
        return await self.ask("Login", Username=LOGIN.username, Secret=LOGIN.secret, **fields)

    async def listed(self, action: str) -> tuple[Frame, list[Frame], Frame]:
        """The head, the items and the end of a list answer; events in between are not of it."""
        head, items = await self.ask(action, ActionID=f"my-{action}"), []
        while not (frame := await self.next())["EventList"]:
            if frame["ActionID"] == f"my-{action}":
                items.append(frame)
        return head, items, frame

    async def over(self) -> bool:
        return await asyncio.wait_for(self.reader.read(), 10) == b""

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):  # where the server was faster
            await self.writer.wait_closed()


def framed(raw: bytes) -> Frame:
    frame = parse(raw, 0.0, EVERYTHING)
    assert frame is not None
    return frame


def frames_in(data: bytes) -> list[Frame]:
    return [framed(raw) for raw in Cutter().feed(data)]


@pytest.fixture
async def pbx() -> AsyncIterator[SimulatedPbx]:
    async with simulated_pbx(ManualClock(NOW), LOGIN) as pbx:
        yield pbx


@pytest.fixture
async def client(pbx: SimulatedPbx) -> AsyncIterator[Client]:
    client = await Client.at(pbx)
    yield client
    await client.close()


async def heard_of(pbx: SimulatedPbx, tapes: list[Recording], **how: Any) -> bytes:
    """The bytes that a manager receives who asks for the lists and then hears the tapes played."""
    client = await Client.at(pbx)
    pbx.board.begin(Shift(began=tapes[0].began, start=NOW.timestamp())(item) for item in tapes[0].lists)
    await client.log_in()
    for action in LISTS:
        await client.listed(action)
    async with asyncio.TaskGroup() as tasks:
        hearing = tasks.create_task(client.reader.read())
        await pbx.play(tapes, **how)
        client.send("Logoff")
    await client.close()
    return client.heard + hearing.result()


MOMENTS = {"call", "started_at", "answered_at", "ended_at", "entered_at", "left_at", "began_at", "at"}


def told(story: dict[str, Any]) -> Any:
    """What the calls came to, without the names and moments that playing changes."""
    return plain(story["calls"])


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if key not in MOMENTS}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return Seconds(value) if isinstance(value, float) else value


class Seconds(float):
    """A length that Asterisk tells in several events, milliseconds apart."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and abs(float(self) - float(other)) <= 0.05

    def __ne__(self, other: object) -> bool:
        return not self == other


def story_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = replay([path], Site(node="demo"), Policy())
    return found


def bundled_path(tape: Recording) -> Path:
    return Path(__file__).parents[1] / "pbxmonitor" / "simulator" / "tapes" / f"{tape.name}.ami"


def expected_of(tape: Recording) -> dict[str, Any]:
    _, version, name = tape.name.split("_", 2)
    found: dict[str, Any] = json.loads((SCENARIOS / version / f"{name}.expected.json").read_text())
    return found


# --- logging in


async def test_a_plain_login_is_accepted_and_says_that_the_pbx_is_booted(client: Client) -> None:
    answer = await client.log_in(ActionID="7")
    assert (answer["Response"], answer["ActionID"]) == ("Success", "7")
    assert (await client.next()).event == "FullyBooted"


async def test_an_md5_login_is_accepted(client: Client) -> None:
    challenge = (await client.ask("Challenge", AuthType="MD5"))["Challenge"]
    key = md5((challenge + LOGIN.secret).encode()).hexdigest()
    answer = await client.ask("Login", AuthType="MD5", Username=LOGIN.username, Key=key)
    assert answer["Response"] == "Success"


@pytest.mark.parametrize(
    "fields",
    [
        {"Username": "demo", "Secret": "wrong"},
        {"Username": "other", "Secret": LOGIN.secret},
        {"Username": "demo"},
        {"Username": "demo", "AuthType": "MD5", "Key": "0" * 32},
        {"Username": "demo", "AuthType": "MD5", "Key": md5(LOGIN.secret.encode()).hexdigest()},
    ],
)
async def test_a_wrong_login_is_refused_and_the_connection_ended(client: Client, fields: dict[str, str]) -> None:
    answer = await client.ask("Login", **fields)
    assert (answer["Response"], answer["Message"]) == ("Error", "Authentication failed")
    assert await client.over()


async def test_nothing_is_answered_before_the_login(client: Client) -> None:
    assert (await client.ask("QueueStatus"))["Message"] == "Permission denied"


async def test_an_unknown_action_is_an_error_and_the_connection_goes_on(client: Client) -> None:
    await client.log_in()
    assert (await client.ask("Dance", ActionID="1"))["Response"] == "Error"
    assert (await client.ask("Ping", ActionID="2"))["Ping"] == "Pong"


async def test_a_logoff_is_answered_with_goodbye(client: Client) -> None:
    assert (await client.ask("Logoff"))["Response"] == "Goodbye"
    assert await client.over()


async def test_an_action_without_end_is_not_kept_but_cut_off(client: Client) -> None:
    client.writer.write(b"Action: " + b"x" * 200_000)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await client.next()


def test_the_secret_is_in_no_representation() -> None:
    pbx = simulated_pbx(ManualClock(NOW), LOGIN)
    assert LOGIN.secret not in repr(LOGIN) + repr(pbx)


# --- lists


@pytest.mark.parametrize(("action", "end"), LISTS.items())
async def test_each_list_is_complete_and_answers_to_its_action_id(
    pbx: SimulatedPbx, client: Client, action: str, end: str
) -> None:
    pbx.board.begin(TAPES["04_22_ringall_answered"].lists)
    await client.log_in()
    head, items, last = await client.listed(action)
    assert (head["Response"], head["EventList"]) == ("Success", "start")
    assert (last.event, last["EventList"], last["ListItems"]) == (end, "Complete", str(len(items)))


async def test_a_list_says_what_the_recording_said_names_included(pbx: SimulatedPbx, client: Client) -> None:
    pbx.board.begin(TAPES["04_22_ringall_answered"].lists)
    await client.log_in()
    _, items, _ = await client.listed("QueueStatus")
    members = {(item["Queue"], item["Location"]): item["Name"] for item in items if item.event == "QueueMember"}
    assert members["reception", "PJSIP/101"] == "Анна Иванова"
    assert members["fpbx", "Local/105@from-queue/n"] == "Dmitry"


async def test_who_asks_in_the_middle_hears_of_the_pause_and_of_the_open_channels(
    pbx: SimulatedPbx, client: Client
) -> None:
    tape = TAPES["06_16_pause_reason"]
    pbx.board.begin(tape.lists)
    frames = [framed(raw) for _, raw in tape.events]
    paused = next(i for i, each in enumerate(frames) if each.event == "QueueMemberPause" and each["Paused"] == "1")
    joined = next(i for i, each in enumerate(frames) if each.event == "QueueCallerJoin")
    for _, raw in tape.events[: max(paused, joined) + 1]:
        pbx.board.take(raw)
    await client.log_in()
    _, items, _ = await client.listed("QueueStatus")
    anna = [i for i in items if i["Location"] == "PJSIP/101" and i["Queue"] == frames[paused]["Queue"]]
    assert [(i["Paused"], i["PausedReason"], i["Name"]) for i in anna] == [("1", "lunch", "Анна Иванова")]
    assert [i["Uniqueid"] for i in items if i.event == "QueueEntry"] == [frames[joined]["Uniqueid"]]
    _, channels, _ = await client.listed("CoreShowChannels")
    assert frames[joined]["Uniqueid"] in {channel["Uniqueid"] for channel in channels}


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES.keys())
def test_a_bundled_recording_leaves_no_channel_and_nobody_away(tape: Recording) -> None:
    """So that the next one may begin where it ended."""
    from pbxmonitor.simulator.board import Board

    board = Board()
    board.begin(tape.lists)
    before = [(m["Queue"], m["Location"], m["Paused"]) for m in board.rows("QueueMember")]
    for _, raw in tape.events:
        board.take(raw)
    assert [(m["Queue"], m["Location"], m["Paused"]) for m in board.rows("QueueMember")] == before
    assert board.rows("CoreShowChannel") == board.rows("QueueEntry") == []
    assert {p["Status"] for p in board.rows("PresenceStateChange")} <= {"available", "not_set"}
    custom = [d["State"] for d in board.rows("DeviceStateChange") if d["Device"].startswith("Custom:DND")]
    assert set(custom) <= {"NOT_INUSE"}


# --- playing


async def test_events_are_dated_now_in_the_recordings_order_and_pace(pbx: SimulatedPbx) -> None:
    tape = TAPES["04_22_ringall_answered"]
    frames = [f for f in frames_in(await heard_of(pbx, [tape])) if f.event != "FullyBooted" and not f["ActionID"]]
    played = [f for f in frames if f.event]
    assert [f.event for f in played] == [framed(raw).event for _, raw in tape.events]
    shift = NOW.timestamp() - tape.began
    assert [f.timestamp for f in played] == pytest.approx([at + shift for at, _ in tape.events], abs=1e-5)


async def test_at_four_times_the_speed_it_lasts_a_quarter(pbx: SimulatedPbx) -> None:
    tape = TAPES["04_22_ringall_answered"]
    frames = [f for f in frames_in(await heard_of(pbx, [tape], speed=4.0)) if f.event and not f["ActionID"]]
    stamps = [f.timestamp for f in frames if f.timestamp is not None]
    assert max(stamps) - min(stamps) == pytest.approx(tape.seconds / 4, abs=1e-4)
    assert (pbx.clock.now() - NOW).total_seconds() == pytest.approx((tape.seconds + 1) / 4, abs=0.01)


async def test_a_tape_played_again_is_other_calls(pbx: SimulatedPbx) -> None:
    tape = TAPES["04_22_ringall_answered"]
    frames = frames_in(await heard_of(pbx, [tape, tape]))
    born = [f["Uniqueid"] for f in frames if f.event == "Newchannel"]
    assert len(born) == len(set(born)) == 2 * sum(framed(raw).event == "Newchannel" for _, raw in tape.events)
    links = {f["Linkedid"] for f in frames if f.event == "Newchannel"}
    assert len(links) == 2
    bridges = {f["BridgeUniqueid"] for f in frames if f.event == "BridgeEnter"}
    assert len(bridges) == 2 * len({framed(raw)["BridgeUniqueid"] for _, raw in tape.events} - {""})


@pytest.mark.timeout(20)
async def test_a_loop_goes_on_until_stopped(pbx: SimulatedPbx, client: Client) -> None:
    tape = TAPES["04_22_ringall_answered"]
    await client.log_in()
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(pbx.play([tape], loop=True))
        links: set[str] = set()
        while len(links) < 3:
            links.add((await client.next())["Linkedid"])
            links.discard("")
        playing.cancel()
    assert playing.cancelled()


async def test_nothing_is_played_before_somebody_has_logged_in(pbx: SimulatedPbx) -> None:
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(pbx.play([TAPES["04_22_ringall_answered"]]))
        stranger = await Client.at(pbx)
        assert (await stranger.ask("Ping"))["Response"] == "Error"
        assert pbx.clock.now() == NOW
        playing.cancel()
    await stranger.close()


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES.keys())
async def test_what_was_heard_replays_to_what_was_recorded(pbx: SimulatedPbx, tape: Recording, tmp_path: Path) -> None:
    heard = tmp_path / "heard.ami"
    if tape.name == UNTIMED:
        await heard_timed(tape, heard)
    else:
        heard.write_bytes(await heard_of(pbx, [tape]))
    expected = told(expected_of(tape))
    assert len(expected) > 0
    assert told(story_of(heard)) == expected


class PatientClock(ManualClock):
    """Goes on only when the listener has heard all that was told: the Pong comes after it."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self.client: Client | None = None
        self.heard = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        if self.client is not None:
            self.heard.clear()
            self.client.send("Ping")
            await self.heard.wait()
        await super().sleep(seconds)


async def heard_timed(tape: Recording, path: Path) -> None:
    """Without Timestamps the moments of receipt are all there is, so the listener notes them."""
    clock = PatientClock(NOW)
    async with simulated_pbx(clock, LOGIN) as pbx:
        clock.client = client = await Client.at(pbx)
        await client.log_in()
        with TapeWriter(path) as writer:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(pbx.play([tape]))
                left = len(tape.events) + 1
                while left:
                    frame = await client.next()
                    if frame["Ping"]:
                        clock.heard.set()
                        continue
                    writer(message(frame.headers), clock.now().timestamp())
                    left -= 1
                clock.client = None
                clock.heard.set()
        await client.close()


@pytest.mark.parametrize("tape", TAPES.values(), ids=TAPES.keys())
def test_a_bundled_recording_says_all_that_the_whole_one_says(tape: Recording) -> None:
    assert told(story_of(bundled_path(tape))) == told(expected_of(tape))


def test_one_bundled_recording_has_no_timestamps_but_times_of_receipt() -> None:
    path = bundled_path(TAPES[UNTIMED])
    assert b"Timestamp:" not in path.read_bytes()
    assert times_path(path).exists()


def test_the_bundled_recordings_are_small() -> None:
    sizes = [path.stat().st_size for path in bundled_path(TAPES[UNTIMED]).parent.iterdir()]
    assert sum(sizes) < 450_000


def test_a_tape_without_any_time_is_refused_in_one_line(tmp_path: Path) -> None:
    tape = tmp_path / "x.ami"
    tape.write_bytes(b"Event: Hangup\r\nUniqueid: 1.1\r\n\r\n")
    with pytest.raises(TapeError, match=re.escape("x.ami: has neither Timestamp headers nor x.ami.times beside it")):
        recording(tape)


def test_an_empty_tape_is_refused_in_one_line(tmp_path: Path) -> None:
    tape = tmp_path / "x.ami"
    tape.write_bytes(b"")
    with pytest.raises(TapeError, match=r"x\.ami: holds no events"):
        recording(tape)


async def test_a_manager_that_hangs_up_does_not_stop_the_others(pbx: SimulatedPbx, client: Client) -> None:
    await client.log_in()
    other = await Client.at(pbx)
    await other.log_in()
    other.writer.transport.abort()
    tape = TAPES["04_22_ringall_answered"]
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(pbx.play([tape]))
        while (await client.next())["Uniqueid"] == "":
            pass


# --- ARI


def rest(pbx: SimulatedPbx, password: str = LOGIN.secret) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=pbx.ari.url, auth=(LOGIN.username, password), trust_env=False)


async def test_ari_answers_with_the_same_board_as_ami(pbx: SimulatedPbx) -> None:
    pbx.board.begin(TAPES["04_22_ringall_answered"].lists)
    async with rest(pbx) as ari:
        info = (await ari.get("/ari/asterisk/info")).json()
        endpoints = (await ari.get("/ari/endpoints")).json()
        states = (await ari.get("/ari/deviceStates")).json()
        assert (await ari.get("/ari/channels")).json() == (await ari.get("/ari/bridges")).json() == []
    assert info["system"]["version"].startswith("22")
    assert {"technology": "PJSIP", "resource": "101", "state": "online", "channel_ids": []} in endpoints
    assert {"name": "PJSIP/101", "state": "NOT_INUSE"} in states


async def test_ari_refuses_a_wrong_password_and_does_not_know_other_resources(pbx: SimulatedPbx) -> None:
    async with rest(pbx, "wrong") as ari:
        assert (await ari.get("/ari/endpoints")).status_code == 401
    async with rest(pbx) as ari:
        assert (await ari.get("/ari/mailboxes")).status_code == 404
    with pytest.raises(InvalidStatus):
        await connect(pbx.ari.url.replace("http", "ws") + "/ari/events?app=x", proxy=None)


async def test_the_websocket_tells_of_a_phone_that_went_away(pbx: SimulatedPbx) -> None:
    basic = httpx.BasicAuth(LOGIN.username, LOGIN.secret)._auth_header
    url = pbx.ari.url.replace("http", "ws") + "/ari/events?app=monitor&subscribeAll=true"
    async with connect(url, additional_headers={"Authorization": basic}, proxy=None) as events:
        gone = {"URI": "sip:103@127.0.0.1", "ContactStatus": "Removed", "AOR": "103", "EndpointName": "103"}
        pbx.ari.tell(Frame("ContactStatus", gone, None, 0.0))
        event = json.loads(await asyncio.wait_for(events.recv(), 10))
    assert (event["type"], event["application"]) == ("ContactStatusChange", "monitor")
    assert event["timestamp"] == "2030-01-02T09:00:00.000+0000"
    assert (event["endpoint"]["resource"], event["contact_info"]["contact_status"]) == ("103", "Removed")


async def test_our_own_ari_client_comes_up_and_hears_only_what_it_follows(pbx: SimulatedPbx) -> None:
    from pbxmonitor.pbx.asterisk.ari_events import AriEvents
    from pbxmonitor.pbx.asterisk.ari_presence import AriEvent, AriUp, endpoint_seen
    from pbxmonitor.pbx.asterisk.ari_rest import AriLogin

    pbx.board.begin(TAPES["04_22_ringall_answered"].lists)
    login = AriLogin(base_url=pbx.ari.url, username=LOGIN.username, password=LOGIN.secret, app="monitor")
    events = AriEvents(login, SystemClock(), frozenset({"ContactStatusChange"}))
    async with asyncio.timeout(10), aclosing(events.events()) as stream:
        up = await anext(stream)
        assert isinstance(up, AriUp)
        assert "PJSIP/101" in {state.endpoint for state in up.presence}
        pbx.ari.tell(Frame("DeviceStateChange", {"Device": "PJSIP/101", "State": "INUSE"}, None, 0.0))
        gone = {"URI": "sip:103@127.0.0.1", "ContactStatus": "Removed", "AOR": "103", "EndpointName": "103"}
        pbx.ari.tell(Frame("ContactStatus", gone, None, 0.0))
        heard = await anext(stream)
    await events.aclose()
    assert isinstance(heard, AriEvent)
    seen = endpoint_seen(heard)
    assert seen is not None
    assert (seen.endpoint, seen.online) == ("PJSIP/103", False)


async def test_a_request_over_the_limit_ends_the_connection(pbx: SimulatedPbx) -> None:
    async with rest(pbx) as ari:
        with pytest.raises(httpx.TransportError):
            await ari.put("/ari/applications/x/eventFilter", content=b"x" * 100_000)


# --- the demo


async def test_the_demo_records_every_call_and_reports_the_right_agents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pbxmonitor.reporting import agents
    from pbxmonitor.settings import load
    from pbxmonitor.simulator.demo import Plan, demo

    began = datetime.now(UTC) - timedelta(seconds=1)
    # a phone that declines within 1 s is engaged, whatever the policy: at this speed that one would be another story
    tapes = tuple(tape for tape in bundled() if "decline" not in tape.name)
    await demo(Plan(tapes=tapes, directory=tmp_path, speed=12.0, once=True, seconds=60), SystemClock())
    rows = await agents(load(tmp_path / "pbxmonitor.toml"), began, datetime.now(UTC))
    verdicts: dict[str, Counter[str]] = {}
    for tape in tapes:
        for call in expected_of(tape)["calls"]:
            for agent, verdict in call["verdicts"].items():
                verdicts.setdefault(agent, Counter())[verdict] += 1
    kinds = ("answered", "missed", "answered_elsewhere", "refused", "not_counted")
    assert {row["agent"]: {kind: row[kind] for kind in kinds} for row in rows} == {
        agent: {kind: found[kind] for kind in kinds} for agent, found in verdicts.items()
    }
    printed = capsys.readouterr().out
    assert set(re.findall(r"^\W*(\d{3})\b", printed, re.MULTILINE)) == set(verdicts)


def test_the_demo_names_a_tape_that_is_not_there_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    from pbxmonitor.simulator.demo import main

    with pytest.raises(SystemExit) as ended:
        main(["absent.ami"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "absent.ami" in error
    assert error.count("\n") == 1


def test_the_demo_ends_by_itself_after_the_seconds_given() -> None:
    command = [sys.executable, "-m", "pbxmonitor.simulator.demo", "--recordings", "--speed", "8", "--seconds", "3"]
    ended = subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert "101" in ended.stdout.decode()


async def test_ctrl_c_ends_the_demo_in_order_and_prints_the_report() -> None:
    command = (sys.executable, "-m", "pbxmonitor.simulator.demo", "--recordings", "--speed", "8")
    pipe = asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    assert running.stderr is not None
    async with asyncio.timeout(60):
        while b'"call_ended"' not in (line := await running.stderr.readline()):
            assert line, "the demo ended before any call did"
        running.send_signal(signal.SIGINT)
        out, err = await running.communicate()
    assert running.returncode == 0
    assert b"Traceback" not in err
    assert "101" in out.decode()
