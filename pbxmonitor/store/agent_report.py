"""Each agent's numbers over a period, beside his team, his goals and the period before (docs/metrics.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.kpi import Histogram, Sums
from pbxmonitor.domain.policy import Policy, Team
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.colleagues import Colleagues
from pbxmonitor.store.daily import Daily, daily
from pbxmonitor.store.reports import Period
from pbxmonitor.store.sums import Key

ALL_NODES: Final = "*"
# How far back «since when» looks before the period's end.
LOOK_BACK: Final = timedelta(days=92)
# What the period before is compared by.
_COMPARED: Final = ("answered", "missed", "picked", "pickup_ms", "short_hangups", "forgotten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: the period, the one to compare with, the policy, and the people who are one on every PBX."""

    period: Period
    policy: Policy
    before: Period | None = None
    people: frozenset[str] = frozenset()

    def key(self, key: Key) -> Key:
        """Who that is in the report: a person of the settings is one, whatever PBX he works at."""
        return (ALL_NODES, key[1]) if key[1] in self.people else key


def agents(connection: sa.Connection, question: Question) -> list[Json]:
    """One object per agent, by node and agent. Counts of inbound calls begun in the period, seconds, shares of 0..1.

    Null where there is nothing to say: no calls are neither 0 % nor 100 %.
    """
    policy, period = question.policy, question.period
    if len(rolled.nodes(connection, period)) == 1:
        question = replace(question, people=frozenset())
    now = _people(question, rolled.sums(connection, period, policy))
    was = _before(connection, question)
    shown = {key: sums for key, sums in now.items() if _says_something(sums)}
    peak = policy.peak_hours if policy.peak_hours is not None else peak_hours(connection, period, policy)
    days = _days(connection, question)
    names, teams = _names(connection), _teams(shown, policy)
    dnd = {key: kpi.spent_ms(sums.spent, AgentState.DND, peak) for key, sums in shown.items()}
    colleagues = Colleagues(shown, teams, dnd, peak_capacity_ms(peak, period, policy), policy)
    return [
        {"node": key[0], "agent": key[1], "name": names.get(key), "team": team and team.name}
        | numbers(sums, peak)
        | colleagues.beside(key)
        | {"goals": goals(sums, days.get(key, Daily()), policy, team)}
        | {"before": before(was.get(key, Sums())) if question.before else None}
        for (key, sums), team in zip(shown.items(), map(policy.team_of, (key[1] for key in shown)), strict=True)
    ]


def numbers(sums: Sums, peak: frozenset[int]) -> Json:
    """What the sums themselves say."""
    return _counted(sums) | _callbacks(sums) | _time(sums, peak)


def _counted(sums: Sums) -> Json:
    median, slow = kpi.quantile(sums.pickups, 0.5), kpi.quantile(sums.pickups, 0.9)
    return {
        "offered": sums.offered,
        "answered": sums.answered,
        "missed": sums.missed,
        "missed_share": kpi.share(sums.missed, sums.offered),
        "answered_elsewhere": sums.answered_elsewhere,
        "refused": sums.refused,
        "not_counted": sums.not_counted,
        "pickup_mean_s": round(sums.pickup_ms / sums.picked / 1000, 3) if sums.picked else None,
        "pickup_median_s": None if median is None else median / 10,
        "pickup_p90_s": None if slow is None else slow / 10,
        "talk_s": sums.talk_ms / 1000,
        "short_hangups": sums.short_hangups,
        "short_hangup_share": kpi.share(sums.short_hangups, sums.answered),
        "caller_hangups": sums.caller_hangups,
        "outbound": sums.outbound,
        "outbound_answered": sums.outbound_answered,
        "outbound_s": sums.outbound_ms / 1000,
    }


def _callbacks(sums: Sums) -> Json:
    return {
        "lost": sums.lost,
        "called_back": sums.called_back,
        "returned": sums.returned,
        "dismissed": sums.dismissed,
        "uncallable": sums.uncallable,
        "forgotten": sums.forgotten,
        "forgotten_share": kpi.share(sums.forgotten, sums.lost),
        "owned": sums.owned,
        "in_norm": sums.in_norm,
        "callback_median_s": kpi.quantile(sums.delays, 0.5),
        "callbacks_made": sums.called,
        "reached": sums.reached,
        "fakes": sums.fakes,
    }


