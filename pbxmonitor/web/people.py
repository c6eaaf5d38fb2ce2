"""Employees' numbers as a viewer sees them: the table of the agent report, and one person beside his team."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.kpi import share
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.periods import Stretch
from pbxmonitor.store import absences, agent_report, rolled, schema
from pbxmonitor.store.reports import Period, last_told, shown_intervals
from pbxmonitor.web.filtering import Query, given, stretch_of
from pbxmonitor.web.sight import Sight
from pbxmonitor.web.site import Site

_V: Final = schema.verdict.c
# What the table may be sorted by, and what stands first when nothing is said: who misses most.
SORTED_BY: Final = (
    *("agent", "offered", "answered", "missed", "missed_share", "norm", "pickup_mean_s", "short_hangups", "lost"),
    *("called_back", "forgotten", "dnd_s", "paused_s", "offline_s", "talk_s"),
)
# A share of the team is that of all its other members together: part of whole.
_SHARES: Final = {
    "missed_share": ("missed", "offered"),
    "short_hangup_share": ("short_hangups", "answered"),
    "forgotten_share": ("forgotten", "lost"),
}
_MEANS: Final = ("offered", "short_hangups", "forgotten", "dnd_s", "paused_s", "offline_s", "talk_s", "callbacks_made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The time, the PBX (None for all), the rules, and who are one person on every PBX."""

    stretch: Stretch
    node: str | None
    policy: Policy
    people: frozenset[str]

    @property
    def period(self) -> Period:
        return Period(begin=self.stretch.begin, end=self.stretch.end, node=self.node)

    @property
    def question(self) -> agent_report.Question:
        before = Period(begin=self.stretch.before_begin, end=self.stretch.before_end, node=self.node)
        return agent_report.Question(period=self.period, policy=self.policy, before=before, people=self.people)


def wanted_of(query: Query, site: Site) -> Wanted:
    """What the address asks for; BadQuery."""
    parts = given(query)
    stretch = stretch_of(parts, site.settings, site.clock.now())
    people = frozenset(site.settings.people)
    return Wanted(stretch=stretch, node=parts.get("node"), policy=site.policy, people=people)


def report(connection: sa.Connection, wanted: Wanted, sight: Sight) -> list[Json]:
    """The agent report's rows of those whom the viewer sees, each with the name he is called by."""
    found = agent_report.agents(connection, wanted.question)
    return [_named(row, sight) for row in found if sight.sees(row["agent"])]


def _named(row: Json, sight: Sight) -> Json:
    called = sight.full_name(row["agent"])
    return row | {"name": called if called != row["agent"] else row["name"] or row["agent"]}


