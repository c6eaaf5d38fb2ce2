"""The clinic as the demo shows it: its settings, the days behind the present moment, and what happens from now on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from pbxmonitor.simulator.board import Board
from pbxmonitor.simulator.clinic import Day, lists, plan_day, recorded
from pbxmonitor.simulator.clinic.cast import ANNA, PEOPLE
from pbxmonitor.simulator.clinic.live import hastened, joined, moved, over_by
from pbxmonitor.simulator.recordings import LIST_ITEMS, MESSAGE_END, Recording
from pbxmonitor.simulator.wire import message

DAYS_BEHIND: Final = 7
# A day of eleven hours in 44 minutes.
PACE: Final = 15.0
# The last minutes before now are hastened too, a little: somebody has always just been missed.
WARM_UP: Final = timedelta(minutes=15)
_WARM_UP_PACE: Final = 6.0
# What is written is over by then: the daemon then begins with nobody in mid-call.
_BEFORE_NOW: Final = timedelta(seconds=20)
# How many days the live part has before it begins again (as other calls).
_LIVE_DAYS: Final = 3
# How soon in the live part Anna goes into DND.
_BEFORE_DND_S: Final = 20.0
_RUSH_BEGINS: Final = 10 * 3600.0
# The clinic stands where it is late morning or afternoon: in Moscow if it can, else in another zone of Russia.
_HOURS: Final = range(11, 16)
_MOSCOW_HOURS: Final = range(11, 18)
_MOSCOW: Final = "Europe/Moscow"
_RUSSIA: Final = ("Kaliningrad", "Samara", "Yekaterinburg", "Omsk", "Krasnoyarsk", "Irkutsk", "Yakutsk", "Vladivostok")
_ZONES: Final = (
    *(f"{'Europe' if city in ('Kaliningrad', 'Samara') else 'Asia'}/{city}" for city in _RUSSIA),
    *("Asia/Magadan", "Asia/Kamchatka", "Etc/GMT-1", "Etc/UTC"),
    *(f"Etc/GMT+{west}" for west in range(1, 12)),
)
_HEAD: Final = """\
timezone = "{zone}"
region = "RU"

[policy]
short_hangup = "3 s"
callback_norm = "10 min"
max_missed_share = "12 %"

[policy.hours]
mon-sun = "09:00-20:00"

[teams.reception]
name = "Регистратура"
people = [{agents}]
supervisors = ["elena"]

[people.elena]
name = "Елена Орлова"
role = "supervisor"
{reads}
[people.director]
name = "Павел Громов"
role = "director"
{reads}"""
# With somewhere for messages to arrive: everybody reads them there, and the director his digests.
_READS: Final = """channels = ["webhook"]
addresses = {{ webhook = "{url}" }}
"""
_MESSAGES: Final = """
[notify.webhook]
secret = "{secret}"

[[digests]]
kind = "daily"
to = ["director"]
charts = false

