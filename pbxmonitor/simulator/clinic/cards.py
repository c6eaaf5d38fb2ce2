"""What each receptionist does with the calls she is offered: cards, dealt to the days of a month."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from pbxmonitor.simulator.clinic.cast import ANNA, RING_TIMEOUT, Receptionist
from pbxmonitor.simulator.clinic.script import RingEnd, Sequel


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One call offered to one agent; seconds. `passes`: a colleague is rung next, and answers.

    `by_self`: it is she who calls the client back.
    """

    agent: str
    lasts_s: float
    end: RingEnd
    talk_s: float | None = None
    by_agent: bool = False
    sequel: Sequel | None = None
    passes: bool = False
    by_self: bool = False

    @property
    def plain(self) -> bool:
        """Answered, and talked to: nothing comes of it."""
        return self.end is RingEnd.ANSWERED and self.sequel is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Anna's: how many she answers, of these hangs up at once, misses; for how many misses anybody calls back."""

    answered: int
    short: int
    missed: int
    called_back: int

    def of_one_day(self, days: int) -> "Story":
        """Her share of one day out of so many."""
        numbers = {name: round(getattr(self, name) / days) for name in ("answered", "short", "missed", "called_back")}
        return Story(**numbers)


STORY: Final = Story(answered=135, short=42, missed=79, called_back=11)
# What becomes of the clients whom Anna drops, and of the ones whom a colleague misses: shares.
_DROPPED: Final = {Sequel.RETURNED: 0.7, Sequel.REACHED: 0.2, Sequel.FORGOTTEN: 0.1}
_MISSED: Final = {
    Sequel.REACHED: 0.72,
    Sequel.RETURNED: 0.08,
    Sequel.UNREACHED: 0.07,
    Sequel.REFUSED: 0.02,
    Sequel.LATE: 0.04,
    Sequel.FAKED: 0.03,
    Sequel.FORGOTTEN: 0.04,
}
_PASSED: Final = 0.2
# Of what a colleague answers she too drops a little.
_SLIPS: Final = 0.005


def anna_cards(story: Story, rng: Random) -> list[Card]:
    """Her month (or day), shuffled: rings of 8 to 55 s that are 28 s on average, whatever their number."""
    rings = lengths(rng, story.answered, (8.0, 55.0), 24.0, ANNA.pickup_s)
    cards = [_dropped(ANNA.extension, rng, ring, _drawn(rng, _DROPPED)) for ring in rings[: story.short]]
    cards += [_answered(ANNA.extension, rng, ring) for ring in rings[story.short :]]
    cards += [_ignored(rng, sequel, by_self) for sequel, by_self in _annas_sequels(story)]
    rng.shuffle(cards)
    return cards


def _annas_sequels(story: Story) -> list[tuple[Sequel, bool]]:
    """Of eleven called back eight are reached, one of them late, three not; three times it is she who calls."""
    tried = [
        (Sequel.REACHED, True),
        (Sequel.REACHED, False),
        (Sequel.UNREACHED, False),
        (Sequel.REACHED, False),
        (Sequel.REACHED, True),
        (Sequel.REFUSED, False),
        (Sequel.REACHED, False),
        (Sequel.LATE, True),
        (Sequel.REACHED, False),
        (Sequel.UNREACHED, False),
        (Sequel.REACHED, False),
    ]
    called = [tried[number % len(tried)] for number in range(story.called_back)]
    return called + [(Sequel.FORGOTTEN, False)] * (story.missed - story.called_back)


def _dropped(agent: str, rng: Random, ring: float, sequel: Sequel) -> Card:
    talk = round(rng.uniform(0.8, 2.9), 3)
    return Card(agent=agent, lasts_s=ring, end=RingEnd.ANSWERED, talk_s=talk, by_agent=True, sequel=sequel)


