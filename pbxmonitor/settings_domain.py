"""The settings as values of the domain: the policy that calls are judged by, the people, what is done about a miss."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import time
from typing import Any

from pbxmonitor.domain import policy as domain
from pbxmonitor.domain.escalation import Duties
from pbxmonitor.domain.roster import Person, Role, Roster
from pbxmonitor.settings import Settings
from pbxmonitor.settings_people import PersonSettings
from pbxmonitor.settings_policy import HoursSettings, QueuePolicySettings
from pbxmonitor.settings_values import DAYS


def to_policy(settings: Settings, canonical: Callable[[str], str | None] = str) -> domain.Policy:
    """The domain's policy; `canonical` makes a written number E.164, or None when it is not one."""
    plain = settings.policy.model_dump(exclude={"hours", "queues", "peak_hours"})
    numbers = canonical_numbers(settings.numbers.every, canonical)
    queues = {name: _of_queue(settings, own) for name, own in settings.policy.queues.items()}
    return domain.Policy(
        **plain,
        hours=_hours(settings),
        never_call_back=numbers,
        queues=queues,
        peak_hours=_peak_hours(settings),
        teams=_teams(settings),
        owner_rules=settings.callbacks.owner,
        responsible=settings.callbacks.responsible,
        employees=tuple(key for key, entry in settings.people.items() if entry.role is Role.EMPLOYEE),
    )


def _peak_hours(settings: Settings) -> frozenset[int] | None:
    spans = settings.policy.peak_hours
    hours = (hour for begin, end in spans for hour in range(begin.hour, end.hour if end != time.max else 24))
    return frozenset(hours) if spans else None


def _teams(settings: Settings) -> tuple[domain.Team, ...]:
    return tuple(
        domain.Team(
            key=key,
            name=team.name or key,
            members=frozenset(team.people),
            max_missed_share=team.max_missed_share,
            callback_norm=team.callback_norm,
        )
        for key, team in settings.teams.items()
    )


def canonical_numbers(written: Iterable[str], canonical: Callable[[str], str | None]) -> frozenset[str]:
    """The numbers made E.164; what is none is left out."""
    return frozenset(number for each in written if (number := canonical(each)))


def to_duties(settings: Settings) -> Duties:
    """Who is told and what is done about missed clients."""
    return Duties(
        roster=to_roster(settings),
        steps=settings.callbacks.chain,
        snooze=settings.callbacks.snooze,
        tasks=tuple(name for name, table in settings.crm.items() if table.get("tasks", True)),
        calls=tuple(name for name, table in settings.crm.items() if table.get("calls", True)),
    )


def to_roster(settings: Settings) -> Roster:
    """The people of the settings."""
    return Roster(
        people={key: _person(settings, key, entry) for key, entry in settings.people.items()},
        reserve=settings.callbacks.reserve,
        team_reserve={key: team.reserve for key, team in settings.teams.items() if team.reserve},
        hours=_hours(settings),
    )


def _person(settings: Settings, key: str, entry: PersonSettings) -> Person:
    teams = settings.teams.items()
    return Person(
        key=key,
        name=entry.name or key,
        role=entry.role,
        language=entry.language or settings.language,
        channels=settings.messages.channels if entry.channels is None else entry.channels,
        addresses=entry.addresses,
        team=next((name for name, team in teams if key in team.people), None),
        leads=frozenset(name for name, team in teams if key in team.supervisors),
        quiet=settings.messages.quiet_hours if entry.quiet_hours is None else entry.quiet_hours,
    )


def _of_queue(settings: Settings, own: QueuePolicySettings) -> dict[str, Any]:
    """What a queue has of its own; without holidays of its own it has those of the site."""
    changes = own.model_dump(exclude_none=True, exclude={"hours"})
    if own.hours is not None:
        hours = _hours(settings, own.hours)
        changes["hours"] = hours if own.hours.holidays else replace(hours, holidays=settings.policy.hours.holidays)
    return changes


def _hours(settings: Settings, own: HoursSettings | None = None) -> domain.WorkingHours:
    hours = own or settings.policy.hours
    week = tuple(getattr(hours, day) for day in DAYS)
    return domain.WorkingHours(zone=settings.zone, week=week if any(week) else (), holidays=hours.holidays)
