"""Numbers that never open a callback, kept by people in the program, beside those of the settings file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.types import upsert

_R: Final = schema.number_rule.c


class Kind(StrEnum):
    """Why nobody calls that number back."""

    OWN = "own"
    BRANCH = "branch"
    DOOR = "door"
    FAX = "fax"
    BLOCKED = "blocked"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One number, in canonical form (E.164 where it is one), why, and who said so."""

    number: str
    kind: Kind
    note: str | None
    by: str
    at: datetime


def rules(connection: sa.Connection) -> Sequence[Rule]:
    """All of them, by kind and number."""
    rows = connection.execute(sa.select(schema.number_rule).order_by(_R.kind, _R.number)).all()
    return [Rule(**{**row._asdict(), "kind": Kind(row.kind)}) for row in rows]


def put(connection: sa.Connection, number: str, kind: Kind, note: str | None, by: str, at: datetime) -> Rule:
    """Keep the number, or give it another kind or note; callbacks that are open stay open."""
    said = " ".join((note or "").split()) or None
    rule = Rule(number=number, kind=kind, note=said, by=by, at=at)
    row = {"number": number, "kind": kind.value, "note": said, "by": by, "at": at}
    upsert(connection, schema.number_rule, [row])
    audit(connection, at, by, "number_put", None, {"number": number, "kind": kind.value, "note": said})
    return rule


def remove(connection: sa.Connection, number: str, by: str, at: datetime) -> bool:
    """Forget the number; whether it was there."""
    kind = kind_of(connection, number)
    if kind is None:
        return False
    connection.execute(sa.delete(schema.number_rule).where(_R.number == number))
    audit(connection, at, by, "number_remove", None, {"number": number, "kind": kind.value})
    return True


def kind_of(connection: sa.Connection, number: str) -> Kind | None:
    """Why that number opens no callback; None where it may."""
    found = connection.execute(sa.select(_R.kind).where(_R.number == number)).scalar()
    return None if found is None else Kind(found)


def never(connection: sa.Connection, number: str) -> bool:
    """Whether that number opens no callback."""
    return kind_of(connection, number) is not None
