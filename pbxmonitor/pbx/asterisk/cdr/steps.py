"""The steps of a journey as its main channel's CDR rows show them, and how each ring of a step ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pbxmonitor.domain.call import OfferResult
from pbxmonitor.pbx.asterisk.cdr.columns import CdrRow
from pbxmonitor.pbx.asterisk.cdr.rings import Party, Ring, is_local
from pbxmonitor.pbx.asterisk.dialling import dialled, leads_to, timeout_of
from pbxmonitor.pbx.asterisk.naming import endpoint_of

_ANNOUNCED: Final = timedelta(seconds=20)  # what an agent may hear before the caller is joined to him
SECOND: Final = timedelta(seconds=1)  # what a CDR's times are good to
REFUSALS: Final = frozenset({"BUSY", "FAILED", "CONGESTION"})
# Applications that a caller leaves by hanging up; after others the dialplan was at its end.
_WAITS: Final = frozenset({"QUEUE", "DIAL", "BACKGROUND", "READ", "WAITEXTEN", "VOICEMAIL"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Rows of one application in a row; `talks` is how many conversations had ended before it."""

    app: str
    data: str
    talks: int
    rows: tuple[CdrRow, ...]
    rings: tuple[Ring, ...]

    @property
    def queue(self) -> str | None:
        return self.data.split(",")[0] if self.app == "QUEUE" else None

    @property
    def begins(self) -> datetime:
        return self.rows[0].start

    @property
    def ends(self) -> datetime:
        return max(row.end for row in self.rows)

    @property
    def answered(self) -> Ring | None:
        """Whom the caller talked to in it."""
        return next((ring for ring in self.rings if ring.talked), None)

    @property
    def taken_over(self) -> Ring | None:
        """The answer of a phone that its Dial had not rung: somebody picked the call up."""
        ring = self.answered if self.app == "DIAL" else None
        if ring is None or is_local(ring.row.dstchannel) or ring.outside:
            return None
        endpoint = endpoint_of(ring.row.dstchannel)
        return None if any(leads_to(each, endpoint) for each in dialled(self.data)) else ring

    @property
    def ran_out(self) -> bool:
        """Whether its Dial or Queue rang as long as it was told to."""
        timeout = timeout_of(self.app, self.data)
        return timeout is not None and self.ends - self.begins >= timeout - SECOND

    def picked_at(self, ring: Ring) -> datetime | None:
        """When that ring was picked up: as its rows tell, else as the last of the colleagues' phones fell silent."""
        if ring.picked_at is not None or ring is self.taken_over:
            return ring.picked_at or ring.row.start
        others = [each.own for each in self.rings if not each.answered and each.own.disposition not in REFUSALS]
        silent = [own.end for own in others if ring.row.start < own.end < ring.row.end]
        return max(silent, default=None)


def steps_of(party: Party) -> list[Step]:
    """The steps in order."""
    found: list[Step] = []
    ended: list[CdrRow] = []
    for row in party.mine:
        ring = party.ring(row)
        talks = sum(each.end <= row.start and each.start < row.start for each in ended)
        if ring is not None and ring.answered:
            ring = replace(ring, dropped=_dropped(party, ring))
            ended += [row] if ring.talked else []
        found = _with(found, row, ring, talks)
    return found


def _dropped(party: Party, ring: Ring) -> bool:
    """Picked up in a queue that soon after went on ringing, though nobody was consulted: no talk began."""
    row = ring.row
    later = (each for each in party.mine if each.start >= row.end and each.start > row.start)
    then = next(later, None)
    if (
        then is None
        or row.app.upper() != "QUEUE"
        or (then.app, then.data) != (row.app, row.data)
        or not then.dstchannel
    ):
        return False
    return row.end - row.start <= _ANNOUNCED and not party.consultations(ring)


def _with(steps: list[Step], row: CdrRow, ring: Ring | None, talks: int) -> list[Step]:
    app, last = row.app.upper(), steps[-1] if steps else None
    rings = (ring,) if ring is not None else ()
    if last is not None and (last.app, last.data, last.talks) == (app, row.data, talks):
        same = Step(app=app, data=row.data, talks=talks, rows=(*last.rows, row), rings=(*last.rings, *rings))
        return [*steps[:-1], same]
    return [*steps, Step(app=app, data=row.data, talks=talks, rows=(row,), rings=rings)]


def caller_left(steps: Sequence[Step]) -> bool:
    """Whether the caller ended a call that nobody had taken: its last application was one that waits."""
    last = steps[-1]
    if last.answered is not None or last.app not in _WAITS or last.ran_out:
        return False
    return last.rows[-1].disposition not in REFUSALS


def result_of(party: Party, step: Step, ring: Ring, left_at: datetime | None) -> OfferResult:
    """How that ring ended; `left_at` is when the caller hung up, None if he did not."""
    own = ring.own
    if ring.answered:
        return OfferResult.ANSWERED
    if step.taken_over is not None and own.disposition not in REFUSALS:
        return OfferResult.ANSWERED_ELSEWHERE
    if own.disposition in ("FAILED", "CONGESTION"):
        return OfferResult.UNREACHABLE
    if own.disposition == "BUSY" or cut_short(party, own):
        return OfferResult.DECLINED if own.end - own.start >= SECOND else OfferResult.BUSY
    if step.answered is not None and _at_that_moment(step.picked_at(step.answered), own.end):
        return OfferResult.ANSWERED_ELSEWHERE
    return OfferResult.CALLER_GAVE_UP if _at_that_moment(left_at, own.end) else OfferResult.RNA


def cut_short(party: Party, row: CdrRow) -> bool:
    """A Dial that ended before its time with the dialplan going on: the other side refused."""
    timeout = timeout_of(row.app, row.data)
    early = timeout is not None and row.end - row.start < timeout - SECOND
    return row.app.upper() == "DIAL" and early and not row.answered and party.went_on(row)


def _at_that_moment(moment: datetime | None, at: datetime) -> bool:
    return moment is not None and abs(at - moment) <= SECOND
