"""A journey's CEL rows retold as the facts that the live stream would have told, for the same rules to judge."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from pbxmonitor.domain import facts as f
from pbxmonitor.pbx.asterisk.cel.apps import with_hidden_starts
from pbxmonitor.pbx.asterisk.cel.cast import Cast, Channel, outside_number
from pbxmonitor.pbx.asterisk.cel.columns import CelRow
from pbxmonitor.pbx.asterisk.cel.dials import Dials
from pbxmonitor.pbx.asterisk.naming import Site, device_name

_IVR: Final = frozenset({"BACKGROUND", "READ", "WAITEXTEN"})
_WAITING: Final = "holding_bridge"
Facts = Iterator[f.LegFact]


class Story:
    """What the rows of one journey (in the order of time, their times aware) tell."""

    def __init__(self, site: Site, rows: Sequence[CelRow]) -> None:
        self.site = site
        self._cast = Cast(site, rows)
        self._rows = with_hidden_starts(rows, self._cast)
        self._dials = Dials(self._cast, self._rows)
        self.roots: dict[str, str] = {}
        self._bridges: dict[str, set[str]] = {}
        self._answered: dict[str, None] = {}
        self._reached: set[str] = set()
        self._ended: set[str] = set()

    def facts(self, silent: bool = False) -> Facts:
        """Everything that the rows tell, closed by LINKEDID_END; nothing when the journey began before them.

        What still lasts at the last row has vanished if the journey has been silent ever since.
        """
        if self._cast.cut:
            return
        leavings = self._cast.leavings(self._rows)
        for place, row in enumerate(self._rows):
            for leg in leavings.get(place, ()):
                yield f.HangupAsked(**self._base(row), leg=leg)
            rule = _RULES.get(row.event)
            if rule is not None and self._cast.of(row) is not None:
                yield from rule(self, row)
        closed = any(row.event == "LINKEDID_END" for row in self._rows)
        for leg in self._cast.channels if closed or silent else ():
            if leg not in self._ended:
                base = self._base(self._rows[-1])
                yield f.LegEnded(**base, leg=leg, cause=0) if closed else f.LegVanished(**base, leg=leg)

    def _base(self, row: CelRow) -> dict[str, Any]:
        return {"node": self.site.node, "at": row.at, "key": f"cel/{row.number}"}

    def _me(self, row: CelRow) -> Channel:
        return self._cast.channels[self._cast.leg(row)]

    def start(self, row: CelRow) -> Facts:
        me = self._me(row)
        root = self.roots.setdefault(row.linkedid, me.leg)
        yield f.LegStarted(
            **self._base(row),
            leg=me.leg,
            linked=root,
            endpoint=me.endpoint,
            agent=me.agent,
            number=self.site.number(row.cid_num),
            exten=self.site.number(me.exten) or me.exten,
            trunk=me.trunk,
            local=me.local,
            incoming=not me.placed,
        )
        if me.local and me.name.endswith(";2"):
            yield from self._join_halves(row, me)
        elif root != me.leg or me.placed:
            yield from self._dial(row, me, "" if root == me.leg else self._dials.who_rings(me))

    def _join_halves(self, row: CelRow, far: Channel) -> Facts:
        near = self._cast.named(far.name[:-1] + "1")
        self._dials.half(far.leg)
        if near is not None:
            yield f.LocalJoined(**self._base(row), leg=near.leg, other=far.leg)

    def _dial(self, row: CelRow, me: Channel, dialler: str) -> Facts:
        app = self._dials.rings(dialler, me.leg)
        data = app.data if app is not None and not app.is_queue else ""
        number = self.site.number(outside_number(data, me) if me.trunk else row.cid_num)
        if app is not None and app.is_queue:
            yield f.AgentOffered(**self._between(row, dialler, app.queue, me, number))
        person = self.site.person(number)
        yield f.DialBegan(**self._base(row), leg=dialler, dest=me.leg, number=number, person=person)

    def _between(self, row: CelRow, caller: str, queue: str, me: Channel, number: str | None = None) -> dict[str, Any]:
        agent = me.agent or (self.site.person(number) or number if me.trunk else None) or device_name(me.endpoint)
        return {**self._base(row), "leg": caller, "dest": me.leg, "queue": queue, "agent": agent}

    def answer(self, row: CelRow) -> Facts:
        self._answered[self._cast.leg(row)] = None
        yield f.LegAnswered(**self._base(row), leg=self._cast.leg(row))

    def app_start(self, row: CelRow) -> Facts:
        leg, app, first = self._cast.leg(row), row.app.upper(), row.data.split(",")[0]
        yield from self.app_end(row)
        if app in ("DIAL", "QUEUE"):
            self._dials.begin(leg, row)
        step: dict[str, Any] | None = None
        if app == "DIAL":
            targets = self.site.targets(first)
            name = "&".join(target.agent or target.number or "" for target in targets)
            step = {"step": f.Step.DIAL, "name": name, "targets": targets}
        elif app == "QUEUE":
            step = {"step": f.Step.QUEUE, "name": first}
        elif app in _IVR:
            step = {"step": f.Step.IVR, "name": row.context if row.exten == "s" else row.exten}
        elif app == "VOICEMAIL":
            step = {"step": f.Step.VOICEMAIL, "name": re.split("[&@]", first)[0]}
        if step is not None:
            yield f.StepReached(**self._base(row), leg=leg, **step)

    def app_end(self, row: CelRow) -> Facts:
        """A Dial or a Queue is over; CEL does not say how, only whether anybody was joined before."""
        leg = self._cast.leg(row)
        app = self._dials.end(leg)
        if app is None or app.answered:
            return
        if not app.is_queue:
            yield f.DialFinished(**self._base(row), leg=leg, status="NOANSWER")
            return
        yield f.CallUnqueued(**self._base(row), leg=leg, queue=app.queue)
        status = app.queue_status(row.at)
        if status and not self._me(row).left:
            yield f.QueueFinished(**self._base(row), leg=leg, status=status)

    def bridge_enter(self, row: CelRow) -> Facts:
        if row.extra.get("bridge_technology") != _WAITING:
            yield from self._enter(row, self._cast.leg(row), row.extra.get("bridge_id") or row.linkedid)

    def _enter(self, row: CelRow, leg: str, bridge: str) -> Facts:
        inside = self._bridges.setdefault(bridge, set())
        inside.add(leg)
        for dest in sorted(inside):
            yield from self._joined(row, dest, inside)
        yield f.BridgeEntered(**self._base(row), leg=leg, bridge=bridge)

    def _joined(self, row: CelRow, dest: str, inside: set[str]) -> Facts:
        """Who dialled and whom he reached are in one bridge: that Dial or Queue is answered."""
        caller = self._dials.dialler(dest)
        app = self._dials.of(caller)
        if caller not in inside or (app.answered if app is not None else dest in self._reached):
            return
        self._reached.add(dest)
        if app is not None:
            app.answered = True
        if app is not None and app.is_queue:
            yield f.AgentConnected(**self._between(row, caller, app.queue, self._cast.channels[dest]))
        else:
            yield f.DialFinished(**self._base(row), leg=caller, status="ANSWER")

    def bridge_exit(self, row: CelRow) -> Facts:
        leg, bridge = self._cast.leg(row), row.extra.get("bridge_id") or row.linkedid
        self._bridges.get(bridge, set()).discard(leg)
        yield f.BridgeLeft(**self._base(row), leg=leg, bridge=bridge)

    def bridge_start(self, row: CelRow) -> Facts:
        """Before 12 one row tells of both: its own channel and its peer; no peer told means whoever has answered."""
        me, peer = self._cast.leg(row), self._cast.named(row.peer)
        answered = (leg for leg in self._answered if leg not in self._ended and leg != me)
        for leg in (me, *((peer.leg,) if peer is not None else answered)):
            yield from self._enter(row, leg, _old_bridge(row))

    def bridge_end(self, row: CelRow) -> Facts:
        bridge = _old_bridge(row)
        for leg in sorted(self._bridges.pop(bridge, ())):
            yield f.BridgeLeft(**self._base(row), leg=leg, bridge=bridge)

    def conference(self, row: CelRow) -> Facts:
        yield from self._enter(row, self._cast.leg(row), f"conference/{row.data.split(',')[0] or row.exten}")

    def blind(self, row: CelRow) -> Facts:
        to = row.extra.get("extension", "")
        if to:
            yield f.TransferredBlind(**self._base(row), leg=self._cast.leg(row), to=self.site.number(to) or to)

    def attended(self, row: CelRow) -> Facts:
        second, target = row.extra.get("channel2_uniqueid", ""), row.extra.get("transfer_target_channel_uniqueid", "")
        yield f.TransferredAttended(**self._base(row), leg=self._cast.leg(row), second=second, target=target)

    def pickup(self, row: CelRow) -> Facts:
        by, target = row.extra.get("pickup_channel_uniqueid", ""), self._cast.leg(row)
        self._dials.takes_over(by, target)
        yield f.LegPicked(**self._base(row), leg=by, target=target)

    def park(self, row: CelRow) -> Facts:
        """The space is not told; the lot is."""
        yield f.CallParked(**self._base(row), leg=self._cast.leg(row), space=row.extra.get("parking_lot", ""))

    def hangup(self, row: CelRow) -> Facts:
        me = self._me(row)
        if me.leg in self._ended or (row.event == "CHAN_END" and me.hangup is not None):
            return
        self._ended.add(me.leg)
        self._dials.ended(me.leg)
        yield from self.app_end(row)
        caller = self._dials.dialler(me.leg)
        app = self._dials.of(caller)
        if app is not None and app.is_queue and me.answered and me.left and not me.bridged:
            yield f.AgentDumped(**self._between(row, caller, app.queue, me))
        cause = row.extra.get("hangupcause", "")
        yield f.LegEnded(**self._base(row), leg=me.leg, cause=int(cause) if cause.isdecimal() else 0)


def _old_bridge(row: CelRow) -> str:
    return "/".join(sorted((row.channel, row.peer)))


_RULES: Final[dict[str, Callable[[Story, CelRow], Facts]]] = {
    "CHAN_START": Story.start,
    "ANSWER": Story.answer,
    "APP_START": Story.app_start,
    "APP_END": Story.app_end,
    "BRIDGE_ENTER": Story.bridge_enter,
    "BRIDGE_EXIT": Story.bridge_exit,
    "BRIDGE_START": Story.bridge_start,
    "BRIDGE_END": Story.bridge_end,
    "CONF_ENTER": Story.conference,
    "BLINDTRANSFER": Story.blind,
    "ATTENDEDTRANSFER": Story.attended,
    "PICKUP": Story.pickup,
    "PARK_START": Story.park,
    "HANGUP": Story.hangup,
    "CHAN_END": Story.hangup,
}
