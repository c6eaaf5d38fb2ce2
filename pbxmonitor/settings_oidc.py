"""The table of the settings about an identity provider: whose word is taken for who comes in, and as what."""

from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from pbxmonitor.settings_sources import secret_from_file
from pbxmonitor.settings_values import Table

LIBRARY: Final = "joserfc"
RoleName = Literal["employee", "supervisor", "manager", "admin"]
Claim = Annotated[str, Field(min_length=1, max_length=200)]


def is_safe(parts: SplitResult) -> bool:
    """Whether nobody can listen or answer in between: https, or this very machine."""
    if parts.scheme == "https" and parts.hostname:
        return True
    try:
        local = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    return parts.scheme == "http" and local


def _issuer(value: str) -> str:
    parts = urlsplit(value)
    if not is_safe(parts) or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://NAME or https://NAME/PATH, as the provider's discovery document says it")
    return value


class OidcSettings(Table):
    """Where people log in, and what is made of it here.

    `login_claim` names the account, `person_claim` who it is among the people; a dot goes into a table
    (`realm_access.roles`). `roles` and `teams` say what the words of `role_claim` are here; of several roles the
    highest counts, and who has none of them gets `default_role`, or is not let in. `create` makes accounts for those
    who have none; `adopt` gives an account of that login, which somebody made here, to whoever the provider calls so.
    """

    issuer: Annotated[str, AfterValidator(_issuer)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None
    client_secret_file: Path | None = None
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    label: str = ""
    login_claim: Claim = "preferred_username"
    person_claim: Claim | None = None
    role_claim: Claim | None = None
    roles: dict[str, RoleName] = Field(default_factory=dict)
    teams: dict[str, str] = Field(default_factory=dict)
    default_role: RoleName | None = None
    create: bool = False
    adopt: bool = False
    logout: bool = True
    algorithms: Annotated[
        tuple[Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"], ...],
        Field(min_length=1),
    ] = ("RS256", "PS256", "ES256")
    ca_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_secret(cls, values: Any) -> Any:
        return secret_from_file(values, "client_secret")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid among them")
        if (self.roles or self.teams) and self.role_claim is None:
            raise ValueError('roles and teams need role_claim, such as "groups"')
        if self.role_claim is not None and not self.roles and self.default_role is None and not self.teams:
            raise ValueError("role_claim needs roles, teams or default_role to mean anything")
        if self.create and not self.roles and self.default_role is None:
            raise ValueError("create needs default_role or roles: new accounts must be something")
        if find_spec(LIBRARY) is None:
            raise ValueError(f"needs {LIBRARY}; install it with: pip install 'pbxmonitor[oidc]'")
        return self

    @property
    def name(self) -> str:
        """What the button calls the provider."""
        return self.label or urlsplit(self.issuer).hostname or self.issuer

    @property
    def origin(self) -> str:
        """Where browsers are sent."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"
