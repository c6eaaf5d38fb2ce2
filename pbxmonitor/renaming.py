"""A person merged or renamed: first in the settings that are kept in the program, then in all that was recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.in_force import Arranged, DoesNotFit, arranged, fits
from pbxmonitor.pbx.asterisk.connect import policy_of
from pbxmonitor.settings import Settings
from pbxmonitor.settings_fixed import is_fixed
from pbxmonitor.settings_overlay import Stored
from pbxmonitor.store import people as store
from pbxmonitor.store import stored_settings
from pbxmonitor.store.merging import Renamed, Renaming, rename_agent
from pbxmonitor.store.people import CannotRename, Preview
from pbxmonitor.store.recompute import Progress
from pbxmonitor.store.types import reading, writing

# Lists of people within what is kept; of the others a value may be anybody's own word.
_LISTS: Final = frozenset({"people", "supervisors", "reserve", "to", "responsible"})
_PHONES: Final = ("devices", "mobiles")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`old` is `new` from now on, and always was: one of two names (`merge`), or a new one; `node`: there only."""

    old: str
    new: str
    merge: bool
    by: str
    node: str | None = None


async def previewed(settings: Settings, database: AsyncEngine, wish: Wish) -> Preview:
    """What would follow; CannotRename."""

    def look(connection: sa.Connection) -> Preview:
        found = arranged(settings, connection)
        wanted = _wanted(connection, found.settings, wish)
        _check(connection, found, wanted, wish)
        _moved(found, wish)
        return store.preview(connection, wanted)

    return await reading(database, look)


async def rename(
    settings: Settings, database: AsyncEngine, wish: Wish, now: datetime, progress: Progress | None = None
) -> Renamed:
    """Do it, or finish what broke off; CannotRename."""
    found, wanted = await writing(database, partial(_settled, settings=settings, wish=wish, now=now))
    return await rename_agent(database, policy_of(found.settings), wanted, now, progress)


def _settled(connection: sa.Connection, settings: Settings, wish: Wish, now: datetime) -> tuple[Arranged, Renaming]:
    """The settings that are kept know him by the new name, if they knew him by the old one."""
    found = arranged(settings, connection)
    wanted = _wanted(connection, found.settings, wish)
    _check(connection, found, wanted, wish)
    after = _moved(found, wish)
    if after is None:
        return found, wanted
    try:
        fits(settings)(found.kept.entries, after)
    except DoesNotFit as wrong:
        raise CannotRename("people.cannot.does_not_fit", name=wish.old, reason=wrong) from None
    stored_settings.replace_all(connection, found.kept, after, wish.by, now)
    return arranged(settings, connection), wanted


def _wanted(connection: sa.Connection, settings: Settings, wish: Wish) -> Renaming:
    nodes = [wish.node] if wish.node is not None else store.all_nodes(connection, settings.pbx)
    return Renaming(old=wish.old, new=wish.new, nodes=nodes, whole=wish.node is None, by=wish.by)


def _check(connection: sa.Connection, found: Arranged, wanted: Renaming, wish: Wish) -> None:
    """What the file says is fixed; and who is one on every PBX cannot become another on one of them."""
    people = set(found.settings.people)
    movable = wish.node is None and wish.old in people and not is_fixed(found.settings, "people", wish.old)
    store.check(connection, wanted, people - ({wish.old} if movable else set()), merge=wish.merge, known=movable)


def _moved(found: Arranged, wish: Wish) -> list[Stored] | None:
    """What is to be kept; None where nothing of it changes. CannotRename where his phones cannot go over."""
    mine = found.kept.of("people", wish.old)
    if mine is None or wish.node is not None:
        return None
    theirs = found.kept.of("people", wish.new)
    if theirs is None and wish.new in found.settings.people:
        raise CannotRename("people.cannot.in_settings", name=wish.old, new=wish.new)
    value = mine.value if theirs is None else _with_phones(theirs.value, mine.value)
    person = replace(mine if theirs is None else theirs, key=wish.new, value=value)
    others = [each for each in found.kept.entries if each not in (mine, theirs)]
    return [person, *(_renamed(each, wish.old, wish.new) for each in others)]


def _with_phones(value: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: [*dict.fromkeys([*value.get(name, ()), *more.get(name, ())])] for name in _PHONES}
    return {**value, **{name: each for name, each in lists.items() if each}}


def _renamed(entry: Stored, old: str, new: str) -> Stored:
    if entry.section == "crm_users" and isinstance(entry.value, Mapping):
        users = {name: each for name, each in entry.value.items() if name != old}
        return replace(entry, value=({new: entry.value[old]} if old in entry.value else {}) | users)
    return replace(entry, value=_in_lists(entry.value, old, new)) if entry.section != "people" else entry


def _in_lists(value: Any, old: str, new: str, *, named: bool = False) -> Any:
    """The value with him in the lists of people, once in each."""
    if isinstance(value, Mapping):
        return {key: _in_lists(each, old, new, named=named or key in _LISTS) for key, each in value.items()}
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    if named and all(isinstance(each, str) for each in value):
        return [*dict.fromkeys(new if each == old else each for each in value)]
    return [_in_lists(each, old, new, named=named) for each in value]
