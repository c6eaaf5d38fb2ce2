"""The keys journalled last: that a fact is new is mostly known without asking the database."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Final

KEPT: Final = 20_000


class Recent:
    """What one writer has journalled: a fact dated after `horizon` is in the journal only if its key is here.

    Begin with the date of the journal's newest fact: then nothing need be loaded. `newest` is that date from then on.
    About 5 MB when full.
    """

    def __init__(self, horizon: datetime | None, kept: int = KEPT) -> None:
        self.horizon = horizon
        self.newest = horizon
        self._kept = kept
        self._keys: set[str] = set()
        self._order: deque[tuple[str, datetime]] = deque()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def doubts(self, at: datetime) -> bool:
        """Whether only the database knows if a fact of that moment, whose key is not here, was journalled."""
        return self.horizon is not None and at <= self.horizon

    def note(self, journalled: Iterable[tuple[str, datetime]]) -> None:
        """Remember keys just committed; the oldest are forgotten, and doubted from then on."""
        for key, at in journalled:
            self._keys.add(key)
            self._order.append((key, at))
            self.newest = at if self.newest is None else max(self.newest, at)
        while len(self._order) > self._kept:
            key, at = self._order.popleft()
            self._keys.discard(key)
            self.horizon = at if self.horizon is None else max(self.horizon, at)
