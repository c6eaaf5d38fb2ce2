"""Imported stretches of availability as rows: never over what is known from elsewhere, and once however often told."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.agent import Interval
from pbxmonitor.domain.evolve import evolve
from pbxmonitor.store import schema
from pbxmonitor.store.rows import AVAILABILITY, interval_row
from pbxmonitor.store.types import Row, among, upsert

Span = tuple[datetime, datetime]
_TABLE: Final = schema.agent_interval
_PART: Final = _TABLE.c
_KEY: Final = tuple(column.name for column in _TABLE.primary_key.columns)
_GONE: Final = sa.delete(_TABLE).where(*(_PART[name] == sa.bindparam(f"of_{name}") for name in _KEY))
# What is open lasts longer than any log.
_FOR_EVER: Final = timedelta(days=36_500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """All that an import tells of one agent's availability from `begin` to `end`, in the order of time."""

    agent: str
    begin: datetime
    end: datetime
    intervals: Sequence[Interval]


def consecutive(intervals: Iterable[Interval]) -> Iterator[Interval]:
    """The ended stretches of one agent in the order of time, none beginning before the one before it has ended."""
    reached: datetime | None = None
    for interval in sorted(intervals, key=_began):
        begin = interval.began_at if reached is None else max(interval.began_at, reached)
        if interval.ended_at is not None and begin < interval.ended_at:
            yield interval if begin == interval.began_at else evolve(interval, began_at=begin)
            reached = interval.ended_at


def _began(interval: Interval) -> datetime:
    return interval.began_at


def write_stretches(connection: sa.Connection, node: str, source: str, told: Sequence[Told]) -> list[Span]:
    """Write them; between which moments there is something else now.

    What another source knows stands, and what is told is cut by it. Of the same source what lies between is replaced;
    of what reaches out the outer part stays.
    """
    there = _there(connection, node, told)
    changed: list[Span] = []
    gone: list[Row] = []
    new: list[Row] = []
    for each in told:
        own = [row for row in there.get(each.agent, ()) if row["source"] == source]
        others = [row for row in there.get(each.agent, ()) if row["source"] != source]
        wanted = {row["began_at"]: row for row in _wanted(each, own, others, node, source)}
        was = {row["began_at"]: row for row in own}
        gone += [row for began_at, row in was.items() if began_at not in wanted]
        new += [row for began_at, row in wanted.items() if was.get(began_at) != row]
        changed += [_span(row) for row in own if wanted.get(row["began_at"]) != row]
    if gone:
        connection.execute(_GONE, [{f"of_{name}": row[name] for name in _KEY} for row in gone])
    upsert(connection, _TABLE, new)
    return changed + [_span(row) for row in new]


def _there(connection: sa.Connection, node: str, told: Sequence[Told]) -> dict[str, list[dict[str, Any]]]:
    """By agent the rows that touch those stretches of time, in the order of time."""
    begin, end = min(each.begin for each in told), max(each.end for each in told)
    agents = among(connection, _PART.agent, sorted({each.agent for each in told}))
    mine = sa.and_(_PART.node == node, _PART.track == AVAILABILITY, agents)
    near = sa.and_(_PART.began_at <= end, sa.or_(_PART.ended_at.is_(None), _PART.ended_at >= begin))
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(sa.select(_TABLE).where(mine, near).order_by(_PART.began_at)).mappings():
        found.setdefault(row["agent"], []).append(dict(row))
    return found


def _wanted(told: Told, own: Sequence[Row], others: Sequence[Row], node: str, source: str) -> Iterator[Row]:
    """What this source's rows should be."""
    spans = [(row["began_at"], _ended(row)) for row in others]
    for row in own:
        yield from _outside(row, told)
    for interval in told.intervals:
        for piece in cut(interval, spans):
            yield interval_row(node, AVAILABILITY, piece, source)


def _outside(row: Row, told: Told) -> Iterator[Row]:
    """What of the row lies before and after that time."""
    if row["began_at"] < told.begin:
        yield {**row, "ended_at": min(row["ended_at"] or told.begin, told.begin)}
    if _ended(row) > told.end:
        yield {**row, "began_at": max(row["began_at"], told.end)}


def cut(interval: Interval, others: Iterable[Span]) -> Iterator[Interval]:
    """What of the stretch no other one covers; the others are in the order of time."""
    at, end = interval.began_at, interval.ended_at or interval.began_at
    for begin, until in others:
        if at < min(begin, end):
            yield evolve(interval, began_at=at, ended_at=min(begin, end))
        at = max(at, until)
    if at < end:
        yield evolve(interval, began_at=at, ended_at=end)


def _ended(row: Row) -> datetime:
    ended: datetime | None = row["ended_at"]
    return row["began_at"] + _FOR_EVER if ended is None else ended


def _span(row: Row) -> Span:
    return row["began_at"], row["ended_at"] or row["began_at"]
