"""`pbxmonitor callback`: the clients who wait for a call, and what is done about them by hand."""

import asyncio
import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from pbxmonitor.cli.common import (
    OPTIONS,
    AsJson,
    Node,
    PlainError,
    in_rows,
    plain_errors,
    print_json,
    settings_in_force,
)
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.settings import Settings

callback = typer.Typer(help="Clients who wait for a call: list them, take, snooze, dismiss, confirm.", **OPTIONS)
Id = Annotated[str, typer.Argument(metavar="ID", help="NODE/CALL, as `callback list` prints it.")]
Mine = Annotated[str, typer.Option("--by", help="The person who does it, as the settings name him.")]
By = Annotated[str | None, typer.Option("--by", help="The person who does it; you, by your login, unless given.")]


@callback.command(name="list")
def list_open(context: typer.Context, node: Node = None, as_json: AsJson = False) -> None:
    """Those that are open, the most urgent first."""
    settings = settings_in_force(context.obj)
    from pbxmonitor import reporting
    from pbxmonitor.exhibits.callbacks import open_callbacks
    from pbxmonitor.screen import show

    with plain_errors(settings):
        found = asyncio.run(reporting.open_callbacks(settings, node))
    if as_json:
        print_json(found)
        return
    show(open_callbacks(found, settings.zone, reporting.names_of(settings)))


@callback.command()
def take(context: typer.Context, key: Id, by: Mine) -> None:
    """I call this client back."""
    _do(context, key, "take", by)


@callback.command()
def snooze(context: typer.Context, key: Id, by: Mine) -> None:
    """Remind me later."""
    _do(context, key, "snooze", by)


@callback.command()
def dismiss(
    context: typer.Context,
    key: Id,
    reason: Annotated[str, typer.Option("--reason", help="Why nobody needs to call back.")],
    by: By = None,
) -> None:
    """Nobody needs to call this client back."""
    _do(context, key, "dismiss", by, reason=reason)


@callback.command()
def mobile(context: typer.Context, key: Id, by: Mine) -> None:
    """I have talked to this client from a phone that is not followed."""
    _do(context, key, "mobile", by)


@callback.command()
def voicemail(
    context: typer.Context,
    key: Id,
    call: Annotated[str, typer.Option("--call", help="The attempt's call, as `report callbacks --json` names it.")],
    by: By = None,
) -> None:
    """What answered that attempt was a machine: the client has not been reached."""
    _do(context, key, "voicemail", by, call=call)


@callback.command()
def assign(
    context: typer.Context, key: Id, to: Annotated[str, typer.Option("--to", help="Who is to call.")], by: By = None
) -> None:
    """Give it to somebody."""
    _do(context, key, "assign", by, owner=to)


@callback.command()
def call(
    context: typer.Context,
    key: Id,
    by: Annotated[str, typer.Option("--by", help="The person whose phone rings first.")],
) -> None:
    """Ring that person's phone, then the client's."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.work.dialling import CannotCall

    with plain_errors(settings):
        try:
            begun = asyncio.run(_called(settings, _key_of(settings, key), by))
        except CannotCall as cannot:
            raise PlainError(str(cannot)) from None
    print(tr("cli.callback.rings", person=by, call=begun))


async def _called(settings: "Settings", key: tuple[str, str], person: str) -> str:
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.outgoing import aris_of, dialling_of
    from pbxmonitor.store.types import connect

    database, aris = connect(settings.database.full_url), aris_of(settings)
    try:
        return await dialling_of(settings, database, SystemClock(), aris).call(person, callback=key)
    finally:
        for ari in aris.values():
            await ari.aclose()
        await database.dispose()


def _do(context: typer.Context, key: str, hand: str, by: str | None, **more: str) -> None:
    settings = settings_in_force(context.obj)
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.pbx.asterisk.connect import policy_of
    from pbxmonitor.settings_domain import to_duties
    from pbxmonitor.store.actions import CannotAct, Deed, Hand, act

    who = by or getpass.getuser()
    if by is not None and by not in settings.people:
        raise PlainError(f"--by {by}: there is no such person in the settings")
    if "owner" in more and more["owner"] not in settings.people:
        raise PlainError(f"--to {more['owner']}: there is no such person in the settings")
    deed = Deed(hand=Hand(hand), who=who, **more)
    policy, duties, now = policy_of(settings), to_duties(settings), SystemClock().now()
    mine = _key_of(settings, key)
    try:
        done = in_rows(settings, lambda connection: act(connection, duties, policy, mine, deed, now))
    except CannotAct as error:
        raise PlainError(tr(error.key)) from None
    print(tr("cli.callback.done", number=done.number, state=tr(f"value.callback.{done.state}")))


def _key_of(settings: "Settings", text: str) -> tuple[str, str]:
    """NODE/CALL; the node may be left out where there is one."""
    node, slash, call = text.partition("/")
    if slash:
        return node, call
    if len(settings.pbx) == 1:
        return next(iter(settings.pbx)), text
    raise PlainError(f"{text}: write NODE/CALL, as `pbxmonitor callback list` prints it")
