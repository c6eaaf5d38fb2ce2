"""What people were told, by pages, the latest first: alerts that fired, digests that were written. Reads only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.alerting import Alert, AlertState
from pbxmonitor.store import schema
from pbxmonitor.store.alerts import alert_of

_A: Final = schema.alert.c
_G: Final = schema.digest.c
_D: Final = schema.delivery.c
PAST: Final = (AlertState.COOLING, AlertState.RESOLVED)
FIRED: Final = (AlertState.FIRING, *PAST)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPlace:
    """The last alert of a page: the next one begins after it."""

    began_at: datetime
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """Some alerts with their ids; `next` is None on the last page."""

    alerts: Sequence[tuple[str, Alert]]
    next: AlertPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One digest; `channel` and what follows are of its delivery, None where nothing was to be said, or it is gone."""

    kind: str
    person: str
    begin: date
    made_at: datetime
    channel: str | None
    state: str | None
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPlace:
    """The last digest of a page."""

    made_at: datetime
    kind: str
    person: str
    begin: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestPage:
    """Some digests; `next` is None on the last page."""

    digests: Sequence[Digest]
    next: DigestPlace | None


def alerts(
    connection: sa.Connection, states: Sequence[AlertState], *, limit: int, after: AlertPlace | None = None
) -> AlertPage:
    """So many alerts of those states that began before that one."""
    wanted = sa.select(schema.alert).where(_A.state.in_(states))
    if after is not None:
        beyond = sa.or_(_A.began_at < after.began_at, _A.id < after.id)
        wanted = wanted.where(_A.began_at <= after.began_at, beyond)
    asked = wanted.order_by(_A.began_at.desc(), _A.id.desc()).limit(limit + 1)
    rows = connection.execute(asked).mappings().all()
    found = [(str(row["id"]), alert_of(row)) for row in rows[:limit]]
    more = len(rows) > limit
    return AlertPage(alerts=found, next=AlertPlace(began_at=found[-1][1].began_at, id=found[-1][0]) if more else None)


def digests(connection: sa.Connection, *, limit: int, after: DigestPlace | None = None) -> DigestPage:
    """So many digests that were written before that one."""
    joined = schema.digest.outerjoin(schema.delivery, _D.id == _G.delivery)
    of_delivery = (_D.channel, _D.state, _D.ended_at, _D.error)
    wanted = sa.select(_G.kind, _G.person, _G.begin, _G.made_at, *of_delivery).select_from(joined)
    if after is not None:
        wanted = wanted.where(_after(after))
    order = (_G.made_at.desc(), _G.kind, _G.person, _G.begin)
    rows = connection.execute(wanted.order_by(*order).limit(limit + 1)).all()
    found = [Digest(**row._asdict()) for row in rows[:limit]]
    return DigestPage(digests=found, next=_place(found[-1]) if len(rows) > limit else None)


def _after(place: DigestPlace) -> sa.ColumnElement[bool]:
    same_kind = sa.and_(_G.kind == place.kind, _G.person > place.person)
    same_person = sa.and_(_G.kind == place.kind, _G.person == place.person, _G.begin > place.begin)
    same_moment = sa.and_(_G.made_at == place.made_at, sa.or_(_G.kind > place.kind, same_kind, same_person))
    return sa.or_(_G.made_at < place.made_at, same_moment)


def _place(digest: Any) -> DigestPlace:
    return DigestPlace(made_at=digest.made_at, kind=digest.kind, person=digest.person, begin=digest.begin)
