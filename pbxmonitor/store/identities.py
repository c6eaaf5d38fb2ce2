"""Who comes in by an identity provider: found by (issuer, subject), never by a name that may pass to somebody else."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.accounts import ADMIN, Account, CannotChange, account, add, change
from pbxmonitor.store.actions import audit
from pbxmonitor.store.types import insert_new

LOGIN: Final = re.compile(r"[\w.@-]{1,80}")
BY: Final = "oidc"
# Who sees what is his, or his teams', and so must be somebody.
OWN: Final = frozenset({"employee", "supervisor"})
_I: Final = schema.identity.c


class CannotEnter(Exception):  # noqa: N818 - a word of the field
    """The provider's word is good, and yet he may not come in; `key` is that of a text for him."""

    def __init__(self, key: str, account: str | None = None) -> None:
        super().__init__(key)
        self.key = key
        self.account = account


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """Who he is there, and what the settings make of it; a right that they say nothing of is None and stays."""

    issuer: str
    subject: str
    login: str
    role: str | None
    person: str | None
    teams: str | None
    create: bool
    adopt: bool
    language: str


def enter(connection: sa.Connection, coming: Entering, now: datetime) -> Account:
    """His account, with the rights of today; CannotEnter."""
    linked = sa.select(_I.account).where(_I.issuer == coming.issuer, _I.subject == coming.subject)
    name = connection.execute(linked.with_for_update()).scalar()
    if name is None:
        name = _linked(connection, coming, now)
    found = account(connection, name)
    if found is None or found.disabled:
        raise CannotEnter("oidc.cannot.disabled", name)
    found = _with_rights(connection, found, coming, now)
    if found.person is None and found.role in OWN and not found.leads:
        raise CannotEnter("oidc.cannot.person", name)
    mine = sa.and_(_I.issuer == coming.issuer, _I.subject == coming.subject)
    connection.execute(sa.update(schema.identity).where(mine).values(seen_at=now))
    return found


def _linked(connection: sa.Connection, coming: Entering, now: datetime) -> str:
    """An account for whom nobody knows yet: that of his login, or a new one."""
    login = coming.login.strip().lower()
    if not LOGIN.fullmatch(login):
        raise CannotEnter("oidc.cannot.login")
    known = account(connection, login)
    if known is None:
        if not coming.create or coming.role is None:
            raise CannotEnter("oidc.cannot.unknown")
        new = Account(
            name=login,
            role=coming.role,
            person=coming.person or None,
            language=coming.language,
            teams=coming.teams or None,
        )
        add(connection, new, BY, now)
    elif not coming.adopt or _is_anothers(connection, login):
        raise CannotEnter("oidc.cannot.taken", login)
    link(connection, login, coming.issuer, coming.subject, BY, now)
    return login


def _is_anothers(connection: sa.Connection, login: str) -> bool:
    """One account is one person's: who was called so before may be somebody else."""
    return connection.execute(sa.select(_I.account).where(_I.account == login).limit(1)).first() is not None


def _with_rights(connection: sa.Connection, found: Account, coming: Entering, now: datetime) -> Account:
    """What the provider says counts from this login on; the last administrator stays one."""
    said = {"role": coming.role, "person": coming.person, "teams": coming.teams}
    values: dict[str, Any] = {name: value or None for name, value in said.items() if value is not None}
    try:
        change(connection, found.name, BY, now, **values)
    except CannotChange:
        change(connection, found.name, BY, now, **{**values, "role": ADMIN})
    return account(connection, found.name) or found


def link(connection: sa.Connection, name: str, issuer: str, subject: str, by: str, now: datetime) -> None:
    """From now on whoever is that there is this account here."""
    row = {"issuer": issuer, "subject": subject, "account": name, "linked_at": now, "seen_at": now}
    insert_new(connection, schema.identity, [row])
    audit(connection, now, by, "identity_linked", None, {"account": name, "issuer": issuer})


def prove(connection: sa.Connection, session: str, id_token: str) -> None:
    """Keep the token by which a session (its digest) began, for its end."""
    connection.execute(sa.insert(schema.session_proof).values(session=session, id_token=id_token))


def proof_of(connection: sa.Connection, session: str) -> str | None:
    """The token by which the session began; None of one that began with a password."""
    mine = schema.session_proof.c.session == session
    found: str | None = connection.execute(sa.select(schema.session_proof.c.id_token).where(mine)).scalar()
    return found
