"""The signed webhook: what is posted, how receivers check it, what they refuse."""

import hmac
import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later, Message, Receipt, Refused
from pbxmonitor.notify.signature import Forged, signed, verify
from pbxmonitor.notify.webhook import Webhook
from tests.notify.loopback import NOW, SUBJECT, TEXT, Asked, Said, buttons, message, serving

SECRET = "sixteen-and-more"
BODY = b'{"id": "d-17", "payload": {}}'
FIVE_MINUTES = timedelta(minutes=5)


async def posted(answer: Any = None, path: str = "/hook?of=ours", **more: Any) -> tuple[Receipt, Asked]:
    async with serving(answer or Said(204)) as web:
        channel = Webhook(Webhook.Settings(secret=SECRET, timeout=2), ManualClock(NOW))  # type: ignore[arg-type]
        try:
            receipt = await channel.send(message(web.url + path, **more))
        finally:
            await channel.aclose()
        return receipt, web.asked[0]


async def test_the_message_is_posted_with_its_payload() -> None:
    payload = {"kind": "missed", "client": "+78121112233", "due_at": NOW, "day": date(2026, 11, 23)}
    _, asked = await posted(payload=payload, buttons=buttons()[:1])
    assert (asked.method, asked.target) == ("POST", "/hook?of=ours")
    assert asked.json() == {
        "id": "d-17",
        "subject": SUBJECT,
        "text": TEXT,
        "payload": {
            "kind": "missed",
            "client": "+78121112233",
            "due_at": "2026-11-23T07:42:00+00:00",
            "day": "2026-11-23",
        },
        "buttons": [{"text": "Беру", "action": "take", "value": "17"}],
    }


async def test_the_signature_is_that_of_the_timestamp_and_the_body() -> None:
    _, asked = await posted()
    stamp = asked.headers["x-pbxmonitor-timestamp"]
    expected = hmac.new(SECRET.encode(), stamp.encode() + b"." + asked.body, sha256).hexdigest()
    assert asked.headers["x-pbxmonitor-signature"] == expected
    assert (asked.headers["x-pbxmonitor-id"], int(stamp)) == ("d-17", NOW.timestamp())
    assert verify(SECRET, asked.headers, asked.body, NOW) == "d-17"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(status: int) -> None:
    assert await posted(Said(status, b"whatever")) is not None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Said(301, b"", (("Location", "https://evil.example/"),)), "it has moved, set its new address"),
        (Said(400), "answered 400"),
        (Said(401), "check the login in the settings"),
        (Said(404), "answered 404"),
        (Said(410), "answered 410"),
    ],
)
async def test_what_will_not_change_by_itself_is_refused_and_no_redirect_is_followed(said: Said, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        await posted(said)


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        (Said(500), None),
        (Said(503, b"", (("Retry-After", "120"),)), 120),
        (Said(429, b"", (("Retry-After", "Mon, 23 Nov 2026 07:43:00 GMT"),)), 60),
        (Said(429, b"", (("Retry-After", "Mon, 23 Nov 2026 07:00:00 GMT"),)), 0),
        (Said(429, b"", (("Retry-After", "soon"),)), None),
        (Said(429, b"", (("Retry-After", "9" * 400),)), 86400),
        (Said(408), None),
    ],
)
async def test_what_may_change_is_later_and_the_wait_is_told(said: Said, wait: float | None) -> None:
    with pytest.raises(Later) as later:
        await posted(said)
    assert later.value.after_s == wait


async def test_an_endless_answer_is_not_read_to_the_end() -> None:
    with pytest.raises(Later, match="answered with more than 1 MB"):
        await posted(Said(200, b"x" * (2 << 20)))


@pytest.mark.parametrize("to", ["", "anna@example.com", "ftp://x/", "http://", "https://exa mple/", "http://[::1"])
async def test_what_is_no_address_is_refused(to: str) -> None:
    channel = Webhook(Webhook.Settings(secret=SECRET), ManualClock(NOW))  # type: ignore[arg-type]
    with pytest.raises(Refused):
        await channel.send(message(to))
    await channel.aclose()


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_request_is_believed_while_it_is_fresh(seconds: int) -> None:
    headers = signed(SECRET, "d-17", BODY, NOW)
    assert verify(SECRET, headers, BODY, NOW + timedelta(seconds=seconds), FIVE_MINUTES) == "d-17"


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_a_replay_is_not_believed(seconds: int) -> None:
    headers = signed(SECRET, "d-17", BODY, NOW)
    with pytest.raises(Forged, match="a replay, or a clock that is wrong"):
        verify(SECRET, headers, BODY, NOW + timedelta(seconds=seconds), FIVE_MINUTES)


@pytest.mark.parametrize(
    "change",
    [
        {"X-Pbxmonitor-Timestamp": str(int(NOW.timestamp()) + 1)},
        {"X-Pbxmonitor-Signature": "0" * 64},
        {"X-Pbxmonitor-Signature": "é"},
        {"X-Pbxmonitor-Id": "d-18"},
    ],
)
def test_a_header_that_was_changed_is_noticed(change: dict[str, str]) -> None:
    with pytest.raises(Forged):
        verify(SECRET, {**signed(SECRET, "d-17", BODY, NOW), **change}, BODY, NOW)


def test_another_body_another_secret_and_no_headers_are_noticed() -> None:
    headers = signed(SECRET, "d-17", BODY, NOW)
    for secret, given, body in ((SECRET, headers, BODY + b" "), (SECRET + "!", headers, BODY), (SECRET, {}, BODY)):
        with pytest.raises(Forged, match="the signature is not that of this body"):
            verify(secret, given, body, NOW)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"id": 17}', b"\xff", b"[" * 100_000])
def test_a_signed_body_without_an_id_is_not_believed(body: bytes) -> None:
    with pytest.raises(Forged, match="the id in the header is not that in the body"):
        verify(SECRET, signed(SECRET, "d-17", body, NOW), body, NOW)


def test_a_timestamp_that_is_no_number_is_not_believed() -> None:
    for stamp in ("", "now", "1e9", "١٢٣", "9" * 13):
        signature = hmac.new(SECRET.encode(), stamp.encode() + b"." + BODY, sha256).hexdigest()
        headers = {"x-pbxmonitor-timestamp": stamp, "x-pbxmonitor-signature": signature, "x-pbxmonitor-id": "d-17"}
        with pytest.raises(Forged, match="the timestamp is no number of seconds"):
            verify(SECRET, headers, BODY, datetime(2026, 11, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({}, "needs secret or secret_file"),
        ({"secret": "short"}, "must be at least 16 characters"),
        ({"url": "x"}, "Extra"),
    ],
)
def test_a_secret_is_long(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Webhook.Settings(**({"secret": SECRET, **wrong} if "url" in wrong else wrong))


def test_a_message_holds_its_payload_as_json_can() -> None:
    assert json.dumps(dict(Message(id="a", to="b", subject="c", text="d", payload={"n": 1}).payload)) == '{"n": 1}'
