"""FreePBX: codes of the phones, pickup and transfers

Do not disturb (*78 *79 *76), call forward (*72 *73, when busy *90 *91), pickup (*8, **EXTENSION), transfers by code.
"""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Interval, Truth

ELSEWHERE = "answered_elsewhere"
MAILBOX, PLAIN, GROUP, QUEUE = 41, 42, 43, 47


async def _code(desk: Desk, phone: int, code: str) -> None:
    await desk.dial(phone, code, stay=5)
    await desk.over()


@story(14, short=True)
async def freepbx_dnd_direct(desk: Desk) -> Truth:
    """She dials *78; a call straight to her extension is refused without a ring; *79. DND is seen, a miss is not."""
    caller = desk.customer()
    await _code(desk, 12, "*78")
    await desk.call(PLAIN, caller, stay=20)
    await desk.over()
    await _code(desk, 12, "*79")
    call = lost(
        desk, PLAIN, caller, "busy", "refused", 0, stages=(("dial", desk(12), "busy"),),
        offers=((desk(12), "busy"),), verdicts={desk(12): "refused"},
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(12), state="dnd"),))


@story(22)
async def freepbx_dnd_of_a_whole_group(desk: Desk) -> Truth:
    """All three of a ring group are in DND: FreePBX rings nobody and hangs up. Nobody was there, nobody missed it."""
    caller = desk.customer()
    for phone in (11, 12, 13):
        await _code(desk, phone, "*78")
    await desk.call(GROUP, caller, stay=20)
    await desk.over()
    for phone in (11, 12, 13):
        await _code(desk, phone, "*79")
    call = lost(
        desk, GROUP, caller, "unreachable", "no_agents", 0, offers=(), talks=(), verdicts={},
        stages=(("dial", desk.service(60), "unreachable"),),
    )  # fmt: skip
    return Truth(calls=(call,), intervals=tuple(Interval(agent=desk(n), state="dnd") for n in (11, 12, 13)))


@story(18)
async def freepbx_dnd_in_a_queue(desk: Desk) -> Truth:
    """She switches DND on by *76; her queue rings the colleague only, who answers after 2 s; *76 switches it off."""
    caller = desk.customer()
    await _code(desk, 11, "*76")
    await desk.behave(12, "answer:2:7")
    await desk.call(QUEUE, caller)
    await desk.over()
    await _code(desk, 11, "*76")
    call = answered(
        desk, QUEUE, caller, desk(12), 2, 7.5, offers=((desk(12), "answered"),), verdicts={desk(12): "answered"}
    )
    return Truth(calls=(call,), intervals=(Interval(agent=desk(11), state="dnd"),))


@story(20)
async def freepbx_dnd_voicemail(desk: Desk) -> Truth:
    """DND, and a call straight to her extension: no ring, the mailbox at once, to which the caller speaks for 6 s."""
    caller = desk.customer()
    await _code(desk, 11, "*78")
    await desk.call(MAILBOX, caller, stay=6, patience=30)
    await desk.over()
    await _code(desk, 11, "*79")
    call = lost(
        desk, MAILBOX, caller, "abandoned", "refused", 6, talks=(), offers=((desk(11), "busy"),),
        stages=(("dial", desk(11), "busy"), ("voicemail", desk(11), "abandoned")), verdicts={desk(11): "refused"},
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(11), state="dnd"),))


@story(20, short=True)
async def freepbx_forward_to_mobile(desk: Desk) -> Truth:
    """She forwards her extension by *72 and her mobile's number; it answers a call to her after 2 s; *73."""
    caller = desk.customer()
    await _code(desk, 12, f"*72{desk.mobile}")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(PLAIN, caller)
    await desk.over()
    await _code(desk, 12, "*73")
    call = answered(
        desk, PLAIN, caller, desk(12), 2, 7.5, stages=(("external", desk.mobile, "answered"),),
        offers=((desk(12), "answered"),), talks=((desk(12), "agent"),), verdicts={desk(12): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(12), state="ready", reason="forwarded"),))


@story(24)
async def freepbx_forward_missed(desk: Desk) -> Truth:
    """Forwarded to her mobile, which rings 15 s in vain: her miss, and hers alone."""
    caller = desk.customer()
    await _code(desk, 12, f"*72{desk.mobile}")
    await desk.behave(desk.mobile, "ring")
    await desk.call(PLAIN, caller, stay=30)
    await desk.over()
    await _code(desk, 12, "*73")
    call = lost(
        desk, PLAIN, caller, "no_answer", "ignored", 15, stages=(("external", desk.mobile, "no_answer"),),
        offers=((desk(12), "rna"),), talks=(), verdicts={desk(12): "missed"},
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(12), state="ready", reason="forwarded"),))


@story(20)
async def freepbx_forward_to_a_colleague(desk: Desk) -> Truth:
    """Forwarded to a colleague's extension, who answers after 2 s: his phone rang, he talked; she has no part in it."""
    caller = desk.customer()
    await _code(desk, 12, f"*72{desk(13)}")
    await desk.behave(13, "answer:2:7")
    await desk.call(PLAIN, caller)
    await desk.over()
    await _code(desk, 12, "*73")
    call = answered(
        desk, PLAIN, caller, desk(13), 2, 7.5, stages=(("dial", desk(13), "answered"),),
        offers=((desk(13), "answered"),), talks=((desk(13), "agent"),), verdicts={desk(13): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(12), state="ready", reason="forwarded"),))


