"""Streams as they are: numbers and names of every kind, agents who move, calls that robots and clicks make.

Lines 36 and 37 of docker/asterisk/etc/pbx/door.conf.
"""

import asyncio

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, outbound, story
from tests.rig.truth import Call, Truth

LONG_NAME = "Очень длинное имя " * 11 + "Я!"  # 200 characters
NAMES = ("Анна Иванова", "Зоя 🦷 улыбка 😀", "O'Brien; DROP")


@story(28)
async def one_number_in_five_formats(desk: Desk) -> Truth:
    """+7, 8, 7, ten digits and with punctuation: five calls of one customer, each given up in the menu after 6 s."""
    caller = desk.customer()
    digits = caller.removeprefix("+7")
    written = f"+7 ({digits[:3]}) {digits[3:6]}-{digits[6:]}"
    for number in (caller, f"8{digits}", f"7{digits}", digits, written):
        await desk.call(7, number, stay=6)
        await asyncio.sleep(4)  # sooner they would be one call over two trunks
    await desk.over()
    call = lost(desk, 7, caller, "abandoned", "ivr", 6, stages=(("ivr", desk.line(7), "abandoned"),))
    return Truth(calls=(call,) * 5)


@story(14)
async def callers_who_are_no_numbers(desk: Desk) -> Truth:
    """Withheld, restricted, alphanumeric, an address: given up in the menu after 6 s; nobody can be called back."""
    for number in ("anonymous", "restricted", "MegaFon", "alice"):
        await desk.call(7, number, stay=6)
        await asyncio.sleep(0.5)
    await desk.over()
    stages = (("ivr", desk.line(7), "abandoned"),)
    return Truth(
        calls=tuple(
            lost(desk, 7, caller, "abandoned", "ivr", 6, stages=stages) for caller in (None, None, "MegaFon", "alice")
        )
    )


@story(14)
async def names_of_every_kind(desk: Desk) -> Truth:
    """Callers' names in Cyrillic, with emoji, of 200 characters and with quotes: the calls are as any others."""
    callers = [desk.customer() for _ in range(len(NAMES) + 1)]
    for caller, name in zip(callers[1:], NAMES, strict=True):
        await desk.call(7, caller, stay=6, name=name)
        await asyncio.sleep(0.5)
    async with desk.second_provider("calls_and_leaves", 7, callers[0], stay=6, shown=LONG_NAME):
        await desk.over()
    return Truth(calls=tuple(lost(desk, 7, caller, "abandoned", "ivr", 6) for caller in callers))


@story(30)
async def agent_renamed_in_between(desk: Desk) -> Truth:
    """Between two calls the first agent marries and has another name in the queue: it is the same phone and person."""
    before, after, queue = desk.customer(), desk.customer(), desk.queue("reception")
    await desk.behave(1, "answer:2:7")
    await desk.call(2, before)
    await desk.over()
    await desk.rig.rename_member(queue, desk(1), "Анна Петрова")
    await desk.call(2, after)
    await desk.over()
    await desk.rig.restore_members(queue)
    verdicts = {desk(1): "answered"}
    return Truth(calls=tuple(answered(desk, 2, who, desk(1), 2, 7.5, verdicts=verdicts) for who in (before, after)))


@story(30)
async def agent_moved_in_between(desk: Desk) -> Truth:
    """Between two calls the first agent moves to phone 6, with her name: each call is with the phone that rang."""
    before, after, queue = desk.customer(), desk.customer(), desk.queue("reception")
    await desk.behave(1, "answer:2:7")
    await desk.call(2, before)
    await desk.over()
    await desk.rig.move_member(queue, desk(1), desk(6))
    await desk.behave(6, "answer:2:7")
    for other in (2, 3):
        await desk.rig.pause(desk(other), True, queue=queue)
    await desk.call(2, after)
    await desk.over()
    for other in (2, 3):
        await desk.rig.pause(desk(other), False, queue=queue)
    await desk.rig.restore_members(queue)
    calls = (
        answered(desk, 2, before, desk(1), 2, 7.5, verdicts={desk(1): "answered"}),
        answered(desk, 2, after, desk(6), 2, 7.5, verdicts={desk(6): "answered"}),
    )
    return Truth(calls=calls)


@story(20)
async def two_members_of_one_name(desk: Desk) -> Truth:
    """Two members are called Вера: the first lets it ring, the second answers after 2 s. Phones tell them apart."""
    caller = desk.customer()
    await desk.behave(3, "answer:2:7")
    await desk.call(36, caller)
    await desk.over()
    call = answered(
        desk, 36, caller, desk(3), 8, 7.5, offers=((desk(2), "rna"), (desk(3), "answered")),
        verdicts={desk(2): "missed", desk(3): "answered"},
    )  # fmt: skip
    return Truth(calls=(call,))


