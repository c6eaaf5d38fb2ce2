"""Push by ntfy, to a server that checks what https://docs.ntfy.sh/publish/ says of publishing as JSON."""

import re
from base64 import b64decode
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from pbxmonitor.clock import ManualClock
from pbxmonitor.notify import Later, Message, Receipt, Refused
from pbxmonitor.notify.ntfy import Ntfy
from pbxmonitor.notify.signature import verify
from tests.notify.loopback import NOW, SUBJECT, TEXT, Asked, Said, buttons, message, serving

TOPIC = "clinic-anna-x7Q9"
SECRET = "sixteen-and-more"
FIELDS = {"topic", "message", "title", "tags", "priority", "actions", "click", "sequence_id"}
ACTIONS = {
    "view": {"action", "label", "url", "clear"},
    "http": {"action", "label", "url", "method", "headers", "body", "clear"},
}


def publishing(asked: Asked) -> Said:
    """ntfy: POST to the root."""
    assert (asked.method, asked.path) == ("POST", "/")
    told = asked.json()
    assert set(told) <= FIELDS
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", told["topic"])
    assert re.fullmatch(r"[-_A-Za-z0-9]{1,64}", told["sequence_id"])
    assert len(told["message"].encode()) <= 4096
    assert len(told["title"].encode()) <= 1024
    assert 1 <= told["priority"] <= 5
    assert len(told["actions"]) <= 3
    for action in told["actions"]:
        assert set(action) <= ACTIONS[action["action"]]
    return Said.json({"id": "sPs71M8A2T", "time": 1795420000, "event": "message", "topic": told["topic"]})


async def published(what: Message, answer: Any = publishing, **settings: Any) -> tuple[Receipt, Asked]:
    async with serving(answer) as web:
        channel = Ntfy(Ntfy.Settings(**{"url": web.url, **settings}), ManualClock(NOW))
        try:
            receipt = await channel.send(what)
        finally:
            await channel.aclose()
        return receipt, web.asked[0]


async def test_a_missed_call_arrives_on_the_phone_in_its_own_letters() -> None:
    receipt, asked = await published(message(TOPIC))
    told = asked.json()
    assert (told["topic"], told["title"], told["message"]) == (TOPIC, SUBJECT, TEXT)
    assert (told["priority"], told["tags"], told["actions"]) == (4, ["telephone_receiver"], [])
    assert receipt.reference == "sPs71M8A2T"
    assert "authorization" not in asked.headers


async def test_a_repeat_takes_the_place_of_the_first() -> None:
    _, asked = await published(message(TOPIC, id="d.17"))
    assert asked.json()["sequence_id"] == "d_17"


@pytest.mark.parametrize(("priority", "silent", "told"), [(5, False, 5), (5, True, 2), (1, True, 1)])
async def test_what_is_silent_rings_no_more_than_low(priority: int, silent: bool, told: int) -> None:
    _, asked = await published(message(TOPIC, silent=silent), priority=priority)
    assert asked.json()["priority"] == told


async def test_who_publishes_says_so_by_token_or_by_name() -> None:
    _, asked = await published(message(TOPIC), token="tk_abcdef")
    assert asked.headers["authorization"] == "Bearer tk_abcdef"
    _, asked = await published(message(TOPIC), username="anna", password="слово")
    scheme, pair = asked.headers["authorization"].split()
    assert (scheme, b64decode(pair).decode()) == ("Basic", "anna:слово")


async def test_a_link_is_a_button_and_what_has_nowhere_to_go_is_none() -> None:
    _, asked = await published(message(TOPIC, buttons=buttons()))
    assert asked.json()["actions"] == [{"action": "view", "label": "Журнал", "url": "https://pbx.example/callbacks/17"}]


async def test_a_press_comes_back_signed() -> None:
    _, asked = await published(
        message(TOPIC, buttons=buttons()), action_url="https://pbx.example/api/pressed", action_secret=SECRET
    )
    take, _, view = asked.json()["actions"]
    assert (take["action"], take["method"], take["url"]) == ("http", "POST", "https://pbx.example/api/pressed")
    assert take["body"] == '{"id": "d-17", "action": "take", "value": "17"}'
    moment = NOW + timedelta(hours=5)
    assert verify(SECRET, take["headers"], take["body"].encode(), moment, timedelta(days=1)) == "d-17"
    assert view["action"] == "view"


async def test_a_long_text_is_cut_where_ntfy_would_make_a_file_of_it() -> None:
    _, asked = await published(message(TOPIC, text="я" * 5000, subject="ю" * 1000))
    told = asked.json()
    assert told["message"] == "я" * 2046 + "…"
    assert told["title"].endswith("…")


@pytest.mark.parametrize("topic", ["", "a b", "анна", "x" * 65, "a/b"])
async def test_what_is_no_topic_is_refused(topic: str) -> None:
    channel = Ntfy(Ntfy.Settings(), ManualClock(NOW))
    with pytest.raises(Refused, match="the topic must be"):
        await channel.send(message(topic))
    await channel.aclose()


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        (
            Said.json({"code": 40301, "http": 403, "error": "forbidden"}, 403),
            Refused,
            "403: forbidden; check the login",
        ),
        (Said.json({"code": 40007, "http": 400, "error": "invalid request"}, 400), Refused, "400: invalid request"),
        (Said.json({"code": 42908, "http": 429, "error": "limit reached"}, 429), Later, "429: limit reached"),
        (Said.json({"code": 50701, "http": 507, "error": "topic is inactive"}, 507), Later, "507: topic is inactive"),
        (Said.json({"event": "open"}), Later, "is this an ntfy server"),
    ],
)
async def test_what_ntfy_says_is_told(said: Said, error: type[Later] | type[Refused], reason: str) -> None:
    with pytest.raises(error, match=reason) as refused:
        await published(message(TOPIC), said)
    assert TOPIC not in refused.value.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"username": "x"}, "needs token, or username and password, or neither"),
        ({"token": "x", "username": "x", "password": "x"}, "needs token, or username and password, or neither"),
        ({"action_url": "https://x"}, "needs action_url and action_secret together"),
        ({"action_url": "https://x", "action_secret": "short"}, "must be at least 16 characters"),
        ({"priority": 6}, "less than or equal to 5"),
    ],
)
def test_a_setting_that_is_wrong_is_named(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Ntfy.Settings(**wrong)
