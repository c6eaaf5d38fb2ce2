"""Imported calls that are part of a call known better: a consultation, a pick-up, a leg with a name of its own.

What joined another call while the daemon listened is no call of its own in the journal, so its name is not known
there. It belongs to a call during which it began, if it shares with it the client, a ring, a talk or a stay in a queue,
or if it was made by an agent who was in that very conversation.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Call, Direction
from pbxmonitor.store import schema
from pbxmonitor.store.types import among

Found = sa.Row[Any]
# Logs know whole seconds, and round them differently.
_NEAR: Final = timedelta(seconds=3)
# Hardly any call within which another one begins is longer.
_LONG: Final = timedelta(hours=4)
_HOUR: Final = timedelta(hours=1)
_CALL: Final = schema.call.c
_PARTS: Final = (
    (schema.stage, "entered_at", "name"),
    (schema.offer, "began_at", "agent"),
    (schema.talk, "began_at", "agent"),
)
_TALKS: Final = schema.talk.name


def parts_of_others(connection: sa.Connection, calls: Sequence[Call], sources: Iterable[str]) -> set[str]:
    """The keys of those of the calls (of one node, none known by its key) that belong to calls from those sources."""
    around = _around(connection, calls, sources)
    near = {call.key: [row for row in around.get(_hour(call.started_at), ()) if _during(call, row)] for call in calls}
    parts = _parts(connection, calls[0].node, sorted({row.key for rows in near.values() for row in rows}))
    return {call.key for call in calls if any(_belongs(call, row, parts[row.key]) for row in near[call.key])}


def _around(connection: sa.Connection, calls: Sequence[Call], sources: Iterable[str]) -> dict[datetime, list[Found]]:
    """By hour the calls from those sources that were going on in it and whose end was seen."""
    begin, end = min(call.started_at for call in calls), max(call.started_at for call in calls)
    wanted = sa.select(*(_CALL[name] for name in ("key", "direction", "caller", "started_at", "ended_at"))).where(
        _CALL.started_at >= begin - _LONG,
        _CALL.started_at <= end + _NEAR,
        _CALL.node == calls[0].node,
        _CALL.source.in_(sorted(sources)),
        _CALL.ended_at.is_not(None),
        sa.or_(_CALL.evidence.is_(None), ~_CALL.evidence.like('%"vanished":true%')),
    )
    found: dict[datetime, list[Found]] = {}
    for row in connection.execute(wanted).all():
        hour = _hour(row.started_at - _NEAR)
        while hour <= row.ended_at + _NEAR:
            found.setdefault(hour, []).append(row)
            hour += _HOUR
    return found


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _during(call: Call, row: Found) -> bool:
    return bool(row.started_at - _NEAR <= call.started_at <= row.ended_at + _NEAR)


def _parts(connection: sa.Connection, node: str, keys: Sequence[str]) -> Mapping[str, list[tuple[str, Found]]]:
    found: dict[str, list[tuple[str, Found]]] = {key: [] for key in keys}
    for table, at, who in _PARTS if keys else ():
        ended = table.c.left_at if table is schema.stage else table.c.ended_at
        columns = [table.c.call, table.c[at].label("at"), table.c[who].label("who"), ended.label("ended_at")]
        mine = sa.and_(table.c.node == node, among(connection, table.c.call, keys))
        for row in connection.execute(sa.select(*columns).where(mine)).all():
            found[row.call].append((table.name, row))
    return found


def _belongs(call: Call, row: Found, parts: Sequence[tuple[str, Found]]) -> bool:
    inbound = call.direction is Direction.INBOUND
    if inbound and row.direction == Direction.INBOUND and call.caller is not None and call.caller == row.caller:
        return True
    agents = not inbound or not (call.caller or "+").startswith("+")  # queue_log: an agent consults another queue
    if agents and any(kind == _TALKS and _talks_meanwhile(call, part) for kind, part in parts):
        return True
    own = [(schema.stage.name, stage.name, stage.entered_at) for stage in call.stages]
    own += [(schema.offer.name, offer.agent, offer.began_at) for offer in call.offers]
    own += [(_TALKS, talk.agent, talk.began_at) for talk in call.talks]
    return any(
        kind == part_kind and who == part.who and abs(at - part.at) <= _NEAR
        for kind, who, at in own
        for part_kind, part in parts
    )


def _talks_meanwhile(call: Call, talk: Found) -> bool:
    until = (talk.ended_at or call.started_at) + _NEAR
    return bool(talk.who == call.caller and talk.at <= call.started_at <= until)
