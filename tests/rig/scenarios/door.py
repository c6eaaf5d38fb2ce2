"""The door: closed, blocked, menus without a choice, queues that are left by a key or become empty, positions told."""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

MENU = "door-menu"


@story(8, short=True)
async def closed_by_time(desk: Desk) -> Truth:
    """Closed by time: the caller hears for 4 s that nobody is there, and the PBX hangs up; nobody could be rung."""
    caller = desk.customer()
    await desk.call(31, caller)
    await desk.over()
    return Truth(calls=(lost(desk, 31, caller, "no_answer", "ivr", 4.5, stages=(), offers=(), verdicts={}),))


@story(5)
async def closed_by_time_left_early(desk: Desk) -> Truth:
    """Closed by time: the caller does not hear it to the end and leaves after 2 s: a short abandon, no debt."""
    caller = desk.customer()
    await desk.call(31, caller, stay=2)
    await desk.over()
    call = lost(
        desk, 31, caller, "abandoned", "short_abandon", 2, lost=False, colour=None, stages=(), offers=(), verdicts={}
    )
    return Truth(calls=(call,))


@story(8)
async def blocked_caller(desk: Desk) -> Truth:
    """Blocked caller: the PBX's black list knows the number, plays the tones of a dead line and hangs up."""
    caller = desk.customer()
    await desk.rig.black_list(caller)
    await desk.call(32, caller)
    await desk.over()
    return Truth(calls=(lost(desk, 32, caller, "no_answer", "ivr", 4.5, stages=(), offers=(), verdicts={}),))


@story(14)
async def menu_without_a_choice(desk: Desk) -> Truth:
    """IVR without a choice: asked twice, the caller presses nothing, and the PBX hangs up."""
    caller = desk.customer()
    await desk.call(33, caller)
    await desk.over()
    stages = (("ivr", MENU, "no_answer"),)
    return Truth(calls=(lost(desk, 33, caller, "no_answer", "ivr", 9.5, stages=stages, offers=(), verdicts={}),))


