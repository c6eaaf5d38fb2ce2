"""Attended transfers by the PBX's codes: completed, left while it rings, aborted, joined, abandoned by the caller."""

import asyncio
from typing import Any

from tests.rig.desk import Desk
from tests.rig.scenarios.story import lost, story
from tests.rig.truth import UNTOLD, Call, Truth

ELSEWHERE = "answered_elsewhere"


async def _asked(desk: Desk, target: str, press: str = "", stays: float = 6, caller_stays: float = 60) -> str:
    """As `_asks`, to the end of the call."""
    caller = await _asks(desk, target, press, stays, caller_stays)
    await desk.over()
    return caller


async def _asks(desk: Desk, target: str, press: str = "", stays: float = 6, caller_stays: float = 60) -> str:
    """The first agent answers after 2 s, consults the target (*2), and is there for so long after his last key."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:{stays}:ww*2ww{target}{press}")
    await desk.call(2, caller, stay=caller_stays)
    return caller


async def _left(desk: Desk) -> None:
    """Wait until the first has hung up and the second's phone still rings; the first's channel stays a while longer."""
    await desk.wait_for(lambda: desk.rings(2))
    await asyncio.sleep(3)


def _handed_over(desk: Desk, caller: str, to: str, *stages: tuple[str, str, str], **told: Any) -> Call:
    fields: dict[str, Any] = {
        "cause": None, "colour": "green", "wait_s": 2, "answered_by": desk(1), "ended_by": "agent",
        "short_hangup": False, "talks": ((desk(1), "transfer"), (to, "agent")),
        "stages": (("queue", desk.queue("reception"), "answered"), *stages),
        "transfers": (("attended", desk(1), to),),
    } | told  # fmt: skip
    return Call(**{"caller": caller, "called": desk.line(2)} | fields)


def _kept(desk: Desk, caller: str, **told: Any) -> Call:
    """Nothing came of the consultation: one agent, one talk, and nothing against whom he asked."""
    told = {"talks": ((desk(1), "agent"),), "ended_by": "agent", "transfers": ()} | told
    return _handed_over(desk, caller, desk(1), verdicts={desk(1): "answered"}, **told)


@story(28)
async def attended_to_a_queue(desk: Desk) -> Truth:
    """The first asks a queue, whose Local member answers; the first hangs up, the member talks on with the caller."""
    await desk.behave(4, "answer:2:16")
    caller = await _asked(desk, desk.service(25))
    verdicts = {desk(1): "answered", desk(4): "answered", desk(5): ELSEWHERE}
    return Truth(calls=(_handed_over(desk, caller, desk(4), ("dial", desk(4), "answered"), verdicts=verdicts),))


@story(28)
async def attended_to_a_ring_group(desk: Desk) -> Truth:
    """The first asks a ring group, one of whom answers; the first hangs up, and that one talks on with the caller."""
    await desk.behave(5, "answer:2:16")
    caller = await _asked(desk, desk.service(22))
    verdicts = {desk(1): "answered", desk(4): ELSEWHERE, desk(5): "answered"}
    return Truth(calls=(_handed_over(desk, caller, desk(5), ("dial", desk(5), "answered"), verdicts=verdicts),))


@story(24)
async def attended_to_the_menu(desk: Desk) -> Truth:
    """The first asks the menu and hangs up: the caller is alone with it, and the PBX ends the call: lost on the way."""
    caller = await _asked(desk, desk.service(23), stays=1)
    call = lost(
        desk, 2, caller, "answered", "transfer_failed", 2, answered_by=desk(1), ended_by="transfer", talk_s=UNTOLD,
        short_hangup=False, talks=((desk(1), "transfer"),), verdicts={desk(1): "answered"},
        stages=(("queue", desk.queue("reception"), "answered"), ("ivr", desk.service(23), "no_answer")),
        transfers=(("attended", desk(1), desk.service(23)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(24)
async def attended_left_while_it_rings(desk: Desk) -> Truth:
    """The first asks the second and hangs up while his phone rings; he answers 2 s later and talks 7 s."""
    await desk.behave(2, "answer:4:7")
    caller = await _asked(desk, desk(2), stays=1.5)
    verdicts = {desk(1): "answered", desk(2): "answered"}
    return Truth(calls=(_handed_over(desk, caller, desk(2), ("dial", desk(2), "answered"), verdicts=verdicts),))


@story(28)
async def attended_left_to_nobody(desk: Desk) -> Truth:
    """The first asks the second and hangs up while it rings; nobody answers, nor he when called back: into the void."""
    caller = await _asks(desk, desk(2), stays=1.5)
    await _left(desk)
    await desk.behave(1, "busy")
    await desk.over()
    call = lost(
        desk, 2, caller, "answered", "transfer_failed", 2, answered_by=desk(1), ended_by="transfer", talk_s=UNTOLD,
        short_hangup=False, talks=((desk(1), "transfer"),), transfers=(("attended", desk(1), desk(2)),),
        verdicts={desk(1): "answered", desk(2): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(34, versions=("22",))  # 16 may hang up on who is called back
async def attended_left_and_called_back(desk: Desk) -> Truth:
    """The first asks the second and hangs up while it rings in vain; the PBX calls him back, and he talks 7 s more."""
    caller = await _asks(desk, desk(2), stays=1.5)
    await _left(desk)
    await desk.behave(1, "answer:2:7")
    await desk.over()
    call = _handed_over(
        desk, caller, desk(2), ("dial", desk(2), "no_answer"), talks=((desk(1), "transfer"), (desk(1), "agent")),
        verdicts={desk(1): "answered", desk(2): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(28)
async def attended_aborted(desk: Desk) -> Truth:
    """The second answers, the first thinks better of it (*1) and has the caller back: no transfer, one talk."""
    await desk.behave(2, "answer:1:20")
    caller = await _asked(desk, desk(2), press="w" * 8 + "*1")
    return Truth(calls=(_kept(desk, caller),))


@story(30)
async def attended_to_a_queue_aborted(desk: Desk) -> Truth:
    """The first asks a queue and thinks better of it (*1) while its members ring: no stage, nobody's miss."""
    caller = await _asked(desk, desk.service(25), press="w" * 8 + "*1")
    return Truth(calls=(_kept(desk, caller),))


