"""Phones that have been seen and belong to nobody whom the settings name."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from pbxmonitor.store import schema

_D: Final = schema.agent_device.c
# More are no help to who looks for one.
MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A phone, and what its calls are told of now: its extension."""

    node: str
    endpoint: str
    agent: str
    online: bool


def strangers(connection: sa.Connection, people: Collection[str], phones: Collection[str]) -> Sequence[Stranger]:
    """Phones whose agent is none of those people and that are none of those phones, those that are there first."""
    rows = connection.execute(sa.select(schema.agent_device).order_by(_D.online.desc(), _D.agent, _D.endpoint)).all()
    known = {phone.lower() for phone in phones}
    found = [Stranger(**row._asdict()) for row in rows if row.agent not in people]
    return [each for each in found if each.endpoint.lower() not in known and each.agent.lower() not in known][:MOST]
