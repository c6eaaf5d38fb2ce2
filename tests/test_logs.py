"""What a log line holds, and what it never holds."""

import io
import json
import logging
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import pytest
import structlog

from pbxmonitor.logs import set_up
from pbxmonitor.masking import masked, masked_text

pytestmark = pytest.mark.usefixtures("logging_restored")


@pytest.fixture
def stream(logging_restored: None) -> io.StringIO:
    out = io.StringIO()
    set_up("info", "json", out)
    return out


def last(stream: io.StringIO) -> dict[str, Any]:
    line = stream.getvalue().splitlines()[-1]
    return dict(json.loads(line))


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("+79161234501", "+7916***4501"),
        ("89161234501", "8916***4501"),
        ("9161234501", "916***4501"),
        ("1234567", "***4567"),
        ("+7 (916) 123-45-01", "+7916***4501"),
        ("8 (495) 123-45-67", "8495***4567"),
        ("8-800-555-35-35", "8800***3535"),
        ("+7.916.123.45.01", "+7916***4501"),
        ("123-45-67", "***4567"),
        ("(495) 123-45-67", "495***4567"),
        ("+442079460958", "+4420***0958"),
        ("звонок от Анны 89161234501, пропущен", "звонок от Анны 8916***4501, пропущен"),
        ("тел89161234501", "тел8916***4501"),
        ("sip:+79161234501@10.0.0.5:5060", "sip:+7916***4501@10.0.0.5:5060"),
        ("PJSIP/+79991234567@trunk-00000012", "PJSIP/+7999***4567@trunk-00000012"),
        ("Local/89161234501@from-queue-00000003;1", "Local/8916***4501@from-queue-00000003;1"),
        ("Dial(SIP/trunk/89161234501,30)", "Dial(SIP/trunk/8916***4501,30)"),
        ('"Анна" <79161234501>', '"Анна" <7916***4501>'),
        ("caller_79161234501_x", "caller_7916***4501_x"),
        ("call 79161234501. 5 rings", "call 7916***4501. 5 rings"),
        ("79161234501.wav", "7916***4501.wav"),
        (
            "q-600-79161234501-20261123-103138-1795418841.12.wav",
            "q-600-7916***4501-20261123-103138-1795418841.12.wav",
        ),
        ("a 79161234501 b +79167654321", "a 7916***4501 b +7916***4321"),
    ],
)
def test_a_phone_number_keeps_its_operator_and_its_last_four_digits(said: str, written: str) -> None:
    assert masked_text(said) == written
    assert masked_text(written) == written


@pytest.mark.parametrize(
    "said",
    [
        "1795418841.0",
        "call 1795418841.10 began",
        "main-1795418841.10",
        "1795418841",
        "2026-11-23T10:31:38.123456Z",
        "2026-11-23T10:31:38.123456+00:00",
        "2026-11-23 10:31:38,123",
        "2026-11-23",
        "12345678.25",
        "0.12345678",
        "192.168.100.200:54321",
        "10.0.0.5",
        "fe80::1ff:fe23:4567:890a",
        "PJSIP/101-00000012",
        "PJSIP/trunk-0000abcd",
        "Local/104@from-queue-00000003;2",
        "601, 101, 123456",
        "9f1b2c34-1234-5678-9abc-123456789012",
        "0x7f1234567890",
        "d41d8cd98f00b204e9800998ecf84271",
        "Обед до 14:30",
        "",
    ],
)
def test_what_is_nobodys_number_stays_readable(said: str) -> None:
    assert masked_text(said) == said


def test_eight_digits_after_a_dash_are_a_number_unless_they_end_a_channel() -> None:
    assert masked_text("ext-12345678") == "ext-1***5678"
    assert masked_text("PJSIP/101-12345678") == "PJSIP/101-12345678"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("Secret: hunter2", "Secret: ***"),
        ("password=hunter2&x=1", "password=***&x=1"),
        ('{"password": "hunter2"}', '{"password": "***"}'),
        ("Authorization: Basic aHVudGVyMg==", "Authorization: Basic ***"),
        ("postgresql://pbx:hunter2@db:5432/calls", "postgresql://pbx:***@db:5432/calls"),
        ("secret_file=/etc/pbxmonitor/ami", "secret_file=/etc/pbxmonitor/ami"),
    ],
)
def test_a_secret_spelled_out_in_a_text_is_hidden(said: str, written: str) -> None:
    assert masked_text(said) == written


