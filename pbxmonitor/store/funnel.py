"""Where calls get stuck: the funnel from the menu to the talk, and every stop of the journey (docs/metrics.md)."""

from collections import Counter
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain import kpi
from pbxmonitor.domain.judge import Cause
from pbxmonitor.domain.policy import Policy
from pbxmonitor.domain.view import Json
from pbxmonitor.store.journeys import STEPS, Journeys, Stop
from pbxmonitor.store.reports import Period
from pbxmonitor.store.rolled_calls import journeys

__all__ = ["PERSONS", "STEPS", "stages"]

PERSONS: Final = 3


def stages(connection: sa.Connection, period: Period, policy: Policy) -> Json:
    """Inbound calls begun in the period and ended: `funnel`, the journey's `steps` in order, `causes` of the lost ones.

    Durations in seconds, shares of 0..1; None where there is nothing to say.
    """
    found = journeys(connection, period, policy)
    return {
        "calls": found.calls,
        "after_hours": found.apart[Cause.AFTER_HOURS],
        "short_abandoned": found.apart[Cause.SHORT_ABANDON],
        "answered": found.answered,
        "lost": found.lost,
        "funnel": _funnel(found),
        "steps": _steps(found),
        "causes": dict(sorted(found.causes.items(), key=lambda each: (-each[1], each[0]))),
    }


def _funnel(found: Journeys) -> list[Json]:
    """Of each step: who reached it, who was lost there, and how long after the beginning of the call they got there."""
    return [
        {
            "step": name,
            "reached": found.reached[step],
            "reached_share": kpi.share(found.reached[step], found.reached[0]),
            "lost": found.gone[step],
            "lost_share": kpi.share(found.gone[step], found.reached[step]),
            "wait_mean_s": found.waits[step].mean_s,
        }
        for step, name in enumerate(STEPS)
    ]


def _steps(found: Journeys) -> list[Json]:
    """Every stop by its place in the journey, the busiest first."""
    order = sorted(found.stops.items(), key=lambda each: (each[0][0], each[0][1], -each[1].entered, each[0][2:]))
    return [
        {"node": node, "step": place, "kind": kind, "name": name} | _told(stop)
        for (node, place, kind, name), stop in order
    ]


def _told(stop: Stop) -> Json:
    """The counts, the waits in seconds, the persons."""
    return {
        **stop.counts(),
        "lost_share": kpi.share(stop.lost, stop.entered),
        "wait_mean_s": stop.waits.mean_s,
        "wait_max_s": stop.waits.max_s,
        "rang_last": _most(stop.rang_last),
        "missed_most": _most(stop.missed),
    }


def _most(agents: Counter[str]) -> list[Json]:
    """The first few by how many calls."""
    order = sorted(agents.items(), key=lambda each: (-each[1], each[0]))
    return [{"agent": agent, "calls": calls} for agent, calls in order[:PERSONS]]
