"""The audit, read by pages: who did what, and who was shown whose data. Nothing here changes or removes a line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.view import Json
from pbxmonitor.store import schema

_A: Final = schema.audit.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One deed; `node` and `subject` are the call or callback that it was done to, where there is one."""

    id: str
    at: datetime
    who: str
    action: str
    node: str | None
    subject: str | None
    details: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which lines: those that fit all that is given; the time is [begin, end)."""

    who: str | None = None
    action: str | None = None
    begin: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The last line of a page: the next one begins after it."""

    at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some lines, the latest first; `next` is None on the last page."""

    lines: Sequence[Line]
    next: Place | None


def page(connection: sa.Connection, wanted: Wanted, *, limit: int, after: Place | None = None) -> Page:
    """So many lines that are wanted, after that place."""
    asked = sa.select(schema.audit).where(*_conditions(wanted, after))
    rows = connection.execute(asked.order_by(_A.at.desc(), _A.id.desc()).limit(limit + 1)).all()
    lines = [_line(row) for row in rows[:limit]]
    last = Place(at=lines[-1].at, id=lines[-1].id) if lines else None
    return Page(lines=lines, next=last if len(rows) > limit else None)


def _conditions(wanted: Wanted, after: Place | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.who is not None:
        found.append(_A.who == wanted.who)
    if wanted.action is not None:
        found.append(_A.action == wanted.action)
    if wanted.begin is not None:
        found.append(_A.at >= wanted.begin)
    if wanted.end is not None:
        found.append(_A.at < wanted.end)
    if after is not None:
        # The first condition is what an index can be read by.
        found += [_A.at <= after.at, sa.or_(_A.at < after.at, _A.id < after.id)]
    return found


def _line(row: sa.Row[Any]) -> Line:
    return Line(**{**row._asdict(), "details": json.loads(row.details)})
