"""What is the same for many: absences, a meeting, a training, an outage, and callers who never reach a phone."""

from dataclasses import replace
from typing import Final

from pbxmonitor.simulator.clinic.cast import ANNA, CLOSED_S, CLOSES, LINES, OPENS, RUSH, WITH_MENU, WRAPUP
from pbxmonitor.simulator.clinic.draft import FIRST_RING_S, Draft
from pbxmonitor.simulator.clinic.script import Inbound, Ring, RingEnd, Sequel

_MINUTE: Final = 60.0
_ASIDE_S: Final = 30.0
_SOME_CALLED: Final = (Sequel.REACHED, Sequel.LATE, Sequel.FORGOTTEN)


def scenes(draft: Draft) -> None:
    """The day's gatherings: Mondays a meeting, Thursdays a training, on the second Wednesday the network fails."""
    if draft.date.weekday() == 0:
        _meeting(draft, 13.5 * 3600)
    if draft.date.weekday() == 3:
        _training(draft, 15 * 3600)
    if draft.date.weekday() == 2 and 8 <= draft.date.day <= 14:
        _outage(draft, 15 * 3600 + 10 * _MINUTE)


def absences(draft: Draft) -> None:
    """Anna's DND at the rush; everybody's lunch; breaks; now and then somebody else's DND, or a dead phone."""
    if ANNA.extension in draft.diary.agents:
        for window in RUSH:
            _hide(draft, *window)
    for agent in draft.diary.agents:
        _rest(draft, agent, 30 * _MINUTE, (13 * 3600, 17 * 3600), "lunch")
    for agent in draft.rng.sample(draft.colleagues, k=2):
        _rest(draft, agent, 10 * _MINUTE, (9.5 * 3600, 19 * 3600), "break")
    _sometimes(draft, 0.6, "dnd", (4 * _MINUTE, 9 * _MINUTE))
    _sometimes(draft, 0.25, "offline", (20 * _MINUTE, 60 * _MINUTE))


def _hide(draft: Draft, begin: float, end: float) -> None:
    """40 to 60 minutes of DND within the window, in one stretch or two."""
    rng = draft.rng
    total = float(rng.randrange(40 * 60, 60 * 60 + 1))
    first = total if rng.random() < 0.5 else float(round(total * rng.uniform(0.4, 0.6)))
    middle = begin + (end - begin) * first / total
    for length, earliest, latest in ((first, begin, middle), (total - first, middle, end)):
        if length:
            at = float(round(rng.uniform(earliest + _MINUTE, latest - length - _MINUTE)))
            draft.away(ANNA.extension, at, at + length, "dnd")


def _rest(draft: Draft, agent: str, lasts: float, limits: tuple[float, float], reason: str) -> None:
    at = draft.stretch(agent, lasts, *limits)
    if at is not None:
        draft.away(agent, at, at + lasts, "pause", reason)


def _sometimes(draft: Draft, chance: float, kind: str, limits: tuple[float, float]) -> None:
    if draft.rng.random() >= chance:
        return
    agent, lasts = draft.rng.choice(draft.colleagues), float(round(draft.rng.uniform(*limits)))
    at = draft.stretch(agent, lasts, 9.5 * 3600, 19.5 * 3600)
    if at is not None:
        draft.away(agent, at, at + lasts, kind)


def _clear(draft: Draft, begin: float, end: float) -> None:
    """No other call of anybody's in that time."""
    for agent in draft.diary.agents:
        draft.diary.take(agent, begin - _ASIDE_S, end + _ASIDE_S)


def _waits(draft: Draft, at: float, wait_s: float, rings: tuple[Ring, ...] = ()) -> None:
    """A caller whom nobody answers, and whom somebody may call later."""
    call = draft.caller(at, LINES[0])
    draft.inbound.append(replace(call, wait_s=wait_s, rings=rings, sequel=draft.rng.choice(_SOME_CALLED)))


def _meeting(draft: Draft, begin: float) -> None:
    """A quarter of an hour with everybody away; one comes back early, but her phone refuses calls still."""
    end, back = begin + 15 * _MINUTE, begin + 7 * _MINUTE
    early = draft.rng.choice(draft.colleagues)
    for agent in draft.diary.agents:
        draft.away(agent, begin, back if agent == early else end, "pause", "meeting")
    _clear(draft, begin, end)
    _waits(draft, begin + draft.rng.randrange(90, 240), round(draft.rng.uniform(15.0, 70.0), 3))
    tries = draft.rng.randrange(7, 13)
    refusals = tuple(
        Ring(agent=early, after_s=round(FIRST_RING_S + 1.004 * number, 3), lasts_s=0.003, end=RingEnd.BUSY)
        for number in range(tries)
    )
    _waits(draft, back + draft.rng.randrange(60, 300), round(refusals[-1].ends_s + 0.5, 3), refusals)


