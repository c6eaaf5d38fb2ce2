"""Answers of the API: JSON with an ETag, so that who asks again for what has not changed is told so in a line."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from pbxmonitor.web.filtering import BadQuery
from pbxmonitor.web.problems import Problem


def answer(request: Request, data: Any, headers: Mapping[str, str] | None = None) -> Response:
    """The data, or 304 when the client has it already (If-None-Match)."""
    made = JSONResponse(data, headers=headers)
    # Weak: on its way the answer may be compressed.
    tag = f'W/"{sha256(bytes(made.body)).hexdigest()[:32]}"'
    kept = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization, Accept-Encoding"}
    had = {each.strip() for each in request.headers.get("if-none-match", "").split(",")}
    if tag in had or tag.removeprefix("W/") in had:
        return Response(status_code=304, headers=kept)
    made.headers.update(kept)
    return made


def problem_of(bad: BadQuery) -> Problem:
    """What is wrong with the address, as the API says it."""
    return Problem(400, bad.key, None, **bad.values)
