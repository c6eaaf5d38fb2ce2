"""`pbxmonitor notify`: try the channels, look at the texts."""

import asyncio
import getpass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from pbxmonitor.cli.common import OPTIONS, PlainError, plain_errors, settings_in_force
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    from pbxmonitor.notify.templates import Templates
    from pbxmonitor.settings import Settings

notify = typer.Typer(help="Try the channels of the settings, and look at the texts of messages.", **OPTIONS)


@notify.command(name="test")
def try_channel(
    context: typer.Context,
    channel: Annotated[str, typer.Argument(help="A channel of the settings.")],
    to: Annotated[str | None, typer.Option("--to", help="A person, or an address in that channel.")] = None,
) -> None:
    """Send a test message at once; exit code 1 when the channel did not take it."""
    settings = settings_in_force(context.obj)
    if not settings.notify:
        raise PlainError(tr("cli.notify.none"))
    if channel not in settings.notify:
        raise PlainError(f"there is no channel {channel}; the settings name: {', '.join(sorted(settings.notify))}")
    with plain_errors(settings):
        trouble = asyncio.run(_tried(settings, channel, to))
    print(trouble or tr("cli.notify.sent", channel=channel))
    raise typer.Exit(1 if trouble else 0)


@notify.command()
def link(
    context: typer.Context,
    person: Annotated[str, typer.Argument(help="A person of the settings.")],
    channel: Annotated[str, typer.Option("--channel", help="The bot to be linked with.")] = "telegram",
) -> None:
    """Print a one-time code (and a link) by which that person presents himself to the bot."""
    settings = settings_in_force(context.obj)
    if channel not in settings.notify:
        raise PlainError(
            f"there is no channel {channel}; the settings name: {', '.join(sorted(settings.notify)) or 'none'}"
        )
    from pbxmonitor.work.linking import CannotLink

    with plain_errors(settings):
        try:
            code, address = asyncio.run(_code(settings, channel, person))
        except CannotLink as cannot:
            raise PlainError(str(cannot)) from None
    print(tr("cli.notify.code", code=code, person=person))
    if address:
        print(address)


async def _code(settings: "Settings", channel: str, person: str) -> tuple[str, str]:
    """The code, and the address that says it to the bot in one touch, where the bot can be asked for its name."""
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.notify import Later, Refused
    from pbxmonitor.notify.telegram import Telegram
    from pbxmonitor.store.types import connect
    from pbxmonitor.work.linking import Linking, deep_link
    from pbxmonitor.work.office import channels_of

    clock, database = SystemClock(), connect(settings.database.full_url)
    channels = channels_of(settings, clock)
    try:
        code = await Linking(database, settings.people, clock).new_code(channel, person, getpass.getuser())
        bot = channels[channel]
        return code, deep_link(await bot.name(), code) if isinstance(bot, Telegram) else ""
    except (Refused, Later):
        return code, ""
    finally:
        await database.dispose()
        for each in channels.values():
            await each.aclose()


@notify.command()
def preview(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A message, such as missed or digest.")],
    language: Annotated[str | None, typer.Option("--language", help="ru or en; the settings' unless given.")] = None,
    html: Annotated[bool, typer.Option("--html", help="The HTML instead of the text.")] = False,
) -> None:
    """Print a message as it would be written, with the words of an example."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.notify.examples import Name
    from pbxmonitor.notify.templates import BadTemplate
    from pbxmonitor.texts import LANGUAGES

    if name not in set(Name):
        raise PlainError(f"there is no message {name}; there are: {', '.join(Name)}")
    chosen = language or settings.language
    if chosen not in LANGUAGES:
        raise PlainError(f"--language {chosen}: give one of {', '.join(LANGUAGES)}")
    try:
        written = _templates(settings).preview(Name(name), chosen)
    except BadTemplate as error:
        raise PlainError(str(error)) from None
    print(written.html if html else f"{written.subject}\n\n{written.text}")


def _templates(settings: "Settings") -> "Templates":
    from pathlib import Path

    from pbxmonitor.notify.templates import Templates

    folder = settings.messages.templates
    return Templates(settings.zone, Path(folder) if folder else None)


async def _tried(settings: "Settings", channel: str, to: str | None) -> str | None:
    """What went wrong, for people; None when it went out."""
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.notify import Later, Message, Refused
    from pbxmonitor.notify.examples import Name
    from pbxmonitor.settings_errors import SettingsError
    from pbxmonitor.work.office import channels_of

    clock = SystemClock()
    try:
        channels = channels_of(settings, clock)
    except SettingsError as error:
        raise PlainError(str(error)) from None
    address = await _address(settings, channel, to)
    words = {"channel": channel, "at": clock.now()}
    written = _templates(settings).render(Name.TEST, settings.language, words)
    message = Message(
        id=f"test-{clock.now():%Y%m%d%H%M%S}",
        to=address,
        subject=written.subject,
        text=written.text,
        html=written.html,
    )
    try:
        await channels[channel].send(message)
    except Refused as refused:
        return tr("cli.notify.refused", channel=channel, reason=refused.reason)
    except Later as later:
        return tr("cli.notify.later", channel=channel, reason=later.reason)
    finally:
        for each in channels.values():
            await each.aclose()
    return None


async def _address(settings: "Settings", channel: str, to: str | None) -> str:
    """The address itself, or that of a person; of the first person who has one, unless somebody is named."""
    from pbxmonitor.store.links import address_of
    from pbxmonitor.store.types import connect, reading

    if to is not None and to not in settings.people:
        return to
    people = [to] if to is not None else list(settings.people)
    database = connect(settings.database.full_url)
    try:
        for person in people:
            known = settings.people[person].addresses.get(channel)
            found = known or await reading(database, partial(address_of, channel=channel, person=person))
            if found:
                return found
    finally:
        await database.dispose()
    raise PlainError(f"nobody has an address for {channel}: give one with --to")
