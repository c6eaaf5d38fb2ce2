"""The stable JSON form of calls, intervals and callbacks (docs/replay.md): what replay prints and reports repeat."""

from datetime import UTC, datetime
from typing import Any

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.call import Call, Offer, Stage, Talk
from pbxmonitor.domain.callback import Callback, Colour
from pbxmonitor.domain.judge import Judgement

Json = dict[str, Any]


def stamp(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond, with Z."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def seconds(begin: datetime, end: datetime) -> float:
    """The time between, in seconds to the millisecond."""
    return round((end - begin).total_seconds(), 3)


def call_view(call: Call, judged: Judgement, colour: Colour | None, now: datetime) -> Json:
    """One call, whole; what is open lasts until `now`."""
    return {
        "call": call.key,
        "direction": call.direction.value,
        "caller": call.caller,
        "called": call.called,
        "started_at": stamp(call.started_at),
        "answered_at": stamp(judged.answered_at),
        "ended_at": stamp(call.ended_at),
        "disposition": judged.disposition.value,
        "lost": judged.lost,
        "cause": judged.cause and judged.cause.value,
        "colour": colour and colour.value,
        "wait_s": judged.wait_s,
        "talk_s": judged.talk_s,
        "answered_by": judged.answered_by,
        "ended_by": judged.ended_by and judged.ended_by.value,
        "short_hangup": judged.short_hangup,
        "stages": [_stage(stage) for stage in judged.stages],
        "offers": [_offer(offer, now) for offer in call.offers],
        "talks": [_talk(talk, now) for talk in call.talks],
        "verdicts": {agent: verdict.value for agent, verdict in judged.verdicts.items()},
        "transfers": [{"kind": t.kind, "from": t.frm, "to": t.to, "at": stamp(t.at)} for t in call.transfers],
    }


def _stage(stage: Stage) -> Json:
    return {
        "kind": stage.kind.value,
        "name": stage.name,
        "entered_at": stamp(stage.entered_at),
        "left_at": stamp(stage.left_at),
        "result": stage.result and stage.result.value,
    }


def _offer(offer: Offer, now: datetime) -> Json:
    return {
        "agent": offer.agent,
        "queue": offer.queue,
        "began_at": stamp(offer.began_at),
        "ended_at": stamp(offer.ended_at),
        "ring_s": seconds(offer.began_at, offer.ended_at or now),
        "result": offer.result and offer.result.value,
    }


def _talk(talk: Talk, now: datetime) -> Json:
    return {
        "agent": talk.agent,
        "began_at": stamp(talk.began_at),
        "ended_at": stamp(talk.ended_at),
        "talk_s": seconds(talk.began_at, talk.ended_at or now),
        "ended_by": talk.ended_by and talk.ended_by.value,
    }


def interval_view(interval: Interval) -> Json:
    """One stretch of an agent's state."""
    return {
        "agent": interval.agent,
        "state": interval.state.value,
        "reason": interval.reason,
        "note": interval.note,
        "queues": list(interval.queues),
        "began_at": stamp(interval.began_at),
        "ended_at": stamp(interval.ended_at),
    }


def callback_view(debt: Callback) -> Json:
    """One debt to a missed caller with its attempts."""
    attempts = [
        {"agent": a.agent, "call": a.call, "rang_s": a.rang_s, "talk_s": a.talk_s, "result": a.result.value}
        for a in debt.attempts
    ]
    return {
        "number": debt.number,
        "state": debt.state.value,
        "missed_calls": list(debt.missed_calls),
        "owner": debt.owner,
        "opened_at": stamp(debt.opened_at),
        "due_at": stamp(debt.due_at),
        "attempts": attempts,
        "closed_by_call": debt.closed_by_call,
    }
