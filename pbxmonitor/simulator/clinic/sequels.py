"""What becomes of lost callers: they come through by themselves, are called back in time, late, in vain, or never."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pbxmonitor.simulator.clinic.cast import CLOSES, OPENS
from pbxmonitor.simulator.clinic.draft import MARGIN_S, Draft
from pbxmonitor.simulator.clinic.numbers import as_dialled
from pbxmonitor.simulator.clinic.script import DialEnd, Inbound, Outbound, Sequel

# When the attempts come, in seconds after the call ended (from, to), and how each ends: for how long it rings.
_Attempt = tuple[float, float, DialEnd, tuple[float, float]]
_SOON: Final = (60.0, 480.0)
_LATER: Final = (900.0, 2700.0)
_ATTEMPTS: Final[dict[Sequel, tuple[_Attempt, ...]]] = {
    Sequel.REACHED: ((*_SOON, DialEnd.ANSWERED, (4.0, 20.0)),),
    Sequel.LATE: ((*_LATER, DialEnd.ANSWERED, (4.0, 20.0)),),
    Sequel.UNREACHED: ((*_SOON, DialEnd.GAVE_UP, (14.0, 29.0)), (*_LATER, DialEnd.GAVE_UP, (12.0, 25.0))),
    Sequel.REFUSED: ((*_SOON, DialEnd.BUSY, (2.0, 5.0)),),
    Sequel.FAKED: ((*_SOON, DialEnd.GAVE_UP, (2.0, 7.0)),),
}
_LASTS_AT_MOST: Final = 240.0


def follow_up(draft: Draft, owed: Sequence[str]) -> list[str]:
    """Set down what follows the day's lost calls; `owed` are numbers from after yesterday's hours.

    Returns the numbers that are owed a call tomorrow.
    """
    for number in owed:
        _dial(draft, number, (OPENS + 30.0, OPENS + 540.0, DialEnd.ANSWERED, (4.0, 20.0)), None)
    tomorrow = []
    returned: set[int] = set()
    for index, call in enumerate(tuple(draft.inbound)):
        if call.sequel is None or call.number is None:
            continue
        if call.at > CLOSES:
            tomorrow += [call.number] if call.sequel is Sequel.REACHED else []
        elif call.sequel is not Sequel.RETURNED or not _returns(draft, call, returned):
            _call_back(draft, index)
    return tomorrow


def _returns(draft: Draft, lost: Inbound, returned: set[int]) -> bool:
    """Make the next caller who is really talked to that client; False when nobody comes in time."""
    later = [
        (call.at, index)
        for index, call in enumerate(draft.inbound)
        if index not in returned and 25.0 < call.at - lost.ends_at < 3600.0
        if call.answerer is not None and call.sequel is None and (call.talk_s or 0.0) >= 12.0
    ]
    if not later:
        return False
    _, index = min(later)
    returned.add(index)
    draft.inbound[index] = replace(draft.inbound[index], number=lost.number)
    return True


def _call_back(draft: Draft, index: int) -> None:
    call = draft.inbound[index]
    if call.sequel is Sequel.RETURNED:
        call = draft.inbound[index] = replace(call, sequel=Sequel.REACHED)
    since = max(call.ends_at, OPENS)
    for begin, end, how, rings in _ATTEMPTS.get(call.sequel or Sequel.FORGOTTEN, ()):
        _dial(draft, call.number or "", (since + begin, since + end, how, rings), draft.callers_back.get(index))


def _dial(draft: Draft, number: str, attempt: _Attempt, by: str | None) -> None:
    """Call that number within the time given, or as soon after it as anybody can."""
    begin, end, how, rings = attempt
    rng = draft.rng
    rang = round(rng.uniform(*rings), 3)
    talk = round(rng.uniform(20.0, _LASTS_AT_MOST - 30.0), 3) if how is DialEnd.ANSWERED else 0.0
    for tried in range(200):
        at = round(rng.uniform(begin, end + 10.0 * max(tried - 60, 0)), 3)
        idle = draft.diary.idle(at - MARGIN_S, at + rang + talk + MARGIN_S)
        wanted = [agent for agent in idle if by is None or agent == by or tried > 60]
        if wanted and at < CLOSES:
            dialled(draft, rng.choice(wanted), at, number, (how, rang, talk))
            return
    raise ValueError(f"{draft.date}: nobody is free to call a client back")


def dialled(draft: Draft, agent: str, at: float, number: str, how: tuple[DialEnd, float, float]) -> None:
    """Set down that call outwards: how it ends, how long it rings, how long they talk."""
    end, rang, talk = how
    typed = as_dialled(number, draft.rng)
    call = Outbound(at=at, agent=agent, number=number, dialled=typed, rang_s=rang, end=end, talk_s=talk)
    draft.outbound.append(call)
    draft.diary.take(agent, at - MARGIN_S, call.ends_at + MARGIN_S)


def reminders(draft: Draft) -> None:
    """Clients who come every year hear of their appointments."""
    rng = draft.rng
    for _ in range(rng.randrange(2, 6)):
        agent = rng.choice(draft.colleagues)
        at = draft.stretch(agent, 120.0, OPENS + 600.0, CLOSES - 600.0)
        if at is not None:
            talk = round(rng.uniform(15.0, 90.0), 3)
            dialled(
                draft, agent, at, draft.callers.regular(), (DialEnd.ANSWERED, round(rng.uniform(4.0, 18.0), 3), talk)
            )
