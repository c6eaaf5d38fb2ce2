"""The month of the clinic, and any one day of it: drawn from a seed, exact in its numbers, told as AMI bytes."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from typing import Final

from pbxmonitor.simulator.clinic.cards import STORY, Card, Story, anna_cards, colleague_cards, dealt
from pbxmonitor.simulator.clinic.cast import ANNA, COLLEAGUES, SETTINGS, Receptionist
from pbxmonitor.simulator.clinic.day import day_of
from pbxmonitor.simulator.clinic.events import lists, recorded, stream
from pbxmonitor.simulator.clinic.numbers import Callers
from pbxmonitor.simulator.clinic.script import Day, Month, Truth, truth_of

__all__ = ["SETTINGS", "Day", "Month", "Truth", "lists", "plan", "plan_day", "recorded", "stream", "truth_of"]
SEED: Final = 214
# Calls of a day by weekday, Monday first, give or take; what strays in besides is about so many.
_CALLS: Final = (163, 155, 149, 150, 156, 138)
_GIVE_OR_TAKE: Final = 10
_STRAYS: Final = 6
_ANNAS_DAYS: Final = 17
Hands = dict[str, list[Card]]


def plan(year: int, month: int, seed: int = SEED) -> Month:
    """That calendar month: the same seed gives the same calls."""
    begin = date(year, month, 1)
    rng = _random(seed, f"{begin:%Y-%m}")
    days = [begin + timedelta(days=each) for each in range(31) if (begin + timedelta(days=each)).month == month]
    hands, callers = _hands(days, STORY, rng), Callers(rng)
    written: list[Day] = []
    owed: list[str] = []
    for day in days:
        told, owed = day_of(day, hands[day], rng, callers, owed)
        written.append(told)
    return Month(begin=begin, days=tuple(written), truth=truth_of(written))


def plan_day(day: date, seed: int = SEED) -> Day:
    """One date by itself, with a day's share of the story."""
    rng = _random(seed, day.isoformat())
    hands = _hands([day], STORY.of_one_day(_ANNAS_DAYS), rng)
    return day_of(day, hands[day], rng, Callers(rng), ())[0]


def _random(seed: int, name: str) -> Random:
    return Random(f"{seed}/{name}")  # noqa: S311 - a story, not a secret


def _hands(days: Sequence[date], story: Story, rng: Random) -> dict[date, Hands]:
    """Everybody's cards by day: as many as make that day's calls."""
    hands: dict[date, Hands] = {day: {} for day in days}
    _deal(hands, ANNA, anna_cards(story, rng), _evenly(story, days, rng))
    counts = {day: _offered(day, hands[day], rng) for day in days}
    for person in COLLEAGUES:
        sizes = [counts[day].get(person.extension, 0) for day in days]
        _deal(hands, person, colleague_cards(person, sum(sizes), rng), sizes)
    return hands


def _deal(hands: dict[date, Hands], person: Receptionist, cards: Sequence[Card], sizes: Sequence[int]) -> None:
    for hand, mine in zip(hands.values(), dealt(cards, sizes), strict=True):
        hand[person.extension] = mine


def _evenly(story: Story, days: Sequence[date], rng: Random) -> list[int]:
    """How many of Anna's calls fall on each day: about the same on each that she works."""
    hers = [day for day in days if ANNA.works(day)]
    total = story.answered + story.missed
    sizes = [total // len(hers) + (number < total % len(hers)) for number in range(len(hers))] if hers else []
    rng.shuffle(sizes)
    by_day = dict(zip(hers, sizes, strict=True))
    return [by_day.get(day, 0) for day in days]


def _offered(day: date, hand: Hands, rng: Random) -> dict[str, int]:
    """How many calls each colleague on shift is offered."""
    present = [person.extension for person in COLLEAGUES if person.works(day)]
    if not present:
        return {}
    calls = _CALLS[day.weekday()] + rng.randint(-_GIVE_OR_TAKE, _GIVE_OR_TAKE)
    drawn = rng.choices(present, k=calls - _STRAYS - len(hand[ANNA.extension]))
    return {agent: drawn.count(agent) for agent in present}
