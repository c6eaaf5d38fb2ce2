"""ARI over HTTP: what is asked, what is understood, and how it says no."""

import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbxmonitor.pbx.asterisk import ari_rest
from pbxmonitor.pbx.asterisk.ari import (
    Ari,
    AriDown,
    AriError,
    AriLogin,
    AriNotFound,
    AriRefused,
    EndpointState,
)
from tests.pbx.fake_ari import (
    APPLICATION,
    BRIDGE,
    CHANNEL,
    ENDPOINTS,
    INFO,
    NO_ARI,
    PASSWORD,
    FakeAri,
    Said,
    login_to,
)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAri]:
    async with FakeAri(PASSWORD) as fake:
        yield fake


@pytest.fixture
async def ari(pbx: FakeAri) -> AsyncIterator[Ari]:
    async with Ari(login_to(pbx)) as client:
        yield client


async def test_a_channel_arrives_with_its_names_times_and_place(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/channels/h2-7", Said.json(CHANNEL))
    channel = await ari.channels.get("h2-7")
    assert (channel.id, channel.state, channel.caller.name, channel.caller.number) == ("h2-7", "Down", "Проба", "100")
    assert channel.creationtime == datetime(2026, 11, 23, 11, 44, 11, 9000, tzinfo=UTC)
    assert (channel.dialplan.context, channel.dialplan.exten) == ("from-trunk", "1007")


async def test_a_bridge_names_the_channels_in_it(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/bridges", Said.json([BRIDGE]))
    assert [bridge.channels for bridge in await ari.bridges.list()] == [("h2-7",)]


async def test_the_version_is_known(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/asterisk/info", Said.json(INFO))
    assert (await ari.asterisk.info()).system.version.startswith("22.10.1")


async def test_an_application_says_which_events_it_gets(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/applications/pbxmonitor", Said.json(APPLICATION))
    assert [event.type for event in (await ari.applications.get("pbxmonitor")).events_allowed] == ["StasisStart"]


async def test_channel_variables_go_in_the_body_in_any_language(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("POST", "/channels", Said.json(CHANNEL))
    await ari.channels.originate("PJSIP/101", variables={"WHO": "Анна"})
    assert '{"variables":{"WHO":"Анна"}}' in pbx.asked[0].body.decode()


async def test_a_filter_names_its_events_in_the_body(pbx: FakeAri, ari: Ari) -> None:
    await ari.applications.filter("pbxmonitor", {"StasisStart", "ContactStatusChange"})
    assert pbx.asked[0].body == b'{"allowed":[{"type":"ContactStatusChange"},{"type":"StasisStart"}]}'


async def test_presence_is_every_endpoint_and_whether_it_is_online(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/endpoints", Said.json([*ENDPOINTS, {"technology": "SIP", "resource": "old", "channel_ids": []}]))
    assert await ari.presence() == (
        EndpointState(endpoint="PJSIP/101", online=True),
        EndpointState(endpoint="PJSIP/102", online=False),
        EndpointState(endpoint="SIP/old", online=None),
    )


async def test_a_newer_asterisk_may_say_more_and_an_older_one_less(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/channels", Said.json([{"id": "1", "name": "PJSIP/101-1", "state": "Up", "tenantid": "x"}]))
    (channel,) = await ari.channels.list()
    assert (channel.id, channel.caller.number, channel.creationtime, channel.protocol_id) == ("1", "", None, "")


@pytest.mark.parametrize("suffix", ["", "/", "/ari", "/ari/"])
async def test_the_address_may_end_as_people_write_it(pbx: FakeAri, suffix: str) -> None:
    async with Ari(replace(login_to(pbx), base_url=pbx.url + suffix)) as ari:
        assert (await ari.ping()).ping == "pong"


async def test_a_prefix_of_the_http_server_is_kept(pbx: FakeAri) -> None:
    async with Ari(replace(login_to(pbx), base_url=f"{pbx.url}/asterisk")) as ari:
        with pytest.raises(AriNotFound):
            await ari.ping()
    assert pbx.asked[0].path == "/asterisk/ari/asterisk/ping"


@pytest.mark.parametrize(
    ("said", "kind", "line"),
    [
        (
            Said.json({"message": "Authentication required"}, 401),
            AriRefused,
            "ARI refused user 'pbxmonitor': check the name and password in ari.conf",
        ),
        (
            Said.json({"message": "Write access denied"}, 403),
            AriRefused,
            "ARI GET /channels: not allowed (Write access denied); set read_only = no for 'pbxmonitor' in ari.conf",
        ),
        (Said.json({"message": "Channel not found"}, 404), AriNotFound, "ARI GET /channels: Channel not found"),
        (
            Said(404, NO_ARI, "text/html"),
            AriNotFound,
            "no ARI at {url}/ari: set enabled = yes in ari.conf, check the prefix in http.conf",
        ),
        (
            Said.json({"message": "Channel with given unique ID already exists"}, 409),
            AriError,
            "ARI GET /channels: Channel with given unique ID already exists (409)",
        ),
        (
            Said.json({"message": "two\r\nlines"}, 422),
            AriError,
            "ARI GET /channels: two lines (422)",
        ),
        (Said.json({"error": "Allocation failed"}, 500), AriError, "ARI GET /channels: Allocation failed (500)"),
        (Said(503, b"", "text/html"), AriError, "ARI GET /channels: Said (503)"),
        (Said(302, b"", headers=(("Location", "http://127.0.0.1:1/"),)), AriError, "ARI GET /channels: Said (302)"),
        (
            Said(200, b"<html>", "text/html"),
            AriError,
            "ARI GET /channels: the answer: Invalid JSON: expected value at line 1 column 1; is this Asterisk's ARI?",
        ),
        (
            Said.json([{"id": "1", "name": "x"}]),
            AriError,
            "ARI GET /channels: 0.state: Field required; is this Asterisk's ARI?",
        ),
    ],
)
async def test_a_no_is_one_clear_line(pbx: FakeAri, ari: Ari, said: Said, kind: type[AriError], line: str) -> None:
    pbx.say("GET", "/channels", said)
    with pytest.raises(AriError) as caught:
        await ari.channels.list()
    assert type(caught.value) is kind
    assert caught.value.status == said.status
    assert str(caught.value) == line.format(url=pbx.url)


async def test_a_missing_recording_folder_is_named(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("POST", "/channels/s-1/record", Said.json({"message": "Internal Server Error"}, 500))
    with pytest.raises(AriError, match="is Asterisk's spool folder `recording` there and writable"):
        await ari.channels.record("s-1", "first")


async def test_nobody_at_the_address_is_ari_down() -> None:
    async with FakeAri() as gone:
        login = login_to(gone)
    async with Ari(login) as ari:
        with pytest.raises(AriDown, match=r"^ARI at http://127\.0\.0\.1:\d+/ari does not answer: All connection"):
            await ari.ping()


async def test_an_asterisk_that_says_nothing_is_ari_down_when_the_time_is_over(pbx: FakeAri) -> None:
    pbx.silent = True
    async with Ari(replace(login_to(pbx), timeout=0.1)) as ari:
        with pytest.raises(AriDown, match="the time allowed is over"):
            await ari.ping()


async def test_an_answer_without_end_is_refused_and_not_kept(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/channels", Said(200, b" " * (ari_rest.ANSWER_LIMIT + 1)))
    with pytest.raises(AriError, match="an answer of over 33554432 bytes"):
        await ari.channels.list()


async def test_a_recording_comes_piece_by_piece(pbx: FakeAri, ari: Ari) -> None:
    sound = bytes(range(256)) * 4096
    pbx.say("GET", "/recordings/stored/first/file", Said(200, sound, "audio/wav"))
    async with aclosing(ari.recordings.get_stored_file("first")) as pieces:
        got = [piece async for piece in pieces]
    assert b"".join(got) == sound
    assert max(len(piece) for piece in got) <= 65536


async def test_a_recording_that_is_not_there_is_said_so(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/recordings/stored/first/file", Said.json({"message": "Recording not found"}, 404))
    with pytest.raises(AriNotFound, match="Recording not found"):
        await anext(ari.recordings.get_stored_file("first"))


async def test_a_recording_left_half_way_leaves_the_client_usable(pbx: FakeAri, ari: Ari) -> None:
    pbx.say("GET", "/recordings/stored/first/file", Said(200, b"x" * 1_000_000, "audio/wav"))
    async with aclosing(ari.recordings.get_stored_file("first")) as pieces:
        assert await anext(pieces)
    assert (await ari.ping()).ping == "pong"


@pytest.mark.parametrize("name", ["", ".", "..", "a\r\nb", "a\0b"])
async def test_no_name_walks_out_of_its_address(pbx: FakeAri, ari: Ari, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a name in an address"):
        await ari.channels.hangup(name)
    assert pbx.asked == []


async def test_a_name_with_slashes_and_dots_stays_one_segment(pbx: FakeAri, ari: Ari) -> None:
    with pytest.raises(AriNotFound):
        await ari.recordings.delete_stored("../../channels/1")
    assert pbx.asked[0].path == "/ari/recordings/stored/..%2F..%2Fchannels%2F1"


@pytest.mark.parametrize("password", [PASSWORD, "wrong-s3cret-пароль"])
async def test_the_password_is_in_no_log_line_address_error_or_repr(
    pbx: FakeAri, caplog: pytest.LogCaptureFixture, password: str
) -> None:
    for name in (None, "httpx", "httpcore"):  # also where the program that ran before in this process kept them quiet
        caplog.set_level(logging.DEBUG, logger=name)
    login = replace(login_to(pbx), password=password)
    token = b64encode(f"pbxmonitor:{password}".encode()).decode()
    async with Ari(login) as ari:
        told = [repr(login), repr(ari), login.events_url]
        for operation in (ari.ping, ari.channels.list):
            try:
                told.append(repr(await operation()))
            except AriError as error:
                told += [str(error), repr(error), repr(error.__cause__), repr(error.__context__)]
    told += [record.getMessage() for record in caplog.records] + [asked.target for asked in pbx.asked]
    assert any("HTTP Request" in line for line in told)
    assert [line for line in told if "s3cret" in line or token in line or "api_key" in line] == []
    assert pbx.asked[0].headers["authorization"] == f"Basic {token}"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8088",
        "ws://pbx:8088",
        "http://",
        "http://pbx:99999",
        "http://pbx..example:8088",
        f"http://{'a' * 64}.example",
        "http://pbx:8088/?api_key=x",
        "",
    ],
)
def test_a_bad_address_is_refused_with_the_way_to_write_it(address: str) -> None:
    with pytest.raises(ValueError, match=r"^ARI address .*: write it as http://HOST:8088 or https://HOST:8089$"):
        AriLogin(base_url=address, username="pbxmonitor", password="x")


@pytest.mark.parametrize("address", ["http://pbxmonitor:s3cret@pbx:8088", "http://s3cret@pbx:8088"])
def test_a_password_in_the_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match="take the user name and password out of it") as caught:
        AriLogin(base_url=address, username="pbxmonitor", password="x")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a:b"])
def test_a_user_name_that_basic_authentication_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="must not be empty or hold a colon"):
        AriLogin(base_url="http://pbx:8088", username=name, password="x")


def test_a_certificate_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    login = AriLogin(base_url="https://pbx:8089", username="u", password="x", ca_file=tmp_path / "none.pem")
    with pytest.raises(ValueError, match=r"ARI ca_file .*none\.pem: No such file"):
        Ari(login)


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    login = AriLogin(base_url="https://pbx:8089", username="u", password="x", ca_file=tmp_path / "empty.pem")
    with pytest.raises(ValueError, match=r"ARI ca_file .*empty\.pem: "):
        Ari(login)
