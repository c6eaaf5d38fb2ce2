"""Queues that are flooded, full, empty or only a step of the escalation, and agents who drop the caller."""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import lost, story
from tests.rig.truth import Call, Truth


@story(28)
async def flood(desk: Desk) -> Truth:
    """Six callers within 3 s for three agents, each of whom answers after 2 s and talks 6 s: all are answered."""
    callers = [desk.customer() for _ in range(6)]
    for n in (1, 2, 3):
        await desk.behave(n, "answer:2:6")
    for caller in callers:
        await desk.call(1, caller, stay=25)
        await asyncio.sleep(0.5)
    await desk.over()
    return Truth(
        calls=tuple(
            Call(caller=c, called=desk.line(1), cause=None, colour="green", talk_s=6.5, ended_by="agent")
            for c in callers
        )
    )


@story(14)
async def queue_full(desk: Desk) -> Truth:
    """A queue with room for one: the second caller is turned away at once, the first is answered."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(1, "answer:4:7")
    await desk.call(9, first)
    await asyncio.sleep(2)
    await desk.call(9, second)
    await desk.over()
    queue = desk.queue("small")
    answered = Call(
        caller=first,
        called=desk.line(9),
        cause=None,
        colour="green",
        wait_s=4,
        talk_s=7.5,
        stages=(("queue", queue, "answered"),),
        verdicts={desk(1): "answered"},
    )
    turned_away = Call(
        caller=second,
        called=desk.line(9),
        disposition="no_answer",
        lost=True,
        colour="red",
        wait_s=0,
        ended_by="system",
        stages=(("queue", queue, "full"),),
        offers=(),
        verdicts={},
    )
    return Truth(calls=(answered, turned_away))


@story(8)
async def queue_empty(desk: Desk) -> Truth:
    """The only member is paused, and nobody may wait where nobody works: no phone was tried, nobody missed it."""
    caller = desk.customer()
    await desk.rig.pause(desk(4), True, "meeting", desk.queue("strict"))
    await desk.call(10, caller)
    await desk.over()
    await desk.rig.pause(desk(4), False, queue=desk.queue("strict"))
    call = lost(
        desk,
        10,
        caller,
        "no_answer",
        "no_agents",
        0,
        stages=(("queue", desk.queue("strict"), "empty"),),
        offers=(),
        verdicts={},
    )
    return Truth(calls=(call,))


@story(26, short=True)
async def agent_dump(desk: Desk) -> Truth:
    """The first agent hears the announcement and drops the call in it; the second takes the caller: both answered."""
    caller = desk.customer()
    await desk.behave(1, "answer:1:1")
    await desk.behave(2, "answer:1:11")
    await desk.call(11, caller)
    await desk.wait_for(lambda: desk.rings(2))
    await desk.behave(1, "ring")
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(11),
        cause=None,
        colour="green",
        answered_by=desk(2),
        ended_by="agent",
        short_hangup=True,
        stages=(("queue", desk.queue("announced"), "answered"),),
    )
    return Truth(calls=(call,))


@story(12)
async def anonymous_caller(desk: Desk) -> Truth:
    """A caller who withholds his number gives up after 8 s: lost, with nobody to call back."""
    await desk.call(1, "anonymous", stay=8, name="Anonymous")
    await desk.over()
    call = lost(desk, 1, None, "abandoned", "ignored", 7.5, verdicts={desk(n): "missed" for n in (1, 2, 3)})
    return Truth(calls=(call,))


@story(34)
async def escalation_to_mobile(desk: Desk) -> Truth:
    """The operator's escalation: two queues and the reserve ring in vain, the manager's mobile answers."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(14, caller)
    await desk.over()
    stages = (
        ("queue", desk.queue("sales"), "timeout"),
        ("queue", desk.queue("fpbx"), "timeout"),
        ("dial", desk(6), "no_answer"),
        ("external", desk.mobile, "answered"),
    )
    call = Call(
        caller=caller,
        called=desk.line(14),
        cause=None,
        colour="green",
        talk_s=7.5,
        answered_by=desk.mobile,
        stages=stages,
        verdicts={desk(n): "missed" for n in (1, 2, 3, 4, 5, 6)},
    )
    return Truth(calls=(call,))


@story(30)
async def escalation_missed(desk: Desk) -> Truth:
    """The operator's escalation to its end: the mobile rings in vain, too. Only now it is missed."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "ring")
    await desk.call(14, caller)
    await desk.over()
    stages = (
        ("queue", desk.queue("sales"), "timeout"),
        ("queue", desk.queue("fpbx"), "timeout"),
        ("dial", desk(6), "no_answer"),
        ("external", desk.mobile, "no_answer"),
    )
    call = Call(
        caller=caller,
        called=desk.line(14),
        disposition="no_answer",
        lost=True,
        cause="ignored",
        colour="red",
        talk_s=0,
        answered_by=None,
        ended_by="system",
        stages=stages,
        verdicts={desk(n): "missed" for n in (1, 2, 3, 4, 5, 6)},
    )
    return Truth(calls=(call,))
