"""What came of a story: each fact is played as it is told, and everything that the domain says of it is kept."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Self

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent, Interval
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.callback import Callback, Colour, colour_of, settle
from pbxmonitor.domain.floor import Change, Floor
from pbxmonitor.domain.judge import Cause, Disposition, Judgement, Verdict, judge
from pbxmonitor.domain.play import play
from pbxmonitor.domain.policy import Policy

MONDAY_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CLIENT = "+79161234501"
MOBILE = "+79990000001"


@dataclass
class Line:
    """One call as its teller knows it: the channel of each party, and where they are now."""

    first: str
    queue: str | None = None
    phones: dict[str, str] = field(default_factory=dict)
    halves: dict[str, tuple[str, str]] = field(default_factory=dict)
    ringing: list[str] = field(default_factory=list)
    talking: list[str] = field(default_factory=list)
    bridge: str = ""


class Told:
    """Facts played at once; what came of them is read from `call`, `judged`, `debts` and `agent()`."""

    def __init__(self, policy: Policy | None = None, at: datetime = MONDAY_NOON, node: str = "main") -> None:
        self.policy = policy or Policy()
        self.now = at
        self.floor = Floor(node=node)
        self.facts: list[f.Fact] = []
        self.changes: list[Change] = []
        self.calls: dict[str, Call] = {}
        self.debts: tuple[Callback, ...] = ()
        self._lived: dict[tuple[str, bool, datetime], Interval] = {}
        self._lines: dict[str, Line] = {}
        self._line: Line | None = None
        self._count = count(1)

    # what came of it

    @property
    def key(self) -> str:
        return self.line.first

    @property
    def call(self) -> Call:
        return self.calls[self.key]

    @property
    def judged(self) -> Judgement:
        return judge(self.call, self.policy, self.now)

    @property
    def cause(self) -> Cause | None:
        return self.judged.cause

    @property
    def disposition(self) -> Disposition:
        return self.judged.disposition

    @property
    def verdicts(self) -> dict[str, Verdict]:
        return self.judged.verdicts

    @property
    def results(self) -> list[tuple[str, str]]:
        """(agent, result) of every offer, in order."""
        return [(offer.agent, str(offer.result)) for offer in self.call.offers]

    @property
    def stages(self) -> list[tuple[str, str, str]]:
        """(kind, name, result) of every stage, in order."""
        return [(str(stage.kind), stage.name, str(stage.result)) for stage in self.judged.stages]

    @property
    def debt(self) -> Callback:
        """The one callback there is."""
        (debt,) = self.debts
        return debt

    def colour(self, key: str | None = None) -> Colour | None:
        """The journal's colour of that call (the last one told)."""
        call = self.calls[key or self.key]
        debt = next((each for each in self.debts if call.key in each.missed_calls), None)
        return colour_of(call, judge(call, self.policy, self.now), debt)

    def agent(self, name: str) -> Agent:
        return self.floor.agents[name]

    def availability(self, name: str) -> list[tuple[str, str | None, float | None]]:
        """(state, reason, seconds) of every stretch of availability that lasted, in order; None while open."""
        return [(str(i.state), i.reason, lasted) for i, lasted in self._stretches(name, activity=False)]

    def activity(self, name: str) -> list[tuple[str, float | None]]:
        """(state, seconds) of every stretch of activity that lasted, in order; None while open."""
        return [(str(i.state), lasted) for i, lasted in self._stretches(name, activity=True)]

    def _stretches(self, name: str, activity: bool) -> list[tuple[Interval, float | None]]:
        mine = [i for (agent, track, _), i in self._lived.items() if (agent, track) == (name, activity)]
        lasted = ((i, (i.ended_at - i.began_at).total_seconds() if i.ended_at else None) for i in mine)
        return [(i, seconds) for i, seconds in lasted if seconds != 0]

    # time, and telling

    def after(self, seconds: float) -> Self:
        self.now += timedelta(seconds=seconds)
        return self

    def at(self, moment: datetime) -> Self:
        self.now = moment
        return self

    def tell(self, kind: type[f.Fact], **what: Any) -> Self:
        """One bare fact, now."""
        return self.take(kind(node=self.floor.node, at=self.now, key=f"{next(self._count)}", **what))

    def take(self, fact: f.Fact) -> Self:
        """Play that very fact."""
        self.facts.append(fact)
        self.floor, changes = play(self.floor, (fact,))
        self.changes.extend(changes)
        for change in changes:
            self._note(change)
        return self

    def _note(self, change: Change) -> None:
        for before, call in change.calls:
            self.calls[call.key] = call
            if call.ended_at is not None and (before is None or before.ended_at is None):
                self._settle(call)
        for was, agent in change.agents:
            self._live(was.availability if was else None, agent.availability, activity=False)
            # nobody tells of a wrap-up's end: it is over when its time is
            rested = was.wrapup_until if was and agent.activity is None else None
            self._live(was.activity if was else None, agent.activity, activity=True, until=rested)

    def _settle(self, call: Call) -> None:
        for changed in settle(self.debts, call, judge(call, self.policy, self.now), self.policy):
            others = tuple(debt for debt in self.debts if _debt_key(debt) != _debt_key(changed))
            self.debts = (*others, changed)

    def _live(self, was: Interval | None, now: Interval | None, activity: bool, until: datetime | None = None) -> None:
        if was is not None and (now is None or now.began_at != was.began_at or now.state != was.state):
            ended_at = now.began_at if now is not None else min(until or self.now, self.now)
            self._lived[was.agent, activity, was.began_at] = replace(was, ended_at=ended_at)
        if now is not None:
            self._lived[now.agent, activity, now.began_at] = now

    @property
    def line(self) -> Line:
        """The call that is being told of."""
        assert self._line is not None
        return self._line

    def back_to(self, key: str) -> Self:
        """Tell on of that earlier call."""
        self._line = self._lines[key]
        return self


def _debt_key(debt: Callback) -> tuple[str, str, datetime]:
    return debt.number, debt.line, debt.opened_at
