"""What the commands share: errors in one line, settings, how results are given."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pbxmonitor.texts import speak

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from pbxmonitor.settings import Settings

T = TypeVar("T")
OPTIONS: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
From = Annotated[str | None, typer.Option("--from", help="today, yesterday, a date or an ISO moment; site time.")]
To = Annotated[str | None, typer.Option("--to", help="As --from; a date is included whole.")]
Node = Annotated[str | None, typer.Option("--node", help="Only that PBX.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class PlainError(Exception):
    """The command cannot do what it was asked; the text is one line for the person who asked."""


def settings_of(path: Path | None, *, search: bool = True) -> "Settings":
    """The settings, their language spoken, their log set up; without `search`, no file but the one given."""
    from pbxmonitor import logs
    from pbxmonitor.settings import DEFAULT_PATHS, load
    from pbxmonitor.settings_errors import SettingsError

    try:
        settings = load(path, DEFAULT_PATHS if search else ())
    except SettingsError as error:
        raise PlainError(str(error)) from None
    speak(settings.language)
    logs.set_up(settings.log.level, settings.log.format)
    return settings


def settings_in_force(path: Path | None) -> "Settings":
    """The same with what people set in the dashboard: for every command that works in the rows. PlainError."""
    settings = settings_of(path)
    from pbxmonitor.in_force import arranged

    return in_rows(settings, lambda connection: arranged(settings, connection)).settings


@contextmanager
def plain_errors(settings: "Settings") -> Iterator[None]:
    """A database that is away, or a file that cannot be had, is one line."""
    from sqlalchemy.exc import SQLAlchemyError

    from pbxmonitor.store.types import StoreError, driver_line

    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PlainError(f"{error.filename or 'network'}: {error.strerror or error}") from None
    except (SQLAlchemyError, StoreError) as error:
        raise PlainError(f"database {settings.database.safe_url}: {driver_line(error)}") from None


def in_rows(settings: "Settings", work: "Callable[[Connection], T]") -> T:
    """What the work gives, done in one transaction of the settings' database."""
    from pbxmonitor.store.types import connect, writing

    async def done() -> T:
        database = connect(settings.database.full_url)
        try:
            return await writing(database, work)
        finally:
            await database.dispose()

    with plain_errors(settings):
        return asyncio.run(done())


def print_json(value: Any) -> None:
    """JSON as people and jq read it."""
    print(json.dumps(value, ensure_ascii=False, indent=2))
