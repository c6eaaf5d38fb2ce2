"""Pages as HTML: Jinja2 with the catalogue's texts, in the language of whoever looks; nothing needs a script inline."""

from collections.abc import Mapping
from datetime import tzinfo
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from pbxmonitor.masking import masked_text
from pbxmonitor.notify.wording import filters
from pbxmonitor.settings_web import web_of
from pbxmonitor.texts import tr
from pbxmonitor.web.site import Site, site_of
from pbxmonitor.web.viewer import Role, Viewer

# What stands in the menu: the page, its text, and who sees it.
MENU: Final = (
    ("now", "web.menu.now", Role.EMPLOYEE),
    ("employees", "web.menu.employees", Role.EMPLOYEE),
    ("journal", "web.menu.journal", Role.EMPLOYEE),
    ("callbacks", "web.menu.callbacks", Role.EMPLOYEE),
    ("stuck", "web.menu.stuck", Role.SUPERVISOR),
    ("patterns", "web.menu.patterns", Role.SUPERVISOR),
    ("alerts", "web.menu.alerts", Role.MANAGER),
    ("settings", "web.menu.settings", Role.MANAGER),
    ("audit", "web.menu.audit", Role.MANAGER),
    ("users", "web.menu.users", Role.ADMIN),
    ("webhooks", "web.menu.webhooks", Role.ADMIN),
)
# What is counted of the whole site is for those who see all of it.
_SITE_WIDE: Final = frozenset({"stuck", "patterns"})


@cache
def _environment(language: str, zone: tzinfo) -> Environment:
    made = Environment(
        loader=PackageLoader("pbxmonitor.web", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters(language, zone))
    made.globals["tr"] = lambda key, **values: tr(key, language=language, **values)
    return made


def page(request: Request, viewer: Viewer | None, name: str, status: int = 200, **words: Any) -> HTMLResponse:
    """The page of that template in the viewer's language; addresses are made with `url('journal')`."""
    site = site_of(request)
    language = viewer.language if viewer is not None else language_of(request)
    environment = _environment(language, site.settings.zone)
    shared = {
        "viewer": viewer,
        "language": language,
        "menu": _menu(viewer),
        "current": name.partition(".")[0],
        "url": lambda path="", **query: address(request, path, query),
        "phone": lambda number: shown(number, viewer, environment),
    }
    return HTMLResponse(environment.get_template(name).render({**shared, **words}), status)


def fragment(site: Site, viewer: Viewer, name: str, **words: Any) -> str:
    """A part of a page for that viewer, made outside of any request: a stream tells it."""
    environment = _environment(viewer.language, site.settings.zone)
    root = web_of(site.settings).root_path.rstrip("/")
    shared = {
        "viewer": viewer,
        "language": viewer.language,
        "url": lambda path="", **query: _below(root, path, query),
        "phone": lambda number: shown(number, viewer, environment),
    }
    return environment.get_template(name).render({**shared, **words})


def _menu(viewer: Viewer | None) -> list[tuple[str, str]]:
    if viewer is None:
        return []
    mine = ((each, text) for each, text, least in MENU if viewer.at_least(least))
    return [(each, text) for each, text in mine if each not in _SITE_WIDE or viewer.sees_all()]


def address(request: Request, path: str, query: Mapping[str, Any] | None = None) -> str:
    """The address of a page below the path that a reverse proxy serves us at."""
    return _below(str(request.scope.get("root_path", "")).rstrip("/"), path, query or {})


def _below(root: str, path: str, query: Mapping[str, Any]) -> str:
    asked = urlencode({key: value for key, value in query.items() if value is not None}, doseq=True)
    return f"{root}/{path}" + (f"?{asked}" if asked else "")


def language_of(request: Request) -> str:
    """The language of a visitor whom nobody knows: his cookie's, else the site's."""
    chosen = request.cookies.get("language")
    return chosen if chosen in ("ru", "en") else site_of(request).settings.language


def shown(number: str | None, viewer: Viewer | None, environment: Environment) -> str:
    """A phone number as the viewer may see it."""
    whole = viewer is not None and viewer.whole_numbers
    text = environment.filters["phone"](number)
    return str(text) if whole or not number else masked_text(number)
