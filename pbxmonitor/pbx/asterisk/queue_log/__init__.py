"""What queue_log knows of calls and agents: lines of Asterisk 1.4 to 22 in, whole calls and stretches out.

    log = QueueLog(site)
    for entry in read_lines(file):
        if isinstance(entry, BadLine): ...
        else: for known in log.take(entry): ...
    for known in log.finish(): ...

Which line becomes what, and what the log cannot know, stands in docs/import.md.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.pbx.asterisk.history import BadLine
from pbxmonitor.pbx.asterisk.naming import Site, device_name
from pbxmonitor.pbx.asterisk.queue_log import agents as agents
from pbxmonitor.pbx.asterisk.queue_log import calls as calls
from pbxmonitor.pbx.asterisk.queue_log.journey import Journey
from pbxmonitor.pbx.asterisk.queue_log.lines import NOBODY, Entry, entries_of_rows, read_lines

__all__ = ["BadLine", "Entry", "QueueLog", "entries_of_rows", "read_lines"]

# A caller whom one queue let go may come to another (a transfer, an overflow) for so long.
OVER: Final = timedelta(hours=1)
# No caller waits or talks for so long: the log has lost his end.
LOST: Final = timedelta(hours=8)
_LOOK_EVERY: Final = timedelta(minutes=30)


class QueueLog:
    """Reads one node's log in the order in which it was written."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._journeys: dict[str, Journey] = {}
        self._attendance = agents.Attendance(site.node)
        self._names: dict[str, str | None] = {}
        self._now: datetime | None = None
        self._look_at: datetime | None = None
        # Calls left out: the log has neither how they came into a queue nor that an agent answered.
        self.headless = 0

    def take(self, entry: Entry) -> Iterable[Call | Interval]:
        """What became whole with this line: calls that are over for good, stretches that ended."""
        at = entry.at
        if self._now is None or at > self._now:
            self._now = at
        known = self._read(entry)
        if self._look_at is None or at >= self._look_at:
            self._look_at = at + _LOOK_EVERY
            return [*known, *self._told([each for each in self._journeys.values() if _is_over(each, at)])]
        return known

    def finish(self) -> Iterable[Call | Interval]:
        """All the rest: a call open at most `OVER` ago is open still; stretches are cut at the log's last moment."""
        if self._now is None:
            return []
        fresh = {key for key, each in self._journeys.items() if self._now - each.last <= OVER}
        return [*self._told(list(self._journeys.values()), fresh), *self._attendance.finish(self._now)]

    def _read(self, entry: Entry) -> Sequence[Call | Interval]:
        event = entry.event
        rule = calls.RULES.get(event)
        if rule is not None:
            if entry.call not in NOBODY:
                rule(self._journey(entry.call, entry.at), entry, self._person(entry.agent))
        elif event in agents.RULES:
            agent = self._person(entry.agent)
            return () if agent is None else self._attendance.take(entry, agent)
        elif event == "QUEUESTART":
            return [*self._told(list(self._journeys.values())), *self._attendance.restarted(entry.at)]
        return ()

    def _journey(self, key: str, at: datetime) -> Journey:
        found = self._journeys.get(key)
        if found is None:
            found = self._journeys[key] = Journey(key=key, site=self._site, last=at)
        elif at > found.last:
            found.last = at
        return found

    def _person(self, agent: str) -> str | None:
        """Who that is: an interface by the settings or by its device, a member's name by the settings or as it is."""
        if agent not in self._names:
            nobody = agent in NOBODY
            self._names[agent] = None if nobody else self._site.agent(agent) or device_name(agent) or agent
        return self._names[agent]

    def _told(self, over: list[Journey], still: Iterable[str] = ()) -> list[Call]:
        """Those journeys as calls; they are forgotten."""
        for each in over:
            del self._journeys[each.key]
        self.headless += sum(1 for each in over if not each.came)
        return [each.call(open_still=each.key in still) for each in over if each.came]


def _is_over(journey: Journey, now: datetime) -> bool:
    return now - journey.last > (LOST if journey.ended_at is None else OVER)
