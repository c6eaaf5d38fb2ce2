"""Calls past the queues: direct, ring group, IVR, pickup, mobile, voicemail, internal, outbound."""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth

ELSEWHERE = "answered_elsewhere"


@story(10, short=True)
async def ring_group(desk: Desk) -> Truth:
    """Dial(1&2&3): the second answers after 2 s and talks 4 s."""
    caller = desk.customer()
    await desk.behave(2, "answer:2:4")
    await desk.call(6, caller)
    await desk.over()
    offers = ((desk(1), ELSEWHERE), (desk(2), "answered"), (desk(3), ELSEWHERE))
    call = answered(
        desk,
        6,
        caller,
        desk(2),
        2,
        4.5,
        short_hangup=True,
        stages=(("dial", f"{desk(1)}&{desk(2)}&{desk(3)}", "answered"),),
        offers=offers,
        verdicts=dict(offers),
    )
    return Truth(calls=(call,))


@story(5, short=True)
async def direct_busy(desk: Desk) -> Truth:
    """The phone says 486 at once: refused, not missed."""
    caller = desk.customer()
    await desk.behave(1, "busy")
    await desk.call(5, caller, stay=20)
    await desk.over()
    call = lost(
        desk,
        5,
        caller,
        "busy",
        "refused",
        0,
        stages=(("dial", desk(1), "busy"),),
        offers=((desk(1), "busy"),),
        verdicts={desk(1): "refused"},
    )
    return Truth(calls=(call,))


@story(7)
async def direct_declined(desk: Desk) -> Truth:
    """The phone rings 3 s and is declined by hand: missed, and the caller hears busy."""
    caller = desk.customer()
    await desk.behave(1, "decline:3")
    await desk.call(5, caller, stay=20)
    await desk.over()
    call = lost(desk, 5, caller, "busy", "declined", 3, offers=((desk(1), "declined"),), verdicts={desk(1): "missed"})
    return Truth(calls=(call,))


@story(10)
async def direct_abandon(desk: Desk) -> Truth:
    """The caller lets one phone ring for 7 s and gives up."""
    caller = desk.customer()
    await desk.call(5, caller, stay=7)
    await desk.over()
    call = lost(
        desk,
        5,
        caller,
        "abandoned",
        "ignored",
        7,
        stages=(("dial", desk(1), "abandoned"),),
        offers=((desk(1), "caller_gave_up"),),
        verdicts={desk(1): "missed"},
    )
    return Truth(calls=(call,))


@story(12)
async def unreachable_direct(desk: Desk) -> Truth:
    """The phone is not registered: a technical miss, nobody's fault."""
    caller = desk.customer()
    await desk.rig.unplug(desk(1))
    await asyncio.sleep(1)
    await desk.call(5, caller, stay=20)
    await desk.over()
    await desk.rig.plug(desk(1))
    call = lost(
        desk,
        5,
        caller,
        "unreachable",
        "technical",
        0,
        stages=(("dial", desk(1), "unreachable"),),
        offers=((desk(1), "unreachable"),),
        verdicts={desk(1): "not_counted"},
    )
    return Truth(calls=(call,))


@story(5)
async def ivr_short_abandon(desk: Desk) -> Truth:
    """The caller leaves the menu after 2 s."""
    caller = desk.customer()
    await desk.call(7, caller, stay=2)
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(7),
        disposition="abandoned",
        cause="short_abandon",
        colour=None,
        wait_s=2,
        stages=(("ivr", desk.line(7), "abandoned"),),
        offers=(),
        verdicts={},
    )
    return Truth(calls=(call,))


@story(10)
async def ivr_abandon(desk: Desk) -> Truth:
    """The caller leaves the menu after 6 s without a choice: lost in the menu."""
    caller = desk.customer()
    await desk.call(7, caller, stay=6)
    await desk.over()
    call = lost(
        desk, 7, caller, "abandoned", "ivr", 6, stages=(("ivr", desk.line(7), "abandoned"),), offers=(), verdicts={}
    )
    return Truth(calls=(call,))


