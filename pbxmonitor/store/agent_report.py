"""Each agent's numbers over a period: who was offered how many calls, what became of them, who was away how long."""

from collections import defaultdict
from typing import Any

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction, OfferResult
from pbxmonitor.domain.judge import Verdict
from pbxmonitor.domain.view import Json
from pbxmonitor.store import schema
from pbxmonitor.store.reports import Period, last_told, shown_intervals

Key = tuple[str, str]
Numbers = dict[Key, dict[str, Any]]


def agents(connection: sa.Connection, period: Period) -> list[Json]:
    """One object per agent: counts of inbound calls begun in the period, seconds; by node and agent.

    `offered` is answered + missed; `missed_share` is 0..1, null when nothing was offered; `pickup_mean_s` is null
    when nothing was answered; time away is what of it lies inside the period.
    """
    counts = _verdicts(connection, period)
    pickups = _pickups(connection, period)
    talks = _talks(connection, period)
    away = _away(connection, period)
    names = _names(connection)
    found = sorted(counts.keys() | talks.keys() | away.keys())
    return [
        {"node": key[0], "agent": key[1], "name": names.get(key)}
        | _counted(counts.get(key, {}))
        | {"pickup_mean_s": pickups.get(key), "talk_s": talks.get(key, 0.0)}
        | {"short_hangups": counts.get(key, {}).get("short_hangups", 0)}
        | {f"{state}_s": round(away.get(key, {}).get(state, 0.0), 3) for state in ("dnd", "paused", "offline")}
        for key in found
    ]


def _counted(counts: dict[str, int]) -> Json:
    verdicts = {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}
    offered = verdicts[Verdict.ANSWERED] + verdicts[Verdict.MISSED]
    share = round(verdicts[Verdict.MISSED] / offered, 4) if offered else None
    return {
        "offered": offered,
        "answered": verdicts[Verdict.ANSWERED],
        "missed": verdicts[Verdict.MISSED],
        "missed_share": share,
        "answered_elsewhere": verdicts[Verdict.ANSWERED_ELSEWHERE],
        "refused": verdicts[Verdict.REFUSED],
        "not_counted": verdicts[Verdict.NOT_COUNTED],
    }


def _verdicts(connection: sa.Connection, period: Period) -> Numbers:
    part, call = schema.verdict.c, schema.call.c
    wanted = (
        sa.select(part.node, part.agent, part.verdict, sa.func.count(), sa.func.sum(part.short_hangups))
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.ended_at.is_not(None))
        .group_by(part.node, part.agent, part.verdict)
    )
    found: Numbers = defaultdict(dict)
    for node, agent, verdict, count, short in connection.execute(wanted).all():
        mine = found[node, agent]
        mine[verdict] = count
        mine["short_hangups"] = mine.get("short_hangups", 0) + int(short)
    return found


def _pickups(connection: sa.Connection, period: Period) -> dict[Key, float]:
    """How long the rings that the agent picked up had rung, on average."""
    part, call = schema.offer.c, schema.call.c
    wanted = (
        sa.select(part.node, part.agent, sa.func.avg(part.ring_s))
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.direction == Direction.INBOUND)
        .where(part.result == OfferResult.ANSWERED, part.counts.is_(True))
        .group_by(part.node, part.agent)
    )
    return {(node, agent): round(mean, 3) for node, agent, mean in connection.execute(wanted).all()}


def _talks(connection: sa.Connection, period: Period) -> dict[Key, float]:
    """Seconds of inbound conversation, hold included."""
    part, call = schema.talk.c, schema.call.c
    wanted = (
        sa.select(part.node, part.agent, sa.func.sum(part.talk_s))
        .join(schema.call, sa.and_(part.node == call.node, part.call == call.key))
        .where(period.holds(schema.call, "started_at"), call.direction == Direction.INBOUND)
        .where(part.external.is_(False), part.talk_s.is_not(None))
        .group_by(part.node, part.agent)
    )
    return {(node, agent): round(total, 3) for node, agent, total in connection.execute(wanted).all()}


def _away(connection: sa.Connection, period: Period) -> dict[Key, dict[str, float]]:
    told = last_told(connection)
    found: dict[Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for node, interval in shown_intervals(connection, period):
        ended_at = min(interval.ended_at or told.get(node, interval.began_at), period.end)
        lasted = (ended_at - max(interval.began_at, period.begin)).total_seconds()
        found[node, interval.agent][interval.state] += max(lasted, 0.0)
    return found


def _names(connection: sa.Connection) -> dict[Key, str | None]:
    table = schema.agent.c
    found = connection.execute(sa.select(table.node, table.agent, table.name))
    return {(node, agent): name for node, agent, name in found.all()}
