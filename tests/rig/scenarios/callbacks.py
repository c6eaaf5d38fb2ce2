"""Missed customers who are called back, who call again, and callbacks that were none."""

from tests.rig.desk import Desk
from tests.rig.scenarios.story import answered, lost, outbound, story
from tests.rig.truth import Truth


@story(24, short=True)
async def direct_missed_callback_ok(desk: Desk) -> Truth:
    """The first agent misses a direct call of 10 s, calls back and talks 7 s: the row turns green."""
    customer = desk.customer()
    await desk.call(5, customer, stay=30)
    await desk.over()
    await desk.behave(customer, "answer:2:7")
    await desk.dial(1, customer)
    await desk.over()
    missed = lost(desk, 5, customer, "no_answer", "ignored", 10, colour="green", verdicts={desk(1): "missed"})
    back = outbound(desk, 1, customer, answered_by=customer, wait_s=2, talk_s=7.5, ended_by="caller")
    return Truth(calls=(missed, back))


@story(34)
async def missed_then_called_in_another_format(desk: Desk) -> Truth:
    """Missed in a queue; a colleague dials 8XXXXXXXXXX and gives up after 6 s, then the first agent reaches him."""
    customer = desk.customer()
    await desk.call(2, customer, stay=8)
    await desk.over()
    await desk.behave(customer, "ring")
    await desk.dial(2, "8" + customer.removeprefix("+7"), patience=6)
    await desk.over()
    await desk.behave(customer, "answer:1:7")
    await desk.dial(1, customer)
    await desk.over()
    verdicts = {desk(1): "missed", desk(2): "not_counted"}
    missed = lost(desk, 2, customer, "abandoned", "ignored", 7.5, colour="green", verdicts=verdicts)
    tried = outbound(desk, 2, customer, "abandoned", wait_s=6, talk_s=0, ended_by="caller")
    reached = outbound(desk, 1, customer, answered_by=customer, wait_s=1, talk_s=7.5)
    return Truth(calls=(missed, tried, reached))


@story(22)
async def callback_dropped_at_once(desk: Desk) -> Truth:
    """Missed; called back, the customer answers and the line drops after half a second: tried, not reached."""
    customer = desk.customer()
    await desk.call(5, customer, stay=30)
    await desk.over()
    await desk.behave(customer, "answer:3:0.5")
    await desk.dial(1, customer)
    await desk.over()
    missed = lost(desk, 5, customer, "no_answer", "ignored", 10, colour="yellow", verdicts={desk(1): "missed"})
    back = outbound(desk, 1, customer, answered_by=customer, wait_s=3, talk_s=1, ended_by="caller")
    return Truth(calls=(missed, back))


@story(22)
async def client_calls_again(desk: Desk) -> Truth:
    """He gives up after 8 s, calls again and is talked to for 8 s: closed by the customer himself."""
    customer = desk.customer()
    await desk.call(2, customer, stay=8)
    await desk.over()
    await desk.behave(1, "answer:1:8")
    await desk.call(2, customer)
    await desk.over()
    first = lost(
        desk,
        2,
        customer,
        "abandoned",
        "ignored",
        7.5,
        colour="green",
        verdicts={desk(1): "missed", desk(2): "not_counted"},
    )
    second = answered(desk, 2, customer, desk(1), 1, 8.5, short_hangup=False, verdicts={desk(1): "answered"})
    return Truth(calls=(first, second))


@story(16)
async def callback_to_a_busy_customer(desk: Desk) -> Truth:
    """Missed directly after 7 s; called back, the customer is engaged: tried, not reached."""
    customer = desk.customer()
    await desk.call(5, customer, stay=7)
    await desk.over()
    await desk.behave(customer, "busy")
    await desk.dial(1, customer)
    await desk.over()
    missed = lost(desk, 5, customer, "abandoned", "ignored", 7, colour="yellow", verdicts={desk(1): "missed"})
    return Truth(calls=(missed, outbound(desk, 1, customer, "busy", talk_s=0, ended_by="system")))


@story(8)
async def outbound_call(desk: Desk) -> Truth:
    """An agent calls somebody who never called: nobody's debt."""
    other = desk.customer()
    await desk.behave(other, "answer:1:3")
    await desk.dial(2, other)
    await desk.over()
    call = outbound(desk, 2, other, answered_by=other, wait_s=1, talk_s=3.5, talks=((desk(2), "caller"),))
    return Truth(calls=(call,))
