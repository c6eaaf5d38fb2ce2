"""The filters an operator includes let through exactly what the parser follows."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from pbxmonitor.pbx.asterisk.frames import EVERYTHING, FOLLOWED, Cutter, parse

FILTERS = Path(__file__).parents[2] / "asterisk_conf" / "manager.d"
SCENARIOS = Path(__file__).parents[1] / "scenarios"
ADVANCED = re.compile(
    r"eventfilter\(action\(include\),name\((?P<name>\w+)\)"
    r"(?:,header\((?P<header>\w+)\),method\((?P<method>\w+)\))?\) =(?: (?P<text>\S+))?"
)


@cache
def lines_of(version: str) -> tuple[str, ...]:
    lines = (FILTERS / f"filters-{version}.conf").read_text().splitlines()
    return tuple(line for line in lines if line and not line.startswith(";"))


def passes_16(raw: bytes) -> bool:
    """What Asterisk does with plain filters: extended expressions over the whole event; any of them lets it through."""
    expressions = [line.removeprefix("eventfilter = ") for line in lines_of("16")]
    text = raw.decode("latin-1") + "\r\n"
    posix = {"[[:cntrl:]]": r"[\x00-\x1f]", "[[:alnum:]_]": r"\w"}
    return any(re.search(_translated(expression, posix), text, re.DOTALL) for expression in expressions)


def _translated(expression: str, posix: dict[str, str]) -> str:
    for theirs, ours in posix.items():
        expression = expression.replace(theirs, ours)
    return expression


def passes_22(raw: bytes) -> bool:
    """What Asterisk does with filters by name, header and method."""
    frame = parse(raw, 0.0, EVERYTHING)
    assert frame is not None
    for line in lines_of("22"):
        rule = ADVANCED.fullmatch(line)
        assert rule is not None, line
        value = frame[rule["header"] or ""]
        fits = {None: True, "exact": value == rule["text"], "starts_with": value.startswith(rule["text"] or "")}
        if rule["name"] == frame.event and fits[rule["method"]]:
            return True
    return False


@pytest.mark.parametrize(("version", "passes"), [("16", passes_16), ("22", passes_22)])
def test_the_filters_pass_what_is_followed_and_nothing_else(version: str, passes: Callable[[bytes], bool]) -> None:
    told = set()
    for path in (SCENARIOS / version).glob("*.ami"):
        for raw in Cutter().feed(path.read_bytes()):
            name = raw.partition(b"\r\n")[0]
            if not name.startswith(b"Event: ") or b"\r\nActionID: " in raw:
                continue  # answers are never filtered
            told.add((name, b"\r\nApplication: " in raw))
            assert passes(raw) == (parse(raw, 0.0) is not None), raw.decode()
    assert len(told) > 20


@pytest.mark.parametrize("version", ["16", "22"])
def test_every_followed_event_that_is_not_a_list_answer_is_named(version: str) -> None:
    text = "\n".join(lines_of(version))
    named = set(re.findall(r"[A-Z]\w+", text)) & FOLLOWED.events
    lists = {"QueueParams", "QueueMember", "QueueEntry", "CoreShowChannel", "ContactList", "EndpointList", "PeerEntry"}
    lists |= {"BridgeListItem", "BridgeInfoChannel"}
    missing = {name for name in FOLLOWED.events - named - lists if not name.endswith("Complete")}
    assert missing == set()
    assert {"AgentComplete", "Newchannel"} <= named


@pytest.mark.parametrize("value", ["Application: Dial ", "x Application: Dial", "Event: Hangup "])
def test_a_value_that_looks_like_a_header_passes_no_filter(value: str) -> None:
    raw = f"Event: Newexten\r\nCallerIDName: {value}\r\nApplication: NoOp\r\nAppData: {value}".encode()
    assert not passes_16(raw)
    assert not passes_22(raw)
    assert parse(raw, 0.0) is None
