"""Somebody's own system: the bodies and headers of docs/crm.md, to the letter."""

import hashlib
import hmac
from typing import Any

import pytest

from pbxmonitor.crm import Later, Outcome, Refused
from pbxmonitor.crm.rest import Rest, signature
from pbxmonitor.domain.callback import State
from tests.crm.bench import NUMBER, RestBench, answered, call, closed, opened
from tests.crm.server import Reply


async def test_a_call_is_told_whole() -> None:
    async with RestBench() as bench:
        reference = await bench.crm().report(answered(recording="https://pbx.example.org/r/1.mp3"))
        assert reference is not None
        assert (reference.id, reference.url) == ("made-0", "https://crm.example.org/made")
        assert bench.system.made["call:main:1795415470.7"] == {
            "id": "call:main:1795415470.7",
            "event": "call",
            "call": "main:1795415470.7",
            "direction": "inbound",
            "number": NUMBER,
            "line": "+78121112233",
            "agent": "102",
            "user": "16",
            "began_at": "2026-11-23T07:44:00+00:00",
            "answered_at": "2026-11-23T07:44:10+00:00",
            "ended_at": "2026-11-23T07:44:30+00:00",
            "talk_s": 42.3,
            "outcome": "answered",
            "recording": "https://pbx.example.org/r/1.mp3",
        }


async def test_a_callback_is_told_when_it_is_opened_and_when_it_is_closed() -> None:
    async with RestBench() as bench:
        task = await bench.crm().open_task(opened(missed=2))
        await bench.crm().close_task(closed(State.EXPIRED, rescuer=None, call=None), task)
        assert bench.system.made["open:57"] == {
            "id": "open:57",
            "event": "open",
            "callback": "57",
            "number": NUMBER,
            "line": "+78121112233",
            "owner": "101",
            "user": "15",
            "due_at": "2026-11-23T07:55:00+00:00",
            "missed": 2,
            "title": "Перезвонить клиенту +79161234501: 2 пропущенных звонка",
            "text": "Очередь «Продажи», звонил в 10:44",
        }
        assert bench.system.made["close:57"] == {
            "id": "close:57",
            "event": "close",
            "callback": "57",
            "state": "expired",
            "rescuer": None,
            "rescuer_name": None,
            "user": "1",
            "at": "2026-11-23T07:49:00+00:00",
            "call": None,
            "text": None,
            "reference": "made-0",
        }


async def test_the_places_in_an_address_are_filled_and_escaped() -> None:
    async with RestBench() as bench:
        await bench.crm().report(call("1/../2?x=1"))
        await bench.crm().close_task(closed(), None)
        assert bench.server.seen[0].path == "/calls/main:1/../2?x=1"
        assert bench.server.seen[0].query == {"line": "+78121112233"}
        assert bench.server.seen[1].path == "/tasks/57/close"


async def test_headers_go_with_every_request_and_the_method_is_the_given_one() -> None:
    async with RestBench() as bench:
        await bench.crm(method="PUT").report(call())
        (request,) = bench.server.seen
        assert (request.method, request.headers["x-api-key"]) == ("PUT", "k3y-of-somebodys-system")
        assert request.headers["idempotency-key"] == "call:main:1795415470.0"
        assert request.headers["content-type"] == "application/json"


def test_the_signature_is_that_of_the_documentation() -> None:
    mac = hmac.new(b"key", b'1795419900.{"a":1}', hashlib.sha256).hexdigest()
    told = {"X-Pbxmonitor-Id": "close:57", "X-Pbxmonitor-Timestamp": "1795419900", "X-Pbxmonitor-Signature": mac}
    assert signature("key", "close:57", 1795419900, b'{"a":1}') == told


async def test_without_a_secret_nothing_is_signed() -> None:
    async with RestBench() as bench:
        await bench.crm(secret=None).report(call())
        assert "x-pbxmonitor-signature" not in bench.server.seen[0].headers
        bench.system.violations.clear()


async def test_what_has_no_address_is_not_told() -> None:
    async with RestBench() as bench:
        crm = bench.crm(report_url=None, open_url=None, contact_url=None)
        assert await crm.report(call()) is None
        assert await crm.open_task(opened()) is None
        assert await crm.contact(NUMBER) is None
        assert bench.server.seen == []


async def test_an_answer_without_an_id_leaves_ours() -> None:
    async with RestBench() as bench:
        bench.server.handle = lambda _request: Reply(status=202)
        reference = await bench.crm().report(call())
        assert reference is not None
        assert (reference.id, reference.url) == ("main:1795415470.0", None)


@pytest.mark.parametrize(
    ("reply", "after_s"),
    [
        (Reply(status=429, headers={"Retry-After": "7"}), 7),
        (Reply(status=429), 2),
        (Reply(status=503, headers={"Retry-After": "120"}), 120),
        (Reply(status=503, headers={"Retry-After": "9999999"}), 3600),
        (Reply(status=503, headers={"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), 30),
        (Reply(status=409), 30),
        (Reply(status=402), 3600),
        (Reply(status=200, body=b"OK"), 30),
    ],
)
async def test_it_is_waited_for_as_long_as_it_asks(reply: Reply, after_s: float) -> None:
    async with RestBench() as bench:
        bench.server.handle = lambda _request: reply
        with pytest.raises(Later) as late:
            await bench.crm().report(call())
        assert late.value.after_s == after_s


async def test_an_address_that_has_moved_is_refused_and_not_followed() -> None:
    async with RestBench() as bench:
        moved = Reply(status=308, headers={"Location": "https://elsewhere.example.org/"})
        bench.server.handle = lambda _request: moved
        with pytest.raises(Refused, match="it has moved to another address"):
            await bench.crm().report(call())
        assert len(bench.server.seen) == 1


async def test_an_endless_answer_is_cut_off() -> None:
    async with RestBench() as bench:
        bench.server.handle = lambda _request: Reply(body=b" " * (9 << 20))
        with pytest.raises(Later, match="more than 8388608 bytes"):
            await bench.crm().report(call())


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "needs report_url, open_url, close_url or contact_url"),
        ({"report_url": "crm.example.org/x"}, "must be an address such as"),
        ({"report_url": "https://u:p4ss@crm.example.org/x"}, "without a password in it"),
        ({"report_url": "https://crm.example.org/{call}"}, "may have in braces only id, number, line, reference"),
        ({"report_url": "https://crm.example.org/{id.__class__}"}, "may have in braces only"),
        ({"report_url": "https://crm.example.org/{"}, "may have in braces only"),
        ({"report_url": "https://crm.example.org/", "secret": "short"}, "at least 16 characters"),
        ({"report_url": "https://crm.example.org/", "headers": {"X-Key": "k\r\nX: y"}}, "one line of plain ASCII"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem) as wrong:
        Rest.Settings(**settings)
    assert "p4ss" not in str(wrong.value)


@pytest.mark.parametrize("outcome", Outcome)
async def test_every_outcome_is_told_by_its_name(outcome: Outcome) -> None:
    async with RestBench() as bench:
        await bench.crm().report(call(outcome=outcome))
        assert bench.system.made["call:main:1795415470.0"]["outcome"] == outcome.value
