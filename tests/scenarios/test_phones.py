"""The phones are the third witness: an agent's talk is what his own phone was on the line for, within half a second."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pbxmonitor.domain.policy import Policy
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.replay import replay

HERE = Path(__file__).parent
SEEN = sorted(HERE.glob("*/*.phones.json"))
WITHIN_S = 0.5
# What the rig's queues play to who picked up, before he is put through: the phone is on the line already.
ANNOUNCED_S = {"announced1": 4.0}
# Who is asked for a key on that line (FreePBX's "press 1 to accept") is on the line until he has pressed it.
ASKED_S = {"1046": 2.2}
# Who dials a code or a parking space is answered by the PBX's Answer(), which takes so long before it goes on.
ANSWER_S = 0.5
Row = dict[str, Any]


def differences(call: Row, phones: list[Row]) -> Iterator[str]:
    """Talks that are not what the phone saw, and those of which no phone knows."""
    for talk in call["talks"]:
        began, ended = moment(talk["began_at"]), moment(talk["ended_at"])
        mine = [phone for phone in phones if phone["answered_at"] <= ended and phone["ended_at"] > began]
        own = [phone for phone in mine if phone["phone"] == talk["agent"]] or [p for p in mine if is_mobile(p)]
        if not own:
            yield f"{talk['agent']} was not on the line at {talk['began_at']}"
            continue
        seen = on_the_line(call, talk, own[0])
        if abs(seen - talk["talk_s"]) > WITHIN_S:
            yield f"{talk['agent']}: talk {talk['talk_s']} s, the phone {seen:.2f} s"


def on_the_line(call: Row, talk: Row, phone: Row) -> float:
    """Seconds that the phone was on the line with this caller: no announcement, no consultation.

    Whom a transfer took from the line hears the PBX's tones for a while; who consults when the caller leaves goes on.
    """
    before = announced(call, talk) + ASKED_S.get(call.get("called", ""), 0.0)
    began, ended = phone["answered_at"] + before + ANSWER_S * phone["calls"], phone["ended_at"]
    for transfer in call["transfers"]:
        at = moment(transfer["at"])
        if transfer["kind"] == "attended" and transfer["to"] == talk["agent"]:
            began = max(began, at) if at < ended else began
        if abs(at - moment(talk["ended_at"])) < WITHIN_S:
            ended = min(ended, at)
    if talk["ended_by"] == "caller" and consulting(call, talk):
        ended = min(ended, moment(talk["ended_at"]))
    return float(ended - began)


def consulting(call: Row, talk: Row) -> bool:
    return any(o["queue"] is None and talk["began_at"] < o["began_at"] < talk["ended_at"] for o in call["offers"])


def announced(call: Row, talk: Row) -> float:
    queues = [o["queue"] for o in call["offers"] if o["agent"] == talk["agent"] and o["ended_at"] <= talk["began_at"]]
    return ANNOUNCED_S.get(queues[-1] or "", 0.0) if queues else 0.0


def is_mobile(phone: Row) -> bool:
    return str(phone["phone"]).startswith("+") and not phone["calls"]


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize("seen", SEEN, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_talk_is_as_long_as_the_phone_was_on_the_line(seen: Path) -> None:
    tape = seen.with_name(seen.name.replace(".phones.json", ".ami"))
    calls = json.loads(json.dumps(replay([tape], Site(node="main"), Policy())))["calls"]
    phones = json.loads(seen.read_text())
    wrong = [line for call in calls if call["direction"] == "inbound" for line in differences(call, phones)]
    assert wrong == []


def test_there_are_tapes_with_the_phones_own_diary() -> None:
    assert len(SEEN) >= 100


def test_a_talk_that_the_phone_did_not_see_is_a_difference() -> None:
    talk: Row = {
        "agent": "101",
        "began_at": "2026-11-24T13:00:00Z",
        "ended_at": "2026-11-24T13:00:07Z",
        "talk_s": 7.0,
        "ended_by": "agent",
    }
    call = {"talks": [talk], "transfers": [], "offers": []}
    at = moment(talk["began_at"])
    phone = {"phone": "101", "calls": False, "answered_at": at, "ended_at": at + 7.1}
    assert list(differences(call, [phone])) == []
    assert list(differences(call, [phone | {"ended_at": at + 7.6}]))
    assert list(differences(call, [phone | {"phone": "102"}]))
    assert list(differences(call, []))