def _training(draft: Draft, begin: float) -> None:
    """All but two learn, and these two talk: whoever calls now waits, and leaves."""
    end = begin + 20 * _MINUTE
    pair = [agent for agent in draft.colleagues if any(card.plain for card in draft.hands.get(agent, ()))][:2]
    if len(pair) < 2:
        return
    for agent in draft.diary.agents:
        if agent not in pair:
            draft.away(agent, begin, end, "pause", "training")
    _clear(draft, begin, end)
    talks = [_long_talk(draft, agent, begin + 240 + 30 * number) for number, agent in enumerate(pair)]
    free_at = min(talk.ends_at for talk in talks) + WRAPUP + 0.2
    _waits(draft, begin + 330 + draft.rng.randrange(60), round(draft.rng.uniform(30.0, 70.0), 3))
    last = draft.caller(free_at - 28.0, LINES[0])
    after = round(free_at - last.joins_at, 3)
    ring = Ring(agent=pair[0], after_s=after, lasts_s=1.8, end=RingEnd.GAVE_UP)
    draft.inbound.append(replace(last, wait_s=ring.ends_s, rings=(ring,), sequel=Sequel.REACHED))


def _long_talk(draft: Draft, agent: str, at: float) -> Inbound:
    card = next(card for card in draft.hands[agent] if card.plain)
    draft.hands[agent].remove(card)
    ring = Ring(agent=agent, after_s=FIRST_RING_S, lasts_s=card.lasts_s, end=RingEnd.ANSWERED)
    call = replace(
        draft.caller(at, LINES[0]), wait_s=ring.ends_s, rings=(ring,), talk_s=420.0 + draft.rng.randrange(60)
    )
    draft.inbound.append(call)
    return call


def _outage(draft: Draft, begin: float) -> None:
    """Six minutes without a network: not one phone is registered."""
    end = begin + 6 * _MINUTE
    for agent in draft.diary.agents:
        draft.away(agent, begin, end, "offline")
    _clear(draft, begin, end)
    for number in range(2):
        _waits(draft, begin + 60 + 120 * number + draft.rng.randrange(60), round(draft.rng.uniform(15.0, 60.0), 3))


def strays(draft: Draft) -> None:
    """Callers who come too early or too late, leave in the menu, or hang up before anybody could have answered."""
    rng = draft.rng
    if draft.diary.agents:
        _finds_closed(draft, round(rng.uniform(OPENS - 3000, OPENS - 120), 3), Sequel.REACHED)
        for _ in range(rng.randrange(1, 3)):
            _leaves_the_menu(draft, draft.moment(CLOSES - 40 * _MINUTE))
        for _ in range(rng.randrange(1, 4)):
            _leaves_at_once(draft)
    for _ in range(rng.randrange(1, 4)):
        sequel = rng.choice((Sequel.REACHED, Sequel.FORGOTTEN))
        _finds_closed(draft, round(rng.uniform(CLOSES + 660, CLOSES + 2.5 * 3600), 3), sequel)


def _finds_closed(draft: Draft, at: float, sequel: Sequel) -> None:
    menu = round(min(draft.rng.uniform(5.0, 20.0), CLOSED_S), 3)
    draft.inbound.append(replace(draft.caller(at), menu_s=menu, closed=True, sequel=sequel))


def _leaves_the_menu(draft: Draft, at: float) -> None:
    call = replace(draft.caller(at, WITH_MENU), menu_s=round(draft.rng.uniform(6.0, 14.0), 3))
    draft.inbound.append(replace(call, sequel=draft.rng.choice(_SOME_CALLED)))


def _leaves_at_once(draft: Draft) -> None:
    """So soon that it is nobody's miss."""
    while True:
        call = draft.caller(draft.moment(CLOSES - 5 * _MINUTE))
        lasts = round(draft.rng.uniform(0.9, 2.6), 3)
        rung = draft.diary.idle(call.joins_at - 1.0, call.joins_at + lasts + 2.0)
        if rung:
            break
    ring = Ring(agent=draft.rng.choice(rung), after_s=FIRST_RING_S, lasts_s=lasts, end=RingEnd.GAVE_UP)
    draft.diary.take(ring.agent, call.joins_at - 1.0, call.joins_at + lasts + 2.0)
    draft.inbound.append(replace(call, wait_s=ring.ends_s, rings=(ring,)))