@story(22)
async def freepbx_forward_when_busy(desk: Desk) -> Truth:
    """*90 and a mobile's number: her phone says 486, and the call goes to the mobile, which answers after 2 s; *91."""
    caller = desk.customer()
    await _code(desk, 12, f"*90{desk.mobile}")
    await desk.behave(12, "busy")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(PLAIN, caller)
    await desk.over()
    await _code(desk, 12, "*91")
    call = answered(
        desk, PLAIN, caller, desk.mobile, 2, 7.5, offers=((desk(12), "busy"),), verdicts={desk(12): "refused"},
        stages=(("dial", desk(12), "busy"), ("external", desk.mobile, "answered")),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22)
async def freepbx_queue_member_forwarded(desk: Desk) -> Truth:
    """A member forwards by *72 to her mobile: the queue's call rings it and it answers after 2 s. She answered."""
    caller = desk.customer()
    await _code(desk, 11, f"*72{desk.mobile}")
    await desk.behave(desk.mobile, "answer:2:7")
    await desk.call(QUEUE, caller)
    await desk.over()
    await _code(desk, 11, "*73")
    offers = ((desk(11), "answered"), (desk(12), ELSEWHERE))
    call = answered(
        desk, QUEUE, caller, desk(11), 2, 7.5, stages=(("queue", desk.service(40), "answered"),), offers=offers,
        talks=((desk(11), "agent"),), verdicts=dict(offers),
    )  # fmt: skip
    return Truth(calls=(call,), intervals=(Interval(agent=desk(11), state="ready", reason="forwarded"),))


@story(14)
async def freepbx_group_pickup(desk: Desk) -> Truth:
    """An extension rings; a colleague of its pickup group takes the call by *8 after 3 s and talks 7 s."""
    caller = desk.customer()
    await desk.call(PLAIN, caller)
    await desk.wait_for(lambda: desk.rings(12))
    await asyncio.sleep(3)
    await desk.dial(13, "*8", stay=7)
    await desk.over()
    call = answered(
        desk, PLAIN, caller, desk(13), 3, 7, talks=((desk(13), "agent"),),
        verdicts={desk(12): ELSEWHERE, desk(13): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(14)
async def freepbx_directed_pickup(desk: Desk) -> Truth:
    """An extension rings; a colleague takes exactly that call by ** and its number after 3 s and talks 7 s."""
    caller = desk.customer()
    await desk.call(MAILBOX, caller)
    await desk.wait_for(lambda: desk.rings(11))
    await asyncio.sleep(3)
    await desk.dial(12, f"**{desk(11)}", stay=7)
    await desk.over()
    call = answered(
        desk, MAILBOX, caller, desk(12), 3, 7, talks=((desk(12), "agent"),),
        verdicts={desk(11): ELSEWHERE, desk(12): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(22)
async def freepbx_blind_transfer(desk: Desk) -> Truth:
    """Inside the house: the first presses #1 and a colleague's extension; the colleague answers after 2 s."""
    caller = desk.customer()
    await desk.behave(11, f"answer:2:25:ww#1ww{desk(12)}")
    await desk.behave(12, "answer:2:7")
    await desk.call(MAILBOX, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(MAILBOX), cause=None, colour="green", wait_s=2, answered_by=desk(11),
        ended_by="agent", short_hangup=False, stages=(("dial", desk(11), "answered"), ("dial", desk(12), "answered")),
        talks=((desk(11), "transfer"), (desk(12), "agent")), verdicts={desk(11): "answered", desk(12): "answered"},
        transfers=(("blind", desk(11), desk(12)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(26)
async def freepbx_attended_transfer(desk: Desk) -> Truth:
    """Inside the house: the first asks a colleague (*2), who answers, and hangs up; the caller talks on with him."""
    caller = desk.customer()
    await desk.behave(11, f"answer:2:8:ww*2ww{desk(12)}")
    await desk.behave(12, "answer:2:16")
    await desk.call(MAILBOX, caller)
    await desk.over()
    call = Call(
        caller=caller, called=desk.line(MAILBOX), cause=None, colour="green", wait_s=2, answered_by=desk(11),
        ended_by="agent", stages=(("dial", desk(11), "answered"), ("dial", desk(12), "answered")),
        talks=((desk(11), "transfer"), (desk(12), "agent")), verdicts={desk(11): "answered", desk(12): "answered"},
        transfers=(("attended", desk(11), desk(12)),),
    )  # fmt: skip
    return Truth(calls=(call,))


@story(10)
async def freepbx_internal_call(desk: Desk) -> Truth:
    """An extension calls an extension, who answers after 1 s and talks 3 s: never a customer, never a miss."""
    await desk.behave(12, "answer:1:3")
    await desk.dial(11, desk(12))
    await desk.over()
    call = Call(
        caller=desk(11), called=desk(12), direction="internal", cause=None, colour=None, wait_s=1, talk_s=3.5,
        answered_by=desk(12), talks=((desk(12), "agent"),), verdicts={},
    )  # fmt: skip
    return Truth(calls=(call,))
