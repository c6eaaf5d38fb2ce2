"""The sums of each day, kept beside the rows they are made from, and which of them still hold."""

from collections.abc import Iterable
from datetime import date
from secrets import token_hex

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.types import upsert


def mark_stale(connection: sa.Connection, node: str, days: Iterable[date]) -> None:
    """Say that rows of those days (of the site's zone) change in this transaction: their sums hold no more."""
    token = token_hex(8)
    rows = [{"node": node, "day": day, "fresh": False, "token": token, "zone": ""} for day in sorted(set(days))]
    upsert(connection, schema.rollup, rows)
