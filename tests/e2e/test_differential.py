"""Sixty random calls on a real Asterisk: our rows and its own queue_log tell the same."""

import asyncio
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


@pytest.mark.parametrize("version", VERSIONS)
def test_sixty_random_calls_are_what_the_queue_log_says(version: str, tmp_path: Path) -> None:
    try:
        journal, diary = asyncio.run(_day(version, tmp_path))
    except NotHere as reason:
        pytest.skip(str(reason))
    assert len({visit.call for visit in diary}) == CALLS
    wrong = differences(journal, diary)
    assert not wrong, "\n".join(wrong)


async def _day(version: str, folder: Path) -> tuple[list[dict[str, Any]], list[Visit]]:
    async with start(version) as rig, Daemon(rig, folder) as daemon:
        begin = datetime.now(UTC) - timedelta(seconds=2)
        await unruly_day(rig, SEED, CALLS)
        diary = visits(rig.queue_log())
        wanted = {visit.call for visit in diary}

        async def written() -> bool:
            rows = await daemon.report("journal", begin, begin + timedelta(days=1))
            return wanted <= {row["call"] for row in rows if row["ended_at"]}

        await until(written, 40, "every call of the queue_log to be in the journal")
        return await daemon.report("journal", begin, begin + timedelta(days=1)), diary
