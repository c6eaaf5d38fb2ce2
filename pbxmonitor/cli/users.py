"""`pbxmonitor user`: who may look at the pages, with which role; passwords are chosen by one-time links."""

import asyncio
import getpass
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from pbxmonitor.cli.common import OPTIONS, AsJson, PlainError, in_rows, print_json, settings_in_force
from pbxmonitor.texts import tr

if TYPE_CHECKING:
    import sqlalchemy as sa

    from pbxmonitor.settings import Settings
    from pbxmonitor.store.accounts import Account

user = typer.Typer(help="Accounts of the web pages: add, list, roles, one-time links, tokens.", **OPTIONS)
T = TypeVar("T")
RoleName = Literal["employee", "supervisor", "manager", "admin"]
Name = Annotated[str, typer.Argument(metavar="LOGIN", help="The account's login.")]
Role = Annotated[RoleName, typer.Option("--role", help="employee, supervisor, manager or admin.")]
Person = Annotated[str | None, typer.Option("--person", help="Who it is among the people of the settings.")]


@user.command()
def add(
    context: typer.Context,
    name: Name,
    role: Role,
    person: Person = None,
    language: Annotated[Literal["ru", "en"] | None, typer.Option("--language", help="ru or en.")] = None,
    masked: Annotated[bool, typer.Option("--masked", help="Show this account no phone number whole.")] = False,
) -> None:
    """Make an account, and print the one-time link by which its password is chosen."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import Account, setup_code
    from pbxmonitor.store.accounts import add as add_account

    login = _login(name)
    _check_person(settings, role, person)
    new = Account(
        name=login, role=role, person=person, language=language or settings.language, whole_numbers=not masked
    )

    def work(connection: "sa.Connection", now: datetime) -> str:
        add_account(connection, new, getpass.getuser(), now)
        return setup_code(connection, login, getpass.getuser(), now)

    code = _done(settings, work)
    print(tr("cli.user.added", name=login))
    _print_link(settings, code)


@user.command(name="list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """All accounts."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import accounts

    found = [_shown(each) for each in _done(settings, lambda connection, _now: accounts(connection))]
    if as_json:
        print_json(found)
        return
    for each in found:
        print("  ".join(str(value) for value in each.values() if value is not None))
    if not found:
        print(tr("cli.user.none"))


@user.command()
def setup(
    context: typer.Context,
    name: Name,
    forget_codes: Annotated[
        bool, typer.Option("--forget-codes", help="Ask for no one-time codes any more: the telephone is lost.")
    ] = False,
) -> None:
    """Print a one-time link by which a new password is chosen; the old one works until then."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import setup_code

    by = getpass.getuser()
    code = _done(
        settings, lambda connection, now: setup_code(connection, _login(name), by, now, forget_totp=forget_codes)
    )
    _print_link(settings, code)


@user.command()
def password(context: typer.Context, name: Name) -> None:
    """Ask for a new password here; all sessions of the account end."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import set_password
    from pbxmonitor.web.passwords import SHORTEST, Passwords, trouble_with

    login = _login(name)
    given: str = typer.prompt(tr("web.password.new"), hide_input=True, confirmation_prompt=tr("web.password.again"))
    trouble = trouble_with(given, login)
    if trouble is not None:
        raise PlainError(tr(trouble, n=SHORTEST))
    kept = asyncio.run(Passwords().hashed(given))
    _done(settings, lambda connection, now: set_password(connection, login, kept, getpass.getuser(), now))
    print(tr("cli.user.changed", name=login))


@user.command()
def role(
    context: typer.Context,
    name: Name,
    role: Annotated[RoleName, typer.Argument(metavar="ROLE", help="employee, supervisor, manager or admin.")],
    person: Person = None,
) -> None:
    """Give an account another role; its sessions end."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import account, change

    login, by = _login(name), getpass.getuser()
    known = _done(settings, lambda connection, _now: account(connection, login))
    whose = person or (known.person if known is not None else None)
    if known is not None:
        _check_person(settings, role, whose)
    _done(settings, lambda connection, now: change(connection, login, by, now, role=role, person=whose))
    print(tr("cli.user.changed", name=login))


@user.command()
def remove(context: typer.Context, name: Name) -> None:
    """Remove an account with its sessions and tokens; what it did stays in the audit."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import remove as remove_account

    login = _login(name)
    _done(settings, lambda connection, now: remove_account(connection, login, getpass.getuser(), now))
    print(tr("cli.user.removed", name=login))


@user.command()
def token(
    context: typer.Context,
    name: Name,
    called: Annotated[str, typer.Option("--name", help="What it is for.")],
    act: Annotated[bool, typer.Option("--act", help="It may change things too, not only look.")] = False,
    hooks: Annotated[bool, typer.Option("--hooks", help="It may keep webhooks; of an admin's account.")] = False,
) -> None:
    """Print a new token for the API, which sees what the account sees. It is shown this once."""
    settings = settings_in_force(context.obj)
    from pbxmonitor.store.accounts import CannotChange, account
    from pbxmonitor.store.sessions import new_token

    more = {word for word, given in (("act", act), ("hooks", hooks)) if given}
    login, scopes = _login(name), frozenset({"read", *more})

    def work(connection: "sa.Connection", now: datetime) -> str:
        if account(connection, login) is None:
            raise CannotChange("web.account.cannot.unknown")
        return new_token(connection, login, called, scopes, getpass.getuser(), now)

    print(_done(settings, work))


def _login(name: str) -> str:
    """Logins are typed with any capitals and kept in small letters."""
    login = name.strip().lower()
    if re.fullmatch(r"[\w.@-]{1,80}", login) is None:
        raise PlainError(f"{name}: a login is letters, digits and . @ - _, at most 80 of them")
    return login


def _check_person(settings: "Settings", role: str, person: str | None) -> None:
    """An employee sees his own things and a supervisor those of his teams: the settings must say who that is."""
    if person is None:
        if role in ("employee", "supervisor"):
            raise PlainError(f"--role {role} needs --person: one of {', '.join(settings.people) or 'the people'}")
        return
    if person not in settings.people:
        raise PlainError(f"--person {person}: there is no such person in the settings")
    leads = any(person in team.supervisors for team in settings.teams.values())
    if role == "supervisor" and settings.people[person].role == "employee" and not leads:
        raise PlainError(f"--person {person} leads nobody: set people.{person}.role or teams.TEAM.supervisors first")


def _shown(account: "Account") -> dict[str, object]:
    state = "disabled" if account.disabled else "active" if account.password is not None else "not set up"
    return {
        "name": account.name,
        "role": account.role,
        "person": account.person,
        "state": state,
        "codes": "codes" if account.totp_secret is not None else None,
        "numbers": None if account.whole_numbers else "masked",
    }


def _print_link(settings: "Settings", code: str) -> None:
    from pbxmonitor.settings_web import web_of

    print(tr("cli.user.link", url=f"{web_of(settings).address}/setup?code={code}"))


def _done(settings: "Settings", work: Callable[["sa.Connection", datetime], T]) -> T:
    from pbxmonitor.clock import SystemClock
    from pbxmonitor.store.accounts import CannotChange

    now = SystemClock().now()
    try:
        return in_rows(settings, lambda connection: work(connection, now))
    except CannotChange as cannot:
        raise PlainError(tr(cannot.key)) from None
