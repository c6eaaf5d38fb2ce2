"""The event stream: heard in order, for ever, through whatever happens to the socket."""

import asyncio
import gc
import logging
import ssl
import subprocess
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pbxmonitor.clock import ManualClock
from pbxmonitor.pbx.asterisk.ari import Ari, AriDown, AriUp, EndpointState
from pbxmonitor.pbx.asterisk.ari_events import FOLLOWED, MESSAGE_LIMIT, AriEvents
from tests.pbx.fake_ari import (
    NOW,
    PASSWORD,
    WAIT,
    FakeAri,
    Hearing,
    Said,
    WatchedClock,
    contact,
    first_trouble,
    listening,
    login_to,
)


@pytest.fixture
async def pbx() -> AsyncIterator[FakeAri]:
    async with FakeAri(PASSWORD) as fake:
        yield fake


async def test_up_comes_with_the_presence_of_every_endpoint_then_events_in_order(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        up = await told.up()
        assert up.at == NOW
        assert up.presence == (
            EndpointState(endpoint="PJSIP/101", online=True),
            EndpointState(endpoint="PJSIP/102", online=False),
        )
        stream = await pbx.stream()
        for number in range(500):
            stream.send(contact(number))
        assert [(await told.event())["endpoint"]["resource"] for _ in range(500)] == [str(n) for n in range(500)]


async def test_the_stream_is_opened_before_presence_is_asked_so_nothing_falls_between(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        await told.up()
    assert [asked.path for asked in pbx.asked] == [
        "/ari/events",
        "/ari/applications/pbxmonitor/eventFilter",
        "/ari/endpoints",
    ]


async def test_the_stream_asks_for_all_sources_of_its_application(pbx: FakeAri) -> None:
    async with Hearing(listening(replace(login_to(pbx), app="pbx monitor&co"))) as told:
        await told.up()
    assert pbx.asked[0].query == "app=pbx%20monitor%26co&subscribeAll=true"


async def test_asterisk_is_asked_for_the_followed_events_and_for_news_of_a_take_over(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        await told.up()
    filtered = pbx.asked[1].body.decode()
    assert all(f'{{"type":"{name}"}}' in filtered for name in (*FOLLOWED, "ApplicationReplaced"))


@pytest.mark.parametrize("status", [400, 403, 404, 405])
async def test_an_asterisk_that_cannot_filter_is_filtered_here(pbx: FakeAri, status: int) -> None:
    pbx.say("PUT", "/applications/pbxmonitor/eventFilter", Said.json({"message": "no"}, status))
    with capture_logs() as lines:
        async with Hearing(listening(login_to(pbx))) as told:
            await told.up()
            stream = await pbx.stream()
            stream.send({"type": "ChannelVarset", "variable": "X", "value": "1"})
            stream.send(contact(7))
            assert (await told.event()).type == "ContactStatusChange"
    assert [line["event"] for line in lines] == ["ari_filter_absent"]


async def test_who_follows_more_events_hears_them(pbx: FakeAri) -> None:
    ari = AriEvents(login_to(pbx), ManualClock(NOW), FOLLOWED | {"ChannelDestroyed"})
    async with Hearing(ari) as told:
        await told.up()
        (await pbx.stream()).send({"type": "ChannelDestroyed", "cause": 16})
        assert (await told.event())["cause"] == 16


@pytest.mark.parametrize(
    "text", [b"{", b"[]", b'{"no": "type"}', b"\xff\xfe", b"", b"[" * 100_000], ids=lambda text: str(text[:10])
)
async def test_a_message_that_is_no_event_is_put_aside_and_the_stream_goes_on(pbx: FakeAri, text: bytes) -> None:
    with capture_logs() as lines:
        async with Hearing(listening(login_to(pbx))) as told:
            await told.up()
            stream = await pbx.stream()
            stream.send_text(text)
            stream.send(contact(3))
            assert (await told.event())["endpoint"]["resource"] == "3"
    assert [(line["event"], line["log_level"], line["size"]) for line in lines] == [
        ("ari_event_put_aside", "warning", len(text))
    ]


async def test_a_windows_1251_name_arrives_whole(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        await told.up()
        (await pbx.stream()).send_text('{"type": "StasisStart", "name": "Анна Иванова"}'.encode("cp1251"))
        assert (await told.event())["name"] == "Анна Иванова"


async def test_a_message_without_end_is_refused_and_the_stream_comes_back(pbx: FakeAri) -> None:
    async with Hearing(listening(login_to(pbx))) as told:
        await told.up()
        (await pbx.stream()).send_text(b'{"type": "StasisStart", "x": "' + b"x" * MESSAGE_LIMIT + b'"}')
        assert "1048576" in (await told.lost()).reason
        await told.up()


async def test_a_pbx_that_answers_no_pings_is_lost_within_the_watchdog(pbx: FakeAri) -> None:
    async with Hearing(listening(replace(login_to(pbx), watchdog=0.4))) as told:
        await told.up()
        (await pbx.stream()).deaf = True
        assert (await told.lost()).reason == "we closed the event stream: keepalive ping timeout"


async def test_pings_that_are_answered_keep_a_silent_stream_up(pbx: FakeAri) -> None:
    async with Hearing(listening(replace(login_to(pbx), watchdog=0.2))) as told:
        await told.up()
        stream = await pbx.stream()
        await asyncio.sleep(1)
        stream.send(contact(1))
        await told.event()


async def test_a_stream_taken_over_by_another_client_is_lost_and_retried_slowly(pbx: FakeAri) -> None:
    clock = WatchedClock()
    async with Hearing(listening(login_to(pbx), clock)) as told:
        await told.up()
        (await pbx.stream()).send({"type": "ApplicationReplaced", "application": "pbxmonitor"})
        lost = await told.lost()
        await told.up()
    assert lost.reason == "another client has taken the ARI application 'pbxmonitor': give each its own"
    assert clock.slept == [60]


async def test_cancelling_the_listener_closes_the_socket(pbx: FakeAri) -> None:
    hearing = Hearing(listening(login_to(pbx)))
    async with hearing as told:
        await told.up()
        stream = await pbx.stream()
    async with asyncio.timeout(WAIT):
        await stream.closed.wait()


async def test_leaving_the_loop_early_closes_the_socket(pbx: FakeAri) -> None:
    ari = listening(login_to(pbx))
    async with aclosing(ari.events()) as events:
        async for heard in events:
            assert isinstance(heard, AriUp)
            break
    await ari.aclose()
    async with asyncio.timeout(WAIT):
        await (await pbx.stream()).closed.wait()


async def test_a_listener_cancelled_at_its_own_work_closes_the_socket_too(pbx: FakeAri) -> None:
    ari, busy = listening(login_to(pbx)), asyncio.Event()

    async def listen() -> None:
        async for _heard in ari.events():
            busy.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(listen())
    async with asyncio.timeout(WAIT):
        await busy.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gc.collect()
    async with asyncio.timeout(WAIT):
        await (await pbx.stream()).closed.wait()
    await ari.aclose()


async def test_cancelling_while_connecting_ends_at_once(pbx: FakeAri) -> None:
    pbx.silent = True
    async with asyncio.timeout(WAIT), Hearing(listening(login_to(pbx))):
        await pbx.heard.wait()


async def test_the_password_is_in_no_log_line_of_the_handshake(pbx: FakeAri, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = b64encode(f"pbxmonitor:{PASSWORD}".encode()).decode()
    clock = WatchedClock()
    ari = listening(login_to(pbx), clock)
    with capture_logs() as lines:
        async with Hearing(ari) as told:
            await told.up()
            pbx.password = "another"
            (await pbx.stream()).drop()
            lost = await told.lost()
            await clock.until_slept(3)
    assert [line["event"] for line in lines] == ["ari_lost", "ari_unreachable"]
    written = [record.getMessage() for record in caplog.records] + [str(line) for line in lines]
    written += [asked.target for asked in pbx.asked] + [repr(ari), repr(lost)]
    assert [line for line in written if "s3cret" in line or token in line or "api_key" in line] == []
    assert pbx.asked[0].headers["authorization"] == f"Basic {token}"


async def test_no_redirect_carries_the_password_elsewhere(pbx: FakeAri) -> None:
    async with FakeAri(PASSWORD) as other:
        pbx.say("GET", "/events", Said(302, b"", headers=(("Location", f"{other.url}/ari/events"),)))
        assert "status 302" in await first_trouble(login_to(pbx))
        assert other.asked == []


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    ca = ["-subj", "/CN=test CA", "-addext", "keyUsage=critical,keyCertSign", "-keyout", "ca.key", "-out", "ca.pem"]
    pbx = ["-subj", "/CN=pbx", "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "pbx.key", "-out", "pbx.pem"]
    address = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    for command in ([*new, *ca], [*new, *pbx, *address]):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
async def secure(certificates: Path) -> AsyncIterator[FakeAri]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "pbx.pem", certificates / "pbx.key")
    async with FakeAri(PASSWORD, tls=context) as fake:
        yield fake


@pytest.mark.parametrize("trust", ["ca_file", "insecure"])
async def test_tls_is_spoken_for_rest_and_for_events(secure: FakeAri, certificates: Path, trust: str) -> None:
    login = replace(login_to(secure), ca_file=certificates / "ca.pem" if trust == "ca_file" else None)
    login = replace(login, tls_insecure=trust == "insecure")
    async with Hearing(listening(login)) as told:
        await told.up()
        (await secure.stream()).send(contact(1))
        await told.event()


async def test_a_certificate_nobody_vouched_for_is_refused(secure: FakeAri) -> None:
    reason = await first_trouble(login_to(secure))
    assert reason.startswith(f"the certificate of {secure.url}/ari is not trusted (")
    async with Ari(login_to(secure)) as ari:
        with pytest.raises(AriDown, match="CERTIFICATE_VERIFY_FAILED"):
            await ari.ping()
    assert secure.asked == []


async def test_a_break_is_dated_when_it_is_noticed(pbx: FakeAri) -> None:
    clock = WatchedClock()
    async with Hearing(listening(login_to(pbx), clock)) as told:
        await told.up()
        clock.advance(7)
        (await pbx.stream()).drop()
        assert (await told.lost()).at == NOW + timedelta(seconds=7)
