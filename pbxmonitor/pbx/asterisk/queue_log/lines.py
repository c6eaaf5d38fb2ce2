"""A queue_log, line by line: the file, or the rows of its realtime table, as entries of one form."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple

from pbxmonitor.pbx.asterisk.history import BadLine, NotARow, moment, placed, text_of

# What stands in a column that has nothing to say.
NOBODY: Final = frozenset({"", "NONE"})
_EDGES: Final = " \t\r\n\0\ufeff"
_COLUMNS: Final = ("time", "callid", "queuename", "agent", "event")
_PARTS: Final = ("data1", "data2", "data3", "data4", "data5")
_LONGEST: Final = 9  # digits of a number of seconds: thirty years
_YEARS: Final = range(1999, 2100)


class Entry(NamedTuple):
    """One line, `agent` as it is written there; `data` has no empty fields at its end. A tuple: millions are made."""

    at: datetime
    call: str
    queue: str
    agent: str
    event: str
    data: tuple[str, ...]

    def text(self, place: int) -> str:
        """That field of the data, empty where the line is shorter."""
        return self.data[place] if len(self.data) > place else ""

    def seconds(self, place: int) -> timedelta | None:
        """That field as a duration; None where there is no number: unknown, which is not 0."""
        return duration(self.data[place], 1) if len(self.data) > place else None


@lru_cache(maxsize=4096)
def duration(text: str, parts: int) -> timedelta | None:
    """A number of seconds (`parts` 1) or of milliseconds (1000) as a duration; None when it is no number."""
    if len(text) > _LONGEST or not (text.isdecimal() or text.replace(".", "", 1).isdecimal()):
        return None
    return timedelta(0, float(text) / parts)


def read_lines(lines: Iterable[str], zone: tzinfo = UTC) -> Iterator[Entry | BadLine]:
    """What each line of the file says, or why it says nothing; `zone` is that of times written as a date."""
    clock = _Clock(zone)
    for number, line in enumerate(lines, 1):
        text = line.strip(_EDGES)
        if text:
            yield _entry(clock, number, text.split("|"))


def entries_of_rows(rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[Entry | BadLine]:
    """The same of the realtime table's rows, in the order in which they were written; its times are the zone's."""
    clock = _Clock(zone)
    for number, row in enumerate(rows, 1):
        fields = [text_of(row.get(name)) for name in _COLUMNS]
        parts = [text_of(row.get(name)) for name in _PARTS]
        # Asterisk splits no further than five: what is left stays in the fifth, with its bars.
        data = "|".join(parts) if any(parts) else text_of(row.get("data"))
        yield _entry(clock, number, [*fields, *data.split("|")])


def _entry(clock: "_Clock", number: int, fields: list[str]) -> Entry | BadLine:
    try:
        _check(fields)
        at = clock.utc(fields[0])
    except NotARow as error:
        return BadLine(number=number, text="|".join(fields), reason=str(error))
    while not fields[-1]:
        fields.pop()
    return Entry(at, fields[1], fields[2], fields[3], fields[4], tuple(fields[5:]))


def _check(fields: list[str]) -> None:
    if len(fields) < 5:
        raise NotARow("not a line of queue_log: time|callid|queue|agent|EVENT and its data are expected")
    if not fields[4].isupper():
        raise NotARow(f"not an event of queue_log in the fifth field: {fields[4][:40]!r}")


class _Clock:
    """Reads the times of one log; many lines have the time of the line before."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._told = ""
        self._at: datetime | None = None

    def utc(self, told: str) -> datetime:
        """That time in UTC; NotARow when it is none."""
        if told != self._told or self._at is None:
            self._at, self._told = self._read(told), told
        return self._at

    def _read(self, told: str) -> datetime:
        read = moment(told)
        if read.year not in _YEARS:
            raise NotARow(f"not a time of queue_log: {told[:40]!r}")
        # In autumn's doubled hour the order of the lines tells which of the two it is.
        return placed(read, self._zone, self._at)
