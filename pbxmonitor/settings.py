"""Settings: a TOML file, over it the system's credentials, over them the environment."""

import os
import re
from collections.abc import Callable, Sequence
from datetime import date, time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from pbxmonitor.domain import policy as domain
from pbxmonitor.settings_errors import PASSWORD_IN_URL, SettingsError, did_you_mean, one_line
from pbxmonitor.settings_sources import CredentialsSource, named_pbxs, read_toml, secret_from_file
from pbxmonitor.settings_values import (
    DAYS,
    AppName,
    Host,
    NodeName,
    Port,
    Region,
    Seconds,
    Share,
    Spans,
    Zone,
    spread_days,
    system_zone,
    whole_hours,
)

DEFAULT_PATHS = (Path("/etc/pbxmonitor/pbxmonitor.toml"), Path("pbxmonitor.toml"))
ENV_PREFIX = "PBXMONITOR_"
RESERVED_ENV = ("PBXMONITOR_CONFIG", "PBXMONITOR_TEST_")
DATABASE_SCHEMES = ("sqlite", "postgresql", "mariadb", "mysql")


class Table(BaseModel):
    """A table of the settings: unknown keys are errors, values never change, values stay out of error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


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


class HoursSettings(Table):
    """Working hours by day of the week; a day not named is closed, and no day named at all is always open."""

    mon: Spans = ()
    tue: Spans = ()
    wed: Spans = ()
    thu: Spans = ()
    fri: Spans = ()
    sat: Spans = ()
    sun: Spans = ()
    holidays: frozenset[date] = frozenset()


class QueuePolicySettings(Table):
    """What a queue has of its own."""

    min_ring: Seconds | None = None
    short_abandon: Seconds | None = None
    short_hangup: Seconds | None = None
    dropped_within: Seconds | None = None
    callback_norm: Seconds | None = None


class PolicySettings(Table):
    """The thresholds by which calls are judged; durations in seconds or as `10 min`, `7 d`."""

    min_ring: Seconds = domain.Policy().min_ring
    short_abandon: Seconds = domain.Policy().short_abandon
    short_hangup: Seconds = domain.Policy().short_hangup
    dropped_within: Seconds = domain.Policy().dropped_within
    callback_norm: Seconds = domain.Policy().callback_norm
    callback_keep: Seconds = domain.Policy().callback_keep
    min_attempt_ring: Seconds = domain.Policy().min_attempt_ring
    min_reached_talk: Seconds = domain.Policy().min_reached_talk
    max_missed_share: Share = domain.Policy().max_missed_share
    min_offered_for_rating: Annotated[int, Field(ge=0)] = domain.Policy().min_offered_for_rating
    min_in_norm_share: Share = domain.Policy().min_in_norm_share
    service_levels: Annotated[tuple[Seconds, ...], Field(min_length=1)] = domain.Policy().service_levels
    peak_hours: Annotated[Spans, AfterValidator(whole_hours)] = ()
    hours: Annotated[HoursSettings, BeforeValidator(spread_days)] = HoursSettings()
    queues: dict[str, QueuePolicySettings] = {}


class NumbersSettings(Table):
    """Numbers that never open a callback."""

    own: tuple[str, ...] = ()
    door: tuple[str, ...] = ()
    fax: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    test: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, as they are written."""
        return self.own + self.door + self.fax + self.blocked + self.test


class PersonSettings(Table):
    """A person, the devices that ring for him, and the mobile numbers calls are forwarded to."""

    name: str = ""
    devices: tuple[str, ...] = ()
    mobiles: tuple[str, ...] = ()


class TeamSettings(Table):
    """People who are compared with each other; a goal of their own where it is not that of the policy."""

    name: str = ""
    people: tuple[str, ...] = ()
    max_missed_share: Share | None = None
    callback_norm: Seconds | None = None


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
    resync_every: Seconds = timedelta(seconds=60)


class MetricsSettings(Table):
    """Where Prometheus may ask."""

    host: Host = "127.0.0.1"
    port: Port = 9105


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
    pbx: Annotated[dict[str, PbxSettings], BeforeValidator(named_pbxs)] = {}
    metrics: MetricsSettings | None = None

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

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


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


def to_policy(settings: Settings, canonical: Callable[[str], str | None] = str) -> domain.Policy:
    """The domain's policy; `canonical` makes a written number E.164, or None when it is not one."""
    plain = settings.policy.model_dump(exclude={"hours", "queues", "peak_hours"})
    numbers = frozenset(number for written in settings.numbers.every if (number := canonical(written)))
    queues = {name: own.model_dump(exclude_none=True) for name, own in settings.policy.queues.items()}
    return domain.Policy(
        **plain,
        hours=_hours(settings),
        never_call_back=numbers,
        queues=queues,
        peak_hours=_peak_hours(settings),
        teams=_teams(settings),
    )


def _peak_hours(settings: Settings) -> frozenset[int] | None:
    spans = settings.policy.peak_hours
    hours = (hour for begin, end in spans for hour in range(begin.hour, end.hour if end != time.max else 24))
    return frozenset(hours) if spans else None


def _teams(settings: Settings) -> tuple[domain.Team, ...]:
    return tuple(
        domain.Team(
            key=key,
            name=team.name or key,
            members=frozenset(team.people),
            max_missed_share=team.max_missed_share,
            callback_norm=team.callback_norm,
        )
        for key, team in settings.teams.items()
    )


def _hours(settings: Settings) -> domain.WorkingHours:
    hours = settings.policy.hours
    week = tuple(getattr(hours, day) for day in DAYS)
    return domain.WorkingHours(zone=settings.zone, week=week if any(week) else (), holidays=hours.holidays)