def _time(sums: Sums, peak: frozenset[int]) -> Json:
    spent = sums.spent
    away = {state: kpi.spent_ms(spent, state) / 1000 for state in ("dnd", "paused", "offline")}
    busy = sums.talking_ms + sums.hold_ms + sums.wrapup_ms
    return {
        **{f"{state}_s": seconds for state, seconds in away.items()},
        "partly_paused_s": kpi.spent_ms(spent, AgentState.PAUSED, partial=True) / 1000,
        "pauses": {reason: ms / 1000 for reason, ms in kpi.reasons_ms(spent, AgentState.PAUSED).items()},
        "peak": {f"{state}_s": kpi.spent_ms(spent, state, peak) / 1000 for state in away},
        "ready_s": sums.ready_ms / 1000,
        "occupancy": kpi.share(min(busy, sums.ready_ms), sums.ready_ms),
    }


def before(sums: Sums) -> Json:
    """The figures that the period before is compared by."""
    return {
        "offered": sums.offered,
        "missed": sums.missed,
        "missed_share": kpi.share(sums.missed, sums.offered),
        "pickup_mean_s": round(sums.pickup_ms / sums.picked / 1000, 3) if sums.picked else None,
        "short_hangups": sums.short_hangups,
        "forgotten": sums.forgotten,
    }


def goals(sums: Sums, days: Daily, policy: Policy, team: Team | None) -> Json:
    """What the manager set, met or not, and since when; `lately` and `since` tell of the last days with data."""
    limit = _own(team and team.max_missed_share, policy.max_missed_share)
    norm = _own(team and team.callback_norm, None)
    missed, late = days.shares(days.missed, days.offered), days.shares(_late(days, norm), days.owned)
    slack = round(1 - policy.min_in_norm_share, 6)
    in_norm = sums.in_norm if norm is None else _within(sums.delays, norm)
    return {
        "missed_share": {"limit": limit} | _goal(kpi.goal(missed, limit, sums.missed, sums.offered)),
        "callback": {
            "norm_s": (norm or policy.callback_norm).total_seconds(),
            "least": policy.min_in_norm_share,
            "in_norm_share": kpi.share(in_norm, sums.owned),
        }
        | _goal(kpi.goal(late, slack, sums.owned - in_norm, sums.owned)),
    }


def _own(value: Any, common: Any) -> Any:
    return common if value is None else value


def _late(days: Daily, norm: timedelta | None) -> list[int]:
    """Callbacks of each day not tried in time: by each one's own deadline, or by the team's norm."""
    if norm is None:
        return days.late
    return [owned - _within(delays, norm) for owned, delays in zip(days.owned, days.delays, strict=True)]


def _within(delays: Histogram, norm: timedelta) -> int:
    return sum(count for seconds, count in delays.items() if seconds <= norm.total_seconds())


def _goal(goal: kpi.Goal) -> Json:
    return {"met": goal.met, "lately": goal.lately, "since": goal.since and goal.since.isoformat()}


def peak_hours(connection: sa.Connection, period: Period, policy: Policy) -> frozenset[int]:
    """The peak hours that the load of the period shows."""
    return kpi.peak_hours(rolled.calls_by_hour(connection, period, policy))


def peak_capacity_ms(peak: frozenset[int], period: Period, policy: Policy) -> int:
    """How long the peak hours of the period's working days are together."""
    day, last = policy.hours.day_of(period.begin), policy.hours.day_of(period.end - timedelta(microseconds=1))
    days = sum(1 for ahead in range(min((last - day).days + 1, 400)) if policy.hours.spans(day + timedelta(ahead)))
    return days * len(peak) * 3_600_000


def _says_something(sums: Sums) -> bool:
    return sums != Sums(ready_ms=sums.ready_ms)


def _before(connection: sa.Connection, question: Question) -> dict[Key, Sums]:
    if question.before is None:
        return {}
    sums = rolled.sums(connection, question.before, question.policy, counts=_COMPARED, counts_only=True)
    return _people(question, sums)


def _people(question: Question, found: Mapping[Key, Sums]) -> dict[Key, Sums]:
    """Everybody's sums, a person of the settings once."""
    merged: dict[Key, Sums] = {}
    for key, sums in found.items():
        mine = question.key(key)
        merged[mine] = merged[mine] + sums if mine in merged else sums
    return dict(sorted(merged.items()))


def _days(connection: sa.Connection, question: Question) -> dict[Key, Daily]:
    """The days of the look-back; a person's on several PBXs are his."""
    found: dict[Key, Daily] = {}
    for key, days in daily(connection, question.period, question.policy, LOOK_BACK).items():
        mine = question.key(key)
        found[mine] = found[mine] + days if mine in found else days
    return found


def _teams(rows: Iterable[Key], policy: Policy) -> dict[Key, str]:
    teams = ((key, policy.team_of(key[1])) for key in rows)
    return {key: team.key if team is not None else "" for key, team in teams}


def _names(connection: sa.Connection) -> dict[Key, str | None]:
    table = schema.agent.c
    found = connection.execute(sa.select(table.node, table.agent, table.name))
    return {(node, agent): name for node, agent, name in found.all()}
