"""The command line. Exit codes: 0 fine, 1 the answer is no, 2 bad usage or settings, with one line on stderr.

What a command needs is imported inside it, so that `pbxmonitor version` does not wait for a database driver.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from pbxmonitor.texts import speak, tr

if TYPE_CHECKING:
    from pbxmonitor.settings import PbxSettings, Settings
    from pbxmonitor.tables import Table

OPTIONS: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
cli = typer.Typer(name="pbxmonitor", help="Who misses calls on an Asterisk PBX, why, and who called back.", **OPTIONS)
db = typer.Typer(help="Look after the database's tables.", **OPTIONS)
report = typer.Typer(help="Print what the database holds.", **OPTIONS)
cli.add_typer(db, name="db")
cli.add_typer(report, name="report")

From = Annotated[str, typer.Option("--from", help="today, yesterday, a date or an ISO moment; site time.")]
To = Annotated[str, typer.Option("--to", help="As --from; a date is included whole.")]
Node = Annotated[str | None, typer.Option("--node", help="Only that PBX.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsCsv = Annotated[Path | None, typer.Option("--csv", help="Write a spreadsheet's CSV to that file; - is stdout.")]


class PlainError(Exception):
    """The command cannot do what it was asked; the text is one line for the person who asked."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        code = typer.main.get_command(cli).main(
            args=list(sys.argv[1:] if arguments is None else arguments), prog_name="pbxmonitor", standalone_mode=False
        )
    except TyperException as error:
        return _complain(f"{error.format_message().splitlines()[0].rstrip('.')}. See pbxmonitor --help.")
    except PlainError as error:
        return _complain(str(error))
    except BrokenPipeError:
        # Whoever read us (head, less) has seen enough; nothing more may be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return 130
    return code if isinstance(code, int) else 0


def _complain(text: str) -> int:
    from pbxmonitor.masking import masked_text

    print(f"pbxmonitor: {masked_text(' '.join(text.split()))}", file=sys.stderr)
    return 2


@cli.callback()
def options(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(envvar="PBXMONITOR_CONFIG", help="The settings file (TOML).")] = None,
) -> None:
    """Who misses calls on an Asterisk PBX, why, and who called back."""
    context.obj = config


def _settings(path: Path | None, *, search: bool = True) -> "Settings":
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


@contextmanager
def _plain_errors(settings: "Settings") -> Iterator[None]:
    """A database that is away, or a file that cannot be had, is one line."""
    from sqlalchemy.exc import SQLAlchemyError

    from pbxmonitor.store.types import StoreError

    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise PlainError(f"{error.filename or 'network'}: {error.strerror or error}") from None
    except (SQLAlchemyError, StoreError) as error:
        reason = str(getattr(error, "orig", None) or error).splitlines() or [type(error).__name__]
        raise PlainError(f"database {settings.database.safe_url}: {reason[0]}") from None


@cli.command()
def version() -> None:
    """Print the version."""
    print(f"pbxmonitor {installed_version('pbxmonitor')}")


@cli.command()
def run(context: typer.Context) -> None:
    """Follow every PBX of the settings until SIGTERM or Ctrl-C."""
    settings = _settings(context.obj)
    if not settings.pbx:
        raise PlainError('the settings name no PBX: add a [[pbx]] table with node = "main" and a table [pbx.ami]')
    from pbxmonitor import app

    with _plain_errors(settings):
        asyncio.run(app.run(settings))


