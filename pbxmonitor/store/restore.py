"""A call back from its rows, as far as judging, owing and explaining it again need: rows hold all of its story."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pbxmonitor.domain.call import (
    Call,
    Direction,
    EndedBy,
    Leg,
    Offer,
    OfferResult,
    Stage,
    StageKind,
    StageResult,
    Talk,
    Transfer,
)
from pbxmonitor.domain.callback import outside_leg
from pbxmonitor.store import schema
from pbxmonitor.store.types import among

Found = sa.Row[Any]
Parts = Mapping[str, Sequence[Found]]
# What a call is restored from, and the order of each.
PARTS = (
    (schema.stage, "position"),
    (schema.offer, "position"),
    (schema.talk, "position"),
    (schema.transfer, "position"),
)
_OUTSIDE = "outside"


def evidence_of(call: Call) -> str | None:
    """What judging needs beside the rows, as JSON; None when that is nothing."""
    told: dict[str, Any] = {}
    if call.ended_at is not None and call.caller_left:
        told["left"] = True
    gone = call.first_leg.ended_at
    if call.direction is Direction.INBOUND and not call.talks and gone is not None and gone != call.ended_at:
        told["gone"] = gone.isoformat()
    if call.vanished:
        told["vanished"] = True
    if call.late:
        told["late"] = True
    if any(talk.late for talk in call.talks):
        told["late_talks"] = [place for place, talk in enumerate(call.talks) if talk.late]
    if call.dumped:
        told["dumped"] = list(call.dumped)
    leg = outside_leg(call) if call.direction is Direction.OUTBOUND else None
    if leg is not None:
        told[_OUTSIDE] = _told(leg)
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) if told else None


def _told(leg: Leg) -> dict[str, Any]:
    """The ring of the other side; seconds are whole microseconds in ISO 8601."""
    return {
        "number": leg.number,
        "began_at": leg.began_at.isoformat(),
        "answered_at": leg.answered_at and leg.answered_at.isoformat(),
        "ended_at": leg.ended_at and leg.ended_at.isoformat(),
        "cause": leg.cause,
        "left": leg.gave_up,
    }


def restored(connection: sa.Connection, rows: Sequence[Found]) -> list[Call]:
    """The calls of those rows of one node, in the same order."""
    if not rows:
        return []
    found = {table.name: _parts_of(connection, rows, table, order) for table, order in PARTS}
    return [call_of(row, {name: parts.get(row.key, ()) for name, parts in found.items()}) for row in rows]


def _parts_of(
    connection: sa.Connection, rows: Sequence[Found], table: sa.Table, order: str
) -> Mapping[str, list[Found]]:
    mine = sa.and_(table.c.node == rows[0].node, among(connection, table.c.call, [row.key for row in rows]))
    found: dict[str, list[Found]] = {}
    for part in connection.execute(sa.select(table).where(mine).order_by(table.c.call, table.c[order])).all():
        found.setdefault(part.call, []).append(part)
    return found


def call_of(row: Found, parts: Parts) -> Call:
    """The call of a row of `call` and those below it."""
    told = json.loads(row.evidence) if row.evidence else {}
    legs = _legs(row, told)
    return Call(
        node=row.node,
        key=row.key,
        direction=Direction(row.direction),
        caller=row.caller,
        called=row.called,
        started_at=row.started_at,
        first=row.key,
        anchor=_OUTSIDE if row.direction == Direction.OUTBOUND else row.key,
        ended_at=row.ended_at,
        legs=legs,
        stages=tuple(map(_stage, parts["stage"])),
        offers=tuple(map(_offer, parts["offer"])),
        talks=tuple(_talk(each, each.position in told.get("late_talks", ())) for each in parts["talk"]),
        transfers=tuple(
            Transfer(kind=each.kind, frm=each.from_agent, to=each.to_agent, at=each.at) for each in parts["transfer"]
        ),
        dumped=tuple(told.get("dumped", ())),
        connected_at=row.connected_at,
        connected_s=row.talk_s,
        vanished=told.get("vanished", False),
        late=told.get("late", False),
    )


def _legs(row: Found, told: Mapping[str, Any]) -> dict[str, Leg]:
    """The caller's channel; of an outbound call also the other side's, if it rang."""
    outbound, gone = row.direction == Direction.OUTBOUND, _moment(told.get("gone")) or row.ended_at
    first = Leg(
        id=row.key,
        endpoint="",
        agent=row.caller if outbound else None,
        number=row.caller,
        trunk=row.direction == Direction.INBOUND,
        local=False,
        began_at=row.started_at,
        asked_at=gone if told.get("left") else None,
        ended_at=gone,
    )
    other = told.get(_OUTSIDE)
    if other is None:
        return {first.id: first}
    ended_at = _moment(other["ended_at"])
    outside = Leg(
        id=_OUTSIDE,
        endpoint="",
        agent=None,
        number=other["number"],
        trunk=True,
        local=False,
        began_at=datetime.fromisoformat(other["began_at"]),
        answered_at=_moment(other["answered_at"]),
        asked_at=ended_at if other["left"] else None,
        ended_at=ended_at,
        cause=other["cause"],
    )
    return {first.id: first, outside.id: outside}


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _stage(row: Found) -> Stage:
    return Stage(
        kind=StageKind(row.kind),
        name=row.name,
        entered_at=row.entered_at,
        left_at=row.left_at,
        result=StageResult(row.result) if row.result else None,
        available=row.available,
        reachable=row.reachable,
        idle=row.idle,
    )


def _offer(row: Found) -> Offer:
    return Offer(
        agent=row.agent,
        queue=row.queue,
        began_at=row.began_at,
        leg=_offer_leg(row.position),
        ended_at=row.ended_at,
        result=OfferResult(row.result) if row.result else None,
        consultation=not row.counts,
    )


def _talk(row: Found, late: bool) -> Talk:
    return Talk(
        agent=row.agent,
        leg=_offer_leg(row.offer) if row.offer is not None else f"talk-{row.position}",
        began_at=row.began_at,
        ended_at=row.ended_at,
        ended_by=EndedBy(row.ended_by) if row.ended_by else None,
        hold_s=row.hold_s,
        external=row.external,
        late=late,
    )


def _offer_leg(position: int) -> str:
    return f"offer-{position}"