def _ignored(rng: Random, sequel: Sequel, by_self: bool) -> Card:
    """Mostly the caller gives up; else her minute runs out, or she declines, and he leaves as the next phone rings."""
    chance = rng.random()
    if chance < 0.08:
        end, lasts = RingEnd.RNA, float(RING_TIMEOUT)
    elif chance < 0.12:
        end, lasts = RingEnd.DECLINED, rng.uniform(6.0, 20.0)
    else:
        end, lasts = RingEnd.GAVE_UP, rng.triangular(14.0, 57.0, 30.0)
    return Card(agent=ANNA.extension, lasts_s=round(lasts, 3), end=end, sequel=sequel, by_self=by_self)


def colleague_cards(person: Receptionist, offered: int, rng: Random) -> list[Card]:
    """A colleague's, shuffled: her share missed, a fifth of that answered by the next one rung."""
    missed = round(person.missed * offered)
    passed = round(_PASSED * missed)
    rings = lengths(rng, offered - missed, (3.0, 24.0), 5.0, person.pickup_s)
    slips = round(_SLIPS * len(rings))
    cards = [_dropped(person.extension, rng, ring, Sequel.REACHED) for ring in rings[:slips]]
    cards += [_answered(person.extension, rng, ring) for ring in rings[slips:]]
    cards += [_passed(person.extension, rng) for _ in range(passed)]
    cards += [_missed(person.extension, rng) for _ in range(missed - passed)]
    rng.shuffle(cards)
    return cards


def _answered(agent: str, rng: Random, ring: float) -> Card:
    """A conversation; one client in a hundred thinks better of it at once."""
    regretted = rng.random() < 0.01
    talk = rng.uniform(1.0, 4.0) if regretted else min(max(rng.lognormvariate(4.6, 0.7), 12.0), 600.0)
    by_agent = not regretted and rng.random() < 0.4
    return Card(agent=agent, lasts_s=ring, end=RingEnd.ANSWERED, talk_s=round(talk, 3), by_agent=by_agent)


def _passed(agent: str, rng: Random) -> Card:
    if rng.random() < 0.2:
        return Card(agent=agent, lasts_s=float(RING_TIMEOUT), end=RingEnd.RNA, passes=True)
    return Card(agent=agent, lasts_s=round(rng.uniform(2.0, 12.0), 3), end=RingEnd.DECLINED, passes=True)


def _missed(agent: str, rng: Random) -> Card:
    sequel = _drawn(rng, _MISSED)
    by_self = rng.random() < 0.6
    if rng.random() < 0.06:
        lasts = round(rng.uniform(5.0, 12.0), 3)
        return Card(agent=agent, lasts_s=lasts, end=RingEnd.DECLINED, sequel=sequel, by_self=by_self)
    lasts = round(rng.triangular(7.0, 35.0, 14.0), 3)
    return Card(agent=agent, lasts_s=lasts, end=RingEnd.GAVE_UP, sequel=sequel, by_self=by_self)


def _drawn(rng: Random, shares: dict[Sequel, float]) -> Sequel:
    return rng.choices(list(shares), list(shares.values()))[0]


def lengths(rng: Random, count: int, limits: tuple[float, float], often: float, mean: float) -> list[float]:
    """So many lengths within the limits, in whole milliseconds, whose mean is exactly that."""
    low, high = (round(limit * 1000) for limit in limits)
    drawn = [round(rng.triangular(low, high, often * 1000)) for _ in range(count)]
    lacking = round(mean * 1000 * count) - sum(drawn)
    while lacking:
        at = rng.randrange(count)
        step = min(max(lacking, -500, low - drawn[at]), 500, high - drawn[at])
        drawn[at] += step
        lacking -= step
    return [milliseconds / 1000 for milliseconds in drawn]


def dealt(cards: Sequence[Card], counts: Sequence[int]) -> list[list[Card]]:
    """The cards in hands of those sizes, in order."""
    hands, at = [], 0
    for count in counts:
        hands.append(list(cards[at : at + count]))
        at += count
    return hands
