"""What a batch of changes leaves behind as rows: the last state of everything it touched, once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256

import sqlalchemy as sa

from pbxmonitor.domain.agent import Agent, AgentState, Interval
from pbxmonitor.domain.call import Call, Direction, EndedBy, Offer, OfferResult, StageKind, Talk
from pbxmonitor.domain.callback import Callback, Colour
from pbxmonitor.domain.facts import DeviceSeen, Fact
from pbxmonitor.domain.floor import Change
from pbxmonitor.domain.judge import Judgement, short_hangup
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import seconds
from pbxmonitor.store import schema
from pbxmonitor.store.form import body_of, to_text
from pbxmonitor.store.restore import evidence_of
from pbxmonitor.store.types import Row

LIVE = "live"
AVAILABILITY, ACTIVITY = "availability", "activity"


class Touched:
    """The calls, agents and intervals that the changes touched; `moves` are agents before and after, in order."""

    def __init__(self, changes: Sequence[Change]) -> None:
        self.calls: dict[str, Call] = {}
        self.before: dict[str, Call | None] = {}
        self.ended: list[Call] = []
        self.newcomers: dict[str, None] = {}
        self.devices: dict[str, DeviceSeen] = {}
        self.intervals: dict[tuple[str, str, datetime], Interval] = {}
        self.moves: list[tuple[Agent | None, Agent, datetime]] = []
        for change in changes:
            self._note(change)

    @property
    def merged(self) -> list[str]:
        """Calls with rows that turned out to be part of another."""
        return [key for key, call in self.calls.items() if call.merged_into and self.before[key] is not None]

    def standing(self) -> Iterator[Call]:
        """The calls that are calls of their own."""
        return (call for call in self.calls.values() if call.merged_into is None)

    def days(self, day_of: Callable[[datetime], date]) -> set[date]:
        """The days whose sums may be others now: of the calls' beginnings, and all that an interval reaches over."""
        found = {day_of(call.started_at) for call in self.calls.values()}
        for interval in self.intervals.values():
            day, last = day_of(interval.began_at), day_of(interval.ended_at or interval.began_at)
            while day <= last:
                found.add(day)
                day += timedelta(days=1)
        return found

    def _note(self, change: Change) -> None:
        for before, call in change.calls:
            self.before.setdefault(call.key, before)
            self.calls[call.key] = call
            if call.ended_at is not None and (before is None or before.ended_at is None):
                self.ended.append(call)
        for was, agent in change.agents:
            if was is None:
                self.newcomers[agent.id] = None
            self.moves.append((was, agent, change.fact.at))
            self._live(AVAILABILITY, was.availability if was else None, agent.availability, change.fact.at)
            self._live(ACTIVITY, _activity(was) if was else None, _activity(agent), change.fact.at)
        if isinstance(change.fact, DeviceSeen):
            self.devices[change.fact.endpoint] = change.fact

    def _live(self, track: str, before: Interval | None, after: Interval | None, at: datetime) -> None:
        """Close the interval that is over, note the one that runs; a wrap-up knows its end beforehand."""
        began_at = after.began_at if after is not None else at
        if before is not None and (after is None or before.began_at != began_at):
            ended_at = min(began_at, before.ended_at or began_at)
            self.intervals[before.agent, track, before.began_at] = replace(before, ended_at=ended_at)
        if after is not None:
            self.intervals[after.agent, track, after.began_at] = after


def _activity(agent: Agent) -> Interval | None:
    if agent.activity is None or agent.activity.state is not AgentState.WRAPUP:
        return agent.activity
    return replace(agent.activity, ended_at=agent.wrapup_until)


def journal_key(fact: Fact) -> str:
    """The fact's key as the journal keeps it: one that is too long, or has a NUL in it, ends in its digest."""
    if len(fact.key) <= schema.KEY and "\0" not in fact.key:
        return fact.key
    return fact.key[: schema.KEY - 64].replace("\0", "") + sha256(fact.key.encode("utf-8", "surrogatepass")).hexdigest()


def journal_rows(node: str, seq: int, changes: Sequence[Change], told: Iterable[Fact]) -> list[Row]:
    """The facts after `seq`: those that changed something, and of the others of `told` the keys alone."""
    effective = {id(change.fact) for change in changes}
    rows: dict[str, Row] = {}
    for fact in (change.fact for change in changes):
        seq, key = seq + 1, journal_key(fact)
        # One snapshot may tell of two devices of one person under one key; both must be played again.
        key = key if key not in rows else f"{key[: schema.KEY - 20]}#{seq}"
        rows[key] = _fact(node, seq, key, fact, body_of(fact))
    for fact in told:
        key = journal_key(fact)
        if id(fact) not in effective and key not in rows:
            seq += 1
            rows[key] = _fact(node, seq, key, fact, None)
    return list(rows.values())


def _fact(node: str, seq: int, key: str, fact: Fact, body: str | None) -> Row:
    return {"node": node, "seq": seq, "key": key, "at": fact.at, "kind": type(fact).__name__, "body": body}


