"""CDR told as calls: the rows of one journey are gathered and told together."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import Final

from pbxmonitor.domain.call import Call
from pbxmonitor.pbx.asterisk.cdr.columns import CdrRow, in_zone, rows_of_csv, rows_of_table
from pbxmonitor.pbx.asterisk.cdr.rings import half, in_order, is_local
from pbxmonitor.pbx.asterisk.cdr.story import Account
from pbxmonitor.pbx.asterisk.gathering import Gathering, Group
from pbxmonitor.pbx.asterisk.history import misplaced
from pbxmonitor.pbx.asterisk.naming import Site

# A row is written when its channel ends, so those of one journey may come as far apart as the journey is long.
_LONGEST: Final = timedelta(hours=12)
_SWEEP: Final = timedelta(minutes=30)


class Cdr:
    """CDR rows of one node in, calls out.

    `cut` counts journeys of which only inner rows were told, `misplaced` calls that begin at another time than their
    channel was made: `zone` is not that of the rows.
    """

    def __init__(self, site: Site, zone: tzinfo) -> None:
        self.cut = 0
        self.misplaced = 0
        self._site = site
        self._zone = zone
        self._open: Gathering[CdrRow] = Gathering()
        self._swept: datetime | None = None

    def take(self, row: CdrRow) -> Iterable[Call]:
        """Take one row, in any order near that of time; the calls shown to be whole, in the order they ended."""
        row = in_zone(row, self._zone)
        self._open.add(row, row.start, row.end, _names(row), _channels(row))
        if self._swept is None or abs(row.start - self._swept) >= _SWEEP:
            self._swept = row.start
            return self._told([group for group in self._open if _whole(group, row.start)])
        return ()

    def finish(self) -> Iterable[Call]:
        """The calls that are left."""
        return self._told(list(self._open))

    def _told(self, groups: Iterable[Group[CdrRow]]) -> list[Call]:
        calls = []
        for group in groups:
            rows = in_order(self._open.release(group))
            if all(is_local(row.channel) for row in rows):
                self.cut += 1
            else:
                calls.append(call := Account(self._site, rows).call())
                self.misplaced += misplaced(call.started_at, call.first)
        return sorted(calls, key=lambda call: (call.ended_at or call.started_at, call.started_at, call.key))


def _names(row: CdrRow) -> tuple[str, ...]:
    return tuple(name for name in (row.linkedid, row.uniqueid) if name)


def _channels(row: CdrRow) -> tuple[str, ...]:
    """Where linkedid is not told, or a phone ties two calls itself, channels tell that rows belong together."""
    return tuple(half(name) for name in (row.channel, row.dstchannel) if name)


def _whole(group: Group[CdrRow], now: datetime) -> bool:
    return abs(now - group.ends) > _LONGEST and abs(now - group.begins) > _LONGEST


__all__ = ["Cdr", "CdrRow", "rows_of_csv", "rows_of_table"]