def in_order(rows: Iterable[Json], by: str, *, descending: bool) -> list[Json]:
    """The rows sorted by that column; who has no value there comes last either way."""
    key = "name" if by == "agent" else by
    named = sorted(rows, key=lambda row: (str(row["name"]), str(row["agent"])))
    known = [row for row in named if row.get(key) is not None]
    known.sort(key=lambda row: row[key], reverse=descending)
    return known + [row for row in named if row.get(key) is None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person's time: his row of the report (None where nothing happened) beside `team`, day by day, hour by hour.

    `days` are (day, missed, offered), `heat` (weekday, hour) to the same two, `causes` why the clients whom he missed
    were lost, `load` all inbound calls by hour of the day, `profile` his mean day away (store.absences).
    """

    agent: str
    name: str
    row: Json | None
    team: Mapping[str, float | None]
    days: Sequence[tuple[date, int, int]]
    heat: Mapping[tuple[int, int], tuple[int, int]]
    causes: Sequence[tuple[str, int]]
    load: Mapping[int, int]
    profile: Sequence[Json]


def is_known(connection: sa.Connection, sight: Sight, agent: str) -> bool:
    """Whether there is such a person, and the viewer may see him."""
    if not sight.sees(agent):
        return False
    mine = sa.select(schema.agent.c.agent).where(schema.agent.c.agent == agent).limit(1)
    return agent in sight.roster.people or connection.execute(mine).first() is not None


def person(connection: sa.Connection, wanted: Wanted, sight: Sight, agent: str) -> Person | None:
    """That person; None when there is none, or he is not the viewer's to see."""
    if not is_known(connection, sight, agent):
        return None
    rows = agent_report.agents(connection, wanted.question)
    mine = next((row for row in rows if row["agent"] == agent), None)
    days, heat = _told(connection, wanted, agent)
    name = _named(mine, sight)["name"] if mine is not None else sight.full_name(agent)
    return Person(
        agent=agent,
        name=name,
        row=mine | {"name": name} if mine is not None else None,
        team=_team(rows, agent, mine),
        days=days,
        heat=heat,
        causes=_causes(connection, wanted.period, agent),
        load=rolled.calls_by_hour(connection, wanted.period, wanted.policy),
        profile=absences.profile(connection, wanted.period, wanted.policy, agent),
    )


def _team(rows: Sequence[Json], agent: str, mine: Json | None) -> dict[str, float | None]:
    """What the others of his team do: shares of all of them together, means for one of them."""
    team = mine["team"] if mine is not None else None
    others = [row for row in rows if row["agent"] != agent and row["team"] == team]
    found: dict[str, float | None] = {
        name: share(_sum(others, part), _sum(others, whole)) for name, (part, whole) in _SHARES.items()
    }
    found |= {name: round(_sum(others, name) / len(others), 2) if others else None for name in _MEANS}
    picked = [row for row in others if row["pickup_mean_s"] is not None]
    answered = _sum(picked, "answered")
    waited = sum(row["pickup_mean_s"] * row["answered"] for row in picked)
    return found | {"pickup_mean_s": round(waited / answered, 2) if answered else None}


def _sum(rows: Iterable[Json], name: str) -> Any:
    return sum(row[name] for row in rows)


def _told(
    connection: sa.Connection, wanted: Wanted, agent: str
) -> tuple[list[tuple[date, int, int]], dict[tuple[int, int], tuple[int, int]]]:
    """Missed and offered by day, and by hour of the week, of the site's clock."""
    mine = sa.and_(wanted.period.holds(schema.verdict, "started_at"), _V.agent == agent, _V.verdict.in_(_OFFERED))
    days, hours = Counter[tuple[date, bool]](), Counter[tuple[int, int, bool]]()
    zone = wanted.policy.hours.zone
    for at, verdict in connection.execute(sa.select(_V.started_at, _V.verdict).where(mine)):
        local, missed = at.astimezone(zone), verdict == Verdict.MISSED
        days[local.date(), missed] += 1
        hours[local.weekday(), local.hour, missed] += 1
    by_day = [(day, days[day, True], days[day, True] + days[day, False]) for day in sorted({day for day, _ in days})]
    cells = {(weekday, hour) for weekday, hour, _ in hours}
    return by_day, {cell: (hours[*cell, True], hours[*cell, True] + hours[*cell, False]) for cell in cells}


_OFFERED: Final = (Verdict.ANSWERED.value, Verdict.MISSED.value)


def _causes(connection: sa.Connection, period: Period, agent: str) -> list[tuple[str, int]]:
    call = schema.call.c
    of_call = sa.and_(_V.node == call.node, _V.call == call.key)
    mine = sa.and_(period.holds(schema.verdict, "started_at"), _V.agent == agent, _V.verdict == Verdict.MISSED)
    wanted = sa.select(call.cause, sa.func.count()).select_from(schema.verdict.join(schema.call, of_call))
    found = connection.execute(wanted.where(mine, call.lost.is_(True), call.cause.is_not(None)).group_by(call.cause))
    return sorted(((cause, count) for cause, count in found), key=lambda each: (-each[1], each[0]))


def away_that_day(connection: sa.Connection, period: Period, agent: str) -> tuple[list[Interval], datetime]:
    """His stretches of DND, pause and offline in the period, and until when what is open has lasted."""
    told = max(last_told(connection).values(), default=period.begin)
    return [each for _, each in shown_intervals(connection, period) if each.agent == agent], told


def person_json(found: Person) -> Json:
    """One person as answers have it."""
    return {
        "agent": found.agent,
        "name": found.name,
        "numbers": found.row,
        "team": dict(found.team),
        "days": [{"day": day.isoformat(), "missed": missed, "offered": offered} for day, missed, offered in found.days],
        "hours": [
            {"weekday": weekday, "hour": hour, "missed": missed, "offered": offered}
            for (weekday, hour), (missed, offered) in sorted(found.heat.items())
        ],
        "causes": [{"cause": cause, "calls": calls} for cause, calls in found.causes],
        "away": list(found.profile),
        "load": [{"hour": hour, "calls": calls} for hour, calls in sorted(found.load.items())],
    }
