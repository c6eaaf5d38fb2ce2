"""Judging again, proving the numbers, and taking in what Asterisk kept."""

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbxmonitor.cli.common import AsJson, Node, PlainError, plain_errors, print_json, settings_in_force
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from pbxmonitor.importing import Report
    from pbxmonitor.settings import Settings
    from pbxmonitor.store.outcome import Outcome

Progress = Callable[[int, int], None]


def add_to(cli: typer.Typer) -> None:
    """Add the commands."""
    cli.command()(recompute)
    cli.command()(doctor)
    cli.command(name="import")(import_history)


def recompute(
    context: typer.Context,
    begin: Annotated[str, typer.Option("--from", help="today, yesterday, a date or an ISO moment; site time.")],
    node: Node = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show old against new, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge again all that began since, by the policy as it is set now: old against new."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.exhibits.recomputed import recomputed
    from pbxmonitor.screen import show

    since = _moment(settings, begin)
    with plain_errors(settings), _progress(tr("cli.recompute"), hidden=as_json) as told:
        outcome = asyncio.run(_recompute(settings, since, node, dry_run, told))
    exhibit = recomputed(outcome, dry_run=dry_run)
    if as_json:
        print_json(exhibit.rows)
        return
    for table in exhibit.tables:
        show(table)


async def _recompute(
    settings: "Settings", since: "datetime", node: str | None, dry_run: bool, told: Progress
) -> "Outcome":
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.pbx.asterisk.connect import policy_of
    from pbxmonitor.store.recompute import recompute as judge_again
    from pbxmonitor.store.rollups import roll_up
    from pbxmonitor.store.types import connect

    database, policy = connect(settings.database.full_url), policy_of(settings)
    try:
        outcome = await judge_again(database, policy, begin=since, node=node, dry_run=dry_run, progress=told)
        if not dry_run:
            await roll_up(database, policy, SystemClock().now())
        return outcome
    finally:
        await database.dispose()


def doctor(
    context: typer.Context,
    node: Node = None,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the rows only, not at the PBX.")] = False,
    as_json: AsJson = False,
) -> None:
    """Prove that the numbers agree with each other and with the PBX; exit code 1 with who breaks what."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.doctor import examined

    with plain_errors(settings):
        found = asyncio.run(examined(settings, node, live=not offline))
    said = [(each, _text(each.key, each.values, settings)) for each in found]
    if as_json:
        print_json([{"check": e.check, "node": e.node, "subject": e.subject, "text": text} for e, text in said])
    else:
        for _, text in said:
            print(f"✗ {text}")
        print(tr("cli.doctor_bad", n=len(found)) if found else tr("cli.doctor_fine"))
    raise typer.Exit(1 if found else 0)


def _text(key: str, values: Mapping[str, Any], settings: "Settings") -> str:
    """Moments are said in the site's time."""
    return tr(key, **{name: _local(value, settings) for name, value in values.items()})


def _local(value: Any, settings: "Settings") -> Any:
    return f"{value.astimezone(settings.zone):%Y-%m-%d %H:%M:%S}" if hasattr(value, "astimezone") else value


def import_history(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="A file (also .gz), rotated ones oldest first; or a SQLAlchemy URL.")
    ],
    form: Annotated[str, typer.Option("--format", help="queue_log, cdr-csv or cel-csv; the same words for a URL.")],
    node: Annotated[str, typer.Option("--node", help="Whose history that is.")] = "main",
    table: Annotated[str | None, typer.Option("--table", help="The URL's table, if it has another name.")] = None,
    zone: Annotated[
        str | None, typer.Option("--zone", help="Of times without one; the site's. CDR may be UTC.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in what Asterisk kept: a queue_log, CDR or CEL. Twice changes nothing; what was seen live stays."""
    settings = settings_in_force(context.obj)
    from pbxmonitor import importing

    place = source if "://" in source else Path(source)
    with plain_errors(settings), _progress(tr("cli.import"), hidden=as_json) as told:
        try:
            report = asyncio.run(
                importing.run(settings, place, form, node, progress=told, table=table, zone=_zone(zone))
            )
        except importing.ImportingError as error:
            raise PlainError(str(error)) from None
    if as_json:
        print_json(_told(report))
    else:
        _print(report)


def _zone(name: str | None) -> "ZoneInfo | None":
    from zoneinfo import ZoneInfo

    from pbxmonitor.settings_values import zone_name

    try:
        return ZoneInfo(zone_name(name)) if name else None
    except ValueError as error:
        raise PlainError(f"--zone {name}: {error}") from None


def _print(report: "Report") -> None:
    left = report.same + report.left
    print(tr("cli.imported", lines=report.lines, new=report.new, changed=report.changed, kept=left))
    for key in ("cut", "misplaced"):
        if number := getattr(report, key):
            print(tr(f"cli.import_{key}", n=number), file=sys.stderr)
    if report.bad:
        print(tr("cli.import_bad", n=report.bad, file=report.aside or report.not_kept), file=sys.stderr)
        for line in report.shown:
            print(f"  {line.number}: {line.reason}", file=sys.stderr)


def _told(report: "Report") -> dict[str, Any]:
    counts = ("lines", "new", "changed", "same", "left", "intervals", "bad", "cut", "misplaced")
    shown = [{"line": line.number, "reason": line.reason} for line in report.shown]
    return {name: getattr(report, name) for name in counts} | {
        "aside": report.aside and str(report.aside),
        "first": shown,
    }


def _moment(settings: "Settings", text: str) -> "datetime":
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.periods import moment

    try:
        return moment(text, SystemClock().now(), settings.zone)
    except ValueError as error:
        raise PlainError(str(error)) from None


@contextmanager
def _progress(title: str, *, hidden: bool) -> Iterator[Progress]:
    """A bar on stderr, gone when the work is done; nothing when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
