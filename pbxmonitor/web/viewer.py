"""Who looks: what he may see of whom. Every page and answer asks this, and nothing else, what to leave out."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pbxmonitor.domain.roster import Person, Roster
from pbxmonitor.domain.roster import Role as Rank


class Role(StrEnum):
    """What an account may do; each may all that the ones before may."""

    EMPLOYEE = "employee"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    ADMIN = "admin"


_ORDER: Final = {role: place for place, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """An account that is logged in, or a token: `person` is who it is among the employees, where it is one.

    `teams` are those a supervisor leads; none of them: everybody. `whole_numbers` says whether phones are shown whole.
    """

    account: str
    role: Role
    person: str | None = None
    teams: frozenset[str] = frozenset()
    language: str = "ru"
    whole_numbers: bool = True
    csrf: str = ""

    def at_least(self, role: Role) -> bool:
        """Whether he may what that role may."""
        return _ORDER[self.role] >= _ORDER[role]

    def sees(self, agent: str, roster: Roster) -> bool:
        """Whether that agent's numbers and calls are his to see."""
        if self.at_least(Role.MANAGER) or agent == self.person:
            return True
        return self.role is Role.SUPERVISOR and roster.leads(self._as_supervisor(), agent)

    def sees_all(self) -> bool:
        """Whether everybody's are."""
        return self.at_least(Role.MANAGER) or (self.role is Role.SUPERVISOR and not self.teams)

    def among(self, agents: Iterable[str], roster: Roster) -> list[str]:
        """Those of the agents whom he may see, in their order."""
        return [agent for agent in agents if self.sees(agent, roster)]

    def _as_supervisor(self) -> Person:
        return Person(key=self.person or "", name="", role=Rank.SUPERVISOR, leads=self.teams)
