"""`pbxmonitor record`: a tape of a real PBX, made through the daemon's own link."""

import asyncio
from pathlib import Path

from pbxmonitor.clock import SystemClock
from pbxmonitor.pbx.asterisk.ami import Ami, LinkUp
from pbxmonitor.pbx.asterisk.connect import ami_login
from pbxmonitor.pbx.asterisk.snapshot import QUESTIONS
from pbxmonitor.pbx.asterisk.tape import TapeWriter
from pbxmonitor.settings import PbxSettings


async def record(pbx: PbxSettings, path: Path, stop: asyncio.Event) -> int:
    """Write what that PBX sends into the file until `stop` is set; the number of bytes. Raises OSError."""
    with TapeWriter(path) as tape:
        ami = Ami(ami_login(pbx), SystemClock(), tap=tape)
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(_listen(ami))
            await stop.wait()
            listening.cancel()
    return ami.counts.received


async def _listen(ami: Ami) -> None:
    connections = 0
    async for heard in ami.listen():
        if isinstance(heard, LinkUp):
            connections += 1
            for question in QUESTIONS:
                ami.send(question, f"record-{connections}-{question}")
