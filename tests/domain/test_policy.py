"""Working time: hours, holidays, and the two days a year that are not 24 hours long."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbxmonitor.domain.policy import Policy, WorkingHours

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")
DAY = ((time(9), time(20)),)
CLINIC = WorkingHours(zone=MOSCOW, week=(DAY,) * 6 + ((),))
LUNCH = WorkingHours(week=(((time(9), time(13)), (time(14), time(18))),) * 5 + ((), ()))
MINUTES = timedelta(minutes=10)


def at(text: str, zone: ZoneInfo | None = None) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone or UTC)


def test_until_set_a_site_is_always_open() -> None:
    hours = WorkingHours()
    assert hours.always
    assert hours.open_at(at("2026-03-01T03:00"))
    assert hours.after(at("2026-03-01T03:00"), MINUTES) == at("2026-03-01T03:10")


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-03-02T08:59:59", False),
        ("2026-03-02T09:00", True),
        ("2026-03-02T19:59:59", True),
        ("2026-03-02T20:00", False),
        ("2026-03-07T12:00", True),
        ("2026-03-08T12:00", False),
    ],
)
def test_the_clinic_works_nine_to_eight_by_its_own_clock(moment: str, is_open: bool) -> None:
    assert CLINIC.open_at(at(moment, MOSCOW)) is is_open
    assert CLINIC.open_at(at(moment, MOSCOW).astimezone(UTC)) is is_open


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-03-02T10:00", "2026-03-02T10:10"),
        ("2026-03-02T19:50", "2026-03-02T20:00"),
        ("2026-03-02T19:55", "2026-03-03T09:05"),
        ("2026-03-02T03:00", "2026-03-02T09:10"),
        ("2026-03-02T23:00", "2026-03-03T09:10"),
        ("2026-03-07T19:58", "2026-03-09T09:08"),
        ("2026-03-08T12:00", "2026-03-09T09:10"),
    ],
)
def test_a_deadline_counts_working_time_only(opened: str, due: str) -> None:
    assert CLINIC.after(at(opened, MOSCOW), MINUTES) == at(due, MOSCOW)


def test_a_deadline_passes_over_the_lunch_break() -> None:
    assert LUNCH.after(at("2026-03-02T12:55"), MINUTES) == at("2026-03-02T14:05")
    assert LUNCH.after(at("2026-03-02T13:30"), MINUTES) == at("2026-03-02T14:10")
    assert not LUNCH.open_at(at("2026-03-02T13:30"))


def test_a_long_deadline_spans_several_days() -> None:
    assert CLINIC.after(at("2026-03-02T10:00", MOSCOW), timedelta(hours=25)) == at("2026-03-04T13:00", MOSCOW)


def test_holidays_are_closed_whole() -> None:
    hours = WorkingHours(zone=MOSCOW, week=CLINIC.week, holidays=frozenset({date(2026, 3, 9)}))
    assert not hours.open_at(at("2026-03-09T12:00", MOSCOW))
    assert hours.after(at("2026-03-07T19:58", MOSCOW), MINUTES) == at("2026-03-10T09:08", MOSCOW)


def test_holidays_alone_leave_the_other_days_open_round_the_clock() -> None:
    hours = WorkingHours(zone=MOSCOW, holidays=frozenset({date(2026, 3, 8)}))
    assert hours.open_at(at("2026-03-07T23:59", MOSCOW))
    assert not hours.open_at(at("2026-03-08T00:00", MOSCOW))
    due = hours.after(at("2026-03-08T05:00", MOSCOW), MINUTES)
    assert due == at("2026-03-09T00:10", MOSCOW)


def test_round_the_clock_is_open_in_the_last_moment_of_a_day() -> None:
    hours = WorkingHours(holidays=frozenset({date(2026, 3, 8)}))
    assert hours.open_at(datetime(2026, 3, 6, 23, 59, 59, 999999, tzinfo=UTC))
    assert hours.after(at("2026-03-06T23:55"), MINUTES) == at("2026-03-07T00:05")


def test_a_site_that_never_works_is_due_a_year_ahead() -> None:
    hours = WorkingHours(week=(((time(9), time(10)),), *((),) * 6), holidays=frozenset())
    monday = at("2026-03-02T09:00")
    assert hours.after(monday, timedelta(hours=1000)) == monday + timedelta(days=366)


def test_the_hour_that_spring_skips_is_not_worked() -> None:
    """Berlin, 29 March 2026: 02:00 becomes 03:00."""
    night = WorkingHours(zone=BERLIN, week=(((time(0), time(6)),),) * 7)
    half_past_one = at("2026-03-29T01:30", BERLIN).astimezone(UTC)
    assert night.after(half_past_one, timedelta(hours=1)) == at("2026-03-29T03:30", BERLIN)


def test_the_hour_that_autumn_repeats_is_worked_twice() -> None:
    """Berlin, 25 October 2026: 03:00 becomes 02:00."""
    night = WorkingHours(zone=BERLIN, week=(((time(0), time(6)),),) * 7)
    due = night.after(at("2026-10-25T01:30", BERLIN).astimezone(UTC), timedelta(hours=3))
    assert due == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)
    assert due.astimezone(BERLIN).time() == time(3, 30)


def test_a_day_of_work_across_the_change_keeps_its_local_hours() -> None:
    hours = WorkingHours(zone=BERLIN, week=(DAY,) * 7)
    assert hours.after(at("2026-03-28T19:55", BERLIN), MINUTES) == at("2026-03-29T09:05", BERLIN)
    assert hours.spans(date(2026, 3, 28))[0][0].hour == 8
    assert hours.spans(date(2026, 3, 29))[0][0].hour == 7


def test_a_queues_own_thresholds_replace_only_themselves() -> None:
    policy = Policy(min_ring=timedelta(seconds=4), queues={"sales": {"short_hangup": timedelta(seconds=3)}})
    assert policy.of_queue("sales").short_hangup == timedelta(seconds=3)
    assert policy.of_queue("sales").min_ring == timedelta(seconds=4)
    assert policy.of_queue("support") == policy
    assert policy.of_queue(None) == policy
