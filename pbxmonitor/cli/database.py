"""`pbxmonitor db`: the database's tables."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from pbxmonitor.cli.common import OPTIONS, plain_errors, settings_of
from pbxmonitor.texts import tr

db = typer.Typer(help="Look after the database's tables.", **OPTIONS)


@db.command()
def upgrade(context: typer.Context, revision: Annotated[str, typer.Argument()] = "head") -> None:
    """Bring the tables to that version, the newest by default."""
    from pbxmonitor.store import migrate

    _migrate(context, lambda url: migrate.upgrade(url, revision))


@db.command()
def downgrade(context: typer.Context, revision: Annotated[str, typer.Argument(help="base drops every table.")]) -> None:
    """Bring the tables back to that version; rows that it has no place for are lost."""
    from pbxmonitor.store import migrate

    _migrate(context, lambda url: migrate.downgrade(url, revision))


@db.command()
def current(context: typer.Context) -> None:
    """Print the version of the tables; exit code 1 when there are none."""
    if not _migrate(context, None):
        raise typer.Exit(1)


def _migrate(context: typer.Context, change: Callable[[str], Awaitable[None]] | None) -> bool:
    """Do it, and say which version the database has then; whether it has any."""
    from pbxmonitor.store import migrate

    settings = settings_of(context.obj)
    url = settings.database.full_url

    async def work() -> str | None:
        if change is not None:
            await change(url)
        return await migrate.current(url)

    with plain_errors(settings):
        revision = asyncio.run(work())
    print(tr("cli.database_at", revision=revision) if revision else tr("cli.database_empty"))
    return revision is not None
