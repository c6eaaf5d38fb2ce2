"""A whole performance: the rig up, the daemon beside it, the stories staged, the rows read when all is told."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.rig.account import Account, look_at
from tests.rig.daemon import Daemon
from tests.rig.desk import until
from tests.rig.rig import LOGS, start
from tests.rig.scenarios import Story
from tests.rig.stage import Staged, stage
from tests.rig.tap import Tap
from tests.rig.truth import Row

PATIENCE_S = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What was staged on one version and what the program wrote of it."""

    staged: dict[str, Staged]
    journal: list[Row]
    agents: list[Row]
    intervals: Sequence[Row]
    account: Account


async def perform(version: str, stories: Sequence[Story], folder: Path) -> Performance:
    """Stage the stories on a fresh rig with the daemon beside it. Raises NotHere."""
    async with start(version) as rig, Daemon(rig, folder) as daemon:
        begin = datetime.now(UTC) - timedelta(seconds=2)
        account = await look_at(rig, daemon)
        port, heard, sent = rig.plan.pbx_ami, folder / "heard.ami", folder / "sent.ami"
        async with Tap(port, "recorder", rig.plan.rig_secret, sent), Tap(port, "pbxmonitor", rig.plan.secret, heard):
            account.began = datetime.now(UTC)
            staged = await stage(rig, stories)
            account.ended = datetime.now(UTC)
        account.heard, account.sent = heard.read_bytes(), sent.read_bytes()
        account.diaries = {kind: _text(rig.log(kind)) for kind in LOGS}
        return await _read(daemon, staged, account, begin)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


async def _read(daemon: Daemon, staged: dict[str, Staged], account: Account, begin: datetime) -> Performance:
    end = datetime.now(UTC) + timedelta(days=1)
    told = [call for each in staged.values() if each.truth for call in each.truth.calls]

    async def written() -> bool:
        journal = await daemon.report("journal", begin, end)
        ended = [row for row in journal if row["ended_at"]]
        return all(any(call.is_about(row) for row in ended) for call in told) and len(ended) == len(journal)

    with suppress(TimeoutError):  # each test says what its own call lacks
        await until(written, PATIENCE_S, "every staged call to be in the journal")
    return Performance(
        staged=staged,
        journal=list(await daemon.report("journal", begin, end)),
        agents=list(await daemon.report("agents", begin, end)),
        intervals=daemon.intervals(),
        account=account,
    )


def play_through(version: str, stories: Sequence[Story], folder: Path) -> Performance:
    """`perform` for a test that is not asynchronous itself."""
    return asyncio.run(perform(version, stories, folder))
