"""An OpenID provider on loopback: real HTTP, real keys, and people who log in at it as the tests say."""

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.notify.loopback import Asked, Said, Web

CLIENT, SECRET = "pbxmonitor", "s3cret & more"
Claims = dict[str, Any]


@dataclass
class Code:
    """What was asked for when the person logged in."""

    asked: dict[str, str]
    claims: Claims


@dataclass
class FakeProvider:
    """`mint` makes a token of the claims; tests put another in its place. `metadata` is laid over what is offered."""

    now: Callable[[], datetime]
    issuer: str = ""
    keys: dict[str, RSAKey] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Claims] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    mint: Callable[[Claims], str] | None = None
    answer_token: Said | None = None

    def rotate(self, kid: str) -> None:
        """A new key in place of all there were."""
        self.keys = {kid: RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})}

    def signed(self, claims: Claims, **header: Any) -> str:
        """The token, signed with the key in use."""
        ((kid, key),) = self.keys.items()
        return jwt.encode({"alg": "RS256", "kid": kid, **header}, claims, key, algorithms=["RS256", "HS256", "none"])

    def logs_in(self, there: str, **claims: Any) -> str:
        """Somebody logs in at the address that he was sent to; the way back, with a code."""
        parts = urlsplit(there)
        assert f"{parts.scheme}://{parts.netloc}" == self.issuer
        asked = {name: values[0] for name, values in parse_qs(parts.query, strict_parsing=True).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
        code = f"code-{len(self.codes)}"
        self.codes[code] = Code(asked, claims)
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state'], 'iss': self.issuer})}"

    def __call__(self, asked: Asked) -> Said:
        self.asked.append(asked.path)
        match asked.path:
            case "/.well-known/openid-configuration":
                return Said.json(self._offered() | self.metadata)
            case "/keys":
                return Said.json({"keys": [key.as_dict(private=False) for key in self.keys.values()]})
            case "/token":
                return self.answer_token or self._token(asked)
            case "/userinfo":
                token = asked.headers["authorization"].removeprefix("Bearer ")
                return Said.json(self.userinfo[token])
        return Said(404, b"{}")

    def _offered(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "code_challenge_methods_supported": ["S256"],
        }

    def _token(self, asked: Asked) -> Said:
        form = asked.form()
        kind, _, both = asked.headers["authorization"].partition(" ")
        assert kind == "Basic"
        assert [unquote(each) for each in b64decode(both).decode().split(":")] == [CLIENT, SECRET]
        assert form["grant_type"] == "authorization_code"
        code = self.codes.get(form["code"])
        if code is None or form["code"] in self.used:
            return Said.json({"error": "invalid_grant"}, 400)
        self.used.append(form["code"])
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        assert challenge == code.asked["code_challenge"]
        assert form["redirect_uri"] == code.asked["redirect_uri"]
        at = int(self.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": at, "exp": at + 300, "nonce": code.asked["nonce"]}
        claims |= {"sub": f"sub of {code.claims.get('preferred_username')}"} | code.claims
        token = self.mint(claims) if self.mint is not None else self.signed(claims)
        return Said.json({"id_token": token, "access_token": f"access-{form['code']}", "token_type": "Bearer"})


@asynccontextmanager
async def provider(now: Callable[[], datetime]) -> Any:
    """A provider that is there."""
    made = FakeProvider(now=now)
    made.rotate("first")
    async with Web(made) as web:
        made.issuer = web.url
        yield made
