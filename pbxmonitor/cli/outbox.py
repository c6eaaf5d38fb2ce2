"""`pbxmonitor outbox`: what is owed to people and CRMs, what could not be delivered, and trying it again."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pbxmonitor.cli.common import OPTIONS, AsJson, PlainError, in_rows, print_json, settings_of
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    pass

outbox = typer.Typer(help="What is owed to people and CRMs, and what could not be delivered.", **OPTIONS)


@outbox.command(name="list")
def list_deliveries(
    context: typer.Context,
    state: Annotated[
        str, typer.Option("--state", help="waiting, sent, failed, expired, cancelled, summed.")
    ] = "failed",
    most: Annotated[int, typer.Option("--most", min=1, max=10_000, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The newest of one state, those that failed unless another is named."""
    settings = settings_of(context.obj)
    from pbxmonitor.store.outbox import DeliveryState, listed

    if state not in set(DeliveryState):
        raise PlainError(f"--state {state}: give one of {', '.join(DeliveryState)}")
    rows = in_rows(settings, lambda connection: listed(connection, DeliveryState(state), most))
    if as_json:
        print_json([_told(row) for row in rows])
        return
    for row in rows:
        at = row["created_at"].astimezone(settings.zone)
        who = row["recipient"] or ""
        print(row["id"], f"{at:%Y-%m-%d %H:%M}", row["channel"], who, row["template"], row["error"] or "", sep="\t")
    if not rows:
        print(tr("cli.outbox.none"))


@outbox.command()
def retry(
    context: typer.Context, name: Annotated[str, typer.Argument(metavar="ID", help="As `outbox list` prints it.")]
) -> None:
    """Owe one that failed or came too late again, from now on; exit code 1 when there is none."""
    settings = settings_of(context.obj)
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.store.outbox import retried

    now = SystemClock().now()
    done = in_rows(settings, lambda connection: retried(connection, name, now))
    print(tr("cli.outbox.retried" if done else "cli.outbox.absent"))
    raise typer.Exit(0 if done else 1)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if name.endswith("_at") and value else value for name, value in row.items()}
