"""(d) Memory of the daemon, idle and with 500 agents and 200 calls, without and with [web]; (e) its start."""

import asyncio
import time

from tests.bench.process import daemon

MOST_MB = 120
MOST_WEB_MB = 160
MOST_S = 2.0
GREETING = b"Asterisk Call Manager/11.0.0\r\n"


class Asterisk:
    """Just enough of a manager interface to be logged in to, and then to tell of many calls."""

    def __init__(self, agents: int, calls: int) -> None:
        self._agents, self._calls = agents, calls
        self.server: asyncio.Server | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(GREETING)
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                fields = dict(line.split(": ", 1) for line in lines if ": " in line)
                writer.write("".join(self._answers(fields)).encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answers(self, fields: dict[str, str]) -> list[str]:
        action, asked = fields["Action"], f"ActionID: {fields['ActionID']}\r\n"
        if action == "Challenge":
            return [f"Response: Success\r\n{asked}Challenge: 1\r\n\r\n"]
        if action == "QueueStatus":
            members = (_member(number, asked) for number in range(self._agents))
            start = f"Response: Success\r\n{asked}EventList: start\r\n\r\n"
            return [start, *members, f"Event: QueueStatusComplete\r\n{asked}EventList: Complete\r\n\r\n"]
        if action == "CoreShowChannels":
            end = f"Event: CoreShowChannelsComplete\r\n{asked}EventList: Complete\r\n\r\n"
            start = f"Response: Success\r\n{asked}EventList: start\r\n\r\n"
            return [start, end, *(_call(number) for number in range(self._calls))]
        return [f"Response: Success\r\n{asked}Message: ok\r\n\r\n"]


def _member(number: int, asked: str) -> str:
    return (
        f"Event: QueueMember\r\nQueue: q{number % 20}\r\nName: Agent {number}\r\nLocation: PJSIP/{1000 + number}\r\n"
        f"Paused: 0\r\nWrapuptime: 0\r\n{asked}\r\n"
    )


def _call(number: int) -> str:
    caller, phone = f"17954{number:05}.1", f"17954{number:05}.2"
    told = f"Timestamp: {time.time():.6f}\r\n"
    return (
        f"Event: Newchannel\r\n{told}Channel: PJSIP/trunk-{number:08x}\r\nChannelState: 4\r\nContext: from-trunk\r\n"
        f"CallerIDNum: +7916{number:07}\r\nExten: 1001\r\nUniqueid: {caller}\r\nLinkedid: {caller}\r\n\r\n"
        f"Event: QueueCallerJoin\r\n{told}Uniqueid: {caller}\r\nLinkedid: {caller}\r\nQueue: q{number % 20}\r\n\r\n"
        f"Event: Newchannel\r\n{told}Channel: PJSIP/{1000 + number}-{number:08x}\r\nChannelState: 0\r\n"
        f"Context: from-internal\r\nCallerIDNum: {1000 + number}\r\nUniqueid: {phone}\r\nLinkedid: {caller}\r\n\r\n"
        f"Event: AgentCalled\r\n{told}Uniqueid: {caller}\r\nDestUniqueid: {phone}\r\nQueue: q{number % 20}\r\n"
        f"Interface: PJSIP/{1000 + number}\r\n\r\n"
    )


def _told(line: bytes) -> bool:
    return b"agent_state" in line or b"call_began" in line


async def settled(agents: int, calls: int, *, web: bool = False) -> tuple[float, float]:
    """Resident MB of a daemon that follows so many, and seconds from its start to its first tracked event."""
    async with daemon(Asterisk(agents, calls).serve, _told, agents + calls, web=web) as running:
        await asyncio.sleep(2)
        return running.rss(), running.first


async def measure() -> bool:
    idle, first = await settled(1, 0)
    (busy, _), (pages, _) = await settled(500, 200), await settled(500, 200, web=True)
    print(f"(d) memory: {idle:.0f} MB idle, {busy:.0f} MB with 500 agents and 200 open calls (at most {MOST_MB})")
    print(f"    the same with [web]: {pages:.0f} MB (at most {MOST_WEB_MB})")
    print(f"(e) start to the first tracked event: {first:.2f} s (at most {MOST_S:.0f})")
    return max(idle, busy) <= MOST_MB and pages <= MOST_WEB_MB and first <= MOST_S


def main() -> bool:
    """Print both; whether they hold."""
    return asyncio.run(measure())


if __name__ == "__main__":
    raise SystemExit(0 if main() else 1)
