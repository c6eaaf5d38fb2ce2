"""The AMI link against a manager interface on a real socket."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from pbxmonitor.clock import ManualClock, SystemClock
from pbxmonitor.pbx.asterisk.ami import Ami, AmiLogin, Backoff, LinkDown, LinkLost, LinkUp, Refused
from pbxmonitor.pbx.asterisk.frames import Frame
from tests.pbx.fake_asterisk import FakeAsterisk, Fields, error, message, success

Told = LinkUp | LinkLost | list[Frame]


class PatientClock(ManualClock):
    """Sleeps at once so many times, then for ever; `enough` is set when it begins to."""

    def __init__(self, times: int) -> None:
        super().__init__(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
        self.enough = asyncio.Event()
        self._left = times

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        self._left -= 1
        if self._left <= 0:
            self.enough.set()
            await asyncio.Event().wait()


def at(pbx: FakeAsterisk, **more: Any) -> AmiLogin:
    given: dict[str, Any] = {"port": pbx.port, "username": "pbxmonitor", "secret": SecretStr("s3cret"), **more}
    return AmiLogin(**given)


def listening(ami: Ami) -> AbstractAsyncContextManager[AsyncIterator[Told]]:
    return aclosing(ami.listen())  # type: ignore[type-var]


async def up(stream: AsyncIterator[Told]) -> LinkUp:
    told = await anext(stream)
    assert isinstance(told, LinkUp)
    return told


async def lost(stream: AsyncIterator[Told]) -> tuple[list[Frame], LinkLost]:
    """The frames up to the end of the link, and why it ended."""
    frames: list[Frame] = []
    async for told in stream:
        if isinstance(told, LinkLost):
            return frames, told
        assert isinstance(told, list)
        frames += told
    raise AssertionError("the stream ended")


async def until(stream: AsyncIterator[Told], event: str) -> list[Frame]:
    """The frames up to the first of that event (the rest of its batch included)."""
    frames: list[Frame] = []
    while not any(frame.event == event for frame in frames):
        told = await anext(stream)
        assert isinstance(told, list)
        frames += told
    return frames


async def failing(login: AmiLogin, times: int) -> tuple[list[Any], PatientClock]:
    """The error lines of so many attempts that fail, and the clock that waited between them."""
    clock = PatientClock(times)
    with capture_logs() as lines:
        async with asyncio.TaskGroup() as tasks:
            listener = tasks.create_task(exhaust(Ami(login, clock)))
            await clock.enough.wait()
            listener.cancel()
    return [line for line in lines if line["log_level"] == "error"], clock


async def exhaust(ami: Ami) -> None:
    async for told in ami.listen():
        assert not isinstance(told, LinkUp)


# --- logging in


async def test_the_login_answers_the_challenge_and_never_sends_the_secret() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        await up(stream)
        login = await pbx.asked("Login")
        assert login["AuthType"] == "MD5"
        assert login["Events"] == "on"
        assert login["Key"] == "7d7f7ee741bde9ff854524d7c86f45fd"  # printf 155185327s3cret | md5sum
        assert b"s3cret" not in pbx.raw


async def test_a_link_that_is_up_tells_the_version_and_what_we_may_do() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        link = await up(stream)
        assert (link.version, link.protocol) == ("22.10.1", "11.0.0")
        assert link.actions == {"Ping", "QueueStatus"}


async def test_a_user_who_may_not_ask_the_version_is_connected_all_the_same() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        pbx.scripts |= {"CoreSettings": error("Permission denied"), "ListCommands": error("Permission denied")}
        link = await up(stream)
        assert (link.version, link.actions) == ("", frozenset())


def test_the_secret_shows_nowhere() -> None:
    login = AmiLogin(username="pbxmonitor", secret=SecretStr("s3cret"))
    assert "s3cret" not in repr(login) + str(login) + repr(Ami(login, SystemClock()))


async def test_a_refused_login_is_one_error_line_and_is_tried_again_slowly() -> None:
    async with FakeAsterisk(secret="another") as pbx:
        (line,), clock = await failing(at(pbx, refused_retry=60), times=4)
        assert clock.slept == [60] * 4
        assert pbx.connections == 4
    assert line["event"] == "ami_not_connected"
    assert line["reason"] == "Login: Authentication failed"
    assert line["advice"] == "check username and secret, and permit = of [pbxmonitor] in manager.conf"
    assert "s3cret" not in str(line)


async def test_a_new_reason_is_a_new_error_line() -> None:
    async with FakeAsterisk() as pbx:
        answers = iter([error("Authentication failed")] * 2 + [error("Not permitted")] * 2)
        pbx.scripts["Challenge"] = lambda fields: next(answers)(fields)
        lines, _ = await failing(at(pbx), times=4)
    assert [line["reason"] for line in lines] == ["Challenge: Authentication failed", "Challenge: Not permitted"]


async def test_events_that_cannot_be_switched_on_are_an_error() -> None:
    async with FakeAsterisk() as pbx:
        pbx.scripts["Events"] = error("Permission denied")
        (line,), _ = await failing(at(pbx), times=2)
    assert line["reason"].startswith("Events: Permission denied; ")


# --- no link at all


async def test_a_port_nobody_listens_on_is_one_error_line_and_ever_longer_waits() -> None:
    async with FakeAsterisk() as pbx:
        login = at(pbx, backoff_first=1, backoff_cap=8)
    (line,), clock = await failing(login, times=6)
    assert line["reason"] == "connection refused"
    assert line["advice"] == "is Asterisk running, with enabled = yes and this port?"
    for slept, whole in zip(clock.slept, [1, 2, 4, 8, 8, 8], strict=True):
        assert whole / 2 <= slept <= whole


@pytest.mark.parametrize("host", ["pbx.invalid", "a" * 64 + ".example", "pbx..example"])
async def test_an_unknown_host_is_one_error_line(host: str) -> None:
    login = AmiLogin(host=host, username="pbxmonitor", secret=SecretStr("s3cret"))
    (line,), _ = await failing(login, times=2)
    assert line["reason"] == f"unknown host {host}"


async def test_a_port_that_says_nothing_is_one_error_line() -> None:
    async with FakeAsterisk() as pbx:
        pbx.scripts["Challenge"] = lambda _: ""
        (line,), _ = await failing(at(pbx, connect_timeout=0.1), times=2)
    assert line["reason"] == "no answer within 0.1 s"


async def test_a_port_that_hangs_up_at_once_is_one_error_line() -> None:
    async with FakeAsterisk() as pbx:

        def gone(_: Fields) -> str:
            pbx.hang_up()
            return ""

        pbx.scripts["Challenge"] = gone
        (line,), _ = await failing(at(pbx), times=2)
    assert line["reason"] == "Asterisk closed the connection before the login"


# --- TLS


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA of our own (ca.pem) and a certificate of 127.0.0.1 signed by it (pbx.pem, pbx.key)."""
    folder = tmp_path_factory.mktemp("certificates")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca = ["-subj", "/CN=test CA", "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem"]
    pbx = ["-subj", "/CN=pbx", "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "pbx.key", "-out", "pbx.pem"]
    address = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    for command in ([*new, *ca], [*new, *pbx, *address]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "pbx.pem", certificates / "pbx.key")
    return context


async def test_tls_is_trusted_through_a_ca_file(tls: ssl.SSLContext, certificates: Path) -> None:
    async with FakeAsterisk(tls=tls) as pbx:
        login = at(pbx, tls=True, ca_file=certificates / "ca.pem")
        async with listening(Ami(login, SystemClock())) as stream:
            assert (await up(stream)).version == "22.10.1"


async def test_tls_without_its_ca_is_one_error_line(tls: ssl.SSLContext) -> None:
    async with FakeAsterisk(tls=tls) as pbx:
        (line,), _ = await failing(at(pbx, tls=True), times=2)
    assert line["reason"] == "TLS: unable to get local issuer certificate"
    assert line["advice"] == "give the CA in ca_file, or set tls_insecure = true"


async def test_tls_of_another_host_is_one_error_line(tls: ssl.SSLContext, certificates: Path) -> None:
    async with FakeAsterisk(tls=tls) as pbx:
        login = at(pbx, host="localhost", tls=True, ca_file=certificates / "ca.pem")
        (line,), _ = await failing(login, times=2)
    assert line["reason"].startswith("TLS: Hostname mismatch, certificate is not valid for 'localhost'")


async def test_tls_is_not_checked_when_told_so(tls: ssl.SSLContext) -> None:
    async with FakeAsterisk(tls=tls) as pbx:
        login = at(pbx, tls=True, tls_insecure=True)
        async with listening(Ami(login, SystemClock())) as stream:
            assert (await up(stream)).version == "22.10.1"


async def test_a_ca_file_that_is_not_there_is_one_error_line(tls: ssl.SSLContext, tmp_path: Path) -> None:
    async with FakeAsterisk(tls=tls) as pbx:
        (line,), _ = await failing(at(pbx, tls=True, ca_file=tmp_path / "none.pem"), times=2)
    assert line["reason"] == f"cannot read ca_file {tmp_path / 'none.pem'}: No such file or directory"


async def test_a_ca_file_that_is_no_ca_is_one_error_line(tls: ssl.SSLContext, tmp_path: Path) -> None:
    (tmp_path / "noise.pem").write_text("noise")
    async with FakeAsterisk(tls=tls) as pbx:
        (line,), _ = await failing(at(pbx, tls=True, ca_file=tmp_path / "noise.pem"), times=2)
    assert line["reason"] == f"cannot read ca_file {tmp_path / 'noise.pem'}: no certificate in it"


async def test_tls_to_a_plain_port_is_one_error_line() -> None:
    async with FakeAsterisk() as pbx:
        (line,), _ = await failing(at(pbx, tls=True, connect_timeout=2), times=2)
    assert line["reason"] == "TLS failed: WRONG_VERSION_NUMBER"
    assert line["advice"] == "is this the TLS port (tlsbindaddr)?"


# --- listening


async def test_frames_come_in_the_order_of_the_wire() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        await up(stream)
        pbx.say("".join(message("Event: Hangup", f"Cause: {number}") for number in range(5000)))
        pbx.say(message("Event: Shutdown"))
        frames = await until(stream, "Shutdown")
        assert [frame["Cause"] for frame in frames if frame.event == "Hangup"] == [
            str(number) for number in range(5000)
        ]


async def test_a_slow_taker_gets_longer_lists() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            before = ami.counts.followed
            for number in range(100):
                pbx.say(message("Event: Hangup", f"Cause: {number}"))
                await ami.ask("Ping")
            assert ami.counts.followed == before + 200
            batch = await anext(stream)
            assert isinstance(batch, list)
            assert [frame.event for frame in batch][-200:] == ["Hangup", ""] * 100


async def test_what_came_with_the_login_is_told_after_the_link_is_up() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        await up(stream)
        frames = await until(stream, "FullyBooted")
        assert frames[0]["Challenge"] == "155185327"


async def test_a_frame_keeps_the_moment_of_its_receipt() -> None:
    clock = ManualClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), clock)) as stream:
        await up(stream)
        pbx.say(message("Event: Shutdown"))
        assert {frame.received_at for frame in await until(stream, "Shutdown")} == {clock.now().timestamp()}


