"""Where settings come from besides the environment: the TOML file, secrets' files, the system's credentials."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_settings import PydanticBaseSettingsSource

from pbxmonitor.settings_errors import SettingsError

SECRET_LIMIT = 65536


def read_toml(path: Path) -> dict[str, Any]:
    """The file's tables, `pbx` keyed by node; SettingsError when the file cannot be had."""
    try:
        values = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: is not TOML: {error}") from None
    try:
        return {**values, "pbx": by_node(values["pbx"])} if "pbx" in values else values
    except ValueError as error:
        raise SettingsError(f"{path}: pbx: {error}") from None


class CredentialsSource(PydanticBaseSettingsSource):
    """Files of $CREDENTIALS_DIRECTORY (systemd's LoadCredential=) named by key, such as `pbx.main.ami.secret`."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - the base class names it
        """Asked field by field nowhere; `__call__` answers for all."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        values: dict[str, Any] = {}
        for path in sorted(Path(directory).iterdir()) if directory and Path(directory).is_dir() else ():
            first, *rest = path.name.split(".")
            if rest and first in self.settings_cls.model_fields:
                _put(values, [first, *rest], read_secret(path))
        return values


def _put(values: dict[str, Any], keys: list[str], value: str) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value


def read_secret(path: Path) -> str:
    """The text of a secret's file without its last line end; ValueError when it cannot be had."""
    try:
        with path.open("rb") as file:
            text = file.read(SECRET_LIMIT).decode("utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"cannot read {path}: it is not UTF-8 text") from None
    if not text:
        raise ValueError(f"cannot use {path}: it is empty")
    return text


def secret_from_file(values: Any, key: str, *, required: bool = False) -> Any:
    """The table with the secret read from its file, when the table names one."""
    if not isinstance(values, Mapping):
        return values
    path = values.get(f"{key}_file")
    if path is None:
        if required and key not in values:
            raise ValueError(f"needs {key} or {key}_file")
        return values
    if key in values:
        raise ValueError(f"give one of {key} and {key}_file")
    return {**values, key: read_secret(Path(str(path)))}


def by_node(value: Any) -> Any:
    """The `[[pbx]]` tables keyed by their nodes, so that the environment can name one of them."""
    if not isinstance(value, list):
        if isinstance(value, dict) and "node" in value:
            raise ValueError("write [[pbx]] with double brackets, one for each PBX")
        return value
    tables: dict[str, Any] = {}
    for table in value:
        node = table.get("node") if isinstance(table, dict) else None
        if not isinstance(node, str) or not node:
            raise ValueError("needs node, a short name, in each [[pbx]]")
        if node in tables:
            raise ValueError(f"cannot have two [[pbx]] with node {node!r}")
        tables[node] = table
    return tables


def named_pbxs(value: Any) -> Any:
    """The same tables, each knowing the node that it is keyed by."""
    value = by_node(value)
    if not isinstance(value, dict):
        return value
    return {node: {"node": node, **table} if isinstance(table, dict) else table for node, table in value.items()}
