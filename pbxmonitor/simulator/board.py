"""What the simulated PBX would say is so now: begun by a recording's lists, kept up by its events."""

from collections.abc import Callable, Iterable
from typing import Final

from pbxmonitor.pbx.asterisk.frames import EVERYTHING, Frame, parse
from pbxmonitor.simulator.wire import Fields, message

Row = dict[str, str]
Key = tuple[str, ...]
_MEMBER_EVENTS: Final = frozenset(
    ["QueueMemberAdded", "QueueMemberPause", "QueueMemberStatus", "QueueMemberPenalty", "QueueMemberRinginuse"]
)
_CHANNEL_EVENTS: Final = frozenset(["Newchannel", "Newstate", "NewCallerid"])
# The answers that are lists: what the action sends, what its end is called (Asterisk 22's spelling).
_QUEUES: Final = ("QueueParams", "QueueMember", "QueueEntry")
_LISTS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "queuestatus": (_QUEUES, "QueueStatusComplete"),
    "devicestatelist": (("DeviceStateChange",), "DeviceStateListComplete"),
    "presencestatelist": (("PresenceStateChange",), "PresenceStateListComplete"),
    "coreshowchannels": (("CoreShowChannel",), "CoreShowChannelsComplete"),
    "pjsipshowcontacts": (("ContactList",), "ContactListComplete"),
    "pjsipshowendpoints": ((), "EndpointListComplete"),
    "queuesummary": ((), "QueueSummaryComplete"),
    "extensionstatelist": ((), "ExtensionStateListComplete"),
    "bridgelist": ((), "BridgeListComplete"),
}
_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "QueueParams": ("Queue",),
    "QueueMember": ("Queue", "Location"),
    "QueueEntry": ("Queue", "Uniqueid"),
    "DeviceStateChange": ("Device",),
    "PresenceStateChange": ("Presentity",),
    "CoreShowChannel": ("Uniqueid",),
    "ContactList": ("ObjectName",),
}


class Board:
    """Members, device states, presences, channels: each a table of rows, in Asterisk's own headers."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[Key, Row]] = {kind: {} for kind in _KEYS}
        self._rules: dict[str, Callable[[Row], None]] = {
            **dict.fromkeys(_MEMBER_EVENTS, self._member),
            **dict.fromkeys(_CHANNEL_EVENTS, self._channel),
            "QueueMemberRemoved": self._unmember,
            "BridgeEnter": self._bridged,
            "BridgeLeave": self._unbridged,
            "Hangup": self._hung_up,
            "Rename": self._renamed,
            "QueueCallerJoin": self._joined,
            "QueueCallerLeave": self._left,
            "DeviceStateChange": self._device,
            "PresenceStateChange": self._presence,
        }

    def begin(self, items: Iterable[bytes]) -> None:
        """Forget what was, and be what these items of list answers say."""
        for table in self._tables.values():
            table.clear()
        for raw in items:
            frame = _frame(raw)
            self._put(frame.event, _plain(frame))

    def take(self, raw: bytes) -> Frame:
        """Let an event have happened; its frame."""
        frame = _frame(raw)
        rule = self._rules.get(frame.event)
        if rule is not None:
            rule(_plain(frame))
        return frame

    def rows(self, kind: str) -> list[Row]:
        """The rows of that list item (`DeviceStateChange`), oldest first."""
        return list(self._tables[kind].values())

    def answer(self, action: str, action_id: Fields) -> list[bytes] | None:
        """The complete list answer to an action; None if that action is not answered with a list."""
        if action.lower() not in _LISTS:
            return None
        kinds, end = _LISTS[action.lower()]
        head = {"Response": "Success", **action_id, "EventList": "start", "Message": f"{action} will follow"}
        items = [message({"Event": kind, **action_id, **row}) for kind in kinds for row in self.rows(kind)]
        tail = {"Event": end, **action_id, "EventList": "Complete", "ListItems": str(len(items))}
        return [message(head), *items, message(tail)]

    def _put(self, kind: str, row: Row) -> None:
        key = tuple(row.get(header, "") for header in _KEYS[kind])
        table = self._tables[kind]
        table[key] = table.get(key, {}) | row

    def _drop(self, kind: str, *key: str) -> None:
        self._tables[kind].pop(key, None)

    def _member(self, row: Row) -> None:
        named = {"Queue": row["Queue"], "Name": row.pop("MemberName", ""), "Location": row.pop("Interface", "")}
        self._put("QueueMember", named | row)

    def _unmember(self, row: Row) -> None:
        self._drop("QueueMember", row["Queue"], row["Interface"])

    def _channel(self, row: Row) -> None:
        self._put("CoreShowChannel", row)

    def _bridged(self, row: Row) -> None:
        self._put("CoreShowChannel", {**_of_channel(row), "BridgeId": row["BridgeUniqueid"]})

    def _unbridged(self, row: Row) -> None:
        self._put("CoreShowChannel", {**_of_channel(row), "BridgeId": ""})

    def _hung_up(self, row: Row) -> None:
        self._drop("CoreShowChannel", row["Uniqueid"])

    def _renamed(self, row: Row) -> None:
        self._put("CoreShowChannel", {"Channel": row["Newname"], "Uniqueid": row["Uniqueid"]})

    def _joined(self, row: Row) -> None:
        self._put("QueueEntry", row)

    def _left(self, row: Row) -> None:
        self._drop("QueueEntry", row["Queue"], row["Uniqueid"])

    def _device(self, row: Row) -> None:
        self._put("DeviceStateChange", row)

    def _presence(self, row: Row) -> None:
        self._put("PresenceStateChange", row)


def _frame(raw: bytes) -> Frame:
    frame = parse(raw, 0.0, EVERYTHING)
    if frame is None:
        raise ValueError("neither an event nor a response")
    return frame


def _plain(frame: Frame) -> Row:
    """The headers that a list item has too: none of the envelope, and (as from Asterisk) no Timestamp."""
    return {k: v for k, v in frame.headers.items() if k not in ("Event", "Privilege", "Timestamp", "ActionID")}


def _of_channel(row: Row) -> Row:
    return {header: value for header, value in row.items() if not header.startswith("Bridge")}