async def test_a_link_that_breaks_is_told_and_made_anew() -> None:
    clock = ManualClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx, backoff_first=2), clock)) as stream:
        await up(stream)
        pbx.say(message("Event: Shutdown"))
        await until(stream, "Shutdown")
        clock.advance(5)
        pbx.hang_up()
        _, end = await lost(stream)
        assert end.heard_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
        assert end.at == datetime(2026, 11, 23, 8, 0, 5, tzinfo=UTC)
        await up(stream)
        assert len(clock.slept) == 1
        assert 1 <= clock.slept[0] <= 2


async def test_a_link_that_asterisk_closes_says_so() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        await up(stream)
        pbx.close_politely()
        _, end = await lost(stream)
        assert end.reason == "Asterisk closed the connection"


async def test_links_that_break_at_once_are_made_ever_more_slowly_and_a_long_one_forgives() -> None:
    clock = ManualClock(datetime(2026, 11, 23, 8, 0, tzinfo=UTC))
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx, backoff_first=1, backoff_cap=60), clock)) as stream:
        for lived in (0, 0, 0, 100, 0):
            await up(stream)
            clock.advance(lived)
            pbx.hang_up()
            await lost(stream)
        await up(stream)
    for slept, whole in zip(clock.slept, [1, 2, 4, 1, 2], strict=True):
        assert whole / 2 <= slept <= whole


