"""Numbers a manager can trust: sums that add up over any split, shares with their chance, and what the goals say.

What each number means stands in docs/metrics.md. Times are whole milliseconds, so that no order of adding matters.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from math import ceil, sqrt
from typing import Any, Final

Histogram = Mapping[int, int]
Spent = Mapping[str, Histogram]

# What `Sums` counts, in the order of its columns; what it packs; what an hour of the load counts.
COUNTS: Final = (
    "answered",
    "missed",
    "answered_elsewhere",
    "refused",
    "not_counted",
    "short_hangups",
    "caller_hangups",
    "picked",
    "pickup_ms",
    "talk_ms",
    "lost",
    "called_back",
    "returned",
    "dismissed",
    "uncallable",
    "forgotten",
    "outbound",
    "outbound_answered",
    "outbound_ms",
    "owned",
    "in_norm",
    "called",
    "reached",
    "fakes",
    "ready_ms",
    "ringing_ms",
    "talking_ms",
    "hold_ms",
    "wrapup_ms",
)
PACKED: Final = ("pickups", "delays", "spent")
LOAD: Final = ("calls", "answered", "lost", "short_abandons", "wait_ms")

CONFIDENT: Final = 1.959964  # the 95 % point of the normal distribution
# An hour is a peak when it has this many times the calls of the mean hour in which anybody called.
PEAK: Final = 1.1
_OCCASIONAL: Final = 0.1
DAYS_OF_WEEK: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """One agent's sums over any stretch of time; `+` joins two that do not overlap.

    `pickups` counts rings picked up by tenths of a second, `delays` first attempts to call back by whole seconds of
    working time since the miss, `spent` milliseconds away by state (see `spent_key`) and hour of the site's day.
    """

    answered: int = 0
    missed: int = 0
    answered_elsewhere: int = 0
    refused: int = 0
    not_counted: int = 0
    short_hangups: int = 0
    caller_hangups: int = 0
    picked: int = 0
    pickup_ms: int = 0
    talk_ms: int = 0
    lost: int = 0
    called_back: int = 0
    returned: int = 0
    dismissed: int = 0
    uncallable: int = 0
    forgotten: int = 0
    outbound: int = 0
    outbound_answered: int = 0
    outbound_ms: int = 0
    owned: int = 0
    in_norm: int = 0
    called: int = 0
    reached: int = 0
    fakes: int = 0
    ready_ms: int = 0
    ringing_ms: int = 0
    talking_ms: int = 0
    hold_ms: int = 0
    wrapup_ms: int = 0
    pickups: Histogram = field(default_factory=dict)
    delays: Histogram = field(default_factory=dict)
    spent: Spent = field(default_factory=dict)

    def __add__(self, other: "Sums") -> "Sums":
        counts: dict[str, Any] = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        keys = self.spent.keys() | other.spent.keys()
        return Sums(
            **counts,
            pickups=joined(self.pickups, other.pickups),
            delays=joined(self.delays, other.delays),
            spent={key: joined(self.spent.get(key, {}), other.spent.get(key, {})) for key in keys},
        )

    @property
    def offered(self) -> int:
        """Calls that were his to answer: answered and missed ones."""
        return self.answered + self.missed


def joined(one: Histogram, other: Histogram) -> Histogram:
    """Both histograms as one."""
    small, large = sorted((one, other), key=len)
    if not small:
        return large
    return {**large, **{value: count + large.get(value, 0) for value, count in small.items()}}


def total(parts: Iterable[Sums]) -> Sums:
    """All of them together."""
    whole = Sums()
    for part in parts:
        whole = whole + part
    return whole


def spent_key(state: str, reason: str | None = None, *, partial: bool = False) -> str:
    """How `Sums.spent` names a state; a pause in some of his queues only stands apart."""
    return f"{state}{'~' if partial else ''}:{reason or ''}"


def spent_ms(spent: Spent, state: str, hours: frozenset[int] | None = None, *, partial: bool = False) -> int:
    """Milliseconds in that state, whatever the reason; of those hours of the day only, if given."""
    word = f"{state}{'~' if partial else ''}"
    return sum(
        ms
        for key, by_hour in spent.items()
        if key.partition(":")[0] == word
        for hour, ms in by_hour.items()
        if hours is None or hour in hours
    )


def reasons_ms(spent: Spent, state: str) -> dict[str, int]:
    """Milliseconds in that state by reason ("" where none was given), partial ones left out."""
    return {
        key.partition(":")[2]: sum(by_hour.values())
        for key, by_hour in sorted(spent.items())
        if key.partition(":")[0] == state
    }


def share(part: int, whole: int) -> float | None:
    """A part of the whole, 0..1 to four places; None of nothing, which is neither 0 nor 1."""
    return round(part / whole, 4) if whole else None


def quantile(histogram: Histogram, part: float) -> int | None:
    """The smallest value that at least that part of all do not exceed (nearest rank); None of none."""
    wanted, seen = ceil(part * sum(histogram.values()) - 1e-9), 0
    for value in sorted(histogram):
        seen += histogram[value]
        if seen >= wanted and seen:
            return value
    return None


def wilson(part: int, whole: int, z: float = CONFIDENT) -> tuple[float, float]:
    """Between which shares the true one lies, with 95 % confidence (Wilson, 1927); 0 and 1 when nothing is known."""
    if whole == 0:
        return 0.0, 1.0
    seen, slack = part / whole, z * z / whole
    middle, reach = seen + slack / 2, z * sqrt(seen * (1 - seen) / whole + slack / (4 * whole))
    return max((middle - reach) / (1 + slack), 0.0), min((middle + reach) / (1 + slack), 1.0)


class Standing(StrEnum):
    """An agent's share beside that of his team; a smaller share is better."""

    NO_DATA = "no_data"
    NOT_ENOUGH = "not_enough"
    AS_TEAM = "as_team"
    WORSE = "worse"
    BETTER = "better"


