"""What happens in the clinic, before it is told in anybody's words: calls, rings, absences, days. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from typing import Final

from pbxmonitor.simulator.clinic.cast import RUSH, ZONE


class RingEnd(StrEnum):
    """How one ringing of one phone ends."""

    ANSWERED = "answered"
    GAVE_UP = "gave_up"
    RNA = "rna"
    DECLINED = "declined"
    BUSY = "busy"


class Sequel(StrEnum):
    """What becomes of a caller whom nobody really talked to."""

    FORGOTTEN = "forgotten"
    FAKED = "faked"
    UNREACHED = "unreached"
    REFUSED = "refused"
    REACHED = "reached"
    LATE = "late"
    RETURNED = "returned"


class DialEnd(StrEnum):
    """How a call outwards ends: the agent gives up, the client is engaged, or they talk."""

    GAVE_UP = "gave_up"
    BUSY = "busy"
    ANSWERED = "answered"


# Asterisk answers, and half a second later the menu speaks or the queue takes over.
ANSWER_S: Final = 0.502
TRIED: Final = frozenset({Sequel.UNREACHED, Sequel.REFUSED, Sequel.REACHED, Sequel.LATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """One phone rung, `after_s` from when the caller entered the queue."""

    agent: str
    after_s: float
    lasts_s: float
    end: RingEnd

    @property
    def ends_s(self) -> float:
        return self.after_s + self.lasts_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A call from outside; `at` in seconds since its day's midnight.

    `menu_s` is how long the caller listened to a recorded voice (None: none spoke), `wait_s` how long he then waited
    in the queue (None: he never came so far). `talk_s` counts from the pick-up; `by_agent` tells who ended the talk.
    `sequel` is of lost calls only.
    """

    at: float
    number: str | None
    line: str
    menu_s: float | None = None
    wait_s: float | None = None
    closed: bool = False
    rings: tuple[Ring, ...] = ()
    talk_s: float | None = None
    by_agent: bool = False
    sequel: Sequel | None = None

    @property
    def answerer(self) -> str | None:
        """Who picked up."""
        return next((ring.agent for ring in self.rings if ring.end is RingEnd.ANSWERED), None)

    @property
    def joins_at(self) -> float:
        """When the caller enters the queue, or would."""
        return self.at + ANSWER_S + (self.menu_s or 0.0)

    @property
    def ends_at(self) -> float:
        """When the last channel is gone."""
        return self.joins_at + (self.wait_s or 0.0) + (self.talk_s or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """A call outwards by a phone; `dialled` as the agent typed it, `number` in E.164."""

    at: float
    agent: str
    number: str
    dialled: str
    rang_s: float
    end: DialEnd
    talk_s: float = 0.0

    @property
    def ends_at(self) -> float:
        return self.at + self.rang_s + self.talk_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """An agent not taking calls: `kind` dnd (with a presence), pause (of the queue) or offline."""

    agent: str
    begin: float
    end: float
    kind: str
    reason: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """An agent logged in to the queue."""

    agent: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """All that happens on one date; times are seconds since its midnight in the clinic's zone."""

    date: date
    inbound: tuple[Inbound, ...]
    outbound: tuple[Outbound, ...] = ()
    aways: tuple[Away, ...] = ()
    shifts: tuple[Shift, ...] = ()

    @property
    def midnight(self) -> datetime:
        return datetime.combine(self.date, time.min, ZONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One agent's exact numbers; `missed` = called_back + returned + passed + forgotten.

    `called_back`: somebody really tried to call the client; `returned`: the client came through by himself;
    `passed`: a colleague answered the same call. `dnd_rush_s` lies within 10-13 and 17-20.
    """

    offered: int
    answered: int
    missed: int
    pickup_mean_s: float | None
    short_hangups: int
    called_back: int
    returned: int
    passed: int
    forgotten: int
    dnd_s: float
    dnd_rush_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """The days of one calendar month, and what is to be read from them about each agent."""

    begin: date
    days: tuple[Day, ...]
    truth: Mapping[str, Truth]

    @property
    def calls(self) -> int:
        """How many calls came in."""
        return sum(len(day.inbound) for day in self.days)


# What the clinic calls a miss and a short hangup (its settings, and the defaults behind them), in seconds.
MIN_RING: Final = 3.0
SHORT_HANGUP: Final = 3.0


def truth_of(days: Iterable[Day]) -> dict[str, Truth]:
    """What those days say of each agent who was ever logged in, counted from the script alone."""
    days = tuple(days)
    return {agent: _truth(agent, days) for agent in sorted({shift.agent for day in days for shift in day.shifts})}


def _truth(agent: str, days: tuple[Day, ...]) -> Truth:
    calls = [call for day in days for call in day.inbound if any(ring.agent == agent for ring in call.rings)]
    answered = [call for call in calls if call.answerer == agent]
    missed = [call for call in calls if call.answerer != agent and _missed(call, agent)]
    passed = [call for call in missed if call.answerer is not None]
    pickups = [ring.lasts_s for call in answered for ring in call.rings if ring.end is RingEnd.ANSWERED]
    dnd = [away for day in days for away in day.aways if (away.agent, away.kind) == (agent, "dnd")]
    called_back = sum(call.sequel in TRIED for call in missed)
    returned = sum(call.sequel is Sequel.RETURNED for call in missed)
    return Truth(
        offered=len(answered) + len(missed),
        answered=len(answered),
        missed=len(missed),
        pickup_mean_s=round(sum(pickups) / len(pickups), 3) if pickups else None,
        short_hangups=sum(call.by_agent and (call.talk_s or 0.0) <= SHORT_HANGUP for call in answered),
        called_back=called_back,
        returned=returned,
        passed=len(passed),
        forgotten=len(missed) - len(passed) - called_back - returned,
        dnd_s=round(sum(away.end - away.begin for away in dnd), 3),
        dnd_rush_s=round(sum(within(away.begin, away.end, *window) for away in dnd for window in RUSH), 3),
    )


def _missed(call: Inbound, agent: str) -> bool:
    mine = [ring for ring in call.rings if ring.agent == agent]
    rang_out = any(ring.end in (RingEnd.RNA, RingEnd.GAVE_UP) and ring.lasts_s >= MIN_RING for ring in mine)
    return rang_out or any(ring.end is RingEnd.DECLINED for ring in mine)


def within(begin: float, end: float, window_begin: float, window_end: float) -> float:
    """How many seconds of a stretch lie in the window."""
    return max(min(end, window_end) - max(begin, window_begin), 0.0)
