"""Cards into the calls of one day: each placed where the agents it needs are free."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from random import Random
from typing import Final

from pbxmonitor.simulator.clinic.cards import Card
from pbxmonitor.simulator.clinic.cast import CLOSES, WRAPUP
from pbxmonitor.simulator.clinic.draft import FIRST_RING_S, Draft
from pbxmonitor.simulator.clinic.numbers import Callers
from pbxmonitor.simulator.clinic.scenes import absences, scenes, strays
from pbxmonitor.simulator.clinic.script import Day, Inbound, Ring, RingEnd
from pbxmonitor.simulator.clinic.sequels import follow_up, reminders

_TRIES: Final = 2000
# A lost caller is to be called back on the same day.
_LATEST_LOST: Final = CLOSES - 40 * 60.0
_LATEST: Final = CLOSES - 60.0
# Before the next phone is rung: the queue's `retry` after a ring that ran out, nothing after a refusal.
_RETRY_S: Final = {RingEnd.RNA: 1.001, RingEnd.DECLINED: 0.002}


def day_of(
    day: date, hands: dict[str, list[Card]], rng: Random, callers: Callers, owed: Sequence[str]
) -> tuple[Day, list[str]]:
    """That date with those cards played, and the numbers owed a call on the next working day."""
    draft = Draft(date=day, rng=rng, callers=callers, hands=hands)
    if not draft.diary.agents:
        strays(draft)
        return draft.day(), [*owed, *follow_up(draft, ())]
    scenes(draft)
    absences(draft)
    for card in [card for hand in hands.values() for card in hand if not card.plain]:
        _place(draft, card)
    for card in _rest(draft):
        _place(draft, card)
    strays(draft)
    tomorrow = follow_up(draft, owed)
    reminders(draft)
    return draft.day(), tomorrow


def _rest(draft: Draft) -> list[Card]:
    """What is left in all hands, the longest talks first: they are the hardest to place."""
    return sorted((card for hand in draft.hands.values() for card in hand), key=lambda card: -(card.talk_s or 0.0))


def _place(draft: Draft, card: Card) -> None:
    draft.hands[card.agent].remove(card)
    call = draft.caller(0.0)
    for _ in range(_TRIES):
        at = draft.moment(_LATEST if card.plain else _LATEST_LOST)
        played = _played(draft, card, replace(call, at=at))
        if played is not None:
            _set_down(draft, played, card)
            return
    raise ValueError(f"{draft.date}: there is no room for another call of {card.agent}")


def _set_down(draft: Draft, call: Inbound, card: Card) -> None:
    if card.plain:
        call = replace(call, number=_number(draft, call))
    for ring in call.rings:
        draft.diary.take(ring.agent, *_busy(call, ring))
    if card.by_self:
        draft.callers_back[len(draft.inbound)] = card.agent
    draft.inbound.append(call)


def _number(draft: Draft, call: Inbound) -> str | None:
    """Somebody who calls often, somebody who hides his number, or somebody new."""
    chance = draft.rng.random()
    if chance < 0.015:
        return None
    return draft.callers.regular() if chance < 0.13 else call.number


def _busy(call: Inbound, ring: Ring) -> tuple[float, float]:
    """From when until when that phone is not to be rung by others."""
    begin, end = call.joins_at + ring.after_s, call.joins_at + ring.ends_s
    at_work = (call.talk_s or 0.0) + WRAPUP if ring.end is RingEnd.ANSWERED else 0.0
    return begin - 1.0, end + at_work + 2.0


def _played(draft: Draft, card: Card, call: Inbound) -> Inbound | None:
    """The call with the card's rings and talk, if everybody whom it rings is free then."""
    ring = Ring(agent=card.agent, after_s=FIRST_RING_S, lasts_s=card.lasts_s, end=card.end)
    call = replace(call, wait_s=ring.ends_s, rings=(ring,), sequel=card.sequel)
    call = replace(call, talk_s=card.talk_s, by_agent=card.by_agent)
    if not draft.diary.free(card.agent, *_busy(call, ring)):
        return None
    return _passed_on(draft, card, call) if card.end in _RETRY_S else call


def _passed_on(draft: Draft, card: Card, call: Inbound) -> Inbound | None:
    """The next phone rings: picked up, or just when the caller leaves."""
    after = round(call.rings[0].ends_s + _RETRY_S[card.end], 3)
    idle = draft.diary.idle(call.joins_at + after - 1.0, call.joins_at + after + 5.0)
    draft.rng.shuffle(idle)
    for agent in idle:
        answer = next((each for each in draft.hands[agent] if each.plain), None) if card.passes else None
        if agent == card.agent or (card.passes and answer is None):
            continue
        played = _with(call, agent, after, answer, round(draft.rng.uniform(0.7, 2.3), 3))
        if draft.diary.free(agent, *_busy(played, played.rings[-1])):
            if answer is not None:
                draft.hands[agent].remove(answer)
            return played
    return None


def _with(call: Inbound, agent: str, after: float, answer: Card | None, lasts: float) -> Inbound:
    if answer is None:
        ring = Ring(agent=agent, after_s=after, lasts_s=lasts, end=RingEnd.GAVE_UP)
        return replace(call, wait_s=ring.ends_s, rings=(*call.rings, ring))
    ring = Ring(agent=agent, after_s=after, lasts_s=answer.lasts_s, end=RingEnd.ANSWERED)
    rings = (*call.rings, ring)
    return replace(call, wait_s=ring.ends_s, rings=rings, talk_s=answer.talk_s, by_agent=answer.by_agent)
