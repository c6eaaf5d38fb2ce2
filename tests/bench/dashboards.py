"""Many open dashboards in a process of their own: `python -m tests.bench.dashboards PORT COUNT SECONDS COOKIE…`.

Some of them leave and come back all the time, as people do. Prints one line of JSON: connections made, events and bytes
heard, those that broke off.
"""

import asyncio
import json
import sys
from collections import Counter
from contextlib import suppress
from itertools import cycle

# So many of a hundred come and go, each after so many seconds.
RESTLESS = 10
STAYS_S = 5.0


async def watch(port: int, cookie: str, heard: Counter[str], stays: float) -> None:
    """One page's stream, for that long; asked for and read as a browser does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    heard["connections"] += 1
    writer.write(
        b"GET /stream HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\nAccept-Encoding: gzip\r\n"
        b"Cookie: pbxmonitor_session=%s\r\n\r\n" % cookie.encode()
    )
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(stays):
                assert b" 200 " in await reader.readline(), "not let in"
                while data := await reader.read(1 << 16):
                    heard["bytes"] += len(data)
                    heard["patches"] += data.count(b"event: patch")
                    heard["views"] += data.count(b"event: view")
                heard["broken"] += 1
    finally:
        writer.close()


async def come_and_go(port: int, cookie: str, heard: Counter[str], seconds: float) -> None:
    ends = asyncio.get_running_loop().time() + seconds
    while (left := ends - asyncio.get_running_loop().time()) > 0:
        await watch(port, cookie, heard, min(STAYS_S, left))


async def main(port: int, count: int, seconds: float, cookies: list[str]) -> None:
    heard: Counter[str] = Counter()
    async with asyncio.TaskGroup() as tasks:
        for number, cookie in zip(range(count), cycle(cookies), strict=False):
            lasting = watch if number % 100 >= RESTLESS else come_and_go
            tasks.create_task(lasting(port, cookie, heard, seconds))
            await asyncio.sleep(0.005)
    print(json.dumps(heard))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]))
