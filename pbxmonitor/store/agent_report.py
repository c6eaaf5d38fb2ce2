"""Each agent's numbers over a period, beside his team, his goals and the period before (docs/metrics.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.agent import AgentState
from pbxmonitor.domain.kpi import Standing, Sums
from pbxmonitor.domain.policy import Policy, Team
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, schema
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rolled import Day
from pbxmonitor.store.sums import Key

ALL_NODES: Final = "*"
# How far back «since when» looks before the period's end.
LOOK_BACK: Final = timedelta(days=92)
# Peak-hour DND is remarkable from this part of the peak time on, and from so many times the colleagues' mean.
DND_PART, DND_TIMES = 0.1, 2.0


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
    was = (
        _people(question, rolled.sums(connection, question.before, policy, counts_only=True)) if question.before else {}
    )
    shown = {key: sums for key, sums in now.items() if _says_something(sums)}
    peak = policy.peak_hours if policy.peak_hours is not None else peak_hours(connection, period, policy)
    days = _days(connection, question)
    names, teams = _names(connection), _teams(shown, policy)
    report = _Report(shown, teams, peak, peak_capacity_ms(peak, period, policy), policy)
    return [
        {"node": key[0], "agent": key[1], "name": names.get(key), "team": team and team.name}
        | numbers(sums, peak)
        | report.beside(key)
        | {"goals": goals(sums, days.get(key, []), policy, team)}
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


class _Report:
    """Everybody beside his team-mates; the norm is what the others of the team do together."""

    def __init__(
        self, rows: Mapping[Key, Sums], teams: Mapping[Key, str], peak: frozenset[int], capacity: int, policy: Policy
    ) -> None:
        self._rows, self._teams, self._capacity, self._policy = rows, teams, capacity, policy
        self._dnd = {key: kpi.spent_ms(sums.spent, AgentState.DND, peak) for key, sums in rows.items()}
        self._totals: dict[str, Sums] = {}
        for key, sums in rows.items():
            self._totals[teams[key]] = self._totals.get(teams[key], Sums()) + sums
        self._ranks = {team: self._ranked(team) for team in self._totals}

    def _ranked(self, team: str) -> dict[Key, int]:
        shares = {key: (s.missed, s.offered) for key, s in self._rows.items() if self._teams[key] == team}
        return kpi.ranks(shares, self._policy.min_offered_for_rating)

    def beside(self, key: Key) -> Json:
        """Norm, difference, rank, standing with its interval, and what is remarkable."""
        mine, whole = self._rows[key], self._totals[self._teams[key]]
        norm = kpi.share(whole.missed - mine.missed, whole.offered - mine.offered)
        missed = kpi.share(mine.missed, mine.offered)
        low, high = kpi.wilson(mine.missed, mine.offered)
        least = self._policy.min_offered_for_rating
        standing = kpi.standing(mine.missed, mine.offered, norm, least)
        return {
            "norm": norm,
            "difference": round(missed - norm, 4) if missed is not None and norm is not None else None,
            "interval": [round(low, 4), round(high, 4)] if mine.offered else None,
            "standing": standing.value,
            "rank": self._ranks[self._teams[key]].get(key),
            "ranked": len(self._ranks[self._teams[key]]),
            "flags": list(self._flags(key, mine, whole, standing)),
        }

    def _flags(self, key: Key, mine: Sums, whole: Sums, standing: Standing) -> Iterable[str]:
        """What sets him apart from his colleagues for the worse, by more than chance."""
        least = self._policy.min_offered_for_rating
        if standing is Standing.WORSE:
            yield "missed"
        for name, part, of in (("short_hangups", "short_hangups", "answered"), ("forgotten", "forgotten", "lost")):
            done, could = getattr(mine, part), getattr(mine, of)
            others = kpi.share(getattr(whole, part) - done, getattr(whole, of) - could)
            if kpi.standing(done, could, others, least) is Standing.WORSE:
                yield name
        if self._slow(mine, whole, least):
            yield "slow"
        if self._away_in_peak(key):
            yield "dnd_in_peak"

    def _slow(self, mine: Sums, whole: Sums, least: int) -> bool:
        """More of his pick-ups than chance allows are slower than nine of ten of his colleagues'."""
        others = {value: count - mine.pickups.get(value, 0) for value, count in whole.pickups.items()}
        limit = kpi.quantile(others, 0.9)
        if limit is None:
            return False
        slower, picked = kpi.slower_than(mine.pickups, limit)
        usual = kpi.share(*kpi.slower_than(others, limit))
        return kpi.standing(slower, picked, usual, least) is Standing.WORSE

    def _away_in_peak(self, key: Key) -> bool:
        """A remarkable part of the peak time, and much more than his colleagues."""
        ms, team = (
            self._dnd[key],
            [spent for other, spent in self._dnd.items() if self._teams[other] == self._teams[key]],
        )
        mean = (sum(team) - ms) / (len(team) - 1) if len(team) > 1 else 0
        return bool(self._capacity) and ms >= DND_PART * self._capacity and ms >= DND_TIMES * mean


