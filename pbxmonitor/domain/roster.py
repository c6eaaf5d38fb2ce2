"""Who there is to be told: people, their roles and teams, the channels they read, and when they are left alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum

from pbxmonitor.domain.policy import WorkingHours

Spans = tuple[tuple[time, time], ...]


class Role(StrEnum):
    """What a person is to the others; each is told what the ones before are told only of themselves."""

    EMPLOYEE = "employee"
    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    DIRECTOR = "director"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person, by the key that is his agent's name too; `channels` in the order in which they are tried.

    `leads` are the teams whose supervisor he is (none of them: of everybody), `quiet` spans of the site's day.
    """

    key: str
    name: str
    role: Role = Role.EMPLOYEE
    language: str = "ru"
    channels: tuple[str, ...] = ()
    addresses: Mapping[str, str] = field(default_factory=dict)
    team: str | None = None
    leads: frozenset[str] = frozenset()
    quiet: Spans = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody, and how words such as `owner`, `supervisor` or `team:sales` become people."""

    people: Mapping[str, Person] = field(default_factory=dict)
    reserve: tuple[str, ...] = ()
    team_reserve: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hours: WorkingHours = field(default_factory=WorkingHours)

    def name_of(self, agent: str | None) -> str | None:
        """How people call that agent; his own name where nobody is called otherwise."""
        person = self.people.get(agent or "")
        return person.name if person is not None else agent

    def told(self, words: Iterable[str], agent: str | None = None) -> tuple[Person, ...]:
        """The people that the words mean for a matter of that agent, each once, in order.

        A word is `owner` (the agent himself), `supervisor` (of his team), `reserve`, a role, `team:KEY`, or a person.
        """
        found: dict[str, Person] = {}
        for word in words:
            found |= {person.key: person for person in self._meant(word, agent)}
        return tuple(found.values())

    def _meant(self, word: str, agent: str | None) -> Iterable[Person]:
        mine = self.people.get(agent or "")
        match word:
            case "owner":
                return () if mine is None else (mine,)
            case "supervisor":
                return self._supervisors(mine.team if mine is not None else None)
            case "reserve":
                names = self.team_reserve.get((mine.team if mine is not None else None) or "", self.reserve)
                return (self.people[name] for name in names if name in self.people)
            case Role.EMPLOYEE | Role.MANAGER | Role.DIRECTOR:
                return (person for person in self.people.values() if person.role == word)
        if word.startswith("team:"):
            return (person for person in self.people.values() if person.team == word.removeprefix("team:"))
        return (self.people[word],) if word in self.people else ()

    def _supervisors(self, team: str | None) -> Iterable[Person]:
        """Those who lead that team, else those who lead no team in particular, else all of them."""
        known = [person for person in self.people.values() if person.role is Role.SUPERVISOR]
        own = [person for person in known if team is not None and team in person.leads]
        return own or [person for person in known if not person.leads] or known

    def leads(self, person: Person, agent: str) -> bool:
        """Whether that agent's matters are that person's: everybody's for managers and directors."""
        if person.role in (Role.MANAGER, Role.DIRECTOR):
            return True
        mine = self.people.get(agent)
        team = mine.team if mine is not None else None
        return person.role is Role.SUPERVISOR and (not person.leads or team in person.leads)

    def awake(self, person: Person, at: datetime) -> datetime:
        """The first moment from `at` on that is not one of his quiet hours."""
        for _ in range(len(person.quiet) + 1):
            end = self._quiet_until(person.quiet, at)
            if end is None:
                return at
            at = end
        return at

    def _quiet_until(self, spans: Spans, at: datetime) -> datetime | None:
        local = at.astimezone(self.hours.zone)
        for begin, end in spans:
            if begin <= local.time() < end or (end == time.max and local.time() >= begin):
                day = local.date() + timedelta(days=end == time.max)
                moment = time.min if end == time.max else end
                return datetime.combine(day, moment, self.hours.zone).astimezone(at.tzinfo)
        return None
