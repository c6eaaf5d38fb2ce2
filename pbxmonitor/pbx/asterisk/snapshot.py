"""List answers into snapshots: a list is told by its ActionID, and counts only when it came complete."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pbxmonitor.domain import facts as f
from pbxmonitor.pbx.asterisk.frames import Frame
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.translate import INNER, Base, device_fact, leg_started, moment, presence_fact, seen_member

# What to ask after every connection; each answer's end is named after it.
QUESTIONS: Final = ("QueueStatus", "DeviceStateList", "PresenceStateList", "CoreShowChannels")
_ITEMS: Final = frozenset({"QueueMember", "DeviceStateChange", "PresenceStateChange", "CoreShowChannel"})
_UP: Final = "6"


@dataclass(slots=True)
class _List:
    items: list[Frame] = field(default_factory=list)


class SnapshotReader:
    """Collects the lists of one connection; a list that is cut short never becomes a Snapshot."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._lists: dict[str, _List] = {}

    def take(self, frame: Frame, at: datetime) -> f.Snapshot | None:
        """The Snapshot that this frame completes, else None."""
        action = frame["ActionID"]
        if not action:
            return None
        if frame.event in _ITEMS:
            self._lists.setdefault(action, _List()).items.append(frame)
            return None
        make = _ENDS.get(frame.event)
        if make is None:
            return None
        items = self._lists.pop(action, _List()).items
        if frame["EventList"].lower() == "cancelled":
            return None
        return make(self.site, items, {"node": self.site.node, "at": at, "key": f"{at.timestamp()!r}/{action}"})


def _members(site: Site, items: list[Frame], base: Base) -> f.Snapshot:
    members = tuple(seen_member(site, item) for item in items if item.event == "QueueMember")
    return f.Snapshot(**base, members=members)


def _devices(site: Site, items: list[Frame], base: Base) -> f.Snapshot:
    found = [device_fact(site, item, _item(base, item["Device"])) for item in items]
    return f.Snapshot(
        **base,
        devices=tuple(each for each in found if isinstance(each, f.DeviceSeen)),
        flags=tuple(each for each in found if isinstance(each, f.DndChanged)),
    )


def _presences(site: Site, items: list[Frame], base: Base) -> f.Snapshot:
    found = (presence_fact(site, item, _item(base, item["Presentity"])) for item in items)
    return f.Snapshot(**base, presences=tuple(each for each in found if each is not None))


def _channels(site: Site, items: list[Frame], base: Base) -> f.Snapshot:
    items = [item for item in items if not item["Channel"].startswith(INNER)]
    legs = tuple(leg_started(site, item, {**_item(base, item["Uniqueid"]), "at": _born(item, base)}) for item in items)
    return f.Snapshot(
        **base,
        legs=legs,
        answered=frozenset(item["Uniqueid"] for item in items if item["ChannelState"] == _UP),
        bridges=tuple((item["Uniqueid"], item["BridgeId"]) for item in items if item["BridgeId"]),
        pairs=_pairs(items),
    )


def _pairs(items: list[Frame]) -> tuple[tuple[str, str], ...]:
    """The two halves of each Local channel, which only their names tell: `Local/…-00000000;1` and `;2`."""
    halves = {item["Channel"]: item["Uniqueid"] for item in items if item["Channel"].startswith("Local/")}
    return tuple(
        (leg, halves[f"{name[:-1]}2"])
        for name, leg in halves.items()
        if name.endswith(";1") and f"{name[:-1]}2" in halves
    )


def _born(item: Frame, base: Base) -> datetime:
    """A channel's uniqueid begins with the second it was made in."""
    epoch = item["Uniqueid"].rpartition("-")[2].partition(".")[0]
    at: datetime = base["at"]
    return min(moment(int(epoch)), at) if epoch.isdigit() else at


def _item(base: Base, what: str) -> Base:
    return {**base, "key": f"{base['key']}/{what}"}


_ENDS: Final[dict[str, Callable[[Site, list[Frame], Base], f.Snapshot]]] = {
    "QueueStatusComplete": _members,
    "DeviceStateListComplete": _devices,
    "PresenceStateListComplete": _presences,
    "CoreShowChannelsComplete": _channels,
}
