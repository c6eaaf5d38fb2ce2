"""A call told as it went: where the caller came, whose phone rang, who picked up, who left."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from pbxmonitor.domain.call import Call, Direction, EndedBy, Offer, OfferResult, Stage, StageKind, StageResult, Talk
from pbxmonitor.domain.explain_cause import rang_s, talked_s
from pbxmonitor.domain.judge import Judgement
from pbxmonitor.domain.view import seconds

_SILENT = (StageResult.ANSWERED, StageResult.PASSED)  # the answer, or the next stage, tells of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened; `key` is the catalogue's, `…_s` in `values` are seconds, `n` what is counted."""

    at: datetime
    key: str
    values: Mapping[str, object]


def journey(call: Call, judged: Judgement, now: datetime) -> tuple[Moment, ...]:
    """All that happened in a call, in order; of one still open, up to `now`."""
    told = [
        _began(call),
        *(moment for stage in judged.stages for moment in _stage(stage)),
        *(moment for offer in call.offers for moment in _offer(call, offer)),
        *(moment for talk in call.talks for moment in _talk(talk)),
        *(_transfer(each.kind, each.frm, each.to, each.at) for each in call.transfers),
        _ended(call, judged, now),
    ]
    return tuple(moment for _, _, moment in sorted(told, key=lambda each: (each[0], each[1])))


# What happened in the same instant is told in this order.
_BEGAN, _TALKED, _HELD, _TRANSFERRED, _LEFT, _ENTERED, _RANG, _STOPPED, _LEFT_AT_ONCE, _TALKS, _ENDED = range(11)
_Told = tuple[datetime, int, Moment]


def _moment(at: datetime, order: int, key: str, **values: object) -> _Told:
    return at, order, Moment(at=at, key=f"journey.{key}", values=values)


def _began(call: Call) -> _Told:
    if call.direction is not Direction.INBOUND:
        key, caller = f"began.{call.direction}", call.caller or ""
        return _moment(call.started_at, _BEGAN, key, agent=caller, called=call.called)
    if call.caller is None:
        return _moment(call.started_at, _BEGAN, "began.withheld", called=call.called)
    return _moment(call.started_at, _BEGAN, "began.inbound", caller=call.caller, called=call.called)


def _stage(stage: Stage) -> Iterator[_Told]:
    if stage.kind is StageKind.QUEUE and stage.available is not None:
        yield _moment(stage.entered_at, _ENTERED, "entered.queue.staffed", name=stage.name, n=stage.available)
    else:
        yield _moment(stage.entered_at, _ENTERED, f"entered.{stage.kind}", name=stage.name)
    if stage.left_at is not None and stage.result is not None and stage.result not in _SILENT:
        order = _LEFT if stage.left_at > stage.entered_at else _LEFT_AT_ONCE
        spent = seconds(stage.entered_at, stage.left_at)
        yield _moment(stage.left_at, order, f"left.{stage.result}", name=stage.name, waited_s=spent)


def _offer(call: Call, offer: Offer) -> Iterator[_Told]:
    if offer.result is not OfferResult.UNREACHABLE:
        key = "rang" if offer.counts else "rang.consultation"
        yield _moment(offer.began_at, _RANG, key, agent=offer.agent)
    if offer.result is None or offer.ended_at is None:
        return
    yield _moment(offer.ended_at, _STOPPED, f"stopped.{offer.result}", agent=offer.agent, rang_s=rang_s(offer))
    if offer.agent in call.dumped and _untalked(call, offer):
        yield _moment(offer.ended_at, _TALKS, "dumped", agent=offer.agent)


def _untalked(call: Call, offer: Offer) -> bool:
    """Picked up, and no talk came of it."""
    phones = (offer.phone, offer.leg)
    return offer.result is OfferResult.ANSWERED and all(talk.leg not in phones for talk in call.talks)


def _talk(talk: Talk) -> Iterator[_Told]:
    yield _moment(talk.began_at, _TALKS, "talk", agent=talk.agent)
    if talk.ended_at is None:
        return
    by = talk.ended_by or EndedBy.SYSTEM
    yield _moment(talk.ended_at, _TALKED, f"talk_ended.{by}", agent=talk.agent, talk_s=talked_s(talk))
    if talk.hold_s > 0:
        yield _moment(talk.ended_at, _HELD, "held", agent=talk.agent, hold_s=round(talk.hold_s, 3))


def _transfer(kind: str, frm: str, to: str, at: datetime) -> _Told:
    return _moment(at, _TRANSFERRED, "transfer.blind" if kind == "blind" else "transfer.attended", agent=frm, to=to)


def _ended(call: Call, judged: Judgement, now: datetime) -> _Told:
    if call.ended_at is None:
        return _moment(now, _ENDED, "going_on", lasted_s=seconds(call.started_at, now))
    how = "vanished" if call.vanished else (judged.ended_by or EndedBy.SYSTEM).value
    return _moment(call.ended_at, _ENDED, f"ended.{how}", lasted_s=seconds(call.started_at, call.ended_at))
