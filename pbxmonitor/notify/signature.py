"""The signature of what is sent to machines, and how they check it.

Three headers go with a body, which is a JSON object with an `id`: `X-Pbxmonitor-Id` (that id, the same at every try),
`X-Pbxmonitor-Timestamp` (when it was signed, seconds since 1970) and `X-Pbxmonitor-Signature`: HMAC-SHA256 in hex,
under the shared secret, of the timestamp, a dot and the body as it came. A receiver that refuses old timestamps, and
remembers for as long as it accepts them which ids it has done, can be told twice without harm.
"""

import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated

from pydantic import AfterValidator, SecretStr

ID = "X-Pbxmonitor-Id"
TIMESTAMP = "X-Pbxmonitor-Timestamp"
SIGNATURE = "X-Pbxmonitor-Signature"
TOLERANCE = timedelta(minutes=5)
SHORTEST_SECRET = 16
_LONGEST_STAMP = 12


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_SECRET:
        raise ValueError(f"must be at least {SHORTEST_SECRET} characters that nobody guesses")
    return value


SharedSecret = Annotated[SecretStr, AfterValidator(_long_enough)]


class Forged(ValueError):  # noqa: N818
    """The request is not to be believed; the text is one line that says why."""


def signed(secret: str, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that go with that body."""
    stamp = str(int(now.timestamp()))
    return {ID: message_id, TIMESTAMP: stamp, SIGNATURE: _signature(secret, stamp, body)}


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, now: datetime, tolerance: timedelta = TOLERANCE
) -> str:
    """The id of a request signed under that secret, by either clock no longer ago than the tolerance; else Forged."""
    given = {name.lower(): value for name, value in headers.items()}
    stamp, signature = given.get(TIMESTAMP.lower(), ""), given.get(SIGNATURE.lower(), "")
    if not hmac.compare_digest(_signature(secret, stamp, body).encode(), signature.encode()):
        raise Forged("the signature is not that of this body under this secret")
    if not (stamp.isascii() and stamp.isdecimal() and len(stamp) <= _LONGEST_STAMP):
        raise Forged("the timestamp is no number of seconds")
    if abs(now.timestamp() - int(stamp)) > tolerance.total_seconds():
        raise Forged(f"it was signed more than {tolerance} from now: a replay, or a clock that is wrong")
    name = _id_in(body)
    if name is None or name != given.get(ID.lower()):
        raise Forged("the id in the header is not that in the body")
    return name


def _signature(secret: str, stamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, sha256).hexdigest()


def _id_in(body: bytes) -> str | None:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name if isinstance(name, str) else None
