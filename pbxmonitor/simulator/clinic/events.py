"""The script of a month or a day as AMI messages in time order, as an Asterisk 22 with our event filters sends them."""

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Final

from pbxmonitor.simulator.clinic.cast import PEOPLE, QUEUE, WRAPUP
from pbxmonitor.simulator.clinic.channel import Telling
from pbxmonitor.simulator.clinic.inbound import Place, tell_inbound
from pbxmonitor.simulator.clinic.outbound import tell_outbound
from pbxmonitor.simulator.clinic.script import Away, Day, Inbound, Month, Shift
from pbxmonitor.simulator.recordings import MESSAGE_END, Recording
from pbxmonitor.simulator.wire import message

_SECOND: Final = 1_000_000
# A feature code is dialled so long before it takes effect, microseconds.
_CODE: Final = 502_000
Item = tuple[float, Callable[[Telling, int], None]]


def stream(plan: Month | Day) -> Iterator[bytes]:
    """Every message, complete with its end, in order of time; the same script gives the same bytes."""
    return (raw for _, raw in _told(plan))


def recorded(plan: Month | Day, name: str = "clinic") -> Recording:
    """The same as a recording for the simulated PBX to play."""
    events = tuple((moment / _SECOND, raw.removesuffix(MESSAGE_END)) for moment, raw in _told(plan))
    return Recording(name=name, lists=lists(), events=events)


def _told(plan: Month | Day) -> Iterator[tuple[int, bytes]]:
    """The messages with their moments, microseconds since 1970."""
    serials, order = count(1), count()
    waiting: list[tuple[int, int, bytes]] = []
    for day in plan.days if isinstance(plan, Month) else (plan,):
        midnight = round(day.midnight.timestamp()) * _SECOND
        for at, tell in sorted(_items(day), key=lambda item: item[0]):
            start = midnight + round(at * _SECOND)
            while waiting and waiting[0][0] < start:
                moment, _, raw = heappop(waiting)
                yield moment, raw
            telling = Telling(start, serials)
            tell(telling, midnight)
            for moment, raw in telling.told:
                heappush(waiting, (moment, next(order), raw))
    while waiting:
        moment, _, raw = heappop(waiting)
        yield moment, raw


def _items(day: Day) -> Iterator[Item]:
    """All that happens on the day, each with the second at which its first message comes."""
    taken = Counter(call.answerer for call in day.inbound)
    for shift in day.shifts:
        yield shift.begin, partial(_logs, shift, "QueueMemberAdded", 0)
        yield shift.end, partial(_logs, shift, "QueueMemberRemoved", taken[shift.agent])
    for away in day.aways:
        lead = _CODE / _SECOND if away.kind == "dnd" else 0.0
        yield away.begin - lead, partial(_leaves, away)
        yield away.end - lead, partial(_comes_back, away)
    for call, place in _placed(day):
        yield call.at, partial(tell_inbound, call, place)
    for dialled in day.outbound:
        yield dialled.at, partial(tell_outbound, dialled)


def _placed(day: Day) -> Iterator[tuple[Inbound, Place]]:
    """Every call with who else waits in the queue as it enters and leaves it."""
    waits = [(call.joins_at, call.joins_at + call.wait_s) for call in day.inbound if call.wait_s is not None]
    for call in day.inbound:
        came, went = call.joins_at, call.joins_at + (call.wait_s or 0.0)
        still = [begin for begin, end in waits if begin < went < end]
        others = sum(begin < came < end for begin, end in waits)
        yield call, Place(others=others, still=len(still), before=sum(begin < came for begin in still))


def _logs(shift: Shift, event: str, taken: int, telling: Telling, midnight: int) -> None:
    begun = midnight // _SECOND + round(shift.begin)
    telling.say(event, member(shift.agent, taken=taken, login=begun))


def member(agent: str, *, taken: int = 0, login: int = 0, paused: str = "", pause: int = 0) -> dict[str, str]:
    """A member of the queue as QueueMember* events describe it; `pause` is when the last one began, epoch seconds."""
    return {
        "Queue": QUEUE,
        "MemberName": PEOPLE[agent].name,
        "Interface": f"PJSIP/{agent}",
        "StateInterface": f"PJSIP/{agent}",
        "Membership": "dynamic",
        "Penalty": "0",
        "CallsTaken": str(taken),
        "LastCall": "0",
        "LastPause": str(pause),
        "LoginTime": str(login),
        "InCall": "0",
        "Status": "1",
        "Paused": "1" if paused else "0",
        "PausedReason": paused,
        "Ringinuse": "0",
        "Wrapuptime": str(WRAPUP),
    }


def _leaves(away: Away, telling: Telling, _: int) -> None:
    if away.kind == "dnd":
        _dnd(telling, away, on=True)
    elif away.kind == "offline":
        _registered(telling, away.agent, "Unreachable", "UNAVAILABLE")
    else:
        telling.say("QueueMemberPause", member(away.agent, paused=away.reason, pause=telling.now // _SECOND))


def _comes_back(away: Away, telling: Telling, midnight: int) -> None:
    if away.kind == "dnd":
        _dnd(telling, away, on=False)
    elif away.kind == "offline":
        _registered(telling, away.agent, "Reachable", "NOT_INUSE")
    else:
        telling.say("QueueMemberPause", member(away.agent, pause=midnight // _SECOND + round(away.begin)))


def _registered(telling: Telling, agent: str, peer: str, device: str) -> None:
    telling.say("PeerStatus", ChannelType="PJSIP", Peer=f"PJSIP/{agent}", PeerStatus=peer)
    telling.device(f"PJSIP/{agent}", device)


def _dnd(telling: Telling, away: Away, *, on: bool) -> None:
    """*78 or *79: the code's own call, two device states and a presence; the last of them ends the stretch."""
    begun, agent = telling.now, away.agent
    code = "*78" if on else "*79"
    phone = telling.channel(f"PJSIP/{agent}", "4", agent, ("from-internal", code), name=PEOPLE[agent].name)
    telling.becomes(phone, "6")
    telling.device(f"PJSIP/{agent}", "INUSE")
    telling.until(begun + _CODE - (0 if on else 180))
    flag = "BUSY" if on else "NOT_INUSE"
    telling.device(f"Custom:DND{agent}", flag)
    telling.device(f"Custom:DEVDND{agent}", flag)
    presence = {"Status": "dnd" if on else "available", "Subtype": away.reason, "Message": away.note}
    telling.say("PresenceStateChange", {"Presentity": f"CustomPresence:{agent}"}, presence)
    telling.until(begun + _CODE + _SECOND)
    phone.priority = "7"
    telling.orders(phone)
    telling.hangs_up(phone, "16")
    telling.device(f"PJSIP/{agent}", "NOT_INUSE")


def lists() -> tuple[bytes, ...]:
    """Items of list answers before anybody has come to work: the empty queue, phones registered, nobody in DND."""
    queue = {"Queue": QUEUE, "Max": "0", "Strategy": "random", "Calls": "0", "Holdtime": "0", "TalkTime": "0"}
    numbers = {"Completed": "0", "Abandoned": "0", "ServiceLevel": "0", "ServicelevelPerf": "0.0", "Weight": "0"}
    devices = [f"PJSIP/{agent}" for agent in PEOPLE] + [f"Custom:DND{agent}" for agent in PEOPLE]
    items = [{"Event": "QueueParams", **queue, **numbers}]
    items += [{"Event": "DeviceStateChange", "Device": device, "State": "NOT_INUSE"} for device in devices]
    return tuple(message({**item, "ActionID": "lists"}).removesuffix(MESSAGE_END) for item in items)