async def test_a_silent_link_is_lost_after_two_unanswered_pings() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx, watchdog=0.3), SystemClock())) as stream:
        pbx.scripts["Ping"] = lambda _: ""
        await up(stream)
        _, end = await lost(stream)
        assert end.reason == "nothing was heard for 0.3 s"
        assert 0.3 <= (end.at - end.heard_at).total_seconds() < 3
        assert [fields["Action"] for fields in pbx.heard][-2:] == ["Ping", "Ping"]


async def test_a_quiet_link_whose_pings_are_answered_stays() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx, watchdog=0.3), SystemClock())) as stream:
        await up(stream)
        told: list[Told] = []
        while len(told) < 6:
            told.append(await anext(stream))
        assert all(isinstance(one, list) for one in told)
        assert await pbx.asked("Ping", times=5)


async def test_a_taker_that_was_busy_for_long_does_not_lose_a_quiet_link() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx, watchdog=0.3), SystemClock())) as stream:
        await up(stream)
        await asyncio.sleep(0.5)
        assert isinstance(await anext(stream), list)
        assert isinstance(await anext(stream), list)


async def test_an_overflow_gives_the_link_up_and_says_so_after_what_came_before_it() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx, queue_limit=20_000), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            for number in range(40):
                pbx.say(message("Event: Hangup", f"Cause: {number}", f"Channel: {'x' * 1000}"))
            frames, end = await lost(stream)
            causes = [frame["Cause"] for frame in frames if frame.event == "Hangup"]
            assert causes == [str(number) for number in range(len(causes))]
            assert len(causes) >= 19
            assert end.reason.startswith("overflow: ")


