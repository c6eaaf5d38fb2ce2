"""CRMs: what they are told, where it went, and the two ways in which they say no.

A CRM is one file with a class that has `kind`, a nested `Settings(CrmSettings)` and the methods of `Crm`. Whoever tells
it delivers at least once: an id that is told again makes nothing new.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from pydantic import Field

from pbxmonitor import undelivered
from pbxmonitor.clock import Clock
from pbxmonitor.crm.values import Authority, Patience, Proxy
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.settings_values import Table


class Outcome(StrEnum):
    """How a call ended for the client, in the words that CRMs tell apart."""

    ANSWERED = "answered"
    MISSED = "missed"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """A call that is over; `id` (node and key) is unique even when two calls of one number overlap.

    `number` is the client's, E.164, `line` ours that he called (empty where we called); `agent` who answered, else who
    answers for the miss; `user` the CRM's user when it is known better than by the settings; `talk_s` in seconds;
    `recording` an address that the CRM can reach.
    """

    id: str
    direction: Direction
    number: str
    line: str
    agent: str | None
    user: str | None = None
    began_at: datetime
    answered_at: datetime | None
    ended_at: datetime
    talk_s: float
    outcome: Outcome
    recording: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackOpened:
    """A debt to a missed client: a task for the owner with a deadline; `missed` is how often he was missed."""

    id: str
    number: str
    line: str
    owner: str | None
    user: str | None = None
    due_at: datetime
    missed: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackClosed:
    """The debt is settled, or given up; `call` is the conversation that settled it."""

    id: str
    state: State
    rescuer: str | None
    rescuer_name: str | None = None
    user: str | None = None
    at: datetime
    call: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where in the CRM it went: its own id, and a page for people."""

    id: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Who has that number: `kind` is contact, company or lead."""

    kind: str
    id: str
    name: str | None = None
    url: str | None = None


class Refused(undelivered.Refused):
    """The CRM will say no to this however often it is asked; `reason` is one line for people, without secrets."""


class Later(undelivered.Later):
    """Not now: ask again, after `after_s` seconds at the earliest; what was asked may have been done."""

    after_s: float

    def __init__(self, reason: str, after_s: float) -> None:
        super().__init__(reason, after_s)


class Memory(Protocol):
    """What a CRM must not forget; each CRM has one of its own. `put` returns when it would survive a crash."""

    async def get(self, key: str) -> str | None:
        """What was last put there."""

    async def put(self, key: str, value: str) -> None:
        """Keep it instead of what was there."""


class CrmSettings(Table):
    """What every CRM has: our agents' users in it, who gets what belongs to nobody, and what it is told at all."""

    users: dict[str, str] = Field(default_factory=dict)
    default_user: str
    calls: bool = True
    tasks: bool = True
    timeout: Patience = timedelta(seconds=20)
    proxy: Proxy | None = None
    ca_file: Authority | None = None

    def user(self, agent: str | None, known: str | None) -> str:
        """The CRM's user for that agent: the one already known, the map's, else the default one."""
        return known or self.users.get(agent or "") or self.default_user


class Crm(Protocol):
    """One CRM. Every method raises Refused or Later and nothing else of its own, in a state from which to go on."""

    kind: str

    def __init__(self, settings: Any, clock: Clock, memory: Memory) -> None: ...

    async def report(self, call: CallEnded) -> Reference | None:
        """Show the call at its client; None when, by the settings, this CRM has nowhere to show it."""

    async def open_task(self, callback: CallbackOpened) -> Reference | None:
        """Give the owner a task with a deadline; None when, by the settings, there are no tasks."""

    async def close_task(self, callback: CallbackClosed, reference: Reference | None) -> None:
        """Complete the task and say who reached the client; an expired callback's task stays as it is."""

    async def contact(self, number: str) -> Found | None:
        """Whose number that is."""

    async def aclose(self) -> None:
        """Close the connections."""
