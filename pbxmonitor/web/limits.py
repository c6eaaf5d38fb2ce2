"""How much one token, session or stranger's address may ask: token buckets in memory, which a restart fills again.

What is told of it are the header fields of draft-ietf-httpapi-ratelimit-headers-10, `RateLimit-Policy` and `RateLimit`:
so many requests (`q`) in so many seconds (`w`); how many are left (`r`), and in how many seconds it is all again (`t`).
"""

from dataclasses import dataclass
from math import ceil, floor
from typing import Final
from weakref import WeakSet

from pbxmonitor.clock import Clock
from pbxmonitor.settings_web import WebSettings

_KEPT: Final = 20_000
_POLICY: Final = '"requests"'
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of one request: 0 seconds to wait if it may be done, and what is left of how much."""

    wait_s: float
    left: int
    most: int
    full_in_s: float
    window_s: float

    @property
    def headers(self) -> dict[str, str]:
        """What whoever asked is told."""
        return {
            "RateLimit-Policy": f"{_POLICY};q={self.most};w={ceil(self.window_s)}",
            "RateLimit": f"{_POLICY};r={self.left};t={ceil(self.full_in_s)}",
        }


class Buckets:
    """So many requests a minute, so many at once, by key; 0 a minute is without end. Of keys the last used are kept."""

    def __init__(self, clock: Clock, per_minute: int, at_once: int, kept: int = _KEPT) -> None:
        self._clock = clock
        self._rate = per_minute / _MINUTE_S
        self._most = max(at_once, 1)
        self._kept = kept
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> Asked | None:
        """One request of that key; None when there is no limit. A request that has to wait costs nothing."""
        if not self._rate:
            return None
        now = self._clock.monotonic()
        left, last = self._left.pop(key, (float(self._most), now))
        left = min(left + max(now - last, 0.0) * self._rate, float(self._most))
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        left -= 0.0 if wait else 1.0
        self._left[key] = left, now
        while len(self._left) > self._kept:
            del self._left[next(iter(self._left))]  # the one that has been quiet for longest
        return Asked(
            wait_s=wait,
            left=floor(left),
            most=self._most,
            full_in_s=(self._most - left) / self._rate,
            window_s=self._most / self._rate,
        )


class Streams:
    """How many streams each holds open; whoever is gone without a word is forgotten with his answer."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, WeakSet[object]] = {}

    def enter(self, key: str, stream: object) -> bool:
        """Whether that stream may be opened; it counts until it leaves. Without a most, always."""
        mine = self._open.setdefault(key, WeakSet())
        if self._most and len(mine) >= self._most:
            return False
        mine.add(stream)
        return True

    def leave(self, key: str, stream: object) -> None:
        """It is over."""
        mine = self._open.get(key)
        if mine is not None:
            mine.discard(stream)
            if not mine:
                del self._open[key]


class Limits:
    """Both of them, as the settings say."""

    def __init__(self, web: WebSettings, clock: Clock) -> None:
        self.requests = Buckets(clock, web.requests_per_minute, web.requests_at_once)
        self.streams = Streams(web.streams_at_once)
