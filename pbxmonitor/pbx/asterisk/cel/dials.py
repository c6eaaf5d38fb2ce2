"""Which channel rings which: CEL has no word for it, so it is read from what each channel is in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.pbx.asterisk.cel.apps import UNKNOWN
from pbxmonitor.pbx.asterisk.cel.cast import Cast, Channel
from pbxmonitor.pbx.asterisk.cel.columns import CelRow
from pbxmonitor.pbx.asterisk.dialling import dialled, leads_to, timeout_of

_BEFORE_ANY_RING: Final = timedelta(seconds=1)


@dataclass(slots=True, kw_only=True)
class Running:
    """A Dial or a Queue that a channel is in; whether it rang anybody, and was answered."""

    name: str
    data: str
    began_at: datetime
    rang: bool = False
    answered: bool = False

    @property
    def is_queue(self) -> bool:
        return self.name == "QUEUE"

    @property
    def queue(self) -> str:
        return self.data.split(",")[0]

    def queue_status(self, at: datetime) -> str:
        """QUEUESTATUS as far as it shows: the time ran out, or nobody was rung and the caller was let go at once."""
        waited, timeout = at - self.began_at, timeout_of(self.name, self.data)
        if timeout is not None and waited >= timeout - _BEFORE_ANY_RING:
            return "TIMEOUT"
        if self.rang and self.queue == UNKNOWN:
            return "TIMEOUT"  # a queue that no row names: the rule, of which a key is the exception
        return "JOINEMPTY" if not self.rang and waited < _BEFORE_ANY_RING else ""


class Dials:
    """The Dials and Queues that run, and who rings whom by them; legs by their ids."""

    def __init__(self, cast: Cast, rows: Sequence[CelRow]) -> None:
        self._cast = cast
        self._rows = rows
        self._running: dict[str, Running] = {}
        self._dialler: dict[str, str] = {}
        self._halves: list[str] = []

    def begin(self, leg: str, row: CelRow) -> None:
        """The leg is in the application of that row from now on."""
        self._running[leg] = Running(name=row.app.upper(), data=row.data, began_at=row.at)

    def end(self, leg: str) -> Running | None:
        """The leg is in it no more; what it was in, if it was."""
        return self._running.pop(leg, None)

    def of(self, leg: str) -> Running | None:
        """What the leg is in."""
        return self._running.get(leg)

    def dialler(self, dest: str) -> str:
        """Whose Dial or Queue rang that leg; "" when nobody's."""
        return self._dialler.get(dest, "")

    def rings(self, dialler: str, dest: str) -> Running | None:
        """Note that the one rings the other; by what, None when no row shows it."""
        app = self._running.get(dialler)
        self._dialler[dest] = dialler
        if app is not None:
            app.rang = True
        return app

    def takes_over(self, leg: str, target: str) -> None:
        """The leg picks up what rang the target."""
        self._dialler[leg] = self.dialler(target)

    def half(self, leg: str) -> None:
        """A far half of a Local channel has come."""
        self._halves.append(leg)

    def ended(self, leg: str) -> None:
        """That leg is gone."""
        if leg in self._halves:
            self._halves.remove(leg)

    def who_rings(self, me: Channel) -> str:
        """The leg that rings that channel: in a Dial that names it, in a Queue, behind a Local channel, in any Dial."""
        dials = [leg for leg, app in reversed(self._running.items()) if not app.is_queue and not me.by_queue]
        queues = (leg for leg, app in self._running.items() if app.is_queue and not app.answered)
        named = (leg for leg in dials if any(leads_to(each, me.endpoint) for each in dialled(self._running[leg].data)))
        unanswered = (leg for leg in dials if not self._running[leg].answered)
        queue = next(queues, None) if me.by_queue or not me.by else None
        found = next(named, None) or queue or self._behind_local(me) or next(unanswered, None)
        return found or self._who_consults(me)

    def _behind_local(self, me: Channel) -> str | None:
        """The far half of the Local channel for that extension, whose Dial no row shows."""
        if not me.by or me.by_queue or me.local:
            return None
        halves = (leg for leg in reversed(self._halves) if leg not in self._running)
        return next((leg for leg in halves if self._cast.channels[leg].began.exten == me.agent), None)

    def _who_consults(self, me: Channel) -> str:
        """Of an attended transfer's Local channel: who enters its bridge with it; of a Dial never shown: the caller."""
        rows = [row for row in self._rows if row.event == "BRIDGE_ENTER"]
        bridge = next((row.extra.get("bridge_id") for row in rows if self._cast.leg(row) == me.leg), None)
        legs = (self._cast.leg(row) for row in rows if bridge and row.extra.get("bridge_id") == bridge)
        caller = self._cast.caller(me).leg if me.by in ("AppDial", "") else ""
        return next((leg for leg in legs if leg != me.leg), caller)
