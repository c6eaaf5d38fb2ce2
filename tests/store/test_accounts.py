"""Accounts, sessions and tokens on every database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from pbxmonitor.store import accounts, schema, sessions
from pbxmonitor.store.accounts import Account, CannotChange
from pbxmonitor.store.types import writing

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
DAY, IDLE = timedelta(days=1), timedelta(hours=12)


class Book:
    """The store's functions, each in a transaction of its own."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, work: Callable[..., Any], *words: Any, **more: Any) -> Any:
        return await writing(self._engine, lambda connection: work(connection, *words, **more))

    async def has(self, *names: str, role: str = "manager") -> None:
        for name in names:
            await self(accounts.add, Account(name=name, role=role), "test", NOW)

    async def told(self) -> list[str]:
        """The actions in the audit."""
        wanted = sa.select(schema.audit.c.action)
        return sorted(await self(lambda connection: connection.execute(wanted).scalars().all()))


@pytest.fixture
def book(engine: AsyncEngine) -> Book:
    return Book(engine)


async def test_an_account_is_kept_as_it_was_made(book: Book) -> None:
    lena = Account(name="лена", role="supervisor", person="lena", language="en", whole_numbers=False, password="$x")
    await book(accounts.add, lena, "root", NOW)
    assert await book(accounts.accounts) == [await book(accounts.account, "лена")]
    kept = await book(accounts.account, "лена")
    assert (kept.person, kept.language, kept.whole_numbers, kept.created_at) == ("lena", "en", False, NOW)
    assert "$x" not in repr(kept)
    with pytest.raises(CannotChange):
        await book(accounts.add, lena, "root", NOW)


async def test_names_are_told_apart_to_the_letter(book: Book) -> None:
    await book.has("anna", "Anna")
    assert [each.name for each in await book(accounts.accounts)] in (["Anna", "anna"], ["anna", "Anna"])


async def test_another_role_ends_the_sessions_another_language_does_not(book: Book) -> None:
    await book.has("lena")
    secret = await book(sessions.open_session, "lena", NOW, DAY)
    await book(accounts.change, "lena", "root", NOW, language="en")
    assert await book(sessions.session_of, secret, NOW, IDLE) is not None
    await book(accounts.change, "lena", "root", NOW, role="employee", person="101")
    assert await book(sessions.session_of, secret, NOW, IDLE) is None
    assert await book.told() == ["account_added", "account_changed", "account_changed"]


async def test_the_last_admin_can_be_neither_removed_demoted_nor_disabled(book: Book) -> None:
    await book.has("boss", role="admin")
    await book.has("lena")
    for values in ({"role": "manager"}, {"disabled": True}):
        with pytest.raises(CannotChange):
            await book(accounts.change, "boss", "root", NOW, **values)
    with pytest.raises(CannotChange):
        await book(accounts.remove, "boss", "root", NOW)
    await book(accounts.change, "lena", "root", NOW, role="admin")
    await book(accounts.remove, "boss", "root", NOW)
    assert [each.name for each in await book(accounts.accounts)] == ["lena"]


async def test_a_code_works_once_until_a_newer_one_or_the_next_day(book: Book) -> None:
    await book.has("lena")
    old = await book(accounts.setup_code, "lena", "root", NOW)
    new = await book(accounts.setup_code, "lena", "root", NOW)
    assert old.isalpha()  # a run of digits would be hidden in the log
    assert await book(accounts.redeem, old, "$1", NOW) is None
    assert await book(accounts.redeem, new, "$1", NOW + DAY) is None
    assert await book(accounts.redeem, new, "$1", NOW) == "lena"
    assert await book(accounts.redeem, new, "$2", NOW) is None
    assert (await book(accounts.account, "lena")).password == "$1"


async def test_the_first_start_makes_an_admin_and_later_ones_only_a_new_code(book: Book) -> None:
    first = await book(accounts.first_setup, NOW)
    second = await book(accounts.first_setup, NOW)
    assert first != second
    assert [each.name for each in await book(accounts.accounts)] == ["admin"]
    assert await book(accounts.account_of_code, first, NOW) is None
    await book(accounts.redeem, second, "$1", NOW)
    assert await book(accounts.first_setup, NOW) is None


async def test_one_time_codes_are_confirmed_before_they_count_and_used_once(book: Book) -> None:
    await book.has("lena")
    await book(accounts.offer_totp, "lena", "OLD")
    await book(accounts.offer_totp, "lena", "NEW")
    assert not await book(accounts.confirm_totp, "lena", "OLD", 7, NOW)
    assert (await book(accounts.account, "lena")).totp_secret is None
    assert await book(accounts.confirm_totp, "lena", "NEW", 7, NOW)
    assert [await book(accounts.use_step, "lena", step) for step in (7, 8, 8, 6, 9)] == [
        False,
        True,
        False,
        False,
        True,
    ]
    await book(accounts.setup_code, "lena", "root", NOW, forget_totp=True)
    assert (await book(accounts.account, "lena")).totp_secret is None


async def test_a_session_is_its_accounts_while_it_is_used(book: Book) -> None:
    await book.has("lena")
    secret = await book(sessions.open_session, "lena", NOW, DAY, address="192.0.2.1", device="x" * 400)
    found, account = await book(sessions.session_of, secret, NOW, IDLE)
    assert (account.name, found.address, found.until) == ("lena", "192.0.2.1", NOW + DAY)
    assert await book(sessions.session_of, secret, NOW + IDLE, IDLE) is None
    await book(sessions.touch, found.digest, NOW + IDLE)
    assert await book(sessions.session_of, secret, NOW + IDLE, IDLE) is not None
    await book(sessions.touch, found.digest, NOW + DAY)
    assert await book(sessions.session_of, secret, NOW + DAY, IDLE) is None
    assert await book(sessions.session_of, "\ud800", NOW, IDLE) is None


async def test_sessions_that_are_over_are_swept_by_the_next_login(book: Book) -> None:
    await book.has("lena")
    await book(sessions.open_session, "lena", NOW, DAY)
    await book(sessions.open_session, "lena", NOW + 2 * DAY, DAY)
    assert len(await book(sessions.sessions, "lena", NOW)) == 1


async def test_nobody_ends_a_session_of_another_account(book: Book) -> None:
    await book.has("lena", "anna")
    secret = await book(sessions.open_session, "lena", NOW, DAY)
    digest = sessions.digest_of(secret)
    assert not await book(sessions.close_session, digest, "anna")
    assert await book(sessions.close_session, digest, "lena")


async def test_a_token_ends_with_its_time_by_hand_and_with_its_account(book: Book) -> None:
    await book.has("lena", "anna")
    scopes = frozenset({"read"})
    short = await book(sessions.new_token, "lena", "short", scopes, "root", NOW, NOW + DAY)
    long = await book(sessions.new_token, "lena", "long", scopes, "root", NOW)
    token, account = await book(sessions.token_of, long, NOW)
    assert (token.name, token.scopes, account.name) == ("long", scopes, "lena")
    assert await book(sessions.token_of, short, NOW + DAY) is None
    assert not await book(sessions.revoke_token, token.id, "anna", NOW, "anna")
    assert await book(sessions.revoke_token, token.id, "lena", NOW, "lena")
    assert await book(sessions.token_of, long, NOW) is None
    await book(accounts.change, "lena", "root", NOW, disabled=True)
    assert await book(sessions.token_of, short, NOW) is None
    await book(accounts.remove, "lena", "root", NOW)
    assert await book(sessions.tokens) == []
    with pytest.raises(ValueError, match="scopes"):
        await book(sessions.new_token, "anna", "x", frozenset({"root"}), "root", NOW)
