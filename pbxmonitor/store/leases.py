"""One writer per node: a lease with a fence that grows with every holder, so that a late one is known by his."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import schema
from pbxmonitor.store.types import insert_new, writing

_NEVER: Final = datetime(1970, 1, 2, tzinfo=UTC)
_TABLE: Final = schema.lease.c


class LeaseLost(Exception):  # noqa: N818 - a word of the field
    """Another daemon writes for this node now; stop writing."""

    def __init__(self, node: str) -> None:
        super().__init__(f"{node}: another daemon has taken this PBX over; stop one of the two")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to write for a node until `until`; `fence` is larger than any earlier holder's."""

    node: str
    holder: str
    fence: int
    until: datetime


async def acquire(engine: AsyncEngine, node: str, holder: str, now: datetime, keep: timedelta) -> Lease | None:
    """The lease for `keep` from now, if nobody else holds it; None while another does."""
    return await writing(engine, lambda connection: _acquired(connection, node, holder, now, keep))


def _acquired(connection: sa.Connection, node: str, holder: str, now: datetime, keep: timedelta) -> Lease | None:
    insert_new(connection, schema.lease, [{"node": node, "holder": "", "fence": 0, "until": _NEVER}])
    row = connection.execute(_locked(node)).one()
    if row.holder != holder and row.until > now:
        return None
    lease = Lease(node=node, holder=holder, fence=row.fence + 1, until=now + keep)
    connection.execute(_written(lease))
    return lease


async def renew(engine: AsyncEngine, lease: Lease, now: datetime, keep: timedelta) -> Lease:
    """The same lease for `keep` from now; LeaseLost when another has it."""
    longer = replace(lease, until=now + keep)
    await writing(engine, lambda connection: _renewed(connection, lease, longer))
    return longer


def _renewed(connection: sa.Connection, lease: Lease, longer: Lease) -> None:
    ensure_held(connection, lease)
    connection.execute(_written(longer))


async def release(engine: AsyncEngine, lease: Lease) -> None:
    """Let the next daemon begin at once; nothing happens when the lease is already another's."""
    mine = sa.and_(_TABLE.node == lease.node, _TABLE.fence == lease.fence)
    await writing(engine, lambda c: c.execute(sa.update(schema.lease).where(mine).values(until=_NEVER)))


def ensure_held(connection: sa.Connection, lease: Lease) -> int:
    """Hold the lease's row until the transaction ends; LeaseLost when another has taken it since.

    How often agents of the node have got other names (store/aliases.py): it costs no question of its own.
    """
    row = connection.execute(_locked(lease.node)).one_or_none()
    if row is None or row.fence != lease.fence:
        raise LeaseLost(lease.node)
    return int(row.names)


def _locked(node: str) -> sa.Select[tuple[str, int, datetime, int]]:
    wanted = sa.select(_TABLE.holder, _TABLE.fence, _TABLE.until, _TABLE.names)
    return wanted.where(_TABLE.node == node).with_for_update()


def _written(lease: Lease) -> sa.Update:
    values = {"holder": lease.holder, "fence": lease.fence, "until": lease.until}
    return sa.update(schema.lease).where(_TABLE.node == lease.node).values(values)