def standing(part: int, whole: int, norm: float | None, least: int) -> Standing:
    """Whether the difference from the norm is more than chance: never a verdict on fewer than `least`."""
    if whole == 0:
        return Standing.NO_DATA
    if whole < least or norm is None:
        return Standing.NOT_ENOUGH
    low, high = wilson(part, whole)
    if norm < low:
        return Standing.WORSE
    return Standing.BETTER if norm > high else Standing.AS_TEAM


def ranks(shares: Mapping[Any, tuple[int, int]], least: int) -> dict[Any, int]:
    """Places by share, 1 is the smallest; equal shares share a place; who has fewer than `least` has none."""
    rated = {name: part / whole for name, (part, whole) in shares.items() if whole >= max(least, 1)}
    return {name: 1 + sum(other < mine for other in rated.values()) for name, mine in rated.items()}


def slower_than(histogram: Histogram, limit: int) -> tuple[int, int]:
    """How many of all lie above that value."""
    return sum(count for value, count in histogram.items() if value > limit), sum(histogram.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """Whether a share stays within a limit: over the whole stretch (None without data), and lately.

    `lately` is the answer of the week up to the last day that has data: one day of one person is too few calls.
    `since` is the first day of the unbroken run of days whose week had that answer.
    """

    met: bool | None
    lately: bool | None = None
    since: date | None = None


def goal(days: Sequence[tuple[date, int, int]], limit: float, part: int, whole: int) -> Goal:
    """What the daily (day, part, whole), oldest first, say of a limit; `part` of `whole` is the stretch itself."""
    met = part <= limit * whole + 1e-9 if whole else None
    since: date | None = None
    lately: bool | None = None
    for day, some, of in _weeks(days):
        answer = some <= limit * of + 1e-9
        if lately is None:
            lately = answer
        if answer is not lately:
            break
        since = day
    return Goal(met=met, lately=lately, since=since)


def _weeks(days: Sequence[tuple[date, int, int]]) -> Iterator[tuple[date, int, int]]:
    """For each day with data, the last one first, the sums of the seven days that end with it."""
    part = whole = 0
    first = len(days)
    for day, some, of in reversed(days):
        while first and (day - days[first - 1][0]).days < DAYS_OF_WEEK:
            first -= 1
            part, whole = part + days[first][1], whole + days[first][2]
        if of:
            yield day, part, whole
        part, whole = part - some, whole - of


def peak_hours(load: Mapping[int, int]) -> frozenset[int]:
    """The busy hours of the day: clearly more calls than in the mean hour, hours with hardly a call left aside."""
    most = max(load.values(), default=0)
    hours = {hour: calls for hour, calls in load.items() if calls > most * _OCCASIONAL}
    if not hours:
        return frozenset()
    mean = sum(hours.values()) / len(hours)
    return frozenset(hour for hour, calls in hours.items() if calls >= mean * PEAK)
