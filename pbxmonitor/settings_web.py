"""The table of the settings about the web application."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from pbxmonitor.settings_oidc import OidcSettings
from pbxmonitor.settings_values import Host, Port, Seconds, Table


def _root_path(value: str) -> str:
    """A path such as /pbxmonitor, or nothing."""
    path = value.rstrip("/")
    parts = path.split("/")[1:]
    if path and (
        not path.startswith("/") or not all(part.replace("-", "").replace("_", "").isalnum() for part in parts)
    ):
        raise ValueError("must be a path such as /pbxmonitor, or empty")
    return path


def _networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError:
            raise ValueError("must be addresses or networks such as 127.0.0.1 or 10.0.0.0/8") from None
    return values


def _public_url(value: str | None) -> str | None:
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be https://NAME or https://NAME/PATH")
    return value.rstrip("/")


class WebSettings(Table):
    """Where the pages are served, and how long a login holds.

    `root_path` is the path below which a reverse proxy shows us, `public_url` our whole address as people write it (for
    the links that are printed); `trusted_proxies` are those whose X-Forwarded-For and -Proto are believed. A session
    ends when it was not used for `session_idle`, and after `session_longest` in any case. One token, session or
    stranger's address may ask `requests_per_minute` (0: without end), `requests_at_once` of them one after another, and
    one account or token hold `streams_at_once` open (0: without end). Webhooks inside our own network are refused
    unless `webhooks_to_private`. `oidc` is where people may log in, beside the passwords here.
    """

    host: Host = "127.0.0.1"
    port: Port = 8080
    root_path: Annotated[str, AfterValidator(_root_path)] = ""
    public_url: Annotated[str | None, AfterValidator(_public_url)] = None
    session_idle: Seconds = timedelta(hours=12)
    session_longest: Seconds = timedelta(days=14)
    secure_cookies: Literal["auto", "always", "never"] = "auto"
    trusted_proxies: Annotated[tuple[str, ...], AfterValidator(_networks)] = ("127.0.0.1", "::1")
    requests_per_minute: Annotated[int, Field(ge=0, le=1_000_000)] = 600
    requests_at_once: Annotated[int, Field(ge=1, le=100_000)] = 200
    streams_at_once: Annotated[int, Field(ge=0, le=100_000)] = 50
    webhooks_to_private: bool = False
    oidc: OidcSettings | None = None

    @property
    def address(self) -> str:
        """Where people find the pages, as far as we know."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.public_url or f"http://{host}:{self.port}{self.root_path}"


def web_of(settings: object) -> WebSettings:
    """The table of those settings, or what holds when there is none."""
    found = getattr(settings, "web", None)
    return found if isinstance(found, WebSettings) else WebSettings()
