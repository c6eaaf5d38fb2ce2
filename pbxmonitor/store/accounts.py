"""Who may look at the pages, and what becomes of an account: each change with its line in the audit."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import choice
from string import ascii_letters
from typing import Any, Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit

ADMIN: Final = "admin"
KEEP: Final = timedelta(hours=24)
# Letters only: a run of digits would be taken for a phone number, and hidden in the log that must show the link.
_CODE_LENGTH: Final = 40
_A: Final = schema.user_account.c


class CannotChange(Exception):  # noqa: N818
    """The account cannot be changed so; `key` is that of a text for the person who asked."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account; `password` is an argon2 hash, None until it is set up, and nothing of it is ever shown."""

    name: str
    role: str
    person: str | None = None
    language: str = "ru"
    whole_numbers: bool = True
    disabled: bool = False
    created_at: datetime | None = None
    password: str | None = None
    totp_secret: str | None = None
    totp_offered: str | None = None
    totp_step: int = 0
    teams: str | None = None

    @property
    def leads(self) -> frozenset[str]:
        """Teams whose supervisor an identity provider says that it is."""
        return frozenset((self.teams or "").split("\n")) - {""}

    def __repr__(self) -> str:
        return f"Account({self.name}, {self.role})"


_COLUMNS: Final = [_A[name] for name in Account.__slots__]


def as_account(row: Any) -> Account:
    """The account of a row that has its columns."""
    return Account(**{name: getattr(row, name) for name in Account.__slots__})


def account_columns() -> list[sa.Column[Any]]:
    """What `as_account` needs of a row."""
    return list(_COLUMNS)


def account(connection: sa.Connection, name: str) -> Account | None:
    """That account, if there is one."""
    row = connection.execute(sa.select(*_COLUMNS).where(_A.name == name)).one_or_none()
    return as_account(row) if row is not None else None


def accounts(connection: sa.Connection) -> list[Account]:
    """All of them by name."""
    return [as_account(row) for row in connection.execute(sa.select(*_COLUMNS).order_by(_A.name))]


def add(connection: sa.Connection, new: Account, by: str, now: datetime) -> None:
    """A new account, without a password unless it brings one; CannotChange when there is one of that name."""
    if account(connection, new.name) is not None:
        raise CannotChange("web.account.cannot.exists")
    row = {name: getattr(new, name) for name in Account.__slots__} | {"created_at": now}
    connection.execute(sa.insert(schema.user_account).values(**row, setup_digest=None, setup_until=None))
    shown = {"account": new.name, "role": new.role, "person": new.person}
    audit(connection, now, by, "account_added", None, shown)


def change(connection: sa.Connection, name: str, by: str, now: datetime, **values: Any) -> None:
    """Give it another role, person, language, whole_numbers or disabled; other rights begin with a new login."""
    before = _locked(connection, name)
    changed = {key: value for key, value in values.items() if getattr(before, key) != value}
    if not changed:
        return
    if changed.get("role", ADMIN) != ADMIN or changed.get("disabled"):
        _not_the_last(connection, before)
    connection.execute(sa.update(schema.user_account).where(_A.name == name).values(**changed))
    if changed.keys() & {"role", "person", "teams", "disabled"}:
        end_sessions(connection, name)
    audit(connection, now, by, "account_changed", None, {"account": name, **changed})


def remove(connection: sa.Connection, name: str, by: str, now: datetime) -> None:
    """Forget it with its sessions and tokens; CannotChange when it is unknown or the last admin."""
    _not_the_last(connection, _locked(connection, name))
    connection.execute(sa.delete(schema.user_account).where(_A.name == name))
    audit(connection, now, by, "account_removed", None, {"account": name})


def set_password(connection: sa.Connection, name: str, password: str, by: str, now: datetime) -> None:
    """Another password (its hash): every session ends, and the one-time link works no more."""
    _locked(connection, name)
    values = {"password": password, "setup_digest": None, "setup_until": None}
    connection.execute(sa.update(schema.user_account).where(_A.name == name).values(**values))
    end_sessions(connection, name)
    audit(connection, now, by, "password_changed", None, {"account": name})


def rehash(connection: sa.Connection, name: str, before: str, password: str) -> None:
    """The same password hashed anew, unless it has changed meanwhile."""
    mine = sa.and_(_A.name == name, _A.password == before)
    connection.execute(sa.update(schema.user_account).where(mine).values(password=password))


def end_sessions(connection: sa.Connection, name: str) -> int:
    """Log the account out everywhere; how many sessions there were."""
    return connection.execute(sa.delete(schema.session).where(schema.session.c.account == name)).rowcount


