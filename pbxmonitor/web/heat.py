"""The week by hour as a heat map: a row for each weekday, a column for each hour in which anybody called."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, Final

from pbxmonitor.web.drawing import level

Row = Mapping[str, Any]
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# The hours that are named in words: the worst of them.
NAMED: Final = 3
_DAY: Final = timedelta(days=1)
_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One hour of the week: `value` None says that there is none, `shade` is 0..4, `most` that none has more.

    `began` is when that hour began, where there was only one of it in the period.
    """

    row: Row
    value: float | None
    shade: int
    most: bool
    began: datetime | None = None

    @property
    def unknown(self) -> bool:
        """Nobody followed the PBX then: no calls is another thing."""
        return not (self.row["hours"] or self.row["calls"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """`hours` are the columns, `rows` are (weekday, cells)."""

    hours: Sequence[int]
    rows: Sequence[tuple[int, Sequence[Cell]]]


def heat(found: Sequence[Row], value: Callable[[Row], float | None], days: Mapping[int, date], zone: tzinfo) -> Heat:
    """A heat map of the 168 hours of `store.patterns.heat`; `days` are the dates that weekdays stand for alone."""
    called = [row["hour"] for row in found if row["calls"]]
    hours = range(min(called, default=0), max(called, default=-1) + 1)
    lived = sorted({row["weekday"] for row in found if row["hours"] or row["calls"]})
    values = {(row["weekday"], row["hour"]): value(row) if row["hours"] or row["calls"] else None for row in found}
    most = max((each for each in values.values() if each is not None), default=0.0)

    def cell(row: Row) -> Cell:
        mine = values[row["weekday"], row["hour"]]
        day = days.get(row["weekday"])
        began = datetime(day.year, day.month, day.day, row["hour"], tzinfo=zone) if day is not None else None
        return Cell(row=row, value=mine, shade=level(mine or 0.0, most), most=bool(mine) and mine == most, began=began)

    by_place = {(row["weekday"], row["hour"]): row for row in found}
    return Heat(hours=hours, rows=[(day, [cell(by_place[day, hour]) for hour in hours]) for day in lived])


def days_of(begin: datetime, end: datetime, zone: tzinfo) -> Mapping[int, date]:
    """By weekday its only date between these moments; nothing of more than a week, in which weekdays repeat."""
    first, last = begin.astimezone(zone).date(), (end - timedelta(microseconds=1)).astimezone(zone).date()
    count = (last - first).days + 1
    if count > _WEEK:
        return {}
    return {day.weekday(): day for day in (first + each * _DAY for each in range(count))}


def worst(found: Iterable[Row]) -> Sequence[Row]:
    """The hours of the week in which most calls were lost, the worst first."""
    losing = [row for row in found if row["lost"]]
    return sorted(losing, key=lambda row: (-row["lost"], -(row["lost_share"] or 0), row["weekday"], row["hour"]))[
        :NAMED
    ]
