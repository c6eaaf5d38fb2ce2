"""A PBX that is not there: one board, told of by an AMI and an ARI server, moved by recordings."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import structlog

from pbxmonitor.clock import Clock
from pbxmonitor.simulator.ami import AmiServer
from pbxmonitor.simulator.ari import AriServer
from pbxmonitor.simulator.board import Board
from pbxmonitor.simulator.recordings import Recording
from pbxmonitor.simulator.shift import Shift

log = structlog.get_logger()
# Between two recordings, seconds of the recordings' own time.
PAUSE = 1.0


@dataclass(frozen=True, kw_only=True)
class Login:
    """Who may log in, to AMI and to ARI alike."""

    username: str
    secret: str

    def __repr__(self) -> str:
        return f"Login(username={self.username!r})"


@dataclass(eq=False)
class SimulatedPbx:
    """Both servers, and what they have in common."""

    board: Board
    ami: AmiServer
    ari: AriServer
    clock: Clock

    async def play(self, tapes: Sequence[Recording], *, speed: float = 1.0, loop: bool = False) -> None:
        """Play the tapes one after another, each event dated when it is told, from the first login on.

        At another speed everything lasts that many times shorter. With `loop` again and again, as other calls.
        """
        self.board.begin(_placed(tapes[0], self._shift(tapes[0], speed, 0)))
        await self.ami.arrived.wait()
        for playing in count():
            tape = tapes[playing % len(tapes)]
            if playing >= len(tapes) and not loop:
                return
            await self._play(tape, speed, playing)
            await self.clock.sleep(PAUSE / speed)

    async def _play(self, tape: Recording, speed: float, playing: int) -> None:
        shift = self._shift(tape, speed, playing)
        log.info("recording_begins", recording=tape.name, seconds=round(tape.seconds / speed, 1))
        self.board.begin(_placed(tape, shift))
        for at, raw in tape.events:
            ahead = shift.moment(at) - self.clock.now().timestamp()
            if ahead > 0:
                await self.clock.sleep(ahead)
            told = shift(raw)
            frame = self.board.take(told)
            self.ari.tell(frame)
            await self.ami.tell(told)

    def _shift(self, tape: Recording, speed: float, playing: int) -> Shift:
        return Shift(began=tape.began, start=self.clock.now().timestamp(), speed=speed, playing=playing)


def _placed(tape: Recording, shift: Shift) -> list[bytes]:
    return [shift(item) for item in tape.lists]


@asynccontextmanager
async def simulated_pbx(clock: Clock, login: Login) -> AsyncIterator[SimulatedPbx]:
    """The PBX on free loopback ports (`pbx.ami.port`, `pbx.ari.url`), until left."""
    board = Board()
    ami = AmiServer(board, clock, login.username, login.secret)
    ari = AriServer(board, clock, login.username, login.secret)
    async with ami.serve(), ari.serve():
        yield SimulatedPbx(board, ami, ari, clock)
