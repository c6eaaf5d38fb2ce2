"""An OpenID provider: what it offers, its keys, and whose login an ID token of it proves (OpenID Connect Core 1.0).

Authorization code flow with PKCE (RFC 7636, S256), state and nonce. Nothing that a browser brings is believed but the
state: the token comes from the provider itself, and counts only if it is signed by one of its keys with an algorithm
of the settings, made by this issuer for this client and this very login, and not too old.
"""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, cast
from urllib.parse import quote, urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from pbxmonitor.clock import Clock
from pbxmonitor.settings_oidc import OidcSettings, is_safe
from pbxmonitor.web.id_tokens import Claims, OidcError, check_claims, claim_of, header_of

KEPT_S: Final = 3600.0
# Keys are asked for again when a token names one that is not known; a stranger must not make us ask all the time.
ASKED_AGAIN_S: Final = 30.0
TIMEOUT_S: Final = 10.0
_LARGEST: Final = 1 << 20
_NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A login that has begun: what the provider must repeat (`state`, `nonce`), and what proves that it was begun here.

    `wanted` is the page that he wanted to see.
    """

    state: str
    nonce: str
    verifier: str
    redirect_uri: str
    wanted: str

    def __repr__(self) -> str:
        return "Attempt()"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a token says, and the token."""

    claims: Claims
    id_token: str

    def __repr__(self) -> str:
        return "Proof()"


def attempt(redirect_uri: str, wanted: str) -> Attempt:
    """A new one, whose words nobody can guess."""
    words = [token_urlsafe(32) for _ in range(3)]
    return Attempt(state=words[0], nonce=words[1], verifier=words[2], redirect_uri=redirect_uri, wanted=wanted)


