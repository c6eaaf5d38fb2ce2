"""Adapters in: a PBX is a stream of batches of facts, for ever."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from pbxmonitor.domain.facts import Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A stretch when we were not listening: the facts of it are lost, the snapshot after it is not."""

    lost_at: datetime
    restored_at: datetime
    reason: str


Batch = tuple[Fact, ...] | Silence
Sink = Callable[[Batch], Awaitable[None]]


class Pbx(Protocol):
    """One followed PBX; it reconnects by itself."""

    @property
    def node(self) -> str:
        """Its name, part of every identity."""

    async def follow(self, sink: Sink) -> None:
        """Hand over what the PBX tells, in its order and as many facts at once as have come, until cancelled."""
