"""A day of the clinic being written: who is free when, and what has been set down so far."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from itertools import accumulate
from random import Random
from typing import Final

from pbxmonitor.simulator.clinic.cards import Card
from pbxmonitor.simulator.clinic.cast import ANNA, CLOSES, LINES, LOAD, OPENS, PEOPLE, WITH_MENU
from pbxmonitor.simulator.clinic.numbers import Callers
from pbxmonitor.simulator.clinic.script import Away, Day, Inbound, Outbound, Shift

# A queue does not ring before this has passed since the caller came, nor a phone that is about to go away.
FIRST_RING_S: Final = 0.002
MARGIN_S: Final = 5.0
_TRIES: Final = 400
_HOURS: Final = tuple(LOAD)
_SHARES: Final = tuple(accumulate(LOAD.values()))


class Diary:
    """When each agent on shift is taken: by a call, by being away."""

    def __init__(self, shifts: Iterable[Shift]) -> None:
        self._taken = {shift.agent: [(float("-inf"), shift.begin), (shift.end, float("inf"))] for shift in shifts}

    @property
    def agents(self) -> tuple[str, ...]:
        return tuple(self._taken)

    def free(self, agent: str, begin: float, end: float) -> bool:
        """Whether nothing else is in those seconds."""
        taken = self._taken.get(agent)
        return taken is not None and all(end <= other or gone <= begin for other, gone in taken)

    def idle(self, begin: float, end: float) -> list[str]:
        """Everybody who is free then."""
        return [agent for agent in self._taken if self.free(agent, begin, end)]

    def take(self, agent: str, begin: float, end: float) -> None:
        self._taken[agent].append((begin, end))


@dataclass(eq=False, kw_only=True)
class Draft:
    """One date: `hands` are the cards still to be played, `callers_back` who is to call back for which call."""

    date: date
    rng: Random
    callers: Callers
    hands: dict[str, list[Card]]
    diary: Diary = field(init=False)
    shifts: tuple[Shift, ...] = field(init=False)
    inbound: list[Inbound] = field(default_factory=list)
    outbound: list[Outbound] = field(default_factory=list)
    aways: list[Away] = field(default_factory=list)
    callers_back: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        present = [extension for extension, person in PEOPLE.items() if person.works(self.date)]
        self.shifts = tuple(self._shift(agent) for agent in present)
        self.diary = Diary(self.shifts)

    def _shift(self, agent: str) -> Shift:
        """Logged in some minutes before the doors open, out when the last call is over."""
        begin = OPENS - self.rng.randrange(60, 600)
        return Shift(agent=agent, begin=float(begin), end=float(CLOSES + self.rng.randrange(120, 600)))

    @property
    def colleagues(self) -> list[str]:
        """Who is here besides Anna."""
        return [agent for agent in self.diary.agents if agent != ANNA.extension]

    def away(self, agent: str, begin: float, end: float, kind: str, reason: str = "", note: str = "") -> None:
        """Set down an absence, and keep calls clear of it."""
        self.aways.append(Away(agent=agent, begin=begin, end=end, kind=kind, reason=reason, note=note))
        self.diary.take(agent, begin - MARGIN_S, end + MARGIN_S)

    def stretch(self, agent: str, lasts: float, earliest: float, latest: float) -> float | None:
        """The beginning of a free stretch that long within those limits."""
        for _ in range(_TRIES):
            begin = float(round(self.rng.uniform(earliest, latest - lasts)))
            if self.diary.free(agent, begin - MARGIN_S, begin + lasts + MARGIN_S):
                return begin
        return None

    def moment(self, latest: float) -> float:
        """When a call comes in, by the load of the hours."""
        while True:
            hour = self.rng.choices(_HOURS, cum_weights=_SHARES)[0]
            at = round(hour * 3600 + self.rng.uniform(0, 3600), 3)
            if OPENS + 20 <= at <= latest:
                return at

    def caller(self, at: float, line: str = "") -> Inbound:
        """Somebody new on one of the lines, in the middle of nothing yet; on the second line the menu speaks first."""
        line = line or self.rng.choices(LINES, (6, 4))[0]
        menu = round(self.rng.uniform(4.0, 12.0), 3) if line == WITH_MENU else None
        return Inbound(at=at, number=self.callers.new(), line=line, menu_s=menu)

    def day(self) -> Day:
        """What has been written, in order of time."""
        return Day(
            date=self.date,
            inbound=tuple(sorted(self.inbound, key=lambda call: call.at)),
            outbound=tuple(sorted(self.outbound, key=lambda call: call.at)),
            aways=tuple(sorted(self.aways, key=lambda away: (away.begin, away.agent))),
            shifts=self.shifts,
        )
