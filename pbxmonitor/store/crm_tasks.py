"""Callbacks as tasks of CRMs: opened by a step of the chain, closed when the client has been talked to."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.case import Case
from pbxmonitor.store.notices import name_of, packed
from pbxmonitor.store.outbox import Delivery

# Nobody wants a task for a client who was missed so long before it could be made.
STALE: Final = timedelta(days=1)


def opened(case: Case, crms: Iterable[str], now: datetime) -> list[Delivery]:
    """A task in each of those CRMs; none for what is long past."""
    if now - case.debt.due_at > STALE:
        return []
    return [_open(case, crm, now) for crm in crms]


def closed(connection: sa.Connection, case: Case, crms: Sequence[str], now: datetime) -> list[Delivery]:
    """The ends of the tasks that were made, or are being made."""
    names = {open_name(case, crm): crm for crm in crms}
    if not names:
        return []
    table = schema.delivery.c
    found = connection.execute(sa.select(table.id).where(table.id.in_(list(names)))).scalars()
    return [_close(case, names[name], now) for name in found]


def open_name(case: Case, crm: str) -> str:
    """The name of the delivery that makes the task; a callback opened anew gets a new one."""
    return name_of("crm_open", crm, *case.key, *case.round)


def _open(case: Case, crm: str, now: datetime) -> Delivery:
    debt = case.debt
    values = {
        "id": _id(case),
        "number": debt.number,
        "line": debt.line,
        "owner": case.whose,
        "due_at": debt.due_at,
        "missed": debt.priority,
        "at": case.at,
        "queue": case.queue,
    }
    return to_crm(crm, open_name(case, crm), "crm_open", values, now, about=case.key)


def _close(case: Case, crm: str, now: datetime) -> Delivery:
    debt = case.debt
    values = {
        "id": _id(case),
        "state": debt.state.value,
        "rescuer": debt.rescuer,
        "at": debt.closed_at or now,
        "call": debt.closed_by_call,
        "opened": open_name(case, crm),
    }
    name = name_of("crm_close", crm, *case.key, *case.round, debt.closed_by_call or "")
    return to_crm(crm, name, "crm_close", values, now, about=case.key)


def _id(case: Case) -> str:
    """What the CRM knows the task by: another one after it was opened anew."""
    return "/".join([case.debt.node, case.debt.missed_calls[0], *map(str, case.round)])


def to_crm(
    crm: str, name: str, template: str, values: dict[str, Any], now: datetime, about: tuple[str, str] | None = None
) -> Delivery:
    """Something that a CRM is owed."""
    return Delivery(
        id=name,
        channel=crm,
        template=template,
        due_at=now,
        created_at=now,
        values=packed(values),
        about=about,
    )
