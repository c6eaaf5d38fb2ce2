"""What a digest tells, from the same reports that people open (docs/digests.md), and which digests were written."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.callback import State
from pbxmonitor.domain.kpi import Sums
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store import agent_report, funnel, outbox, queue_report, rolled, schema
from pbxmonitor.store.agent_report import Question
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.reports import Period
from pbxmonitor.store.sums import Key
from pbxmonitor.store.types import Write, write

_UNREACHED: Final = (State.OPEN, State.ATTEMPTED, State.EXPIRED)


class Fate(StrEnum):
    """What became of a debt to a client; each has one, so that they add up."""

    IN_NORM = "in_norm"
    LATE = "late"
    RETURNED = "returned"
    DISMISSED = "dismissed"
    LOST = "lost"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose numbers of which time: `agents` are those that the reader may see (None: all), `now` is when he reads."""

    period: Period
    policy: Policy
    now: datetime
    people: frozenset[str] = frozenset()
    agents: frozenset[str] | None = None

    def holds(self, agent: str | None) -> bool:
        """Whether what is that agent's (nobody's: None) is told."""
        return self.agents is None or agent in self.agents


@dataclass(frozen=True, slots=True)
class Debts:
    """Callbacks opened in a stretch: fates by owner, and how many clients nobody has reached in the end."""

    by_owner: Mapping[Key | None, Mapping[Fate, int]] = field(default_factory=dict)
    unreached: int = 0

    @property
    def total(self) -> Mapping[Fate, int]:
        """All owners together."""
        return sum((Counter(fates) for fates in self.by_owner.values()), Counter())


