"""Ends of a ring: Local members, a queue's time run out, members who leave while they ring, one agent for two callers.

Lines 23 to 28 of docker/asterisk/etc/pbx/talk.conf.
"""

import asyncio
from typing import Any

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Interval, Truth

ELSEWHERE = "answered_elsewhere"


@story(12)
async def local_member_busy(desk: Desk) -> Truth:
    """A Local member's phone says 486 at once, the other's is answered after 3 s: the first refused, no miss."""
    caller = desk.customer()
    await desk.behave(4, "busy")
    await desk.behave(5, "answer:3:7")
    await desk.call(24, caller)
    await desk.over()
    offers = ((desk(4), "busy"), (desk(5), "answered"))
    verdicts = {desk(4): "refused", desk(5): "answered"}
    return Truth(calls=(answered(desk, 24, caller, desk(5), 3, 7.5, offers=offers, verdicts=verdicts),))


@story(14)
async def local_member_unreachable(desk: Desk) -> Truth:
    """A Local member's phone is not registered and no hint says so; the other answers after 3 s: nobody missed."""
    caller = desk.customer()
    await desk.rig.unplug(desk(4))
    await asyncio.sleep(1)
    await desk.behave(5, "answer:3:7")
    await desk.call(24, caller)
    await desk.over()
    await desk.rig.plug(desk(4))
    offers = ((desk(4), "unreachable"), (desk(5), "answered"))
    verdicts = {desk(4): "not_counted", desk(5): "answered"}
    return Truth(calls=(answered(desk, 24, caller, desk(5), 3, 7.5, offers=offers, verdicts=verdicts),))


