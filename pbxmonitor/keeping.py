"""The bells about time: filling the gaps when nobody listened, and forgetting what is kept no longer."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import Clock
from pbxmonitor.importing import take_in
from pbxmonitor.settings import Settings
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.settings_domain import to_roster
from pbxmonitor.work.backfill import Backfill
from pbxmonitor.work.retention import Retention
from pbxmonitor.work.scheduler import Bells

BACKFILL: Final = timedelta(minutes=1)
RETENTION: Final = timedelta(hours=1)


def hang(bells: Bells, settings: Settings, database: AsyncEngine, clock: Clock, ring: Callable[[], None]) -> None:
    """Add them; `ring` wakes the dispatcher."""
    roster = to_roster(settings)
    backfill = Backfill(
        database=database,
        sources={node: pbx.history.sources for node, pbx in settings.pbx.items()},
        take_in=partial(take_in, settings),
        rules=to_rules(settings.alerts),
        roster=roster,
        clock=clock,
        ring=ring,
    )
    retention = Retention(
        database=database,
        terms=settings.retention,
        nodes=sorted(settings.pbx),
        hours=roster.hours,
        clock=clock,
    )
    bells.add("backfill", BACKFILL, backfill.sweep)
    bells.add("retention", RETENTION, retention.sweep)
