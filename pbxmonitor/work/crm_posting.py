"""A delivery to a CRM as the call of its adapter that it stands for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.crm import CallbackClosed, CallbackOpened, CallEnded, Crm, Outcome, Reference
from pbxmonitor.domain.call import Direction
from pbxmonitor.domain.callback import State
from pbxmonitor.domain.roster import Roster
from pbxmonitor.notify.wording import filters
from pbxmonitor.store import schema
from pbxmonitor.store.notices import unpacked
from pbxmonitor.store.outbox import Delivery, DeliveryState
from pbxmonitor.store.types import reading
from pbxmonitor.texts import tr
from pbxmonitor.work.dispatch import Later, Refused

WAITS = timedelta(seconds=15).total_seconds()


class CrmPost:
    """One CRM for the outbox; what it is told is one of crm_call, crm_open and crm_close."""

    per_second: float | None = None
    per_address_per_minute: float | None = None

    def __init__(self, adapter: Crm, database: AsyncEngine, roster: Roster, language: str) -> None:
        self._crm = adapter
        self._roster = roster
        self._database = database
        self._language = language
        words = filters(language, roster.hours.zone)
        self._phone, self._time = words["phone"], words["time"]

    async def send(self, delivery: Delivery) -> str | None:
        """Tell it; the reference is the CRM's own id of what was made."""
        values = unpacked(dict(delivery.values))
        match delivery.template:
            case "crm_call":
                made = await self._crm.report(_call(values))
            case "crm_open":
                made = await self._crm.open_task(self._opened(values))
            case "crm_close":
                made = await self._close(values)
            case other:
                raise Refused(f"a CRM cannot be told {other!r}")
        return made.id if made is not None else None

    def _opened(self, values: Mapping[str, Any]) -> CallbackOpened:
        client, at = self._phone(values["number"]), self._time(values["at"])
        key = "crm.task.text" if values["queue"] is None else "crm.task.text_in_queue"
        text = tr(key, language=self._language, client=client, at=at, queue=values["queue"])
        return CallbackOpened(
            id=values["id"],
            number=values["number"],
            line=values["line"],
            owner=values["owner"],
            due_at=values["due_at"],
            missed=values["missed"],
            text=text,
        )

    async def _close(self, values: Mapping[str, Any]) -> Reference | None:
        """Close the task that was opened; one that is still on its way is waited for, one that never was is none."""
        state, reference = await reading(self._database, lambda connection: _delivered(connection, values["opened"]))
        if state == DeliveryState.WAITING:
            raise Later("the task is not in the CRM yet", WAITS)
        if state != DeliveryState.SENT:
            return None
        closed = CallbackClosed(
            id=values["id"],
            state=State(values["state"]),
            rescuer=values["rescuer"],
            rescuer_name=self._roster.name_of(values["rescuer"]),
            at=values["at"],
            call=values["call"],
        )
        await self._crm.close_task(closed, Reference(id=reference) if reference else None)
        return None


def _delivered(connection: sa.Connection, name: str) -> tuple[str | None, str | None]:
    """How far the delivery of that name is, and the receiver's own name for it."""
    table = schema.delivery.c
    row = connection.execute(sa.select(table.state, table.reference).where(table.id == name)).one_or_none()
    return (row.state, row.reference) if row is not None else (None, None)


def _call(values: Mapping[str, Any]) -> CallEnded:
    own = {"direction": Direction(values["direction"]), "outcome": Outcome(values["outcome"])}
    return CallEnded(**{**values, **own})
