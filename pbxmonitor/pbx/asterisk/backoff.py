"""How long to wait before the next try: longer each time, never in step with others, never for ever."""

import random
from dataclasses import dataclass


@dataclass
class Backoff:
    """Capped exponential delays in seconds, each drawn between half of its length and the whole."""

    first: float = 1.0
    cap: float = 60.0
    _tries: int = 0

    def next(self) -> float:
        """The next delay."""
        length = min(self.cap, self.first * 2.0**self._tries)
        self._tries = min(self._tries + 1, 32)
        return length * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret

    def reset(self) -> None:
        """The link was up: begin again with short delays."""
        self._tries = 0