@story(14)
async def local_member_forwards(desk: Desk) -> Truth:
    """A Local member's phone forwards to a mobile (302), which answers after 2 s and talks 7 s: his ring, his talk."""
    caller = desk.customer()
    await desk.behave(4, f"forward:{desk.mobile}")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(24, caller)
    await desk.over()
    offers = ((desk(4), "answered"), (desk(5), ELSEWHERE))
    call = answered(
        desk, 24, caller, desk(4), 2, 7.5, offers=offers, talks=((desk(4), "agent"),), verdicts=dict(offers),
        stages=(("queue", desk.queue("bare"), "answered"),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(9)
async def local_members_abandoned(desk: Desk) -> Truth:
    """The caller gives up after 6 s while two Local members ring: both missed him."""
    caller = desk.customer()
    await desk.call(24, caller, stay=6)
    await desk.over()
    offers = ((desk(4), "caller_gave_up"), (desk(5), "caller_gave_up"))
    verdicts = {desk(4): "missed", desk(5): "missed"}
    return Truth(calls=(lost(desk, 24, caller, "abandoned", "ignored", 5.5, offers=offers, verdicts=verdicts),))


@story(9)
async def ring_group_abandoned(desk: Desk) -> Truth:
    """The caller gives up after 7 s of a ring group: three people missed him."""
    caller = desk.customer()
    await desk.call(6, caller, stay=7)
    await desk.over()
    offers = tuple((desk(n), "caller_gave_up") for n in (1, 2, 3))
    stages = (("dial", f"{desk(1)}&{desk(2)}&{desk(3)}", "abandoned"),)
    verdicts = {desk(n): "missed" for n in (1, 2, 3)}
    call = lost(desk, 6, caller, "abandoned", "ignored", 7, offers=offers, stages=stages, verdicts=verdicts)
    return Truth(calls=(call,))


@story(9)
async def queue_timeout_in_mid_ring(desk: Desk) -> Truth:
    """A ring lasts 8 s and the queue 5 s: three phones ring for 5 s, the PBX hangs up; all three missed him."""
    caller = desk.customer()
    await desk.call(23, caller)
    await desk.over()
    call = lost(
        desk, 23, caller, "no_answer", "ignored", 5, stages=(("queue", desk.queue("sales"), "timeout"),),
        offers=tuple((desk(n), "rna") for n in (1, 2, 3)), verdicts={desk(n): "missed" for n in (1, 2, 3)},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(20)
async def paused_in_mid_ring(desk: Desk) -> Truth:
    """The first is paused 2 s into his ring; it goes on to 5 s, and he missed it; the second answers after 2 s."""
    caller = desk.customer()
    await desk.behave(2, "answer:2:7")
    await desk.call(2, caller)
    await desk.wait_for(lambda: desk.rings(1))
    await asyncio.sleep(2)
    await desk.rig.pause(desk(1), True, "lunch")
    await desk.over()
    await desk.rig.pause(desk(1), False)
    offers = ((desk(1), "rna"), (desk(2), "answered"))
    verdicts = {desk(1): "missed", desk(2): "answered"}
    call = answered(desk, 2, caller, desk(2), 8.5, 7.5, offers=offers, verdicts=verdicts)
    return Truth(calls=(call,), intervals=(Interval(agent=desk(1), state="paused", reason="lunch"),))


@story(18)
async def logged_off_in_mid_ring(desk: Desk) -> Truth:
    """The only member logs off 2 s into his ring; it goes on to 8 s, then nobody is there; the caller leaves."""
    caller = desk.customer()
    queue = desk.queue("open")
    await desk.rig.join(queue, desk(2))
    await desk.call(28, caller, stay=13)
    await desk.wait_for(lambda: desk.rings(2))
    await asyncio.sleep(2)
    await desk.rig.leave(queue, desk(2))
    await desk.over()
    stages = (("queue", queue, "abandoned"),)
    call = lost(
        desk, 28, caller, "abandoned", "ignored", 12.5, stages=stages, offers=((desk(2), "rna"),),
        verdicts={desk(2): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def removed_in_mid_ring_and_answers(desk: Desk) -> Truth:
    """The only member is removed 2 s into his ring and answers it all the same, after 5 s: answered, 7 s of talk."""
    caller = desk.customer()
    queue = desk.queue("open")
    await desk.rig.join(queue, desk(3))
    await desk.behave(3, "answer:5:7")
    await desk.call(28, caller)
    await desk.wait_for(lambda: desk.rings(3))
    await asyncio.sleep(2)
    await desk.rig.leave(queue, desk(3))
    await desk.over()
    offers = ((desk(3), "answered"),)
    call = answered(
        desk, 28, caller, desk(3), 5, 7.5, offers=offers, talks=((desk(3), "agent"),), verdicts=dict(offers)
    )
    return Truth(calls=(call,))


@story(26)
async def two_callers_for_one_agent(desk: Desk) -> Truth:
    """Two callers within a second for one agent: the second is offered to him only when the first is done."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(6, "answer:2:7")
    await desk.call(26, first)
    await asyncio.sleep(1)
    await desk.call(26, second)
    await desk.over()
    told = {"offers": ((desk(6), "answered"),), "talks": ((desk(6), "agent"),), "verdicts": {desk(6): "answered"}}
    one = answered(desk, 26, first, desk(6), 2, 7.5, **told)
    return Truth(calls=(one, answered(desk, 26, second, desk(6), 11.5, 7.5, **told)))


@story(20)
async def second_caller_leaves_a_busy_agent(desk: Desk) -> Truth:
    """The only agent talks; a second caller waits 8 s, nobody's phone rings, and he leaves: overload, nobody's miss."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(6, "answer:1:14")
    await desk.call(26, first)
    await asyncio.sleep(4)
    await desk.call(26, second, stay=8)
    await desk.over()
    one = answered(desk, 26, first, desk(6), 1, 14.5, verdicts={desk(6): "answered"})
    return Truth(calls=(one, lost(desk, 26, second, "abandoned", "overload", 7.5, offers=(), verdicts={})))


@story(16)
async def two_callers_at_once(desk: Desk) -> Truth:
    """Two callers at the same moment for three agents one by one (autofill): each is answered, by one agent each."""
    callers = [desk.customer() for _ in range(2)]
    for phone in (1, 2, 3):
        await desk.behave(phone, "answer:2:7")
    await asyncio.gather(*(desk.call(2, caller) for caller in callers))
    await desk.over()
    told: dict[str, Any] = {"cause": None, "colour": "green", "talk_s": 7.5, "ended_by": "agent", "short_hangup": False}
    return Truth(calls=tuple(Call(caller=caller, called=desk.line(2), **told) for caller in callers))


@story(20)
async def rung_while_he_talks(desk: Desk) -> Truth:
    """A queue that rings members who talk (ringinuse): the second caller rings the talking agent 5.5 s, and leaves."""
    first, second = desk.customer(), desk.customer()
    await desk.behave(1, "answer:2:14")
    await desk.call(27, first)
    await asyncio.sleep(4)
    await desk.behave(1, "ring")
    await desk.call(27, second, stay=6)
    await desk.over()
    one = answered(desk, 27, first, desk(1), 2, 14.5, verdicts={desk(1): "answered"})
    offers = ((desk(1), "caller_gave_up"),)
    two = lost(desk, 27, second, "abandoned", "overload", 5.5, offers=offers, verdicts={desk(1): "missed"})
    return Truth(calls=(one, two))