async def test_a_line_of_a_megabyte_ends_the_link_and_not_the_daemon() -> None:
    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock())) as stream:
        await up(stream)
        pbx.say(message("Event: Hangup", "Cause: 16") + message("Event: Hangup", "Channel: " + "x" * 1024 * 1024))
        frames, end = await lost(stream)
        assert [frame["Cause"] for frame in frames if frame.event == "Hangup"] == ["16"]
        assert end.reason == "a line longer than 262144 bytes was refused"


async def test_the_tap_hears_every_byte_that_came_and_none_that_went() -> None:
    heard: list[bytes] = []
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock(), tap=lambda data, _: heard.append(data))
        async with listening(ami) as stream:
            await up(stream)
            pbx.say(message("Event: RTCPSent") + message("Event: Shutdown"))
            await until(stream, "Shutdown")
            tape = b"".join(heard)
            assert tape.startswith(b"Asterisk Call Manager/11.0.0\r\n")
            assert tape.endswith(b"Event: RTCPSent\r\n\r\nEvent: Shutdown\r\n\r\n")
            assert b"Action:" not in tape
            assert ami.counts.received == len(tape)


async def test_a_tape_that_cannot_be_written_ends_the_listening() -> None:
    def full(data: bytes, received_at: float) -> None:
        if b"Shutdown" in data:
            raise OSError(28, "No space left on device")

    async with FakeAsterisk() as pbx, listening(Ami(at(pbx), SystemClock(), tap=full)) as stream:
        await up(stream)
        pbx.say(message("Event: Shutdown"))
        with pytest.raises(OSError, match="No space left on device"):
            await lost(stream)