def setup_code(connection: sa.Connection, name: str, by: str, now: datetime, *, forget_totp: bool = False) -> str:
    """A code that lets its bearer choose the account's password once within a day; an earlier one works no more."""
    _locked(connection, name)
    code = "".join(choice(ascii_letters) for _ in range(_CODE_LENGTH))
    values: dict[str, Any] = {"setup_digest": _digest(code), "setup_until": now + KEEP}
    if forget_totp:
        values |= {"totp_secret": None, "totp_offered": None}
    connection.execute(sa.update(schema.user_account).where(_A.name == name).values(**values))
    audit(connection, now, by, "setup_link", None, {"account": name, "forget_totp": forget_totp})
    return code


def account_of_code(connection: sa.Connection, code: str, now: datetime) -> Account | None:
    """Whose password that code lets one choose; None when it is wrong, used or too old."""
    row = connection.execute(sa.select(*_COLUMNS).where(_of_code(code, now))).one_or_none()
    return as_account(row) if row is not None else None


def redeem(connection: sa.Connection, code: str, password: str, now: datetime) -> str | None:
    """Give the code's account that password (its hash), once; the account's name, None when the code is no good."""
    row = connection.execute(sa.select(_A.name).where(_of_code(code, now)).with_for_update()).one_or_none()
    if row is None:
        return None
    set_password(connection, row.name, password, row.name, now)
    return str(row.name)


def first_setup(connection: sa.Connection, now: datetime) -> str | None:
    """A code for the first admin, who is made if need be; None once any account has a password."""
    if connection.execute(sa.select(_A.name).where(_A.password.is_not(None)).limit(1)).first() is not None:
        return None
    known = account(connection, ADMIN)
    if known is None:
        add(connection, Account(name=ADMIN, role=ADMIN), "pbxmonitor", now)
    elif known.role != ADMIN or known.disabled:
        change(connection, ADMIN, "pbxmonitor", now, role=ADMIN, disabled=False)
    return setup_code(connection, ADMIN, "pbxmonitor", now)


def offer_totp(connection: sa.Connection, name: str, secret: str) -> None:
    """Keep a secret that its owner is to confirm."""
    connection.execute(sa.update(schema.user_account).where(_A.name == name).values(totp_offered=secret))


def confirm_totp(connection: sa.Connection, name: str, secret: str, step: int, now: datetime) -> bool:
    """From now on codes of that offered secret are asked for; every session ends. False if it is offered no more."""
    mine = sa.and_(_A.name == name, _A.totp_offered == secret)
    values = {"totp_secret": secret, "totp_offered": None, "totp_step": step}
    if connection.execute(sa.update(schema.user_account).where(mine).values(**values)).rowcount != 1:
        return False
    end_sessions(connection, name)
    audit(connection, now, name, "totp_on", None, {"account": name})
    return True


def drop_totp(connection: sa.Connection, name: str, by: str, now: datetime) -> None:
    """No codes are asked for any more; every session ends."""
    _locked(connection, name)
    values = {"totp_secret": None, "totp_offered": None}
    connection.execute(sa.update(schema.user_account).where(_A.name == name).values(**values))
    end_sessions(connection, name)
    audit(connection, now, by, "totp_off", None, {"account": name})


def use_step(connection: sa.Connection, name: str, step: int) -> bool:
    """Take the code of that time step; False when it, or a later one, was taken before."""
    mine = sa.and_(_A.name == name, _A.totp_step < step)
    return connection.execute(sa.update(schema.user_account).where(mine).values(totp_step=step)).rowcount == 1


def _locked(connection: sa.Connection, name: str) -> Account:
    row = connection.execute(sa.select(*_COLUMNS).where(_A.name == name).with_for_update()).one_or_none()
    if row is None:
        raise CannotChange("web.account.cannot.unknown")
    return as_account(row)


def _not_the_last(connection: sa.Connection, leaving: Account) -> None:
    """Somebody must be able to make accounts."""
    others = sa.and_(_A.role == ADMIN, _A.disabled.is_(False), _A.name != leaving.name)
    able = leaving.role == ADMIN and not leaving.disabled
    if able and connection.execute(sa.select(_A.name).where(others).with_for_update()).first() is None:
        raise CannotChange("web.account.cannot.last_admin")


def _of_code(code: str, now: datetime) -> sa.ColumnElement[bool]:
    free = sa.and_(_A.setup_until > now, _A.disabled.is_(False))
    return sa.and_(_A.setup_digest == _digest(code), free)


def _digest(code: str) -> str:
    return sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
