"""Calls that change hands: blind and attended transfers, by the PBX's codes and by the phone's own button."""

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth


def _two_stages(desk: Desk, target: int, result: str) -> tuple[tuple[str, str, str], ...]:
    return (("queue", desk.queue("reception"), "answered"), ("dial", desk(target), result))


@story(20, short=True)
async def blind_transfer(desk: Desk) -> Truth:
    """The first agent answers, presses #1 and the second's number; the second answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:25:ww#1ww{desk(2)}")
    await desk.behave(2, "answer:2:7")
    await desk.call(2, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=_two_stages(desk, 2, "answered"), talks=((desk(1), "transfer"), (desk(2), "agent")),
        verdicts={desk(1): "answered", desk(2): "answered"}, transfers=(("blind", desk(1), desk(2)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def blind_transfer_by_the_phone(desk: Desk) -> Truth:
    """As a real phone does it (REFER): the first agent talks 3 s and sends the caller to the second, who talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, f"refer:2:3:{desk(2)}")
    await desk.behave(2, "answer:2:7")
    await desk.call(2, caller)
    await desk.over()
    call = answered(
        desk, 2, caller, desk(1), 2, 11, stages=_two_stages(desk, 2, "answered"), short_hangup=False,
        talks=((desk(1), "transfer"), (desk(2), "agent")), transfers=(("blind", desk(1), desk(2)),),
        verdicts={desk(1): "answered", desk(2): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(32)
async def blind_transfer_to_nobody(desk: Desk) -> Truth:
    """The target rings for 20 s and nobody answers: the caller was passed on into the void, lost."""
    caller = desk.customer()
    await desk.behave(1, f"refer:2:3:{desk(3)}")
    await desk.call(2, caller)
    await desk.over()
    call = lost(
        desk, 2, caller, "answered", "transfer_failed", 2, answered_by=desk(1), talk_s=3.5, ended_by="transfer",
        stages=_two_stages(desk, 3, "no_answer"), talks=((desk(1), "transfer"),),
        transfers=(("blind", desk(1), desk(3)),), verdicts={desk(1): "answered", desk(3): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24, short=True)
async def attended_completed(desk: Desk) -> Truth:
    """The first agent asks the second (*2), who answers; the first hangs up and the caller goes on with the second."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:8:ww*2ww{desk(2)}")
    await desk.behave(2, "answer:2:16")
    await desk.call(2, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        stages=_two_stages(desk, 2, "answered"), talks=((desk(1), "transfer"), (desk(2), "agent")),
        verdicts={desk(1): "answered", desk(2): "answered"}, transfers=(("attended", desk(1), desk(2)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(26)
async def attended_target_hangs_up(desk: Desk) -> Truth:
    """The second says no and hangs up: the first has the caller back and ends the call. No transfer, one talk."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:12:ww*2ww{desk(2)}")
    await desk.behave(2, "answer:2:2")
    await desk.call(2, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=(("queue", desk.queue("reception"), "answered"),), talks=((desk(1), "agent"),),
        verdicts={desk(1): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(28)
async def attended_nobody_answers(desk: Desk) -> Truth:
    """The second never answers; after 6 s the first has the caller back and ends the call. No transfer, one talk."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:14:ww*2ww{desk(2)}")
    await desk.call(2, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1), ended_by="agent",
        short_hangup=False, stages=(("queue", desk.queue("reception"), "answered"),), talks=((desk(1), "agent"),),
        verdicts={desk(1): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))
