"""Blind transfers by the PBX's code: to a queue, a ring group, a menu, nobody, and back; by agents and callers."""

import asyncio
from typing import Any

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

ELSEWHERE = "answered_elsewhere"
IN_TWO_SECONDS = "answer:2:25:wwww#1ww"


async def _passed_on(desk: Desk, target: str, stay: float = 60, press: str = "") -> str:
    """The first agent answers after 2 s, talks 2 s and presses #1 and the target; the caller, once he is passed on."""
    caller = desk.customer()
    await desk.behave(1, f"{IN_TWO_SECONDS}{target}")
    await desk.call(2, caller, stay=stay, press=press)
    await desk.had_its_call(1)
    return caller


def _gone_on(desk: Desk, caller: str, target: str, to: int, *stages: tuple[str, str, str], **told: Any) -> Call:
    """The first talked 4.7 s, then the other agent 7.5 s."""
    return Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=(("queue", desk.queue("reception"), "answered"), *stages),
        talks=((desk(1), "transfer"), (desk(to), "agent")), transfers=(("blind", desk(1), target),), **told,
    )  # fmt: skip


def _into_the_void(desk: Desk, caller: str, target: str, *stages: tuple[str, str, str], **told: Any) -> Call:
    return lost(
        desk, 2, caller, "answered", "transfer_failed", 2, answered_by=desk(1), talk_s=4.9, ended_by="transfer",
        short_hangup=False, stages=(("queue", desk.queue("reception"), "answered"), *stages),
        talks=((desk(1), "transfer"),), transfers=(("blind", desk(1), target),), **told,
    )  # fmt: skip


@story(24)
async def blind_to_a_queue(desk: Desk) -> Truth:
    """The first sends the caller to another queue, where a Local member answers after 2 s and talks 7 s."""
    await desk.behave(4, "answer:2:7")
    caller = await _passed_on(desk, desk.service(25))
    await desk.over()
    stage = ("queue", desk.queue("fpbx"), "answered")
    verdicts = {desk(1): "answered", desk(4): "answered", desk(5): ELSEWHERE}
    return Truth(calls=(_gone_on(desk, caller, desk.service(25), 4, stage, verdicts=verdicts),))


@story(24)
async def blind_to_a_ring_group(desk: Desk) -> Truth:
    """The first sends the caller to a ring group; one of the two answers after 2 s and talks 7 s."""
    await desk.behave(5, "answer:2:7")
    caller = await _passed_on(desk, desk.service(22))
    await desk.over()
    stage = ("dial", f"{desk(4)}&{desk(5)}", "answered")
    verdicts = {desk(1): "answered", desk(4): ELSEWHERE, desk(5): "answered"}
    return Truth(calls=(_gone_on(desk, caller, desk.service(22), 5, stage, verdicts=verdicts),))


@story(30)
async def blind_to_the_menu(desk: Desk) -> Truth:
    """The first sends the caller to the menu; he presses 1, and in the queue behind it the second talks to him 7 s."""
    await desk.behave(2, "answer:2:7")
    caller = await _passed_on(desk, desk.service(23), press="w" * 18 + "1")
    await desk.behave(1, "busy")
    await desk.over()
    menu = ("ivr", desk.service(23), "passed")
    queue = ("queue", desk.queue("reception"), "answered")
    verdicts = {desk(1): "answered", desk(2): "answered"}
    return Truth(calls=(_gone_on(desk, caller, desk.service(23), 2, menu, queue, verdicts=verdicts),))


@story(20)
async def blind_to_the_menu_without_a_choice(desk: Desk) -> Truth:
    """The first sends the caller to the menu, where he chooses nothing and the PBX hangs up: lost on the way."""
    caller = await _passed_on(desk, desk.service(23))
    await desk.over()
    menu = ("ivr", desk.service(23), "no_answer")
    return Truth(calls=(_into_the_void(desk, caller, desk.service(23), menu, verdicts={desk(1): "answered"}),))


@story(14)
async def blind_to_a_busy_phone(desk: Desk) -> Truth:
    """The second's phone says 486 at once, and the caller is hung up on: a transfer that failed."""
    await desk.behave(2, "busy")
    caller = await _passed_on(desk, desk(2))
    await desk.over()
    verdicts = {desk(1): "answered", desk(2): "refused"}
    return Truth(calls=(_into_the_void(desk, caller, desk(2), ("dial", desk(2), "busy"), verdicts=verdicts),))


