"""Who takes part in a journey: its channels, as all their rows together tell, before any of it is retold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pbxmonitor.pbx.asterisk.cel.columns import CelRow
from pbxmonitor.pbx.asterisk.dialling import dialled, leads_to
from pbxmonitor.pbx.asterisk.history import born_at
from pbxmonitor.pbx.asterisk.naming import Site, endpoint_of, number_in
from pbxmonitor.pbx.asterisk.translate import INNER

OUTGOING: Final = "(Outgoing Line)"
# The dialplan of Wazo and XiVO says itself where a call comes from or goes to.
_INWARDS: Final = frozenset({"XIVO_INCALL", "WAZO_INCALL"})
_OUTWARDS: Final = frozenset({"XIVO_OUTCALL", "WAZO_OUTCALL"})
_FROM_S: Final = "XIVO_FROM_S"
_A_MOMENT: Final = timedelta(minutes=1)
_A_DAY: Final = timedelta(days=1)
# What Asterisk does because somebody left, it does at once.
_SHORTEST_NUMBER: Final = 3
_AT_ONCE: Final = timedelta(milliseconds=250)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One channel; `leg` is its id within the journey, `placed` tells that the PBX called it, `by` with what."""

    leg: str
    name: str
    endpoint: str
    began: CelRow
    exten: str
    hangup: CelRow | None
    trunk: bool
    agent: str | None
    number: str
    placed: bool
    by: str
    answered: bool
    bridged: bool

    @property
    def local(self) -> bool:
        return self.endpoint.startswith("Local/")

    @property
    def by_queue(self) -> bool:
        """Whether a queue made it."""
        return self.by == "AppQueue"

    @property
    def left(self) -> bool:
        """Whether its own far end hung up."""
        return self.hangup is not None and self.hangup.extra.get("hangupsource") == self.name


