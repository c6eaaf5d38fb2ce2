"""Random calls on a real Asterisk, many at once: our rows, its own queue_log and its call records tell the same."""

import asyncio
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import go_without
from tests.rig.cdr import records
from tests.rig.daemon import Daemon
from tests.rig.desk import until
from tests.rig.differences import differences
from tests.rig.plan import VERSIONS, NotHere
from tests.rig.queue_log import visits
from tests.rig.rig import start
from tests.rig.truth import Row
from tests.rig.wild import unruly_day

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(1500)]
EVERYDAY, LONG = 72, 300
SEED = int(os.environ.get("ASTERISK_RIG_SEED", "20"))
SIZES = [pytest.param(EVERYDAY), pytest.param(LONG, marks=pytest.mark.full)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What the program wrote of a day, and what Asterisk itself did."""

    journal: Sequence[Row]
    queue_log: list[str]
    cdr: list[str]


Lived = Callable[[str, int], Day]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    """Give the random day of so many calls on a version; both versions live it at the same time."""
    running: dict[tuple[str, int], Future[Day]] = {}
    with ThreadPoolExecutor(len(VERSIONS)) as stages:

        def day(version: str, calls: int) -> Day:
            for each in VERSIONS if (version, calls) not in running else ():
                running[each, calls] = stages.submit(_live, each, tmp_path_factory.mktemp("day"), calls)
            try:
                return running[version, calls].result()
            except NotHere as reason:
                go_without(str(reason), ci=os.environ.get("CI") == "true")

        yield day


@pytest.mark.parametrize("calls", SIZES)
@pytest.mark.parametrize("version", VERSIONS)
def test_random_calls_are_what_queue_log_and_cdr_say(version: str, calls: int, lived: Lived) -> None:
    day = lived(version, calls)
    assert len([row for row in day.journal if row["direction"] == "inbound"]) == calls
    wrong = differences(day.journal, visits(day.queue_log), records(day.cdr))
    assert not wrong, f"ASTERISK_RIG_SEED={SEED}\n" + "\n".join(wrong)


def _live(version: str, folder: Path, calls: int) -> Day:
    return asyncio.run(_day(version, folder, calls))


async def _day(version: str, folder: Path, calls: int) -> Day:
    async with start(version) as rig, Daemon(rig, folder) as daemon:
        begin = datetime.now(UTC) - timedelta(seconds=2)
        end = begin + timedelta(days=1)
        await unruly_day(rig, SEED, calls)

        async def written() -> bool:
            rows = await daemon.report("journal", begin, end)
            return len([row for row in rows if row["direction"] == "inbound" and row["ended_at"]]) == calls

        await until(written, 40, "every call to be in the journal")
        journal = list(await daemon.report("journal", begin, end))
        return Day(journal=journal, queue_log=rig.queue_log(), cdr=rig.cdr())
