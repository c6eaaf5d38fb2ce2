"""A call from outside, message by message: the lines, the menu, the queue, the phones it rings, the talk, the end."""

from dataclasses import dataclass
from typing import Final

from pbxmonitor.simulator.clinic.cast import CLOSED_S, PEOPLE, QUEUE
from pbxmonitor.simulator.clinic.channel import Channel, Telling
from pbxmonitor.simulator.clinic.script import Inbound, Ring, RingEnd

_SECOND: Final = 1_000_000
_MENU: Final = 500_000
# How long before the queue says that it calls an agent his channel is born, microseconds.
_BORN: Final = 600
_REFUSALS: Final = {RingEnd.DECLINED: ("21", "603"), RingEnd.BUSY: ("17", "486")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who else waits: `others` as he comes, `still` as he goes, of whom `before` had come earlier."""

    others: int = 0
    still: int = 0
    before: int = 0

    @property
    def joined(self) -> dict[str, str]:
        return {"Queue": QUEUE, "Position": str(self.others + 1), "Count": str(self.others + 1)}

    @property
    def left(self) -> dict[str, str]:
        return {"Queue": QUEUE, "Position": str(self.before + 1), "Count": str(self.still)}


def tell_inbound(call: Inbound, place: Place, telling: Telling, midnight: int) -> None:
    """All messages of that call; `midnight` of its day in microseconds since 1970."""
    caller = telling.channel("PJSIP/trunk", "4", call.number or "anonymous", ("from-trunk", call.line))
    telling.becomes(caller, "6")
    joins = midnight + round(call.joins_at * _SECOND)
    if call.menu_s is not None:
        telling.until(midnight + round(call.at * _SECOND) + _MENU)
        _menu(telling, caller, call)
    telling.until(joins - 90)
    if call.wait_s is None:
        _leaves(telling, caller, asked=not call.closed or (call.menu_s or 0.0) < CLOSED_S)
        return
    _queue(telling, caller, call, place, joins)


def _menu(telling: Telling, caller: Channel, call: Inbound) -> None:
    """A recorded voice: what to press, or when the clinic works."""
    caller.context, caller.exten, caller.priority = "closed" if call.closed else "menu", "s", "2"
    voice = "clinic-closed" if call.closed else "clinic-menu"
    telling.say("Newexten", caller.headers(), Extension="s", Application="BackGround", AppData=voice)


def _leaves(telling: Telling, caller: Channel, *, asked: bool = True) -> None:
    if asked:
        telling.asks(caller)
    telling.orders(caller)
    telling.hangs_up(caller, "16")


def _queue(telling: Telling, caller: Channel, call: Inbound, place: Place, joins: int) -> None:
    if caller.context == "menu":
        caller.exten, caller.priority = "1", "1"
    else:
        caller.priority = "2"
    app = {"Extension": caller.exten, "Application": "Queue", "AppData": f"{QUEUE},tT,,,300"}
    telling.say("Newexten", caller.headers(), app)
    telling.say("QueueCallerJoin", caller.headers(), place.joined)
    for ring in call.rings:
        phone = _rings(telling, caller, ring, joins)
        if ring.end is RingEnd.ANSWERED:
            _talks(telling, caller, phone, call, ring, place)
            return
        if ring.end is RingEnd.GAVE_UP:
            _gives_up(telling, caller, place, phone)
            return
    telling.until(joins + round((call.wait_s or 0.0) * _SECOND))
    _gives_up(telling, caller, place, None)


def _rings(telling: Telling, caller: Channel, ring: Ring, joins: int) -> Channel:
    """A phone called; it has rung its time when this returns, and is gone if it ran out or refused."""
    begins, name = joins + round(ring.after_s * _SECOND), PEOPLE[ring.agent].name
    telling.until(begins - _BORN)
    place = ("from-internal", "s")
    device = f"PJSIP/{ring.agent}"
    phone = telling.channel(device, "0", ring.agent, place, name, caller.linkedid)
    telling.until(begins)
    agent = {"Queue": QUEUE, "Interface": device, "MemberName": name}
    called = {**phone.headers("Dest"), "DestConnectedLineNum": caller.number, "DestExten": caller.exten}
    telling.say("AgentCalled", caller.headers(), called, agent)
    telling.say("DialBegin", caller.headers(), phone.headers("Dest"), DialString=device)
    if ring.end is not RingEnd.BUSY:
        phone.connected, phone.exten = caller.number, caller.exten
        telling.becomes(phone, "5")
        telling.device(device, "RINGING")
    telling.until(begins + round(ring.lasts_s * _SECOND))
    _ends(telling, phone, ring)
    if ring.end is not RingEnd.GAVE_UP:
        caller.connected, caller.connected_name = ring.agent, name
    return phone


def _ends(telling: Telling, phone: Channel, ring: Ring) -> None:
    device = f"PJSIP/{ring.agent}"
    if ring.end is RingEnd.RNA:
        telling.hangs_up(phone, "0")
        telling.device(device, "NOT_INUSE")
    elif ring.end in _REFUSALS:
        cause, tech = _REFUSALS[ring.end]
        telling.asks(phone, cause, tech)
        telling.hangs_up(phone, cause, tech)
        if ring.end is RingEnd.DECLINED:
            telling.device(device, "NOT_INUSE")


def _gives_up(telling: Telling, caller: Channel, place: Place, phone: Channel | None) -> None:
    """The caller leaves the queue, and the phone that rang for him falls silent."""
    telling.asks(caller)
    telling.say("QueueCallerLeave", caller.headers(), place.left)
    telling.orders(caller)
    telling.hangs_up(caller, "16")
    if phone is not None:
        telling.hangs_up(phone, "0")
        telling.device(phone.name.rpartition("-")[0], "NOT_INUSE")


def _talks(telling: Telling, caller: Channel, phone: Channel, call: Inbound, ring: Ring, place: Place) -> None:
    """Picked up: both in one bridge, until one of them hangs up."""
    picked, device = telling.now, f"PJSIP/{ring.agent}"
    telling.becomes(phone, "6")
    telling.say("QueueCallerLeave", caller.headers(), place.left)
    agent = {"Queue": QUEUE, "Interface": device, "MemberName": PEOPLE[ring.agent].name}
    held = {"HoldTime": str(int(ring.ends_s)), "RingTime": str(int(ring.lasts_s))}
    telling.say("AgentConnect", caller.headers(), phone.headers("Dest"), agent, held)
    telling.device(device, "INUSE")
    telling.bridge("BridgeEnter", phone.bridge, phone, 1)
    telling.bridge("BridgeEnter", phone.bridge, caller, 2)
    talk = call.talk_s or 0.0
    telling.until(picked + round(talk * _SECOND))
    ended = {"HoldTime": held["HoldTime"], "TalkTime": str(int(talk))}
    first, second = (phone, caller) if call.by_agent else (caller, phone)
    reason = {"Reason": "agent" if call.by_agent else "caller"}
    telling.asks(first)
    telling.say("AgentComplete", caller.headers(), phone.headers("Dest"), agent, ended, reason)
    telling.bridge("BridgeLeave", phone.bridge, first, 1)
    telling.bridge("BridgeLeave", phone.bridge, second, 0)
    telling.orders(caller)
    telling.hangs_up(first, "16")
    telling.hangs_up(second, "16")
    telling.device(device, "NOT_INUSE")
