"""Days that lie behind a simulated PBX, recorded as the daemon would have: bytes, frames, facts, rows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from pbxmonitor.domain.facts import Fact
from pbxmonitor.domain.floor import Floor
from pbxmonitor.engine import Engine
from pbxmonitor.feed import Feed
from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
from pbxmonitor.pbx.asterisk.frames import Frame, parse
from pbxmonitor.replay import facts_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_domain import to_duties
from pbxmonitor.simulator.recordings import Recording
from pbxmonitor.store.ledger import Ledger
from pbxmonitor.store.types import connect

# Facts in one transaction, as when the daemon catches up.
_BATCH: Final = 500


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
    ledger = Ledger(database, node, policy_of(settings), duties=to_duties(settings))
    engine = Engine(ledger, Feed(Floor(node=node)))
    every, done = sum(len(day.events) for day in days), 0
    try:
        for day in days:
            for batch in _batches(facts_of(_frames(day), site_of(settings, node))):
                if not told(done, every):
                    return
                await engine.take(batch)
                done += len(batch)
        told(every, every)
    finally:
        await database.dispose()


def _frames(day: Recording) -> Iterator[Frame]:
    for _, raw in day.events:
        frame = parse(raw, 0.0)
        if frame is not None:
            yield frame


def _batches(facts: Iterable[Fact]) -> Iterator[tuple[Fact, ...]]:
    facts = iter(facts)
    while batch := tuple(islice(facts, _BATCH)):
        yield batch
