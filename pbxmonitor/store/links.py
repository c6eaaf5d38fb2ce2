"""Who a person is on a channel where people present themselves, and the one-time codes by which they do."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from secrets import choice
from typing import Final

import sqlalchemy as sa

from pbxmonitor.store import schema
from pbxmonitor.store.actions import audit
from pbxmonitor.store.types import upsert

# No 0 and O, no 1, I and L: 31 signs, so that eight of them are 8.5e11 codes.
ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
LENGTH: Final = 8
KEEP: Final = timedelta(hours=24)
# A channel gives at most a hundred updates at once, and after a crash the same hundred again.
_REPEATED: Final = 200
_M: Final = schema.memory.c
_L: Final = schema.link.c
_C: Final = schema.link_code.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A person on a channel: where messages go, and the channel's own name for him."""

    channel: str
    person: str
    address: str
    account: str
    linked_at: datetime


def new_code(
    connection: sa.Connection, channel: str, person: str, by: str, now: datetime, keep: timedelta = KEEP
) -> str:
    """A code that links that person once within `keep`; earlier ones of his that are not used work no more."""
    old = sa.and_(_C.channel == channel, _C.person == person, _C.used_at.is_(None))
    connection.execute(sa.delete(schema.link_code).where(sa.or_(old, _C.expires_at < now - KEEP)))
    code = "".join(choice(ALPHABET) for _ in range(LENGTH))
    row = {"digest": _digest(code), "channel": channel, "person": person, "expires_at": now + keep, "used_at": None}
    connection.execute(sa.insert(schema.link_code).values(**row))
    audit(connection, now, by, "link_code", None, {"channel": channel, "person": person})
    return code


def redeem(connection: sa.Connection, channel: str, code: str, address: str, account: str, now: datetime) -> str | None:
    """The person whom that code has just linked to the account; None when it is wrong, used or too old."""
    mine = sa.and_(_C.digest == _digest(code), _C.channel == channel)
    free = sa.and_(_C.used_at.is_(None), _C.expires_at > now)
    if connection.execute(sa.update(schema.link_code).where(mine, free).values(used_at=now)).rowcount != 1:
        return None
    person: str = connection.execute(sa.select(_C.person).where(mine)).scalar_one()
    # An account is one person's: whoever had it before is there no more.
    connection.execute(sa.delete(schema.link).where(_L.channel == channel, _L.account == account))
    row = {"channel": channel, "person": person, "address": address, "account": account, "linked_at": now}
    upsert(connection, schema.link, [row])
    audit(connection, now, person, "link", None, {"channel": channel, "person": person, "account": account})
    return person


def unlink(connection: sa.Connection, channel: str, person: str, by: str, now: datetime) -> bool:
    """Forget where that person is on the channel, and his unused codes; whether he was linked."""
    mine = sa.and_(_C.channel == channel, _C.person == person, _C.used_at.is_(None))
    connection.execute(sa.delete(schema.link_code).where(mine))
    gone = sa.delete(schema.link).where(_L.channel == channel, _L.person == person)
    found = connection.execute(gone).rowcount == 1
    if found:
        audit(connection, now, by, "unlink", None, {"channel": channel, "person": person})
    return found


def links(connection: sa.Connection, channel: str | None = None) -> list[Link]:
    """Everybody who is linked, by channel and person."""
    wanted = sa.select(schema.link).order_by(_L.channel, _L.person)
    rows = connection.execute(wanted if channel is None else wanted.where(_L.channel == channel)).all()
    return [Link(**row._asdict()) for row in rows]


def address_of(connection: sa.Connection, channel: str, person: str) -> str | None:
    """Where messages to that person go on the channel."""
    mine = sa.select(_L.address).where(_L.channel == channel, _L.person == person)
    found: str | None = connection.execute(mine).scalar()
    return found


def person_of(connection: sa.Connection, channel: str, account: str) -> str | None:
    """Whose account that is."""
    mine = sa.select(_L.person).where(_L.channel == channel, _L.account == account)
    found: str | None = connection.execute(mine).scalar()
    return found


def first_time(connection: sa.Connection, channel: str, update: int) -> bool:
    """Whether that update of the channel was not handled yet; it counts as handled with the caller's transaction."""
    mine = sa.and_(_M.owner == f"updates/{channel}", _M.name == "handled")
    kept = connection.execute(sa.select(_M.content).where(mine).with_for_update()).scalar()
    handled: list[int] = json.loads(kept) if kept is not None else []
    if update in handled:
        return False
    content = json.dumps([*handled, update][-_REPEATED:])
    row = {"owner": f"updates/{channel}", "name": "handled", "content": content}
    upsert(connection, schema.memory, [row])
    return True


def _digest(code: str) -> str:
    """Of the code as people type it: small letters, spaces and dashes do not matter."""
    plain = "".join(code.upper().split()).replace("-", "")
    return sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
