"""The floor of one PBX: its open calls, agents and queues, immutable."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from pbxmonitor.domain import facts as f
from pbxmonitor.domain.agent import Agent
from pbxmonitor.domain.call import Call
from pbxmonitor.domain.table import Table


@dataclass(frozen=True, slots=True)
class Ended:
    """The calls that ended in one minute, newest first: a list that shares its tail."""

    call: str
    before: "Ended | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What is open at one PBX now, and what ended so lately that somebody may still speak of it."""

    node: str
    calls: Table[Call] = field(default_factory=Table)
    legs: Table[str] = field(default_factory=Table)
    bridges: Table[str] = field(default_factory=Table)
    agents: Table[Agent] = field(default_factory=Table)
    queues: Table[tuple[str, ...]] = field(default_factory=Table)
    ended: tuple[tuple[int, Ended], ...] = ()
    arrivals: tuple[tuple[datetime, str], ...] = ()

    def open_calls(self) -> Iterator[Call]:
        """The calls that somebody is still in."""
        return (call for call in self.calls.values() if call.ended_at is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact and what it did: pairs of before (None: it is new) and after."""

    fact: f.Fact
    calls: tuple[tuple[Call | None, Call], ...] = ()
    agents: tuple[tuple[Agent | None, Agent], ...] = ()
