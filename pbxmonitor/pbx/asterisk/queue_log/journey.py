"""One caller's way through the queues while the log is read: what his lines have told so far, and the call it makes."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Leg,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
    Transfer,
)
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.pbx.asterisk.naming import Site
from pbxmonitor.pbx.asterisk.queue_log.words import CANCELLED

# A line's time and a duration that Asterisk measured differ by their roundings; if by more, the clock was set.
_ROUNDING: Final = timedelta(seconds=2)


class Stay(NamedTuple):
    """He waits in that queue."""

    queue: str
    since: datetime


class Spoken(NamedTuple):
    """He talks to an agent of that queue; `agent` is None where the log names nobody."""

    queue: str
    agent: str | None
    leg: str
    since: datetime


@dataclass(slots=True, kw_only=True)
class Journey:
    """What is known of one caller, `last` when; `stay` and `talk` are what goes on.

    `left` if he hung up himself, `unseen` if he was given away and not seen again.
    """

    key: str
    site: Site
    last: datetime
    caller: str | None = None
    called: str = ""
    stay: Stay | None = None
    talk: Spoken | None = None
    stages: list[Stage] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    transfers: tuple[Transfer, ...] = ()
    dumped: tuple[str, ...] = ()
    talked: timedelta = timedelta()
    ended_at: datetime | None = None
    left: bool = False
    unseen: bool = False
    cancelled: bool = False

    @property
    def came(self) -> bool:
        """Whether the log tells of any queue that he came to."""
        return bool(self.stages) or self.stay is not None

    def stay_in(self, queue: str) -> Stay | None:
        """His stay in that queue, if he is there."""
        return self.stay if self.stay is not None and self.stay.queue == queue else None

    def enter(self, queue: str, at: datetime) -> Stay:
        """He is in that queue from then on, whatever was before."""
        self._break_off()
        self.stay = Stay(queue, at)
        self.ended_at, self.left, self.unseen = None, False, False
        return self.stay

    def leave(self, at: datetime, result: StageResult) -> None:
        """He is out of the queue. `empty` is the log's own word for it that no member was available."""
        if self.stay is None:
            return
        stage = Stage(
            kind=StageKind.QUEUE,
            name=self.stay.queue,
            entered_at=self.stay.since,
            left_at=at,
            result=result,
            available=0 if result is StageResult.EMPTY else None,
        )
        self.stages.append(stage)
        self.stay = None
        if self.cancelled:
            self._explain_cancelled(at, result)

    def answer(self, queue: str, agent: str | None, at: datetime, ring: timedelta | None, channel: str) -> Spoken:
        """An agent picked up."""
        self.leave(at, StageResult.ANSWERED)
        leg = channel or f"{self.key}/{len(self.talks)}"
        self.offer(queue, agent, at, ring, OfferResult.ANSWERED, leg)
        self.ended_at, self.talk = None, Spoken(queue, agent, leg, at)
        return self.talk

    def end_talk(self, talk: Spoken, at: datetime | None, by: EndedBy | None) -> None:
        """An agent whom the log does not name has no verdict: his talk counts as one outside the house."""
        ended = Talk(
            agent=talk.agent or "",
            leg=talk.leg,
            began_at=talk.since,
            ended_at=at,
            ended_by=by,
            external=talk.agent is None,
        )
        self.talks.append(ended)
        self.talk = None
        if at is not None:
            self.talked += at - talk.since

    def offer(
        self, queue: str, agent: str | None, at: datetime, ring: timedelta | None, result: OfferResult, leg: str = ""
    ) -> None:
        """A ring that ended. One whose length the log does not tell has no end: nobody's miss, and no pick-up time."""
        if agent is None:
            return
        began_at = at if ring is None else at - ring
        ended_at = None if ring is None else at
        self.offers.append(
            Offer(agent=agent, queue=queue, began_at=began_at, leg=leg, ended_at=ended_at, result=result)
        )

    def call(self, *, open_still: bool = False) -> Call:
        """The call as far as the log knows it; one without an end has vanished unless it is open still."""
        running = self.talk.since if self.talk is not None and open_still else None
        self._break_off()
        last = self.stages[-1]
        ended_at = self.ended_at or (None if open_still else max(self.last, last.left_at or last.entered_at))
        return Call(
            node=self.site.node,
            key=self.key,
            direction=Direction.INBOUND,
            caller=self.caller,
            called=self.called,
            started_at=self.stages[0].entered_at,
            first=self.key,
            anchor=self.key,
            ended_at=ended_at,
            legs={self.key: self._leg(ended_at)},
            stages=tuple(self.stages),
            offers=tuple(self.offers),
            talks=tuple(self.talks),
            transfers=self.transfers,
            dumped=self.dumped,
            connected_at=running,
            connected_s=self.talked.total_seconds(),
            vanished=ended_at is not None and (self.ended_at is None or self.unseen),
        )

    def _leg(self, ended_at: datetime | None) -> Leg:
        return Leg(
            id=self.key,
            endpoint="",
            agent=None,
            number=self.caller,
            trunk=True,
            local=False,
            began_at=self.stages[0].entered_at,
            asked_at=ended_at if self.left else None,
            ended_at=ended_at,
        )

    def _break_off(self) -> None:
        """A stay or a talk whose end the log does not have keeps none."""
        if self.stay is not None:
            self.stages.append(Stage(kind=StageKind.QUEUE, name=self.stay.queue, entered_at=self.stay.since))
            self.stay = None
        if self.talk is not None:
            self.end_talk(self.talk, None, None)

    def _explain_cancelled(self, at: datetime, result: StageResult) -> None:
        meant = CANCELLED.get(result, OfferResult.CANCELLED)
        self.offers = [evolve(each, result=meant) if _just(each, at) else each for each in self.offers]
        self.cancelled = False


def _just(offer: Offer, at: datetime) -> bool:
    """Whether that ring was cancelled at this very moment."""
    ended = offer.ended_at
    return offer.result is OfferResult.CANCELLED and ended is not None and abs(at - ended) <= _ROUNDING


def agreed(since: datetime, at: datetime, lasted: timedelta | None) -> datetime:
    """When something ended that began at `since`: the line's time, unless Asterisk measured quite another duration."""
    if lasted is None or abs(at - since - lasted) <= _ROUNDING:
        return max(at, since)
    return since + lasted
