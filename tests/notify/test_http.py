"""How channels ask over HTTP: whom they trust, how long they wait, what their errors hold."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later, Refused
from pbxmonitor.notify.http import Answer, Http, Reach
from tests.notify.loopback import NOW, Said, serving
from tests.notify.post_office import odd_office


async def asked(url: str, *secrets: str, **reach: Any) -> Answer:
    http = Http("the server", Reach(**{"timeout": 2, **reach}), ManualClock(NOW), *map(SecretStr, secrets))
    try:
        return await http.post(url, json={})
    finally:
        await http.aclose()


async def test_an_authority_of_ones_own_is_trusted_and_a_stranger_is_not(
    certificates: Path, tls: ssl.SSLContext
) -> None:
    async with serving(Said(200, b"{}"), tls) as web:
        assert (await asked(web.url, ca_file=certificates / "own.pem")).status == 200
        with pytest.raises(Later, match="CERTIFICATE_VERIFY_FAILED"):
            await asked(web.url)


async def test_the_time_is_for_the_whole_answer_and_not_for_each_byte_of_it() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        for _ in range(100):
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with odd_office(drip) as port:
        with pytest.raises(Later, match=r"the server did not answer within 0\.3 s"):
            await asked(f"http://127.0.0.1:{port}/", timeout=0.3)


async def test_what_is_not_http_at_all_is_later() -> None:
    async def smtp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 post.example ESMTP\r\n")
        await reader.read()

    async with odd_office(smtp) as port:
        with pytest.raises(Later):
            await asked(f"http://127.0.0.1:{port}/")


async def test_an_answer_is_not_unpacked() -> None:
    async with serving(Said(200, b"{}")) as web:
        await asked(web.url)
    assert web.asked[0].headers["accept-encoding"] == "identity"


async def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    async with serving(Said(200, b"{}")) as web:
        assert (await asked(web.url)).status == 200


async def test_what_a_server_repeats_of_a_secret_is_hidden() -> None:
    http = Http("the server", Reach(), ManualClock(NOW), SecretStr("w0rd-of-ours"))
    assert http.hidden("no way to /w0rd-of-ours/send") == "no way to /***/send"
    await http.aclose()


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"\xff", b"{" * 100_000])
def test_what_is_no_json_object_is_later(body: bytes) -> None:
    with pytest.raises(Later, match="answered 200 with something that is not JSON"):
        Answer(who="the server", status=200, body=body, retry_after=None).table()


@pytest.mark.parametrize(("status", "error"), [(302, Refused), (407, Refused), (425, Later), (599, Later)])
def test_a_status_tells_now_from_never(status: int, error: type[Refused] | type[Later]) -> None:
    with pytest.raises(error):
        Answer(who="the server", status=status, body=b"", retry_after=None).check()
