"""The command line. Exit codes: 0 fine, 1 the answer is no, 2 bad usage or settings, with one line on stderr.

What a command needs is imported inside it, so that `pbxmonitor version` does not wait for a database driver.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from pbxmonitor.cli import callbacks, channels, database, history, numbers, outbox, people, reports, users
from pbxmonitor.cli.common import OPTIONS, AsJson, PlainError, plain_errors, print_json, settings_of
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.settings import PbxSettings, Settings

cli = typer.Typer(name="pbxmonitor", help="Who misses calls on an Asterisk PBX, why, and who called back.", **OPTIONS)
cli.add_typer(database.db, name="db")
cli.add_typer(reports.report, name="report")
cli.add_typer(callbacks.callback, name="callback")
cli.add_typer(channels.notify, name="notify")
cli.add_typer(numbers.numbers, name="numbers")
cli.add_typer(outbox.outbox, name="outbox")
cli.add_typer(people.people, name="people")
cli.add_typer(users.user, name="user")
history.add_to(cli)


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


@cli.command()
def version() -> None:
    """Print the version."""
    print(f"pbxmonitor {installed_version('pbxmonitor')}")


@cli.command()
def run(context: typer.Context) -> None:
    """Follow every PBX of the settings until SIGTERM or Ctrl-C."""
    settings = settings_of(context.obj)
    if not settings.pbx:
        raise PlainError('the settings name no PBX: add a [[pbx]] table with node = "main" and a table [pbx.ami]')
    from pbxmonitor import app
    from pbxmonitor.settings_errors import SettingsError

    with plain_errors(settings):
        try:
            asyncio.run(app.run(settings))
        except SettingsError as wrong:
            raise PlainError(str(wrong)) from None


@cli.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at the settings, the database and every PBX; say what is wrong and the line to put where."""
    settings = settings_of(context.obj)
    from pbxmonitor.check import check as look

    findings = asyncio.run(look(settings))
    errors = sum(not finding.ok for finding in findings)
    if as_json:
        print_json([{"level": each.level, "text": each.text, "fix": each.fix} for each in findings])
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
    settings = settings_of(settings_file, search=False)
    from pbxmonitor.pbx.asterisk.connect import policy_of, site_of
    from pbxmonitor.pbx.asterisk.tape import TapeError
    from pbxmonitor.replay import replay as play
    from pbxmonitor.tables import journal_table, show

    try:
        told = play(files, site_of(settings, node), policy_of(settings))
    except TapeError as error:
        raise PlainError(str(error)) from None
    if as_json:
        print_json(told)
    else:
        show(journal_table(told["calls"], settings.zone))


@cli.command()
def record(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where the tape goes.")],
    node: Annotated[str | None, typer.Option(help="Which PBX; needed when the settings name several.")] = None,
) -> None:
    """Record what a PBX sends, until Ctrl-C."""
    settings = settings_of(context.obj)
    pbx = _one_pbx(settings, node)
    print(tr("cli.recording", node=pbx.node, file=file), file=sys.stderr)
    with plain_errors(settings):
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
