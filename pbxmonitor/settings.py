"""Settings: a TOML file, over it the system's credentials, over them the environment."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from pbxmonitor.settings_alerts import DEFAULT_ALERTS, AlertsSettings, channels_named, people_named, teams_named
from pbxmonitor.settings_digests import DigestSettings, MoneySettings
from pbxmonitor.settings_errors import PASSWORD_IN_URL, SettingsError, did_you_mean, one_line
from pbxmonitor.settings_history import HistorySettings, RetentionSettings
from pbxmonitor.settings_people import (
    CallbackSettings,
    DialSettings,
    MessageSettings,
    PersonSettings,
    TeamSettings,
)
from pbxmonitor.settings_policy import PolicySettings
from pbxmonitor.settings_sources import CredentialsSource, named_pbxs, read_toml, secret_from_file
from pbxmonitor.settings_values import (
    AppName,
    Host,
    NodeName,
    Port,
    Region,
    Seconds,
    Table,
    Zone,
    matching,
    system_zone,
)
from pbxmonitor.settings_web import WebSettings

DEFAULT_PATHS = (Path("/etc/pbxmonitor/pbxmonitor.toml"), Path("pbxmonitor.toml"))
ENV_PREFIX = "PBXMONITOR_"
# What `to` may say beside people and `team:KEY`.
WORDS = frozenset({"owner", "supervisor", "reserve", "employee", "manager", "director", "crm"})
RESERVED_ENV = ("PBXMONITOR_CONFIG", "PBXMONITOR_TEST_")
DATABASE_SCHEMES = ("sqlite", "postgresql", "mariadb", "mysql")
# What people may set beside the file (settings_overlay.py): of these tables it is remembered what the file says.
EDITABLE = frozenset({"policy", "people", "teams", "messages", "callbacks", "alerts", "digests"})


class DatabaseSettings(Table):
    """Where rows live, and where facts wait while the database is away."""

    url: SecretStr = SecretStr("sqlite:////var/lib/pbxmonitor/pbxmonitor.sqlite3")
    password: SecretStr | None = None
    password_file: Path | None = None
    spool: Path = Path("/var/lib/pbxmonitor/spool")

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, values: Any) -> Any:
        return secret_from_file(values, "password")

    @model_validator(mode="after")
    def _check_scheme(self) -> Self:
        scheme, colon, _ = self.url.get_secret_value().partition(":")
        if not colon or scheme not in DATABASE_SCHEMES:
            raise ValueError(f"url must begin with one of {', '.join(f'{known}:' for known in DATABASE_SCHEMES)}")
        if self.password and not urlsplit(self.url.get_secret_value()).username:
            raise ValueError("url needs a user name (postgresql://name@host/base) for the password to belong to")
        return self

    @property
    def full_url(self) -> str:
        """The url with the password in it, for the driver only."""
        url = self.url.get_secret_value()
        if self.password is None:
            return url
        parts = urlsplit(url)
        user, host = quote(parts.username or "", safe="%"), parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{user}:{quote(self.password.get_secret_value(), safe='')}@{host}").geturl()

    @property
    def safe_url(self) -> str:
        """The url without the password, for people."""
        return PASSWORD_IN_URL.sub(r"\1***@", self.url.get_secret_value())


class LogSettings(Table):
    """How much is logged, and in which form; `auto` is console on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class NumbersSettings(Table):
    """Numbers that never open a callback."""

    own: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    door: tuple[str, ...] = ()
    fax: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, as they are written."""
        return self.own + self.branch + self.door + self.fax + self.blocked + self.test


class AmiSettings(Table):
    """The manager interface of one PBX (manager.conf)."""

    host: Host = "127.0.0.1"
    port: Port = 5038
    username: str = "pbxmonitor"
    secret: SecretStr
    secret_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    tls_insecure: bool = False
    watchdog: Seconds = timedelta(seconds=30)

    @model_validator(mode="before")
    @classmethod
    def _read_secret(cls, values: Any) -> Any:
        return secret_from_file(values, "secret", required=True)

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if not self.tls and (self.ca_file or self.tls_insecure):
            raise ValueError("set tls = true for ca_file or tls_insecure to mean anything")
        if self.ca_file and self.tls_insecure:
            raise ValueError("give one of ca_file and tls_insecure")
        return self


class AriSettings(Table):
    """The REST interface of one PBX (ari.conf, http.conf)."""

    url: str = "http://127.0.0.1:8088"
    username: str = "pbxmonitor"
    password: SecretStr
    password_file: Path | None = None
    app: AppName = "pbxmonitor"

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, values: Any) -> Any:
        return secret_from_file(values, "password", required=True)

    @model_validator(mode="after")
    def _check_url(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url must be http://HOST:PORT or https://HOST:PORT")
        if parts.username or parts.password:
            raise ValueError("url must have no user name or password in it: they are keys of their own")
        return self


class PbxSettings(Table):
    """One PBX that is followed."""

    node: NodeName
    trunks: tuple[str, ...] = ()
    trunk_contexts: tuple[str, ...] = ()
    ami: AmiSettings
    ari: AriSettings | None = None
    dial: DialSettings = DialSettings()
    history: HistorySettings = HistorySettings()
    resync_every: Seconds = timedelta(seconds=60)


class MetricsSettings(Table):
    """Where Prometheus may ask."""

    host: Host = "127.0.0.1"
    port: Port = 9105


ChannelName = Annotated[str, matching("[a-z0-9][a-z0-9_-]{0,19}", "a short name of a-z, 0-9, - and _")]


class Settings(BaseSettings):
    """Everything that can be set; `pbx` is keyed by node."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    language: Literal["ru", "en"] = "ru"
    timezone: Zone = Field(default_factory=system_zone)
    region: Region = "RU"
    database: DatabaseSettings = DatabaseSettings()
    log: LogSettings = LogSettings()
    policy: PolicySettings = PolicySettings()
    numbers: NumbersSettings = NumbersSettings()
    people: dict[str, PersonSettings] = {}
    teams: dict[str, TeamSettings] = {}
    messages: MessageSettings = MessageSettings()
    callbacks: CallbackSettings = CallbackSettings()
    alerts: AlertsSettings = DEFAULT_ALERTS
    digests: tuple[DigestSettings, ...] = ()
    money: MoneySettings | None = None
    notify: dict[ChannelName, dict[str, Any]] = {}
    crm: dict[ChannelName, dict[str, Any]] = {}
    pbx: Annotated[dict[str, PbxSettings], BeforeValidator(named_pbxs)] = {}
    retention: RetentionSettings = RetentionSettings()
    metrics: MetricsSettings | None = None
    web: WebSettings | None = None

    _given: Mapping[str, Any] = PrivateAttr(default_factory=dict)
    _file: "Settings | None" = PrivateAttr(default=None)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        made = handler(values)
        return made._remembering(values) if isinstance(values, dict) else made  # noqa: SLF001 - our own

    def _remembering(self, values: Mapping[str, Any]) -> Self:
        users = {name: {"users": table.get("users") or {}} for name, table in self.crm.items()}
        self._given = {key: value for key, value in values.items() if key in EDITABLE} | {"crm": users}
        return self

    @property
    def given(self) -> Mapping[str, Any]:
        """The editable tables as the file and the environment have them; nobody changes what stands there."""
        return self.file._given  # noqa: SLF001 - our own

    @property
    def file(self) -> "Settings":
        """What the file (with the environment) says alone, whatever is laid under it here (settings_overlay.py)."""
        return self._file or self

    def laid_under(self, file: "Settings") -> Self:
        """These settings, known to be those of the file with more laid under them."""
        self._file = file.file
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the base class names it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the system's credentials, and both over the file."""
        return env_settings, CredentialsSource(settings_cls), init_settings

    @model_validator(mode="after")
    def _check_people(self) -> Self:
        owners: dict[str, str] = {}
        for person, entry in self.people.items():
            for line in entry.devices + entry.mobiles:
                if owners.setdefault(line.lower(), person) != person:
                    raise ValueError(f"people: {line} cannot belong to both {owners[line.lower()]} and {person}")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        """Channels, CRMs and people that are named somewhere must be there."""
        crms, channels = set(self.crm), set(self.notify)
        if both := crms & channels:
            raise ValueError(f"crm: {min(both)} is a channel's name too; give one of them another")
        for where, name in _channels_named(self):
            if name not in channels:
                raise ValueError(f"{where}: there is no channel {name}; {did_you_mean(name, sorted(channels))}")
        for where, name in _people_named(self):
            if name not in self.people:
                raise ValueError(f"{where}: there is no person {name}; {did_you_mean(name, sorted(self.people))}")
        for where, name in teams_named(self.alerts):
            if name not in self.teams:
                raise ValueError(f"{where}: there is no team {name}; {did_you_mean(name, sorted(self.teams))}")
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


