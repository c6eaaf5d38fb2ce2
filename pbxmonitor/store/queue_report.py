"""What became of those who entered a queue: how each visit ended, waits, service levels, occupancy (docs/metrics.md).

A visit belongs to the moment of its entering, whenever it ended; only calls that are over are counted.
"""

from collections.abc import Iterable, Mapping, Set
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.kpi import Sums
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store import rolled, rolled_calls
from pbxmonitor.store.reports import Period
from pbxmonitor.store.sums import Key
from pbxmonitor.store.visits import ABANDONED, ANSWERED, ENDS, LOST, OTHER, SHORT, Tally

__all__ = ["ABANDONED", "ANSWERED", "ENDS", "LOST", "OTHER", "SHORT", "hours", "queues"]

_BUSY: Final = ("ready_ms", "talking_ms", "hold_ms", "wrapup_ms")


def queues(connection: sa.Connection, period: Period, policy: Policy) -> Json:
    """`queues`: an object per node and queue, of the visits begun in the period; `total`: of the calls behind them.

    A call over several queues is a visit of each and one call. Seconds, shares of 0..1, None where there is no data.
    """
    found = rolled_calls.queues(connection, period, policy)
    sums = rolled.sums(connection, period, policy, counts=_BUSY, counts_only=True)
    served = found.served
    rows = [
        {"node": node, "queue": queue, "received": sum(tally.ends.values())}
        | _numbers(tally, ABANDONED)
        | _work(served.get((node, queue), set()), sums)
        for (node, queue), tally in sorted(found.visits.items())
    ]
    everybody = {agent for agents in served.values() for agent in agents}
    return {"queues": rows, "total": _total(found.calls, found.visits.values()) | _work(everybody, sums)}


def hours(connection: sa.Connection, period: Period, policy: Policy) -> list[Json]:
    """The same of each hour in which anybody entered a queue, by the site's clock; without the agents' work."""
    tallies = rolled_calls.visits_by_hour(connection, period, policy)
    return [
        {"node": node, "queue": queue, "day": day.isoformat(), "hour": hour, "received": sum(tally.ends.values())}
        | _numbers(tally, ABANDONED)
        for (node, queue, day, hour), tally in sorted(tallies.items())
    ]


def _numbers(tally: Tally, lost: str) -> Json:
    """The counts, shares of all but those who left at once, waits, service levels and the mean talk."""
    counted = sum(tally.ends.values()) - tally.ends[SHORT]
    answered, others = tally.ended
    waits = {"wait": tally.waits, f"{ANSWERED}_wait": answered, f"{lost}_wait": others}
    return {
        **tally.ends,
        "answered_share": kpi.share(tally.ends[ANSWERED], counted),
        **{f"{name}_mean_s": each.mean_s for name, each in waits.items()},
        **{f"{name}_max_s": each.max_s for name, each in waits.items()},
        "service_levels": [_level(tally, place, counted) for place in range(len(tally.levels))],
        "talk_mean_s": tally.talks.mean_s,
    }


def _level(tally: Tally, place: int, counted: int) -> Json:
    """Answered in time: how many, which part of the answered ones, which part of all."""
    return {
        "within_s": tally.levels[place].total_seconds(),
        "answered": tally.within[place],
        "of_answered": kpi.share(tally.within[place], tally.ends[ANSWERED]),
        "of_all": kpi.share(tally.within[place], counted),
    }


def _work(agents: Set[Key], sums: Mapping[Key, Sums]) -> Json:
    """How many agents, and which part of their available time they were at work, for whichever queue."""
    mine = [sums[agent] for agent in agents if agent in sums]
    busy = sum(min(each.talking_ms + each.hold_ms + each.wrapup_ms, each.ready_ms) for each in mine)
    return {"agents": len(agents), "occupancy": kpi.share(busy, sum(each.ready_ms for each in mine))}


def _total(calls: Tally, visits: Iterable[Tally]) -> Json:
    """Each call once, at its first entering: answered is who was really talked to."""
    inside = sum(sum(each.ends.values()) for each in visits)
    return {"calls": sum(calls.ends.values()), "visits": inside} | _numbers(calls, LOST)
