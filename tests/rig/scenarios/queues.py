"""Calls to queues: rings, answers, misses, refusals, short hangups, full and empty queues."""

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, story
from tests.rig.truth import Call, Truth


def _sales(desk: Desk, results: tuple[str, str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((desk(n), result) for n, result in enumerate(results, 1))


ELSEWHERE = "answered_elsewhere"


@story(14, short=True)
async def ringall_answered(desk: Desk) -> Truth:
    """Three phones ring together; the first answers after 3 s, talks 8 s, and the agent hangs up."""
    caller = desk.customer()
    await desk.behave(1, "answer:3:8")
    await desk.call(1, caller, name="Пётр")
    await desk.over()
    offers = _sales(desk, ("answered", ELSEWHERE, ELSEWHERE))
    call = answered(
        desk,
        1,
        caller,
        desk(1),
        3,
        8.5,
        short_hangup=False,
        stages=(("queue", desk.queue("sales"), "answered"),),
        offers=offers,
        talks=((desk(1), "agent"),),
        verdicts=dict(offers),
    )
    return Truth(calls=(call,))


@story(58)
async def ringall_nobody(desk: Desk) -> Truth:
    """Nobody answers: everybody for 30 s, one by one for 12 s, then phone 6 for 10 s; the PBX hangs up."""
    caller = desk.customer()
    await desk.call(1, caller, stay=90)
    await desk.over()
    stages = (
        ("queue", desk.queue("sales"), "timeout"),
        ("queue", desk.queue("reception"), "timeout"),
        ("dial", desk(6), "no_answer"),
    )
    call = lost(
        desk, 1, caller, "no_answer", "ignored", 52, stages=stages, verdicts={desk(n): "missed" for n in (1, 2, 3, 6)}
    )
    return Truth(calls=(call,))


@story(10, short=True)
async def ringall_abandon(desk: Desk) -> Truth:
    """The caller hangs up after 6 s while three phones ring: three people missed him."""
    caller = desk.customer()
    await desk.call(1, caller, stay=6)
    await desk.over()
    call = lost(
        desk,
        1,
        caller,
        "abandoned",
        "ignored",
        5.5,
        stages=(("queue", desk.queue("sales"), "abandoned"),),
        offers=_sales(desk, ("caller_gave_up",) * 3),
        talks=(),
        verdicts={desk(n): "missed" for n in (1, 2, 3)},
    )
    return Truth(calls=(call,))


@story(5)
async def ringall_short_abandon(desk: Desk) -> Truth:
    """The caller gives up after a second: nobody could have answered, nobody is to blame."""
    caller = desk.customer()
    await desk.call(1, caller, stay=1)
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(1),
        disposition="abandoned",
        cause="short_abandon",
        colour=None,
        wait_s=0.5,
        ended_by="caller",
        verdicts={desk(n): "not_counted" for n in (1, 2, 3)},
    )
    return Truth(calls=(call,))


@story(20, short=True)
async def linear_rna_decline_answer(desk: Desk) -> Truth:
    """One by one: the first lets it ring, the second declines after 1 s, the third answers after 2 s and talks 6 s."""
    caller = desk.customer()
    await desk.behave(2, "decline:1")
    await desk.behave(3, "answer:2:6")
    await desk.call(2, caller)
    await desk.over()
    call = answered(
        desk,
        2,
        caller,
        desk(3),
        9,
        6.5,
        short_hangup=False,
        stages=(("queue", desk.queue("reception"), "answered"),),
        offers=((desk(1), "rna"), (desk(2), "declined"), (desk(3), "answered")),
        verdicts={desk(1): "missed", desk(2): "missed", desk(3): "answered"},
    )
    return Truth(calls=(call,))


@story(8, short=True)
async def short_hangup_agent(desk: Desk) -> Truth:
    """The agent picks up after 2 s and drops the caller after 2 s: answered, and lost all the same."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:2")
    await desk.call(1, caller)
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(1),
        lost=True,
        cause="dropped",
        colour="red",
        wait_s=2,
        talk_s=2.5,
        answered_by=desk(1),
        ended_by="agent",
        short_hangup=True,
        verdicts=dict(_sales(desk, ("answered", ELSEWHERE, ELSEWHERE))),
    )
    return Truth(calls=(call,))


@story(9)
async def caller_hangs_up_first(desk: Desk) -> Truth:
    """The caller himself hangs up 4 s into the talk: nothing against the agent."""
    caller = desk.customer()
    await desk.behave(1, "answer:2:30")
    await desk.call(2, caller, stay=6)
    await desk.over()
    call = answered(
        desk, 2, caller, desk(1), 2, 3.5, ended_by="caller", short_hangup=False, verdicts={desk(1): "answered"}
    )
    return Truth(calls=(call,))


@story(14)
async def decline_while_others_ring(desk: Desk) -> Truth:
    """All ring: the first declines after 2 s, the others ring on, the third answers at 5 s."""
    caller = desk.customer()
    await desk.behave(1, "decline:2")
    await desk.behave(3, "answer:5:4")
    await desk.call(1, caller)
    await desk.over()
    call = Call(
        caller=caller,
        called=desk.line(1),
        cause=None,
        wait_s=5,
        answered_by=desk(3),
        short_hangup=True,
        offers=_sales(desk, ("declined", ELSEWHERE, "answered")),
        verdicts={desk(1): "missed", desk(2): ELSEWHERE, desk(3): "answered"},
    )
    return Truth(calls=(call,))


@story(12, short=True)
async def queue_member_busy(desk: Desk) -> Truth:
    """The first phone says 486 at once (its own DND), the second answers."""
    caller = desk.customer()
    await desk.behave(1, "busy")
    await desk.behave(2, "answer:1:7")
    await desk.call(2, caller)
    await desk.over()
    call = answered(
        desk,
        2,
        caller,
        desk(2),
        1,
        7.5,
        offers=((desk(1), "busy"), (desk(2), "answered")),
        verdicts={desk(1): "refused", desk(2): "answered"},
    )
    return Truth(calls=(call,))


@story(12, short=True)
async def fpbx_answered(desk: Desk) -> Truth:
    """Members as FreePBX makes them (Local/...@from-queue/n): phone 4 answers after 2 s and talks 7 s."""
    caller = desk.customer()
    await desk.behave(4, "answer:2:7")
    await desk.call(3, caller)
    await desk.over()
    offers = ((desk(4), "answered"), (desk(5), ELSEWHERE))
    call = answered(
        desk,
        3,
        caller,
        desk(4),
        2,
        7.5,
        stages=(("queue", desk.queue("fpbx"), "answered"),),
        offers=offers,
        verdicts=dict(offers),
    )
    return Truth(calls=(call,))


@story(16)
async def fpbx_decline(desk: Desk) -> Truth:
    """FreePBX members: phone 4 declines after 2 s, phone 5 lets it ring; the caller leaves at 8 s."""
    caller = desk.customer()
    await desk.behave(4, "decline:2")
    await desk.call(3, caller, stay=8)
    await desk.over()
    call = lost(
        desk,
        3,
        caller,
        "abandoned",
        "declined",
        7.5,
        offers=((desk(4), "declined"), (desk(5), "caller_gave_up")),
        verdicts={desk(4): "missed", desk(5): "missed"},
    )
    return Truth(calls=(call,))
