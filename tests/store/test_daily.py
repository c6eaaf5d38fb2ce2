"""Days as goals are measured by them."""

from datetime import date

from pbxmonitor.store.daily import Daily

MONDAY, TUESDAY, FRIDAY = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 6)


def test_a_person_on_two_pbxs_has_each_day_once() -> None:
    here = Daily([TUESDAY, MONDAY], [1, 2], [10, 20], [0, 0], [1, 1])
    there = Daily([FRIDAY, MONDAY], [3, 4], [30, 40], [1, 0], [1, 0])
    days = here + there
    assert days.shares(days.missed, days.offered) == [(MONDAY, 6, 60), (TUESDAY, 1, 10), (FRIDAY, 3, 30)]
    assert days.shares(days.late, days.owned) == [(MONDAY, 0, 1), (TUESDAY, 0, 1), (FRIDAY, 1, 1)]
