"""A callback as it stands, with all that messages about it say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pbxmonitor.domain.call import Call, StageKind
from pbxmonitor.domain.callback import Callback
from pbxmonitor.domain.escalation import Progress
from pbxmonitor.domain.roster import Roster
from pbxmonitor.store import schema
from pbxmonitor.store.debts import Key, key_of
from pbxmonitor.store.types import among


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A callback, how far it has come, and when and where its last missed call was."""

    debt: Callback
    progress: Progress
    at: datetime
    queue: str | None = None

    @property
    def key(self) -> Key:
        return key_of(self.debt)

    @property
    def whose(self) -> str | None:
        """Who is to call: who took it, else the owner."""
        return self.progress.taken_by or self.debt.owner

    @property
    def round(self) -> tuple[int, ...]:
        """Part of the names of what is owed: how often a conversation was taken back, nothing while it never was."""
        taken_back = sum(each.voicemail for each in self.debt.attempts)
        return (taken_back,) if taken_back else ()


def case_of_call(debt: Callback, progress: Progress, call: Call) -> Case:
    """The case that the call, not in the rows yet, has just opened."""
    queue = next((stage.name for stage in call.stages if stage.kind is StageKind.QUEUE), None)
    return Case(debt=debt, progress=progress, at=call.started_at, queue=queue)


def case_of(connection: sa.Connection, debt: Callback, progress: Progress) -> Case:
    """The callback with the time and the queue of its last missed call."""
    (found,) = cases_of(connection, [debt], {key_of(debt): progress})
    return found


def cases_of(connection: sa.Connection, debts: Sequence[Callback], progress: Mapping[Key, Progress]) -> list[Case]:
    """The same of several, in their order."""
    if not debts:
        return []
    call = schema.call.c
    nodes, last = sorted({debt.node for debt in debts}), [debt.missed_calls[-1] for debt in debts]
    wanted = sa.select(call.node, call.key, call.started_at, call.queue)
    rows = connection.execute(wanted.where(call.node.in_(nodes), among(connection, call.key, last))).all()
    found = {(row.node, row.key): (row.started_at, row.queue) for row in rows}
    cases: list[Case] = []
    for debt in debts:
        at, queue = found.get((debt.node, debt.missed_calls[-1]), (debt.opened_at, None))
        cases.append(Case(debt=debt, progress=progress.get(key_of(debt), Progress()), at=at, queue=queue))
    return cases


def words_of(roster: Roster, case: Case, now: datetime) -> dict[str, Any]:
    """What the messages about a callback are written with; the region is added when they are."""
    debt = case.debt
    return {
        "client": debt.number,
        "at": case.at,
        "queue": case.queue,
        "due": debt.due_at,
        "owner": roster.name_of(case.whose),
        "calls": debt.priority,
        "overdue": debt.due_at < now,
        "late": max(now - debt.due_at, timedelta()),
        "attempts": len(debt.attempts),
        "callback": f"{debt.node}/{debt.missed_calls[0]}",
    }
