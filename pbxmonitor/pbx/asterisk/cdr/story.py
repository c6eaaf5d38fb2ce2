"""A journey's CDR rows told as a Call. A CDR is an account, not a stream: what it leaves out stays unknown.

Who hung up is not in a CDR, so a talk has no `ended_by` and is nobody's short hangup; where no row tells when the phone
was picked up, the answered offer has no end, and the talk counts from the ring.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from pbxmonitor.domain.call import Call, Direction, Leg, Offer, OfferResult, Stage, StageKind, StageResult, Talk
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.pbx.asterisk.cdr.columns import CdrRow
from pbxmonitor.pbx.asterisk.cdr.rings import Party, Ring
from pbxmonitor.pbx.asterisk.cdr.steps import SECOND, Step, caller_left, cut_short, result_of, steps_of
from pbxmonitor.pbx.asterisk.cdr.talks import Talks, continues
from pbxmonitor.pbx.asterisk.naming import Site, endpoint_of

_CAUSES: Final = {"BUSY": 17, "FAILED": 34, "CONGESTION": 34}
_IVR: Final = frozenset({"BACKGROUND", "READ", "WAITEXTEN"})
_INNER: Final = frozenset({"", "s", "h", "t", "i", "~~s~~"})


class Account:
    """What the rows of one journey (in order, each once, their times aware) tell."""

    def __init__(self, site: Site, rows: Sequence[CdrRow]) -> None:
        self._site = site
        self._rows = rows
        self._party = Party(site, rows)
        self._main = self._party.main
        self._steps = steps_of(self._party)
        self._first = self._main.uniqueid or self._main.channel
        self._direction = self._which_way()
        self._left_at = self._steps[-1].ends if caller_left(self._steps) else None
        outbound = self._direction is Direction.OUTBOUND
        self._talks = Talks(self._party, self._steps, (self._caller() or "", self._first) if outbound else None)

    def call(self) -> Call:
        """The call, ended."""
        talks, outside = tuple(self._talks), tuple(self._outside_legs())
        legs = {leg.id: leg for leg in (self._first_leg(), *outside)}
        reached = next((leg.id for leg in outside if leg.answered_at is not None), None)
        main = self._main
        call = Call(
            node=self._site.node,
            key=main.linkedid or main.uniqueid or f"cdr-{main.start.timestamp():.0f}-{main.channel}",
            direction=self._direction,
            caller=self._caller(),
            called=self._called(),
            started_at=main.start,
            first=self._first,
            anchor=reached if self._direction is Direction.OUTBOUND else self._first,
            ended_at=max(row.end for row in self._rows),
            legs=legs,
        )
        return call if call.feature else evolve(call, **self._parts(talks))

    def _parts(self, talks: Sequence[Talk]) -> dict[str, Any]:
        return {
            "stages": tuple(self._stages()),
            "offers": (*self._offers(), *self._consultations()),
            "talks": tuple(talks),
            "transfers": tuple(each.transfer for each in self._talks.passed),
            "connected_s": sum((_seconds(talk) for talk in talks), 0.0),
        }

    def _which_way(self) -> Direction:
        if self._party.outside_caller:
            return Direction.INBOUND
        out = any(ring.outside for step in self._steps for ring in step.rings)
        return Direction.OUTBOUND if out else Direction.INTERNAL

    def _caller(self) -> str | None:
        agent = None if self._direction is Direction.INBOUND else self._site.agent(self._main.channel)
        return agent or self._site.number(next((row.src for row in self._party.mine if row.src), ""))

    def _called(self) -> str:
        """The DID first called: a transfer rewrites the extension of the rows before it."""
        mine = self._party.mine
        did = next((row.did for row in self._rows if row.did), None)
        told = [row for row in mine if self._site.is_trunk(endpoint_of(row.channel), row.context)] or mine
        dst = did or next((row.dst for row in told if row.dst not in _INNER), self._main.dst)
        if self._direction is Direction.OUTBOUND and not dst.lstrip("+").isdigit():
            dst = next((ring.number for step in self._steps for ring in step.rings if ring.number), dst)
        lost = did is None and any(each.transfer.to == dst for each in self._talks.passed) and told is mine
        return "" if lost else self._site.number(dst) or dst

    def _first_leg(self) -> Leg:
        main, mine = self._main, self._party.mine
        return Leg(
            id=self._first,
            endpoint=endpoint_of(main.channel),
            agent=None if self._direction is Direction.INBOUND else self._site.agent(main.channel),
            number=self._site.number(main.src),
            trunk=self._direction is Direction.INBOUND,
            local=False,
            began_at=main.start,
            answered_at=main.answer,
            asked_at=self._left_at,
            ended_at=max(row.end for row in mine),
        )

    def _outside_legs(self) -> Iterator[Leg]:
        for step in self._steps:
            for ring in step.rings:
                if ring.outside:
                    yield self._outside_leg(step, ring)

    def _outside_leg(self, step: Step, ring: Ring) -> Leg:
        own = ring.own
        cause = _CAUSES.get(own.disposition)
        return Leg(
            id=ring.leg,
            endpoint=endpoint_of(ring.leg),
            agent=ring.agent,
            number=ring.number,
            trunk=True,
            local=False,
            began_at=own.start,
            rang_at=own.start if cause is None else None,
            answered_at=self._talks.begins(step, ring) if ring.answered else None,
            asked_at=own.end if cut_short(self._party, own) else None,
            ended_at=own.end,
            cause=cause,
            dialled_by=self._first,
        )

    def _offers(self) -> Iterator[Offer]:
        for step in self._steps:
            if continues(self._steps, step):
                continue
            for ring in step.rings:
                agent = ring.agent or (self._site.member(ring.row.dstchannel) if step.queue is not None else None)
                offered = ring is not step.taken_over and (step.queue is not None or not ring.outside)
                if agent is not None and offered:
                    yield self._offer(step, ring, agent)
            yield from self._unreachable(step)

    def _offer(self, step: Step, ring: Ring, agent: str) -> Offer:
        return Offer(
            agent=agent,
            queue=step.queue,
            began_at=ring.own.start,
            leg=ring.leg,
            phone=ring.leg,
            ended_at=step.picked_at(ring) if ring.talked else None if ring.answered else ring.own.end,
            result=result_of(self._party, step, ring, self._left_at),
        )

    def _unreachable(self, step: Step) -> Iterator[Offer]:
        """A phone that is not registered makes no channel and no row: a ring of no length says that it was tried."""
        rung = {ring.agent for ring in step.rings}
        at = step.begins
        for target in self._party.targets(step.rows[0]) if step.app == "DIAL" else ():
            if target.agent is not None and target.agent not in rung and not continues(self._steps, step):
                result = OfferResult.UNREACHABLE
                yield Offer(agent=target.agent, queue=None, began_at=at, leg="", ended_at=at, result=result)

    def _consultations(self) -> Iterator[Offer]:
        """Rings by somebody who had the caller on hold; a transfer completes one of them."""
        completed = [each.consulted for each in self._talks.passed]
        for ring in (ring for step in self._steps for ring in step.rings if ring.answered and not ring.outside):
            for row in self._party.consultations(ring):
                own = self._party.behind(row.dstchannel) or row
                agent = self._site.agent(own.dstchannel or row.dstchannel)
                if agent is not None:
                    yield self._consultation(own, agent, row in completed)

    def _consultation(self, own: CdrRow, agent: str, completed: bool) -> Offer:
        refused = own.disposition == "BUSY" or cut_short(self._party, own)
        failed = OfferResult.DECLINED if refused else OfferResult.RNA
        return Offer(
            agent=agent,
            queue=None,
            began_at=own.start,
            leg=own.dstchannel,
            phone=own.dstchannel,
            ended_at=own.answer if own.answered else own.end,
            result=OfferResult.ANSWERED if own.answered else failed,
            consultation=True,
            completed=completed,
        )

    def _stages(self) -> Iterator[Stage]:
        for place, step in enumerate(self._steps):
            if continues(self._steps, step):
                yield from self._stage_of_transfer(step)
                continue
            after = self._steps[place + 1] if place + 1 < len(self._steps) else None
            stage = self._stage(step, self._left(step, after), after is None)
            if stage is not None:
                yield stage

    def _left(self, step: Step, after: Step | None) -> datetime:
        if step.answered is not None:
            return self._talks.begins(step, step.answered)
        return after.begins if after is not None else step.ends

    def _stage(self, step: Step, left_at: datetime, last: bool) -> Stage | None:
        result = StageResult.ABANDONED if last and self._left_at is not None else None
        if step.answered is not None:
            result = StageResult.ANSWERED
        if step.queue is not None:
            kind, name, result = StageKind.QUEUE, step.queue, result or _queue_result(step, last)
        elif step.app == "DIAL":
            kind, name = self._dial(step)
        elif step.app in _IVR:
            kind, name, result = StageKind.IVR, self._menu(step), result or _passed(last)
        elif step.app == "VOICEMAIL":
            kind, name, result = StageKind.VOICEMAIL, re.split("[,&@]", step.data)[0], result or _passed(last)
        else:
            return None
        return Stage(kind=kind, name=name, entered_at=step.begins, left_at=left_at, result=result)

    def _dial(self, step: Step) -> tuple[StageKind, str]:
        targets = self._party.targets(step.rows[0])
        outside = targets and all(target.number is not None for target in targets)
        reached = step.rings and all(ring.outside for ring in step.rings)
        kind = StageKind.EXTERNAL if outside or reached else StageKind.DIAL
        return kind, "&".join(target.agent or target.number or "" for target in targets)

    def _menu(self, step: Step) -> str:
        row = step.rows[0]
        return row.context if row.dst in _INNER else row.dst

    def _stage_of_transfer(self, step: Step) -> Iterator[Stage]:
        """The target of an attended transfer is a stage; a call that came back to the transferor is none."""
        for each in self._talks.passed:
            if each.consulted is None or each.to is None or each.to not in step.rings:
                continue
            at, kind = each.transfer.at, StageKind.EXTERNAL if each.to.outside else StageKind.DIAL
            result = StageResult.ANSWERED if each.to.answered else None
            yield Stage(
                kind=kind,
                name=each.transfer.to,
                entered_at=at,
                left_at=at if each.to.answered else max(each.to.own.end, at),
                result=result,
            )


def _passed(last: bool) -> StageResult | None:
    return None if last else StageResult.PASSED


def _queue_result(step: Step, last: bool) -> StageResult | None:
    if step.ran_out:
        return StageResult.TIMEOUT
    if not step.rings and step.ends - step.begins < SECOND:
        return StageResult.EMPTY
    return None if last else StageResult.KEY


def _seconds(talk: Talk) -> float:
    return (talk.ended_at - talk.began_at).total_seconds() - talk.hold_s if talk.ended_at is not None else 0.0
