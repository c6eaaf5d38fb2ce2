"""Who is logged in, and the tokens of programs: of every secret the rows hold its SHA-256 only."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.accounts import Account, account_columns, as_account
from pbxmonitor.store.actions import audit

READ: Final = "read"
ACT: Final = "act"
HOOKS: Final = "hooks"
SCOPES: Final = (READ, ACT, HOOKS)
# That a session or a token was used is written no oftener: every page would be a write.
NOTED_EVERY: Final = timedelta(minutes=1)
_PREFIX: Final = "pbxm_"
_S: Final = schema.session.c
_T: Final = schema.api_token.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One browser that is logged in."""

    digest: str
    account: str
    began_at: datetime
    seen_at: datetime
    until: datetime
    address: str
    device: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What a program presents; `scopes` are of SCOPES."""

    id: str
    account: str
    name: str
    scopes: frozenset[str]
    made_at: datetime
    until: datetime | None
    used_at: datetime | None


def open_session(
    connection: sa.Connection, name: str, now: datetime, longest: timedelta, *, address: str = "", device: str = ""
) -> str:
    """A new session of that account; the secret that the browser gets, which is kept nowhere else."""
    connection.execute(sa.delete(schema.session).where(_S.until < now))
    secret = token_urlsafe(32)
    row = {"account": name, "began_at": now, "seen_at": now, "until": now + longest}
    connection.execute(
        sa.insert(schema.session).values(digest=digest_of(secret), address=address, device=device, **row)
    )
    return secret


def session_of(
    connection: sa.Connection, secret: str, now: datetime, idle: timedelta
) -> tuple[Session, Account] | None:
    """The session of that secret and whose it is; None when it is unknown, over or unused too long."""
    account = schema.user_account
    live = sa.and_(_S.digest == digest_of(secret), _S.until > now, _S.seen_at > now - idle)
    columns = [_S[name].label(f"session_{name}") for name in Session.__slots__]
    both = schema.session.join(account, account.c.name == _S.account)
    wanted = sa.select(*columns, *account_columns()).select_from(both)
    row = connection.execute(wanted.where(live, account.c.disabled.is_(False))).one_or_none()
    if row is None:
        return None
    return Session(**{name: getattr(row, f"session_{name}") for name in Session.__slots__}), as_account(row)


def touch(connection: sa.Connection, digest: str, now: datetime) -> None:
    """The session was used."""
    connection.execute(sa.update(schema.session).where(_S.digest == digest).values(seen_at=now))


def close_session(connection: sa.Connection, digest: str, account: str) -> bool:
    """End that session of that account; whether there was one."""
    mine = sa.and_(_S.digest == digest, _S.account == account)
    return connection.execute(sa.delete(schema.session).where(mine)).rowcount == 1


def sessions(connection: sa.Connection, account: str, now: datetime) -> list[Session]:
    """The account's sessions, the latest first."""
    mine = sa.select(schema.session).where(_S.account == account, _S.until > now)
    return [Session(**row._asdict()) for row in connection.execute(mine.order_by(_S.seen_at.desc(), _S.digest))]


def new_token(
    connection: sa.Connection,
    account: str,
    name: str,
    scopes: frozenset[str],
    by: str,
    now: datetime,
    until: datetime | None = None,
) -> str:
    """A token of that account; what the program presents, shown this once. ValueError for an unknown scope."""
    if not scopes or scopes - set(SCOPES):
        raise ValueError(f"scopes must be of {', '.join(SCOPES)}")
    secret, key = _PREFIX + token_urlsafe(32), token_hex(8)
    words = " ".join(word for word in SCOPES if word in scopes)
    row = {"id": key, "account": account, "digest": digest_of(secret), "name": name, "scopes": words}
    connection.execute(sa.insert(schema.api_token).values(**row, made_at=now, until=until, used_at=None))
    audit(connection, now, by, "token_made", None, {"account": account, "token": key, "name": name, "scopes": words})
    return secret


def token_of(connection: sa.Connection, secret: str, now: datetime) -> tuple[Token, Account] | None:
    """The token and whose it is; None when it is unknown, too old, or its account is disabled."""
    account = schema.user_account
    live = sa.and_(_T.digest == digest_of(secret), sa.or_(_T.until.is_(None), _T.until > now))
    columns = [_T[name].label(f"token_{name}") for name in Token.__slots__]
    both = schema.api_token.join(account, account.c.name == _T.account)
    wanted = sa.select(*columns, *account_columns()).select_from(both)
    row = connection.execute(wanted.where(live, account.c.disabled.is_(False))).one_or_none()
    return (_token({name: getattr(row, f"token_{name}") for name in Token.__slots__}), as_account(row)) if row else None


def token_used(connection: sa.Connection, key: str, now: datetime) -> None:
    """The token was used."""
    connection.execute(sa.update(schema.api_token).where(_T.id == key).values(used_at=now))


def tokens(connection: sa.Connection, account: str | None = None) -> list[Token]:
    """The tokens of that account, or all."""
    wanted = sa.select(*(_T[name] for name in Token.__slots__)).order_by(_T.account, _T.made_at, _T.id)
    rows = connection.execute(wanted if account is None else wanted.where(_T.account == account))
    return [_token(row._asdict()) for row in rows]


def revoke_token(connection: sa.Connection, key: str, by: str, now: datetime, account: str | None = None) -> bool:
    """The token works no more; with `account`, only one of that account's. Whether there was such a token."""
    mine = _T.id == key if account is None else sa.and_(_T.id == key, _T.account == account)
    found = connection.execute(sa.delete(schema.api_token).where(mine)).rowcount == 1
    if found:
        audit(connection, now, by, "token_revoked", None, {"token": key})
    return found


def digest_of(secret: str) -> str:
    """What the rows hold of a secret."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _token(row: dict[str, Any]) -> Token:
    return Token(**{**row, "scopes": frozenset(row["scopes"].split())})
