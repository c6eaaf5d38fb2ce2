"""Stretches of time as people name them, in the site's time zone: `yesterday`, `last-month`, from a date to another."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

FORMS: Final = "today, yesterday, now, a date such as 2026-11-23, or a moment such as 2026-11-23T09:00"
UNITS: Final = ("week", "month", "quarter", "half-year", "year")
NAMES: Final = ("today", "yesterday", *(f"{which}-{unit}" for unit in UNITS for which in ("this", "last")))
_MONTHS: Final = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `begin` up to, not including, `end`; and what to compare it with. All aware."""

    begin: datetime
    end: datetime
    before_begin: datetime
    before_end: datetime


def period(begin: str, end: str, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """From the beginning of `begin` up to the end of `end` (a day is whole), aware; ValueError in one line."""
    first, last = moment(begin, now, zone), moment(end, now, zone, ending=True)
    if first >= last:
        raise ValueError(f"--from {begin} must be before --to {end}")
    return first, last


def between(begin: datetime, end: datetime, zone: tzinfo) -> Stretch:
    """That stretch beside the one just before it: as many days of the site if it is whole days, else as long."""
    days = _whole_days(begin, end, zone)
    if days is None:
        return Stretch(begin, end, begin - (end - begin), begin)
    first = begin.astimezone(zone).date()
    return Stretch(begin, end, _midnight(first - timedelta(days=days), zone), begin)


def named(name: str, now: datetime, zone: tzinfo) -> Stretch:
    """`today`, `last-week`, `this-quarter` …; a week begins on Monday, what still runs ends with today. ValueError.

    Compared with the unit before it; what still runs, with as many days of it.
    """
    today = now.astimezone(zone).date()
    if name in ("today", "yesterday"):
        first = today - (_DAY if name == "yesterday" else timedelta())
        return _of_days(first, first + _DAY, first - _DAY, first, zone)
    which, _, unit = name.partition("-")
    if which not in ("this", "last") or unit not in UNITS:
        raise ValueError(f"{name!r} is not a period: give one of {', '.join(NAMES)}, or --from and --to")
    this = unit_of(today, unit)
    last = unit_of(this - _DAY, unit)
    if which == "last":
        return _of_days(last, this, unit_of(last - _DAY, unit), last, zone)
    return _of_days(this, today + _DAY, last, min(last + (today + _DAY - this), this), zone)


def unit_of(day: date, unit: str) -> date:
    """The first day of the week, month, quarter, half-year or year that the day is in."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[unit]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def moment(text: str, now: datetime, zone: tzinfo, *, ending: bool = False) -> datetime:
    """The moment named; a day stands for its first moment, or, when `ending`, for the next day's."""
    said = text.strip().lower()
    if said == "now":
        return now.astimezone(zone)
    today = now.astimezone(zone).date()
    day = {"today": today, "yesterday": today - _DAY}.get(said) or _day(said)
    if day is not None:
        return _midnight(day + timedelta(days=ending), zone)
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a time: give {FORMS}") from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


def _of_days(first: date, last: date, before: date, until: date, zone: tzinfo) -> Stretch:
    return Stretch(*(_midnight(day, zone) for day in (first, last, before, until)))


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time.min, zone)


def _whole_days(begin: datetime, end: datetime, zone: tzinfo) -> int | None:
    edges = [edge.astimezone(zone) for edge in (begin, end)]
    if any(edge.timetz().replace(tzinfo=None) != time.min for edge in edges):
        return None
    return (edges[1].date() - edges[0].date()).days


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-23") else None
    except ValueError:
        return None
