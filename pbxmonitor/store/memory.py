"""What a channel or a CRM must not forget, kept in the database under its name."""

from functools import partial

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import schema
from pbxmonitor.store.types import reading, upsert, writing

_M = schema.memory.c


class StoredMemory:
    """One owner's memory; what was put would survive a crash."""

    def __init__(self, engine: AsyncEngine, owner: str) -> None:
        self._engine = engine
        self._owner = owner

    async def get(self, key: str) -> str | None:
        """What was last put there."""
        return await reading(self._engine, partial(self._read, key=key))

    def _read(self, connection: sa.Connection, key: str) -> str | None:
        mine = sa.select(_M.content).where(_M.owner == self._owner, _M.name == key)
        found: str | None = connection.execute(mine).scalar()
        return found

    async def put(self, key: str, value: str) -> None:
        """Keep it instead of what was there."""
        row = {"owner": self._owner, "name": key, "content": value}
        await writing(self._engine, lambda connection: upsert(connection, schema.memory, [row]))
