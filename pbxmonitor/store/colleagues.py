"""Everybody beside his team-mates: the norm is what the others of the team do together (docs/metrics.md)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from itertools import accumulate
from math import ceil
from typing import Final, NamedTuple

from pbxmonitor.domain import kpi
from pbxmonitor.domain.kpi import Histogram, Standing, Sums
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store.sums import Key

# Peak-hour DND is remarkable from this part of the peak time on, and from so many times the colleagues' mean.
DND_PART, DND_TIMES = 0.1, 2.0
# Slow is what nine of ten of the colleagues' pick-ups are not.
SLOW: Final = 0.9
# Part and whole of what is remarkable, each by the same chance.
_REMARKABLE: Final = (("short_hangups", "answered"), ("forgotten", "lost"))
_TOLD: Final = ("missed", "offered", *(name for pair in _REMARKABLE for name in pair))


class Colleagues:
    """Everybody beside his team; `dnd` is everybody's time in DND, and `capacity` all there was, in the peak hours."""

    def __init__(
        self, rows: Mapping[Key, Sums], teams: Mapping[Key, str], dnd: Mapping[Key, int], capacity: int, policy: Policy
    ) -> None:
        self._rows, self._dnd, self._capacity = rows, dnd, capacity
        self._least = policy.min_offered_for_rating
        members: dict[str, list[Key]] = {}
        for key in rows:
            members.setdefault(teams[key], []).append(key)
        self._team_of = {key: team for mine in members.values() for team in [self._together(mine)] for key in mine}

    def _together(self, members: list[Key]) -> "_Team":
        rows = {key: self._rows[key] for key in members}
        return _Team(
            counts={name: sum(getattr(sums, name) for sums in rows.values()) for name in _TOLD},
            dnd=sum(self._dnd[key] for key in members),
            size=len(members),
            ranks=kpi.ranks({key: (sums.missed, sums.offered) for key, sums in rows.items()}, self._least),
            pace=Pace(sums.pickups for sums in rows.values()),
        )

    def beside(self, key: Key) -> Json:
        """Norm, difference, rank, standing with its interval, and what is remarkable."""
        mine, team = self._rows[key], self._team_of[key]
        norm = team.share_of_others(mine, "missed", "offered")
        missed = kpi.share(mine.missed, mine.offered)
        low, high = kpi.wilson(mine.missed, mine.offered)
        standing = kpi.standing(mine.missed, mine.offered, norm, self._least)
        return {
            "norm": norm,
            "difference": round(missed - norm, 4) if missed is not None and norm is not None else None,
            "interval": [round(low, 4), round(high, 4)] if mine.offered else None,
            "standing": standing.value,
            "rank": team.ranks.get(key),
            "ranked": len(team.ranks),
            "flags": list(self._flags(key, mine, team, standing)),
        }

    def _flags(self, key: Key, mine: Sums, team: "_Team", standing: Standing) -> Iterable[str]:
        """What sets him apart from his colleagues for the worse, by more than chance."""
        if standing is Standing.WORSE:
            yield "missed"
        for part, whole in _REMARKABLE:
            others = team.share_of_others(mine, part, whole)
            if kpi.standing(getattr(mine, part), getattr(mine, whole), others, self._least) is Standing.WORSE:
                yield part
        if team.pace.is_slow(mine.pickups, self._least):
            yield "slow"
        if self._away_in_peak(self._dnd[key], team):
            yield "dnd_in_peak"

    def _away_in_peak(self, ms: int, team: "_Team") -> bool:
        """A remarkable part of the peak time, and much more than his colleagues."""
        mean = (team.dnd - ms) / (team.size - 1) if team.size > 1 else 0
        return bool(self._capacity) and ms >= DND_PART * self._capacity and ms >= DND_TIMES * mean


class Pace:
    """How soon a team picks up, in tenths of a second."""

    def __init__(self, members: Iterable[Histogram]) -> None:
        together: dict[int, int] = {}
        for member in members:
            for value, count in member.items():
                together[value] = together.get(value, 0) + count
        self._all = _Ladder(together)

    def is_slow(self, mine: Histogram, least: int) -> bool:
        """More of a member's pick-ups than chance allows are slower than nine of ten of his colleagues'."""
        own = _Ladder(mine)
        others = self._all.total - own.total
        if not others:
            return False
        # The nearest rank, as `kpi.quantile` has it, found without making a histogram of the others for each member.
        limit = self._value_at(ceil(SLOW * others - 1e-9), own)
        slower = own.total - own.up_to(limit)
        usual = kpi.share(self._all.total - self._all.up_to(limit) - slower, others)
        return kpi.standing(slower, own.total, usual, least) is Standing.WORSE

    def _value_at(self, rank: int, own: "_Ladder") -> int:
        """The smallest value that so many of the others' do not exceed."""
        values = self._all.values
        return values[bisect_left(values, rank, key=lambda value: self._all.up_to(value) - own.up_to(value))]


class _Ladder:
    """How many of a histogram's values lie at or below any value."""

    def __init__(self, histogram: Histogram) -> None:
        self.values = sorted(histogram)
        self._counts = [0, *accumulate(map(histogram.__getitem__, self.values))]
        self.total = self._counts[-1]

    def up_to(self, value: int) -> int:
        return self._counts[bisect_right(self.values, value)]


class _Team(NamedTuple):
    """What its members do together."""

    counts: Mapping[str, int]
    dnd: int
    size: int
    ranks: Mapping[Key, int]
    pace: Pace

    def share_of_others(self, mine: Sums, part: str, whole: str) -> float | None:
        return kpi.share(self.counts[part] - getattr(mine, part), self.counts[whole] - getattr(mine, whole))
