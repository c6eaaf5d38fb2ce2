"""Names that agents had before: what facts, logs and old settings call them, and who they are now.

A row of `alias` holds for one PBX: the extension 204 of another one may be somebody else. All of them lead to today's
name in one step. Whoever plays facts or reads logs asks here; a daemon hears of a new one by its lease (`names`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from pbxmonitor.domain.renaming import Names
from pbxmonitor.store import schema

_A: Final = schema.alias.c
_LEASE: Final = schema.lease.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Alias:
    """Who was `name` is `agent`; `finished_at` is None while rows are still being brought along."""

    node: str
    name: str
    agent: str
    by: str
    at: datetime
    finished_at: datetime | None


def names_of(connection: sa.Connection, node: str) -> Names:
    """By the names that agents of that node had, those that they have."""
    found = connection.execute(sa.select(_A.name, _A.agent).where(_A.node == node))
    return {row.name: row.agent for row in found}


def aliases(connection: sa.Connection) -> list[Alias]:
    """All of them by today's name."""
    found = connection.execute(sa.select(schema.alias).order_by(_A.agent, _A.name, _A.node)).all()
    return [Alias(**row._asdict()) for row in found]


def former_names(connection: sa.Connection, agent: str, node: str | None = None) -> list[str]:
    """What that agent was called before, on that PBX or on any."""
    mine = sa.select(_A.name).where(_A.agent == agent).distinct().order_by(_A.name)
    return list(connection.execute(mine if node is None else mine.where(_A.node == node)).scalars())


def everywhere(connection: sa.Connection) -> Mapping[str, str]:
    """Names that mean the same on every PBX that has them: by those may be read what knows no PBX, as the audit."""
    found: dict[str, str | None] = {}
    for name, agent in connection.execute(sa.select(_A.name, _A.agent)):
        found[name] = agent if found.get(name, agent) == agent else None
    return {name: agent for name, agent in found.items() if agent is not None}


def change(connection: sa.Connection, node: str, old: str, new: str, by: str, now: datetime) -> None:
    """From now on what is told of `old` is told of `new`, and so is what led to `old`; daemons learn of it."""
    here = _A.node == node
    connection.execute(sa.delete(schema.alias).where(here, _A.name.in_([new, old])))
    connection.execute(sa.update(schema.alias).where(here, _A.agent == old).values(agent=new))
    row = {"node": node, "name": old, "agent": new, "by": by, "at": now, "finished_at": None}
    connection.execute(sa.insert(schema.alias).values(**row))
    connection.execute(sa.update(schema.lease).where(_LEASE.node == node).values(names=_LEASE.names + 1))


def finish(connection: sa.Connection, node: str, old: str, now: datetime) -> None:
    """All rows say the new name."""
    mine = sa.and_(_A.node == node, _A.name == old)
    connection.execute(sa.update(schema.alias).where(mine).values(finished_at=now))
