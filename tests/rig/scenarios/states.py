"""What agents do between calls: pause, DND, offline, autopause, wrap-up, membership."""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Interval, Truth


@story(16, short=True)
async def dnd_on_off(desk: Desk) -> Truth:
    """Phone 4 dials *781 (DND, lunch); a call to its queue is answered by phone 5; then *79."""
    caller = desk.customer()
    await desk.dial(4, "*781", stay=5)
    await desk.over()
    await desk.behave(5, "answer:2:7")
    await desk.call(3, caller)
    await desk.over()
    await desk.dial(4, "*79", stay=5)
    await desk.over()
    call = answered(desk, 3, caller, desk(5), 2, 7.5, offers=((desk(5), "answered"),), verdicts={desk(5): "answered"})
    return Truth(calls=(call,), intervals=(Interval(agent=desk(4), state="dnd", reason="lunch", note="Обед"),))


@story(14, short=True)
async def pause_with_reason(desk: Desk) -> Truth:
    """Phone 1 dials *461 (pause everywhere, lunch); a call is answered by the second; then *47."""
    caller = desk.customer()
    await desk.dial(1, "*461", stay=5)
    await desk.over()
    await desk.behave(2, "answer:2:7")
    await desk.call(2, caller)
    await desk.over()
    await desk.dial(1, "*47", stay=5)
    await desk.over()
    call = answered(desk, 2, caller, desk(2), 2, 7.5, offers=((desk(2), "answered"),), verdicts={desk(2): "answered"})
    return Truth(calls=(call,), intervals=(Interval(agent=desk(1), state="paused", reason="lunch"),))


@story(14)
async def dnd_by_presence(desk: Desk) -> Truth:
    """The server sets phone 2's presence to dnd; its queue rings it all the same, and it is DND that is recorded."""
    caller = desk.customer()
    await desk.rig.presence(desk(2), "dnd,meeting,Совещание")
    await desk.behave(1, "busy")
    await desk.call(2, caller, stay=6)
    await desk.over()
    await desk.rig.presence(desk(2), "available")
    call = Call(caller=caller, called=desk.line(2), disposition="abandoned", lost=True, ended_by="caller", colour="red")
    return Truth(calls=(call,), intervals=(Interval(agent=desk(2), state="dnd", reason="meeting", note="Совещание"),))


@story(18)
async def autopause(desk: Desk) -> Truth:
    """Two members let it ring 4 s each and the queue pauses them; the caller leaves at 14 s."""
    caller = desk.customer()
    await desk.call(4, caller, stay=14)
    await desk.over()
    for phone in (2, 3):
        await desk.rig.pause(desk(phone), False, queue=desk.queue("auto"))
    queues = frozenset({desk.queue("auto")})
    paused = [Interval(agent=desk(n), state="paused", reason="Auto-Pause", queues=queues) for n in (2, 3)]
    verdicts = {desk(2): "missed", desk(3): "missed"}
    call = lost(
        desk, 4, caller, "abandoned", "ignored", 13.5, offers=((desk(2), "rna"), (desk(3), "rna")), verdicts=verdicts
    )
    return Truth(calls=(call,), intervals=tuple(paused))


@story(16)
async def wrapup(desk: Desk) -> Truth:
    """A queue that gives 3 s of peace after a call: the member who answered has a wrap-up."""
    caller = desk.customer()
    await desk.behave(2, "answer:1:7")
    await desk.behave(3, "answer:1:7")
    await desk.call(4, caller)
    await desk.over()
    await asyncio.sleep(4)
    call = Call(caller=caller, called=desk.line(4), cause=None, colour="green", wait_s=1, talk_s=7.5, ended_by="agent")
    return Truth(calls=(call,))


@story(14)
async def phone_offline(desk: Desk) -> Truth:
    """Phone 3 drops off for a while and comes back; a call meanwhile is answered by the first."""
    caller = desk.customer()
    await desk.rig.unplug(desk(3))
    await desk.behave(1, "answer:1:7")
    await desk.call(2, caller)
    await desk.over()
    await desk.rig.plug(desk(3))
    call = answered(desk, 2, caller, desk(1), 1, 7.5, verdicts={desk(1): "answered"})
    return Truth(calls=(call,), intervals=(Interval(agent=desk(3), state="offline"),))


@story(18)
async def member_vanishes_at_a_reload(desk: Desk) -> Truth:
    """Phone 6 is struck out of its only queue in queues.conf and the queue reloaded: no event says so, the lists do."""
    queue = desk.queue("lone")
    await desk.rig.strike_member(queue, desk(6))
    await asyncio.sleep(12)
    await desk.rig.restore_members(queue)
    await asyncio.sleep(12)
    return Truth(intervals=(Interval(agent=desk(6), state="logged_out"),))
