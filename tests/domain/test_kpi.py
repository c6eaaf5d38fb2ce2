"""Shares with their chance, places, goals, quantiles and peaks."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.domain import kpi
from pbxmonitor.domain.kpi import COUNTS, Goal, Standing, Sums

histograms = st.dictionaries(st.integers(0, 50), st.integers(1, 9), max_size=6)
spents = st.dictionaries(st.sampled_from(["dnd:", "paused:lunch", "paused~:lunch"]), histograms, max_size=3)
sums = st.builds(
    Sums, **{name: st.integers(0, 99) for name in COUNTS}, pickups=histograms, delays=histograms, spent=spents
)
DAY = date(2026, 11, 2)


@given(one=sums, two=sums, three=sums)
def test_sums_are_added_in_any_order(one: Sums, two: Sums, three: Sums) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three)
    assert one + Sums() == one == Sums() + one


def test_the_clinics_shares() -> None:
    assert kpi.share(79, 214) == 0.3692
    assert kpi.share(11, 79) == 0.1392
    assert kpi.share(42, 135) == 0.3111
    assert kpi.share(0, 0) is None


@pytest.mark.parametrize(
    ("histogram", "part", "value"),
    [
        ({}, 0.5, None),
        ({7: 1}, 0.5, 7),
        ({1: 1, 2: 1}, 0.5, 1),
        ({1: 1, 2: 1, 3: 1}, 0.5, 2),
        ({1: 9, 100: 1}, 0.9, 1),
        ({1: 8, 100: 2}, 0.9, 100),
        ({5: 10}, 0.0, 5),
    ],
)
def test_a_quantile_is_a_value_that_was_seen(histogram: dict[int, int], part: float, value: int | None) -> None:
    assert kpi.quantile(histogram, part) == value


@given(histogram=histograms.filter(bool), part=st.floats(0.01, 1))
def test_at_least_that_part_does_not_exceed_a_quantile(histogram: dict[int, int], part: float) -> None:
    value = kpi.quantile(histogram, part)
    assert value is not None
    seen, whole = sum(n for v, n in histogram.items() if v <= value), sum(histogram.values())
    below = sum(n for v, n in histogram.items() if v < value)
    assert seen / whole >= part - 1e-9
    assert below / whole < part


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe (1998), table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for part, whole, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611)):
        assert kpi.wilson(part, whole) == pytest.approx((low, high), abs=5e-5)
    assert kpi.wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert kpi.wilson(0, 0) == (0.0, 1.0)


@given(part=st.integers(0, 500), more=st.integers(0, 500))
def test_wilsons_interval_holds_the_share_and_mirrors_the_rest(part: int, more: int) -> None:
    whole = part + more
    low, high = kpi.wilson(part, whole)
    assert 0 <= low <= high <= 1
    if whole:
        assert low - 1e-9 <= part / whole <= high + 1e-9
    assert kpi.wilson(more, whole) == pytest.approx((1 - high, 1 - low))


@pytest.mark.parametrize(
    ("part", "whole", "norm", "standing"),
    [
        (79, 214, 0.095, Standing.WORSE),
        (22, 214, 0.095, Standing.AS_TEAM),
        (2, 214, 0.095, Standing.BETTER),
        (19, 19, 0.095, Standing.NOT_ENOUGH),
        (0, 0, 0.095, Standing.NO_DATA),
        (5, 100, None, Standing.NOT_ENOUGH),
    ],
)
def test_a_verdict_needs_calls_and_more_than_chance(
    part: int, whole: int, norm: float | None, standing: Standing
) -> None:
    assert kpi.standing(part, whole, norm, 20) is standing


@given(part=st.integers(0, 19), norm=st.floats(0, 1))
def test_too_few_calls_are_never_a_verdict(part: int, norm: float) -> None:
    assert kpi.standing(part, 19, norm, 20) in (Standing.NO_DATA, Standing.NOT_ENOUGH)


@given(shares=st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 30), st.integers(1, 60))))
def test_places_follow_the_shares(shares: dict[str, tuple[int, int]]) -> None:
    places = kpi.ranks(shares, 20)
    assert places.keys() == {name for name, (_, whole) in shares.items() if whole >= 20}
    for one in places:
        for other in places:
            less = shares[one][0] / shares[one][1] < shares[other][0] / shares[other][1]
            assert not less or places[one] < places[other]
    assert not places or min(places.values()) == 1


def days(*missed: int | None) -> list[tuple[date, int, int]]:
    """Ten calls a day, so many of them missed; None is a day without calls."""
    counts = [(0, 0) if each is None else (each, 10) for each in missed]
    return [(DAY + timedelta(days=n), part, whole) for n, (part, whole) in enumerate(counts)]


@pytest.mark.parametrize(
    ("missed", "told"),
    [
        # The week's share passes 12 % on the fourth day: 1+1+1+4 of 40.
        ((1, 1, 1, 4, 4), Goal(met=False, lately=False, since=DAY + timedelta(days=3))),
        # Bad days leave the week after seven days.
        ((4, 0, None, 0, 0, 0, 0, 0), Goal(met=True, lately=True, since=DAY + timedelta(days=4))),
        ((4, 4), Goal(met=False, lately=False, since=DAY)),
        ((0, 1, 1), Goal(met=True, lately=True, since=DAY)),
        ((None, None), Goal(met=None)),
        ((), Goal(met=None)),
    ],
)
def test_a_goal_tells_since_when(missed: tuple[int | None, ...], told: Goal) -> None:
    each = days(*missed)
    part, whole = sum(part for _, part, _ in each), sum(whole for _, _, whole in each)
    assert kpi.goal(each, 0.12, part, whole) == told


def test_a_share_of_exactly_the_limit_meets_it() -> None:
    assert kpi.goal([], 0.12, 12, 100).met is True
    assert kpi.goal([], 0.12, 13, 100).met is False


def test_peaks_are_clearly_above_the_mean_hour() -> None:
    load = {9: 30, 10: 60, 11: 62, 12: 58, 13: 30, 14: 28, 15: 30, 16: 31, 17: 60, 18: 61, 19: 59, 3: 1}
    assert kpi.peak_hours(load) == frozenset({10, 11, 12, 17, 18, 19})
    assert kpi.peak_hours({}) == frozenset()


@given(load=st.dictionaries(st.integers(0, 23), st.integers(0, 500)), times=st.integers(1, 20))
def test_twice_the_calls_make_the_same_peaks(load: dict[int, int], times: int) -> None:
    assert kpi.peak_hours({hour: calls * times for hour, calls in load.items()}) == kpi.peak_hours(load)


def test_a_partial_pause_stands_apart() -> None:
    spent = {"paused:lunch": {13: 600}, "paused~:lunch": {14: 60}, "paused:": {9: 5}, "dnd:": {10: 7}}
    assert kpi.spent_ms(spent, "paused") == 605
    assert kpi.spent_ms(spent, "paused", partial=True) == 60
    assert kpi.spent_ms(spent, "paused", frozenset({13})) == 600
    assert kpi.reasons_ms(spent, "paused") == {"": 5, "lunch": 600}


def test_slower_ones_are_counted_beside_all() -> None:
    histogram: Any = {10: 4, 20: 3, 30: 2}
    assert kpi.slower_than(histogram, 20) == (2, 9)
