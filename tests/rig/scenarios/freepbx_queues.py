"""FreePBX: queues whose members are extensions

Members are Local/<extension>@from-queue/n with the extension's hint as their state, as FreePBX makes them.
"""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

ELSEWHERE = "answered_elsewhere"
QUEUE, OPTIMISED, PENALTIES, OVERFLOW, NESTED = 47, 48, 49, 50, 51


@story(14)
async def freepbx_queue_answered(desk: Desk) -> Truth:
    """A queue of two extensions, all at once: the first answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(11, "answer:2:7")
    await desk.call(QUEUE, caller)
    await desk.over()
    offers = ((desk(11), "answered"), (desk(12), ELSEWHERE))
    call = answered(
        desk, QUEUE, caller, desk(11), 2, 7.5, stages=(("queue", desk.service(40), "answered"),), offers=offers,
        talks=((desk(11), "agent"),), verdicts=dict(offers),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22, short=True)
async def freepbx_queue_without_n(desk: Desk) -> Truth:
    """Members without /n, one by one: the first rings 5 s, the second answers after 2 s, the Local channels vanish."""
    caller = desk.customer()
    await desk.behave(12, "answer:2:7")
    await desk.call(OPTIMISED, caller)
    await desk.over()
    call = answered(
        desk, OPTIMISED, caller, desk(12), 8, 7.5, stages=(("queue", desk.service(41), "answered"),),
        offers=((desk(11), "rna"), (desk(12), "answered")), talks=((desk(12), "agent"),),
        verdicts={desk(11): "missed", desk(12): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(18)
async def freepbx_queue_member_follows_me(desk: Desk) -> Truth:
    """A member has Follow Me on: her phone rings, 3 s later her mobile, which answers 2 s after that: she answered."""
    caller = desk.customer()
    await desk.rig.cli("pbx", f"database put AMPUSER {desk(11)}/followme/ddial DIRECT")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(QUEUE, caller)
    await desk.over()
    await desk.rig.cli("pbx", f"database del AMPUSER {desk(11)}/followme/ddial")
    call = answered(
        desk, QUEUE, caller, desk(11), 5, 7.5, stages=(("queue", desk.service(40), "answered"),),
        offers=((desk(11), ELSEWHERE), (desk(11), "answered"), (desk(12), ELSEWHERE)), talks=((desk(11), "agent"),),
        verdicts={desk(11): "answered", desk(12): ELSEWHERE},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def freepbx_queue_member_does_not_press_1(desk: Desk) -> Truth:
    """A member's mobile with "press 1" picks up and presses nothing, the caller leaves at 5.5 s: she did not answer."""
    caller = desk.customer()
    await desk.rig.cli("pbx", f"database put AMPUSER {desk(14)}/followme/ddial DIRECT")
    await desk.behave(desk.mobile, "answer:1:30")
    await desk.behave(13, "busy")
    await desk.call(OVERFLOW, caller, stay=5.5)
    await desk.over()
    await desk.rig.cli("pbx", f"database del AMPUSER {desk(14)}/followme/ddial")
    call = lost(
        desk, OVERFLOW, caller, "abandoned", "ignored", 5, talks=(), verdicts={desk(13): "refused", desk(14): "missed"},
        stages=(("queue", desk.service(43), "abandoned"),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(28)
async def freepbx_queue_penalties(desk: Desk) -> Truth:
    """Two callers: the first line takes one and talks 12 s; the second line is rung for the other only, and answers."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(13, "answer:1:12")
    await desk.behave(11, "answer:2:7")
    await desk.call(PENALTIES, first)
    await asyncio.sleep(4)
    await desk.call(PENALTIES, second)
    await desk.over()
    queue = (("queue", desk.service(42), "answered"),)
    return Truth(
        calls=(
            answered(desk, PENALTIES, first, desk(13), 1, 12.5, stages=queue, offers=((desk(13), "answered"),)),
            answered(desk, PENALTIES, second, desk(11), 2, 7.5, stages=queue, verdicts={desk(11): "answered"}),
        )
    )


@story(20)
async def freepbx_queue_overflows(desk: Desk) -> Truth:
    """6 s in one queue, whose two members let it ring; then another queue, where the first answers after 2 s."""
    caller = desk.customer()
    await desk.behave(11, "answer:2:7")
    await desk.call(OVERFLOW, caller)
    await desk.over()
    call = answered(
        desk, OVERFLOW, caller, desk(11), 8, 7.5,
        stages=(("queue", desk.service(43), "timeout"), ("queue", desk.service(40), "answered")),
        offers=((desk(13), "rna"), (desk(14), "rna"), (desk(11), "answered"), (desk(12), ELSEWHERE)),
        verdicts={desk(13): "missed", desk(14): "missed", desk(11): "answered", desk(12): ELSEWHERE},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16, short=True)
async def freepbx_queue_in_queue(desk: Desk) -> Truth:
    """The only member of a queue is another queue; there the second extension answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(12, "answer:2:7")
    await desk.call(NESTED, caller)
    await desk.over()
    offers = ((desk(11), ELSEWHERE), (desk(12), "answered"))
    call = answered(
        desk, NESTED, caller, desk(12), 2, 7.5, offers=offers, verdicts=dict(offers), talks=((desk(12), "agent"),),
        stages=(("queue", desk.service(44), "answered"), ("queue", desk.service(40), "answered")),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(18)
async def freepbx_queue_in_queue_nobody(desk: Desk) -> Truth:
    """A queue in a queue; both extensions let it ring, and the caller gives up after 7 s: two misses, and no third."""
    caller = desk.customer()
    await desk.call(NESTED, caller, stay=7)
    await desk.over()
    call = lost(
        desk, NESTED, caller, "abandoned", "ignored", 6.5, talks=(),
        stages=(("queue", desk.service(44), "abandoned"), ("queue", desk.service(40), "abandoned")),
        offers=((desk(11), "caller_gave_up"), (desk(12), "caller_gave_up")),
        verdicts={desk(11): "missed", desk(12): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def freepbx_queue_pickup(desk: Desk) -> Truth:
    """A queue rings its two members; a third, who is no member, takes the call with **40 after 3 s and talks 7 s."""
    caller = desk.customer()
    await desk.call(QUEUE, caller)
    await desk.wait_for(lambda: desk.rings(11))
    await asyncio.sleep(3)
    await desk.dial(13, f"**{desk.service(40)}", stay=7)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(QUEUE), cause=None, colour="green", wait_s=3.5, talk_s=7, answered_by=desk(13),
        ended_by="agent", talks=((desk(13), "agent"),),
        verdicts={desk(11): ELSEWHERE, desk(12): ELSEWHERE, desk(13): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))