async def test_closing_the_listener_closes_the_link_and_leaves_nothing_behind() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
        await pbx.all_gone.wait()
        with pytest.raises(LinkDown):
            await ami.ask("Ping")
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_the_listener_closes_the_link() -> None:
    async with FakeAsterisk() as pbx, asyncio.TaskGroup() as tasks:
        listener = tasks.create_task(forever(Ami(at(pbx), SystemClock())))
        await pbx.asked("CoreSettings")
        listener.cancel()
        await pbx.all_gone.wait()


async def forever(ami: Ami) -> None:
    async for _ in ami.listen():
        pass


# --- asking


async def test_a_list_is_gathered_by_its_action_id_and_told_in_the_stream_as_well() -> None:
    def states(fields: Fields) -> str:
        mine = f"ActionID: {fields['ActionID']}"
        return (
            success("EventList: start", "Message: Device State Changes will follow")(fields)
            + message("Event: DeviceStateChange", "Device: PJSIP/999", "State: BUSY")
            + message("Event: DeviceStateChange", "Device: PJSIP/101", "State: NOT_INUSE", mine)
            + message("Event: DeviceStateChange", "Device: PJSIP/998", "State: BUSY", "ActionID: another")
            + message("Event: DeviceStateListComplete", "EventList: Complete", "ListItems: 1", mine)
        )

    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["DeviceStateList"] = states
            answer = await ami.ask("DeviceStateList")
            assert [frame["Device"] for frame in answer.events] == ["PJSIP/101", ""]
            assert answer.response["EventList"] == "start"
            told = await until(stream, "DeviceStateListComplete")
            assert [frame["Device"] for frame in told if frame.event == "DeviceStateChange"] == [
                "PJSIP/999",
                "PJSIP/101",
                "PJSIP/998",
            ]


async def test_a_list_of_events_that_are_not_followed_is_gathered_too() -> None:
    def extensions(fields: Fields) -> str:
        mine = f"ActionID: {fields['ActionID']}"
        return (
            success("EventList: start")(fields)
            + message("Event: ExtensionStatus", "Exten: 101", mine)
            + message("Event: ExtensionStateListComplete", "EventList: Complete", mine)
        )

    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["ExtensionStateList"] = extensions
            assert [frame.event for frame in (await ami.ask("ExtensionStateList")).events] == [
                "ExtensionStatus",
                "ExtensionStateListComplete",
            ]


async def test_several_questions_at_once_get_each_its_own_answer() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["Getvar"] = lambda fields: success(f"Value: {fields['Variable']}")(fields)
            answers = await asyncio.gather(*(ami.ask("Getvar", Variable=f"V{number}") for number in range(50)))
            assert [answer.response["Value"] for answer in answers] == [f"V{number}" for number in range(50)]


async def test_a_fired_action_is_answered_in_the_stream_under_its_own_id() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueueStatus"] = lambda fields: (
                success("EventList: start")(fields)
                + message("Event: QueueStatusComplete", f"ActionID: {fields['ActionID']}")
            )
            ami.send("QueueStatus", "snapshot-1", Queue="sales")
            frames = await until(stream, "QueueStatusComplete")
            assert [frame.event for frame in frames if frame["ActionID"] == "snapshot-1"] == ["", "QueueStatusComplete"]
            assert (await pbx.asked("QueueStatus"))["Queue"] == "sales"


