"""Values of a CRM's settings: a user's number, a time, a proxy, whom to trust in TLS."""

import ssl
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr

from pbxmonitor.settings_values import Seconds, matching

PROXIES = ("http", "https", "socks5", "socks5h")


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _some_time(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("must be longer than nothing")
    return value


def trust(ca_file: Path) -> ssl.SSLContext:
    """Trust in the authorities of that file; ValueError when there is none in it."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        why = "there is none in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"must be a file of certificates: {why}") from None


def _authority(value: Path) -> Path:
    trust(value)
    return value


def _proxy(value: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(value.get_secret_value())
        fine = parts.scheme in PROXIES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine:
        raise ValueError("must be http://HOST:PORT or socks5://HOST:PORT")
    return value


def is_address(value: str) -> bool:
    """Whether it is the address of a server, with no login in it."""
    try:
        parts = urlsplit(value)
        return (
            parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        )
    except ValueError:
        return False


# A user of the CRM; TOML may have it as a number.
UserNumber = Annotated[str, matching("[1-9][0-9]*", "the number of a user"), BeforeValidator(_as_text)]
Patience = Annotated[Seconds, AfterValidator(_some_time)]
Authority = Annotated[Path, AfterValidator(_authority)]
Proxy = Annotated[SecretStr, AfterValidator(_proxy)]