@story(18, short=True)
async def menu_wrong_choice_first(desk: Desk) -> Truth:
    """IVR, wrong choice: 9 leads nowhere, asked again he presses 1; in the queue the first agent answers after 2 s."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:7")
    await desk.call(33, caller, press="ww9wwww1")
    await desk.over()
    stages = (("ivr", MENU, "passed"), ("queue", desk.queue("reception"), "answered"))
    call = answered(desk, 33, caller, desk(1), 2, 7.5, stages=stages, verdicts={desk(1): "answered"})
    return Truth(calls=(call,))


@story(12)
async def menu_wrong_choices_only(desk: Desk) -> Truth:
    """IVR, wrong choices only: 9 and 9 again, and the PBX hangs up."""
    caller = desk.customer()
    await desk.call(33, caller, press="ww9wwww9")
    await desk.over()
    stages = (("ivr", MENU, "no_answer"),)
    return Truth(calls=(lost(desk, 33, caller, "no_answer", "ivr", 4.5, stages=stages, offers=(), verdicts={}),))


@story(20)
async def queue_left_by_key_for_the_operator(desk: Desk) -> Truth:
    """Exit by key: two phones ring 5 s, the caller presses 0 for the operator, who answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(6, "answer:2:7")
    await desk.call(34, caller, press="wwwwwwwwwww0")
    await desk.over()
    call = answered(
        desk, 34, caller, desk(6), 7.5, 7.5,
        stages=(("queue", desk.queue("keyed"), "key"), ("dial", desk(6), "answered")),
        offers=((desk(1), "caller_gave_up"), (desk(2), "caller_gave_up"), (desk(6), "answered")),
        verdicts={desk(1): "missed", desk(2): "missed", desk(6): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(12)
async def queue_left_by_key_to_nowhere(desk: Desk) -> Truth:
    """Exit by key, and goodbye: the caller presses 9 after a second in the queue, and the PBX hangs up."""
    caller = desk.customer()
    await desk.call(34, caller, press="wwww9")
    await desk.over()
    call = lost(
        desk, 34, caller, "no_answer", "caller_gave_up", 3,
        stages=(("queue", desk.queue("keyed"), "key"),),
        offers=((desk(1), "caller_gave_up"), (desk(2), "caller_gave_up")),
        verdicts={desk(1): "not_counted", desk(2): "not_counted"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(30)
async def callback_offered_in_the_queue(desk: Desk) -> Truth:
    """Callback offered in the queue: after 5 s he presses 2 and is let go; later the PBX calls him back.

    The robot rings the customer, who answers after 1 s; the first agent of the queue answers him after 2 s, talks 7 s.
    """
    caller = desk.customer()
    await desk.call(34, caller, press="wwwwwwwwwww2")
    await desk.over()
    await desk.behave(caller, "answer:1:60")
    await desk.behave(1, "answer:2:7")
    await desk.robot(caller)
    await desk.over()
    missed = lost(
        desk, 34, caller, "no_answer", "ignored", 6.5, colour="green",
        stages=(("queue", desk.queue("keyed"), "key"),),
        offers=((desk(1), "caller_gave_up"), (desk(2), "caller_gave_up")),
        verdicts={desk(1): "missed", desk(2): "missed"},
    )  # fmt: skip
    back = Call(
        caller=None, called=caller, direction="outbound", cause=None, colour=None, talk_s=7.5, answered_by=caller,
        talks=((desk(1), "agent"),), verdicts={}, short_hangup=False,
    )  # fmt: skip
    return Truth(calls=(missed, back))


@story(34)
async def queue_tells_the_position(desk: Desk) -> Truth:
    """Position announcements: the only agent talks 9 s, the second caller hears his place every 4 s."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(1, "answer:2:9")
    await desk.call(35, first)
    await desk.wait_for(lambda: desk.rings(1))
    await asyncio.sleep(3)
    await desk.call(35, second)
    await desk.over()
    stages = (("queue", desk.queue("told"), "answered"),)
    verdicts = {desk(1): "answered"}
    calls = (
        answered(desk, 35, first, desk(1), 2, 9.5, stages=stages, verdicts=verdicts),
        answered(desk, 35, second, desk(1), 10, 9.5, stages=stages, verdicts=verdicts),
    )
    return Truth(calls=calls)


@story(20)
async def queue_emptied_while_he_waits(desk: Desk) -> Truth:
    """leavewhenempty: the only agent talks; he pauses, and the second caller is put out of the queue after 4 s."""
    first, second = desk.customer(), desk.customer()
    queue = desk.queue("strict")
    await desk.behave(4, "answer:1:14")
    await desk.call(10, first)
    await desk.wait_for(lambda: desk.rings(4))
    await asyncio.sleep(2)
    await desk.call(10, second)
    await asyncio.sleep(4)
    await desk.rig.pause(desk(4), True, "meeting", queue)
    await desk.over()
    await desk.rig.pause(desk(4), False, queue=queue)
    talked = answered(desk, 10, first, desk(4), 1, 14.5, verdicts={desk(4): "answered"})
    put_out = lost(
        desk, 10, second, "no_answer", "overload", 3.5, stages=(("queue", queue, "empty"),), offers=(), verdicts={}
    )
    return Truth(calls=(talked, put_out))


@story(12)
async def queue_empty_phone_away(desk: Desk) -> Truth:
    """joinempty: the only member's phone is not registered: nobody may wait, and it is nobody's fault."""
    caller = desk.customer()
    await desk.rig.unplug(desk(4))
    await asyncio.sleep(1)
    await desk.call(10, caller)
    await desk.over()
    await desk.rig.plug(desk(4))
    call = lost(
        desk, 10, caller, "no_answer", "technical", 0,
        stages=(("queue", desk.queue("strict"), "empty"),), offers=(), verdicts={},
    )  # fmt: skip
    return Truth(calls=(call,))
