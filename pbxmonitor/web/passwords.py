"""Passwords: argon2id, made and checked in a thread, few at a time; an unknown account takes as long as a known one."""

import asyncio
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 10
LONGEST: Final = 256
_FEWEST_SIGNS: Final = 5
# A hash takes 64 MB and a good part of a core: nobody may have the daemon make many at once.
_AT_ONCE: Final = 2


class Passwords:
    """What hashes and checks; `hasher` is slow on purpose."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = self._hasher.hash("nobody's")
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, password: str) -> str:
        """What is kept of the password."""
        async with self._places:
            return await asyncio.get_running_loop().run_in_executor(None, self._hasher.hash, password)

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether it is the password; where there is none to compare with, as much work for nothing."""
        async with self._places:
            fitting = await asyncio.get_running_loop().run_in_executor(
                None, self._verified, kept or self._nobodys, password[:LONGEST]
            )
        return fitting and kept is not None

    def stale(self, kept: str) -> bool:
        """Whether it was hashed with less care than is taken now."""
        return self._hasher.check_needs_rehash(kept)

    def _verified(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def trouble_with(password: str, account: str) -> str | None:
    """The key of the text that says why this cannot be a password; None when it can."""
    if len(password) < SHORTEST:
        return "web.password.short"
    if len(password) > LONGEST:
        return "web.password.long"
    if len(set(password)) < _FEWEST_SIGNS or account.lower() in password.lower():
        return "web.password.plain"
    return None
