"""The traps of panoramisk 1.4: each reproduced on panoramisk itself, and shown not to be ours (docs/ami.md)."""

import asyncio
import logging
from typing import Any

import pytest
from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager
from panoramisk.message import Message
from pydantic import SecretStr

from pbxmonitor.clock import SystemClock
from pbxmonitor.pbx.asterisk.ami import Ami, AmiLogin
from tests.pbx.fake_asterisk import FakeAsterisk, message, success
from tests.pbx.test_ami import listening, until, up

JOIN = message("Event: QueueCallerJoin", "CallerIDName: Анна Иванова").encode()


class Wire:
    """What a protocol of panoramisk writes to."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        """Nothing to close."""


def of_panoramisk(**config: Any) -> tuple[Manager, AMIProtocol]:
    manager = Manager(loop=asyncio.get_running_loop(), **config)
    protocol = AMIProtocol()
    protocol.connection_made(Wire())
    protocol.factory = manager
    protocol.encoding = "utf8"
    manager.protocol = protocol
    return manager, protocol


async def test_panoramisk_loses_a_character_that_two_chunks_share_and_we_do_not() -> None:
    manager, protocol = of_panoramisk()
    names: list[str] = []
    manager.register_event("*", lambda _, event: names.append(event.calleridname))
    middle = JOIN.index("а".encode()) + 1
    protocol.data_received(JOIN[:middle])
    protocol.data_received(JOIN[middle:])
    assert names == ["Анн Иванова"]

    async with FakeAsterisk() as pbx, listening(Ami(login(pbx), SystemClock())) as stream:
        await up(stream)
        for at in range(len(JOIN)):
            pbx.say(JOIN[at : at + 1])
            await asyncio.sleep(0)
        frames = await until(stream, "QueueCallerJoin")
        assert frames[-1]["CallerIDName"] == "Анна Иванова"


async def test_panoramisk_sends_an_unanswered_action_again_after_a_reconnect_and_we_do_not() -> None:
    manager, protocol = of_panoramisk()
    protocol.send({"Action": "Originate", "Channel": "PJSIP/101"})
    protocol.close()
    assert [action["Action"] for action in manager.awaiting_actions] == ["Originate"]

    async with FakeAsterisk() as pbx:
        ami = Ami(login(pbx, backoff_first=0.01), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["Originate"] = lambda _: ""
            ami.send("Originate", "1", Channel="PJSIP/101")
            await pbx.asked("Originate")
            pbx.hang_up()
            async for told in stream:
                if pbx.connections == 2 and isinstance(told, list) and told[-1]["AsteriskVersion"]:
                    break
            await ami.ask("Ping")
            assert [fields["Action"] for fields in pbx.heard].count("Originate") == 1


async def test_panoramisk_retries_a_refused_login_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    manager, _ = of_panoramisk(username="pbxmonitor", secret="wrong")
    refused: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    refused.set_result(Message({"Response": "Error", "Message": "Authentication failed"}))
    with caplog.at_level(logging.DEBUG):
        assert manager.login(refused) is False
    assert caplog.records == []  # ours: test_a_refused_login_is_one_error_line_and_is_tried_again_slowly
    manager.pinger.cancel()


async def test_panoramisk_never_answers_an_added_interface_and_we_do() -> None:
    _, protocol = of_panoramisk()
    future = protocol.send({"Action": "QueueAdd", "ActionID": "1"}, as_list=None)
    protocol.data_received(message("Response: Success", "ActionID: 1", "Message: Added interface to queue").encode())
    assert not future.done()

    async with FakeAsterisk() as pbx:
        ami = Ami(login(pbx), SystemClock())
        async with listening(ami) as stream:
            await up(stream)
            pbx.scripts["QueueAdd"] = success("Message: Added interface to queue")
            answer = await ami.ask("QueueAdd", Queue="sales", Interface="PJSIP/101")
            assert answer.response["Message"] == "Added interface to queue"


async def test_panoramisk_writes_a_line_end_in_a_value_as_it_is() -> None:
    action = Action({"Action": "QueuePause", "Reason": "lunch\r\n\r\nAction: Originate"})
    assert "\r\nAction: Originate\r\n" in str(action)  # ours: test_a_cr_lf_or_nul_is_refused_and_nothing_is_sent


async def test_panoramisk_loses_the_order_of_coroutine_callbacks_and_ours_is_that_of_the_wire() -> None:
    manager, protocol = of_panoramisk()
    order: list[str] = []
    two, both = asyncio.Event(), asyncio.Event()

    async def slowly(_: Manager, event: Message) -> None:
        if event.cause == "1":
            await two.wait()
        order.append(event.cause)
        (both if two.is_set() else two).set()

    manager.register_event("Hangup", slowly)
    protocol.data_received((message("Event: Hangup", "Cause: 1") + message("Event: Hangup", "Cause: 2")).encode())
    await both.wait()
    assert order == ["2", "1"]  # ours: test_frames_come_in_the_order_of_the_wire


def login(pbx: FakeAsterisk, **more: Any) -> AmiLogin:
    return AmiLogin(port=pbx.port, username="pbxmonitor", secret=SecretStr("s3cret"), **more)
