"""What is found without making a histogram of the others for each member is what that histogram says."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from pbxmonitor.domain import kpi
from pbxmonitor.domain.kpi import Histogram, Standing
from pbxmonitor.store.colleagues import SLOW, Pace

histograms = st.dictionaries(st.integers(0, 60), st.integers(0, 9), max_size=20)


@given(team=st.lists(histograms, min_size=1, max_size=5), least=st.integers(0, 30))
def test_a_member_is_slow_by_the_pick_ups_of_all_the_others(team: Sequence[Histogram], least: int) -> None:
    pace = Pace(team)
    for place, mine in enumerate(team):
        assert pace.is_slow(mine, least) is plainly_slow(mine, [*team[:place], *team[place + 1 :]], least)


def plainly_slow(mine: Histogram, others: Sequence[Histogram], least: int) -> bool:
    together: Histogram = {}
    for other in others:
        together = kpi.joined(together, other)
    limit = kpi.quantile(together, SLOW)
    if limit is None:
        return False
    slower, picked = kpi.slower_than(mine, limit)
    return kpi.standing(slower, picked, kpi.share(*kpi.slower_than(together, limit)), least) is Standing.WORSE


def test_who_picks_up_late_among_quick_ones_is_slow() -> None:
    quick, late = {20: 40, 30: 10}, {20: 5, 90: 45}
    pace = Pace([quick, quick, late])
    assert [pace.is_slow(each, 20) for each in (quick, late)] == [False, True]
