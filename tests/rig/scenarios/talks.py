"""Ends of a talk: agents who drop it in the announcement, disconnect codes, parking, pickup, conference, listening in.

Lines 21, 22, 25 and 29 of docker/asterisk/etc/pbx/talk.conf.
"""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

ELSEWHERE = "answered_elsewhere"
SEVEN_S = "w" * 14


@story(36)
async def agents_dump_in_turn(desk: Desk) -> Truth:
    """The first drops the call in the announcement, so does the second; then the first takes it and talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, "answer:1:1")
    await desk.behave(2, "answer:1:1")
    await desk.call(11, caller)
    await desk.had_its_call(1)
    await desk.behave(1, "answer:1:11")
    await desk.had_its_call(2)
    await desk.behave(2, "ring")
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(11), cause=None, colour="green", answered_by=desk(1), ended_by="agent",
        talk_s=7.5, short_hangup=True, talks=((desk(1), "agent"),),
        offers=((desk(1), "answered"), (desk(2), "answered"), (desk(1), "answered")),
        verdicts={desk(1): "answered", desk(2): "answered"},
        stages=(("queue", desk.queue("announced"), "answered"),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(20)
async def agents_dump_and_the_caller_leaves(desk: Desk) -> Truth:
    """The first drops the call in the announcement, the second lets it ring; the caller leaves at 11 s: dropped."""
    caller = desk.customer()
    await desk.behave(1, "answer:1:1")
    await desk.call(11, caller, stay=11)
    await desk.had_its_call(1)
    await desk.behave(1, "busy")
    await desk.over()
    call = lost(
        desk, 11, caller, "abandoned", "dropped", 10.5, short_hangup=True, talks=(),
        stages=(("queue", desk.queue("announced"), "abandoned"),),
        verdicts={desk(1): "answered", desk(2): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(14)
async def disconnect_code_of_the_agent(desk: Desk) -> Truth:
    """The agent talks 7 s and ends the queue call with **: he ended it, though queue_log says the caller."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:20:{SEVEN_S}**")
    await desk.call(21, caller)
    await desk.over()
    told = {"talks": ((desk(1), "agent"),), "verdicts": {desk(1): "answered"}, "short_hangup": False}
    return Truth(calls=(answered(desk, 21, caller, desk(1), 2, 8, **told),))


@story(14)
async def disconnect_code_of_the_caller(desk: Desk) -> Truth:
    """The caller ends the queue call with ** after 9 s of waiting and talking: it is he who ended it."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:20")
    await desk.call(21, caller, press="w" * 18 + "**")
    await desk.over()
    told = {"talks": ((desk(1), "caller"),), "verdicts": {desk(1): "answered"}, "short_hangup": False}
    return Truth(calls=(answered(desk, 21, caller, desk(1), 2, 7.3, ended_by="caller", **told),))


@story(14)
async def disconnect_code_in_a_direct_call(desk: Desk) -> Truth:
    """The agent ends a direct call with ** after 4 s: who leaves the bridge first pressed it; his short hangup."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:20:wwwwwwww**")
    await desk.call(22, caller)
    await desk.over()
    told = {"talks": ((desk(1), "agent"),), "verdicts": {desk(1): "answered"}, "short_hangup": True}
    return Truth(calls=(answered(desk, 22, caller, desk(1), 2, 5, **told),))


