"""A call outwards through the trunk, message by message."""

from typing import Final

from pbxmonitor.simulator.clinic.cast import PEOPLE
from pbxmonitor.simulator.clinic.channel import Channel, Telling
from pbxmonitor.simulator.clinic.script import DialEnd, Outbound

_SECOND: Final = 1_000_000
_BORN: Final = 500


def tell_outbound(call: Outbound, telling: Telling, _: int) -> None:
    """All messages of that call; its ring is told from when the trunk's channel is born."""
    place, device = ("from-internal", call.dialled), f"PJSIP/{call.agent}"
    phone = telling.channel(device, "4", call.agent, place, name=PEOPLE[call.agent].name)
    app = {"Extension": call.dialled, "Application": "Dial", "AppData": f"PJSIP/{call.number}@trunk,30,tT"}
    telling.say("Newexten", phone.headers(), app)
    _status(telling, phone, "")
    began = telling.now
    client = telling.channel("PJSIP/trunk", "0", "<unknown>", ("from-trunk", "s"), linked=phone.linkedid)
    client.number, client.exten, client.connected = call.dialled, call.dialled, call.agent
    client.connected_name = phone.caller_name
    telling.say("DialBegin", phone.headers(), client.headers("Dest"), DialString=f"{call.number}@trunk")
    telling.until(began + _BORN)
    if call.end is not DialEnd.BUSY:
        telling.becomes(client, "5")
    telling.device(device, "INUSE")
    telling.until(began + round(call.rang_s * _SECOND))
    _ENDS[call.end](telling, phone, client, call)
    telling.device(device, "NOT_INUSE")


def _status(telling: Telling, phone: Channel, status: str) -> None:
    telling.say("VarSet", phone.headers(), Variable="DIALSTATUS", Value=status)


def _answered(telling: Telling, phone: Channel, client: Channel, call: Outbound) -> None:
    picked = telling.now
    telling.becomes(client, "6")
    phone.connected = call.dialled
    _status(telling, phone, "ANSWER")
    telling.becomes(phone, "6")
    client.exten = ""
    telling.bridge("BridgeEnter", client.bridge, client, 1)
    telling.bridge("BridgeEnter", client.bridge, phone, 2)
    telling.until(picked + round(call.talk_s * _SECOND))
    telling.asks(client)
    telling.bridge("BridgeLeave", client.bridge, client, 1)
    telling.hangs_up(client, "16")
    telling.bridge("BridgeLeave", client.bridge, phone, 0)
    _status(telling, phone, "ANSWER")
    telling.orders(phone)
    telling.hangs_up(phone, "16")


def _gave_up(telling: Telling, phone: Channel, client: Channel, call: Outbound) -> None:
    """Our side: the phone is put down while it rings there."""
    phone.connected = call.dialled
    telling.asks(phone, "19", "487")
    _status(telling, phone, "CANCEL")
    telling.say("SoftHangupRequest", phone.headers(), Cause="16", TechCause="487")
    telling.hangs_up(client, "19", "480")
    telling.hangs_up(phone, "19", "487")


def _busy(telling: Telling, phone: Channel, client: Channel, call: Outbound) -> None:
    telling.asks(client, "17", "486")
    telling.hangs_up(client, "17", "486")
    phone.connected = call.dialled
    _status(telling, phone, "BUSY")
    phone.priority = "2"
    telling.orders(phone)
    telling.hangs_up(phone, "17", "486")


_ENDS: Final = {DialEnd.ANSWERED: _answered, DialEnd.GAVE_UP: _gave_up, DialEnd.BUSY: _busy}
