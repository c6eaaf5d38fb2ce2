"""Rows that are kept no longer: looked for once an hour, forgotten portion by portion."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.domain.policy import WorkingHours
from pbxmonitor.settings_history import RetentionSettings
from pbxmonitor.store import retention as rows
from pbxmonitor.store.types import writing

log = structlog.get_logger()
Forget = Callable[[Connection], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The terms, and the PBXs whose rows they are."""

    database: AsyncEngine
    terms: RetentionSettings
    nodes: Sequence[str]
    hours: WorkingHours
    clock: Clock

    async def sweep(self) -> int:
        """Forget all that is past its term; how many rows (of calls, their parts apart)."""
        gone: dict[str, int] = {}
        for name, forget in self._due(self.clock.now()):
            while count := await writing(self.database, forget):
                gone[name] = gone.get(name, 0) + count
        if gone:
            log.info("rows_forgotten", **gone)
        return sum(gone.values())

    def _due(self, now: datetime) -> Iterator[tuple[str, Forget]]:
        terms = self.terms
        for node in self.nodes:
            if terms.journal is not None:
                yield "facts", partial(rows.forget_facts, node=node, before=now - terms.journal)
            if terms.calls is not None:
                yield "calls", partial(rows.forget_calls, node=node, before=now - terms.calls)
                yield "days", partial(rows.forget_days, node=node, before=now - terms.calls, hours=self.hours)
        if terms.deliveries is not None:
            yield "deliveries", partial(rows.forget_deliveries, before=now - terms.deliveries)
        if terms.audit is not None:
            yield "audit", partial(rows.forget_audit, before=now - terms.audit)