async def test_the_output_of_a_command_is_an_answer_even_when_the_command_failed() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["Command"] = lambda fields: message(
                "Response: Error", f"ActionID: {fields['ActionID']}", "Output: No such command", "Output: (try help)"
            )
            answer = await ami.ask("Command", Command="nonsense")
            assert answer.response.values("Output") == ("No such command", "(try help)")


async def test_a_missing_permission_says_what_to_set_and_is_logged_once() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueuePause"] = error("Permission denied")
            with capture_logs() as lines:
                for _ in range(3):
                    with pytest.raises(Refused) as refused:
                        await ami.ask("QueuePause")
            assert str(refused.value) == (
                "QueuePause: Permission denied; add agent to write = of this user in manager.conf"
            )
            assert [line["event"] for line in lines] == ["ami_permission_denied"]


async def test_an_error_of_asterisk_is_refused_in_its_own_words() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueuePause"] = error("Interface not found")
            with pytest.raises(Refused, match=r"^QueuePause: Interface not found$"):
                await ami.ask("QueuePause")


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueueStatus"] = success("EventList: start")
            with pytest.raises(TimeoutError, match=r"QueueStatus: no answer from Asterisk within 0\.05 s"):
                await ami.ask("QueueStatus", timeout=0.05)


async def test_who_waits_for_an_answer_hears_that_the_link_broke() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream, asyncio.TaskGroup() as tasks:
            await up(stream)
            pbx.scripts["QueueStatus"] = lambda _: ""
            asking = tasks.create_task(down(ami, "QueueStatus"))
            await pbx.asked("QueueStatus")
            pbx.hang_up()
            await asking


async def down(ami: Ami, action: str) -> None:
    with pytest.raises(LinkDown):
        await ami.ask(action)


async def test_without_a_link_nothing_can_be_asked_or_sent() -> None:
    ami = Ami(AmiLogin(username="pbxmonitor", secret=SecretStr("s3cret")), SystemClock())
    await down(ami, "Ping")
    with pytest.raises(LinkDown, match="not connected yet"):
        ami.send("Ping", "1")


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\r\nAction: Originate\r\n"])
async def test_a_cr_lf_or_nul_is_refused_and_nothing_is_sent(bad: str) -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            sent = pbx.raw
            with pytest.raises(ValueError, match=r"'QueuePause': the field 'Reason' holds a CR, LF or NUL"):
                await ami.ask("QueuePause", Reason=f"lunch{bad}")
            with pytest.raises(ValueError, match="'QueuePause': the field 'ActionID' holds a CR, LF or NUL"):
                ami.send("QueuePause", f"1{bad}")
            with pytest.raises(ValueError, match="holds a CR, LF or NUL"):
                ami.send(f"Ping{bad}", "1")
            with pytest.raises(ValueError, match="holds a CR, LF or NUL"):
                ami.send("QueuePause", "1", **{f"Reason{bad}": "lunch"})
            await ami.ask("Ping")
            assert [line for line in pbx.raw[len(sent) :].split(b"\r\n") if line.startswith(b"Action:")] == [
                b"Action: Ping"
            ]


async def test_a_value_in_cyrillic_arrives_as_it_was() -> None:
    async with FakeAsterisk() as pbx:
        ami = Ami(at(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueuePause"] = success()
            await ami.ask("QueuePause", Reason="Обед")
            assert (await pbx.asked("QueuePause"))["Reason"] == "Обед"


# --- waiting between attempts


def test_the_delays_double_up_to_the_cap_and_begin_again() -> None:
    backoff = Backoff(1, 60, jitter=lambda: 0.0)
    assert [backoff.delay() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    backoff.reset()
    assert backoff.delay() == 1


def test_chance_takes_up_to_half_of_a_delay() -> None:
    assert Backoff(8, 60, jitter=lambda: 1.0).delay() == 4
    delays = {Backoff(8, 60).delay() for _ in range(100)}
    assert len(delays) > 50
    assert all(4 <= delay <= 8 for delay in delays)