@cli.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at the settings, the database and every PBX; say what is wrong and the line to put where."""
    settings = _settings(context.obj)
    from pbxmonitor.check import check as look

    findings = asyncio.run(look(settings))
    errors = sum(not finding.ok for finding in findings)
    if as_json:
        _print_json([{"level": each.level, "text": each.text, "fix": each.fix} for each in findings])
    else:
        for each in findings:
            print(f"{ {'ok': '✓', 'warning': '!'}.get(each.level, '✗') } {each.text}")
            print(f"  → {each.fix}" if each.fix else "", end="\n" if each.fix else "")
        print(tr("cli.check_bad", n=errors) if errors else tr("cli.check_fine"))
    raise typer.Exit(1 if errors else 0)


@cli.command()
def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Recorded AMI bytes.")],
    node: Annotated[str, typer.Option(help="The name of the PBX that was recorded.")] = "main",
    as_json: AsJson = False,
    settings_file: Annotated[Path | None, typer.Option("--settings", help="Judge by these settings.")] = None,
) -> None:
    """Play recorded AMI bytes, with no database, and print what they tell."""
    settings = _settings(settings_file, search=False)
    from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
    from pbxmonitor.pbx.asterisk.tape import TapeError
    from pbxmonitor.replay import replay as play
    from pbxmonitor.tables import journal_table, show

    try:
        told = play(files, site_of(settings, node), policy_of(settings))
    except TapeError as error:
        raise PlainError(str(error)) from None
    if as_json:
        _print_json(told)
    else:
        show(journal_table(told["calls"], settings.zone))


@cli.command()
def record(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where the tape goes.")],
    node: Annotated[str | None, typer.Option(help="Which PBX; needed when the settings name several.")] = None,
) -> None:
    """Record what a PBX sends, until Ctrl-C."""
    settings = _settings(context.obj)
    pbx = _one_pbx(settings, node)
    print(tr("cli.recording", node=pbx.node, file=file), file=sys.stderr)
    with _plain_errors(settings):
        count = asyncio.run(_record(pbx, file))
    print(tr("cli.recorded", n=count, file=file), file=sys.stderr)


async def _record(pbx: "PbxSettings", file: Path) -> int:
    from pbxmonitor.recorder import record as make_tape

    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return await make_tape(pbx, file, stop)


def _one_pbx(settings: "Settings", node: str | None) -> "PbxSettings":
    known = ", ".join(settings.pbx) or "none"
    if node is None and len(settings.pbx) == 1:
        return next(iter(settings.pbx.values()))
    if node not in settings.pbx:
        asked = f"there is no PBX {node!r}" if node else "say which PBX with --node"
        raise PlainError(f"{asked}; the settings name: {known}")
    return settings.pbx[node]


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

    settings = _settings(context.obj)
    url = settings.database.full_url

    async def work() -> str | None:
        if change is not None:
            await change(url)
        return await migrate.current(url)

    with _plain_errors(settings):
        revision = asyncio.run(work())
    print(tr("cli.database_at", revision=revision) if revision else tr("cli.database_empty"))
    return revision is not None


@report.command()
def agents(
    context: typer.Context,
    begin: From = "today",
    end: To = "today",
    node: Node = None,
    as_json: AsJson = False,
    csv: AsCsv = None,
) -> None:
    """Each agent's offered, answered and missed calls, short hangups, time in DND and on pause."""
    settings = _report_settings(context, as_json=as_json, csv=csv)
    from pbxmonitor import reporting
    from pbxmonitor.tables import agents_table

    period = _period(settings, begin, end)
    with _plain_errors(settings):
        rows = asyncio.run(reporting.agents(settings, *period, node))
        _give(rows, agents_table(rows, *period), as_json=as_json, csv=csv)


@report.command()
def journal(
    context: typer.Context,
    begin: From = "today",
    end: To = "today",
    node: Node = None,
    as_json: AsJson = False,
    csv: AsCsv = None,
) -> None:
    """Every call of the period: who called, who answered, who missed it, why it was lost."""
    settings = _report_settings(context, as_json=as_json, csv=csv)
    from pbxmonitor import reporting
    from pbxmonitor.tables import journal_table

    period = _period(settings, begin, end)
    with _plain_errors(settings):
        rows = asyncio.run(reporting.journal(settings, *period, node))
        _give(rows, journal_table(rows, settings.zone, *period), as_json=as_json, csv=csv)


def _report_settings(context: typer.Context, *, as_json: bool, csv: Path | None) -> "Settings":
    if as_json and csv is not None:
        raise PlainError("give one of --json and --csv")
    return _settings(context.obj)


def _period(settings: "Settings", begin: str, end: str) -> tuple[datetime, datetime]:
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.periods import period

    try:
        return period(begin, end, SystemClock().now(), settings.zone)
    except ValueError as error:
        raise PlainError(str(error)) from None


def _give(rows: Sequence[Any], table: "Table", *, as_json: bool, csv: Path | None) -> None:
    from pbxmonitor.tables import show, to_csv

    if as_json:
        _print_json(rows)
    elif csv is None:
        show(table)
    elif str(csv) == "-":
        sys.stdout.write(to_csv(table))
    else:
        csv.write_text(to_csv(table), "utf-8", newline="")
        print(tr("cli.rows_written", n=len(rows), file=csv), file=sys.stderr)


def _print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))
