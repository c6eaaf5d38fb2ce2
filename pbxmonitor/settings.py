"""Settings: a TOML file, then secrets given as files, then the environment; the last one wins."""

import os
import tomllib
from collections.abc import Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from pbxmonitor.settings_errors import SettingsError, did_you_mean, one_line
from pbxmonitor.settings_values import Host, Port, Seconds, Share, WorkingHours, Zone, system_zone

DEFAULT_PATHS = (Path("/etc/pbxmonitor/pbxmonitor.toml"), Path("pbxmonitor.toml"))
ENV_PREFIX = "PBXMONITOR_"
RESERVED_ENV = ("PBXMONITOR_CONFIG", "PBXMONITOR_TEST_")
DATABASE_SCHEMES = ("sqlite", "postgresql", "mariadb", "mysql")
