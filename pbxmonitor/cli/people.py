"""`pbxmonitor people`: who stands in the history, two names made one, a name made another."""

import asyncio
import getpass
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbxmonitor.cli.common import OPTIONS, AsJson, Node, PlainError, in_rows, plain_errors, print_json, settings_of
from pbxmonitor.cli.common import settings_in_force as in_force
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.renaming import Wish
    from pbxmonitor.settings import Settings
    from pbxmonitor.store.merging import Renamed
    from pbxmonitor.store.people import Preview

people = typer.Typer(help="Names of people in the history: list, merge, rename.", **OPTIONS)
Dry = Annotated[bool, typer.Option("--dry-run", help="Say what would follow, and change nothing.")]


@people.command(name="list")
def list_people(context: typer.Context, as_json: AsJson = False) -> None:
    """Everybody who stands in the history: by which name, on which PBXs, and what he was called before."""
    settings = in_force(context.obj)
    from pbxmonitor.store.people import known

    rows: list[dict[str, Any]] = []
    for each in in_rows(settings, known):
        entry = settings.people.get(each.agent)
        names = {"name": (entry.name or each.agent) if entry is not None else None, "nodes": list(each.nodes)}
        rows.append({"key": each.agent, **names, "former": list(each.former), "unfinished": list(each.unfinished)})
    if as_json:
        print_json(rows)
        return
    for row in rows:
        former = tr("cli.people.former", names=", ".join(row["former"])) if row["former"] else ""
        left = tr("cli.people.unfinished", names=", ".join(row["unfinished"])) if row["unfinished"] else ""
        print(row["key"], row["name"] or "—", ", ".join(row["nodes"]), former, left, sep="\t")


@people.command()
def merge(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="NAME", help="Whose history goes over: an extension, or a key.")],
    new: Annotated[str, typer.Argument(metavar="PERSON", help="To whom.")],
    node: Node = None,
    dry_run: Dry = False,
) -> None:
    """Two names are one person: all that was told of the first becomes the second's, as if it had always been so."""
    _do(context, old, new, node, dry_run, merge=True)


@people.command()
def rename(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="NAME", help="The key as it is.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The key as it is to be; nobody has it yet.")],
    node: Node = None,
    dry_run: Dry = False,
) -> None:
    """Another key for a person: all of the history follows."""
    _do(context, old, new, node, dry_run, merge=False)


def _do(context: typer.Context, old: str, new: str, node: str | None, dry_run: bool, *, merge: bool) -> None:
    settings = settings_of(context.obj)
    from pbxmonitor.renaming import Wish
    from pbxmonitor.store.people import CannotRename

    wish = Wish(old=old.strip(), new=new.strip(), merge=merge, by=getpass.getuser(), node=node)
    try:
        with plain_errors(settings):
            seen, done = asyncio.run(_done(settings, wish, dry_run))
    except CannotRename as cannot:
        raise PlainError(str(cannot)) from None
    _print(wish, seen)
    if done is not None:
        print(tr("cli.people.done", old=wish.old, new=wish.new))


def _print(wish: "Wish", seen: "Preview") -> None:
    print(
        tr(
            "cli.people.preview",
            old=wish.old,
            new=wish.new,
            calls=seen.calls,
            both=seen.both,
            states=seen.states,
            callbacks=seen.callbacks,
        )
    )


async def _done(settings: "Settings", wish: "Wish", dry_run: bool) -> "tuple[Preview, Renamed | None]":
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.renaming import previewed, rename
    from pbxmonitor.store.types import connect

    database = connect(settings.database.full_url)
    try:
        seen = await previewed(settings, database, wish)
        if dry_run:
            return seen, None
        return seen, await rename(settings, database, wish, SystemClock().now(), _shown)
    finally:
        await database.dispose()


def _shown(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} / {of}", end="" if done < of else "\n", file=sys.stderr, flush=True)