def _channels_named(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from (("messages.channels", name) for name in settings.messages.channels)
    for person, entry in settings.people.items():
        yield from ((f"people.{person}.channels", name) for name in entry.channels or ())
        yield from ((f"people.{person}.addresses", name) for name in entry.addresses)
    for number, step in enumerate(settings.callbacks.steps):
        yield from ((f"callbacks.steps.{number}.channels", name) for name in step.channels)
    for number, digest in enumerate(settings.digests):
        yield from ((f"digests.{number}.channels", name) for name in digest.channels)
    yield from channels_named(settings.alerts)


def _people_named(settings: Settings) -> Iterator[tuple[str, str]]:
    yield from (("callbacks.reserve", name) for name in settings.callbacks.reserve)
    for team, entry in settings.teams.items():
        yield from ((f"teams.{team}.supervisors", name) for name in entry.supervisors)
        yield from ((f"teams.{team}.reserve", name) for name in entry.reserve)
    for number, step in enumerate(settings.callbacks.steps):
        words = (name for name in step.to if name not in WORDS | set(settings.crm) and not name.startswith("team:"))
        yield from ((f"callbacks.steps.{number}.to", name) for name in words)
    for number, digest in enumerate(settings.digests):
        words = (name for name in digest.to if name not in WORDS and not name.startswith("team:"))
        yield from ((f"digests.{number}.to", name) for name in words)
    yield from people_named(settings.alerts)


def load(path: Path | None = None, defaults: Sequence[Path] = DEFAULT_PATHS) -> Settings:
    """The settings from that file (or the first default one there is) and the environment; SettingsError."""
    path = path or next((candidate for candidate in defaults if candidate.is_file()), None)
    source = str(path) if path else "settings"
    try:
        _refuse_unknown_variables()
        values = read_toml(path) if path else {}
        return Settings(**values)
    except ValidationError as error:
        raise SettingsError(one_line(error, Settings, source, ENV_PREFIX)) from None
    except SourceError as error:
        raise SettingsError(f'{_variable_in(error)}: must be JSON, such as ["a", "b"]') from None


def _refuse_unknown_variables() -> None:
    """A misspelt variable is as wrong as a misspelt key."""
    for name in sorted(os.environ):
        upper = name.upper()
        key = upper.removeprefix(ENV_PREFIX).partition("__")[0].lower()
        if upper.startswith(ENV_PREFIX) and not upper.startswith(RESERVED_ENV) and key not in Settings.model_fields:
            raise SettingsError(f"${name}: unknown key; {did_you_mean(key, list(Settings.model_fields))}")


def _variable_in(error: SourceError) -> str:
    """The variable whose JSON could not be read, as far as the library tells."""
    field = next(iter(re.findall(r'field "(\w+)"', str(error))), "").upper()
    names = [name for name in sorted(os.environ) if name.upper().startswith(ENV_PREFIX + field)]
    return " or ".join(f"${name}" for name in names) or "environment"