[[digests]]
kind = "callbacks"
days = 3
to = ["supervisor", "director"]
charts = false
"""


@dataclass(frozen=True, kw_only=True)
class Clinic:
    """The clinic at that moment, with some days behind it, and `pace` times as dense from then on as by itself."""

    now: datetime
    pace: float = PACE
    days_behind: int = DAYS_BEHIND

    @property
    def zone(self) -> ZoneInfo:
        """Where it stands: its doors are open now, and some hours of today lie behind."""
        moscow = ZoneInfo(_MOSCOW)
        if self.now.astimezone(moscow).hour in _MOSCOW_HOURS:
            return moscow
        there = (ZoneInfo(name) for name in _ZONES)
        return next((zone for zone in there if self.now.astimezone(zone).hour in _HOURS), moscow)

    @property
    def today(self) -> date:
        return self.now.astimezone(self.zone).date()

    def settings(self, mailbox: str | None = None, secret: str = "") -> str:
        """The settings of its people and its rules, without database and PBX; messages go to that url, if any."""
        reads = _READS.format(url=mailbox) if mailbox is not None else ""
        named = "".join(
            f'\n[people.{agent}]\nname = "{person.name}"\ndevices = ["PJSIP/{agent}"]\n{reads}'
            for agent, person in PEOPLE.items()
        )
        agents = ", ".join(f'"{agent}"' for agent in PEOPLE)
        sent = _MESSAGES.format(secret=secret) if mailbox is not None else ""
        return _HEAD.format(zone=self.zone.key, agents=agents, reads=reads) + named + sent

    def past(self) -> Iterator[Recording]:
        """The days behind, oldest first; the last of them is today up to a moment ago."""
        for before in range(self.days_behind, 0, -1):
            day = self.today - timedelta(days=before)
            yield recorded(self._settled(_script(day), day), f"{day:%Y-%m-%d}")
        yield self._today()

    def live(self) -> tuple[Recording, ...]:
        """What happens from now on, a tape for each day of the script; each begins as today's past ended."""
        board = Board()
        board.begin(lists())
        for _, raw in self._today().events:
            board.take(raw)
        begun = _items(board)
        tapes = (recorded(self._hastened(number), f"clinic-{number + 1}") for number in range(_LIVE_DAYS))
        return tuple(replace(tape, lists=begun) for tape in tapes)

    def _today(self) -> Recording:
        script = self._settled(_script(self.today, anna=True), self.today)
        end = self.now - _BEFORE_NOW
        warm = self.now - WARM_UP
        calm = over_by(script, _second(script, warm))
        other = replace(_script(self.today, anna=True, number=1), date=self.today)
        lately = hastened(other, since=_RUSH_BEGINS, begin=_second(script, warm), pace=_WARM_UP_PACE)
        told = recorded(joined([calm, over_by(lately, _second(script, end))]), f"{self.today:%Y-%m-%d}")
        return replace(told, events=tuple(event for event in told.events if event[0] <= end.timestamp()))

    def _settled(self, script: Day, day: date) -> Day:
        """The script on that date of the clinic's own zone."""
        midnight = datetime.combine(day, time.min, self.zone)
        there = replace(script, date=day)
        return moved(there, midnight.timestamp() - there.midnight.timestamp())

    def _hastened(self, number: int) -> Day:
        """A day from when Anna leaves the queue alone for the first time, and somebody has gone to lunch."""
        script = replace(_script(self.today, anna=True, number=number + 2), date=self.today)
        hides = min(away.begin for away in script.aways if (away.agent, away.kind) == (ANNA.extension, "dnd"))
        since = hides - _BEFORE_DND_S * self.pace
        return hastened(_lunch_at(script, since), since=since, begin=_second(script, self.now), pace=self.pace)


def _lunch_at(script: Day, second: float) -> Day:
    """The day with the first of the colleagues' lunches at that second."""
    lunches = (away for away in script.aways if away.reason == "lunch" and away.agent != ANNA.extension)
    first = min(lunches, key=lambda away: away.begin)
    moved_up = replace(first, begin=second, end=second + first.end - first.begin)
    return replace(script, aways=tuple(moved_up if away is first else away for away in script.aways))


def _script(day: date, *, anna: bool = False, number: int = 0) -> Day:
    """What happens on that date; a Sunday is like the Monday after it. With `anna`, on a day on which she works."""
    like = day
    while like.weekday() == 6 or (anna and not ANNA.works(like)):
        like += timedelta(days=1)
    return plan_day(like, seed=day.toordinal() * 10 + number)


def _second(day: Day, moment: datetime) -> float:
    """That moment as the script counts: seconds since the midnight of its date."""
    return (moment.astimezone(UTC) - day.midnight.astimezone(UTC)).total_seconds()


def _items(board: Board) -> tuple[bytes, ...]:
    """What the PBX's lists say as that board stands."""
    rows = [{"Event": kind, "ActionID": "lists", **row} for kind in sorted(LIST_ITEMS) for row in board.rows(kind)]
    return tuple(message(row).removesuffix(MESSAGE_END) for row in rows)
