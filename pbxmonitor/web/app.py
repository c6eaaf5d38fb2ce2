"""The web application: every page and every part of the API that there is, below one roof."""

from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from pbxmonitor.metrics import Metrics
from pbxmonitor.settings_web import web_of
from pbxmonitor.texts import tr
from pbxmonitor.web import api, pages
from pbxmonitor.web.api.health import outside
from pbxmonitor.web.auth import COOKIE
from pbxmonitor.web.headers import CSP, below, bounded, counted, csp_with, safe
from pbxmonitor.web.limits import Limits
from pbxmonitor.web.passwords import Passwords
from pbxmonitor.web.problems import answer_problems, problem_responses
from pbxmonitor.web.rendering import address, language_of
from pbxmonitor.web.site import Site
from pbxmonitor.web.throttle import Throttle

API: Final = "/api/v1"
_STATIC: Final = Path(__file__).parent / "static"
_ICONS: Final = (
    ("icon.svg", "any", "image/svg+xml", "any"),
    ("icon-192.png", "192x192", "image/png", "any"),
    ("icon-512.png", "512x512", "image/png", "any"),
    ("icon-maskable-512.png", "512x512", "image/png", "maskable"),
)
_COMPRESSED_FROM: Final = 600
_START: Final = "now"


class Application(FastAPI):
    """FastAPI below a path of its own, every answer of which, errors too, has the headers for a browser's safety."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = below(scope, self.state.root)
            receive, send = bounded(scope, receive), counted(scope, safe(scope, send, self.state.csp))
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The description of the API, with the two ways to be known."""
        if self.openapi_schema is None:
            self.openapi_schema = _described(self)
        return self.openapi_schema


class Assets(StaticFiles):
    """Files that a browser keeps, and asks each time whether they are still so (their ETag)."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(site: Site, *, metrics: Metrics | None = None, passwords: Passwords | None = None) -> FastAPI:
    """The application of that site; `metrics` are what Prometheus is told, where it may ask here too."""
    made = Application(
        title="pbxmonitor",
        version=version("pbxmonitor"),
        docs_url=None,
        redoc_url=None,
        openapi_url=f"{API}/openapi.json",
        redirect_slashes=False,
    )
    made.state.site = site
    made.state.root = web_of(site.settings).root_path
    oidc = web_of(site.settings).oidc
    made.state.csp = csp_with(oidc.origin) if oidc is not None else CSP
    made.state.metrics = metrics or Metrics()
    made.state.passwords = passwords or Passwords()
    made.state.throttle = Throttle(site.clock)
    made.state.limits = Limits(web_of(site.settings), site.clock)
    made.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_FROM, compresslevel=5)
    answer_problems(made)
    _include_all(made)
    made.mount("/static", Assets(directory=_STATIC), name="static")
    return made


def _include_all(made: FastAPI) -> None:
    made.include_router(frame, include_in_schema=False)
    made.include_router(outside, include_in_schema=False)
    for module in _modules(pages):
        made.include_router(module.router, include_in_schema=False)
    for module in _modules(api):
        made.include_router(module.router, prefix=API, responses=problem_responses())


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    """Those of the package that have a `router`."""
    for found in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{found.name}")
        if isinstance(getattr(module, "router", None), APIRouter):
            yield module


def _described(made: FastAPI) -> dict[str, Any]:
    described = get_openapi(title=made.title, version=made.version, routes=made.routes)
    described.setdefault("components", {})["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token; scopes: read, act, hooks."},
        "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    described["security"] = [{"token": []}, {"session": []}]
    return described


frame = APIRouter()


@frame.get("/")
async def home(request: Request) -> Response:
    """To the page that people come for."""
    return RedirectResponse(address(request, _START), 303)


@frame.get("/manifest.webmanifest")
async def manifest(request: Request) -> Response:
    """What a telephone needs to keep us among its apps."""
    language = language_of(request)
    content = {
        "name": tr("web.title", language=language),
        "short_name": "pbxmonitor",
        "lang": language,
        "id": address(request, ""),
        "start_url": address(request, _START),
        "scope": address(request, ""),
        "display": "standalone",
        "background_color": "#f6f7f6",
        "theme_color": "#0b5d52",
        "icons": [
            {"src": address(request, f"static/{name}"), "sizes": sizes, "type": kind, "purpose": purpose}
            for name, sizes, kind, purpose in _ICONS
        ],
    }
    caching = {"Cache-Control": "no-cache"}
    return JSONResponse(content, headers=caching, media_type="application/manifest+json")
