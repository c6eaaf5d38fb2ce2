"""When a digest is told and of which days: every digest has one moment and whole days of the site that are over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from pbxmonitor.domain.policy import WorkingHours

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
# No month with its holidays is longer.
_FAR: Final = 70


class DigestKind(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    CALLBACKS = "callbacks"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPlan:
    """Who is told what and when. `on` is the weekday of a weekly one (0 is Monday), the day of a monthly one.

    `days` is how many days the callback report is about; `only_working_days` leaves days off alone: what would be told
    then is told on the next working day, and a day off belongs to the digest of the working day before it.
    """

    kind: DigestKind = DigestKind.DAILY
    at: time = time(8, 30)
    to: tuple[str, ...] = ("manager", "director")
    on: int = 0
    days: int = 1
    top: int = 5
    channels: tuple[str, ...] = ()
    charts: bool = True
    only_working_days: bool = False

    @property
    def name(self) -> str:
        """What tells its digests from those of another kind: reports of one day and of three are two kinds."""
        return f"{self.kind}-{self.days}" if self.days > 1 else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One digest of a plan: of the days `first` to `last`, told at `moment`; the next one is told at `until`.

    It is compared with the days from `before_first` up to, not including, `first`.
    """

    first: date
    last: date
    before_first: date
    moment: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What a call is worth: the mean value of a sale, and the share of calls that come to one."""

    call_value: float
    conversion: float
    currency: str

    def lost(self, clients: int) -> float:
        """The estimate for that many clients whom nobody reached."""
        return clients * self.call_value * self.conversion


def latest(plan: DigestPlan, hours: WorkingHours, now: datetime) -> Edition | None:
    """The last digest of that plan whose moment has come; the earlier ones are superseded by it."""
    for day in _days(hours.day_of(now), -_DAY):
        if _tells(plan, hours, day) and (moment := _moment(plan, hours, day)) <= now:
            return _edition(plan, hours, day, moment)
    return None


def next_at(plan: DigestPlan, hours: WorkingHours, now: datetime) -> datetime:
    """When the next digest of that plan is told, after `now`."""
    for day in _days(hours.day_of(now), _DAY):
        if _tells(plan, hours, day) and (moment := _moment(plan, hours, day)) > now:
            return moment
    return now + _FAR * _DAY


def _days(first: date, step: timedelta) -> Iterator[date]:
    return (first + ahead * step for ahead in range(_FAR))


def _moment(plan: DigestPlan, hours: WorkingHours, day: date) -> datetime:
    """The moment of that day: one, also where clocks are put back (the first) or forward (as much later)."""
    return datetime.combine(day, plan.at, hours.zone).astimezone(UTC)


def _tells(plan: DigestPlan, hours: WorkingHours, day: date) -> bool:
    anchor = _anchor(plan, day)
    if not plan.only_working_days:
        return anchor == day
    return next((each for each in _days(anchor, _DAY) if hours.spans(each)), None) == day


def _anchor(plan: DigestPlan, day: date) -> date:
    """The last day up to that one on which the plan says that it is told."""
    match plan.kind:
        case DigestKind.WEEKLY:
            return day - timedelta(days=(day.weekday() - plan.on) % 7)
        case DigestKind.MONTHLY:
            month = day if day.day >= plan.on else day.replace(day=1) - _DAY
            return month.replace(day=plan.on)
    return day


def _edition(plan: DigestPlan, hours: WorkingHours, day: date, moment: datetime) -> Edition:
    anchor = _anchor(plan, day)
    match plan.kind:
        case DigestKind.WEEKLY:
            end = anchor - timedelta(days=anchor.weekday())
        case DigestKind.MONTHLY:
            end = anchor.replace(day=1)
        case _:
            end = day
    first = _first(plan, hours, end)
    return Edition(
        first=first,
        last=end - _DAY,
        before_first=_first(plan, hours, first),
        moment=moment,
        until=next_at(plan, hours, moment),
    )


def _first(plan: DigestPlan, hours: WorkingHours, end: date) -> date:
    """The first day of the digest that ends before that day."""
    match plan.kind:
        case DigestKind.WEEKLY:
            return end - _WEEK
        case DigestKind.MONTHLY:
            return (end - _DAY).replace(day=1)
    if not plan.only_working_days:
        return end - plan.days * _DAY
    worked = [day for day in _days(end - _DAY, -_DAY) if hours.spans(day)]
    return worked[plan.days - 1] if len(worked) >= plan.days else end - plan.days * _DAY