class Cast:
    """The channels of a journey's rows, in the order in which they were made."""

    def __init__(self, site: Site, rows: Sequence[CelRow]) -> None:
        self._rows = rows
        self._legs = _legs(rows)
        self._outwards = next((row.at for row in rows if row.event in _OUTWARDS), None)
        told: dict[str, list[CelRow]] = {}
        for row in rows:
            told.setdefault(self.leg(row), []).append(row)
        self.channels: Mapping[str, Channel] = {
            leg: self._channel(site, leg, mine) for leg, mine in told.items() if mine[0].event == "CHAN_START"
        }
        self._named = {channel.name: channel for channel in self.channels.values()}

    @property
    def cut(self) -> bool:
        """Whether the journey began before these rows: its first channel has no CHAN_START here."""
        if not self.channels:
            return True
        names = {row.linkedid for row in self._rows if row.event == "CHAN_START"}
        return all(self._cut(name) for name in names)

    def _cut(self, linkedid: str) -> bool:
        if linkedid in self.channels:
            return False
        born, first = born_at(linkedid), next(iter(self.channels.values())).began.at
        lately = born is not None and _A_MOMENT < first - born < _A_DAY
        return lately or any(row.uniqueid == linkedid for row in self._rows)

    def leg(self, row: CelRow) -> str:
        """The leg that a row speaks of: its uniqueid, unless two channels go by one."""
        return self._legs.get((row.uniqueid, row.channel), row.uniqueid)

    def of(self, row: CelRow) -> Channel | None:
        """The channel that a row speaks of; None when its beginning is not told."""
        return self.channels.get(self.leg(row))

    def named(self, name: str) -> Channel | None:
        """The channel of that name."""
        return self._named.get(name)

    def _channel(self, site: Site, leg: str, rows: Sequence[CelRow]) -> Channel:
        began = rows[0]
        endpoint = endpoint_of(began.channel)
        placed = any(row.data == OUTGOING for row in rows) and not self._picks_up(leg)
        trunk = site.is_trunk(endpoint, began.context) or any(row.event in _INWARDS for row in rows)
        agent = None if trunk else _agent(site, endpoint, began.cid_num)
        after = self._outwards is not None and began.at >= self._outwards
        outside = after and agent is None and not endpoint.startswith("Local/")
        return Channel(
            leg=leg,
            name=began.channel,
            endpoint=endpoint,
            began=began,
            exten=next((row.exten for row in rows if row.event == _FROM_S), began.exten),
            hangup=next((row for row in rows if row.event == "HANGUP"), None),
            trunk=trunk or outside,
            agent=agent,
            number=next((row.cid_num for row in rows if row.cid_num), ""),
            placed=placed,
            by=next((row.app for row in rows if row.data == OUTGOING), ""),
            answered=any(row.event == "ANSWER" for row in rows),
            bridged=any(row.event in ("BRIDGE_ENTER", "BRIDGE_START", "CONF_ENTER") for row in rows),
        )

    def _picks_up(self, leg: str) -> bool:
        """A channel that took a ring over looks dialled from then on."""
        return any(row.event == "PICKUP" and row.extra.get("pickup_channel_uniqueid") == leg for row in self._rows)

    def caller(self, place: Channel) -> Channel:
        """Who called in the journey of that channel: its first channel that the PBX had not called."""
        mine = [each for each in self.channels.values() if each.began.linkedid == place.began.linkedid]
        return next((each for each in mine if not each.placed and not each.local), mine[0])

    def leavings(self, rows: Sequence[CelRow]) -> dict[int, list[str]]:
        """Before which of the rows (by place) which legs' far ends asked to leave.

        HANGUP says afterwards who left (hangupsource); what Asterisk did because of it stands before that row.
        """
        found: dict[int, list[str]] = {}
        for place, row in enumerate(rows):
            left = self.named(row.extra.get("hangupsource", "")) if row.event == "HANGUP" else None
            if left is not None and all(left.leg not in legs for legs in found.values()):
                found.setdefault(self._first_trace(rows, left, place), []).append(left.leg)
        return found

    def _first_trace(self, rows: Sequence[CelRow], left: Channel, place: int) -> int:
        told = rows[place].at
        while place > 0 and told - rows[place - 1].at <= _AT_ONCE and self._follows(left, rows[place - 1]):
            place -= 1
        return place

    def _follows(self, left: Channel, row: CelRow) -> bool:
        """Whether that row is what leaving brings about: an application that ends, a bridge left, rings that stop."""
        if row.event in ("APP_END", "BRIDGE_EXIT", "BRIDGE_END", "CHAN_END", "LOCAL_OPTIMIZE", "LINKEDID_END"):
            return True
        other = self.of(row)
        return row.event == "HANGUP" and other is not None and not other.answered and not left.placed and not other.left


def _legs(rows: Sequence[CelRow]) -> dict[tuple[str, str], str]:
    """Ids of channels whose uniqueid is another's as well: broken exports have such."""
    first: dict[str, str] = {}
    found: dict[tuple[str, str], str] = {}
    for row in rows:
        if row.event == "CHAN_START" and first.setdefault(row.uniqueid, row.channel) != row.channel:
            found[row.uniqueid, row.channel] = f"{row.uniqueid}/{row.channel}"
    return found


def _agent(site: Site, endpoint: str, cid_num: str) -> str | None:
    """Whose phone that is: by its device, else by the extension that it shows."""
    known = site.agent(endpoint)
    if known is not None or endpoint.startswith("Local/"):
        return known
    return site.agent(f"{endpoint.partition('/')[0]}/{cid_num}") if cid_num else None


def is_inner(row: CelRow) -> bool:
    """Whether it is a channel that Asterisk made for its own ends."""
    return row.channel.startswith(INNER)


def outside_number(data: str, channel: Channel) -> str:
    """The number that a leg outside was dialled with."""
    strings = tuple(dialled(data))
    mine = [each for each in strings if leads_to(each, channel.endpoint)] or strings
    shown = channel.number if sum(map(str.isdigit, channel.number)) >= _SHORTEST_NUMBER else ""
    return next((number for each in mine if (number := number_in(each))), shown)