class Kind(StrEnum):
    FAX = "fax 84951234567"


@dataclass
class Caller:
    number: str


def test_numbers_are_hidden_at_any_depth_and_in_any_type() -> None:
    value = {"79161234501": [("+79161234501", {"x": b"89161234501"})], "kind": Kind.FAX, "who": Caller("89161234501")}
    assert masked(value) == {
        "7916***4501": [["+7916***4501", {"x": "8916***4501"}]],
        "kind": "fax 8495***4567",
        "who": "Caller(number='8916***4501')",
    }
    assert masked(79161234501) == "7916***4501"
    assert masked({89161234501}) == ["8916***4501"]
    assert masked(ValueError("no route to 89161234501")) == "no route to 8916***4501"


def test_counts_seconds_and_moments_are_left_alone() -> None:
    assert masked({"port": 5038, "bytes": 123456789, "at": 1795418841.25, "fine": True, "none": None}) == {
        "port": 5038,
        "bytes": 123456789,
        "at": 1795418841.25,
        "fine": True,
        "none": None,
    }
    assert masked(datetime(2026, 11, 23, 10, 31, tzinfo=UTC)) == "2026-11-23T10:31:00+00:00"
    assert masked(timedelta(seconds=2.5)) == 2.5


def test_a_structure_that_holds_itself_does_not_hang_the_log() -> None:
    loop: list[object] = ["89161234501"]
    loop.append(loop)
    assert "89161234501" not in str(masked(loop))


def test_a_line_is_one_json_object_with_its_bound_keys(stream: io.StringIO) -> None:
    structlog.get_logger().bind(node="main", call="1795418841.0").info(
        "call_missed", caller="+79161234501", note="Обед"
    )
    assert "Обед" in stream.getvalue()
    line = last(stream)
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert line["event"] == "call_missed"
    assert (line["node"], line["call"], line["caller"]) == ("main", "1795418841.0", "+7916***4501")


@pytest.mark.parametrize("key", ["secret", "password", "token", "Authorization", "ami_secret", "api_token"])
def test_the_value_of_a_secret_key_is_never_written(stream: io.StringIO, key: str) -> None:
    structlog.get_logger().info("login_sent", **{key: "hunter2", "headers": {key: "hunter2"}})
    assert "hunter2" not in stream.getvalue()
    assert last(stream)[key] == "***"


def test_a_number_in_an_exception_is_hidden_in_its_text_and_in_its_cause(stream: io.StringIO) -> None:
    try:
        try:
            raise ValueError("89161234501")
        except ValueError as error:
            raise RuntimeError("cannot call +79161234502 with password=hunter2") from error
    except RuntimeError:
        structlog.get_logger().exception("call_failed")
    assert "RuntimeError: cannot call +7916***4502" in last(stream)["exception"]
    assert not any(word in stream.getvalue() for word in ("89161234501", "79161234502", "hunter2"))


def test_a_librarys_own_line_takes_the_same_road(stream: io.StringIO) -> None:
    logging.getLogger("some.library").warning("dialled %s", "89161234501", extra={"token": "hunter2"})
    line = last(stream)
    assert (line["event"], line["logger"], line["level"]) == ("dialled 8916***4501", "some.library", "warning")
    assert line["token"] == "***"


def test_a_line_per_request_of_the_libraries_is_not_written(stream: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET http://x")
    assert stream.getvalue() == ""


def test_what_is_below_the_level_is_not_written(stream: io.StringIO) -> None:
    structlog.get_logger().debug("detail")
    assert stream.getvalue() == ""


def test_the_console_form_is_masked_as_well() -> None:
    out = io.StringIO()
    set_up("info", "console", out)
    try:
        raise ValueError("89161234501")
    except ValueError:
        structlog.get_logger().exception("call_failed", caller="89161234502")
    assert "call_failed" in out.getvalue()
    assert "caller=8916***4502" in out.getvalue()
    assert "ValueError: 8916***4501" in out.getvalue()


def test_a_crash_is_a_log_line_too(stream: io.StringIO) -> None:
    error = ValueError("no way to 89161234501")
    sys.excepthook(ValueError, error, None)
    assert last(stream)["event"] == "uncaught"
    assert last(stream)["exception"] == "ValueError: no way to 8916***4501"
