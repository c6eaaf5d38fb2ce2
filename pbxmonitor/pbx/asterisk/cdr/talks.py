"""Conversations of a journey as CDR rows show them: who talked from when to when, and who passed the caller on."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from pbxmonitor.domain.call import EndedBy, Talk, Transfer
from pbxmonitor.pbx.asterisk.cdr.columns import CdrRow
from pbxmonitor.pbx.asterisk.cdr.rings import Party, Ring, half
from pbxmonitor.pbx.asterisk.cdr.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A transfer: from whom, and of an attended one the consultation's row."""

    transfer: Transfer
    frm: Ring
    to: Ring | None
    consulted: CdrRow | None


def continues(steps: Sequence[Step], step: Step) -> bool:
    """Whether it is still the application of the talk before: only another phone came into the conversation."""
    before = [each for each in steps[: steps.index(step)] if each.answered is not None]
    return bool(before) and (before[-1].app, before[-1].data) == (step.app, step.data)


class Talks:
    """The conversations of those steps; `dialler` is who called out, and so talks to whom he reached."""

    def __init__(self, party: Party, steps: Sequence[Step], dialler: tuple[str, str] | None) -> None:
        self._party = party
        self._steps = steps
        self._dialler = dialler
        self.passed = tuple(self._passed())

    def __iter__(self) -> Iterator[Talk]:
        for step in self._steps:
            for ring in step.rings:
                if ring.talked:
                    yield self._talk(step, ring)

    def _talk(self, step: Step, ring: Ring) -> Talk:
        left = next((each for each in self.passed if each.frm is ring), None)
        ended_at = left.consulted.end if left is not None and left.consulted is not None else ring.row.end
        agent, leg, external = self._talker(ring)
        return Talk(
            agent=agent,
            leg=leg,
            began_at=self.begins(step, ring),
            ended_at=max(ended_at, ring.row.end),
            ended_by=EndedBy.TRANSFER if left is not None else None,
            hold_s=max((ended_at - ring.row.end).total_seconds(), 0.0),
            external=external,
        )

    def _talker(self, ring: Ring) -> tuple[str, str, bool]:
        if self._dialler is not None and ring.outside:
            return (*self._dialler, False)
        return ring.who, ring.leg, ring.outside

    def begins(self, step: Step, ring: Ring) -> datetime:
        """When he picked up; where no row tells, when his phone began to ring (or the dialplan had answered)."""
        came = next((each for each in self.passed if each.to is ring and each.consulted is not None), None)
        if came is not None and came.consulted is not None:
            return min(came.consulted.end, ring.row.end)
        return step.picked_at(ring) or max(ring.row.start, ring.row.answer or ring.row.start)

    def _passed(self) -> Iterator[Passed]:
        talked: Ring | None = None
        for step in self._steps:
            if talked is not None:
                yield from self._passes(step, talked)
            talked = step.answered or talked

    def _passes(self, step: Step, talked: Ring) -> Iterator[Passed]:
        same = continues(self._steps, step)
        if not same and step.app not in ("DIAL", "QUEUE"):
            return
        consulted = next(((q, ring) for ring in step.rings if (q := self._consulted(talked, ring)) is not None), None)
        if consulted is not None:
            row, ring = consulted
            yield self._attended(talked, ring, row)
        elif not same:
            to = step.rings[0] if step.rings else None
            yield Passed(
                transfer=self._transfer("blind", talked, self._name(step), step.begins),
                frm=talked,
                to=to,
                consulted=None,
            )

    def _attended(self, talked: Ring, ring: Ring, row: CdrRow) -> Passed:
        return Passed(
            transfer=self._transfer("attended", talked, ring.who, row.end), frm=talked, to=ring, consulted=row
        )

    def _transfer(self, kind: str, talked: Ring, to: str, at: datetime) -> Transfer:
        return Transfer(kind=kind, frm=self._talker(talked)[0], to=to, at=at)

    def _consulted(self, talked: Ring, ring: Ring) -> CdrRow | None:
        """The row in which the one before had called that phone himself."""
        for row in self._party.consultations(talked):
            if half(row.dstchannel) == half(ring.row.dstchannel) or row.dstchannel == ring.leg:
                return row
        return None

    def _name(self, step: Step) -> str:
        """To whom: the people rung, else the extension."""
        if step.queue is not None:
            return step.rows[0].dst or step.queue
        return "&".join(ring.who for ring in step.rings) or step.rows[0].dst
