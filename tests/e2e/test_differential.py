"""Sixty random calls on a real Asterisk: our rows and its own queue_log tell the same."""

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.rig.daemon import Daemon
from tests.rig.desk import until
from tests.rig.differences import differences
from tests.rig.plan import VERSIONS, NotHere
from tests.rig.queue_log import Visit, visits
from tests.rig.rig import start
from tests.rig.wild import unruly_day

pytestmark = [pytest.mark.asterisk, pytest.mark.full, pytest.mark.timeout(900)]
CALLS, SEED = 60, 20
Day = tuple[list[dict[str, Any]], list[Visit]]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Future[Day]]:
    """The random day of both versions, lived at the same time: the journal and queue_log of each."""
    with ThreadPoolExecutor(len(VERSIONS)) as stages:
        return {version: stages.submit(_live, version, tmp_path_factory.mktemp("day")) for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
def test_sixty_random_calls_are_what_the_queue_log_says(version: str, days: dict[str, Future[Day]]) -> None:
    try:
        journal, diary = days[version].result()
    except NotHere as reason:
        pytest.skip(str(reason))
    assert len({visit.call for visit in diary}) == CALLS
    wrong = differences(journal, diary)
    assert not wrong, "\n".join(wrong)


def _live(version: str, folder: Path, seed: int = SEED) -> Day:
    return asyncio.run(_day(version, folder, seed))


async def _day(version: str, folder: Path, seed: int) -> Day:
    async with start(version) as rig, Daemon(rig, folder) as daemon:
        begin = datetime.now(UTC) - timedelta(seconds=2)
        await unruly_day(rig, seed, CALLS)
        diary = visits(rig.queue_log())
        wanted = {visit.call for visit in diary}

        async def written() -> bool:
            rows = await daemon.report("journal", begin, begin + timedelta(days=1))
            return wanted <= {row["call"] for row in rows if row["ended_at"]}

        await until(written, 40, "every call of the queue_log to be in the journal")
        return await daemon.report("journal", begin, begin + timedelta(days=1)), diary
