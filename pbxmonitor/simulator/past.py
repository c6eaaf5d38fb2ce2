"""Days that lie behind a simulated PBX, recorded as the daemon would have: bytes, frames, facts, rows, alerts."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.clock import ManualClock
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
from pbxmonitor.pbx.asterisk.frames import Frame, parse
from pbxmonitor.replay import facts_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_alerts import to_rules
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.simulator.recordings import Recording
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import connect
from pbxmonitor.work.alerts import Alerts

# Facts in one transaction, as when the daemon catches up.
_BATCH: Final = 500
# On the last day it is looked for trouble every so often.
_WATCH: Final = timedelta(minutes=3)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)


async def write_past(
    settings: Settings,
    node: str,
    days: Sequence[Recording],
    told: Callable[[int, int], bool] = lambda _done, _all: True,
) -> None:
    """Record those tapes, in order, on that node of an upgraded database.

    `told` hears how many events are done, and of how many; False from it ends the writing.
    """
    database = connect(settings.database.full_url)
    duties = _silent(to_duties(settings))
    feed = Feed(Floor(node=node))
    engine = Engine(Ledger(database, node, policy_of(settings), duties=duties), feed)
    every, done, watch = sum(len(day.events) for day in days), 0, _Watch(settings, duties, database, feed)
    try:
        for day in days:
            last = day is days[-1]
            facts = facts_of(_frames(day), site_of(settings, node))
            for batch in _batches(facts, _WATCH if last else None):
                if not told(done, every):
                    return
                await engine.take(batch)
                done += len(batch)
                if last:
                    await watch.look(batch[-1].at)
        told(every, every)
    finally:
        await database.dispose()


def _frames(day: Recording) -> Iterator[Frame]:
    for _, raw in day.events:
        frame = parse(raw, 0.0)
        if frame is not None:
            yield frame


def _batches(facts: Iterable[Fact], span: timedelta | None) -> Iterator[tuple[Fact, ...]]:
    """The facts in batches, none of them longer than the span, if one is given."""
    batch: list[Fact] = []
    for fact in facts:
        if len(batch) == _BATCH or (batch and span is not None and fact.at - batch[0].at > span):
            yield tuple(batch)
            batch = []
        batch.append(fact)
    if batch:
        yield tuple(batch)


def _silent(duties: Duties) -> Duties:
    """What was to be told then is not told now."""
    people = {key: replace(person, channels=()) for key, person in duties.roster.people.items()}
    return replace(duties, roster=replace(duties.roster, people=people))


class _Watch:
    """The alerts that there would have been."""

    def __init__(self, settings: Settings, duties: Duties, database: AsyncEngine, feed: Feed) -> None:
        self._clock = ManualClock(_LONG_AGO)
        rules, floors = to_rules(settings.alerts), lambda: [feed.floor]
        self._alerts = Alerts(database, rules, duties.roster, policy_of(settings), self._clock, floors, dict)

    async def look(self, at: datetime) -> None:
        """See what was wrong at that moment."""
        self._clock.advance((at - self._clock.now()).total_seconds())
        await self._alerts.sweep()
