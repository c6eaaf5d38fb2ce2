"""`pbxmonitor numbers`: whose calls never make anybody call back, beside the numbers of the settings file."""

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from pbxmonitor.cli.common import OPTIONS, AsJson, PlainError, in_rows, print_json, settings_of
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.settings import Settings

numbers = typer.Typer(help="Numbers that never open a callback: own lines, door phones, fax, blocked.", **OPTIONS)
Number = Annotated[str, typer.Argument(help="A number in any format.")]


@numbers.command(name="list")
def list_numbers(context: typer.Context, as_json: AsJson = False) -> None:
    """All of them; those of the settings file are said to be fixed."""
    settings = settings_of(context.obj)
    from pbxmonitor.store.numbers import rules

    found = in_rows(settings, rules)
    rows = [{"number": each.number, "kind": each.kind.value, "note": each.note, "by": each.by} for each in found]
    fixed = [
        {"number": number, "kind": kind, "note": None, "by": None}
        for kind, listed in settings.numbers
        for number in listed
    ]
    if as_json:
        print_json(fixed + rows)
        return
    for row in fixed + rows:
        kind = tr(f"number.kind.{row['kind']}")
        print(row["number"], kind, row["note"] or "", row["by"] or tr("cli.numbers.fixed"), sep="\t")


@numbers.command()
def add(
    context: typer.Context,
    number: Number,
    kind: Annotated[str, typer.Option("--kind", help="own, branch, door, fax, blocked or test.")] = "blocked",
    note: Annotated[str | None, typer.Option("--note", help="Why.")] = None,
) -> None:
    """Nobody needs to call this number back."""
    settings = settings_of(context.obj)
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.store.numbers import Kind, put

    if kind not in set(Kind):
        raise PlainError(f"--kind {kind}: give one of {', '.join(Kind)}")
    canonical, now = _canonical(settings, number), SystemClock().now()
    in_rows(settings, lambda connection: put(connection, canonical, Kind(kind), note, getpass.getuser(), now))
    print(tr("cli.numbers.added", number=canonical))


@numbers.command()
def remove(context: typer.Context, number: Number) -> None:
    """Calls from this number open callbacks again; exit code 1 when it was not there."""
    settings = settings_of(context.obj)
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.store.numbers import remove as take_out

    canonical, now = _canonical(settings, number), SystemClock().now()
    gone = in_rows(settings, lambda connection: take_out(connection, canonical, getpass.getuser(), now))
    print(tr("cli.numbers.removed" if gone else "cli.numbers.absent", number=canonical))
    raise typer.Exit(0 if gone else 1)


def _canonical(settings: "Settings", number: str) -> str:
    from pbxmonitor.pbx.asterisk.naming import canonical

    found = canonical(number, settings.region)
    if not found or not found.removeprefix("+").isdigit():
        raise PlainError(f"{number}: is not a phone number; write it as +79161234567 or 8 916 123-45-67")
    return found
