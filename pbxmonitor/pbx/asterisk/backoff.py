"""How long to wait before the next try: longer each time, and never in step with other daemons."""

from collections.abc import Callable
from random import SystemRandom

at_random = SystemRandom().random


class Backoff:
    """Delays that double from `first` to `cap` seconds; each is cut by up to half at random, so that daemons spread."""

    def __init__(self, first: float, cap: float, jitter: Callable[[], float] = at_random) -> None:
        self._first = first
        self._cap = cap
        self._jitter = jitter
        self._next = first

    def delay(self) -> float:
        """Seconds to wait before the next attempt."""
        whole, self._next = self._next, min(self._cap, self._next * 2)
        return min(self._cap, whole) * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Begin with `first` again."""
        self._next = self._first