class Slot(NamedTuple):
    """Inbound calls that began then: the beginning of an hour or a day of the site."""

    begin: datetime
    calls: int
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """One stretch: the agents' sums, the callbacks, and of the whole site the funnel and the queues (else None)."""

    sums: Sums
    debts: Debts
    stages: Json | None = None
    queues: Json | None = None

    @property
    def empty(self) -> bool:
        """Nothing happened that could be told of."""
        calls = self.stages["calls"] if self.stages is not None else self.sums.offered
        return not calls and not self.sums.offered and not self.debts.by_owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a summary is written from: rows of the agent report, the stretch, the one before, the load of its hours."""

    agents: Sequence[Json]
    now: Numbers
    before: Numbers
    load: Sequence[Slot] = ()


def figures(connection: sa.Connection, asked: Asked, before: Period) -> Figures:
    """The figures of the period beside those of the one before."""
    question = Question(period=asked.period, policy=asked.policy, people=asked.people)
    rows = [row for row in agent_report.agents(connection, question) if asked.holds(row["agent"])]
    whole = asked.agents is None
    return Figures(
        agents=rows,
        now=numbers(connection, asked, asked.period),
        before=numbers(connection, asked, before),
        load=_load(connection, asked) if whole else (),
    )


def numbers(connection: sa.Connection, asked: Asked, period: Period) -> Numbers:
    """What the period comes to, of those who may be seen."""
    policy, whole = asked.policy, asked.agents is None
    sums = rolled.sums(connection, period, policy, counts_only=True)
    return Numbers(
        sums=kpi.total(part for (_, agent), part in sums.items() if asked.holds(agent)),
        debts=debts(connection, asked, period),
        stages=funnel.stages(connection, period, policy) if whole else None,
        queues=queue_report.queues(connection, period, policy)["total"] if whole else None,
    )


def debts(connection: sa.Connection, asked: Asked, period: Period) -> Debts:
    """The callbacks opened in the period, each with its fate as it is known now."""
    debt = schema.callback.c
    wanted: sa.Select[Any] = sa.select(
        *(debt.node, debt.owner, debt.number, debt.state, debt.opened_at, debt.due_at, debt.tried_at)
    )
    question = Question(period=period, policy=asked.policy, people=asked.people)
    single = len(rolled.nodes(connection, period)) == 1
    fates: dict[Key | None, Counter[Fate]] = {}
    unreached: set[str] = set()
    for row in connection.execute(wanted.where(period.holds(schema.callback, "opened_at"))):
        if not asked.holds(row.owner):
            continue
        fate = fate_of(row, asked)
        key = None if row.owner is None else (row.node, row.owner)
        key = key if key is None or single else question.key(key)
        fates.setdefault(key, Counter())[fate] += 1
        if fate is not Fate.WAITING and row.state in _UNREACHED:
            unreached.add(row.number)
    return Debts(fates, len(unreached))


def fate_of(row: sa.Row[Any], asked: Asked) -> Fate:
    """In time as the agent report has it: by the callback's own deadline, or by the norm of the owner's team."""
    hours, team = asked.policy.hours, asked.policy.team_of(row.owner or "")
    norm = team.callback_norm if team is not None else None
    if row.tried_at is not None:
        if norm is None:
            in_norm = row.tried_at <= row.due_at
        else:
            in_norm = round(hours.between(row.opened_at, row.tried_at).total_seconds()) <= norm.total_seconds()
        return Fate.IN_NORM if in_norm else Fate.LATE
    closed = {State.CLIENT_RETURNED: Fate.RETURNED, State.DISMISSED: Fate.DISMISSED}.get(State(row.state))
    if closed is not None:
        return closed
    due_at = row.due_at if norm is None else hours.after(row.opened_at, norm)
    return Fate.LOST if due_at <= asked.now or row.state == State.EXPIRED else Fate.WAITING


def _load(connection: sa.Connection, asked: Asked) -> Sequence[Slot]:
    """By hour of the site's clock when the period is one day, else by day; hours of no calls between others as well."""
    hours = asked.policy.hours
    first, last = (hours.day_of(each) for each in (asked.period.begin, asked.period.end - timedelta(microseconds=1)))
    found: dict[tuple[date, int], Counter[str]] = {}
    for (_, day, hour, _, _), counts in rolled.load(connection, asked.period, asked.policy).items():
        slot = found.setdefault((day, hour if first == last else 0), Counter())
        slot.update(calls=counts["calls"], lost=counts["lost"])
    if first != last:
        slots = [(first + timedelta(days=ahead), 0) for ahead in range((last - first).days + 1)]
    else:
        told = [hour for _, hour in found]
        slots = [(first, hour) for hour in range(min(told), max(told) + 1)] if told else []
    return [_slot(hours.zone, each, found.get(each, Counter())) for each in slots]


def _slot(zone: Any, at: tuple[date, int], counts: Counter[str]) -> Slot:
    begin = datetime(at[0].year, at[0].month, at[0].day, at[1], tzinfo=zone)
    return Slot(begin, counts["calls"], counts["lost"])


def names(connection: sa.Connection) -> Mapping[Key, str]:
    """What agents are called on their PBX."""
    table = schema.agent.c
    found = connection.execute(sa.select(table.node, table.agent, table.name).where(table.name.is_not(None)))
    return {(node, agent): name for node, agent, name in found}


class Made(NamedTuple):
    """One digest of one person: its kind, who reads it, the first of its days."""

    kind: str
    person: str
    begin: date


def made(connection: sa.Connection, wanted: Iterable[Made]) -> set[Made]:
    """Those of the digests that are written already."""
    asked = set(wanted)
    if not asked:
        return set()
    table = schema.digest.c
    since = min(each.begin for each in asked)
    rows = connection.execute(sa.select(table.kind, table.person, table.begin).where(table.begin >= since))
    return asked & {Made(*row) for row in rows}


def make(connection: sa.Connection, digest: Made, delivery: Delivery | None, now: datetime) -> None:
    """Write it with what is owed for it; IntegrityError when somebody else has, and then nothing is owed twice."""
    row = {**digest._asdict(), "made_at": now, "delivery": delivery.id if delivery is not None else None}
    write(connection, schema.digest, [row], Write.INSERT)
    if delivery is not None:
        outbox.put(connection, [delivery])
