"""`pbxmonitor report`: what the database holds, on the terminal or in a file."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbxmonitor.cli.common import (
    OPTIONS,
    AsJson,
    From,
    Node,
    PlainError,
    To,
    plain_errors,
    print_json,
    settings_in_force,
)
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.exhibits import Exhibit
    from pbxmonitor.periods import Stretch
    from pbxmonitor.settings import Settings

METRICS = "What each number means: docs/metrics.md."
report = typer.Typer(help=f"Print what the database holds. {METRICS}", **OPTIONS)

Named = Annotated[
    str | None,
    typer.Option(
        "--period", help="today, yesterday, this- or last- and week, month, quarter, half-year, year; site time."
    ),
]
ToFile = Annotated[Path | None, typer.Option(help="Write it to that file.")]
AsCsv = Annotated[Path | None, typer.Option("--csv", help="Write a spreadsheet's CSV to that file; - is stdout.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which report, of when, in what form."""

    settings: "Settings"
    stretch: "Stretch"
    node: str | None
    as_json: bool
    file: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that every report has."""

    period: str | None = None
    begin: str | None = None
    end: str | None = None
    node: str | None = None
    as_json: bool = False
    files: Mapping[str, Path | None] = field(default_factory=dict)


def asked(context: typer.Context, options: Options) -> Asked:
    """What the options mean together; PlainError where they do not go together."""
    files = {form: file for form, file in options.files.items() if file is not None}
    if len(files) + options.as_json > 1:
        raise PlainError(f"give one of {', '.join(f'--{form}' for form in ('json', *options.files))}")
    for form, file in files.items():
        if str(file) != "-" and file.suffix.lower() != f".{form}":
            raise PlainError(f"--{form} {file.name}: the file must end in .{form}")
    settings = settings_in_force(context.obj)
    stretch = _stretch(settings, options)
    return Asked(
        settings=settings,
        stretch=stretch,
        node=options.node,
        as_json=options.as_json,
        file=next(iter(files.values()), None),
    )


def _stretch(settings: "Settings", options: Options) -> "Stretch":
    from pbxmonitor import periods
    from pbxmonitor.clock import SystemClock

    now, zone = SystemClock().now(), settings.zone
    try:
        if options.period is not None:
            if options.begin or options.end:
                raise PlainError("give --period, or --from and --to")
            return periods.named(options.period, now, zone)
        begin = options.begin or "today"
        return periods.between(*periods.period(begin, options.end or "today", now, zone), zone)
    except ValueError as error:
        raise PlainError(str(error)) from None


def give(what: Asked, make: Callable[[Asked], Awaitable["Exhibit"]]) -> None:
    """Make the report and print it, or write it to the file."""
    with plain_errors(what.settings):
        exhibit = asyncio.run(_made(what, make))
        if what.as_json:
            print_json(exhibit.rows)
        elif what.file is None:
            _show(exhibit)
        elif str(what.file) == "-":
            from pbxmonitor.tables import to_csv

            sys.stdout.write(to_csv(exhibit.flat))
        else:
            _write(exhibit, what.file)


async def _made(what: Asked, make: Callable[[Asked], Awaitable["Exhibit"]]) -> "Exhibit":
    return await make(what)


def _show(exhibit: "Exhibit") -> None:
    from pbxmonitor.screen import show

    told = [table for table in exhibit.tables if table.rows] or exhibit.tables[:1]
    for number, table in enumerate(told):
        if number:
            print()
        show(table)


def _write(exhibit: "Exhibit", file: Path) -> None:
    from pbxmonitor.outputs import write

    tables = (exhibit.flat,) if file.suffix.lower() == ".csv" else exhibit.tables
    try:
        write(tables, exhibit.charts, file)
    except ValueError as error:
        raise PlainError(str(error)) from None
    if file.suffix.lower() in (".png", ".pdf"):
        print(tr("cli.charts_written", n=len(exhibit.charts), file=file), file=sys.stderr)
    else:
        print(tr("cli.rows_written", n=len(exhibit.flat.rows), file=file), file=sys.stderr)


def _add(name: str, make: Callable[[Asked], Awaitable["Exhibit"]], help_text: str) -> None:
    """A report with nothing but the common options."""

    def command(
        context: typer.Context,
        period: Named = None,
        begin: From = None,
        end: To = None,
        node: Node = None,
        as_json: AsJson = False,
        csv: AsCsv = None,
        xlsx: ToFile = None,
        png: ToFile = None,
        pdf: ToFile = None,
    ) -> None:
        files = {"csv": csv, "xlsx": xlsx, "png": png, "pdf": pdf}
        give(
            asked(context, Options(period=period, begin=begin, end=end, node=node, as_json=as_json, files=files)),
            make,
        )

    report.command(name, help=f"{help_text} {METRICS}")(command)


async def _agents(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.agents import agents

    stretch = what.stretch
    before = (stretch.before_begin, stretch.before_end)
    rows = await reporting.agents(what.settings, stretch.begin, stretch.end, what.node, before)
    return agents(rows, stretch)


_add("agents", _agents, "Each agent's calls, callbacks and time away, beside his team, his goals and the time before.")


async def _callbacks(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.exhibits.callbacks import callbacks

    settings, stretch = what.settings, what.stretch
    rows = await reporting.callbacks(settings, stretch.begin, stretch.end, what.node)
    now = SystemClock().now()
    figures = await reporting.callback_figures(settings, stretch.begin, stretch.end, what.node, now)
    steps = [step.to for step in settings.callbacks.chain]
    return callbacks(rows, stretch, settings.zone, reporting.names_of(settings), steps, figures)


async def _queues(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.queues import queues

    stretch = what.stretch
    return queues(await reporting.queues(what.settings, stretch.begin, stretch.end, what.node), stretch)


async def _stages(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.stages import stages

    settings, stretch = what.settings, what.stretch
    found = await reporting.stages(settings, stretch.begin, stretch.end, what.node)
    return stages(found, stretch, reporting.names_of(settings))


async def _hours(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.patterns import hours

    stretch = what.stretch
    return hours(await reporting.hours(what.settings, stretch.begin, stretch.end, what.node), stretch)


async def _lines(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.patterns import lines

    stretch = what.stretch
    return lines(await reporting.lines(what.settings, stretch.begin, stretch.end, what.node), stretch)


async def _regions(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.patterns import regions

    settings, stretch = what.settings, what.stretch
    found = await reporting.regions(settings, stretch.begin, stretch.end, what.node, settings.language)
    return regions(found, stretch)


async def _away(what: Asked) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.patterns import away

    settings, stretch = what.settings, what.stretch
    found = await reporting.away(settings, stretch.begin, stretch.end, what.node)
    return away(found, stretch, reporting.names_of(settings))


_add(
    "callbacks",
    _callbacks,
    "Debts to missed clients: who owes them, who tried, who got through, and at which step.",
)
_add("queues", _queues, "What came to each queue, what became of it, waits and service levels.")
_add("stages", _stages, "Where calls get stuck: the funnel, each step of the journey, the causes.")
_add("hours", _hours, "The week as a heat map: calls and lost calls by weekday and hour.")
_add("lines", _lines, "Calls and lost calls by the number that was called.")
_add("regions", _regions, "Calls and lost calls by the caller's region or mobile operator.")
_add("away", _away, "Who was in DND, at lunch or offline while calls were lost.")


@report.command(help=f"Every call, with its colour and cause; red ones alone with --missed-control. {METRICS}")
def journal(
    context: typer.Context,
    period: Named = None,
    begin: From = None,
    end: To = None,
    node: Node = None,
    agent: Annotated[str | None, typer.Option(help="His calls; of red ones, those he missed.")] = None,
    queue: Annotated[str | None, typer.Option(help="Calls that entered this queue.")] = None,
    line: Annotated[str | None, typer.Option(help="The number first called (DID).")] = None,
    colour: Annotated[str | None, typer.Option(help="red, yellow or green.")] = None,
    cause: Annotated[str | None, typer.Option(help="Why it was lost: ignored, declined, overload …")] = None,
    direction: Annotated[str | None, typer.Option(help="inbound, outbound or internal.")] = None,
    number: Annotated[str | None, typer.Option(help="The other side's number in any format, or a part of it.")] = None,
    stage: Annotated[str | None, typer.Option(help="A stop of the journey: ivr, queue:sales, voicemail …")] = None,
    min_talk: Annotated[float | None, typer.Option(help="Talked at least so many seconds.")] = None,
    max_talk: Annotated[float | None, typer.Option(help="Talked at most so many seconds.")] = None,
    min_wait: Annotated[float | None, typer.Option(help="Waited at least so many seconds.")] = None,
    max_wait: Annotated[float | None, typer.Option(help="Waited at most so many seconds.")] = None,
    short_hangups: Annotated[bool, typer.Option("--short-hangups", help="Dropped by the agent at once.")] = False,
    transferred: Annotated[bool, typer.Option("--transferred", help="Transferred calls.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="Nobody really talked to the client.")] = False,
    missed_control: Annotated[bool, typer.Option("--missed-control", help="Lost, and nobody called back yet.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many, the newest; otherwise all.")] = None,
    as_json: AsJson = False,
    csv: AsCsv = None,
    xlsx: ToFile = None,
) -> None:
    options = Options(period=period, begin=begin, end=end, node=node, as_json=as_json, files={"csv": csv, "xlsx": xlsx})
    what = asked(context, options)
    choice = {
        "agent": agent,
        "queue": queue,
        "line": line,
        "colour": colour,
        "cause": cause,
        "direction": direction,
        "number": number,
        "stage": stage,
        "min_talk_s": min_talk,
        "max_talk_s": max_talk,
        "min_wait_s": min_wait,
        "max_wait_s": max_wait,
        "short_hangups": short_hangups,
        "transferred": transferred,
        "lost": lost,
        "missed_control": missed_control,
    }
    give(what, partial(_journal, choice=choice, limit=limit))


async def _journal(what: Asked, choice: dict[str, Any], limit: int | None) -> "Exhibit":
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.journal import journal as exhibit

    stretch, settings = what.stretch, what.settings
    chosen = {name: value for name, value in choice.items() if value is not None and value is not False}
    if not chosen and limit is None:
        rows = await reporting.journal(settings, stretch.begin, stretch.end, what.node)
        return exhibit(rows, stretch, settings.zone)
    try:
        wanted = reporting.journal_filter(settings, stretch.begin, stretch.end, what.node, chosen)
    except ValueError as error:
        raise PlainError(str(error)) from None
    page = await reporting.journal_page(settings, wanted, limit)
    return exhibit(page.calls, stretch, settings.zone, more=page.next is not None)


@report.command(help="One call: its journey, and which rule gave its colour and each verdict.")
def call(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="ID", help="The call's ID, as the journal shows it.")],
    node: Node = None,
    as_json: AsJson = False,
) -> None:
    settings = settings_in_force(context.obj)
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.journal import call_lines, call_tables

    with plain_errors(settings):
        found, policy, names = asyncio.run(reporting.cases(settings, key, node))
    if not found:
        raise PlainError(f"there is no call {key}; report journal shows the IDs")
    exhibits = [call_tables(case, call_lines(case, policy, settings.zone, names), settings.zone) for case in found]
    if as_json:
        print_json([exhibit.rows for exhibit in exhibits])
        return
    for exhibit in exhibits:
        _show(exhibit)
