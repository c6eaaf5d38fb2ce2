"""The clinic's script at another time and pace: moved to a day, cut at a moment, or hastened. Pure.

Hastened, the quiet shrinks, absences with it, and long talks; rings, waits and short talks last as long as ever: by
them calls are judged.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from pbxmonitor.simulator.clinic.cast import WRAPUP
from pbxmonitor.simulator.clinic.draft import MARGIN_S, Diary
from pbxmonitor.simulator.clinic.script import Away, Day, Inbound, Outbound, Ring, RingEnd, Shift

# Of a talk all is left up to here, seconds, and of the rest a part.
_WHOLE_TALK_S: Final = 20.0
_REST_OF_TALK: Final = 4.0
# For how long a call is put off until those whom it rings are free; then there is no room for it.
_PUT_OFF_S: Final = 300
# How soon after a lost call somebody may call back, or the client again.
_AFTER_S: Final = 20.0
Span = tuple[str, float, float]
Happening = Away | Inbound | Outbound


def moved(day: Day, seconds: float, to: date | None = None) -> Day:
    """The same happenings so many seconds later, on another date if there is one."""
    return Day(
        date=to or day.date,
        inbound=tuple(replace(each, at=each.at + seconds) for each in day.inbound),
        outbound=tuple(replace(each, at=each.at + seconds) for each in day.outbound),
        aways=tuple(replace(each, begin=each.begin + seconds, end=each.end + seconds) for each in day.aways),
        shifts=tuple(replace(each, begin=each.begin + seconds, end=each.end + seconds) for each in day.shifts),
    )


def over_by(day: Day, second: float) -> Day:
    """What was over by then; the shifts stay as they are."""
    return replace(
        day,
        inbound=tuple(each for each in day.inbound if each.ends_at <= second),
        outbound=tuple(each for each in day.outbound if each.ends_at <= second),
        aways=tuple(each for each in day.aways if each.end <= second),
    )


def joined(days: Sequence[Day]) -> Day:
    """The happenings of all, on the date and in the shifts of the first."""
    return replace(
        days[0],
        inbound=tuple(sorted((each for day in days for each in day.inbound), key=lambda call: call.at)),
        outbound=tuple(sorted((each for day in days for each in day.outbound), key=lambda call: call.at)),
        aways=tuple(sorted((each for day in days for each in day.aways), key=lambda away: (away.begin, away.agent))),
    )


def hastened(day: Day, *, since: float, begin: float, pace: float) -> Day:
    """What the day holds from the second `since` on, from `begin` on and `pace` times as dense; nobody logs in or out.

    Left out is what belongs to a closed door or to all being away at once, and what finds nobody free.
    """
    haste = _Haste(Diary(Shift(agent=each.agent, begin=-1e9, end=1e9) for each in day.shifts))
    for at, happening in sorted(_happenings(day), key=lambda item: item[0]):
        if at >= since:
            haste.place(happening, begin + (at - since) / pace, pace)
    return Day(
        date=day.date,
        inbound=tuple(sorted(haste.inbound, key=lambda call: call.at)),
        outbound=tuple(sorted(haste.outbound, key=lambda call: call.at)),
        aways=tuple(sorted(haste.aways, key=lambda away: (away.begin, away.agent))),
    )


def _happenings(day: Day) -> Iterable[tuple[float, Happening]]:
    yield from ((away.begin, away) for away in day.aways)
    yield from ((call.at, call) for call in day.inbound if _playable(call))
    yield from ((call.at, call) for call in day.outbound)


def _playable(call: Inbound) -> bool:
    """Not where the clinic is closed, nobody's phone rings, or it refuses because all are in a meeting."""
    refused = any(ring.end is RingEnd.BUSY for ring in call.rings)
    return not (call.closed or refused or (call.wait_s is not None and not call.rings))


@dataclass(eq=False)
class _Haste:
    """The hastened day being written."""

    diary: Diary
    inbound: list[Inbound] = field(default_factory=list)
    outbound: list[Outbound] = field(default_factory=list)
    aways: list[Away] = field(default_factory=list)
    _last: dict[str, float] = field(default_factory=dict)

    def place(self, happening: Happening, at: float, pace: float) -> None:
        """Set it down at that second, or as soon after it as everybody whom it needs is free."""
        if isinstance(happening, Away):
            self._away(happening, at, pace)
        elif isinstance(happening, Inbound):
            self._inbound(happening, at)
        else:
            self._outbound(happening, at)

    def _away(self, away: Away, at: float, pace: float) -> None:
        lasts = (away.end - away.begin) / pace
        begin = self._room([(away.agent, -MARGIN_S, lasts + MARGIN_S)], at)
        if begin is not None:
            self.aways.append(replace(away, begin=begin, end=begin + lasts))

    def _inbound(self, call: Inbound, at: float) -> None:
        call = replace(call, talk_s=_talk(call.talk_s) if call.talk_s is not None else None)
        spans = [_ringing(call, ring) for ring in call.rings]
        begin = self._room(spans, self._after(call.number, at))
        if begin is not None:
            self.inbound.append(played := replace(call, at=begin))
            self._note(call.number, played.ends_at)

    def _outbound(self, call: Outbound, at: float) -> None:
        call = replace(call, talk_s=_talk(call.talk_s))
        lasts = call.ends_at - call.at
        begin = self._room([(call.agent, -MARGIN_S, lasts + MARGIN_S)], self._after(call.number, at))
        if begin is not None:
            self.outbound.append(played := replace(call, at=begin))
            self._note(call.number, played.ends_at)

    def _room(self, spans: Sequence[Span], at: float) -> float | None:
        """The first moment from `at` on at which all are free for their spans (relative to it); then they are taken."""
        for put_off in range(_PUT_OFF_S):
            begin = round(at + put_off, 3)
            if all(self.diary.free(agent, begin + first, begin + last) for agent, first, last in spans):
                for agent, first, last in spans:
                    self.diary.take(agent, begin + first, begin + last)
                return begin
        return None

    def _after(self, number: str | None, at: float) -> float:
        """Not before the number's last call is over."""
        return max(at, self._last.get(number or "", at) + (_AFTER_S if number in self._last else 0.0))

    def _note(self, number: str | None, ended: float) -> None:
        if number is not None:
            self._last[number] = ended


def _ringing(call: Inbound, ring: Ring) -> Span:
    """From when until when, relative to the call, that phone is not to be rung by others."""
    begin, end = call.joins_at - call.at + ring.after_s, call.joins_at - call.at + ring.ends_s
    at_work = (call.talk_s or 0.0) + WRAPUP if ring.end is RingEnd.ANSWERED else 0.0
    return ring.agent, begin - 1.0, end + at_work + 2.0


def _talk(seconds: float) -> float:
    return round(min(seconds, _WHOLE_TALK_S) + max(seconds - _WHOLE_TALK_S, 0.0) / _REST_OF_TALK, 3)
