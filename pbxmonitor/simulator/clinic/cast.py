"""The dental clinic of the demo: its people, lines, hours and load, and the settings that a daemon follows it with."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = ZoneInfo("Europe/Moscow")
QUEUE: Final = "reception"
# The second line has a menu in front of the queue.
LINES: Final = ("74951200305", "74991200306")
WITH_MENU: Final = LINES[1]
OPENS: Final = 9 * 3600
CLOSES: Final = 20 * 3600
# Shares of a day's calls by hour; the rush is at 10-13 and 17-20.
LOAD: Final = {9: 6, 10: 13, 11: 14, 12: 12, 13: 7, 14: 6, 15: 6, 16: 6, 17: 10, 18: 11, 19: 9}
RUSH: Final = ((10 * 3600, 13 * 3600), (17 * 3600, 20 * 3600))
LEAST_CALLS: Final = 120
MOST_CALLS: Final = 180
# Seconds that one phone rings before the next (the queue's `timeout`), and of peace after a call (`wrapuptime`).
RING_TIMEOUT: Final = 60
WRAPUP: Final = 10
# How long the voice speaks that says when the clinic works.
CLOSED_S: Final = 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Receptionist:
    """Who sits at that extension; `free_days` are weekdays, Monday 0; `missed` is a share of what is offered."""

    extension: str
    name: str
    free_days: frozenset[int]
    missed: float
    pickup_s: float

    def works(self, day: date) -> bool:
        """Whether this is one of the days of his week."""
        return day.weekday() not in self.free_days | {6}


def _colleague(number: int, name: str, missed: float, pickup_s: float) -> Receptionist:
    return Receptionist(
        extension=str(101 + number),
        name=name,
        free_days=frozenset({(number - 1) % 6}),
        missed=missed,
        pickup_s=pickup_s,
    )


ANNA: Final = Receptionist(
    extension="101", name="Анна Иванова", free_days=frozenset({2, 5}), missed=79 / 214, pickup_s=28.0
)
COLLEAGUES: Final = (
    _colleague(1, "Мария Соколова", 0.084, 8.4),
    _colleague(2, "Ольга Кузнецова", 0.090, 9.1),
    _colleague(3, "Екатерина Новикова", 0.098, 10.2),
    _colleague(4, "Наталья Морозова", 0.087, 8.9),
    _colleague(5, "Татьяна Волкова", 0.105, 11.4),
    _colleague(6, "Юлия Лебедева", 0.095, 9.7),
    _colleague(7, "Светлана Козлова", 0.101, 10.8),
    _colleague(8, "Дарья Павлова", 0.088, 9.3),
    _colleague(9, "Ирина Семёнова", 0.093, 11.0),
)
PEOPLE: Final = {person.extension: person for person in (ANNA, *COLLEAGUES)}

_POLICY: Final = """\
language = "ru"
timezone = "Europe/Moscow"
region = "RU"

[policy]
short_hangup = "3 s"
callback_norm = "10 min"
max_missed_share = "12 %"

[policy.hours]
mon-sat = "09:00-20:00"
"""
SETTINGS: Final = _POLICY + "".join(
    f'\n[people.{extension}]\nname = "{person.name}"\ndevices = ["PJSIP/{extension}"]\n'
    for extension, person in PEOPLE.items()
)