@story(16)
async def click_to_call_over_ari(desk: Desk) -> Truth:
    """Click-to-call: the agent picks up his ringing phone, then the customer's rings, who answers after 2 s."""
    customer = desk.customer()
    await desk.behave(1, "answer:1:30")
    await desk.behave(customer, "answer:2:7")
    await desk.rig.click(desk(1), customer)
    await desk.over()
    call = outbound(
        desk, 1, customer, answered_by=customer, wait_s=2, talk_s=7.5, ended_by="caller", talks=((desk(1), "caller"),)
    )
    return Truth(calls=(call,))


@story(20)
async def robot_calls_and_an_agent_talks(desk: Desk) -> Truth:
    """Predictive dialling: the PBX calls the customer, who answers; the first agent takes him after 2 s, talks 7 s."""
    customer = desk.customer()
    await desk.behave(customer, "answer:1:60")
    await desk.behave(1, "answer:2:7")
    await desk.robot(customer)
    await desk.over()
    return Truth(calls=(_robots(customer, talk_s=7.5, answered_by=customer, talks=((desk(1), "agent"),)),))


@story(20)
async def robot_calls_in_vain(desk: Desk) -> Truth:
    """Predictive dialling: the customer lets it ring for 12 s; no agent is ever rung."""
    customer = desk.customer()
    await desk.behave(customer, "ring")
    await desk.robot(customer, patience=12)
    await desk.over()
    return Truth(calls=(_robots(customer, "no_answer", talk_s=0, answered_by=None, offers=(), talks=()),))


@story(16)
async def robot_calls_and_nobody_talks(desk: Desk) -> Truth:
    """Predictive dialling, silent call: the customer answers, waits 5 s for an agent and hangs up. Nobody's miss."""
    customer = desk.customer()
    await desk.behave(customer, "answer:1:5")
    await desk.robot(customer)
    await desk.over()
    return Truth(calls=(_robots(customer, "abandoned", talk_s=0, answered_by=None, talks=()),))


def _robots(customer: str, disposition: str = "answered", **told: object) -> Call:
    """An outbound call that nobody of the house dialled."""
    fields: dict[str, object] = {"cause": None, "colour": None, "verdicts": {}, "short_hangup": False} | told
    return Call(caller=None, called=customer, direction="outbound", disposition=disposition, **fields)  # type: ignore[arg-type]


@story(18, heard=((6, 60),))
async def heard_from_the_middle_of_a_talk(desk: Desk) -> Truth:
    """A tape that begins in mid-call: the agent answered after 2 s and talks 9 s; we come 3 s into the talk."""
    return await _one_call(desk, ring=2, talk=9)


@story(20, heard=((3, 60),))
async def heard_from_the_middle_of_a_ring(desk: Desk) -> Truth:
    """A tape that begins while the phone rings: it is answered after 4.5 s; the queue and the ring began before us."""
    return await _one_call(desk, ring=4.5, talk=7)


@story(18, heard=((0, 6),))
async def heard_until_the_middle_of_a_talk(desk: Desk) -> Truth:
    """A tape that ends in mid-call: the talk goes on after its last event."""
    return await _one_call(desk, ring=2, talk=9)


@story(20, heard=((0, 5), (8, 60)))
async def heard_with_a_gap_in_the_talk(desk: Desk) -> Truth:
    """Two connections in one tape: the link is lost and comes back in the middle of one talk."""
    return await _one_call(desk, ring=2, talk=10)


@story(24, heard=((0, 5), (17, 60)))
async def heard_with_a_gap_over_the_end(desk: Desk) -> Truth:
    """Two connections in one tape: the call ends while the link is lost; the queue's log would tell how."""
    truth = await _one_call(desk, ring=2, talk=9)
    await asyncio.sleep(6)
    return truth


@story(22, heard=((0, 2), (8, 60)))
async def heard_with_a_gap_over_the_answer(desk: Desk) -> Truth:
    """Two connections in one tape: the phone rings when the link is lost, and they talk when it comes back."""
    return await _one_call(desk, ring=4, talk=9)


async def _one_call(desk: Desk, ring: float, talk: float) -> Truth:
    caller = desk.customer()
    await desk.behave(1, f"answer:{ring}:{talk}")
    await desk.call(2, caller)
    await desk.over()
    return Truth(calls=(answered(desk, 2, caller, desk(1), ring, talk + 0.5, verdicts={desk(1): "answered"}),))


@story(12)
async def second_trunk_after_the_first(desk: Desk) -> Truth:
    """One call over two trunks: the provider rings 1 s through one, cancels it and comes by the other; 101 answers."""
    caller = desk.customer()
    await desk.behave(1, "answer:4:7")
    async with desk.second_provider("gives_up", 5, caller, stay=1):
        await desk.wait_for(lambda: desk.rings(1))
        await desk.call(5, caller)
        await desk.over()
    call = answered(desk, 5, caller, desk(1), 4, 7.5, verdicts={desk(1): "answered"})
    return Truth(calls=(call,))
