"""ID tokens, before they are believed and after: what their header says, what they must claim, what is read of them."""

import hmac
import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

Claims = Mapping[str, Any]
# Clocks differ.
LEEWAY: Final = timedelta(seconds=60)
OLDEST: Final = timedelta(minutes=10)


class OidcError(Exception):
    """The login is not proven; `key` is that of a text for the person, `reason` one line for the log."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def check_claims(claims: Claims, issuer: str, client: str, nonce: str, now: datetime) -> None:
    """OpenID Connect Core 1.0, 3.1.3.7, of a token whose signature is right; OidcError."""
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if claims.get("iss") != issuer:
        raise OidcError("oidc.cannot.token", "the ID token is another issuer's")
    if client not in audiences or (len(audiences) > 1 and claims.get("azp") != client):
        raise OidcError("oidc.cannot.token", "the ID token is for another client")
    if claims.get("azp", client) != client:
        raise OidcError("oidc.cannot.token", "the ID token was made for another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise OidcError("oidc.cannot.token", "the ID token is of another login (nonce)")
    expires, made = _moment(claims.get("exp")), _moment(claims.get("iat"))
    if expires is None or expires <= (now - LEEWAY).timestamp():
        raise OidcError("oidc.cannot.token", "the ID token has expired; are both clocks right?")
    if made is None or made > (now + LEEWAY).timestamp() or made < (now - OLDEST).timestamp():
        raise OidcError("oidc.cannot.token", "the ID token was not made just now; are both clocks right?")
    if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
        raise OidcError("oidc.cannot.token", "the ID token does not say whose it is")


def header_of(token: str) -> dict[str, Any]:
    """The first part of a JWS; ours to look at before anything is believed."""
    part = token.partition(".")[0]
    try:
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, dict) or token.count(".") != 2:
        raise OidcError("oidc.cannot.token", "the ID token is no signed token")
    return found


def _moment(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def claim_of(claims: Claims, name: str) -> Any:
    """A claim by its name, or by its way into tables; None where it is not told."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def words_of(value: Any) -> Sequence[str]:
    """A claim that is a word or a list of them."""
    if isinstance(value, str):
        return [value]
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
