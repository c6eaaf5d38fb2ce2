"""A raw ear on AMI: the bytes as they come from the socket, kept beside the times at which they came."""

import asyncio
import contextlib
import time
from pathlib import Path

LISTS = (
    "CoreStatus",
    "QueueStatus",
    "DeviceStateList",
    "PresenceStateList",
    "CoreShowChannels",
)


class Tap:
    """Use as: async with Tap(port, username, secret, path): everything heard meanwhile is in path and path.times."""

    def __init__(self, port: int, username: str, secret: str, path: Path) -> None:
        self._port, self._path = port, path
        self._login = f"Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\nEvents: on\r\n\r\n"

    async def __aenter__(self) -> "Tap":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._task = asyncio.get_running_loop().create_task(self._pump())
        self._writer.write(self._login.encode())
        await asyncio.sleep(0.3)
        for name in LISTS:
            self._writer.write(f"Action: {name}\r\nActionID: sync-{name}\r\n\r\n".encode())
        await asyncio.sleep(0.7)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(1.0)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()

    async def _pump(self) -> None:
        with self._path.open("ab") as tape, self._path.with_name(self._path.name + ".times").open("a") as times:
            offset = tape.tell()
            while chunk := await self._reader.read(65536):
                times.write(f"{offset} {time.time():.6f}\n")
                offset += tape.write(chunk)
                tape.flush()
                times.flush()