def goals(sums: Sums, days: list[Day], policy: Policy, team: Team | None) -> Json:
    """What the manager set, met or not, and since when; `lately` and `since` tell of the last days with data."""
    limit = _own(team and team.max_missed_share, policy.max_missed_share)
    norm = _own(team and team.callback_norm, None)
    missed = [(each.day, each.missed, each.answered + each.missed) for each in days]
    late = [(each.day, each.owned - _in_norm(each, norm), each.owned) for each in days]
    slack = round(1 - policy.min_in_norm_share, 6)
    in_norm = _in_norm(sums, norm)
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


def _in_norm(sums: Sums | Day, norm: timedelta | None) -> int:
    """First tries in time: by each callback's own deadline, or by the team's norm."""
    if norm is None:
        return sums.in_norm
    return sum(count for seconds, count in sums.delays.items() if seconds <= norm.total_seconds())


def _goal(goal: kpi.Goal) -> Json:
    return {"met": goal.met, "lately": goal.lately, "since": goal.since and goal.since.isoformat()}


def peak_hours(connection: sa.Connection, period: Period, policy: Policy) -> frozenset[int]:
    """The peak hours that the load of the period shows."""
    load: dict[int, int] = {}
    for (_, _, hour, _, _), counts in rolled.load(connection, period, policy).items():
        load[hour] = load.get(hour, 0) + counts["calls"]
    return kpi.peak_hours(load)


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
    return _people(question, rolled.sums(connection, question.before, question.policy, counts_only=True))


def _people(question: Question, found: Mapping[Key, Sums]) -> dict[Key, Sums]:
    """Everybody's sums, a person of the settings once."""
    merged: dict[Key, Sums] = {}
    for key, sums in found.items():
        mine = question.key(key)
        merged[mine] = merged[mine] + sums if mine in merged else sums
    return dict(sorted(merged.items()))


def _days(connection: sa.Connection, question: Question) -> dict[Key, list[Day]]:
    """The days of the look-back, oldest first; a person's on several PBXs stand side by side."""
    found: dict[Key, list[Day]] = {}
    for key, days in rolled.daily(connection, question.period, question.policy, LOOK_BACK).items():
        mine = question.key(key)
        found[mine] = sorted(found[mine] + days) if mine in found else days
    return found


def _teams(rows: Iterable[Key], policy: Policy) -> dict[Key, str]:
    teams = ((key, policy.team_of(key[1])) for key in rows)
    return {key: team.key if team is not None else "" for key, team in teams}


def _names(connection: sa.Connection) -> dict[Key, str | None]:
    table = schema.agent.c
    found = connection.execute(sa.select(table.node, table.agent, table.name))
    return {(node, agent): name for node, agent, name in found.all()}
