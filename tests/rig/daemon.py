"""The program under test, run as an operator runs it: its own process, a settings file, SQLite, the command line."""

import asyncio
import json
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.rig.desk import until
from tests.rig.plan import REPOSITORY
from tests.rig.rig import Rig

SETTINGS = """\
language = "en"
timezone = "UTC"
{more}
[database]
url = "sqlite:///{folder}/pbxmonitor.sqlite3"
spool = "{folder}/spool"
[log]
format = "json"
[[pbx]]
node = "rig"
resync_every = 5
[pbx.ami]
host = "127.0.0.1"
port = {ami}
username = "pbxmonitor"
secret = "{secret}"
[pbx.ari]
url = "http://127.0.0.1:{ari}"
username = "pbxmonitor"
password = "{ari_secret}"
"""


class Daemon:
    """`pbxmonitor run` against a rig, `more` in its settings; use as: async with Daemon(rig, folder) as daemon."""

    def __init__(self, rig: Rig, folder: Path, more: str = "") -> None:
        self._rig, self._folder, self._more = rig, folder, more
        self._config = folder / "pbxmonitor.toml"

    async def __aenter__(self) -> "Daemon":
        plan = self._rig.plan
        text = SETTINGS.format(
            folder=self._folder,
            ami=plan.pbx_ami,
            ari=plan.pbx_ari,
            secret=plan.secret,
            ari_secret=plan.ari_secret,
            more=self._more,
        )
        self._config.write_text(text)
        with (self._folder / "daemon.log").open("w") as log:
            self._process = await self._start(["run"], log, log)
        try:
            await until(self._connected, 30, f"the daemon to log in to AMI; its log is {self._folder}/daemon.log")
        except TimeoutError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process.returncode is None:
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    async def _connected(self) -> bool:
        if self._process.returncode is not None:
            raise RuntimeError(f"the daemon ended with {self._process.returncode}: {self.log()[-500:]}")
        return "pbxmonitor" in await self._rig.cli("pbx", "manager show connected")

    def log(self) -> str:
        """What it logged so far."""
        return (self._folder / "daemon.log").read_text()

    async def check(self) -> tuple[int, str]:
        """Exit code and words of `pbxmonitor check`."""
        process = await self._start(["check"], asyncio.subprocess.PIPE, asyncio.subprocess.STDOUT)
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def report(self, what: str, begin: datetime, end: datetime) -> list[dict[str, Any]]:
        """The rows of `pbxmonitor report WHAT --json`."""
        period = ["--from", begin.isoformat(), "--to", end.isoformat()]
        rows: list[dict[str, Any]] = json.loads(await self.told("report", what, "--json", *period))
        return rows

    async def told(self, *words: str) -> str:
        """What a command of the program prints. Raises RuntimeError when it fails."""
        process = await self._start(words, asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(words)} ended with {process.returncode}")
        return out.decode()

    def intervals(self) -> list[dict[str, Any]]:
        """Every stretch of every agent's day, from the database itself: reports leave some states out."""
        rows = self.rows("SELECT * FROM agent_interval ORDER BY began_at")
        return [row | {"queues": json.loads(row["queues"])} for row in rows]

    def rows(self, question: str, *values: str) -> list[dict[str, Any]]:
        """What the database itself answers."""
        with closing(sqlite3.connect(self._folder / "pbxmonitor.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(question, values)]

    async def _start(self, words: Sequence[str], out: Any, log: Any = None) -> asyncio.subprocess.Process:
        command = [sys.executable, "-m", "pbxmonitor", "--config", str(self._config), *words]
        return await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stdout=out, stderr=log)
