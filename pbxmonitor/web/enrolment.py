"""Who may have which account: what is wrong with a wish, what the forms offer, where passwords are chosen."""

from typing import Final

from fastapi import Request

from pbxmonitor.domain.roster import Role as Rank
from pbxmonitor.settings import Settings
from pbxmonitor.settings_web import web_of
from pbxmonitor.texts import tr
from pbxmonitor.web.rendering import address
from pbxmonitor.web.site import site_of
from pbxmonitor.web.viewer import Role

# How long a token may work, in days; 0 is for ever.
LIVES: Final = ("30", "90", "365", "0")


def trouble_with(settings: Settings, role: Role, person: str) -> str | None:
    """Why an account cannot be that; an employee sees his own things and a supervisor those of his teams."""
    if not person:
        return "web.users.cannot.person" if role in (Role.EMPLOYEE, Role.SUPERVISOR) else None
    if person not in settings.people:
        return "web.users.cannot.unknown_person"
    leads = any(person in team.supervisors for team in settings.teams.values())
    if role is Role.SUPERVISOR and settings.people[person].role is Rank.EMPLOYEE and not leads:
        return "web.users.cannot.leads_nobody"
    return None


def link(request: Request, code: str) -> str:
    """Where the password is chosen: the address that people are told, else the one that we were asked at."""
    public = web_of(site_of(request).settings).public_url
    base = f"{public}/setup" if public else f"{request.url.scheme}://{request.url.netloc}{address(request, 'setup')}"
    return f"{base}?code={code}"


def choices(settings: Settings, language: str) -> dict[str, object]:
    """What the forms offer."""
    names = {key: entry.name or key for key, entry in settings.people.items()}
    return {
        "roles": [(role.value, tr(f"web.users.role.{role}", language=language)) for role in Role],
        "people": list(names.items()),
        "names": names,
    }


def said(language: str, done: str | None, trouble: str | None) -> dict[str, str | None]:
    """What was done, or why it was not, in words."""
    return {
        "done": tr(f"web.users.done.{done}", language=language) if done else None,
        "trouble": tr(trouble, language=language) if trouble else None,
    }


def life(days: str, language: str) -> str:
    """How long a token works, in words."""
    if days == "0":
        return tr("web.users.token.ever", language=language)
    return tr("web.users.token.days", language=language, n=int(days))