@story(14, short=True)
async def ivr_then_choice(desk: Desk) -> Truth:
    """The caller presses 1 in the menu and comes to a queue, where the first agent answers."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:7")
    await desk.call(7, caller, press="ww1")
    await desk.over()
    call = answered(
        desk,
        7,
        caller,
        desk(1),
        2,
        7.5,
        stages=(("ivr", desk.line(7), "passed"), ("queue", desk.queue("reception"), "answered")),
        verdicts={desk(1): "answered"},
    )
    return Truth(calls=(call,))


@story(10, short=True)
async def pickup(desk: Desk) -> Truth:
    """The first phone rings, a colleague takes the call with *8 after 3 s and talks 7 s."""
    caller = desk.customer()
    await desk.call(5, caller)
    await desk.wait_for(lambda: desk.rings(1))
    await asyncio.sleep(3)
    await desk.dial(2, "*8", stay=7)
    await desk.over()
    call = answered(desk, 5, caller, desk(2), 3, 7, verdicts={desk(1): ELSEWHERE, desk(2): "answered"})
    return Truth(calls=(call,))


@story(18)
async def overflow_to_mobile_answered(desk: Desk) -> Truth:
    """A queue for 6 s in vain, then the manager's mobile answers through the trunk."""
    caller = desk.customer()
    await desk.behave(desk.mobile, "answer:2:4")
    await desk.call(8, caller)
    await desk.over()
    call = answered(
        desk,
        8,
        caller,
        desk.mobile,
        8,
        4.5,
        short_hangup=True,
        verdicts={desk(1): "missed"},
        stages=(("queue", desk.queue("reception"), "timeout"), ("external", desk.mobile, "answered")),
    )
    return Truth(calls=(call,))


@story(14)
async def forward_to_mobile(desk: Desk) -> Truth:
    """The phone forwards to a mobile by itself (302); the mobile answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(1, f"forward:{desk.mobile}")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(5, caller)
    await desk.over()
    call = answered(desk, 5, caller, desk.mobile, 2, 7.5)
    return Truth(calls=(call,))


@story(20)
async def voicemail(desk: Desk) -> Truth:
    """Nobody answers for 6 s; the caller speaks to the mailbox for 6 s: lost, for nobody talked to him."""
    caller = desk.customer()
    await desk.call(12, caller, stay=6, patience=20)
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(12),
        lost=True,
        cause="ignored",
        colour="red",
        disposition="abandoned",
        answered_by=None,
        verdicts={desk(1): "missed"},
    )
    return Truth(calls=(call,))


@story(12)
async def hold(desk: Desk) -> Truth:
    """The agent talks 2 s, holds the caller 3 s, talks 3 s more: one talk."""
    caller = desk.customer()
    await desk.behave(1, "hold:2:2:3:3")
    async with desk.rig.buttons():
        await desk.call(2, caller)
        await desk.over()
    call = answered(desk, 2, caller, desk(1), 2, 8.5, talks=((desk(1), "agent"),), verdicts={desk(1): "answered"})
    return Truth(calls=(call,))


@story(14)
async def listen_in(desk: Desk) -> Truth:
    """The manager listens in for 4 s: neither an offer nor a talk."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:9")
    await desk.call(2, caller)
    await asyncio.sleep(5)
    await desk.dial(6, f"*55{desk(1)}", stay=4)
    await desk.over()
    call = answered(
        desk,
        2,
        caller,
        desk(1),
        2,
        9.5,
        offers=((desk(1), "answered"),),
        talks=((desk(1), "agent"),),
        verdicts={desk(1): "answered"},
    )
    return Truth(calls=(call,))


@story(8)
async def internal_call(desk: Desk) -> Truth:
    """A colleague calls a colleague: never a customer, never a miss."""
    await desk.behave(2, "answer:1:3")
    await desk.dial(1, desk(2))
    await desk.over()
    call = Call(
        caller=desk(1),
        called=desk(2),
        direction="internal",
        cause=None,
        colour=None,
        wait_s=1,
        talk_s=3.5,
        answered_by=desk(2),
        talks=((desk(2), "agent"),),
        verdicts={},
    )
    return Truth(calls=(call,))