@story(18)
async def blind_to_an_unplugged_phone(desk: Desk) -> Truth:
    """The third's phone is not registered and the caller is hung up on: a failed transfer, not the third's miss."""
    await desk.rig.unplug(desk(3))
    caller = await _passed_on(desk, desk(3))
    await desk.over()
    await desk.rig.plug(desk(3))
    stage = ("dial", desk(3), "unreachable")
    verdicts = {desk(1): "answered", desk(3): "not_counted"}
    return Truth(calls=(_into_the_void(desk, caller, desk(3), stage, verdicts=verdicts),))


@story(22)
async def blind_to_nowhere(desk: Desk) -> Truth:
    """The first presses #1 and a number that does not exist: he keeps the caller, and ends the call himself."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:8:wwww#1ww{desk.service(99)}")
    await desk.call(2, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=(("queue", desk.queue("reception"), "answered"),), talks=((desk(1), "agent"),),
        verdicts={desk(1): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def caller_leaves_while_the_target_rings(desk: Desk) -> Truth:
    """The second's phone rings 5 s after the transfer, and the caller leaves: he was passed on to nobody."""
    caller = await _passed_on(desk, desk(2), stay=12)
    await desk.over()
    verdicts = {desk(1): "answered", desk(2): "missed"}
    return Truth(calls=(_into_the_void(desk, caller, desk(2), ("dial", desk(2), "abandoned"), verdicts=verdicts),))


@story(32)
async def blind_and_back(desk: Desk) -> Truth:
    """The first sends the caller to the second, who sends him back; the first has two talks, the second his own."""
    await desk.behave(2, f"{IN_TWO_SECONDS}{desk(1)}")
    caller = await _passed_on(desk, desk(2))
    await desk.behave(1, "answer:2:7")
    await desk.over()
    stages = (
        ("queue", desk.queue("reception"), "answered"),
        ("dial", desk(2), "answered"),
        ("dial", desk(1), "answered"),
    )
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=stages, verdicts={desk(1): "answered", desk(2): "answered"},
        talks=((desk(1), "transfer"), (desk(2), "transfer"), (desk(1), "agent")),
        transfers=(("blind", desk(1), desk(2)), ("blind", desk(2), desk(1))),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def blind_by_a_local_member(desk: Desk) -> Truth:
    """A Local member answers and sends the caller to the second (#1), who talks 7 s: each has his own talk."""
    caller = desk.customer()
    await desk.behave(2, "answer:2:7")
    await desk.behave(4, f"{IN_TWO_SECONDS}{desk(2)}")
    await desk.call(3, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(3), cause=None, colour="green", wait_s=2, answered_by=desk(4), ended_by="agent",
        short_hangup=False, stages=(("queue", desk.queue("fpbx"), "answered"), ("dial", desk(2), "answered")),
        talks=((desk(4), "transfer"), (desk(2), "agent")), transfers=(("blind", desk(4), desk(2)),),
        verdicts={desk(4): "answered", desk(5): ELSEWHERE, desk(2): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(26)
async def caller_transfers(desk: Desk) -> Truth:
    """The caller himself presses #1 and a colleague's number: he is gone, two agents talk; nobody dropped him."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:20")
    await desk.behave(2, "answer:2:7")
    await desk.call(21, caller, press=f"{'w' * 18}#1ww{desk(2)}")
    await desk.over()
    call = answered(
        desk, 21, caller, desk(1), 2, 9, ended_by="caller", short_hangup=False, talks=((desk(1), "caller"),),
        verdicts={desk(1): "answered"}, stages=(("queue", desk.queue("reception"), "answered"),),
        transfers=(("blind", caller, desk(2)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def colleague_passed_on(desk: Desk) -> Truth:
    """A colleague calls a colleague and sends her on to a third (#1): an internal call all along, nobody's miss."""
    await desk.behave(2, "answer:1:20")
    await desk.behave(3, "answer:2:7")
    await desk.dial(1, desk(2), press=f"wwww#1ww{desk(3)}")
    await desk.over()
    await asyncio.sleep(1)
    call = Call(
        caller=desk(1), called=desk(2), direction="internal", cause=None, colour=None, wait_s=1, verdicts={},
        answered_by=desk(2), short_hangup=False, transfers=(("blind", desk(1), desk(3)),),
    )  # fmt: skip
    return Truth(calls=(call,))
