"""One-time codes by time (RFC 6238 over RFC 4226), as the usual telephone apps make them."""

import hmac
from base64 import b32decode, b32encode
from datetime import datetime
from secrets import token_bytes
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
# A code of the step before or after is taken: clocks differ, and people type slowly.
_AROUND: Final = (0, -1, 1)


def new_secret() -> str:
    """160 random bits in base32."""
    return b32encode(token_bytes(20)).decode()


def code_of(key: bytes, step: int, digits: int = DIGITS, digest: str = "sha1") -> str:
    """The code of that time step."""
    signed = hmac.digest(key, step.to_bytes(8, "big"), digest)
    offset = signed[-1] & 0xF
    number = int.from_bytes(signed[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def step_of(at: datetime) -> int:
    """The time step of that moment."""
    return int(at.timestamp()) // STEP_S


def matching_step(secret: str, code: str, at: datetime) -> int | None:
    """The time step, now or beside, that the code is of; None when it is of none."""
    typed, key = "".join(code.split()).encode("utf-8", "replace"), b32decode(secret)
    steps = (step_of(at) + each for each in _AROUND)
    return next((step for step in steps if hmac.compare_digest(code_of(key, step).encode(), typed)), None)


def uri(secret: str, account: str) -> str:
    """The address by which an app takes the secret over."""
    return f"otpauth://totp/{quote(f'pbxmonitor:{account}')}?secret={secret}&issuer=pbxmonitor"
