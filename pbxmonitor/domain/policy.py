"""Thresholds and calendars: what the business calls a miss, a short hangup, a callback."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """When the site works, in its own time zone; no weekly spans at all means always open.

    `week[0]` is Monday: spans of (from, to) within the day. `holidays` are closed whole.
    """

    zone: tzinfo = UTC
    week: tuple[tuple[tuple[time, time], ...], ...] = ()
    holidays: frozenset[date] = frozenset()

    @property
    def always(self) -> bool:
        return not any(self.week) and not self.holidays

    def spans(self, day: date) -> tuple[tuple[datetime, datetime], ...]:
        """The open spans of that day, in UTC."""
        if day in self.holidays:
            return ()
        week = self.week or (((time.min, time.max),),) * 7
        return tuple((self._utc(day, begin), self._end(day, end)) for begin, end in week[day.weekday()])

    def open_at(self, at: datetime) -> bool:
        """Whether the site works at that moment."""
        if self.always:
            return True
        return any(begin <= at < end for begin, end in self.spans(at.astimezone(self.zone).date()))

    def after(self, at: datetime, working: timedelta) -> datetime:
        """The moment by which that much working time has passed since `at` (a year ahead at most)."""
        if self.always:
            return at + working
        at = at.astimezone(UTC)
        day, left = at.astimezone(self.zone).date(), working
        for ahead in range(366):
            for begin, end in self.spans(day + timedelta(days=ahead)):
                start = max(begin, at)
                if start + left <= end:
                    return start + left
                left -= max(end - start, timedelta())
        return at + timedelta(days=366)

    def between(self, begin: datetime, end: datetime) -> timedelta:
        """How much working time passed from `begin` to `end`; nothing when they are the other way round."""
        if self.always:
            return max(end - begin, timedelta())
        day, last, worked = begin.astimezone(self.zone).date(), end.astimezone(self.zone).date(), timedelta()
        while day <= last:
            for opens, closes in self.spans(day):
                worked += max(min(closes, end) - max(opens, begin), timedelta())
            day += timedelta(days=1)
        return worked

    def day_of(self, at: datetime) -> date:
        """The site's day of that moment."""
        return at.astimezone(self.zone).date()

    def day_span(self, day: date) -> tuple[datetime, datetime]:
        """The first moment of the site's day and of the next one, in UTC; 23 or 25 hours apart when clocks change."""
        return self._utc(day, time.min), self._utc(day + timedelta(days=1), time.min)

    def _end(self, day: date, moment: time) -> datetime:
        """The day's last moment stands for midnight."""
        return self._utc(day + timedelta(days=1), time.min) if moment == time.max else self._utc(day, moment)

    def _utc(self, day: date, moment: time) -> datetime:
        return datetime.combine(day, moment, self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Whom the manager compares with each other, and what he wants of them where it is not what he wants of all."""

    key: str
    name: str
    members: frozenset[str]
    max_missed_share: float | None = None
    callback_norm: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Every threshold of the judging rules; `queues` holds what a queue has of its own.

    `peak_hours` are hours of the site's day, None until set: then the load tells. `owner_rules` are tried in order:
    missed, last_rung, responsible (by queue), fewest_open (of the queue's responsible, else of the employees).
    """

    min_ring: timedelta = timedelta(seconds=3)
    short_abandon: timedelta = timedelta(seconds=5)
    short_hangup: timedelta = timedelta(seconds=6)
    dropped_within: timedelta = timedelta(seconds=3)
    callback_norm: timedelta = timedelta(minutes=10)
    callback_keep: timedelta = timedelta(days=7)
    min_attempt_ring: timedelta = timedelta(seconds=10)
    min_reached_talk: timedelta = timedelta(seconds=5)
    max_missed_share: float = 0.12
    min_offered_for_rating: int = 20
    min_in_norm_share: float = 0.8
    peak_hours: frozenset[int] | None = None
    service_levels: tuple[timedelta, ...] = (timedelta(seconds=20),)
    hours: WorkingHours = field(default_factory=WorkingHours)
    never_call_back: frozenset[str] = frozenset()
    queues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    teams: tuple[Team, ...] = ()
    owner_rules: tuple[str, ...] = ("missed",)
    responsible: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    employees: tuple[str, ...] = ()

    def team_of(self, agent: str) -> Team | None:
        """The first team that the agent is in; who is in none is compared with everybody who is in none."""
        return next((team for team in self.teams if agent in team.members), None)

    def of_queue(self, queue: str | None) -> "Policy":
        """The policy with what that queue has of its own."""
        own = self.queues.get(queue) if queue else None
        changes: dict[str, Any] = dict(own or {})
        return replace(self, **changes) if changes else self
