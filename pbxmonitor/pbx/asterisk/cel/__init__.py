"""CEL told as calls: rows of one journey are gathered, retold as facts and played by the live daemon's own rules."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from pbxmonitor.domain.call import Call
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.play import Draft
from pbxmonitor.pbx.asterisk.cel.cast import is_inner
from pbxmonitor.pbx.asterisk.cel.columns import CelRow, rows_of_csv, rows_of_table
from pbxmonitor.pbx.asterisk.cel.story import Story
from pbxmonitor.pbx.asterisk.gathering import Gathering, Group
from pbxmonitor.pbx.asterisk.history import born_at, misplaced, placed
from pbxmonitor.pbx.asterisk.naming import Site

_LATE: Final = timedelta(minutes=10)
_NEVER: Final = timedelta(hours=12)
_SWEEP: Final = timedelta(minutes=5)


class Cel:
    """CEL rows of one node in, calls out.

    `cut` counts journeys whose beginning no row told, `misplaced` channels that begin at another time than they were
    made: `zone` is not that of the rows.
    """

    def __init__(self, site: Site, zone: tzinfo) -> None:
        self.cut = 0
        self.misplaced = 0
        self._site = site
        self._zone = zone
        self._open: Gathering[CelRow] = Gathering()
        self._swept: datetime | None = None
        self._latest = datetime.min.replace(tzinfo=UTC)

    def take(self, row: CelRow) -> Iterable[Call]:
        """Take one row, in any order near that of time; the calls that it shows to be over, in the order they ended."""
        at = placed(row.at, self._zone, born_at(row.uniqueid))
        if is_inner(row):
            return ()
        self.misplaced += row.event == "CHAN_START" and misplaced(at, row.uniqueid)
        self._latest = max(self._latest, at)
        self._open.add(evolve(row, at=at), at, at, (row.linkedid, row.uniqueid))
        if self._swept is None or abs(at - self._swept) >= _SWEEP:
            self._swept = at
            return self._told([group for group in self._open if _over(group, at)], at)
        return ()

    def finish(self) -> Iterable[Call]:
        """The calls that are left; one that still lasted as the rows end has no `ended_at`."""
        return self._told(list(self._open), self._latest)

    def _told(self, groups: Iterable[Group[CelRow]], now: datetime) -> list[Call]:
        silent = {id(group) for group in groups if now - group.ends >= _NEVER}
        calls = [call for group in groups for call in self._calls(self._open.release(group), id(group) in silent)]
        return sorted(calls, key=lambda call: (call.ended_at or call.started_at, call.started_at, call.key))

    def _calls(self, rows: Sequence[CelRow], silent: bool) -> Iterator[Call]:
        found = tuple(played(Story(self._site, in_time(rows)), silent))
        self.cut += not found
        return iter(found)


def _over(group: Group[CelRow], now: datetime) -> bool:
    """Whether nothing more is awaited: every channel that began has ended, or nothing was heard for very long."""
    silence = abs(now - group.touched)
    if silence < _LATE:
        return False
    rows = [row for _, row in group.rows]
    began = {row.uniqueid for row in rows if row.event == "CHAN_START"}
    ended = {row.uniqueid for row in rows if row.event in ("CHAN_END", "HANGUP")}
    return began == ended or silence >= _NEVER


def in_time(rows: Sequence[CelRow]) -> list[CelRow]:
    """The rows in the order of time, each once; of one moment as given, reversed when the newest come first."""
    newest_first = rows[0].at > rows[-1].at
    once = {_told(row): row for row in (reversed(rows) if newest_first else rows)}
    return sorted(once.values(), key=lambda row: row.at)


def _told(row: CelRow) -> tuple[object, ...]:
    return (row.event, row.at, row.uniqueid, row.channel, row.linkedid, row.app, row.data, *row.extra.items())


def played(story: Story, silent: bool) -> Iterator[Call]:
    """The calls of one journey's rows, which was silent ever since or not; none when it began before them."""
    draft = Draft(Floor(node=story.site.node))
    calls: dict[str, Call] = {}
    for fact in story.facts(silent):
        for change in draft.take(fact):
            calls |= {call.key: call for _, call in change.calls}
    names = {leg: linkedid for linkedid, leg in story.roots.items()}
    return (evolve(call, key=names.get(key, key)) for key, call in calls.items() if call.merged_into is None)


__all__ = ["Cel", "CelRow", "rows_of_csv", "rows_of_table"]
