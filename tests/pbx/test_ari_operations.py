"""Every ARI operation: what it asks of Asterisk."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pbxmonitor.pbx.asterisk.ari import Ari
from tests.pbx.fake_ari import (
    APPLICATION,
    BRIDGE,
    CHANNEL,
    ENDPOINT,
    ENDPOINTS,
    INFO,
    LIVE,
    PONG,
    STORED,
    FakeAri,
    Said,
    login_to,
)

Operation = Callable[[Ari], Awaitable[Any]]

# What each operation sends (developer pages "Asterisk REST Interface") and what Asterisk was seen to answer.
OPERATIONS: list[tuple[str, Operation, str, str, str, object]] = [
    ("endpoints.list", lambda ari: ari.endpoints.list(), "GET", "/endpoints", "", ENDPOINTS),
    ("endpoints.get", lambda ari: ari.endpoints.get("PJSIP", "101"), "GET", "/endpoints/PJSIP/101", "", ENDPOINT),
    ("device_states.list", lambda ari: ari.device_states.list(), "GET", "/deviceStates", "", []),
    (
        "device_states.get",
        lambda ari: ari.device_states.get("Custom:DND101"),
        "GET",
        "/deviceStates/Custom%3ADND101",
        "",
        {"name": "Custom:DND101", "state": "UNKNOWN"},
    ),
    ("channels.list", lambda ari: ari.channels.list(), "GET", "/channels", "", [CHANNEL]),
    ("channels.get", lambda ari: ari.channels.get("h2-7;2"), "GET", "/channels/h2-7%3B2", "", CHANNEL),
    (
        "channels.originate",
        lambda ari: ari.channels.originate(
            "PJSIP/101", app_args="callback,17", caller_id="100", timeout=20, channel_id="c-17"
        ),
        "POST",
        "/channels",
        "endpoint=PJSIP%2F101&app=pbxmonitor&appArgs=callback%2C17&callerId=100&timeout=20&channelId=c-17",
        CHANNEL,
    ),
    (
        "channels.originate to an extension",
        lambda ari: ari.channels.originate("PJSIP/101", context="from-internal", extension="+79161234501", priority=1),
        "POST",
        "/channels",
        "endpoint=PJSIP%2F101&context=from-internal&extension=%2B79161234501&priority=1&timeout=30",
        CHANNEL,
    ),
    ("channels.hangup", lambda ari: ari.channels.hangup("h2-7"), "DELETE", "/channels/h2-7", "reason=normal", None),
    (
        "channels.snoop_channel",
        lambda ari: ari.channels.snoop_channel("h2-7", snoop_id="s-1", app_args="tape"),
        "POST",
        "/channels/h2-7/snoop",
        "spy=both&whisper=none&app=pbxmonitor&appArgs=tape&snoopId=s-1",
        CHANNEL,
    ),
    (
        "channels.record",
        lambda ari: ari.channels.record("s-1", "first", max_duration=6),
        "POST",
        "/channels/s-1/record",
        "name=first&format=wav&maxDurationSeconds=6&ifExists=fail&beep=false",
        LIVE,
    ),
    ("bridges.list", lambda ari: ari.bridges.list(), "GET", "/bridges", "", [BRIDGE]),
    ("bridges.get", lambda ari: ari.bridges.get("b-1"), "GET", "/bridges/b-1", "", BRIDGE),
    (
        "bridges.create",
        lambda ari: ari.bridges.create(bridge_id="b-1", name="callback"),
        "POST",
        "/bridges",
        "bridgeId=b-1&name=callback&type=mixing",
        BRIDGE,
    ),
    (
        "bridges.add_channel",
        lambda ari: ari.bridges.add_channel("b-1", "h2-7", "h2-8"),
        "POST",
        "/bridges/b-1/addChannel",
        "channel=h2-7%2Ch2-8",
        None,
    ),
    (
        "bridges.remove_channel",
        lambda ari: ari.bridges.remove_channel("b-1", "h2-7"),
        "POST",
        "/bridges/b-1/removeChannel",
        "channel=h2-7",
        None,
    ),
    ("bridges.destroy", lambda ari: ari.bridges.destroy("b-1"), "DELETE", "/bridges/b-1", "", None),
    ("recordings.list_stored", lambda ari: ari.recordings.list_stored(), "GET", "/recordings/stored", "", [STORED]),
    (
        "recordings.get_stored",
        lambda ari: ari.recordings.get_stored("2026/first"),
        "GET",
        "/recordings/stored/2026%2Ffirst",
        "",
        STORED,
    ),
    (
        "recordings.delete_stored",
        lambda ari: ari.recordings.delete_stored("first"),
        "DELETE",
        "/recordings/stored/first",
        "",
        None,
    ),
    ("recordings.stop", lambda ari: ari.recordings.stop("first"), "POST", "/recordings/live/first/stop", "", None),
    ("applications.list", lambda ari: ari.applications.list(), "GET", "/applications", "", [APPLICATION]),
    ("applications.get", lambda ari: ari.applications.get("x"), "GET", "/applications/x", "", APPLICATION),
    (
        "applications.subscribe",
        lambda ari: ari.applications.subscribe("x", ["endpoint:PJSIP/101", "deviceState:Custom:DND101"]),
        "POST",
        "/applications/x/subscription",
        "eventSource=endpoint%3APJSIP%2F101%2CdeviceState%3ACustom%3ADND101",
        APPLICATION,
    ),
    (
        "applications.unsubscribe",
        lambda ari: ari.applications.unsubscribe("x", ["endpoint:PJSIP/101"]),
        "DELETE",
        "/applications/x/subscription",
        "eventSource=endpoint%3APJSIP%2F101",
        APPLICATION,
    ),
    (
        "applications.filter",
        lambda ari: ari.applications.filter("x", {"StasisStart"}),
        "PUT",
        "/applications/x/eventFilter",
        "",
        APPLICATION,
    ),
    ("asterisk.info", lambda ari: ari.asterisk.info(), "GET", "/asterisk/info", "", INFO),
    ("ping", lambda ari: ari.ping(), "GET", "/asterisk/ping", "", PONG),
]


@pytest.mark.parametrize(
    ("operation", "method", "path", "query", "answer"),
    [case[1:] for case in OPERATIONS],
    ids=[case[0] for case in OPERATIONS],
)
async def test_an_operation_asks_what_asterisk_documents(
    operation: Operation, method: str, path: str, query: str, answer: object
) -> None:
    async with FakeAri() as pbx, Ari(login_to(pbx)) as ari:
        pbx.say(method, path, Said(204) if answer is None else Said.json(answer))
        got = await operation(ari)
    (asked,) = pbx.asked
    assert (asked.method, asked.path, asked.query) == (method, f"/ari{path}", query)
    assert (got is None) == (answer is None)
