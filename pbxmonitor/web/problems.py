"""What is answered when something is wrong: problem+json below /api, a page elsewhere; never what was asked for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from pbxmonitor.store.types import driver_line
from pbxmonitor.texts import tr
from pbxmonitor.web.rendering import address, language_of, page

log = structlog.get_logger()
PROBLEM_JSON: Final = "application/problem+json"
_TOLD: Final = (400, 401, 403, 404, 405, 413, 422, 429, 500, 503)
_RETRY_S: Final = 5


class Problem(Exception):  # noqa: N818
    """The request ends here: that status, and a text of the catalogue that says why."""

    def __init__(self, status: int, key: str | None = None, headers: Mapping[str, str] | None = None, **values: object):
        super().__init__(status, key)
        self.status = status
        self.key = key or f"web.error.{status}"
        self.headers = headers
        self.values = values


class LoginNeeded(Exception):  # noqa: N818
    """A page that only those who are logged in may see was asked for by somebody else."""


def asks_api(request: Request) -> bool:
    """Whether a program asks, who wants JSON."""
    return path_of(request).startswith("/api/")


def path_of(request: Request) -> str:
    """The path below the one that a reverse proxy serves us at."""
    path, root = str(request.scope["path"]), str(request.scope.get("root_path", ""))
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def answer(
    request: Request, status: int, text: str, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """The problem, in the form that whoever asked can read."""
    if asks_api(request):
        body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": text, **more}
        return JSONResponse(body, status, headers, media_type=PROBLEM_JSON)
    viewer = getattr(request.state, "viewer", None)
    heading = tr("web.error.title", language=spoken_to(request), status=status)
    shown = page(request, viewer, "denied.html", status=status, heading=heading, text=text)
    shown.headers.update(headers or {})
    return shown


def spoken_to(request: Request) -> str:
    """The language of whoever asks, known or not."""
    viewer = getattr(request.state, "viewer", None)
    return str(viewer.language) if viewer is not None else language_of(request)


def answer_problems(app: FastAPI) -> None:
    """Make the application answer everything that goes wrong so."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(LoginNeeded, _to_login)
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(OperationalError, _database_away)
    app.add_exception_handler(InterfaceError, _database_away)
    app.add_exception_handler(Exception, _broken)


def problem_responses() -> dict[int | str, dict[str, Any]]:
    """What the description of the API says of its errors."""
    fields = {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    }
    schema = {"type": "object", "properties": fields, "required": list(fields)}
    content = {PROBLEM_JSON: {"schema": schema}}
    wanted = (400, 401, 403, 404, 409, 413, 422, 429, 503)
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in wanted}


def _text(request: Request, status: int) -> str:
    key = f"web.error.{status}" if status in _TOLD else "web.error.other"
    return tr(key, language=spoken_to(request))


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    text = tr(error.key, language=spoken_to(request), **error.values)
    return answer(request, error.status, text, error.headers)


async def _to_login(request: Request, _error: Exception) -> Response:
    """To the login page, and from there to where he wanted to go, if he only wanted to look."""
    query = request.url.query
    wanted = path_of(request).lstrip("/") + (f"?{query}" if query else "")
    looks = request.method in ("GET", "HEAD") and wanted
    where = "?" + urlencode({"next": wanted}) if looks else ""
    return RedirectResponse(address(request, "login") + where, HTTPStatus.SEE_OTHER)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return answer(request, error.status_code, _text(request, error.status_code), error.headers)


async def _not_understood(request: Request, error: Exception) -> Response:
    """Which fields are wrong and how, never what was in them."""
    assert isinstance(error, RequestValidationError)
    wrong = [{"at": ".".join(map(str, each["loc"])), "why": each["msg"]} for each in error.errors()]
    return answer(request, 422, _text(request, 422), errors=wrong)


async def _database_away(request: Request, error: Exception) -> Response:
    log.error("web_database_away", path=path_of(request), reason=driver_line(error))
    return answer(request, 503, _text(request, 503), {"Retry-After": str(_RETRY_S)})


async def _broken(request: Request, error: Exception) -> Response:  # noqa: ARG001 - whoever serves us logs it
    return answer(request, 500, _text(request, 500))
