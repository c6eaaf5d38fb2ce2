"""What is due of callbacks: the next step of the chain, the end of a snooze, giving up. Rows hold the work."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.callback import Callback, given_up
from pbxmonitor.domain.escalation import WORTH, Duties, expiry_of, steps_due
from pbxmonitor.domain.policy import Policy
from pbxmonitor.store import outbox, schema, webhook_events
from pbxmonitor.store.case import Case, cases_of
from pbxmonitor.store.debts import debt_row, progress_of, progress_row, recolour, with_attempts
from pbxmonitor.store.duty import ended, nudge, of_steps, settle_duty
from pbxmonitor.store.notices import name_of, notices, unpacked
from pbxmonitor.store.outbox import Delivery, DeliveryState
from pbxmonitor.store.rollups import debt_days, mark_stale
from pbxmonitor.store.types import upsert, writing

log = structlog.get_logger()
_C: Final = schema.callback.c
# All that may fall due together, so that it is one summary.
PORTION: Final = 1_000
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
        owed: list[Delivery] = []
        moved: list[Case] = []
        for case in cases_of(connection, debts, {(row.node, row.call): progress_of(row) for row in rows}):
            after, more = self._looked_at(connection, case, now)
            moved.append(after)
            owed += more
        if moved:
            upsert(connection, schema.callback, [_row(case) for case in moved])
            self._owe(connection, owed, now)
            self._mark(connection, [case.debt for case in moved if case.debt.closed_at == now])
        return len(rows)

    def _looked_at(self, connection: sa.Connection, case: Case, now: datetime) -> tuple[Case, list[Delivery]]:
        """The callback as it is then, and what is owed; one that was closed behind our back is told of now."""
        if case.debt.closed:
            webhook_events.owe(connection, lambda: webhook_events.closed_since(case, now), now)
            rested = replace(case, progress=replace(case.progress, next_at=None, snoozed_until=None))
            return rested, ended(connection, self.duties, case, now)
        if expiry_of(case.debt, self.policy, case.at) <= now:
            return self._given_up(connection, case, now), []
        policy = self.policy.of_queue(case.queue)
        woke = case.progress.snoozed_until is not None and case.progress.snoozed_until <= now
        awake = replace(case, progress=replace(case.progress, snoozed_until=None)) if woke else case
        steps, progress = steps_due(self.duties, case.debt, awake.progress, policy, now, case.at)
        owed = of_steps(self.duties, policy, steps, awake, now)
        if woke and all(each.recipient != case.whose for each in owed):
            owed += nudge(self.duties, policy, case, now, "woke", case.progress.snoozed_until)
        return replace(awake, progress=progress), owed

    def _given_up(self, connection: sa.Connection, case: Case, now: datetime) -> Case:
        """Nobody will reach this client: the colour stays, the tasks stay open, what waits is needless."""
        after = replace(case, debt=given_up(case.debt, now))
        progress = settle_duty(connection, self.duties, self.policy, case.debt, after, now)
        recolour(connection, [after.debt])
        return replace(after, progress=progress)

    def _mark(self, connection: sa.Connection, debts: Sequence[Callback]) -> None:
        """The sums of the days of what was given up hold no more."""
        days: dict[str, set[date]] = defaultdict(set)
        for node, mine in debt_days(connection, debts, self.policy.hours):
            days[node] |= mine
        for node in sorted(days):
            mark_stale(connection, node, days[node])

    def _owe(self, connection: sa.Connection, owed: Sequence[Delivery], now: datetime) -> None:
        """More than several for one person are one summary; each is kept beside it, to know who was told of what."""
        groups: dict[tuple[str | None, str], list[Delivery]] = defaultdict(list)
        for each in owed:
            groups[each.recipient, each.channel].append(each)
        for (person, _), mine in groups.items():
            if person is None or len(mine) <= SEVERAL:
                outbox.put(connection, mine)
            else:
                outbox.put(connection, mine, DeliveryState.SUMMED)
                outbox.put(connection, self._summary(person, mine, now))

    def _summary(self, person: str, mine: Sequence[Delivery], now: datetime) -> list[Delivery]:
        told = [unpacked(dict(each.values)) for each in mine]
        debts = sorted({each["callback"]: each for each in told}.values(), key=_oldest)
        lines = tuple({name: each[name] for name in ("client", "due", "owner", "calls")} for each in debts[:LINES])
        words = {"callbacks": len(debts), "lines": lines, "more": max(len(debts) - LINES, 0), "at": now}
        name = (name_of(*sorted(each.id for each in mine)),)
        roster, channels = self.duties.roster, tuple(told[0]["channels"])
        expires_at = now + WORTH
        people = [roster.people[person]]
        return notices(roster, people, MANY, words, now, name=name, expires_at=expires_at, channels=channels)


def _oldest(words: dict[str, Any]) -> tuple[datetime, str]:
    return words["due"], words["client"]


def _row(case: Case) -> dict[str, Any]:
    return {**debt_row(case.debt), **progress_row(case.progress)}