@story(22)
async def park_and_retrieve(desk: Desk) -> Truth:
    """The first answers and parks the caller (#1 170); the second takes him from 171 after 3 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:20:wwww#1ww{desk.service(70)}")
    await desk.call(2, caller)
    await desk.had_its_call(1)
    await asyncio.sleep(3)
    await desk.dial(2, desk.service(71), stay=7)
    await desk.over()
    call = answered(
        desk, 2, caller, desk(1), 2, 12, talks=((desk(1), "transfer"), (desk(2), "agent")), short_hangup=False,
        stages=(("queue", desk.queue("reception"), "answered"), ("parked", desk.service(71), "answered")),
        verdicts={desk(1): "answered", desk(2): "answered"}, transfers=(("blind", desk(1), desk.service(70)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(30)
async def parked_and_back(desk: Desk) -> Truth:
    """The first parks the caller, nobody takes him for 8 s, and he rings the first again, who talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:20:wwww#1ww{desk.service(70)}")
    await desk.call(2, caller)
    await desk.had_its_call(1)
    await desk.behave(1, "answer:2:7")
    await desk.over()
    stages = (
        ("queue", desk.queue("reception"), "answered"),
        ("parked", desk.service(71), "timeout"),
        ("dial", desk(1), "answered"),
    )
    call = answered(
        desk, 2, caller, desk(1), 2, 12, talks=((desk(1), "transfer"), (desk(1), "agent")), short_hangup=False,
        stages=stages, verdicts={desk(1): "answered"}, transfers=(("blind", desk(1), desk.service(70)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(18)
async def parked_and_gone(desk: Desk) -> Truth:
    """The first parks the caller, who leaves before anybody takes him: passed on into the void, lost."""
    caller = desk.customer()
    await desk.behave(1, f"answer:2:20:wwww#1ww{desk.service(70)}")
    await desk.call(2, caller, stay=12)
    await desk.over()
    call = lost(
        desk, 2, caller, "answered", "transfer_failed", 2, answered_by=desk(1), talk_s=4.7, ended_by="transfer",
        stages=(("queue", desk.queue("reception"), "answered"), ("parked", desk.service(71), "abandoned")),
        talks=((desk(1), "transfer"),), verdicts={desk(1): "answered"},
        transfers=(("blind", desk(1), desk.service(70)),),
    )  # fmt: skip
    return Truth(calls=(call,))


async def _picked_up(desk: Desk, code: str) -> Truth:
    caller = desk.customer()
    await desk.call(2, caller)
    await desk.wait_for(lambda: desk.rings(1))
    await asyncio.sleep(2)
    await desk.dial(6, code, stay=7)
    await desk.over()
    call = answered(
        desk, 2, caller, desk(6), 2.5, 7, talks=((desk(6), "agent"),), short_hangup=False,
        stages=(("queue", desk.queue("reception"), "answered"),), offers=((desk(1), ELSEWHERE),),
        verdicts={desk(1): ELSEWHERE, desk(6): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(14)
async def queue_call_picked_up_by_the_group(desk: Desk) -> Truth:
    """A queue rings the first; somebody who is no member takes it with *8 after 2 s and talks 7 s: his call."""
    return await _picked_up(desk, "*8")


@story(14)
async def queue_call_picked_up_directly(desk: Desk) -> Truth:
    """A queue rings the first; somebody who is no member takes that phone's ring with ** and its number: his call."""
    return await _picked_up(desk, f"**{desk(1)}")


@story(14)
async def local_member_optimised_away(desk: Desk) -> Truth:
    """A Local member without /n answers after 2 s and talks 7 s; its Local channels vanish as the talk begins."""
    caller = desk.customer()
    await desk.behave(4, "answer:2:7")
    await desk.call(25, caller)
    await desk.over()
    offers = ((desk(4), "answered"),)
    told = {"offers": offers, "talks": ((desk(4), "agent"),), "verdicts": dict(offers), "short_hangup": False}
    return Truth(calls=(answered(desk, 25, caller, desk(4), 2, 7.5, **told),))


@story(26)
async def conference(desk: Desk) -> Truth:
    """The first sends the caller to a conference room (#1 124), the second comes in and talks to him for 7 s."""
    caller = desk.customer()
    room = desk.service(24)
    await desk.behave(1, f"answer:2:20:wwww#1ww{room}")
    await desk.call(2, caller, stay=20)
    await desk.had_its_call(1)
    await desk.dial(2, room, stay=8)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(2), cause=None, colour="green", wait_s=2, answered_by=desk(1),
        talks=((desk(1), "transfer"), (desk(2), "agent")), short_hangup=False, ended_by="agent",
        verdicts={desk(1): "answered", desk(2): "answered"}, transfers=(("blind", desk(1), room),),
    )  # fmt: skip
    return Truth(calls=(call,))


async def _spied_on(desk: Desk, code: str) -> Truth:
    caller = desk.customer()
    await desk.behave(1, "answer:2:9")
    await desk.call(2, caller)
    await asyncio.sleep(5)
    await desk.dial(6, f"{code}{desk(1)}", stay=4)
    await desk.over()
    told = {"offers": ((desk(1), "answered"),), "talks": ((desk(1), "agent"),), "verdicts": {desk(1): "answered"}}
    return Truth(calls=(answered(desk, 2, caller, desk(1), 2, 9.5, **told),))


@story(14)
async def whisper(desk: Desk) -> Truth:
    """The manager whispers to the agent for 4 s: neither an offer nor a talk."""
    return await _spied_on(desk, "*56")


@story(14)
async def barge(desk: Desk) -> Truth:
    """The manager barges in for 4 s and is heard by both: neither an offer nor a talk."""
    return await _spied_on(desk, "*57")


@story(22)
async def recording_announced(desk: Desk) -> Truth:
    """The caller hears for 2 s that he is recorded, waits 2 s, the agent hears it for 4 s, and they talk 8 s."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:12")
    await desk.call(29, caller)
    await desk.over()
    told = {"talks": ((desk(1), "agent"),), "verdicts": {desk(1): "answered"}, "short_hangup": False}
    stages = (("queue", desk.queue("announced"), "answered"),)
    return Truth(calls=(answered(desk, 29, caller, desk(1), 6.5, 8, stages=stages, **told),))
