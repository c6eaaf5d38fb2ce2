"""What the live page is made of: the floors, and what the rows say of the day."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from pbxmonitor.domain.alerting import Alert
from pbxmonitor.domain.floor import Floor
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.roster import Roster

Key = tuple[str, str]


class Tally(NamedTuple):
    """One agent's calls of the day."""

    answered: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """The day's inbound calls that are over; `waited_s` is what all that were answered waited together."""

    received: int = 0
    answered: int = 0
    lost: int = 0
    short: int = 0
    waited_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One open callback as the live page shows it; `missed` is how often the client was missed."""

    node: str
    call: str
    number: str
    line: str
    queue: str | None
    state: str
    owner: str | None
    taken_by: str | None
    opened_at: datetime
    due_at: datetime
    snoozed_until: datetime | None = None
    missed: int = 1
    attempts: int = 0

    @property
    def whose(self) -> str | None:
        """Who is to call: who took it, else the owner."""
        return self.taken_by or self.owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """What the rows say of the site's day; `stale_since` when they could not be asked any more.

    `owed` counts by owner the callbacks opened today and those of them tried in time, `gaps` are (node, from, to, calls
    taken in for it afterwards, if that was done).
    """

    tallies: Mapping[Key, Tally] = field(default_factory=dict)
    names: Mapping[Key, str] = field(default_factory=dict)
    calls: Calls = field(default_factory=Calls)
    debts: tuple[Debt, ...] = ()
    owed: Mapping[str | None, tuple[int, int]] = field(default_factory=dict)
    alerts: tuple[tuple[str, Alert], ...] = ()
    gaps: tuple[tuple[str, datetime, datetime | None, int | None], ...] = ()
    stale_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that a view is made of; `lost` says since when a PBX is not heard, `nodes` which are followed."""

    now: datetime
    floors: Sequence[Floor]
    today: Today
    roster: Roster
    policy: Policy
    nodes: Sequence[str] = ()
    lost: Mapping[str, datetime] = field(default_factory=dict)

    def named(self, node: str, agent: str) -> str:
        """One key for a person of the settings or an only PBX, one for each PBX otherwise."""
        many = len(self.nodes) > 1 or len(self.floors) > 1
        return f"{node}/{agent}" if many and agent not in self.roster.people else agent

    def moments(self) -> Iterator[datetime]:
        """When time alone changes the view: callbacks fall due, wrap-ups are over."""
        yield from (debt.due_at for debt in self.today.debts if debt.due_at > self.now)
        for floor in self.floors:
            for agent in floor.agents.values():
                if agent.wrapup_until is not None and agent.wrapup_until > self.now:
                    yield agent.wrapup_until
