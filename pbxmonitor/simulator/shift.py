"""A recording's message moved to another time: dated now, and with ids that no other playing of it has."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

# Asterisk numbers channels from its start; playings lie this far apart, so that (second, number) stays unique.
PLAYING_STEP: Final = 1_000_000
_MOMENT: Final = re.compile(rb"^(Timestamp): (\d+\.\d+)", re.MULTILINE)
_SECOND: Final = re.compile(rb"^(LastCall|LastPause|LoginTime): ([1-9]\d{8,})", re.MULTILINE)
_CHANNEL: Final = re.compile(rb"^(\w*(?:[Uu]nique|[Ll]inked)(?:id|ID): (?:[\w-]*-)?)(\d{9,})\.(\d+)", re.MULTILINE)
_BRIDGE: Final = re.compile(rb"^(\w*BridgeUniqueid|BridgeId): ([0-9a-f]{8})(?=-)", re.MULTILINE)
_LENGTH: Final = re.compile(rb"^(HoldTime|TalkTime|RingTime): (\d+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Moves what was told at `began` to `start` (epoch seconds), and runs `speed` times as fast from there.

    Timestamps, the seconds within uniqueids and linkedids, and lengths (HoldTime) agree with each other afterwards.
    """

    began: float
    start: float
    speed: float = 1.0
    playing: int = 0

    def moment(self, at: float) -> float:
        """When that moment of the recording is played, epoch seconds."""
        return self.start + (at - self.began) / self.speed

    def __call__(self, raw: bytes) -> bytes:
        """The message as the simulated PBX says it."""
        raw = _MOMENT.sub(lambda found: b"%s: %.6f" % (found[1], self.moment(float(found[2]))), raw)
        raw = _SECOND.sub(lambda found: b"%s: %d" % (found[1], self.moment(int(found[2]))), raw)
        raw = _CHANNEL.sub(self._channel, raw)
        raw = _LENGTH.sub(partial(_shortened, self.speed), raw)
        return _BRIDGE.sub(lambda found: b"%s: %08x" % (found[1], int(found[2], 16) ^ self.playing), raw)

    def _channel(self, found: re.Match[bytes]) -> bytes:
        number = int(found[3]) + self.playing * PLAYING_STEP
        return b"%s%d.%d" % (found[1], self.moment(int(found[2])), number)


def _shortened(speed: float, found: re.Match[bytes]) -> bytes:
    return b"%s: %d" % (found[1], round(int(found[2]) / speed))
