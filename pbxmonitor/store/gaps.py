"""Stretches when nobody listened, and what was taken in for them afterwards from what the PBX keeps itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.call import Direction
from pbxmonitor.store import schema

_G: Final = schema.gap.c
_CALL: Final = schema.call.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Nobody listened to that PBX from one moment to the other."""

    node: str
    lost_at: datetime
    restored_at: datetime


def unrepaired(connection: sa.Connection, nodes: Sequence[str], since: datetime, until: datetime) -> list[Gap]:
    """The gaps of those PBXs that ended in that time and were not looked into yet, the first one first."""
    wanted = (
        sa.select(_G.node, _G.lost_at, _G.restored_at)
        .where(_G.node.in_(nodes), _G.repaired_at.is_(None), _G.restored_at >= since, _G.restored_at <= until)
        .order_by(_G.lost_at, _G.node)
    )
    return [Gap(**row) for row in connection.execute(wanted).mappings()]


def repair(connection: sa.Connection, gap: Gap, calls: int, now: datetime) -> None:
    """That gap was looked into, and so many calls were taken in."""
    this = sa.and_(_G.node == gap.node, _G.lost_at == gap.lost_at)
    connection.execute(sa.update(schema.gap).where(this).values(repaired_at=now, calls=calls))


def missed_in(connection: sa.Connection, gap: Gap, live: str) -> int:
    """How many clients' calls were lost in it, as others than the `live` source tell."""
    wanted = sa.select(sa.func.count()).where(
        _CALL.node == gap.node,
        _CALL.started_at >= gap.lost_at,
        _CALL.started_at <= gap.restored_at,
        _CALL.direction == Direction.INBOUND,
        _CALL.lost.is_(True),
        _CALL.source != live,
    )
    return connection.execute(wanted).scalar_one()
