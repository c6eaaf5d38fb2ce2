"""Members of queues.conf changed by hand and the queue reloaded, as an operator does; no event tells of it."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from tests.rig.wire import Wire

Edit = Callable[[str], str]


class Members:
    """One pencil for the file: departments that edit at once wait for each other."""

    def __init__(self, conf: Path, pbx: Wire) -> None:
        self._conf, self._pbx = conf, pbx
        self._pencil = asyncio.Lock()

    async def edit(self, queue: str, edit: Edit) -> None:
        """Reload the members of that queue from the file as edited; the file itself is put back."""
        async with self._pencil:
            whole = self._conf.read_text()
            self._conf.write_text(edit(whole))
            try:
                await self._pbx.command(f"queue reload members {queue}")
            finally:
                self._conf.write_text(whole)


def struck(agent: str) -> Edit:
    """Without that phone."""
    return lambda text: re.sub(rf"^member => PJSIP/{agent},.*\n", "", text, flags=re.MULTILINE)


def renamed(agent: str, name: str) -> Edit:
    """That phone's member under another name."""
    return lambda text: re.sub(rf"^(member => PJSIP/{agent},\d+,)[^,\n]*", rf"\g<1>{name}", text, flags=re.MULTILINE)


def moved(agent: str, other: str) -> Edit:
    """That member at another phone, under the name he had."""
    return lambda text: re.sub(rf"^(member => .*)PJSIP/{agent}(.*)PJSIP/{agent}", rf"\1PJSIP/{other}\2PJSIP/{other}",
                               text, flags=re.MULTILINE)  # fmt: skip


def untouched(text: str) -> str:
    """The file as it is."""
    return text
