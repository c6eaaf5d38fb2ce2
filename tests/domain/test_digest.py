"""When digests are told and of which days."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.domain.digest import DigestKind, DigestPlan, Edition, Money, latest, next_at
from pbxmonitor.domain.policy import WorkingHours

BERLIN = ZoneInfo("Europe/Berlin")
OPEN = ((time(9), time(20)),)
ALWAYS = WorkingHours(zone=UTC)
SIX_DAYS = WorkingHours(zone=UTC, week=(*((OPEN,) * 6), ()))
MONDAY = date(2026, 3, 2)


def at(day: date, hour: int = 8, minute: int = 30) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def edition(plan: DigestPlan, now: datetime, hours: WorkingHours = ALWAYS) -> Edition:
    found = latest(plan, hours, now)
    assert found is not None
    return found


def days(found: Edition) -> tuple[str, str, str]:
    return found.before_first.isoformat(), found.first.isoformat(), found.last.isoformat()


def test_a_daily_digest_is_about_yesterday_and_compared_with_the_day_before() -> None:
    found = edition(DigestPlan(), at(MONDAY))
    assert days(found) == ("2026-02-28", "2026-03-01", "2026-03-01")
    assert (found.moment, found.until) == (at(MONDAY), at(MONDAY + timedelta(days=1)))


def test_before_its_moment_the_last_one_is_yesterdays() -> None:
    found = edition(DigestPlan(), at(MONDAY, 8, 29))
    assert (found.moment, found.last) == (at(date(2026, 3, 1)), date(2026, 2, 28))


@pytest.mark.parametrize(("on", "told"), [(0, MONDAY), (4, date(2026, 3, 6)), (6, date(2026, 3, 8))])
def test_a_weekly_digest_is_about_the_whole_week_before_whenever_it_is_told(on: int, told: date) -> None:
    plan = DigestPlan(kind=DigestKind.WEEKLY, on=on)
    for ahead in range(7):
        found = edition(plan, at(told + timedelta(days=ahead), 12))
        assert (found.moment, days(found)) == (at(told), ("2026-02-16", "2026-02-23", "2026-03-01"))


def test_a_monthly_digest_is_about_the_calendar_month_before() -> None:
    plan = DigestPlan(kind=DigestKind.MONTHLY, on=3)
    assert days(edition(plan, at(date(2026, 3, 3)))) == ("2026-01-01", "2026-02-01", "2026-02-28")
    assert days(edition(plan, at(date(2026, 3, 2)))) == ("2025-12-01", "2026-01-01", "2026-01-31")
    assert next_at(plan, ALWAYS, at(date(2026, 3, 3))) == at(date(2026, 4, 3))


def test_days_off_belong_to_the_digest_of_the_working_day_before() -> None:
    plan = DigestPlan(only_working_days=True)
    assert edition(plan, at(date(2026, 3, 1), 23), SIX_DAYS).moment == at(date(2026, 2, 28))
    found = edition(plan, at(MONDAY), SIX_DAYS)
    assert days(found) == ("2026-02-27", "2026-02-28", "2026-03-01")


def test_what_falls_on_a_day_off_is_told_on_the_next_working_day_of_the_same_days() -> None:
    hours = WorkingHours(zone=UTC, week=SIX_DAYS.week, holidays=frozenset({MONDAY}))
    plan = DigestPlan(kind=DigestKind.WEEKLY, only_working_days=True)
    found = edition(plan, at(date(2026, 3, 3)), hours)
    assert (found.moment, found.first) == (at(date(2026, 3, 3)), date(2026, 2, 23))
    sunday = DigestPlan(kind=DigestKind.WEEKLY, on=6, only_working_days=True)
    assert days(edition(sunday, at(MONDAY), SIX_DAYS)) == ("2026-02-09", "2026-02-16", "2026-02-22")


@pytest.mark.parametrize("only", [False, True])
def test_three_days_of_callbacks_are_the_last_three_and_working_ones_if_only_those_count(only: bool) -> None:
    plan = DigestPlan(kind=DigestKind.CALLBACKS, days=3, only_working_days=only)
    found = edition(plan, at(MONDAY), SIX_DAYS)
    assert (found.first, found.last) == (date(2026, 2, 26 if only else 27), date(2026, 3, 1))


def test_reports_of_one_day_and_of_three_are_not_taken_for_each_other() -> None:
    names = {DigestPlan(kind=DigestKind.CALLBACKS, days=number).name for number in (1, 2, 3)}
    assert len(names) == 3


@pytest.mark.parametrize("only", [False, True])
def test_the_days_of_daily_digests_follow_each_other_without_a_hole(only: bool) -> None:
    plan = DigestPlan(only_working_days=only)
    found = [edition(plan, at(MONDAY + timedelta(days=ahead), 12), SIX_DAYS) for ahead in range(40)]
    for one, two in pairwise(found):
        assert two == one or (two.first == one.last + timedelta(days=1) and two.before_first == one.first)
    assert len({each.first for each in found}) == (35 if only else 40)


@pytest.mark.parametrize(("changes", "spring"), [(date(2026, 3, 29), True), (date(2026, 10, 25), False)])
@pytest.mark.parametrize("told", [time(0), time(2, 30), time(3), time(23, 59)])
def test_every_day_has_one_moment_also_when_clocks_change(changes: date, spring: bool, told: time) -> None:
    hours, plan = WorkingHours(zone=BERLIN), DigestPlan(at=told)
    now = datetime.combine(changes - timedelta(days=1), time.min, BERLIN).astimezone(UTC)
    end = datetime.combine(changes + timedelta(days=2), time.min, BERLIN).astimezone(UTC)
    moments = []
    while (now := next_at(plan, hours, now - timedelta(microseconds=1))) < end:
        found = latest(plan, hours, now)
        assert found is not None
        assert (found.moment, found.last) == (now, now.astimezone(BERLIN).date() - timedelta(days=1))
        moments.append(now)
        now += timedelta(microseconds=2)
    assert [moment.astimezone(BERLIN).date() for moment in moments] == [
        changes + timedelta(days=ahead) for ahead in (-1, 0, 1)
    ]
    if told == time(2, 30):
        on_the_day = moments[1].astimezone(BERLIN)
        assert (on_the_day.hour, on_the_day.fold) == ((3, 0) if spring else (2, 0))


def test_a_lost_client_costs_what_a_call_is_worth() -> None:
    assert Money(call_value=4000, conversion=0.3, currency="₽").lost(10) == pytest.approx(12000)
