"""What histories have in common: records of CSV, columns by name, moments of time, and lines that are none."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, Generic, TypeVar

R = TypeVar("R")
_CONTINUED: Final = 20  # a record cut by a crash must not swallow the file
_UNIQUEID: Final = re.compile(r"(?:\S*-)?([0-9]{9,10})\.[0-9]+")
_SHORT: Final = re.compile(r"[0-9]{1,18}")
_EPOCH: Final = re.compile(r"[0-9]{9,10}(\.[0-9]+)?")
_HALF_A_ZONE: Final = timedelta(minutes=10)
_YEARS: Final = range(1990, 2200)
_JITTER: Final = timedelta(seconds=5)
_NOTHING: Final = frozenset({"", "\\N", "NULL", "null", "None"})


class NotARow(ValueError):  # noqa: N818 - the reason in words, not an error of ours
    """Why that is no row, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line (or a table's row; both counted from 1) that tells nothing, whole, and why."""

    number: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of a CSV file, which may span lines; `number` is its first line."""

    number: int
    text: str
    fields: tuple[str, ...]

    def bad(self, reason: str) -> BadLine:
        """The same as a line that is no row."""
        return BadLine(number=self.number, text=self.text, reason=reason)


def records(lines: Iterable[str]) -> Iterator[Record | BadLine]:
    """The records of a CSV file, empty lines left out; a record that never ends is a bad line of its own."""
    held: list[str] = []
    began = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\r\n").removeprefix("\ufeff").replace("\0", "")
        if held and (len(held) >= _CONTINUED or _complete(text)):
            yield BadLine(number=began, text="\n".join(held), reason="a quote is never closed: the record is cut")
            held = []
        if not held:
            began = number
        held.append(text)
        if sum(each.count('"') for each in held) % 2 == 0:
            yield from _record(began, held)
            held = []
    if held:
        yield BadLine(number=began, text="\n".join(held), reason="a quote is never closed: the record is cut")


def _complete(text: str) -> bool:
    """Whether a line is a whole record: what stood before it was cut, and not continued by it."""
    return text.count('"') % 2 == 0 and text.count('"') >= 8


def _record(number: int, held: list[str]) -> Iterator[Record | BadLine]:
    text = "\n".join(held)
    if not text.strip():
        return
    try:
        fields = next(csv.reader([each + "\n" for each in held]))
    except (csv.Error, StopIteration) as error:
        yield BadLine(number=number, text=text, reason=f"not CSV: {error}")
    else:
        yield Record(number=number, text=text, fields=tuple(each.rstrip("\n") for each in fields))


def name_of(column: str) -> str:
    """A column's name as it is compared: `CID Num`, `cid_num` and `cidnum` are one."""
    return column.lower().replace("_", "").replace(" ", "")


def is_header(record: Record, needed: frozenset[str]) -> bool:
    """Whether that record is names of columns, the needed ones among them."""
    told = name_of(record.text)
    return all(name in told for name in needed) and needed <= {name_of(each) for each in record.fields}


def text_of(value: Any) -> str:
    """A column's value as text; NULL in any of its spellings is empty."""
    text = value if isinstance(value, str) else "" if value is None else str(value)
    text = text.strip()
    return "" if text in _NOTHING else text


class Layout:
    """Where the columns that we want stand; one may go by several names, the first that has a value counts."""

    def __init__(self, wanted: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
        places = {name_of(name): place for place, name in reversed(tuple(enumerate(names)))}
        self._places = {
            column: tuple(places[name] for name in others if name in places) for column, others in wanted.items()
        }

    def text(self, values: Sequence[Any], column: str) -> str:
        """That column's value as text, empty when there is none."""
        for place in self._places[column]:
            if place < len(values) and (text := text_of(values[place])):
                return text
        return ""

    def moment(self, values: Sequence[Any], column: str) -> datetime | None:
        """That column's value as a time; NotARow when it is none."""
        for place in self._places[column]:
            if place < len(values) and text_of(values[place]):
                return moment(values[place])
        return None


class Layouts:
    """The layouts of tables by the names of their columns, each found once."""

    def __init__(self, wanted: Mapping[str, Sequence[str]]) -> None:
        self._wanted = wanted
        self._known: dict[tuple[str, ...], Layout] = {}

    def of(self, names: Sequence[str]) -> Layout:
        """The layout of those columns."""
        key = tuple(names)
        if key not in self._known:
            self._known[key] = Layout(self._wanted, key)
        return self._known[key]


def moment(value: Any) -> datetime:
    """A time as Asterisk or a driver gives it: epoch seconds or ISO, naive when it tells no zone; NotARow."""
    text = text_of(value)
    try:
        found = value if isinstance(value, datetime) else _read(text)
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None or found.year not in _YEARS:
        raise NotARow(f"not a time: {text[:40]!r}")
    return found


def _read(text: str) -> datetime:
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC)
    return datetime.fromisoformat(text if ":" in text else "")


def born_at(uniqueid: str) -> datetime | None:
    """When the channel was made: its uniqueid (`1795420159.344`, `pbx1-1795420159.344`) begins with UTC seconds."""
    found = _UNIQUEID.fullmatch(uniqueid)
    return datetime.fromtimestamp(int(found[1]), UTC) if found else None


def placed(at: datetime, zone: tzinfo, born: datetime | None = None) -> datetime:
    """That moment in UTC; of autumn's doubled hour the first one that is not before the channel was made."""
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    first = at.replace(tzinfo=zone).astimezone(UTC)
    if born is None or first >= born - _JITTER:
        return first
    second = at.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return max(first, second)


def misplaced(at: datetime, uniqueid: str) -> bool:
    """Whether a channel is said to begin long before or after it was made: the rows are in another time zone."""
    born = born_at(uniqueid)
    return born is not None and abs(at - born) > _HALF_A_ZONE


def order_of(uniqueid: str) -> tuple[float, int, str]:
    """The order in which channels were made: `….9` before `….10`."""
    head, _, tail = uniqueid.rpartition("-")[2].partition(".")
    return (float(head) if _SHORT.fullmatch(head) else 0.0, int(tail) if _SHORT.fullmatch(tail) else 0, uniqueid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Generic[R]):
    """How rows of one kind are read from CSV and from tables: which columns, and what is made of them."""

    layouts: Layouts
    needed: frozenset[str]
    names_of: Callable[[tuple[str, ...]], tuple[str, ...]]
    row: Callable[[int, Layout, Sequence[Any]], R]
    in_zone: Callable[[R, tzinfo], R]

    def of_csv(self, lines: Iterable[str]) -> Iterator[R | BadLine]:
        """Rows of a file: with a header by its names, else by one of the layouts that are known."""
        header: tuple[str, ...] = ()
        for record in records(lines):
            if isinstance(record, BadLine):
                yield record
            elif is_header(record, self.needed):
                header = record.fields
            else:
                yield self._of_record(record, header)

    def _of_record(self, record: Record, header: tuple[str, ...]) -> R | BadLine:
        try:
            return self.row(record.number, self.layouts.of(header or self.names_of(record.fields)), record.fields)
        except NotARow as reason:
            return record.bad(str(reason))

    def of_table(self, rows: Iterable[Mapping[str, Any]], zone: tzinfo) -> Iterator[R | BadLine]:
        """Rows of a table by the names of its columns; times without a zone are local to `zone`."""
        for number, told in enumerate(rows, 1):
            values = tuple(told.values())
            try:
                row = self.row(number, self.layouts.of(tuple(told)), values)
            except NotARow as reason:
                yield BadLine(number=number, text=",".join(map(text_of, values)), reason=str(reason))
            else:
                yield self.in_zone(row, zone)