def call_row(
    call: Call, judged: Judgement, colour: Colour | None, debt: Callback | None = None, source: str = LIVE
) -> Row:
    """The call itself under the policy; `debt` is the callback that its miss belongs to."""
    running = call.connected_at if call.ended_at is None else None
    queue = next((stage.name for stage in judged.stages if stage.kind is StageKind.QUEUE), None)
    return {
        "node": call.node,
        "key": call.key,
        "direction": call.direction,
        "caller": call.caller,
        "called": call.called,
        "started_at": call.started_at,
        "answered_at": judged.answered_at,
        "ended_at": call.ended_at,
        "disposition": judged.disposition,
        "lost": judged.lost,
        "cause": judged.cause,
        "colour": colour,
        "wait_s": judged.wait_s,
        "talk_s": judged.talk_s if call.ended_at is not None else call.connected_s,
        "connected_at": running,
        "answered_by": judged.answered_by,
        "ended_by": judged.ended_by,
        "short_hangup": judged.short_hangup,
        "queue": queue,
        "callback": debt.missed_calls[0] if debt is not None else None,
        "source": source,
        "evidence": evidence_of(call),
    }


def part_rows(call: Call, judged: Judgement, policy: Policy) -> Iterator[tuple[sa.Table, Row]]:
    """The rows below a call, each with its table."""
    for position, stage in enumerate(judged.stages):
        yield (
            schema.stage,
            {
                "node": call.node,
                "call": call.key,
                "position": position,
                "kind": stage.kind,
                "name": stage.name,
                "entered_at": stage.entered_at,
                "left_at": stage.left_at,
                "result": stage.result,
                "available": stage.available,
                "reachable": stage.reachable,
                "idle": stage.idle,
            },
        )
    yield from _offers(call)
    yield from _talks(call)
    for position, each in enumerate(call.transfers):
        yield (
            schema.transfer,
            {
                "node": call.node,
                "call": call.key,
                "position": position,
                "kind": each.kind,
                "from_agent": each.frm,
                "to_agent": each.to,
                "at": each.at,
            },
        )
    yield from ((schema.verdict, row) for row in verdict_rows(call, judged, policy))


def verdict_rows(call: Call, judged: Judgement, policy: Policy) -> Iterator[Row]:
    """What each agent did with the call, and his numbers in it."""
    for agent, verdict in judged.verdicts.items():
        talks = [talk for talk in call.talks if talk.agent == agent and not talk.external]
        yield {
            "node": call.node,
            "call": call.key,
            "agent": agent,
            "verdict": verdict,
            "short_hangups": _short_hangups(call, agent, policy),
            "started_at": call.started_at,
            "pickup_ms": _pickup_ms(call.offers, agent),
            "talk_ms": sum(milliseconds(talk.began_at, talk.ended_at) for talk in talks if talk.ended_at is not None),
            "caller_hangups": sum(short_hangup(call, talk, policy, by=EndedBy.CALLER) for talk in talks),
        }


def milliseconds(begin: datetime, end: datetime) -> int:
    """The time between, in whole milliseconds: sums of them do not depend on their order."""
    return round((end - begin).total_seconds() * 1000)


def _pickup_ms(offers: Iterable[Offer], agent: str) -> int | None:
    mine = (o for o in offers if o.agent == agent and o.counts and o.result is OfferResult.ANSWERED)
    first = next(mine, None)
    return milliseconds(first.began_at, first.ended_at) if first is not None and first.ended_at is not None else None


def _offers(call: Call) -> Iterator[tuple[sa.Table, Row]]:
    for position, offer in enumerate(call.offers):
        yield (
            schema.offer,
            {
                "node": call.node,
                "call": call.key,
                "position": position,
                "agent": offer.agent,
                "queue": offer.queue,
                "began_at": offer.began_at,
                "ended_at": offer.ended_at,
                "ring_s": offer.ended_at and seconds(offer.began_at, offer.ended_at),
                "result": offer.result,
                "counts": offer.counts,
            },
        )


def _talks(call: Call) -> Iterator[tuple[sa.Table, Row]]:
    for position, talk in enumerate(call.talks):
        yield (
            schema.talk,
            {
                "node": call.node,
                "call": call.key,
                "position": position,
                "agent": talk.agent,
                "began_at": talk.began_at,
                "ended_at": talk.ended_at,
                "talk_s": talk.ended_at and seconds(talk.began_at, talk.ended_at),
                "hold_s": round(talk.hold_s, 3),
                "ended_by": talk.ended_by,
                "external": talk.external,
                "offer": _offer_of(talk, call.offers),
            },
        )


def _offer_of(talk: Talk, offers: Sequence[Offer]) -> int | None:
    """The ring that the talk came from, by its position."""
    return next((position for position, offer in enumerate(offers) if talk.leg in (offer.phone, offer.leg)), None)


def _short_hangups(call: Call, agent: str, policy: Policy) -> int:
    dropped = call.dumped.count(agent) if call.direction is Direction.INBOUND else 0
    return dropped + sum(talk.agent == agent and short_hangup(call, talk, policy) for talk in call.talks)


def interval_row(node: str, track: str, interval: Interval, source: str = LIVE) -> Row:
    """One stretch of an agent's state."""
    return {
        "node": node,
        "agent": interval.agent,
        "track": track,
        "began_at": interval.began_at,
        "ended_at": interval.ended_at,
        "state": interval.state,
        "reason": interval.reason,
        "note": interval.note,
        "queues": to_text(interval.queues),
        "partial": interval.partial,
        "source": source,
    }