class Provider:
    """One provider; what it says of itself is asked for when it is needed, and kept for an hour."""

    def __init__(self, settings: OidcSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._metadata: dict[str, Any] | None = None
        self._known_at = 0.0
        self._keys: KeySet | None = None
        self._keys_at = 0.0

    async def address(self, begun: Attempt) -> str:
        """Where the browser is to go, to come back to `redirect_uri`."""
        metadata = await self.metadata()
        challenge = urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": begun.redirect_uri,
            "scope": " ".join(self._settings.scopes),
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return _with_query(metadata["authorization_endpoint"], asked)

    async def proof(self, begun: Attempt, code: str) -> Proof:
        """Who has logged in there, by the code that the browser brought; OidcError."""
        given = await self._exchanged(begun, code)
        token = given.get("id_token")
        if not isinstance(token, str) or not token:
            raise OidcError("oidc.cannot.token", "the provider gave no ID token; is openid among the scopes?")
        claims = await self._claims(token, begun.nonce)
        return Proof(claims=await self._with_userinfo(claims, given.get("access_token")), id_token=token)

    async def logout_address(self, id_token: str, back: str) -> str | None:
        """Where the browser logs out there, too; None where that is not offered, or leads elsewhere."""
        metadata = await self.metadata()
        found = metadata.get("end_session_endpoint")
        if not isinstance(found, str) or not found.startswith(f"{self._settings.origin}/"):
            return None
        asked = {"id_token_hint": id_token, "client_id": self._settings.client_id, "post_logout_redirect_uri": back}
        return _with_query(found, asked)

    async def metadata(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery 1.0), checked."""
        now = self._clock.monotonic()
        if self._metadata is None or now - self._known_at > KEPT_S:
            found = await self._get(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            self._check_metadata(found)
            self._metadata, self._known_at = found, now
        return self._metadata

    def _check_metadata(self, found: dict[str, Any]) -> None:
        if found.get("issuer") != self._settings.issuer:
            told = str(found.get("issuer"))[:200]
            raise OidcError("oidc.cannot.provider", f"the provider calls itself {told}; set issuer to that")
        for name in _NEEDED:
            if not is_safe(urlsplit(str(found.get(name, "")))):
                raise OidcError("oidc.cannot.provider", f"the provider's {name} is missing, or is no https address")
        methods = found.get("code_challenge_methods_supported")
        if isinstance(methods, list) and "S256" not in methods:
            raise OidcError("oidc.cannot.provider", "the provider does not know PKCE with S256")

    async def _exchanged(self, begun: Attempt, code: str) -> dict[str, Any]:
        metadata = await self.metadata()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }
        secret, auth = self._settings.client_secret, None
        methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret is None or "client_secret_basic" not in methods:
            form["client_id"] = self._settings.client_id
        if secret is not None and "client_secret_basic" in methods:
            # RFC 6749, 2.3.1: both are form-encoded first.
            auth = httpx.BasicAuth(quote(self._settings.client_id, safe=""), quote(secret.get_secret_value(), safe=""))
        elif secret is not None:
            form["client_secret"] = secret.get_secret_value()
        async with self._client() as client:
            return await _json(client, client.build_request("POST", metadata["token_endpoint"], data=form), auth)

    async def _claims(self, token: str, nonce: str) -> Claims:
        header = header_of(token)
        algorithm = str(header.get("alg"))[:20]
        if algorithm not in self._settings.algorithms:
            raise OidcError("oidc.cannot.token", f"the ID token is signed with {algorithm}, which is not allowed")
        claims = await self._verified(token, header)
        check_claims(claims, self._settings.issuer, self._settings.client_id, nonce, self._clock.now())
        return claims

    async def _verified(self, token: str, header: Mapping[str, Any]) -> Claims:
        """What it says, if it is signed by one of the provider's keys, which are asked for again where they changed."""
        for again in (False, True):
            keys = await self._known_keys(again=again)
            known = [key for key in keys.keys if header.get("kid") in (None, key.kid)]
            try:
                if known:
                    return jwt.decode(token, KeySet(known), algorithms=list(self._settings.algorithms)).claims
            except (JoseError, ValueError) as error:
                if again:
                    raise OidcError("oidc.cannot.token", f"the ID token's signature is wrong: {error}") from None
        raise OidcError("oidc.cannot.token", "the ID token is signed with a key that the provider does not name")

    async def _known_keys(self, *, again: bool) -> KeySet:
        now = self._clock.monotonic()
        old = self._keys is None or now - self._keys_at > (ASKED_AGAIN_S if again else KEPT_S)
        if self._keys is None or old:
            found = await self._get((await self.metadata())["jwks_uri"])
            keys = [key for key in found.get("keys", ()) if isinstance(key, dict) and key.get("use", "sig") == "sig"]
            try:
                self._keys = KeySet.import_key_set(cast(Any, {"keys": [key for key in keys if _is_public(key)]}))
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise OidcError("oidc.cannot.provider", f"the provider's keys cannot be read: {error}") from None
            self._keys_at = now
        return self._keys

    async def _with_userinfo(self, claims: Claims, access_token: Any) -> Claims:
        """The claims that the settings name, from the second place where providers tell them."""
        settings, metadata = self._settings, await self.metadata()
        wanted = (settings.login_claim, settings.person_claim, settings.role_claim)
        missing = any(claim_of(claims, each) is None for each in wanted if each is not None)
        place = metadata.get("userinfo_endpoint")
        if not missing or not isinstance(access_token, str) or not is_safe(urlsplit(str(place or ""))):
            return claims
        async with self._client() as client:
            asked = client.build_request("GET", str(place), headers={"Authorization": f"Bearer {access_token}"})
            found = await _json(client, asked)
        if found.get("sub") != claims["sub"]:
            raise OidcError("oidc.cannot.token", "the provider tells of somebody else than the ID token")
        return {**found, **claims}

    async def _get(self, url: str) -> dict[str, Any]:
        async with self._client() as client:
            return await _json(client, client.build_request("GET", url))

    def _client(self) -> httpx.AsyncClient:
        verify: Any = True
        if self._settings.ca_file is not None:
            verify = httpx.create_ssl_context(verify=str(self._settings.ca_file))
        return httpx.AsyncClient(timeout=TIMEOUT_S, verify=verify, follow_redirects=False)


async def _json(client: httpx.AsyncClient, asked: httpx.Request, auth: httpx.Auth | None = None) -> dict[str, Any]:
    """The object that is answered; of an error only its OAuth name is told on."""
    where = f"{asked.url.host}{asked.url.path}"
    try:
        answer = await client.send(asked, auth=auth)
        found = answer.json() if len(answer.content) <= _LARGEST else None
    except httpx.HTTPError as error:
        raise OidcError("oidc.cannot.provider", f"{where}: {type(error).__name__}: {error}") from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OidcError("oidc.cannot.provider", f"{where}: answered {answer.status_code} and no JSON object")
    if answer.status_code != httpx.codes.OK:
        name = str(found.get("error", ""))[:60]
        key = "oidc.cannot.code" if name == "invalid_grant" else "oidc.cannot.provider"
        raise OidcError(key, f"{where}: answered {answer.status_code} {name}".rstrip())
    return found


def _is_public(key: Mapping[str, Any]) -> bool:
    """A key that cannot sign: one shared by both sides would let a client make tokens."""
    return key.get("kty") in ("RSA", "EC", "OKP")


def _with_query(url: str, more: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(more)}"
