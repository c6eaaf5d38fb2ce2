"""The audit, read by pages: who did what, and who was shown whose data. Nothing here changes or removes a line."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.view import Json
from pbxmonitor.store import schema
from pbxmonitor.store.aliases import everywhere

_A: Final = schema.audit.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One deed; `node` and `subject` are the call or callback that it was done to, where there is one.

    `who` is as it was written then, `person` what he is called now.
    """

    id: str
    at: datetime
    who: str
    action: str
    node: str | None
    subject: str | None
    details: Json
    person: str


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
    names = everywhere(connection)
    asked = sa.select(schema.audit).where(*_conditions(wanted, after, names))
    rows = connection.execute(asked.order_by(_A.at.desc(), _A.id.desc()).limit(limit + 1)).all()
    lines = [_line(row, names) for row in rows[:limit]]
    last = Place(at=lines[-1].at, id=lines[-1].id) if lines else None
    return Page(lines=lines, next=last if len(rows) > limit else None)


def _conditions(wanted: Wanted, after: Place | None, names: Mapping[str, str]) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.who is not None:
        found.append(_A.who.in_([wanted.who, *(name for name, now in names.items() if now == wanted.who)]))
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


def _line(row: sa.Row[Any], names: Mapping[str, str]) -> Line:
    return Line(**{**row._asdict(), "details": json.loads(row.details)}, person=names.get(row.who, row.who))