@story(24)
async def consultation_abandoned_by_the_caller(desk: Desk) -> Truth:
    """The caller leaves while the two agents consult: he ended it, and nobody dropped him."""
    await desk.behave(2, "answer:1:14")
    caller = await _asked(desk, desk(2), stays=12, caller_stays=11)
    return Truth(calls=(_kept(desk, caller, talks=((desk(1), "caller"),), ended_by="caller"),))


@story(34)
async def attended_joined(desk: Desk) -> Truth:
    """The first brings the second in (*3) and all three talk for 7 s; the first leaves, the second talks on."""
    await desk.behave(2, "answer:1:20")
    caller = await _asked(desk, desk(2), press="w" * 8 + "*3", stays=7)
    told = {"verdicts": {desk(1): "answered", desk(2): "answered"}, "talks": ((desk(1), "agent"), (desk(2), "agent"))}
    return Truth(calls=(_handed_over(desk, caller, desk(2), ("dial", desk(2), "answered"), **told),))


@story(34)
async def attended_then_blind(desk: Desk) -> Truth:
    """The first hands the caller over to the second after asking, the second sends him on (#1) to the third."""
    await desk.behave(2, f"answer:1:25:{'w' * 20}#1ww{desk(3)}")
    await desk.behave(3, "answer:2:7")
    caller = await _asked(desk, desk(2), stays=4)
    call = _handed_over(
        desk, caller, desk(3), ("dial", desk(2), "answered"), ("dial", desk(3), "answered"),
        talks=((desk(1), "transfer"), (desk(2), "transfer"), (desk(3), "agent")),
        transfers=(("attended", desk(1), desk(2)), ("blind", desk(2), desk(3))),
        verdicts={desk(n): "answered" for n in (1, 2, 3)},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(28)
async def attended_by_a_local_member(desk: Desk) -> Truth:
    """A Local member asks the second (*2) and hangs up; the second talks on with the caller: each has his own talk."""
    caller = desk.customer()
    await desk.behave(2, "answer:1:14")
    await desk.behave(4, f"answer:2:5:ww*2ww{desk(2)}")
    await desk.call(3, caller)
    await desk.over()
    call = _handed_over(
        desk, caller, desk(2), called=desk.line(3), answered_by=desk(4), transfers=(("attended", desk(4), desk(2)),),
        talks=((desk(4), "transfer"), (desk(2), "agent")),
        stages=(("queue", desk.queue("fpbx"), "answered"), ("dial", desk(2), "answered")),
        verdicts={desk(4): "answered", desk(5): ELSEWHERE, desk(2): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))
