"""What is due of callbacks: the next step of the chain, the end of a snooze, giving up. Rows hold the work."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.callback import given_up
from pbxmonitor.domain.escalation import WORTH, Duties, expiry_of, steps_due
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import outbox, schema
from pbxmonitor.store.debts import debt_row, progress_of, progress_row, recolour, with_attempts
from pbxmonitor.store.duty import Case, cases_of, of_step, settle_duty, words_of
from pbxmonitor.store.notices import name_of, notice, unpacked
from pbxmonitor.store.outbox import Delivery
from pbxmonitor.store.rollups import debt_days, mark_stale
from pbxmonitor.store.types import upsert, writing

log = structlog.get_logger()
_C: Final = schema.callback.c
PORTION: Final = 250
# More than so many of a kind for one person at once are one summary.
SEVERAL: Final = 5
LINES: Final = 10
MANY: Final = "overdue_many"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueCallbacks:
    """Takes every step that is due; `ring` wakes the dispatcher."""

    database: AsyncEngine
    duties: Duties
    policy: Policy
    clock: Clock
    ring: Callable[[], None] = lambda: None

    async def sweep(self) -> int:
        """Portion by portion until nothing is due; how many callbacks were looked at."""
        done = 0
        while found := await self.portion():
            done += found
        if done:
            self.ring()
            log.info("callbacks_swept", looked_at=done)
        return done

    async def portion(self) -> int:
        """Look at some of those that are due, in one transaction; how many."""
        now = self.clock.now()
        return await writing(self.database, lambda connection: self._portion(connection, now))

    def _portion(self, connection: sa.Connection, now: datetime) -> int:
        due = sa.select(schema.callback).where(_C.next_at <= now).order_by(_C.next_at, _C.node, _C.call)
        rows = connection.execute(due.limit(PORTION).with_for_update(skip_locked=True)).all()
        debts = with_attempts(connection, rows)
        cases = cases_of(connection, debts, {(row.node, row.call): progress_of(row) for row in rows})
        owed: list[Delivery] = []
        moved: list[Case] = []
        for case in cases:
            after, more = self._looked_at(connection, case, now)
            moved.append(after)
            owed += more
        if moved:
            upsert(connection, schema.callback, [_row(case) for case in moved])
            outbox.put(connection, self._summed_up(owed, now))
        return len(rows)

    def _looked_at(self, connection: sa.Connection, case: Case, now: datetime) -> tuple[Case, list[Delivery]]:
        if case.debt.closed:
            return replace(case, progress=replace(case.progress, next_at=None, snoozed_until=None)), []
        if expiry_of(case.debt, self.policy) <= now:
            return self._given_up(connection, case, now), []
        woke = case.progress.snoozed_until is not None and case.progress.snoozed_until <= now
        steps, progress = steps_due(self.duties, case.debt, case.progress, self.policy, now)
        owed = [each for step in steps for each in of_step(self.duties, self.policy, step, case, now)]
        if woke and not steps:
            owed += self._reminder(case, now)
        return replace(case, progress=progress), owed

    def _given_up(self, connection: sa.Connection, case: Case, now: datetime) -> Case:
        """Nobody will reach this client: the colour stays, the tasks stay open, what waits is needless."""
        after = replace(case, debt=given_up(case.debt, now))
        progress = settle_duty(connection, self.duties, self.policy, case.debt, after, now)
        recolour(connection, [after.debt])
        for node, days in debt_days(connection, [after.debt], self.policy.hours):
            mark_stale(connection, node, days)
        return replace(after, progress=progress)

    def _reminder(self, case: Case, now: datetime) -> list[Delivery]:
        """Whoever put it off is told again."""
        template = "overdue" if case.debt.due_at < now else "missed"
        words = words_of(self.duties, case, now)
        name = (*case.key, "woke", case.progress.snoozed_until)
        told = self.duties.roster.told(["owner"], case.whose)
        owed = [
            notice(self.duties.roster, each, template, words, now, name=name, about=case.key, expires_at=now + WORTH)
            for each in told
        ]
        return [each for each in owed if each is not None]

    def _summed_up(self, owed: Sequence[Delivery], now: datetime) -> list[Delivery]:
        """More than several of a kind for one person, or what comes long after its time, become one summary."""
        groups: dict[tuple[str, str], list[Delivery]] = defaultdict(list)
        for each in owed:
            groups[each.recipient or each.id, each.channel].append(each)
        found: list[Delivery] = []
        for (person, _), mine in groups.items():
            found += mine if len(mine) <= SEVERAL else self._summary(person, mine, now)
        return found

    def _summary(self, person: str, mine: Sequence[Delivery], now: datetime) -> list[Delivery]:
        debts = [unpacked(dict(each.values)) for each in mine]
        debts = list({each["callback"]: each for each in debts}.values())
        lines = tuple(
            {"client": each["client"], "due": each["due"], "owner": each["owner"], "calls": each["calls"]}
            for each in sorted(debts, key=_oldest)[:LINES]
        )
        words = {"callbacks": len(debts), "lines": lines, "more": max(len(debts) - LINES, 0), "at": now}
        name = name_of(*sorted(each.id for each in mine))
        roster = self.duties.roster
        channels = (mine[0].channel,)
        said = notice(
            roster, roster.people[person], MANY, words, now, name=(name,), expires_at=now + WORTH, channels=channels
        )
        return [] if said is None else [said]


def _oldest(words: dict[str, Any]) -> tuple[datetime, str]:
    return words["due"], words["client"]


def _row(case: Case) -> dict[str, Any]:
    return {**debt_row(case.debt), **progress_row(case.progress)}
